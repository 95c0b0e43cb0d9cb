"""The rules of bids, exhaustively: every status x every verb, and content at and beyond each edge."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procure.bids import rules
from procure.bids.errors import BidderNotSupplier, BidInvalid, BidsNotSealed, BidStateWrong, LotSealed
from procure.bids.rules import NEXT, Asked, BidStatus, Given
from procure.kit.errors import Conflict
from procure.lots.errors import LotNotClosed, LotNotOpen
from procure.lots.rules import LotStatus

S = BidStatus
STORED = [status for status in S if status is not S.LAPSED]
LOT_STORED = [status for status in LotStatus if status is not LotStatus.CLOSED]
CLOSES = datetime(2026, 12, 8, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
TIMES = (CLOSES - TICK, CLOSES, CLOSES + TICK)
#: Sixty days after the day of closing are over at this midnight (London keeps UTC in February).
VALID_UNTIL = datetime(2027, 2, 7, tzinfo=UTC)

ASKED = Asked(deliverable_ids=("D1", "D2"), criterion_ids=("C1", "C3"), ceiling=Decimal("12000.00"), currency="GBP")
PRICES = [("D1", Decimal("11000.00"), "GBP"), ("D2", Decimal("1000.00"), "GBP")]
ANSWERS = [("C1", "We sit beside the officers."), ("C3", "Two apprentices.")]
GIVEN = Given(prices=PRICES, answers=ANSWERS, team_size=1)


def faults(
    prices: list[tuple[str, Decimal, str]] | None = None,
    answers: list[tuple[str, str]] | None = None,
    team_size: int = 1,
) -> list[tuple[str, str]]:
    """(pointer, code) of each fault, in the order in which they are told."""
    bid = Given(
        prices=PRICES if prices is None else prices,
        answers=ANSWERS if answers is None else answers,
        team_size=team_size,
    )
    with pytest.raises(BidInvalid) as caught:
        rules.check_content(ASKED, bid)
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


def price(amount: str, currency: str = "GBP") -> list[tuple[str, Decimal, str]]:
    return [("D1", Decimal(amount), currency), PRICES[1]]


# Statuses.


def test_the_transition_table_names_every_stored_status() -> None:
    assert set(NEXT) == set(STORED)
    assert {after for afters in NEXT.values() for after in afters} <= set(STORED)


@pytest.mark.parametrize(("status", "wanted"), list(product(STORED, S)))
def test_a_bid_moves_only_along_the_table(status: BidStatus, wanted: BidStatus) -> None:
    if wanted in NEXT[status]:
        rules.check_move(status, wanted)
    else:
        with pytest.raises(BidStateWrong):
            rules.check_move(status, wanted)


@pytest.mark.parametrize("status", STORED)
def test_only_a_submitted_bid_is_replaced_or_withdrawn(status: BidStatus) -> None:
    if status is S.SUBMITTED:
        rules.check_submitted(status)
    else:
        with pytest.raises(BidStateWrong):
            rules.check_submitted(status)


def test_nobody_comes_back_from_withdrawal_unreadability_disqualification_or_defeat() -> None:
    assert {status for status in NEXT if not NEXT[status]} == {
        S.WITHDRAWN,
        S.UNREADABLE,
        S.DISQUALIFIED,
        S.UNSUCCESSFUL,
    }


@pytest.mark.parametrize(("status", "lot_status"), list(product(STORED, LOT_STORED)))
def test_a_standing_bid_lapses_with_its_lot_and_with_its_validity(status: BidStatus, lot_status: LotStatus) -> None:
    def at(now: datetime) -> BidStatus:
        return rules.status_at(status, lot_status, CLOSES, 60, now)

    standing = status in {S.SUBMITTED, S.OPENED}
    has_ended = lot_status in {LotStatus.UNSUCCESSFUL, LotStatus.CANCELLED}
    assert at(VALID_UNTIL - TICK) is (S.LAPSED if standing and has_ended else status)
    assert at(VALID_UNTIL) is (S.LAPSED if standing else status)


# Rules a, b, e, h: when a lot takes bids, when it is sealed, when it is opened.


@pytest.mark.parametrize(("status", "now", "is_sealed"), list(product(LOT_STORED, TIMES, (False, True))))
def test_rule_h_bids_are_taken_strictly_before_closes_at_while_published_and_unsealed(
    status: LotStatus, now: datetime, is_sealed: bool
) -> None:
    if status is LotStatus.PUBLISHED and now < CLOSES and not is_sealed:
        rules.check_taking(status, CLOSES, now, is_sealed=is_sealed)
    else:
        with pytest.raises(LotNotOpen):
            rules.check_taking(status, CLOSES, now, is_sealed=is_sealed)


@pytest.mark.parametrize(("status", "now", "is_sealed"), list(product(LOT_STORED, TIMES, (False, True))))
def test_rule_i_a_lot_is_sealed_once_from_closes_at_on(status: LotStatus, now: datetime, is_sealed: bool) -> None:
    if status is LotStatus.PUBLISHED and now >= CLOSES and not is_sealed:
        rules.check_sealable(status, CLOSES, now, is_sealed=is_sealed)
    else:
        with pytest.raises(LotSealed if is_sealed else Conflict):
            rules.check_sealable(status, CLOSES, now, is_sealed=is_sealed)


@pytest.mark.parametrize(("now", "is_sealed"), list(product(TIMES, (False, True))))
def test_rules_b_and_e_nothing_is_opened_before_closes_at_or_before_the_seal(now: datetime, is_sealed: bool) -> None:
    if now < CLOSES:
        with pytest.raises(LotNotClosed):
            rules.check_openable(CLOSES, now, is_sealed=is_sealed)
    elif not is_sealed:
        with pytest.raises(BidsNotSealed):
            rules.check_openable(CLOSES, now, is_sealed=is_sealed)
    else:
        rules.check_openable(CLOSES, now, is_sealed=is_sealed)


def test_only_a_supplier_bids() -> None:
    assert rules.check_bidder(UUID(int=1)) == UUID(int=1)
    with pytest.raises(BidderNotSupplier):
        rules.check_bidder(None)


# Content.


def test_a_bid_that_gives_all_that_is_asked_is_valid() -> None:
    rules.check_content(ASKED, GIVEN)  # its prices sum exactly to the ceiling


def test_one_hundredth_over_the_ceiling_is_too_much() -> None:
    assert faults(price("11000.01")) == [("/prices", "over-ceiling")]


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("0", "price-zero"),
        ("0.00", "price-zero"),
        ("-0.01", "price-zero"),
        ("1.001", "places"),
        ("NaN", "not-an-amount"),
        ("Infinity", "not-an-amount"),
        ("1E+400", "not-an-amount"),
        ("1000000000000.00", "not-an-amount"),
    ],
)
def test_a_price_is_more_than_nothing_and_has_two_places(amount: str, code: str) -> None:
    assert faults(price(amount)) == [("/prices/0/price/amount", code)]


def test_a_price_is_in_the_lots_currency() -> None:
    assert faults(price("100.00", "EUR")) == [("/prices/0/price/currency", "currency")]


def test_each_deliverable_is_priced_exactly_once() -> None:
    assert faults([PRICES[0]]) == [("/prices", "missing")]
    assert faults([*PRICES, ("D1", Decimal(1), "GBP")]) == [
        ("/prices/2/deliverable_id", "repeated"),
        ("/prices", "over-ceiling"),
    ]
    assert faults([*PRICES, ("D9", Decimal(1), "GBP")])[0] == ("/prices/2/deliverable_id", "unknown")


def test_each_criterion_but_price_is_answered_exactly_once() -> None:
    assert faults(answers=[ANSWERS[0]]) == [("/answers", "missing")]
    assert faults(answers=[*ANSWERS, ("C1", "Again.")]) == [("/answers/2/criterion_id", "repeated")]
    assert faults(answers=[*ANSWERS, ("C2", "Cheap.")]) == [("/answers/2/criterion_id", "unknown")]
    assert faults(answers=[ANSWERS[0], ("C3", " \n")]) == [("/answers/1/text", "empty")]


def test_all_faults_are_told_at_once() -> None:
    told = faults([("D9", Decimal(0), "EUR")], [("C9", "")], team_size=0)
    assert told == [
        ("/prices/0/deliverable_id", "unknown"),
        ("/prices", "missing"),
        ("/prices", "missing"),
        ("/prices/0/price/currency", "currency"),
        ("/prices/0/price/amount", "price-zero"),
        ("/answers/0/criterion_id", "unknown"),
        ("/answers", "missing"),
        ("/answers", "missing"),
        ("/answers/0/text", "empty"),
        ("/team", "required"),
    ]


@given(st.lists(st.integers(1, 500_000), min_size=1, max_size=8), st.integers(1, 2_000_000))
def test_prices_are_summed_to_the_hundredth(pence: list[int], ceiling: int) -> None:
    asked = Asked(
        deliverable_ids=tuple(f"D{number}" for number in range(len(pence))),
        criterion_ids=(),
        ceiling=Decimal(ceiling).scaleb(-2),
        currency="GBP",
    )
    prices = [(f"D{number}", Decimal(one).scaleb(-2), "GBP") for number, one in enumerate(pence)]
    bid = Given(prices=prices, answers=[], team_size=1)
    if sum(pence) <= ceiling:
        rules.check_content(asked, bid)
    else:
        with pytest.raises(BidInvalid):
            rules.check_content(asked, bid)


amounts = st.one_of(
    st.decimals(min_value="0.01", max_value=7000, places=2), st.decimals(allow_nan=True, allow_infinity=True)
)
currencies = st.sampled_from(["GBP", "GBP", "GBP", "EUR"])
in_form = st.tuples(*[st.tuples(st.just(name), amounts, currencies) for name in ASKED.deliverable_ids]).map(list)
out_of_form = st.lists(st.tuples(st.sampled_from(["D1", "D2", "D3", "C1"]), amounts, currencies), max_size=5)


@given(st.one_of(in_form, out_of_form))
def test_whatever_was_sealed_is_judged_and_never_breaks_the_judge(prices: list[tuple[str, Decimal, str]]) -> None:
    def fits(amount: Decimal) -> bool:
        return amount.is_finite() and 0 < amount <= ASKED.ceiling and int(amount.as_tuple().exponent) >= -2

    once = sorted(name for name, _, _ in prices) == ["D1", "D2"]
    fit = all(currency == "GBP" and fits(amount) for _, amount, currency in prices)
    right = once and fit and sum(amount for _, amount, _ in prices) <= ASKED.ceiling
    bid = Given(prices=prices, answers=ANSWERS, team_size=1)
    if right:
        rules.check_content(ASKED, bid)
    else:
        with pytest.raises(BidInvalid) as caught:
            rules.check_content(ASKED, bid)
        assert all(fault.pointer.startswith("/prices") for fault in caught.value.faults)

"""The rules of outcomes, exhaustively: every status against every verb; measures, progress, commitments."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procure.kit.errors import Faults
from procure.outcomes import rules
from procure.outcomes.errors import (
    EnvelopeExceeded,
    EstimateExceeded,
    OutcomeInvalid,
    OutcomeNotActive,
    OutcomeNotDraft,
    OutcomeStillCommitted,
)
from procure.outcomes.proposals import rules as proposal_rules
from procure.outcomes.proposals.errors import ProposalDecided, ProposalInvalid
from procure.outcomes.rules import (
    ENDED,
    NEXT,
    PROPOSAL_NEXT,
    BudgetShare,
    Direction,
    OutcomeStatus,
    ProposalKind,
    ProposalStatus,
    Room,
)

S = OutcomeStatus
BASE, TARGET = date(2026, 1, 1), date(2027, 1, 1)


def test_every_status_says_what_may_follow_it() -> None:
    assert set(NEXT) == set(S)
    assert NEXT[S.DRAFT] == {S.ACTIVE, S.ABANDONED}
    assert NEXT[S.ACTIVE] == ENDED == {S.ACHIEVED, S.NOT_ACHIEVED, S.ABANDONED}
    assert all(not NEXT[status] for status in ENDED)


@pytest.mark.parametrize("status", S)
def test_only_a_draft_is_edited_or_activated(status: OutcomeStatus) -> None:
    if status is S.DRAFT:
        rules.check_draft(status)
    else:
        with pytest.raises(OutcomeNotDraft):
            rules.check_draft(status)


@pytest.mark.parametrize("status", S)
def test_lots_and_contracts_need_an_active_outcome(status: OutcomeStatus) -> None:
    if status is S.ACTIVE:
        rules.check_active(status)
    else:
        with pytest.raises(OutcomeNotActive):
            rules.check_active(status)


@pytest.mark.parametrize("status", S)
def test_an_end_is_final(status: OutcomeStatus) -> None:
    if status in ENDED:
        with pytest.raises(OutcomeNotActive):
            rules.check_endable(status)
    else:
        rules.check_endable(status)


@pytest.mark.parametrize(
    ("unsettled", "said"),
    [
        ([], None),
        (["0.00"], None),
        (["0.00", "0"], None),
        (["0.01"], "0.01 is committed beyond what was accepted, by 1 lot(s)."),
        (["0.00", "10000.00", "2000.50"], "12000.50 is committed beyond what was accepted, by 2 lot(s)."),
        # Two wrongs make no right: what one lot has too much does not settle another.
        (["5.00", "-5.00"], "0.00 is committed beyond what was accepted, by 2 lot(s)."),
    ],
)
def test_an_outcome_ends_once_each_lot_commits_what_was_accepted(unsettled: list[str], said: str | None) -> None:
    amounts = [Decimal(amount) for amount in unsettled]
    if said is None:
        rules.check_settled(amounts)
    else:
        with pytest.raises(OutcomeStillCommitted) as caught:
            rules.check_settled(amounts)
        assert caught.value.detail.startswith(said)


def test_what_was_active_once_is_observed() -> None:
    rules.check_observable(was_active=True)
    with pytest.raises(OutcomeNotActive):
        rules.check_observable(was_active=False)


@pytest.mark.parametrize(
    ("direction", "baseline", "target", "target_on", "codes"),
    [
        (Direction.DECREASE, "19", "2", TARGET, []),
        (Direction.INCREASE, "2", "19", TARGET, []),
        (Direction.DECREASE, "2", "19", TARGET, ["target-not-beyond"]),
        (Direction.INCREASE, "19", "2", TARGET, ["target-not-beyond"]),
        (Direction.INCREASE, "2", "2", TARGET, ["target-not-beyond"]),
        (Direction.DECREASE, "19", "2", BASE, ["target-not-later"]),
        (Direction.INCREASE, "19", "2", BASE, ["target-not-beyond", "target-not-later"]),
    ],
)
def test_a_target_lies_beyond_its_baseline_and_after_it(
    direction: Direction, baseline: str, target: str, target_on: date, codes: list[str]
) -> None:
    faults = Faults()
    rules.check_measure(faults, "/measures/0", direction, (Decimal(baseline), BASE), (Decimal(target), target_on))
    assert [fault.code for fault in faults.found] == codes


@pytest.mark.parametrize(
    ("reviews", "faults"),
    [
        ([], []),
        ([date(2026, 6, 1), date(2026, 9, 1)], []),
        ([BASE], [("0", "not-later")]),
        ([date(2026, 6, 1), date(2026, 6, 1)], [("1", "not-later")]),
        ([TARGET], [("0", "not-before-target")]),
        ([date(2026, 9, 1), date(2026, 6, 1), date(2027, 6, 1)], [("1", "not-later"), ("2", "not-before-target")]),
    ],
)
def test_reviews_ascend_between_baseline_and_target(reviews: list[date], faults: list[tuple[str, str]]) -> None:
    found = Faults()
    rules.check_measure(
        found, "/measures/0", Direction.INCREASE, (Decimal(2), BASE), (Decimal(19), TARGET), reviews=reviews
    )
    assert [(one.pointer, one.code) for one in found.found] == [
        (f"/measures/0/review_dates/{at}", code) for at, code in faults
    ]


@pytest.mark.parametrize(("buys", "is_fine"), [([True, False], True), ([False], True), ([True], False), ([], False)])
def test_doing_it_without_buying_has_been_considered(buys: list[bool], is_fine: bool) -> None:
    faults = Faults()
    rules.check_options(faults, buys)
    assert [(one.pointer, one.code) for one in faults.found] == ([] if is_fine else [("/options", "only-purchases")])


def share(amount: str, code: str = "4120", year: str = "2026/27", currency: str = "GBP") -> BudgetShare:
    return BudgetShare(place=(code, "HB", year), financial_year=year, amount=Decimal(amount), currency=currency)


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        ([], []),
        ([share("90.00")], []),
        ([share("60.00"), share("30.00", year="2027/28")], []),
        ([share("60.00", year="2026"), share("30.00", code="4121", year="1999/00")], []),
        ([share("89.99")], [("", "sum")]),
        ([share("90.01")], [("", "sum")]),
        ([share("60.00"), share("30.00")], [("/1", "twice")]),
        (
            [share("90.00", year="2026/28"), share("0.00", code="1", currency="EUR"), share("0.01", code="1")],
            [
                ("/0/financial_year", "financial-year"),
                ("/1/amount/amount", "amount-zero"),
                ("/1/amount/currency", "currency"),
                ("/2", "twice"),
                ("", "sum"),
            ],
        ),
    ],
)
def test_budget_lines_come_to_the_envelope_exactly(lines: list[BudgetShare], faults: list[tuple[str, str]]) -> None:
    found = Faults()
    rules.check_budget_lines(found, lines, Decimal("90.00"), "GBP")
    assert [(one.pointer, one.code) for one in found.found] == [(f"/budget_lines{at}", code) for at, code in faults]


def test_what_is_vague_or_of_one_discipline_is_refused_all_at_once() -> None:
    rules.check_outcome(Faults(), Decimal("0.01"), ["design", "engineering"], "Decided in two days now")
    with pytest.raises(OutcomeInvalid) as caught:
        rules.check_outcome(Faults(), Decimal(0), ["design", "design"], "Better services")
    assert {fault.code for fault in caught.value.faults} == {"envelope-zero", "one-discipline", "vague"}


@pytest.mark.parametrize(
    ("latest", "progress"),
    [(None, None), ("19", "0.0000"), ("2", "1.0000"), ("10.5", "0.5000"), ("22.4", "-0.2000"), ("0", "1.1176")],
)
def test_progress_is_honest_about_missing_and_worsening(latest: str | None, progress: str | None) -> None:
    seen = rules.progress(Decimal(19), Decimal(2), Decimal(latest) if latest else None)
    assert seen == (Decimal(progress) if progress else None)


@pytest.mark.parametrize(
    ("direction", "latest", "standing", "trend"),
    [
        (Direction.DECREASE, None, "unknown", None),
        (Direction.DECREASE, "19", "none", "same"),
        (Direction.DECREASE, "19.0001", "worse", "worse"),
        (Direction.DECREASE, "18.9999", "moving", "better"),
        (Direction.DECREASE, "2.0001", "moving", "better"),
        (Direction.DECREASE, "2", "reached", "better"),
        (Direction.DECREASE, "0", "reached", "better"),
        (Direction.INCREASE, "18", "worse", "worse"),
        (Direction.INCREASE, "20", "moving", "better"),
        (Direction.INCREASE, "36", "reached", "better"),
    ],
)
def test_a_measure_says_in_a_word_how_it_stands(
    direction: Direction, latest: str | None, standing: str, trend: str | None
) -> None:
    baseline, target = Decimal(19), Decimal(2) if direction is Direction.DECREASE else Decimal(36)
    value = Decimal(latest) if latest else None
    assert rules.standing(direction, baseline, target, value) == standing
    assert (rules.trend(direction, baseline, value) if value is not None else None) == trend


@given(st.decimals(-100, 100, places=4), st.sampled_from(Direction))
def test_the_word_and_the_number_never_disagree(latest: Decimal, direction: Direction) -> None:
    baseline, target = Decimal(0), Decimal(50) if direction is Direction.INCREASE else Decimal(-50)
    progress = rules.progress(baseline, target, latest)
    assert progress is not None
    said = rules.standing(direction, baseline, target, latest)
    assert (progress < 0) <= (said == "worse")
    assert (progress > 1) <= (said == "reached")
    assert (0 < progress < 1) <= (said == "moving")


@pytest.mark.parametrize(
    ("observed_on", "expected"),
    [
        (None, date(2026, 6, 1)),
        (date(2026, 5, 31), date(2026, 6, 1)),
        (date(2026, 6, 1), date(2026, 9, 1)),
        (date(2026, 12, 1), TARGET),
        (TARGET, None),
    ],
)
def test_the_next_look_is_the_first_day_set_that_nothing_was_seen_since(
    observed_on: date | None, expected: date | None
) -> None:
    assert rules.next_review([date(2026, 6, 1), date(2026, 9, 1)], TARGET, observed_on) == expected


amounts = st.decimals("0", "1000000", places=2)


@given(
    committed=amounts,
    delta=st.decimals("-1000000", "1000000", places=2),
    envelope=amounts,
    estimate=st.none() | amounts,
)
def test_a_commitment_fits_or_is_refused_and_giving_back_always_fits(
    committed: Decimal, delta: Decimal, envelope: Decimal, estimate: Decimal | None
) -> None:
    room = Room(envelope=envelope, estimate=estimate, committed=committed, vat_rate=Decimal(20))
    if delta <= 0 or committed + delta <= min(envelope, room.tested):
        room.check(delta)
    else:
        with pytest.raises(EnvelopeExceeded if committed + delta > envelope else EstimateExceeded):
            room.check(delta)


def test_a_refusal_tells_every_sum_net_and_with_vat() -> None:
    room = Room(
        envelope=Decimal("24000.00"),
        estimate=Decimal("20000.00"),
        committed=Decimal("15000.00"),
        vat_rate=Decimal("20.00"),
    )
    with pytest.raises(EnvelopeExceeded) as caught:
        room.check(Decimal("10000.01"))
    assert caught.value.detail == (
        "The envelope is 24000.00 (28800.00 with VAT), of which 15000.00 (18000.00 with VAT) is committed; "
        "10000.01 (12000.01 with VAT) more would make 25000.01 (30000.01 with VAT), "
        "which is 1000.01 (1200.01 with VAT) too much."
    )
    with pytest.raises(EstimateExceeded) as tested:
        room.check(Decimal("5000.01"))
    assert tested.value.detail.startswith("The tested estimate is 20000.00 (24000.00 with VAT), of which 15000.00 (")
    room.check(Decimal("5000.00"))


ROOM = Room(envelope=Decimal(100), estimate=Decimal(80), committed=Decimal(40), vat_rate=Decimal(20))


@pytest.mark.parametrize(
    ("kind", "amount", "currency", "lines", "faults"),
    [
        ("envelope", "120", "GBP", ["120"], []),
        ("envelope", "40", "GBP", ["40"], []),
        ("envelope", "39.99", "GBP", ["39.99"], ["/amount/amount below-committed"]),
        ("envelope", "100", "GBP", ["100"], ["/amount/amount as-before"]),
        ("envelope", "120", "GBP", [], ["/budget_lines missing"]),
        ("envelope", "120", "GBP", ["100"], ["/budget_lines sum"]),
        ("estimate", "60", "GBP", [], []),
        ("estimate", "100", "GBP", [], []),
        ("estimate", "80", "GBP", [], ["/amount/amount as-before"]),
        ("estimate", "100.01", "GBP", [], ["/amount/amount beyond-envelope"]),
        (
            "estimate",
            "0",
            "EUR",
            ["1"],
            ["/amount/currency currency", "/amount/amount amount-zero", "/budget_lines not-of-estimate"],
        ),
    ],
)
def test_what_is_proposed_is_something_else_that_has_room_for_what_is_committed(
    kind: str, amount: str, currency: str, lines: list[str], faults: list[str]
) -> None:
    def check() -> None:
        proposal_rules.check_proposal(
            ProposalKind(kind),
            Decimal(amount),
            currency,
            ROOM,
            [share(one) for one in lines],
            outcome_currency="GBP",
            has_lines=True,
        )

    if not faults:
        check()
        return
    with pytest.raises(ProposalInvalid) as caught:
        check()
    assert [f"{one.pointer} {one.code}" for one in caught.value.faults] == faults


@pytest.mark.parametrize(("kind", "fact"), [("envelope", EnvelopeExceeded), ("estimate", EstimateExceeded)])
def test_nothing_is_put_below_what_is_committed(kind: str, fact: type[Exception]) -> None:
    ROOM.check_holds(ProposalKind(kind), Decimal(40))
    with pytest.raises(fact):
        ROOM.check_holds(ProposalKind(kind), Decimal("39.99"))


@pytest.mark.parametrize("status", ProposalStatus)
def test_a_proposal_is_decided_once(status: ProposalStatus) -> None:
    if status is ProposalStatus.OPEN:
        proposal_rules.check_open(status)
    else:
        assert not PROPOSAL_NEXT[status]
        with pytest.raises(ProposalDecided):
            proposal_rules.check_open(status)

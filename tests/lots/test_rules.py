"""The rules of lots, exhaustively: every status against every verb, every limit at and beyond its edge."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procure.kit.errors import Conflict
from procure.lots import content, rules
from procure.lots.content import Offer
from procure.lots.errors import LotInvalid, LotNotClosed, LotNotOpen, LotStateWrong, NoticeMissing, WindowTooShort
from procure.lots.rules import NEXT, CriterionKind, LotStatus
from procure.organisations.rules import Nation
from procure.policy.rules import Band, Ceremony, Limits, Policy

S = LotStatus
CLOSES = datetime(2026, 12, 8, 12, tzinfo=UTC)
BEFORE, AFTER = CLOSES - timedelta(microseconds=1), CLOSES + timedelta(microseconds=1)
STORED = [status for status in S if status is not S.CLOSED]
LIMITS = Limits()

OFFER = Offer(
    title="Find out why changes wait",
    brief=" ".join(["word"] * 40),
    starts_on=date(2026, 12, 15),
    duration_days=28,
    ceiling=Decimal("12000.00"),
    currency="GBP",
    further_iterations=1,
    further_ceiling=Decimal("10000.00"),
    deliverables=[("A map", date(2026, 12, 29), ["Twenty changes are followed"])],
    criteria=[("How", CriterionKind.QUALITY, 70), ("Price", CriterionKind.PRICE, 30)],
    enquiries_close_at=CLOSES - timedelta(days=2),
    closes_at=CLOSES,
    validity_days=60,
)


def policy(band: Band = Band.SMALL, **ceremony: Any) -> Policy:
    return Policy(
        band=band,
        estimate_gross=Decimal("24000.00"),
        vat_rate=Decimal(20),
        nation=Nation.ENGLAND,
        terms_version="short-form-1",
        limits=LIMITS,
        ceremony=Ceremony(**({"window_working_days": 5} | ceremony)),
    )


def codes(offer: Offer) -> set[tuple[str, str]]:
    with pytest.raises(LotInvalid) as caught:
        content.check_content(offer, LIMITS)
    return {(fault.pointer, fault.code) for fault in caught.value.faults}


# --- statuses -------------------------------------------------------------------------------------------------------


def test_every_status_says_what_may_follow_it_and_closed_is_stored_nowhere() -> None:
    assert set(NEXT) == set(STORED)
    assert all(S.CLOSED not in following for following in NEXT.values())


@pytest.mark.parametrize("status", [S.CONTRACTED, S.UNSUCCESSFUL, S.CANCELLED])
def test_an_end_is_an_end(status: LotStatus) -> None:
    assert NEXT[status] == frozenset()


def test_until_signature_an_award_can_go_back_fail_or_be_cancelled() -> None:
    assert NEXT[S.AWARDED] == {S.CONTRACTED, S.EVALUATING, S.UNSUCCESSFUL, S.CANCELLED}


@pytest.mark.parametrize(("status", "now"), list(product(STORED, [BEFORE, CLOSES, AFTER])))
def test_a_published_lot_is_closed_from_its_closing_instant_on_and_no_other_is(
    status: LotStatus, now: datetime
) -> None:
    shown = rules.status_at(status, CLOSES, now)
    assert shown is (S.CLOSED if status is S.PUBLISHED and now >= CLOSES else status)


@pytest.mark.parametrize(("status", "now"), list(product(STORED, [BEFORE, CLOSES, AFTER])))
def test_bids_are_taken_only_while_published_and_strictly_before_closing(status: LotStatus, now: datetime) -> None:
    if status is S.PUBLISHED and now < CLOSES:
        rules.check_open(status, CLOSES, now)
    else:
        with pytest.raises(LotNotOpen):
            rules.check_open(status, CLOSES, now)


@pytest.mark.parametrize(("status", "now"), list(product(STORED, [BEFORE, CLOSES, AFTER])))
def test_a_lot_is_sealed_and_opened_only_once_and_never_before_it_closed(status: LotStatus, now: datetime) -> None:
    if status is S.PUBLISHED and now >= CLOSES:
        rules.check_closed(status, CLOSES, now)
    else:
        with pytest.raises(LotNotClosed if status is S.PUBLISHED else LotStateWrong):
            rules.check_closed(status, CLOSES, now)


@pytest.mark.parametrize("status", STORED)
def test_enquiries_are_taken_while_published_and_before_their_own_close(status: LotStatus) -> None:
    if status is S.PUBLISHED:
        rules.check_enquiries_open(status, CLOSES, BEFORE)
    else:
        with pytest.raises(LotNotOpen):
            rules.check_enquiries_open(status, CLOSES, BEFORE)
    with pytest.raises(LotNotOpen):
        rules.check_enquiries_open(status, CLOSES, CLOSES)


@pytest.mark.parametrize("status", STORED)
@pytest.mark.parametrize(
    ("check", "allowed"),
    [
        (rules.check_draft, {S.DRAFT}),
        (rules.check_cancellable, {S.DRAFT, S.PUBLISHED, S.EVALUATING, S.AWARDED}),
    ],
)
def test_every_status_against_the_verbs_without_a_clock(status: LotStatus, check: Any, allowed: set[LotStatus]) -> None:
    if status in allowed:
        check(status)
    else:
        with pytest.raises(Conflict):
            check(status)


@pytest.mark.parametrize(("status", "needed"), list(product(STORED, STORED)))
def test_a_step_runs_only_in_the_state_that_it_needs(status: LotStatus, needed: LotStatus) -> None:
    if status is needed:
        rules.check_status(status, needed)
    else:
        with pytest.raises(LotStateWrong):
            rules.check_status(status, needed)


# --- content --------------------------------------------------------------------------------------------------------


def test_the_offer_of_these_tests_is_valid() -> None:
    content.check_content(OFFER, LIMITS)


@pytest.mark.parametrize(
    ("at_the_edge", "beyond", "fault"),
    [
        ({"duration_days": 84}, {"duration_days": 85}, ("/duration_days", "time-box-too-long")),
        ({"ceiling": Decimal(170000)}, {"ceiling": Decimal("170000.01")}, ("/ceiling/amount", "ceiling-too-high")),
        ({"ceiling": Decimal("0.01")}, {"ceiling": Decimal(0)}, ("/ceiling/amount", "ceiling-zero")),
        (
            {"further_ceiling": Decimal(170000)},
            {"further_ceiling": Decimal("170000.01")},
            ("/further_iterations/ceiling/amount", "ceiling-too-high"),
        ),
        ({"further_iterations": 3}, {"further_iterations": 4}, ("/further_iterations/count", "too-many-iterations")),
        ({}, {"further_iterations": 0}, ("/further_iterations", "iterations-and-ceiling")),
        ({"title": "ten letter"}, {"title": "nine lett"}, ("/title", "vague")),
        ({"brief": "word " * 20}, {"brief": "word " * 19}, ("/brief", "vague")),
        ({"brief": "word " * 1500}, {"brief": "word " * 1501}, ("/brief", "brief-too-long")),
        ({"validity_days": 60}, {"validity_days": 59}, ("/validity_days", "validity-too-short")),
        ({"starts_on": date(2026, 12, 9)}, {"starts_on": date(2026, 12, 8)}, ("/starts_on", "starts-before-close")),
        (
            {"enquiries_close_at": CLOSES},
            {"enquiries_close_at": AFTER},
            ("/enquiries_close_at", "enquiries-after-close"),
        ),
        ({"currency": "GBP"}, {"currency": "EUR"}, ("/ceiling/currency", "currency")),
        (
            {"deliverables": list(OFFER.deliverables) * 8},
            {"deliverables": list(OFFER.deliverables) * 9},
            ("/deliverables", "too-many-deliverables"),
        ),
        (
            {"deliverables": [("A", date(2027, 1, 12), ["It is done well"])]},
            {"deliverables": [("A", date(2027, 1, 13), ["It is done well"])]},
            ("/deliverables/0/due_on", "outside-time-box"),
        ),
        (
            {"deliverables": [("A", date(2026, 12, 29), ["It works now"])]},
            {"deliverables": [("A", date(2026, 12, 29), ["It works"])]},
            ("/deliverables/0/acceptance_criteria/0", "vague"),
        ),
        ({}, {"criteria": [("How", CriterionKind.QUALITY, 99)]}, ("/criteria", "weights")),
        ({}, {"criteria": [("Price", CriterionKind.PRICE, 100)]}, ("/criteria", "no-quality")),
        (
            {},
            {"criteria": [*OFFER.criteria[:1], ("P", CriterionKind.PRICE, 15), ("Q", CriterionKind.PRICE, 15)]},
            ("/criteria", "prices"),
        ),
        (
            {},
            {"criteria": [("A", CriterionKind.QUALITY, 50), ("A", CriterionKind.QUALITY, 50)]},
            ("/criteria", "repeated"),
        ),
    ],
)
def test_each_limit_holds_at_its_edge_and_refuses_beyond_it(
    at_the_edge: dict[str, Any], beyond: dict[str, Any], fault: tuple[str, str]
) -> None:
    content.check_content(replace(OFFER, **at_the_edge), LIMITS)
    assert codes(replace(OFFER, **beyond)) == {fault}


def test_a_long_big_and_vague_lot_is_told_all_of_it_at_once() -> None:
    bad = replace(
        OFFER, duration_days=400, ceiling=Decimal(10**6), brief="Do it", title="x", criteria=OFFER.criteria[:1]
    )
    assert codes(bad) == {
        ("/duration_days", "time-box-too-long"),
        ("/ceiling/amount", "ceiling-too-high"),
        ("/brief", "vague"),
        ("/title", "vague"),
        ("/criteria", "weights"),
    }


@given(
    ceiling=st.decimals("0.01", "170000", places=2),
    count=st.integers(0, 3),
    further=st.decimals("0.01", "170000", places=2),
)
def test_the_estimate_is_the_most_the_lot_could_come_to(ceiling: Decimal, count: int, further: Decimal) -> None:
    offer = replace(OFFER, ceiling=ceiling, further_iterations=count, further_ceiling=further)
    assert offer.estimate == ceiling + sum([further] * count)


# --- publication ----------------------------------------------------------------------------------------------------


def publishable(
    chosen: Policy, *, closes_at: datetime = CLOSES, notice_at: datetime | None = None, now: datetime
) -> None:
    rules.check_publishable(
        chosen, closes_at=closes_at, enquiries_close_at=closes_at - timedelta(hours=1), notice_at=notice_at, now=now
    )


def test_a_small_lot_is_open_for_five_whole_working_days() -> None:
    published = datetime(2026, 11, 27, 16, tzinfo=UTC)  # a Friday
    end_of_the_fifth = datetime(2026, 12, 5, 0, tzinfo=UTC)  # the midnight that ends the Friday after
    publishable(policy(), closes_at=end_of_the_fifth, now=published)
    with pytest.raises(WindowTooShort):
        publishable(policy(), closes_at=end_of_the_fifth - timedelta(microseconds=1), now=published)


def test_a_bank_holiday_lengthens_the_window() -> None:
    published = datetime(2026, 12, 23, 9, tzinfo=UTC)  # 25 and 28 December 2026 are bank holidays in England
    with pytest.raises(WindowTooShort):
        publishable(policy(), closes_at=datetime(2027, 1, 1, 0, tzinfo=UTC), now=published)
    publishable(policy(), closes_at=datetime(2027, 1, 5, 0, tzinfo=UTC), now=published)


def test_a_covered_lot_is_open_for_twenty_five_days_from_its_notice() -> None:
    covered = policy(Band.COVERED, window_working_days=0, window_days=25, notice_required=True)
    notice = datetime(2026, 11, 3, 9, tzinfo=UTC)
    publishable(covered, closes_at=datetime(2026, 11, 29, 0, tzinfo=UTC), notice_at=notice, now=notice)
    with pytest.raises(WindowTooShort):
        publishable(covered, closes_at=datetime(2026, 11, 28, 23, tzinfo=UTC), notice_at=notice, now=notice)


def test_where_the_band_asks_for_a_notice_nothing_opens_without_it() -> None:
    notifiable = policy(Band.NOTIFIABLE, notice_required=True)
    with pytest.raises(NoticeMissing):
        publishable(notifiable, now=CLOSES - timedelta(days=14))
    publishable(notifiable, notice_at=CLOSES - timedelta(days=15), now=CLOSES - timedelta(days=14))


def test_a_window_runs_from_publication_when_that_is_later_than_the_notice() -> None:
    notifiable = policy(Band.NOTIFIABLE, notice_required=True)
    with pytest.raises(WindowTooShort):
        publishable(notifiable, notice_at=CLOSES - timedelta(days=30), now=CLOSES - timedelta(days=2))


def test_nobody_publishes_a_lot_about_which_nobody_could_ask() -> None:
    with pytest.raises(WindowTooShort):
        rules.check_publishable(
            policy(),
            closes_at=CLOSES,
            enquiries_close_at=CLOSES - timedelta(days=30),
            notice_at=None,
            now=CLOSES - timedelta(days=20),
        )


def test_a_notice_that_is_recorded_has_been_published() -> None:
    rules.check_notice(CLOSES, CLOSES)
    with pytest.raises(LotInvalid):
        rules.check_notice(AFTER, CLOSES)

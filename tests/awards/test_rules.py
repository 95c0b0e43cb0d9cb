"""The rules of awards: every status by every verb, the order of the ranking, the standstill by band."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procure.awards import rules
from procure.awards.errors import (
    AwardInvalid,
    AwardNotApproved,
    AwardNotRecommended,
    AwardPending,
    BidLapsed,
    EvaluationOpen,
    NotNextInRank,
)
from procure.awards.rules import AwardStatus
from procure.bids.rules import BidStatus
from procure.kit.errors import Fact
from procure.organisations.rules import Nation
from procure.policy.rules import Band, Ceremony, Limits, Policy

NOW = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)
ALLOWED: dict[AwardStatus, set[AwardStatus]] = {
    AwardStatus.RECOMMENDED: {AwardStatus.APPROVED, AwardStatus.REFUSED},
    AwardStatus.APPROVED: {AwardStatus.WITHDRAWN},
    AwardStatus.REFUSED: set(),
    AwardStatus.WITHDRAWN: set(),
}


def policy(ceremony: Ceremony) -> Policy:
    return Policy(
        band=Band.SMALL,
        estimate_gross=Decimal("28800.00"),
        vat_rate=Decimal("20.00"),
        nation=Nation.ENGLAND,
        terms_version="2026-1",
        limits=Limits(),
        ceremony=ceremony,
    )


SMALL = policy(Ceremony())
NOTIFIABLE = policy(Ceremony(notice_required=True))
COVERED = policy(Ceremony(notice_required=True, standstill_working_days=8))


def raised(act: Callable[..., None], *arguments: object, **named: object) -> type[Fact] | None:
    try:
        act(*arguments, **named)
    except Fact as fact:
        return type(fact)
    return None


def test_an_award_is_approved_or_refused_once_and_withdrawn_only_when_approved() -> None:
    assert {status: set(following) for status, following in rules.NEXT.items()} == ALLOWED
    assert set(rules.NEXT) == set(AwardStatus)


@pytest.mark.parametrize("status", AwardStatus)
def test_every_verb_asks_for_its_status(status: AwardStatus) -> None:
    decided = None if status is AwardStatus.RECOMMENDED else AwardNotRecommended
    stands = None if status is AwardStatus.APPROVED else AwardNotApproved
    live = AwardPending if status in (AwardStatus.RECOMMENDED, AwardStatus.APPROVED) else None
    assert raised(rules.check_recommended, status) is decided
    assert raised(rules.check_approved, status) is stands
    assert raised(rules.check_none_live, [AwardStatus.REFUSED, status]) is live


def test_what_was_approved_once_is_public() -> None:
    assert {AwardStatus.APPROVED, AwardStatus.WITHDRAWN} == rules.PUBLIC
    assert raised(rules.check_none_live, []) is None


@pytest.mark.parametrize("status", BidStatus)
def test_a_lapsed_bid_alone_is_not_valid(status: BidStatus) -> None:
    assert raised(rules.check_valid, status) is (BidLapsed if status is BidStatus.LAPSED else None)


def test_a_ranking_comes_before_a_recommendation() -> None:
    assert raised(rules.check_concluded, is_concluded=True) is None
    assert raised(rules.check_concluded, is_concluded=False) is EvaluationOpen


FIRST, SECOND, THIRD = RANKING = [uuid4(), uuid4(), uuid4()]
REFUSED, WITHDRAWN = AwardStatus.REFUSED, AwardStatus.WITHDRAWN


@pytest.mark.parametrize(
    ("before", "allowed"),
    [
        ([], {FIRST}),
        ([(FIRST, REFUSED)], {FIRST, SECOND}),
        ([(FIRST, WITHDRAWN)], {SECOND}),
        ([(FIRST, REFUSED), (FIRST, WITHDRAWN)], {SECOND}),
        ([(SECOND, REFUSED)], {FIRST}),
        ([(FIRST, WITHDRAWN), (SECOND, REFUSED)], {SECOND, THIRD}),
        ([(FIRST, WITHDRAWN), (SECOND, WITHDRAWN)], {THIRD}),
        ([(FIRST, WITHDRAWN), (SECOND, WITHDRAWN), (THIRD, WITHDRAWN)], set()),
    ],
)
def test_the_best_bid_comes_first_and_each_lower_one_after_those_above_it(
    before: list[tuple[UUID, AwardStatus]], allowed: set[UUID]
) -> None:
    for bid_id in RANKING:
        expected = None if bid_id in allowed else NotNextInRank
        assert raised(rules.check_next_in_rank, bid_id, RANKING, before) is expected
    assert raised(rules.check_next_in_rank, uuid4(), RANKING, before) is AwardInvalid


@given(st.lists(st.sampled_from([REFUSED, WITHDRAWN]), max_size=5))
def test_a_bid_is_never_recommended_over_a_better_one_that_had_no_award(ends: list[AwardStatus]) -> None:
    ranking = [uuid4() for _ in range(6)]
    before = list(zip(ranking, ends, strict=False))
    for place, bid_id in enumerate(ranking):
        if place > len(ends):
            assert raised(rules.check_next_in_rank, bid_id, ranking, before) is NotNextInRank


def test_the_standstill_is_over_at_once_or_runs_from_the_notice() -> None:
    notice_at = NOW + timedelta(days=1)
    assert rules.standstill_end(SMALL, NOW, None) == NOW
    assert rules.standstill_end(SMALL, NOW, notice_at) == NOW
    for band in (NOTIFIABLE, COVERED):
        assert rules.standstill_end(band, NOW, None) is None
    assert rules.standstill_end(NOTIFIABLE, NOW, notice_at) == notice_at
    # Wednesday 25 November is the first of eight working days: midnight after Friday 4 December.
    assert rules.standstill_end(COVERED, NOW, notice_at) == datetime(2026, 12, 5, tzinfo=UTC)


@pytest.mark.parametrize(("band", "needed"), [(SMALL, False), (NOTIFIABLE, True), (COVERED, True)])
def test_which_bands_wait_for_a_notice(band: Policy, needed: bool) -> None:
    assert rules.is_notice_needed(band) is needed


@pytest.mark.parametrize(
    ("published_at", "codes"),
    [
        (NOW, []),
        (NOW.replace(microsecond=0), []),  # told in whole seconds
        (NOW.replace(microsecond=0) - timedelta(microseconds=1), ["before-approval"]),
        (NOW + timedelta(minutes=1), []),
        (NOW + timedelta(minutes=1, microseconds=1), ["in-future"]),
    ],
)
def test_a_notice_lies_between_approval_and_now(published_at: datetime, codes: list[str]) -> None:
    try:
        rules.check_notice(published_at, NOW, NOW + timedelta(minutes=1))
        found: list[str] = []
    except AwardInvalid as fact:
        found = [fault.code for fault in fact.faults]
    assert found == codes

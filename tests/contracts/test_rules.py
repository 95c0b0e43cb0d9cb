"""The rules of contracts: every status by every verb, boundaries, rework, verdicts, commitments and moved calendars."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procure.contracts import rules
from procure.contracts.deliverables import rules as deliverable_rules
from procure.contracts.deliverables.errors import DeliverableStateWrong, ReworkSpent, VerdictInvalid
from procure.contracts.endings import rules as ending_rules
from procure.contracts.endings.errors import (
    CompletionInvalid,
    DeliverablesOpen,
    NotAtBoundary,
    RetrospectiveClosed,
)
from procure.contracts.endings.rules import Report, Work
from procure.contracts.errors import (
    AwardNoticeMissing,
    ContractLapsed,
    ContractStateWrong,
    DigestMismatch,
    OtherSideNeeded,
    SideSigned,
    StandstillRunning,
)
from procure.contracts.iterations import rules as iteration_rules
from procure.contracts.iterations.errors import (
    IterationInvalid,
    IterationLeft,
    IterationTaken,
    NextStepOther,
    NoIterationLeft,
)
from procure.contracts.iterations.rules import Agreed
from procure.contracts.rules import ContractStatus, DeliverableStatus, NextStep, Side, Signed
from procure.kit.errors import Fact, Invalid
from procure.organisations.rules import Nation
from procure.policy.rules import Band, Ceremony, Limits, Policy
from procure.policy.working_days import ZONE, local_day

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = date(2026, 11, 24)
SMALLEST = timedelta(microseconds=1)


def raised(act: Callable[..., object], *arguments: object, **named: object) -> type[Fact] | None:
    try:
        act(*arguments, **named)
    except Fact as fact:
        return type(fact)
    return None


def codes(act: Callable[..., None], *arguments: object) -> set[tuple[str, str]]:
    """(pointer, code) of every fault."""
    try:
        act(*arguments)
    except Invalid as fact:
        return {(fault.pointer, fault.code) for fault in fact.faults}
    return set()


# Statuses.


def test_something_is_put_down_to_a_contract_from_its_second_signature_on() -> None:
    assert raised(rules.check_was_signed, None) is ContractStateWrong
    assert raised(rules.check_was_signed, NOW) is None


def test_what_may_follow_what() -> None:
    assert {status: set(following) for status, following in rules.NEXT.items()} == {
        ContractStatus.PENDING: {ContractStatus.ACTIVE, ContractStatus.TERMINATED},
        ContractStatus.ACTIVE: {ContractStatus.COMPLETED, ContractStatus.TERMINATED},
        ContractStatus.COMPLETED: set(),
        ContractStatus.TERMINATED: set(),
    }
    every = set(DeliverableStatus)
    ends = {DeliverableStatus.ACCEPTED, DeliverableStatus.CANCELLED}
    assert set(rules.DELIVERABLE_NEXT) == every
    assert {one for one, following in rules.DELIVERABLE_NEXT.items() if not following} == ends


@pytest.mark.parametrize("status", ContractStatus)
def test_only_an_unsigned_contract_lapses(status: ContractStatus) -> None:
    for at, stands in product((NOW - SMALLEST, NOW, NOW + SMALLEST), (True, False)):
        lapsed = status is ContractStatus.PENDING and (at >= NOW or not stands)
        expected = ContractStatus.LAPSED if lapsed else status
        assert rules.status_at(status, NOW, at, stands=stands) is expected


@pytest.mark.parametrize("status", ContractStatus)
def test_each_contract_verb_asks_for_its_statuses(status: ContractStatus) -> None:
    for needed in product(ContractStatus, ContractStatus):
        expected = None if status in needed else ContractStateWrong
        assert raised(rules.check_status, status, *needed) is expected
    signable = None if status is ContractStatus.PENDING else ContractStateWrong
    assert raised(rules.check_signable, status, NOW, NOW - SMALLEST) is signable


def test_a_contract_is_signed_between_standstill_and_signing_date() -> None:
    assert raised(rules.check_signable, ContractStatus.PENDING, NOW, NOW) is ContractLapsed
    for sign_from, corrected in ((NOW, None), (NOW, NOW), (NOW - SMALLEST, NOW), (NOW, NOW - SMALLEST)):
        with pytest.raises(StandstillRunning):
            rules.check_standstill(sign_from, corrected, NOW - SMALLEST)
        rules.check_standstill(sign_from, corrected, NOW)
    assert raised(rules.known_standstill, None) is AwardNoticeMissing
    assert rules.known_standstill(NOW) == NOW


@pytest.mark.parametrize(("side", "needed"), list(product(Side, Side)))
def test_each_side_does_its_own(side: Side, needed: Side) -> None:
    assert raised(rules.check_side, side, needed) is (None if side is needed else OtherSideNeeded)


@pytest.mark.parametrize(("side", "signed"), list(product(Side, [set(), {Side.BUYER}, {Side.SUPPLIER}, set(Side)])))
def test_each_side_signs_once_what_it_has_read(side: Side, signed: set[Side]) -> None:
    expected = SideSigned if side in signed else None
    assert raised(rules.check_signature, side, signed, b"read", b"read") is expected
    assert raised(rules.check_signature, side, signed, b"other", b"read") is (expected or DigestMismatch)


@pytest.mark.parametrize(("late", "days"), [(-30, 0), (0, 0), (1, 1), (40, 40)])
def test_work_that_can_not_start_before_signing_moves_whole(late: int, days: int) -> None:
    assert rules.delay_days(TODAY, TODAY + timedelta(days=late)) == days


# Deliverables.


@pytest.mark.parametrize("status", DeliverableStatus)
def test_a_deliverable_is_handed_in_first_or_after_a_rejection_while_rework_is_left(status: DeliverableStatus) -> None:
    for rounds, most in product(range(5), range(3)):
        if status not in (DeliverableStatus.PLANNED, DeliverableStatus.REJECTED):
            expected: type[Fact] | None = DeliverableStateWrong
        elif status is DeliverableStatus.REJECTED and rounds > most:
            expected = ReworkSpent
        else:
            expected = None
        assert raised(deliverable_rules.check_submittable, status, rounds, most) is expected


def test_two_rounds_of_rework_are_three_submissions() -> None:
    spent = [rules.is_rework_spent(DeliverableStatus.REJECTED, rounds, 2) for rounds in (1, 2, 3)]
    assert spent == [False, False, True]


@pytest.mark.parametrize("status", DeliverableStatus)
def test_only_what_was_handed_in_gets_a_verdict(status: DeliverableStatus) -> None:
    expected = None if status is DeliverableStatus.SUBMITTED else DeliverableStateWrong
    assert raised(deliverable_rules.check_decidable, status) is expected


@pytest.mark.parametrize(
    ("verdicts", "found"),
    [
        ([(0, True, None), (1, True, None)], set()),
        ([(1, False, "Missing."), (0, True, None)], set()),
        ([(0, True, None)], {("/verdicts", "missing")}),
        ([(0, True, None), (1, True, None), (1, True, None)], {("/verdicts", "repeated")}),
        ([(0, True, None), (1, False, None)], {("/verdicts/1/reason", "required")}),
        ([(0, True, None), (1, False, "")], {("/verdicts/1/reason", "required")}),
        ([(0, True, None), (1, True, None), (2, True, None)], {("/verdicts/2/criterion", "unknown")}),
        ([], {("/verdicts", "missing")}),
    ],
)
def test_a_verdict_answers_each_criterion_once_and_says_why_not(
    verdicts: list[tuple[int, bool, str | None]], found: set[tuple[str, str]]
) -> None:
    assert codes(deliverable_rules.check_verdicts, verdicts, 2) == found
    assert raised(deliverable_rules.check_verdicts, verdicts, 2) is (VerdictInvalid if found else None)


@given(st.lists(st.booleans(), min_size=1, max_size=10))
def test_accepted_means_every_criterion_is_met(met: list[bool]) -> None:
    assert deliverable_rules.is_accepted([(place, one, None) for place, one in enumerate(met)]) is (False not in met)


# Ends.


@pytest.mark.parametrize("status", DeliverableStatus)
def test_a_buyer_ends_only_at_a_boundary(status: DeliverableStatus) -> None:
    for rounds, due in product(range(5), (TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=1))):
        at_boundary = (
            status is DeliverableStatus.ACCEPTED or (status is DeliverableStatus.REJECTED and rounds > 2) or due < TODAY
        )
        calm = Work(status=DeliverableStatus.PLANNED, rounds=0, due_on=TODAY)
        works = [calm, Work(status=status, rounds=rounds, due_on=due)]
        assert raised(ending_rules.check_boundary, works, 2, TODAY) is (None if at_boundary else NotAtBoundary)


@pytest.mark.parametrize(("first", "second"), list(product(DeliverableStatus, DeliverableStatus)))
def test_a_contract_is_completed_once_everything_is_settled(
    first: DeliverableStatus, second: DeliverableStatus
) -> None:
    settled = {first, second} <= {DeliverableStatus.ACCEPTED, DeliverableStatus.CANCELLED}
    assert raised(ending_rules.check_settled, [first, second]) is (None if settled else DeliverablesOpen)


ONE, OTHER = uuid4(), uuid4()
TOMORROW = TODAY + timedelta(days=1)


def seen(measure: object = ONE, on: date = TODAY) -> Report:
    return Report(measure_id=measure, observed_on=on, owed_on=None)  # type: ignore[arg-type]


def owed(measure: object = OTHER, on: date = TOMORROW) -> Report:
    return Report(measure_id=measure, observed_on=None, owed_on=on)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reports", "found"),
    [
        ([seen(), owed()], set()),
        ([seen(), seen(OTHER)], set()),
        ([seen()], {("/measures", "missing")}),
        ([seen(), owed(), owed()], {("/measures", "repeated")}),
        ([seen(), owed(), seen(uuid4())], {("/measures/2/measure_id", "unknown")}),
        ([seen(on=TOMORROW), owed()], {("/measures/0/observation/observed_on", "in-future")}),
        ([seen(), owed(on=TODAY)], {("/measures/1/owed_on", "in-past")}),
        (
            [seen(), Report(measure_id=OTHER, observed_on=None, owed_on=None)],
            {("/measures/1", "observed-or-owed")},
        ),
        (
            [seen(), Report(measure_id=OTHER, observed_on=TODAY, owed_on=TOMORROW)],
            {("/measures/1", "observed-or-owed")},
        ),
    ],
)
def test_a_completion_tells_of_each_measure_once(reports: list[Report], found: set[tuple[str, str]]) -> None:
    assert codes(ending_rules.check_reports, [ONE, OTHER], reports, TODAY) == found
    assert raised(ending_rules.check_reports, [ONE, OTHER], reports, TODAY) is (CompletionInvalid if found else None)


@pytest.mark.parametrize(("status", "given_"), list(product(ContractStatus, (True, False))))
def test_after_the_end_a_retrospective_is_given_once(status: ContractStatus, given_: bool) -> None:
    expected = RetrospectiveClosed if given_ and status is not ContractStatus.ACTIVE else None
    assert raised(ending_rules.check_retrospective, status, given=given_) is expected


# Commitments.


def signed(
    number: int, status: ContractStatus, value: str, accepted: str = "0.00", next_step: NextStep | None = None
) -> Signed:
    return Signed(number=number, status=status, value=Decimal(value), accepted=Decimal(accepted), next_step=next_step)


ACTIVE, COMPLETED, TERMINATED = ContractStatus.ACTIVE, ContractStatus.COMPLETED, ContractStatus.TERMINATED


@pytest.mark.parametrize(
    ("contracts", "committed"),
    [
        ([signed(1, ACTIVE, "12000.00", "5000.00")], "32000.00"),
        ([signed(1, COMPLETED, "12000.00", "12000.00", NextStep.CONTINUE)], "32000.00"),
        ([signed(1, COMPLETED, "12000.00", "12000.00", NextStep.PIVOT)], "12000.00"),
        ([signed(1, COMPLETED, "12000.00", "12000.00", NextStep.STOP)], "12000.00"),
        ([signed(1, TERMINATED, "12000.00", "5000.01")], "5000.01"),
        (
            [signed(1, COMPLETED, "12000.00", "12000.00", NextStep.CONTINUE), signed(2, ACTIVE, "9500.00")],
            "31500.00",
        ),
        (
            [
                signed(3, COMPLETED, "9000.00", "9000.00", NextStep.CONTINUE),
                signed(2, COMPLETED, "9500.00", "9500.00", NextStep.CONTINUE),
                signed(1, COMPLETED, "12000.00", "12000.00", NextStep.CONTINUE),
            ],
            "30500.00",
        ),
    ],
)
def test_a_lot_commits_what_runs_what_was_accepted_and_what_is_still_open(
    contracts: list[Signed], committed: str
) -> None:
    assert rules.commitment(contracts, 2, Decimal("10000.00")) == Decimal(committed)


@given(
    further=st.integers(0, 3),
    ceiling=st.decimals("1.00", "100000.00", places=2),
    shares=st.lists(st.decimals("0.01", "1.00", places=2), min_size=1, max_size=4),
)
def test_going_on_never_commits_more_than_the_lot_did_when_it_was_published(
    further: int, ceiling: Decimal, shares: list[Decimal]
) -> None:
    estimate, contracts = ceiling + further * ceiling, []
    before = estimate
    for number, share in enumerate(shares[: further + 1], start=1):
        value = max((ceiling * share).quantize(Decimal("0.01")), Decimal("0.01"))
        contracts.append(signed(number, ACTIVE, f"{value}"))
        running = rules.commitment(contracts, further, ceiling)
        assert running <= before
        contracts[-1] = signed(number, COMPLETED, f"{value}", f"{value}", NextStep.CONTINUE)
        assert rules.commitment(contracts, further, ceiling) == running
        before = running


# Going on.


@pytest.mark.parametrize("next_step", [None, *NextStep])
def test_an_iteration_is_taken_up_as_long_as_one_is_left(next_step: NextStep | None) -> None:
    for number, further in product(range(1, 5), range(4)):
        goes_on = next_step is NextStep.CONTINUE
        left = number - 1 < further
        expected = None if goes_on and left else NoIterationLeft if goes_on else NextStepOther
        assert raised(iteration_rules.check_continuable, next_step, number, further) is expected
        if goes_on:
            next_lot: type[Fact] | None = IterationLeft if left else None
        else:
            next_lot = None if next_step is NextStep.PIVOT else NextStepOther
        assert raised(iteration_rules.check_next_lot, next_step, number, further) is next_lot


@pytest.mark.parametrize(("before", "after"), list(product([None, *NextStep], NextStep)))
def test_a_decision_is_changed_only_to_let_go_and_never_back(before: NextStep | None, after: NextStep) -> None:
    continues, pivots, stops = NextStep.CONTINUE, NextStep.PIVOT, NextStep.STOP
    lets_go = (before, after) in {(continues, pivots), (continues, stops), (pivots, stops)}
    assert raised(iteration_rules.check_lets_go, before, after) is (None if lets_go else NextStepOther)


@pytest.mark.parametrize("status", [*rules.NEXT])
def test_a_contract_gives_way_only_while_nobody_relies_on_it(status: ContractStatus) -> None:
    for signatures, lapsed in product(range(3), (True, False)):
        gives_way = status is ContractStatus.PENDING and (signatures == 0 or lapsed)
        expected = None if gives_way else IterationTaken
        act = iteration_rules.check_not_taken
        assert raised(act, status, signatures=signatures, has_lapsed=lapsed) is expected


def agreed(**changes: object) -> Agreed:
    values: dict[str, object] = {
        "starts_on": TODAY,
        "duration_days": 28,
        "deliverables": [(TODAY + timedelta(days=28), ["Thirty changes went through"], Decimal("10000.00"), "GBP")],
    }
    return Agreed(**(values | changes))  # type: ignore[arg-type]


def deliverable(
    due: date = TODAY, criterion: str = "Thirty changes went through", price: str = "1.00", currency: str = "GBP"
) -> tuple[date, list[str], Decimal, str]:
    return due, [criterion], Decimal(price), currency


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, set()),
        (
            {"starts_on": TODAY - timedelta(days=1)},
            {("/starts_on", "in-past"), ("/deliverables/0/due_on", "outside-time-box")},
        ),
        ({"duration_days": 84}, set()),
        ({"duration_days": 85}, {("/duration_days", "time-box-too-long")}),
        ({"deliverables": [deliverable()] * 8}, set()),
        ({"deliverables": [deliverable()] * 9}, {("/deliverables", "too-many-deliverables")}),
        ({"deliverables": [deliverable(price="10000.01")]}, {("/deliverables", "further-ceiling")}),
        ({"deliverables": [deliverable(price="5000.00")] * 3}, {("/deliverables", "further-ceiling")}),
        ({"deliverables": [deliverable(price="0.00")]}, {("/deliverables/0/price/amount", "price-zero")}),
        ({"deliverables": [deliverable(currency="EUR")]}, {("/deliverables/0/price/currency", "currency")}),
        (
            {"deliverables": [deliverable(due=TODAY + timedelta(days=29))]},
            {("/deliverables/0/due_on", "outside-time-box")},
        ),
        (
            {"deliverables": [deliverable(criterion="It works")]},
            {("/deliverables/0/acceptance_criteria/0", "vague")},
        ),
    ],
)
def test_an_iteration_stays_inside_what_was_announced(changes: dict[str, object], found: set[tuple[str, str]]) -> None:
    arguments = (agreed(**changes), Limits(), Decimal("10000.00"), "GBP", TODAY)
    assert codes(iteration_rules.check_agreed, *arguments) == found
    assert raised(iteration_rules.check_agreed, *arguments) is (IterationInvalid if found else None)


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


instants = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(
    now=instants,
    closes_at=instants,
    enquiry_days=st.integers(0, 60),
    ceremony=st.sampled_from([Ceremony(window_working_days=5), Ceremony(window_days=25)]),
)
def test_the_next_lots_calendar_can_be_published_within_a_week_of_editing(
    now: datetime, closes_at: datetime, enquiry_days: int, ceremony: Ceremony
) -> None:
    enquiries_close_at = closes_at - timedelta(days=enquiry_days)
    days = iteration_rules.move_days(policy(ceremony), enquiries_close_at, closes_at, now)
    moved = iteration_rules.moved(closes_at, days)
    published_at = now + timedelta(days=iteration_rules.EDITING_DAYS)
    assert moved >= policy(ceremony).earliest_close(published_at)
    assert iteration_rules.moved(enquiries_close_at, days) > published_at
    assert moved.time() == closes_at.astimezone(ZONE).time()
    assert local_day(moved) - local_day(closes_at) == timedelta(days=days)

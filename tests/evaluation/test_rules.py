"""The rules of opening and evaluation, exhaustively: every status of a lot and every state of a member by every verb."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest

from procure.evaluation import rules
from procure.evaluation.errors import (
    AlreadyConcluded,
    AlreadyLocked,
    ConsensusIncomplete,
    DeclarationFinal,
    InterestsNotDeclared,
    LotNotSealed,
    MemberRecused,
    NotChair,
    NotOnPanel,
    OpenedByWorker,
    PanelClosed,
    PanelInsufficient,
    PanelInvalid,
    RootMismatch,
    ScoresIncomplete,
    ScoresInvalid,
    ScoresNotLocked,
)
from procure.evaluation.rules import APPROVAL_HOLDS, Seat
from procure.kit.errors import Fact
from procure.lots.errors import LotStateWrong
from procure.lots.rules import LotStatus
from procure.policy.rules import Limits

LIMITS = Limits()
NOW = datetime(2026, 12, 8, 12, tzinfo=UTC)
A, B, C, D = (UUID(int=number) for number in range(1, 5))
ROOT = bytes(32)
STORED = [status for status in LotStatus if status is not LotStatus.CLOSED]


def seat(person_id: UUID, discipline: str, **more: bool) -> Seat:
    return Seat(person_id=person_id, discipline=discipline, **more)


def ready(one: Seat) -> Seat:
    return replace(one, has_declared=True, has_locked=True)


CHAIR, OTHER = seat(A, "service design", is_chair=True), seat(B, "engineering")
LOCKED = [ready(CHAIR), ready(OTHER)]


def fact_of(call: Callable[[], object]) -> type[Fact] | None:
    try:
        call()
    except Fact as fact:
        return type(fact)
    return None


def codes(call: Callable[[], object], fact: type[Fact]) -> set[tuple[str, str]]:
    with pytest.raises(fact) as caught:
        call()
    return {(fault.pointer, fault.code) for fault in caught.value.faults}


# --- opening --------------------------------------------------------------------------------------------------------


def test_who_opens_follows_the_band() -> None:
    with pytest.raises(OpenedByWorker):
        rules.check_opened_by_approvers(0)
    rules.check_opened_by_approvers(1)
    rules.check_opened_by_approvers(2)


def test_an_approval_names_the_root_of_the_published_seal() -> None:
    rules.check_root(ROOT, ROOT)
    with pytest.raises(RootMismatch):
        rules.check_root(ROOT, bytes(31) + b"\x01")
    with pytest.raises(LotNotSealed):
        rules.check_root(ROOT, None)


def test_two_persons_within_15_minutes_open_and_one_person_twice_counts_once() -> None:
    minute = timedelta(minutes=1)
    assert rules.openers_at([], NOW) == []
    assert rules.openers_at([(A, NOW - minute), (A, NOW)], NOW) == [A]
    assert rules.openers_at([(B, NOW), (A, NOW - minute), (B, NOW - 2 * minute)], NOW) == [B, A]


@pytest.mark.parametrize(
    ("ago", "holds"),
    [
        (timedelta(0), True),
        (APPROVAL_HOLDS, True),
        (APPROVAL_HOLDS + timedelta(microseconds=1), False),
        (timedelta(days=1), False),
    ],
)
def test_an_approval_lapses_after_15_minutes(ago: timedelta, holds: bool) -> None:
    assert timedelta(minutes=15) == APPROVAL_HOLDS
    assert rules.openers_at([(A, NOW - ago)], NOW) == ([A] if holds else [])


# --- panel ----------------------------------------------------------------------------------------------------------


def check_panel(
    *wanted: Seat, before: tuple[Seat, ...] = (), evaluators: frozenset[UUID] = frozenset({A, B, C})
) -> None:
    rules.check_panel(wanted, before, evaluators, LIMITS)


def test_two_persons_of_two_disciplines_with_one_chair_are_a_panel() -> None:
    check_panel(CHAIR, OTHER)
    check_panel(CHAIR, OTHER, seat(C, "engineering"))


def test_a_panel_that_contradicts_the_policy_hears_every_fault_at_once() -> None:
    def wrong() -> None:
        check_panel(seat(D, "design"), seat(D, "Design"))

    assert codes(wrong, PanelInvalid) == {
        ("/members/0/person_id", "not-an-evaluator"),
        ("/members/1/person_id", "not-an-evaluator"),
        ("/members/1/person_id", "repeated"),
        ("/members", "too-few-persons"),
        ("/members", "too-few-disciplines"),
        ("/members", "chair"),
    }


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ([CHAIR], "too-few-persons"),
        ([CHAIR, seat(B, "Service Design")], "too-few-disciplines"),
        ([seat(A, "service design"), OTHER], "chair"),
        ([CHAIR, replace(OTHER, is_chair=True)], "chair"),
    ],
)
def test_each_lack_of_a_panel_has_its_code(wanted: list[Seat], code: str) -> None:
    assert ("/members", code) in codes(lambda: check_panel(*wanted), PanelInvalid)


def test_the_policy_says_how_many_persons_and_disciplines() -> None:
    limits = Limits(panel_persons_min=3, panel_disciplines_min=3)
    said = rules.lacks([CHAIR, OTHER], limits)
    assert said == [
        "A panel has at least 3 persons; this one has 2.",
        "A panel has at least 3 disciplines; this one has 2.",
    ]
    assert rules.lacks([CHAIR, OTHER, seat(C, "law")], limits) == []


def test_a_member_who_has_locked_stays_as_they_are_and_may_become_chair() -> None:
    before = (CHAIR, ready(OTHER))
    for wanted in ([CHAIR, seat(C, "law")], [CHAIR, seat(B, "law")]):
        assert codes(lambda chosen=wanted: check_panel(*chosen, before=before), PanelInvalid) == {  # type: ignore[misc]
            ("/members", "locked-member")
        }
    check_panel(replace(CHAIR, person_id=C, is_chair=False), replace(OTHER, is_chair=True), before=before)


def test_who_is_recused_is_not_named_anew_lest_the_conflict_be_forgotten() -> None:
    recused = replace(OTHER, has_declared=True, has_conflict=True)
    assert codes(lambda: check_panel(CHAIR, OTHER, before=(CHAIR, recused)), PanelInvalid) == {
        ("/members/1/person_id", "recused")
    }
    check_panel(CHAIR, seat(C, "engineering"), before=(CHAIR, recused))
    check_panel(CHAIR, seat(C, "engineering"), before=(CHAIR, replace(recused, has_locked=True)))


@pytest.mark.parametrize(
    ("status", "is_concluded", "everybody_locked"), list(product(STORED, [False, True], [False, True]))
)
def test_a_panel_changes_before_the_award_and_before_its_members_see_each_others_scores(
    status: LotStatus, is_concluded: bool, everybody_locked: bool
) -> None:
    seats = LOCKED if everybody_locked else [ready(CHAIR), OTHER]
    found = fact_of(lambda: rules.check_panel_changeable(status, seats, LIMITS, is_concluded=is_concluded))
    if status not in {LotStatus.DRAFT, LotStatus.PUBLISHED, LotStatus.EVALUATING}:
        assert found is LotStateWrong
    elif is_concluded:
        assert found is AlreadyConcluded
    else:
        assert found is (PanelClosed if everybody_locked else None)


def test_a_panel_whose_rest_is_not_sufficient_is_never_complete_so_it_can_be_mended() -> None:
    recused = replace(ready(OTHER), has_conflict=True)
    assert not rules.is_complete([ready(CHAIR), recused], LIMITS)
    assert rules.is_complete([ready(CHAIR), recused, ready(seat(C, "law"))], LIMITS)
    assert not rules.is_complete([], LIMITS)
    with pytest.raises(PanelInsufficient, match="at least 2 persons"):
        rules.check_sufficient([ready(CHAIR), recused], LIMITS)


def test_a_recused_chair_leaves_the_panel_without_one() -> None:
    seats = [replace(CHAIR, has_declared=True, has_conflict=True), OTHER, seat(C, "law")]
    with pytest.raises(PanelInsufficient, match="chair"):
        rules.check_sufficient(seats, LIMITS)


def test_only_members_have_a_seat() -> None:
    assert rules.find_seat([CHAIR, OTHER], B) == OTHER
    with pytest.raises(NotOnPanel):
        rules.find_seat([CHAIR, OTHER], C)


# --- declarations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "had_conflict", "has_conflict", "has_consensus"), list(product(STORED, *[[False, True]] * 3))
)
def test_a_conflict_is_declared_until_the_consensus_and_never_taken_back(
    status: LotStatus, had_conflict: bool, has_conflict: bool, has_consensus: bool
) -> None:
    member = replace(CHAIR, has_declared=had_conflict, has_conflict=had_conflict)
    found = fact_of(
        lambda: rules.check_declarable(status, member, has_conflict=has_conflict, has_consensus=has_consensus)
    )
    if status not in {LotStatus.DRAFT, LotStatus.PUBLISHED, LotStatus.EVALUATING}:
        assert found is LotStateWrong
    elif has_consensus or (had_conflict and not has_conflict):
        assert found is DeclarationFinal
    else:
        assert found is None


# --- scoring --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "is_concluded"), list(product(STORED, [False, True])))
def test_bids_are_scored_while_the_lot_is_evaluated(status: LotStatus, is_concluded: bool) -> None:
    found = fact_of(lambda: rules.check_evaluating(status, is_concluded=is_concluded))
    if status is not LotStatus.EVALUATING:
        assert found is LotStateWrong
    else:
        assert found is (AlreadyConcluded if is_concluded else None)


MEMBERS = [
    replace(CHAIR, has_declared=declared, has_conflict=conflict, has_locked=locked, is_chair=chair)
    for declared, conflict, locked, chair in product([False, True], repeat=4)
    if declared or not (conflict or locked)
]


@pytest.mark.parametrize("member", MEMBERS)
def test_every_state_of_a_member_against_reading_scoring_and_agreeing(member: Seat) -> None:
    seats = [member, *LOCKED[1:], ready(seat(C, "law", is_chair=not member.is_chair)), ready(seat(D, "law"))]
    if not member.has_declared:
        first: type[Fact] | None = InterestsNotDeclared
    else:
        first = MemberRecused if member.has_conflict else None
    scores = first or (AlreadyLocked if member.has_locked else None)
    agrees = first or (None if member.is_chair else NotChair) or (None if member.has_locked else ScoresNotLocked)
    assert fact_of(lambda: rules.check_takes_part(member)) is first
    assert fact_of(lambda: rules.check_may_score(member, seats, LIMITS)) is scores
    assert fact_of(lambda: rules.check_may_agree(member, seats, LIMITS)) is agrees


def test_an_insufficient_panel_neither_scores_nor_agrees() -> None:
    recused = replace(ready(OTHER), has_conflict=True)
    chair = replace(CHAIR, has_declared=True)
    assert fact_of(lambda: rules.check_may_score(chair, [chair, recused], LIMITS)) is PanelInsufficient
    assert fact_of(lambda: rules.check_may_agree(ready(chair), [ready(chair), recused], LIMITS)) is PanelInsufficient


def test_the_panel_agrees_once_everybody_who_takes_part_has_locked() -> None:
    chair = ready(CHAIR)
    with pytest.raises(ScoresNotLocked, match="1 of"):
        rules.check_may_agree(chair, [chair, OTHER], LIMITS)
    gone = replace(seat(C, "law"), has_declared=True, has_conflict=True)
    rules.check_may_agree(chair, [*LOCKED, gone], LIMITS)


def test_scores_that_name_what_the_lot_has_not_hear_every_fault_at_once() -> None:
    rules.check_cells([(A, "C1"), (A, "C2"), (B, "C1")], {A, B}, ["C1", "C2"])
    cells = [(A, "C1"), (C, "C1"), (A, "C9"), (A, "C1")]
    assert codes(lambda: rules.check_cells(cells, {A, B}, ["C1"]), ScoresInvalid) == {
        ("/scores/1/bid_id", "unknown"),
        ("/scores/2/criterion_id", "unknown"),
        ("/scores/3", "repeated"),
    }


@pytest.mark.parametrize(
    ("check", "fact"),
    [(rules.check_scores_complete, ScoresIncomplete), (rules.check_consensus_complete, ConsensusIncomplete)],
)
def test_each_bid_on_each_criterion_or_all_that_is_missing(
    check: Callable[[set[tuple[UUID, str]], list[UUID], list[str]], None], fact: type[Fact]
) -> None:
    check({(A, "C1"), (A, "C3"), (B, "C1"), (B, "C3")}, [A, B], ["C1", "C3"])
    check(set(), [], ["C1"])
    assert codes(lambda: check({(A, "C1"), (C, "C3")}, [A, B], ["C1", "C3"]), fact) == {
        (f"/scores/{A}/C3", "missing"),
        (f"/scores/{B}/C1", "missing"),
        (f"/scores/{B}/C3", "missing"),
    }

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
    OutcomeInvalid,
    OutcomeNotActive,
    OutcomeNotDraft,
    OutcomeStillCommitted,
)
from procure.outcomes.rules import ENDED, NEXT, Direction, OutcomeStatus

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


amounts = st.decimals("0", "1000000", places=2)


@given(committed=amounts, delta=st.decimals("-1000000", "1000000", places=2), envelope=amounts)
def test_a_commitment_fits_or_is_refused_and_giving_back_always_fits(
    committed: Decimal, delta: Decimal, envelope: Decimal
) -> None:
    if delta <= 0 or committed + delta <= envelope:
        rules.check_commitment(committed, delta, envelope)
    else:
        with pytest.raises(EnvelopeExceeded):
            rules.check_commitment(committed, delta, envelope)

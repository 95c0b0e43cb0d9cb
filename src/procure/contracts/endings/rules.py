"""Where a contract may end, and what its end has to say."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from procure.contracts.endings.errors import CompletionInvalid, DeliverablesOpen, NotAtBoundary, RetrospectiveClosed
from procure.contracts.rules import ContractStatus, DeliverableStatus, is_rework_spent
from procure.kit.errors import Faults

_SETTLED = frozenset({DeliverableStatus.ACCEPTED, DeliverableStatus.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A deliverable as `check_boundary` judges it; `rounds` counts what was handed in for it."""

    status: DeliverableStatus
    rounds: int
    due_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a completion says of one measure: observed on a day, or owed until one."""

    measure_id: UUID
    observed_on: date | None
    owed_on: date | None


def check_boundary(works: Iterable[Work], rework_rounds_max: int, today: date) -> None:
    """Where a buyer may end for convenience: a deliverable accepted, rework spent, or any due date passed."""
    for work in works:
        accepted = work.status is DeliverableStatus.ACCEPTED
        if accepted or is_rework_spent(work.status, work.rounds, rework_rounds_max) or work.due_on < today:
            return
    raise NotAtBoundary("No deliverable is accepted, no rework spent and no due date passed yet.")


def check_settled(statuses: Sequence[DeliverableStatus]) -> None:
    left = sum(status not in _SETTLED for status in statuses)
    if left:
        raise DeliverablesOpen(f"{left} deliverable(s) are neither accepted nor cancelled.")


def check_reports(wanted: Sequence[UUID], reports: Sequence[Report], today: date) -> None:
    """Each measure that the lot aimed at is told of once: observed by today, or owed on a day to come."""
    faults = Faults()
    for index, report in enumerate(reports):
        at = f"/measures/{index}"
        faults.unless(report.measure_id in wanted, f"{at}/measure_id", "unknown", "The lot does not aim at it.")
        _check_report(faults, at, report, today)
    told = Counter(report.measure_id for report in reports)
    for measure_id in wanted:
        faults.unless(told[measure_id] >= 1, "/measures", "missing", f"Measure {measure_id} is not told of.")
        faults.unless(told[measure_id] <= 1, "/measures", "repeated", f"Measure {measure_id} is told of twice.")
    faults.raise_any(CompletionInvalid)


def _check_report(faults: Faults, at: str, report: Report, today: date) -> None:
    one_of = (report.observed_on is None) != (report.owed_on is None)
    faults.unless(one_of, at, "observed-or-owed", "Give the observation, or the day on which it is owed.")
    observed_on, owed_on = report.observed_on or today, report.owed_on
    place = f"{at}/observation/observed_on"
    faults.unless(observed_on <= today, place, "in-future", "An observation can't be of a day to come.")
    faults.unless(owed_on is None or owed_on > today, f"{at}/owed_on", "in-past", "It is owed on a day to come.")


def check_retrospective(status: ContractStatus, *, given: bool) -> None:
    """While the contract runs it may be told again, in better words."""
    if given and status is not ContractStatus.ACTIVE:
        raise RetrospectiveClosed("The contract has ended, and what you learned is told.")

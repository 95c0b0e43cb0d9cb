"""When a deliverable may be handed in and judged, and what a verdict has to say."""

from collections import Counter
from collections.abc import Sequence

from procure.contracts.deliverables.errors import DeliverableStateWrong, ReworkSpent, VerdictInvalid
from procure.contracts.rules import DELIVERABLE_NEXT, DeliverableStatus, is_rework_spent
from procure.kit.errors import Faults


def check_submittable(status: DeliverableStatus, rounds: int, rework_rounds_max: int) -> None:
    """Handed in for the first time, or again after a rejection while rework is left."""
    if DeliverableStatus.SUBMITTED not in DELIVERABLE_NEXT[status]:
        raise DeliverableStateWrong(f"The deliverable is {status}; it can't be handed in now.")
    if is_rework_spent(status, rounds, rework_rounds_max):
        raise ReworkSpent(f"It was handed in {rounds} times; the policy allows {rework_rounds_max} rounds of rework.")


def check_decidable(status: DeliverableStatus) -> None:
    if status is not DeliverableStatus.SUBMITTED:
        raise DeliverableStateWrong(f"The deliverable is {status}; only what was handed in gets a verdict.")


def check_verdicts(verdicts: Sequence[tuple[int, bool, str | None]], criteria_count: int) -> None:
    """Each criterion (by its place, 0 first) is answered once; one that is not met says why."""
    faults = Faults()
    for index, (criterion, met, reason) in enumerate(verdicts):
        at = f"/verdicts/{index}"
        faults.unless(criterion < criteria_count, f"{at}/criterion", "unknown", "There is no such criterion.")
        faults.unless(met or bool(reason), f"{at}/reason", "required", "Say why the criterion is not met.")
    answered = Counter(criterion for criterion, _, _ in verdicts)
    for criterion in range(criteria_count):
        faults.unless(answered[criterion] >= 1, "/verdicts", "missing", f"Criterion {criterion} has no answer.")
        faults.unless(answered[criterion] <= 1, "/verdicts", "repeated", f"Criterion {criterion} is answered twice.")
    faults.raise_any(VerdictInvalid)


def is_accepted(verdicts: Sequence[tuple[int, bool, str | None]]) -> bool:
    """Accepted only if every criterion is met."""
    return all(met for _, met, _ in verdicts)

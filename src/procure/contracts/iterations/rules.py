"""What the notice announced, and how the next lot's dates are moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from procure.contracts.iterations.errors import (
    IterationInvalid,
    IterationLeft,
    IterationTaken,
    NextLotDrafted,
    NextStepOther,
    NoIterationLeft,
)
from procure.contracts.rules import ContractStatus, NextStep
from procure.kit.errors import Faults
from procure.kit.money import total
from procure.policy.rules import Limits, Policy
from procure.policy.working_days import ZONE, local_day

#: Time for the officer to edit the next lot's draft before it has to be published.
EDITING_DAYS = 7

_LETS_GO: dict[NextStep, frozenset[NextStep]] = {
    NextStep.CONTINUE: frozenset({NextStep.PIVOT, NextStep.STOP}),
    NextStep.PIVOT: frozenset({NextStep.STOP}),
    NextStep.STOP: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """A further iteration as `check_agreed` judges it: (due on, criteria, price net, currency) of each deliverable."""

    starts_on: date
    duration_days: int
    deliverables: Sequence[tuple[date, Sequence[str], Decimal, str]]

    @property
    def ends_on(self) -> date:
        return self.starts_on + timedelta(days=self.duration_days)


def check_continuable(next_step: NextStep | None, number: int, further_iterations: int) -> None:
    """`number` is that of the completed contract: 1 is the competition's own, each further one an iteration taken up."""
    if next_step is not NextStep.CONTINUE:
        raise NextStepOther(f"The contract ended with `{next_step}`; only `continue` takes up a further iteration.")
    if number - 1 >= further_iterations:
        raise NoIterationLeft(f"All {further_iterations} announced iterations are taken up; draft the next lot.")


def check_not_taken(status: ContractStatus, *, signatures: int, has_lapsed: bool) -> None:
    """A contract for the next iteration gives way unless somebody has signed it and it can still be signed, or both have."""
    if status is not ContractStatus.PENDING or (signatures and not has_lapsed):
        raise IterationTaken("A contract for this iteration is signed, or waits for its second signature.")


def check_lets_go(before: NextStep | None, after: NextStep) -> None:
    """A decision is changed only to let go: of the iterations left open (`pivot`), or of going on at all (`stop`).

    Never back to `continue`: what was released may be promised to others, and a team whose iterations were given up is not called
    back without a competition.
    """
    if before is None or after not in _LETS_GO[before]:
        raise NextStepOther(f"The contract ended with `{before}`; that can't be changed to `{after}`.")


def check_agreed(agreed: Agreed, limits: Limits, further_ceiling: Decimal, currency: str, today: date) -> None:
    """Inside what the notice announced and the policy allows; raises IterationInvalid with every fault."""
    faults = Faults()
    days, most = limits.duration_days_max, limits.deliverables_max
    faults.unless(agreed.starts_on >= today, "/starts_on", "in-past", "Work starts today or later.")
    faults.unless(
        agreed.duration_days <= days, "/duration_days", "time-box-too-long", f"A time-box is at most {days} days."
    )
    faults.unless(
        len(agreed.deliverables) <= most, "/deliverables", "too-many-deliverables", f"At most {most} deliverables."
    )
    for index in range(len(agreed.deliverables)):
        _check_deliverable(faults, agreed, index, limits, currency)
    value = total(price for _, _, price, _ in agreed.deliverables)
    said = f"The notice announced at most {further_ceiling:f} net for an iteration; these sum to {value:f}."
    faults.unless(value <= further_ceiling, "/deliverables", "further-ceiling", said)
    faults.raise_any(IterationInvalid)


def _check_deliverable(faults: Faults, agreed: Agreed, index: int, limits: Limits, currency: str) -> None:
    due_on, criteria, price, given = agreed.deliverables[index]
    at, least = f"/deliverables/{index}", limits.criterion_words_min
    faults.unless(price > 0, f"{at}/price/amount", "price-zero", "A price is more than nothing.")
    faults.unless(given == currency, f"{at}/price/currency", "currency", f"The lot's currency is {currency}.")
    inside = agreed.starts_on <= due_on <= agreed.ends_on
    faults.unless(inside, f"{at}/due_on", "outside-time-box", "It is due within the time-box.")
    for place, criterion in enumerate(criteria):
        said = f"Say in at least {least} words what will be accepted."
        faults.unless(len(criterion.split()) >= least, f"{at}/acceptance_criteria/{place}", "vague", said)


def check_next_lot(next_step: NextStep | None, number: int, further_iterations: int) -> None:
    """`pivot` drafts a lot at any time, `continue` once no announced iteration is left."""
    if next_step not in (NextStep.CONTINUE, NextStep.PIVOT):
        raise NextStepOther(f"The contract ended with `{next_step}`; there is no next lot.")
    if next_step is NextStep.CONTINUE and number - 1 < further_iterations:
        raise IterationLeft("An announced iteration is left: continue with the same team, without a competition.")


def check_none_follows(reference: str | None) -> None:
    """`reference` is that of the lot that follows already, if there is one."""
    if reference is not None:
        raise NextLotDrafted(f"{reference} follows this lot already; edit that one, or cancel it.")


def move_days(policy: Policy, enquiries_close_at: datetime, closes_at: datetime, now: datetime) -> int:
    """By how many days a lot's calendar moves so that, edited within a week, it can be published as it stands.

    Everything moves together: what lay between two dates stays between them.
    """
    ready_at = now + timedelta(days=EDITING_DAYS)
    by_window = local_day(policy.earliest_close(ready_at)) - local_day(closes_at)
    by_enquiries = local_day(ready_at) - local_day(enquiries_close_at)
    return max(by_window, by_enquiries).days + 1


def moved(moment: datetime, days: int) -> datetime:
    """The same time of the day where the buyer is, also across a change of the clocks."""
    return moment.astimezone(ZONE) + timedelta(days=days)

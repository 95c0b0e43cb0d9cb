"""An outcome's statuses and what may happen in each; the progress of a measure."""

import re
import textwrap
from collections.abc import Collection
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from procure.kit.errors import Faults
from procure.kit.money import total
from procure.outcomes.errors import (
    BudgetHolderNeeded,
    EnvelopeExceeded,
    OutcomeInvalid,
    OutcomeNotActive,
    OutcomeNotDraft,
    OutcomeStillCommitted,
)


class OutcomeStatus(StrEnum):
    DRAFT = "draft"
    ACTIVE = "active"
    ACHIEVED = "achieved"
    NOT_ACHIEVED = "not_achieved"
    ABANDONED = "abandoned"


#: Of a title that is taken from the statement.
TITLE_MAX = 120

ENDED = frozenset({OutcomeStatus.ACHIEVED, OutcomeStatus.NOT_ACHIEVED, OutcomeStatus.ABANDONED})

NEXT: dict[OutcomeStatus, frozenset[OutcomeStatus]] = {
    OutcomeStatus.DRAFT: frozenset({OutcomeStatus.ACTIVE, OutcomeStatus.ABANDONED}),
    OutcomeStatus.ACTIVE: ENDED,
    OutcomeStatus.ACHIEVED: frozenset(),
    OutcomeStatus.NOT_ACHIEVED: frozenset(),
    OutcomeStatus.ABANDONED: frozenset(),
}


class Direction(StrEnum):
    """Which way a measure is meant to go."""

    INCREASE = "increase"
    DECREASE = "decrease"


class LedgerKind(StrEnum):
    """What an amount in the ledger is: promised by a lot or contract, accepted work, or paid."""

    COMMITTED = "committed"
    ACCEPTED = "accepted"
    PAID = "paid"


def check_draft(status: OutcomeStatus) -> None:
    if status is not OutcomeStatus.DRAFT:
        raise OutcomeNotDraft(f"The outcome is {status}; only a draft can be edited or activated.")


def check_active(status: OutcomeStatus) -> None:
    if status is not OutcomeStatus.ACTIVE:
        raise OutcomeNotActive(f"The outcome is {status}; this needs an active one.")


def check_budget_holder(*, holds_budget: bool) -> None:
    if not holds_budget:
        raise BudgetHolderNeeded("An approver who holds the budget has to activate an outcome.")


def check_endable(status: OutcomeStatus) -> None:
    if status in ENDED:
        raise OutcomeNotActive(f"The outcome has ended already: {status}.")


def check_settled(unsettled: Collection[Decimal]) -> None:
    """`unsettled` is each lot's commitment less its accepted work (net). Read it after the outcome's lock.

    A lot that takes bids, a contract with work to do and an iteration that may be taken up each promise more than was accepted;
    whoever holds such a promise would be left with it, since nothing is signed under an outcome that has ended.
    """
    left = [amount for amount in unsettled if amount != 0]
    if left:
        raise OutcomeStillCommitted(
            f"{total(left):f} is committed beyond what was accepted, by {len(left)} lot(s). "
            "Cancel a lot that has no signed contract, complete or terminate a contract that runs, "
            "and change the next step of one that was to continue."
        )


def check_observable(*, was_active: bool) -> None:
    """The truth about a measure does not stop with the decision: an observation may be owed for months after the end."""
    if not was_active:
        raise OutcomeNotActive("The outcome was never active; there is nothing to observe yet.")


def check_measure(
    faults: Faults,
    pointer: str,
    direction: Direction,
    baseline: tuple[Decimal, date],
    target: tuple[Decimal, date],
) -> None:
    """A target lies beyond its baseline in the direction that is wanted, and later."""
    beyond = target[0] > baseline[0] if direction is Direction.INCREASE else target[0] < baseline[0]
    faults.unless(
        beyond,
        f"{pointer}/target/value",
        "target-not-beyond",
        f"To {direction}, the target must lie beyond the baseline.",
    )
    faults.unless(
        target[1] > baseline[1],
        f"{pointer}/target/on",
        "target-not-later",
        "The target's date must be after the baseline's.",
    )


def check_outcome(faults: Faults, envelope: Decimal, disciplines: list[str], statement: str) -> None:
    faults.unless(envelope > 0, "/envelope/amount", "envelope-zero", "The envelope must be more than nothing.")
    faults.unless(
        len(set(disciplines)) >= 2, "/team", "one-discipline", "A team needs persons of at least two disciplines."
    )
    faults.unless(
        len(statement.split()) >= 5, "/statement", "vague", "Say the change in a sentence of at least five words."
    )
    faults.raise_any(OutcomeInvalid)


def title_of(statement: str) -> str:
    """What an outcome without a title is called: the first sentence of its statement, cut between words where it is long."""
    sentence = re.split(r"(?<=[.!?])\s|(?<=。)|\n", statement, maxsplit=1)[0].rstrip(".。")
    return textwrap.shorten(sentence, TITLE_MAX, placeholder=" …") if " " in sentence else sentence[:TITLE_MAX]


def check_commitment(committed: Decimal, delta: Decimal, envelope: Decimal) -> None:
    """Commitments never exceed the envelope. Read `committed` after the outcome's lock."""
    if delta > 0 and committed + delta > envelope:
        raise EnvelopeExceeded(
            f"The envelope is {envelope:f}, of which {committed:f} is committed; {delta:f} more does not fit."
        )


def progress(baseline: Decimal, target: Decimal, latest: Decimal | None) -> Decimal | None:
    """(latest - baseline) / (target - baseline), to four places: 1 is the target, below 0 is worse than before, None is unknown."""
    if latest is None:
        return None
    return ((latest - baseline) / (target - baseline)).quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP)

"""An outcome's statuses and what may happen in each; the progress of a measure; envelope and estimate."""

import re
import textwrap
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from procure.kit.errors import Faults
from procure.kit.money import gross, total
from procure.outcomes.errors import (
    BudgetHolderNeeded,
    EnvelopeExceeded,
    EstimateExceeded,
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


class ProposalKind(StrEnum):
    """What a proposal would set: the envelope, or how much of it is tested (the estimate that decides the band)."""

    ENVELOPE = "envelope"
    ESTIMATE = "estimate"


class ProposalStatus(StrEnum):
    OPEN = "open"
    APPROVED = "approved"
    REFUSED = "refused"


PROPOSAL_NEXT: dict[ProposalStatus, frozenset[ProposalStatus]] = {
    ProposalStatus.OPEN: frozenset({ProposalStatus.APPROVED, ProposalStatus.REFUSED}),
    ProposalStatus.APPROVED: frozenset(),
    ProposalStatus.REFUSED: frozenset(),
}


class Direction(StrEnum):
    """Which way a measure is meant to go."""

    INCREASE = "increase"
    DECREASE = "decrease"


class Standing(StrEnum):
    """How a measure stands: never observed, worse than its baseline, no better, on its way, or at its target."""

    UNKNOWN = "unknown"
    WORSE = "worse"
    NONE = "none"
    MOVING = "moving"
    REACHED = "reached"


class Trend(StrEnum):
    """Which way a measure last went, from the observation before the latest, or from its baseline."""

    BETTER = "better"
    SAME = "same"
    WORSE = "worse"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetShare:
    """A budget line as it is judged: its place in the accounts, and how much of the envelope (net) it bears."""

    place: tuple[str, str, str]
    financial_year: str
    amount: Decimal
    currency: str


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
        raise BudgetHolderNeeded("An approver who holds the budget has to do this.")


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
    reviews: Sequence[date] = (),
) -> None:
    """A target lies beyond its baseline in the direction that is wanted, and later; it is looked at in between, each time later."""
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
    before = baseline[1]
    for index, on in enumerate(reviews):
        at = f"{pointer}/review_dates/{index}"
        faults.unless(on > before, at, "not-later", "Review dates are after the baseline's, each after the one before.")
        faults.unless(
            on < target[1],
            at,
            "not-before-target",
            "Review dates are before the target's, on which it is looked at anyway.",
        )
        before = max(on, before)


def check_options(faults: Faults, buys: Iterable[bool]) -> None:
    """`buys` says of each option whether it takes a purchase. Doing it without one has to have been thought of."""
    faults.unless(
        not all(buys),
        "/options",
        "only-purchases",
        'Name an option that buys nothing, with `"buys": false` and why it was taken or not.',
    )


def check_budget_lines(faults: Faults, lines: Sequence[BudgetShare], envelope: Decimal, currency: str) -> None:
    """The lines say of the whole envelope where it comes from, each place once; none at all is no fault."""
    seen: set[tuple[str, str, str]] = set()
    for index, line in enumerate(lines):
        at = f"/budget_lines/{index}"
        faults.unless(line.place not in seen, at, "twice", "There is such a line already; put the two into one.")
        seen.add(line.place)
        faults.unless(line.amount > 0, f"{at}/amount/amount", "amount-zero", "A line must be of more than nothing.")
        faults.unless(
            line.currency == currency,
            f"{at}/amount/currency",
            "currency",
            f"All amounts of an outcome are in one currency, here {currency}.",
        )
        faults.unless(
            is_financial_year(line.financial_year),
            f"{at}/financial_year",
            "financial-year",
            "A financial year is one such as 2026, or two that follow each other, such as 2026/27.",
        )
    whole = total(line.amount for line in lines)
    faults.unless(
        not lines or whole == envelope,
        "/budget_lines",
        "sum",
        f"The lines come to {whole:f}, and the envelope is {envelope:f}: they have to be the same.",
    )


def is_financial_year(text: str) -> bool:
    """`2026`, or `2026/27`."""
    year, slash, next_ = text.partition("/")
    return not slash or int(next_) == (int(year) + 1) % 100


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What may be committed (net): read it after the outcome's lock. `vat_rate`, in percent, is for what a refusal tells."""

    envelope: Decimal
    committed: Decimal
    vat_rate: Decimal
    #: Where less than the envelope is tested.
    estimate: Decimal | None = None

    @property
    def tested(self) -> Decimal:
        return self.envelope if self.estimate is None else self.estimate

    def check(self, delta: Decimal) -> None:
        """Commitments pass neither the envelope nor the estimate that the band was chosen by; giving back always fits."""
        if delta <= 0:
            return
        after = self.committed + delta
        for limit, name, fact in (
            (self.envelope, "envelope", EnvelopeExceeded),
            (self.tested, "tested estimate", EstimateExceeded),
        ):
            if after > limit:
                raise fact(
                    f"The {name} is {self._told(limit)}, of which {self._told(self.committed)} is committed; "
                    f"{self._told(delta)} more would make {self._told(after)}, which is {self._told(after - limit)} too much."
                )

    def check_holds(self, kind: ProposalKind, amount: Decimal) -> None:
        """Whether what is committed fits into another envelope or estimate."""
        if self.committed > amount:
            fact = EnvelopeExceeded if kind is ProposalKind.ENVELOPE else EstimateExceeded
            raise fact(f"{self._told(self.committed)} is committed: the {kind} can't be {self._told(amount)}.")

    def _told(self, net: Decimal) -> str:
        return f"{net:f} ({gross(net, self.vat_rate):f} with VAT)"


def progress(baseline: Decimal, target: Decimal, latest: Decimal | None) -> Decimal | None:
    """(latest - baseline) / (target - baseline), to four places: 1 is the target, below 0 is worse than before, None is unknown."""
    if latest is None:
        return None
    return ((latest - baseline) / (target - baseline)).quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP)


def standing(direction: Direction, baseline: Decimal, target: Decimal, latest: Decimal | None) -> Standing:
    """The same in a word, from the values themselves: what is rounded away is neither a target reached nor one missed."""
    if latest is None:
        return Standing.UNKNOWN
    if latest == baseline:
        return Standing.NONE
    if trend(direction, baseline, latest) is Trend.WORSE:
        return Standing.WORSE
    return Standing.MOVING if trend(direction, target, latest) is Trend.WORSE else Standing.REACHED


def trend(direction: Direction, before: Decimal, latest: Decimal) -> Trend:
    """Which way it went, by what is wanted of it."""
    gained = latest - before if direction is Direction.INCREASE else before - latest
    if gained == 0:
        return Trend.SAME
    return Trend.BETTER if gained > 0 else Trend.WORSE


def next_review(reviews: Sequence[date], target_on: date, observed_on: date | None) -> date | None:
    """The first day set for a look, the target's among them, that has no observation on or after it: in the past it is overdue."""
    return next((on for on in (*reviews, target_on) if observed_on is None or on > observed_on), None)

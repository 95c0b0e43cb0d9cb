"""What may be proposed, and when it is decided."""

from collections.abc import Sequence
from decimal import Decimal

from procure.kit.errors import Faults
from procure.outcomes import rules
from procure.outcomes.proposals.errors import ProposalDecided, ProposalInvalid, ProposalOpen
from procure.outcomes.rules import BudgetShare, ProposalKind, ProposalStatus, Room


def check_none_open(*, is_open: bool) -> None:
    if is_open:
        raise ProposalOpen("Another proposal of this outcome waits: it has to be approved or refused first.")


def check_open(status: ProposalStatus) -> None:
    if status is not ProposalStatus.OPEN:
        raise ProposalDecided(f"The proposal is {status} already.")


def check_proposal(
    kind: ProposalKind,
    amount: Decimal,
    currency: str,
    room: Room,
    lines: Sequence[BudgetShare],
    *,
    outcome_currency: str,
    has_lines: bool,
) -> None:
    """The amount (net) is another than holds now, what is committed has room in it, and the lines come to it."""
    faults, is_envelope = Faults(), kind is ProposalKind.ENVELOPE
    before = room.envelope if is_envelope else room.tested
    faults.unless(
        currency == outcome_currency,
        "/amount/currency",
        "currency",
        f"All amounts of an outcome are in one currency, here {outcome_currency}.",
    )
    at = "/amount/amount"
    faults.unless(amount > 0, at, "amount-zero", f"An {kind} must be more than nothing.")
    faults.unless(amount != before, at, "as-before", f"The {kind} is {before:f} already.")
    faults.unless(
        amount >= room.committed or amount <= 0,
        at,
        "below-committed",
        f"{room.committed:f} is committed: the {kind} can't be less.",
    )
    if is_envelope:
        faults.unless(
            bool(lines) or not has_lines,
            "/budget_lines",
            "missing",
            "The outcome has budget lines: say what they are with the new envelope.",
        )
        rules.check_budget_lines(faults, lines, amount, outcome_currency)
    else:
        faults.unless(not lines, "/budget_lines", "not-of-estimate", "Only an envelope has budget lines.")
        faults.unless(
            amount <= room.envelope,
            at,
            "beyond-envelope",
            f"The envelope is {room.envelope:f}: an estimate of all of it is the most there can be.",
        )
    faults.raise_any(ProposalInvalid)

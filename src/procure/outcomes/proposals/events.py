"""What happens to proposals, as the journal tells it."""

from typing import ClassVar
from uuid import UUID

from procure.journal.events import Event, Told
from procure.kit.fields import Grounds, Name
from procure.kit.money import Money
from procure.outcomes.models import Proposal
from procure.outcomes.rules import ProposalKind


class ProposalOpened(Event, frozen=True, kw_only=True):
    """Somebody proposed another envelope of an outcome, or to test less than all of it."""

    type: ClassVar[str] = "proposal.opened"
    object_type: ClassVar[str] = "proposal"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    outcome_id: UUID
    kind: ProposalKind
    amount: Money
    amount_before: Money
    reason: Grounds
    proposed_as: Name

    @classmethod
    def of(cls, row: Proposal) -> "ProposalOpened":
        return cls(
            object_id=row.id,
            object_version=row.version,
            outcome_id=row.outcome_id,
            kind=row.kind,
            amount=Money.of(row.amount, row.currency),
            amount_before=Money.of(row.amount_before, row.currency),
            reason=row.reason,
            proposed_as=row.proposed_as,
        )


class ProposalApproved(Event, frozen=True, kw_only=True):
    """Another person, who holds the budget, put it into force."""

    type: ClassVar[str] = "proposal.approved"
    object_type: ClassVar[str] = "proposal"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    outcome_id: UUID
    kind: ProposalKind
    amount: Money
    amount_before: Money
    decided_as: Name


class ProposalRefused(Event, frozen=True, kw_only=True):
    """Another person refused it; nothing changes."""

    type: ClassVar[str] = "proposal.refused"
    object_type: ClassVar[str] = "proposal"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    outcome_id: UUID
    kind: ProposalKind
    reason: Grounds
    decided_as: Name

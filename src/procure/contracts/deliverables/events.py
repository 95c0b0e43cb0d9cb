"""What happens to deliverables, as the journal tells it; the object is their contract."""

from typing import ClassVar
from uuid import UUID

from procure.journal.events import Event, Told
from procure.kit.fields import Count, Digest, Everything, ItemKey
from procure.kit.money import Money
from procure.kit.scopes import Scope


class DeliverableSubmitted(Event, frozen=True, kw_only=True):
    """The supplier handed something in; `submission_digest` is that of its row."""

    type: ClassVar[str] = "deliverable.submitted"
    object_type: ClassVar[str] = "contract"
    told: ClassVar[tuple[Told, ...]] = (Told.PARTIES,)
    readers: ClassVar[Scope | None] = Scope.CONTRACTS_READ

    deliverable_id: UUID
    key: ItemKey
    round: Count
    submission_digest: Digest


class DeliverableAccepted(Event, frozen=True, kw_only=True):
    """Every criterion is met: its price is payable."""

    type: ClassVar[str] = "deliverable.accepted"
    object_type: ClassVar[str] = "contract"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    deliverable_id: UUID
    key: ItemKey
    round: Count
    amount: Money
    submission_digest: Digest


class DeliverableRejected(Event, frozen=True, kw_only=True):
    """A criterion is not met; `unmet` names them by their place."""

    type: ClassVar[str] = "deliverable.rejected"
    object_type: ClassVar[str] = "contract"
    told: ClassVar[tuple[Told, ...]] = (Told.PARTIES,)
    readers: ClassVar[Scope | None] = Scope.CONTRACTS_READ

    deliverable_id: UUID
    key: ItemKey
    round: Count
    unmet: Everything[Count]
    submission_digest: Digest

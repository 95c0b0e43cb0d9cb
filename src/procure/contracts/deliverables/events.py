"""What happens to deliverables, as the journal tells it; the object is their contract."""

from typing import ClassVar
from uuid import UUID

from procure.journal.events import Event
from procure.kit.money import Money


class DeliverableSubmitted(Event, frozen=True, kw_only=True):
    """The supplier handed something in; `submission_digest` is that of its row."""

    type: ClassVar[str] = "deliverable.submitted"
    object_type: ClassVar[str] = "contract"

    deliverable_id: UUID
    key: str
    round: int
    submission_digest: str


class DeliverableAccepted(Event, frozen=True, kw_only=True):
    """Every criterion is met: its price is payable."""

    type: ClassVar[str] = "deliverable.accepted"
    object_type: ClassVar[str] = "contract"

    deliverable_id: UUID
    key: str
    round: int
    amount: Money
    submission_digest: str


class DeliverableRejected(Event, frozen=True, kw_only=True):
    """A criterion is not met; `unmet` names them by their place."""

    type: ClassVar[str] = "deliverable.rejected"
    object_type: ClassVar[str] = "contract"

    deliverable_id: UUID
    key: str
    round: int
    unmet: list[int]
    submission_digest: str

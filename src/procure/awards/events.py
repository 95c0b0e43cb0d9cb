"""What happens to awards, as the journal tells it."""

from typing import ClassVar
from uuid import UUID

from procure.awards.models import Award
from procure.journal.events import Event, Told
from procure.kit.fields import Grounds, Instant, Line, Name, Reference
from procure.kit.money import Money


class AwardRecommended(Event, frozen=True, kw_only=True):
    """An officer recommended a bid; the buyer's own until it is approved."""

    type: ClassVar[str] = "award.recommended"
    object_type: ClassVar[str] = "award"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER,)

    reference: Reference
    lot_id: UUID
    bid_id: UUID
    supplier_id: UUID
    value: Money
    reason: Grounds


class AwardApproved(Event, frozen=True, kw_only=True):
    """Another person approved the award: from here on it is public."""

    type: ClassVar[str] = "award.approved"
    object_type: ClassVar[str] = "award"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    reference: Reference
    lot_id: UUID
    bid_id: UUID
    supplier_id: UUID
    supplier_name: Line
    value: Money
    standstill_ends_at: Instant | None

    @classmethod
    def of(cls, award: Award) -> "AwardApproved":
        return cls(
            object_id=award.id,
            object_version=award.version,
            reference=award.reference,
            lot_id=award.lot_id,
            bid_id=award.bid_id,
            supplier_id=award.supplier_id,
            supplier_name=award.supplier_name,
            value=Money.of(award.value, award.currency),
            standstill_ends_at=award.standstill_ends_at,
        )


class AwardRefused(Event, frozen=True, kw_only=True):
    """Another person refused the recommendation."""

    type: ClassVar[str] = "award.refused"
    object_type: ClassVar[str] = "award"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER,)

    reason: Grounds


class AwardNoticeRecorded(Event, frozen=True, kw_only=True):
    """The award notice's references were recorded; the standstill runs from its time."""

    type: ClassVar[str] = "award.notice_recorded"
    object_type: ClassVar[str] = "award"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    notice_id: Name
    ocid: Name
    published_at: Instant
    standstill_ends_at: Instant | None


class AwardWithdrawn(Event, frozen=True, kw_only=True):
    """An approver took the award back before signature."""

    type: ClassVar[str] = "award.withdrawn"
    object_type: ClassVar[str] = "award"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    reason: Grounds

"""What happens to bids, as the journal tells it. No event holds anything of a bid's content, opened or not."""

from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from procure.bids.models import Bid
from procure.bids.rules import BidStatus, SealingMode
from procure.journal.events import Event, Told
from procure.kit.fields import Count, Digest, Instant, Slug, Version
from procure.kit.scopes import Scope

#: As the receipt has it: its exact text, to the microsecond.
ReceivedAt = Annotated[str, Meta(max_length=40, extra_json_schema={"format": "date-time"})]


class _Received(Event, frozen=True, kw_only=True):
    object_type: ClassVar[str] = "bid"

    lot_id: UUID
    lot_version: Version
    digest: Digest
    received_at: ReceivedAt
    sealing_mode: SealingMode


class BidSubmitted(_Received, frozen=True, kw_only=True):
    """A supplier's bid was received, sealed: the receipt's facts."""

    type: ClassVar[str] = "bid.submitted"
    told: ClassVar[tuple[Told, ...]] = (Told.SUPPLIER,)
    readers: ClassVar[Scope | None] = Scope.BIDS_READ


class BidReplaced(_Received, frozen=True, kw_only=True):
    """A supplier's bid took the place of its earlier version: the new receipt's facts."""

    type: ClassVar[str] = "bid.replaced"
    told: ClassVar[tuple[Told, ...]] = (Told.SUPPLIER,)
    readers: ClassVar[Scope | None] = Scope.BIDS_READ


class BidWithdrawn(Event, frozen=True, kw_only=True):
    """A supplier took its bid back before the lot closed."""

    type: ClassVar[str] = "bid.withdrawn"
    object_type: ClassVar[str] = "bid"
    told: ClassVar[tuple[Told, ...]] = (Told.SUPPLIER,)
    readers: ClassVar[Scope | None] = Scope.BIDS_READ

    lot_id: UUID


class BidsSealed(Event, frozen=True, kw_only=True):
    """The deadline's commitment: how many bids, and the RFC 9162 root over them. `object_id` is the lot's."""

    type: ClassVar[str] = "bids.sealed"
    object_type: ClassVar[str] = "lot_seal"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    count: Count
    root: Digest
    sealed_at: Instant


class BidOpened(Event, frozen=True, kw_only=True):
    """A bid was opened after the seal. Its content is the panel's to read, so the entry holds none of it."""

    type: ClassVar[str] = "bid.opened"
    object_type: ClassVar[str] = "bid"
    told: ClassVar[tuple[Told, ...]] = (Told.PARTIES,)
    readers: ClassVar[Scope | None] = Scope.BIDS_READ

    lot_id: UUID
    digest: Digest

    @classmethod
    def of(cls, bid: Bid) -> "BidOpened":
        return cls(object_id=bid.id, object_version=bid.version, lot_id=bid.lot_id, digest=bid.digest.hex())


class BidOpeningFailed(Event, frozen=True, kw_only=True):
    """A bid could not be opened, or holds what the lot did not ask for."""

    type: ClassVar[str] = "bid.opening_failed"
    object_type: ClassVar[str] = "bid"
    told: ClassVar[tuple[Told, ...]] = (Told.PARTIES,)
    readers: ClassVar[Scope | None] = Scope.BIDS_READ

    lot_id: UUID
    digest: Digest
    reason: Slug

    @classmethod
    def of(cls, bid: Bid, reason: str) -> "BidOpeningFailed":
        return cls(
            object_id=bid.id, object_version=bid.version, lot_id=bid.lot_id, digest=bid.digest.hex(), reason=reason
        )


class BidMoved(Event, frozen=True, kw_only=True):
    """A later step moved the bid: an award, an award undone, or the end of the competition."""

    type: ClassVar[str] = "bid.moved"
    object_type: ClassVar[str] = "bid"
    told: ClassVar[tuple[Told, ...]] = (Told.SUPPLIER, Told.PARTIES)
    readers: ClassVar[Scope | None] = Scope.BIDS_READ

    lot_id: UUID
    status: BidStatus

    @classmethod
    def of(cls, bid: Bid) -> "BidMoved":
        return cls(object_id=bid.id, object_version=bid.version, lot_id=bid.lot_id, status=bid.status)

"""What happens in an evaluation, as the journal tells it. The object is always the lot."""

from typing import ClassVar
from uuid import UUID

import msgspec

from procure.evaluation.models import PanelMember
from procure.evaluation.scoring import Place, written
from procure.journal.events import Event, Told
from procure.kit.fields import Count, Digest, Everything, Instant, ItemKey, Name, Points
from procure.kit.scopes import Scope


class _OfLot(Event, frozen=True, kw_only=True):
    object_type: ClassVar[str] = "lot"


class OpeningApproved(_OfLot, frozen=True, kw_only=True):
    """An approver consented to open the lot, naming its seal's root."""

    type: ClassVar[str] = "opening.approved"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER,)
    readers: ClassVar[Scope | None] = Scope.EVALUATIONS_READ

    root: Digest


class LotOpened(_OfLot, frozen=True, kw_only=True):
    """The opening record, for the buyer and every bidder: which root, how many consents (none where it opens by itself) and bids."""

    type: ClassVar[str] = "lot.opened"
    told: ClassVar[tuple[Told, ...]] = (Told.PARTIES,)
    readers: ClassVar[Scope | None] = Scope.BIDS_READ

    root: Digest
    approvals: Count
    sealed: Count
    opened: Count
    unreadable: Count
    opened_at: Instant


class Seated(msgspec.Struct, frozen=True):
    """A member as the panel was set."""

    person_id: UUID
    discipline: Name
    is_chair: bool

    @classmethod
    def of(cls, row: PanelMember) -> "Seated":
        return cls(row.person_id, row.discipline, row.is_chair)


class PanelSet(_OfLot, frozen=True, kw_only=True):
    """An officer set the panel, or changed it."""

    type: ClassVar[str] = "panel.set"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER,)
    readers: ClassVar[Scope | None] = Scope.EVALUATIONS_READ

    members: Everything[Seated]
    removed: Everything[UUID]


class InterestsDeclared(_OfLot, frozen=True, kw_only=True):
    """A member declared interests; the words are kept apart, as personal data."""

    type: ClassVar[str] = "interests.declared"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER,)
    readers: ClassVar[Scope | None] = Scope.EVALUATIONS_READ

    person_id: UUID
    has_conflict: bool


class ScoresRecorded(_OfLot, frozen=True, kw_only=True):
    """A member wrote scores down: how many, never which. The entry's digest covers them."""

    type: ClassVar[str] = "scores.recorded"
    told: ClassVar[tuple[Told, ...]] = (Told.PERSON,)

    person_id: UUID
    count: Count


class ScoresLocked(_OfLot, frozen=True, kw_only=True):
    """A member finished scoring. The entry's digest covers all of the member's scores."""

    type: ClassVar[str] = "scores.locked"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER,)
    readers: ClassVar[Scope | None] = Scope.EVALUATIONS_READ

    person_id: UUID
    count: Count


class ConsensusRecorded(_OfLot, frozen=True, kw_only=True):
    """The chair recorded agreed scores. The entry's digest covers them."""

    type: ClassVar[str] = "consensus.recorded"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER,)
    readers: ClassVar[Scope | None] = Scope.EVALUATIONS_READ

    count: Count


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """A bid's place and points."""

    bid_id: UUID
    rank: Count | None
    quality: Points
    social_value: Points
    price: Points
    total: Points

    @classmethod
    def of(cls, place: Place) -> "Ranked":
        return cls(
            bid_id=place.bid_id,
            rank=place.rank,
            quality=written(place.quality),
            social_value=written(place.social_value),
            price=written(place.price),
            total=written(place.total),
        )


class Agreed(msgspec.Struct, frozen=True):
    """An agreed score."""

    bid_id: UUID
    criterion_id: ItemKey
    score: Count


class EvaluationConcluded(_OfLot, frozen=True, kw_only=True):
    """The chair concluded the evaluation: every agreed score, every point, every place."""

    type: ClassVar[str] = "evaluation.concluded"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER,)
    readers: ClassVar[Scope | None] = Scope.EVALUATIONS_READ

    root: Digest
    consensus: Everything[Agreed]
    ranking: Everything[Ranked]

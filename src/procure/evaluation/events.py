"""What happens in an evaluation, as the journal tells it. The object is always the lot."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import msgspec

from procure.evaluation.models import PanelMember
from procure.evaluation.scoring import Place, written
from procure.journal.events import Event


class _OfLot(Event, frozen=True, kw_only=True):
    object_type: ClassVar[str] = "lot"


class OpeningApproved(_OfLot, frozen=True, kw_only=True):
    """An approver consented to open the lot, naming its seal's root."""

    type: ClassVar[str] = "opening.approved"

    root: str


class LotOpened(_OfLot, frozen=True, kw_only=True):
    """The opening record: by whom (nobody where the service opens by itself), which root, how many bids."""

    type: ClassVar[str] = "lot.opened"

    root: str
    openers: list[UUID]
    sealed: int
    opened: int
    unreadable: int
    opened_at: datetime


class Seated(msgspec.Struct, frozen=True):
    """A member as the panel was set."""

    person_id: UUID
    discipline: str
    is_chair: bool

    @classmethod
    def of(cls, row: PanelMember) -> "Seated":
        return cls(row.person_id, row.discipline, row.is_chair)


class PanelSet(_OfLot, frozen=True, kw_only=True):
    """An officer set the panel, or changed it."""

    type: ClassVar[str] = "panel.set"

    members: list[Seated]
    removed: list[UUID]


class InterestsDeclared(_OfLot, frozen=True, kw_only=True):
    """A member declared interests; the words are kept apart, as personal data."""

    type: ClassVar[str] = "interests.declared"

    person_id: UUID
    has_conflict: bool


class ScoresRecorded(_OfLot, frozen=True, kw_only=True):
    """A member wrote scores down: how many, never which. The entry's digest covers them."""

    type: ClassVar[str] = "scores.recorded"

    person_id: UUID
    count: int


class ScoresLocked(_OfLot, frozen=True, kw_only=True):
    """A member finished scoring. The entry's digest covers all of the member's scores."""

    type: ClassVar[str] = "scores.locked"

    person_id: UUID
    count: int


class ConsensusRecorded(_OfLot, frozen=True, kw_only=True):
    """The chair recorded agreed scores. The entry's digest covers them."""

    type: ClassVar[str] = "consensus.recorded"

    count: int


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """A bid's place and points."""

    bid_id: UUID
    rank: int | None
    quality: str
    social_value: str
    price: str
    total: str

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
    criterion_id: str
    score: int


class EvaluationConcluded(_OfLot, frozen=True, kw_only=True):
    """The chair concluded the evaluation: every agreed score, every point, every place."""

    type: ClassVar[str] = "evaluation.concluded"

    root: str
    consensus: list[Agreed]
    ranking: list[Ranked]

"""What is sent and answered about openings and evaluations. Points are decimal strings of four places."""

from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import Meta

from procure.bids.models import Bid
from procure.bids.rules import BidStatus
from procure.bids.schemas import BidContentView
from procure.evaluation.models import Consensus, PanelMember, RankedBid, Score
from procure.evaluation.scoring import SCORE_MAX, written
from procure.kit.fields import Digest, Everything, Instant, ItemKey, Line, Name, Paragraph, Points
from procure.organisations.schemas import Party

Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", min_length=64, max_length=64, description="32 bytes, hex.")]
CriterionId = Annotated[str, Meta(pattern=r"^C[0-9]{1,3}$", max_length=4)]

_BID_ID = "5f0c9f0e-6c53-4a6b-9b1c-0d4f2b6f8a10"


class OpeningConsent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Consent to open the bids that the lot's published seal commits to, named by the seal's root."""

    EXAMPLE: ClassVar[object] = {"root": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}

    root: Hex32


class OpeningView(msgspec.Struct, frozen=True, kw_only=True):
    """How far an opening is. `approved_by` holds the persons whose approvals count now; an approval lapses after 15 minutes."""

    lot_id: UUID
    root: Digest
    openers_needed: int
    approved_by: Annotated[list[UUID], Meta(max_length=10)]
    is_opened: bool


class OpenedBidView(msgspec.Struct, frozen=True, kw_only=True):
    """An opened bid as its evaluators read it. `content` is null where a bid could not be read."""

    id: UUID
    lot_id: UUID
    supplier: Party
    status: BidStatus
    digest: Digest
    received_at: Instant
    opened_at: Instant | None
    end_reason: Paragraph | None
    content: BidContentView | None
    version: int

    @classmethod
    def of(cls, row: Bid, currency: str) -> "OpenedBidView":
        return cls(
            id=row.id,
            lot_id=row.lot_id,
            supplier=Party(row.supplier_id, row.supplier_name or ""),
            status=row.status,
            digest=row.digest.hex(),
            received_at=row.received_at,
            opened_at=row.opened_at,
            end_reason=row.end_reason,
            content=BidContentView.of(row.content, currency) if row.content else None,
            version=row.version,
        )


class PanelMemberDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person of the panel and what they know about."""

    person_id: UUID
    discipline: Name
    is_chair: bool = False


class PanelDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole panel, as it shall be from now on."""

    EXAMPLE: ClassVar[object] = {
        "members": [
            {
                "person_id": "0199c0de-0000-7000-8000-000000000031",
                "discipline": "service design",
                "is_chair": True,
            },
            {"person_id": "0199c0de-0000-7000-8000-000000000032", "discipline": "engineering"},
        ]
    }

    members: Annotated[list[PanelMemberDraft], Meta(min_length=1, max_length=20)]


class PanelMemberView(msgspec.Struct, frozen=True, kw_only=True):
    """A member. `has_conflict` is null until interests are declared; with a conflict the member takes no part."""

    person_id: UUID
    discipline: Name
    is_chair: bool
    declared_at: Instant | None
    has_conflict: bool | None
    declaration: Paragraph | None
    locked_at: Instant | None

    @classmethod
    def of(cls, row: PanelMember, *, tells_all: bool) -> "PanelMemberView":
        return cls(
            person_id=row.person_id,
            discipline=row.discipline,
            is_chair=row.is_chair,
            declared_at=row.declared_at,
            has_conflict=row.has_conflict,
            declaration=row.declaration if tells_all else None,
            locked_at=row.locked_at,
        )


class PanelView(msgspec.Struct, frozen=True, kw_only=True):
    """A lot's panel. `lacks` says what the policy misses in it; `is_complete`: everybody has locked.

    The words of a declaration are for the officer, the auditor and the member who wrote them.
    """

    lot_id: UUID
    members: Annotated[list[PanelMemberView], Meta(max_length=20)]
    lacks: Annotated[list[Line], Meta(max_length=20)]
    is_complete: bool


class Declaration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member's interests in the lot and its bidders; with a conflict the member is recused."""

    EXAMPLE: ClassVar[object] = {
        "has_conflict": False,
        "declaration": "I hold no shares and have no family or former employer among the likely bidders.",
    }

    has_conflict: bool
    declaration: Paragraph


class ScoreEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A score for one bid on one criterion of quality or social value, 0 to 5, and why."""

    bid_id: UUID
    criterion_id: CriterionId
    score: Annotated[int, Meta(ge=0, le=SCORE_MAX)]
    rationale: Paragraph


class ScoreSheet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Scores to be written down; each replaces the one before for its bid and criterion, the others stay."""

    EXAMPLE: ClassVar[object] = {
        "scores": [
            {
                "bid_id": _BID_ID,
                "criterion_id": "C1",
                "score": 4,
                "rationale": "Shadows officers before proposing anything; says who does what in which week.",
            }
        ]
    }

    scores: Annotated[list[ScoreEntry], Meta(min_length=1, max_length=1000)]


class ScoreView(msgspec.Struct, frozen=True, kw_only=True):
    """What one member gave."""

    bid_id: UUID
    criterion_id: ItemKey
    person_id: UUID
    score: int
    rationale: Paragraph
    scored_at: Instant

    @classmethod
    def of(cls, row: Score) -> "ScoreView":
        return cls(
            bid_id=row.bid_id,
            criterion_id=row.criterion_id,
            person_id=row.person_id,
            score=row.score,
            rationale=row.rationale,
            scored_at=row.scored_at,
        )


class ConsensusView(msgspec.Struct, frozen=True, kw_only=True):
    """What the panel agreed."""

    bid_id: UUID
    criterion_id: ItemKey
    score: int
    rationale: Paragraph
    recorded_by: UUID
    recorded_at: Instant

    @classmethod
    def of(cls, row: Consensus) -> "ConsensusView":
        return cls(
            bid_id=row.bid_id,
            criterion_id=row.criterion_id,
            score=row.score,
            rationale=row.rationale,
            recorded_by=row.recorded_by,
            recorded_at=row.recorded_at,
        )


class ScoresView(msgspec.Struct, frozen=True, kw_only=True):
    """A lot's scores: until `is_revealed`, when every member has locked, your own alone."""

    lot_id: UUID
    is_revealed: bool
    scores: Everything[ScoreView]
    consensus: Everything[ConsensusView]


class RankedBidView(msgspec.Struct, frozen=True, kw_only=True):
    """A bid's place and points. `rank` is null below a minimum score."""

    bid_id: UUID
    supplier: Party
    rank: int | None
    quality: Points
    social_value: Points
    price: Points
    total: Points

    @classmethod
    def of(cls, row: RankedBid, bid: Bid) -> "RankedBidView":
        return cls(
            bid_id=row.bid_id,
            supplier=Party(bid.supplier_id, bid.supplier_name or ""),
            rank=row.rank,
            quality=written(row.quality),
            social_value=written(row.social_value),
            price=written(row.price),
            total=written(row.total),
        )


class RankingView(msgspec.Struct, frozen=True, kw_only=True):
    """The bids in order. Equal totals go by quality, then the lower price, then SHA-256(seal's `root` ‖ bid id), lowest first."""

    lot_id: UUID
    root: Digest
    ranked_at: Instant
    bids: Everything[RankedBidView]

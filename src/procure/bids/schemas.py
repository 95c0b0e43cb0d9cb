"""What is sent and answered about bids, and the seal that commits to them."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import Meta

from procure.bids.models import Bid, BidContent, BidMember, CriterionAnswer, LotSeal, Price, SealedBid
from procure.bids.rules import BidStatus, Given, SealingMode
from procure.kit.fields import Digest, Instant, ItemKey, KeyId, Markdown, Name, Paragraph
from procure.kit.money import CENT, Money

PlaceId = Annotated[str, Meta(min_length=1, max_length=16)]


class PriceDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one deliverable of the lot costs, net, in the lot's currency."""

    deliverable_id: PlaceId
    price: Money


class CriterionAnswerDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What you say to one criterion of quality or social value. The criterion of price is answered by the prices."""

    criterion_id: PlaceId
    text: Markdown


class BidMemberDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who would do the work."""

    name: Name
    discipline: Name


class BidDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A bid: each deliverable priced once, each criterion of quality and social value answered once, the team named."""

    EXAMPLE: ClassVar[object] = {
        "prices": [
            {"deliverable_id": "D1", "price": {"amount": "6250.00", "currency": "GBP"}},
            {"deliverable_id": "D2", "price": {"amount": "4800.00", "currency": "GBP"}},
        ],
        "answers": [
            {"criterion_id": "C1", "text": "We sit beside the officers for two weeks and follow each change by hand."},
            {"criterion_id": "C3", "text": "Two apprentices from the borough do a third of the work."},
        ],
        "team": [
            {"name": "A researcher of ours", "discipline": "user research"},
            {"name": "A designer of ours", "discipline": "service design"},
        ],
    }

    prices: Annotated[list[PriceDraft], Meta(max_length=100)]
    answers: Annotated[list[CriterionAnswerDraft], Meta(max_length=20)]
    team: Annotated[list[BidMemberDraft], Meta(max_length=50)]

    def given(self) -> Given:
        """As the rules judge it."""
        return Given(
            prices=[(one.deliverable_id, one.price.value, one.price.currency) for one in self.prices],
            answers=[(one.criterion_id, one.text) for one in self.answers],
            team_size=len(self.team),
        )

    def content(self) -> BidContent:
        """As it is sealed, once it has been judged: amounts with two places, in the lot's currency."""
        return BidContent(
            prices=[Price(one.deliverable_id, one.price.value.quantize(CENT)) for one in self.prices],
            answers=[CriterionAnswer(one.criterion_id, one.text) for one in self.answers],
            team=[BidMember(one.name, one.discipline) for one in self.team],
        )


def given(content: BidContent, currency: str) -> Given:
    """What was sealed, as the rules judge it once more at the opening."""
    return Given(
        prices=[(one.deliverable_id, one.amount, currency) for one in content.prices],
        answers=[(one.criterion_id, one.text) for one in content.answers],
        team_size=len(content.team),
    )


class BidReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What is told about a sealed bid, to its supplier alone. `digest`: SHA-256 of the sealed bytes. Keep your own copy of the bid."""

    id: UUID
    lot_id: UUID
    version: int
    status: BidStatus
    digest: Digest
    received_at: Instant
    lot_version: int
    key_id: KeyId
    sealing_mode: SealingMode

    @classmethod
    def of(cls, bid: Bid | SealedBid, status: BidStatus, received_at: datetime) -> "BidReceipt":
        return cls(
            id=bid.id,
            lot_id=bid.lot_id,
            version=bid.version,
            status=status,
            digest=bid.digest.hex(),
            received_at=received_at,
            lot_version=bid.lot_version,
            key_id=bid.key_id,
            sealing_mode=bid.sealing_mode,
        )


class PricedDeliverable(msgspec.Struct, frozen=True):
    """What one deliverable costs, net."""

    deliverable_id: ItemKey
    price: Money


class BidContentView(msgspec.Struct, frozen=True, kw_only=True):
    """What an opened bid says. `total` is the sum of its prices, net."""

    prices: Annotated[list[PricedDeliverable], Meta(max_length=100)]
    answers: Annotated[list[CriterionAnswer], Meta(max_length=20)]
    team: Annotated[list[BidMember], Meta(max_length=50)]
    total: Money

    @classmethod
    def of(cls, content: BidContent, currency: str) -> "BidContentView":
        return cls(
            prices=[PricedDeliverable(one.deliverable_id, Money.of(one.amount, currency)) for one in content.prices],
            answers=content.answers,
            team=content.team,
            total=Money.of(content.total, currency),
        )


class BidView(msgspec.Struct, frozen=True, kw_only=True):
    """A supplier's own bid. Until the opening only its receipt's facts: what is sealed can be read back by nobody."""

    id: UUID
    lot_id: UUID
    version: int
    status: BidStatus
    digest: Digest
    received_at: Instant
    lot_version: int
    key_id: KeyId
    sealing_mode: SealingMode
    opened_at: Instant | None
    end_reason: Paragraph | None
    content: BidContentView | None

    @classmethod
    def of(cls, row: Bid, status: BidStatus, currency: str) -> "BidView":
        return cls(
            id=row.id,
            lot_id=row.lot_id,
            version=row.version,
            status=status,
            digest=row.digest.hex(),
            received_at=row.received_at,
            lot_version=row.lot_version,
            key_id=row.key_id,
            sealing_mode=row.sealing_mode,
            opened_at=row.opened_at,
            end_reason=row.end_reason,
            content=BidContentView.of(row.content, currency) if row.content else None,
        )


class SealView(msgspec.Struct, frozen=True, kw_only=True):
    """The commitment at the deadline: how many bids, and the RFC 9162 Merkle root over them, in hex (docs: sealing)."""

    lot_id: UUID
    count: int
    root: Digest
    sealed_at: Instant

    @classmethod
    def of(cls, row: LotSeal) -> "SealView":
        return cls(lot_id=row.lot_id, count=row.count, root=row.root.hex(), sealed_at=row.sealed_at)

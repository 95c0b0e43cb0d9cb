"""Bids, sealed until opened, and the seal that commits to all of a lot's at its deadline."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from procure.bids.rules import NEXT, BidStatus, SealingMode
from procure.kit.canonical import digest
from procure.kit.db import Base, Structs, Versioned
from procure.kit.fields import ItemKey, Markdown, Name
from procure.kit.money import total


class Price(msgspec.Struct, frozen=True):
    """What one deliverable of the lot costs, net."""

    deliverable_id: str
    amount: Decimal


class CriterionAnswer(msgspec.Struct, frozen=True):
    """What the bid says to one criterion of quality or social value."""

    criterion_id: ItemKey
    text: Markdown


class BidMember(msgspec.Struct, frozen=True):
    """Somebody of the team that would do the work."""

    name: Name
    discipline: Name


class BidContent(msgspec.Struct, frozen=True):
    """What is sealed. In the row only once the bid has been opened."""

    prices: list[Price]
    answers: list[CriterionAnswer]
    team: list[BidMember]

    @property
    def total(self) -> Decimal:
        return total(price.amount for price in self.prices)


class Bid(Versioned, Base):
    """A supplier's bid for a lot. `version` counts what was submitted; each replaces the one before it.

    `sealed` is the HPKE ciphertext, `digest` its SHA-256, `received_at` the database's clock read after the lot's lock
    (docs/rules.md, rule a), `lot_version` the version of the lot that the bid was made for.
    """

    __tablename__ = "bids"
    __table_args__ = (
        # One live bid per supplier and lot.
        Index("uq_bids_live", "lot_id", "supplier_id", unique=True, postgresql_where="status <> 'withdrawn'"),
        Index("ix_bids_supplier_id", "supplier_id", "created_at", "id"),
        CheckConstraint(
            "(status IN ('submitted', 'withdrawn', 'unreadable')) OR content IS NOT NULL OR status = 'unsuccessful'",
            name="opened",
        ),
        CheckConstraint("status <> 'lapsed'", name="lapsed_is_derived"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lots.id"))
    supplier_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    status: Mapped[BidStatus] = mapped_column(default=BidStatus.SUBMITTED)
    lot_version: Mapped[int]
    key_id: Mapped[str]
    sealing_mode: Mapped[SealingMode]
    sealed: Mapped[bytes]
    digest: Mapped[bytes]
    received_at: Mapped[datetime]
    submitted_by: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    supplier_name: Mapped[str | None]
    content: Mapped[BidContent | None] = mapped_column(Structs(BidContent))
    total: Mapped[Decimal | None]
    opened_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.app_now())

    def move_to(self, status: BidStatus) -> None:
        # `version` is that of the submission, which digest and seal name: moving a bid leaves it alone.
        assert status in NEXT[self.status], f"{self.status} -> {status}"
        self.status = status


class SealedBid(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a bid that is about to be stored: the columns of `Bid` that are known before it is received."""

    id: UUID
    lot_id: UUID
    supplier_id: UUID
    version: int
    lot_version: int
    key_id: str
    sealing_mode: SealingMode
    sealed: bytes
    digest: bytes
    submitted_by: UUID | None


class BidFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a bid's last journal entry vouches for, by the digest of this; `digest` stands for the sealed bytes."""

    id: UUID
    lot_id: UUID
    supplier_id: UUID
    status: BidStatus
    version: int
    lot_version: int
    key_id: str
    sealing_mode: SealingMode
    digest: str
    received_at: str
    submitted_by: UUID | None
    content: str | None = None
    total: str | None = None
    opened_at: str | None = None
    end_reason: str | None = None


def facts(bid: Bid) -> BidFacts:
    """The facts of a stored bid; `statements` writes those of one that is about to be."""
    return BidFacts(
        id=bid.id,
        lot_id=bid.lot_id,
        supplier_id=bid.supplier_id,
        status=bid.status,
        version=bid.version,
        lot_version=bid.lot_version,
        key_id=bid.key_id,
        sealing_mode=bid.sealing_mode,
        digest=bid.digest.hex(),
        received_at=instant(bid.received_at),
        submitted_by=bid.submitted_by,
        content=digest(bid.content).hex() if bid.content else None,
        total=f"{bid.total:f}" if bid.total is not None else None,
        opened_at=instant(bid.opened_at) if bid.opened_at else None,
        end_reason=bid.end_reason,
    )


def instant(moment: datetime) -> str:
    """UTC with all six places of the microsecond: the one form that SQL can write as well (`statements`)."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class LotSeal(Base):
    """The commitment at the deadline: how many bids, and the RFC 9162 Merkle root over them. Insert-only."""

    __tablename__ = "lot_seals"

    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lots.id"), primary_key=True)
    count: Mapped[int]
    root: Mapped[bytes]
    sealed_at: Mapped[datetime]

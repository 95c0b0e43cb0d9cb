"""Openings, the panel, its scores and the ranking."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from procure.evaluation.rules import Seat
from procure.kit.db import Base, Versioned


class OpeningApproval(Base):
    """An approver's consent to open, naming the seal's root; two different persons' within 15 minutes open a covered lot."""

    __tablename__ = "opening_approvals"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lots.id"), index=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    root: Mapped[bytes]
    approved_at: Mapped[datetime]


class PanelMember(Versioned, Base):
    """A person of the panel: what they know, whether they declared a conflict, whether their scores are locked."""

    __tablename__ = "panel_members"

    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lots.id"), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), primary_key=True)
    discipline: Mapped[str]
    is_chair: Mapped[bool]
    declared_at: Mapped[datetime | None]
    has_conflict: Mapped[bool | None]
    declaration: Mapped[str | None]
    locked_at: Mapped[datetime | None]

    @property
    def seat(self) -> Seat:
        """The member as the rules judge them."""
        return Seat(
            person_id=self.person_id,
            discipline=self.discipline,
            is_chair=self.is_chair,
            has_declared=self.declared_at is not None,
            has_conflict=bool(self.has_conflict),
            has_locked=self.locked_at is not None,
        )


class Score(Base):
    """What one member gives one bid on one criterion, 0 to 5, with a rationale."""

    __tablename__ = "scores"
    __table_args__ = (CheckConstraint("score BETWEEN 0 AND 5", name="range"),)

    bid_id: Mapped[UUID] = mapped_column(ForeignKey("bids.id"), primary_key=True)
    criterion_id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), primary_key=True)
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lots.id"), index=True)
    score: Mapped[int]
    rationale: Mapped[str]
    scored_at: Mapped[datetime]


class Consensus(Base):
    """What the panel agreed for one bid on one criterion, recorded by the chair."""

    __tablename__ = "consensus_scores"
    __table_args__ = (CheckConstraint("score BETWEEN 0 AND 5", name="range"),)

    bid_id: Mapped[UUID] = mapped_column(ForeignKey("bids.id"), primary_key=True)
    criterion_id: Mapped[str] = mapped_column(primary_key=True)
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lots.id"), index=True)
    score: Mapped[int]
    rationale: Mapped[str]
    recorded_by: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    recorded_at: Mapped[datetime]


class RankedBid(Base):
    """A bid's place once the panel has agreed: points out of 100. Insert-only.

    `total` is quality, social value and price together; social value is what the other two leave of it.
    """

    __tablename__ = "ranked_bids"

    bid_id: Mapped[UUID] = mapped_column(ForeignKey("bids.id"), primary_key=True)
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lots.id"), index=True)
    #: None below a minimum score: the bid is not taken further.
    rank: Mapped[int | None]
    quality: Mapped[Decimal] = mapped_column(Numeric(7, 4))
    price: Mapped[Decimal] = mapped_column(Numeric(7, 4))
    total: Mapped[Decimal] = mapped_column(Numeric(7, 4))
    ranked_at: Mapped[datetime]

    @property
    def social_value(self) -> Decimal:
        return self.total - self.quality - self.price

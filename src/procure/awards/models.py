"""The table of awards."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Sequence, func
from sqlalchemy.orm import Mapped, mapped_column

from procure.awards.rules import NEXT, AwardStatus
from procure.kit.db import Base, Versioned

reference_numbers = Sequence("award_references", metadata=Base.metadata)


class Award(Versioned, Base):
    """A bid chosen. Signature waits until `standstill_ends_at`, which is known once the band's award notice is."""

    __tablename__ = "awards"
    __table_args__ = (
        Index("ix_awards_lot_id", "lot_id", "created_at", "id"),
        # One award at a time: the next one only after this was refused or withdrawn.
        Index("uq_awards_live", "lot_id", unique=True, postgresql_where="status IN ('recommended', 'approved')"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lots.id"))
    bid_id: Mapped[UUID] = mapped_column(ForeignKey("bids.id"))
    buyer_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    supplier_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    supplier_name: Mapped[str]
    value: Mapped[Decimal]
    currency: Mapped[str]
    status: Mapped[AwardStatus] = mapped_column(default=AwardStatus.RECOMMENDED)
    reason: Mapped[str]
    recommended_by: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None]
    notice_id: Mapped[str | None]
    notice_ocid: Mapped[str | None]
    notice_at: Mapped[datetime | None]
    standstill_ends_at: Mapped[datetime | None]
    withdrawn_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.app_now())

    def move_to(self, status: AwardStatus) -> None:
        assert status in NEXT[self.status], f"{self.status} -> {status}"
        self.status = status
        self.touch()

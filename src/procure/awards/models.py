"""The table of awards. `move_to` is the only place where a status is assigned."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Sequence, func
from sqlalchemy.orm import Mapped, mapped_column

from procure.awards.rules import NEXT, AwardStatus
from procure.kit.db import Base, Versioned
from procure.kit.money import Money

reference_numbers = Sequence("award_references", metadata=Base.metadata)


class Award(Versioned, Base):
    """A bid chosen. Signature waits until `standstill_ends_at`, which is known once the band's award notice is.

    An award changes only under its lot's lock.
    """

    __tablename__ = "awards"
    __table_args__ = (
        Index("ix_awards_lot_id", "lot_id", "created_at", "id"),
        Index("ix_awards_created_at", "created_at", "id"),
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


def facts(row: Award) -> dict[str, object]:
    """What an entry's digest vouches for."""
    return {
        "id": row.id,
        "lot_id": row.lot_id,
        "bid_id": row.bid_id,
        "supplier_id": row.supplier_id,
        "value": Money.of(row.value, row.currency),
        "status": row.status,
        "recommended_by": row.recommended_by,
        "decided_by": row.decided_by,
        "decided_at": row.decided_at,
        "notice_at": row.notice_at,
        "standstill_ends_at": row.standstill_ends_at,
    }

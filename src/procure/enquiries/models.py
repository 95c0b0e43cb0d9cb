"""The table of enquiries. `supplier_id` is the asker's and leaves this package for nobody else."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from procure.kit.db import Base, Versioned


class Enquiry(Versioned, Base):
    """A question of a supplier, published without its name, and the officer's answer."""

    __tablename__ = "enquiries"
    __table_args__ = (Index("ix_enquiries_lot_id", "lot_id", "asked_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lots.id"))
    supplier_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    question: Mapped[str]
    asked_at: Mapped[datetime]
    answer: Mapped[str | None]
    answered_by: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    answered_at: Mapped[datetime | None]

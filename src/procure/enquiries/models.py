"""The table of enquiries. `supplier_id` is the asker's and leaves this package for nobody else."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from procure.enquiries.rules import NEXT, EnquiryStatus, Ground
from procure.kit.db import Base, Versioned


class Enquiry(Versioned, Base):
    """A question of a supplier as it was asked, what of it is published, and how its asker was answered.

    `wording`, `answer` and `drafted_by` are a draft until `published_at`, and what everybody reads from then on. `answered_at` is when the
    asker first had an answer: published, merged or private.
    """

    __tablename__ = "enquiries"
    __table_args__ = (
        Index("ix_enquiries_lot_id", "lot_id", "asked_at", "id"),
        # What others read: they learn nothing of the rest from how long it takes.
        Index("ix_enquiries_published", "lot_id", "asked_at", "id", postgresql_where="published_at IS NOT NULL"),
        CheckConstraint("(answer IS NULL) = (wording IS NULL)", name="drafted"),
        CheckConstraint("(status = 'published') = (published_at IS NOT NULL)", name="published"),
        CheckConstraint("published_at IS NULL OR answer IS NOT NULL", name="published_with_answer"),
        CheckConstraint("(status = 'merged') = (merged_into_id IS NOT NULL)", name="merged"),
        CheckConstraint("(status = 'unanswered') = (answered_at IS NULL)", name="answered"),
        CheckConstraint(
            "(reply IS NULL) = (ground IS NULL) AND (reply IS NULL) = (reply_reason IS NULL)"
            " AND (reply IS NULL) = (replied_at IS NULL) AND (status <> 'replied' OR reply IS NOT NULL)",
            name="replied",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lots.id"))
    supplier_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    status: Mapped[EnquiryStatus] = mapped_column(default=EnquiryStatus.UNANSWERED)
    question: Mapped[str]
    asked_at: Mapped[datetime]
    wording: Mapped[str | None]
    answer: Mapped[str | None]
    drafted_by: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    answered_at: Mapped[datetime | None]
    published_by: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    published_at: Mapped[datetime | None]
    reply: Mapped[str | None]
    ground: Mapped[Ground | None]
    reply_reason: Mapped[str | None]
    replied_by: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    replied_at: Mapped[datetime | None]
    merged_into_id: Mapped[UUID | None] = mapped_column(ForeignKey("enquiries.id"))

    def move_to(self, status: EnquiryStatus, at: datetime) -> None:
        assert status in NEXT[self.status], f"{self.status} -> {status}"
        self.status, self.answered_at = status, self.answered_at or at
        self.touch()

"""The outbox."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped, mapped_column

from procure.kit.db import Base


class OutgoingMail(Base):
    """A letter that has not been sent yet, unreadable without the key beside the database; its row goes once it has been.

    All instants are the machine's time. It is not tried before `due_at`, which whoever tries it puts off first; nor from `until` on.
    """

    __tablename__ = "outgoing_mails"
    __table_args__ = (Index("ix_outgoing_mails_due_at", "due_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    until: Mapped[datetime]

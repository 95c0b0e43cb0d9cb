"""Registrations that wait for their codes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped, mapped_column

from procure.kit.db import Base
from procure.organisations.rules import Nation


class Registration(Base):
    """A supplier who wants to be one, until whoever reads the mail says so. All instants are the machine's time.

    Of the code the hash is kept. `address_mark` and `network_mark` are what letters and registrations are counted by
    (`mail.sealing`); who comes through a proxy that nobody has named has no network address of their own. `is_written_to` is
    false where the mailbox has had its letters for the day, and the organisation's code reached nobody.
    """

    __tablename__ = "registrations"
    __table_args__ = (
        Index("ix_registrations_address_mark", "address_mark", "created_at"),
        Index("ix_registrations_network_mark", "network_mark", "created_at"),
        Index("ix_registrations_created_at", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    scheme: Mapped[str]
    identifier: Mapped[str]
    nation: Mapped[Nation]
    contact_name: Mapped[str]
    email: Mapped[str]
    address_mark: Mapped[bytes]
    network_mark: Mapped[bytes | None]
    is_written_to: Mapped[bool]
    code_hash: Mapped[bytes]
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]

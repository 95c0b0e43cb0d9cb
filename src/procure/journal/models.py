"""Insert-only tables: the entries and what of them is personal; and what the sealer makes of them, the public order and its tree."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    Text,
    cast,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from procure.kit.db import Base


class JsonText(TypeDecorator[str]):
    """A json column whose value here is its exact text; encoded once more it would be a string that holds the document."""

    impl = JSON
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy calls it so
        return None

    def column_expression(self, column: ColumnElement[str]) -> ColumnElement[str]:
        return cast(column, Text)


class JournalEntry(Base):
    """One thing that happened, or was refused. `payload` is kept as the exact text that was hashed, hence json, not jsonb.

    `xid` and `cluster` let the sealer order entries below a snapshot's xmin; an xid means nothing in another cluster.
    `hold` keeps an entry out of the public order until the hold ends (the bids of an open lot).
    """

    __tablename__ = "journal_entries"
    __table_args__ = (
        Index("ix_journal_entries_object", "object_type", "object_id", "id"),
        Index("ix_journal_entries_hold", "hold", postgresql_where=text("hold IS NOT NULL")),
        Index("ix_journal_entries_order", "cluster", "xid"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    xid: Mapped[int] = mapped_column(BigInteger, server_default=text("app_xid()"))
    cluster: Mapped[int] = mapped_column(BigInteger, server_default=text("app_cluster()"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    at: Mapped[datetime] = mapped_column(server_default=func.app_now())
    type: Mapped[str]
    event_version: Mapped[int]
    object_type: Mapped[str]
    object_id: Mapped[UUID | None]
    object_version: Mapped[int | None]
    organisation_id: Mapped[UUID | None]
    client_id: Mapped[UUID | None]
    person_id: Mapped[UUID | None]
    request_id: Mapped[str | None]
    payload: Mapped[str] = mapped_column(JsonText)
    digest: Mapped[bytes | None]
    personal_hash: Mapped[bytes | None]
    hold: Mapped[UUID | None]
    is_public: Mapped[bool]
    audience_organisations: Mapped[list[UUID]]
    audience_roles: Mapped[list[str]]
    audience_persons: Mapped[list[UUID]]


class JournalPersonal(Base):
    """What of an entry is personal. The entry holds SHA-256(salt ‖ data); erasing this row breaks no proof."""

    __tablename__ = "journal_personal"

    entry_id: Mapped[int] = mapped_column(ForeignKey("journal_entries.id"), primary_key=True, autoincrement=False)
    salt: Mapped[bytes]
    data: Mapped[bytes]


class JournalHoldEnd(Base):
    """A hold's end, written once by what ends it (a lot's seal, or its cancellation)."""

    __tablename__ = "journal_hold_ends"
    __table_args__ = (Index("ix_journal_hold_ends_order", "cluster", "xid"),)

    hold: Mapped[UUID] = mapped_column(primary_key=True)
    ended_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    xid: Mapped[int] = mapped_column(BigInteger, server_default=text("app_xid()"))
    cluster: Mapped[int] = mapped_column(BigInteger, server_default=text("app_cluster()"))


class JournalPosition(Base):
    """An entry's place in the one public order, from 1 on without a gap, and the hash of its leaf (`journal.documents`)."""

    __tablename__ = "journal_positions"

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(ForeignKey("journal_entries.id"), unique=True)
    leaf_hash: Mapped[bytes]


class JournalNode(Base):
    """A complete subtree of the positions' tree, of each eighth level: a proof folds 255 hashes of a level at most, never all leaves."""

    __tablename__ = "journal_nodes"

    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    index: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes]


class JournalCheckpoint(Base):
    """The tree as it was after one batch: its size, its root, the signed note that says so; and how far the sealer had come.

    Ordered are all entries of `cluster` whose xid is below `below`, and those below `until` up to the id `last_id` while a batch
    did not hold them all.
    """

    __tablename__ = "journal_checkpoints"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[bytes]
    frontier: Mapped[bytes]
    note: Mapped[str]
    sealed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    cluster: Mapped[int] = mapped_column(BigInteger)
    below: Mapped[int] = mapped_column(BigInteger)
    until: Mapped[int | None] = mapped_column(BigInteger)
    last_id: Mapped[int] = mapped_column(BigInteger)


class JournalTimestamp(Base):
    """An authority's stamp of a checkpoint's signed note (RFC 3161): its whole answer, the time that it says, and its address."""

    __tablename__ = "journal_timestamps"

    size: Mapped[int] = mapped_column(ForeignKey("journal_checkpoints.size"), primary_key=True, autoincrement=False)
    reply: Mapped[bytes]
    stamped_at: Mapped[datetime]
    authority: Mapped[str]

"""The database: one declarative base, the session's life in a request, the locks and their order.

Locks are taken in one order everywhere: outcome → lot → bid → contract → invoice. A lot's lock is an advisory one beside its row, since
bids only share it (`share`), and whoever closes, extends, cancels, seals or opens takes it alone (`exclude`): row locks shared
by bidders starve the officer who wants to extend. The clock is read in a later statement than the lock.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Protocol
from uuid import UUID

import msgspec
from sqlalchemy import (
    ARRAY,
    Boolean,
    Date,
    DateTime,
    Dialect,
    Enum,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from procure.kit.errors import Fact

Sessions = async_sessionmaker[AsyncSession]
Recorder = Callable[[AsyncSession, object], Awaitable[None]]
LOCK_TIMEOUT_S = 10
STATEMENT_TIMEOUT_S = 30

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table's base: text without length limits (the API bounds it), instants with zone, money as numeric(14, 2)."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {
        str: Text,
        StrEnum: Enum(
            StrEnum,
            native_enum=False,
            create_constraint=True,
            length=32,
            values_callable=lambda choices: [choice.value for choice in choices],
        ),
        int: Integer,
        bool: Boolean,
        bytes: LargeBinary,
        date: Date,
        datetime: DateTime(timezone=True),
        Decimal: Numeric(14, 2),
        UUID: Uuid,
        list[str]: ARRAY(Text),
        list[UUID]: ARRAY(Uuid),
    }


class Versioned:
    """An aggregate's version: 1 when made, one more with each change, also the guard against a lost update."""

    version: Mapped[int] = mapped_column(Integer, nullable=False, default=1)

    def touch(self) -> None:
        self.version = self.version + 1


class Structs(TypeDecorator[Any]):
    """Values of a msgspec type in one JSONB column: read back as what was written, checked on the way in and out. None is NULL."""

    impl = JSONB
    cache_ok = True

    def __init__(self, type_: Any) -> None:
        super().__init__(none_as_null=True)
        self.type_ = type_

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        return msgspec.to_builtins(value) if value is not None else None

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        return msgspec.convert(value, self.type_) if value is not None else None


def server_settings() -> dict[str, str]:
    """What every connection of the service sets: bounded waits, UTC, and no compilation of queries that run for a millisecond.

    Over TCP the server also finds out within a minute that this machine has vanished, and lets go of what it had locked.
    """
    return {
        "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
        "lock_timeout": f"{LOCK_TIMEOUT_S}s",
        "timezone": "UTC",
        "jit": "off",
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
    }


def make_engine(url: str, *, pool_size: int = 10, silence_s: float = STATEMENT_TIMEOUT_S + 5) -> AsyncEngine:
    """An engine with bounded waits: 5 s for a connection, 10 s for a lock, 30 s for a statement, `silence_s` for a word of the server."""
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        hide_parameters=True,  # what a failing statement was given is nobody's to read in a log
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=msgspec.json.decode,
        connect_args={
            "timeout": 5,
            "command_timeout": silence_s,  # the server's own bounds speak first, unless it has vanished
            "server_settings": server_settings(),
        },
    )


def make_sessions(engine: AsyncEngine) -> Sessions:
    return async_sessionmaker(engine, expire_on_commit=False, autoflush=False)


def make_readers(engine: AsyncEngine) -> Sessions:
    """Sessions on the same connections, for what reads one resource by several statements: all of them see one moment.

    Else a body could hold the old version and a child that came a moment later, under the tag of the old version's bytes. Said with
    BEGIN, it costs no round trip.
    """
    return make_sessions(engine.execution_options(isolation_level="REPEATABLE READ"))


class Once(Protocol):
    """A request that is done once for its key (`kit.idempotency`), or not at all (`kit.trial`): what a unit of work has to know of it.

    `records` is whether refusals are put on the record.
    """

    records: ClassVar[bool]

    async def begin(self, db: AsyncSession) -> None:
        """Take the key; raises what ends the request if somebody holds it, or a reply is kept."""
        ...

    async def keep(self, db: AsyncSession) -> None:
        """Store the reply, if it has been made."""
        ...

    def answer(self, result: object) -> None:
        """Make the reply, of a refusal here."""
        ...

    def refused(self) -> Exception:
        """What to raise for the refusal that has been kept."""
        ...


Work = Callable[[Once | None], AbstractAsyncContextManager[AsyncSession]]


@asynccontextmanager
async def transaction(
    sessions: Sessions, record: Recorder, once: Once | None = None, *, readers: Sessions | None = None
) -> AsyncGenerator[AsyncSession]:
    """One unit of work: committed at the end, rolled back on any exception; with a key, done once. `readers`: it only reads.

    A refusal that has to be on the record is carried by its exception and written here, in a transaction of its own *after* the
    rollback: a second session opened while the first still holds a lock would deadlock where PostgreSQL can't see it. If it is kept
    for its key as well, the key is taken again, since the rollback has let it go.
    """
    async with (readers or sessions)() as db:
        try:
            if once is not None:
                await once.begin(db)
            yield db
            if once is not None:
                await once.keep(db)
            await db.commit()
        except Fact as fact:
            await db.rollback()
            if fact.refusal is None or (once is not None and not once.records):
                raise
            refused = fact
        except BaseException:
            await db.rollback()
            raise
        else:
            return
    raised: Exception = refused
    async with sessions() as db:
        if once is not None and refused.is_kept:
            await once.begin(db)
            once.answer(refused)
            await once.keep(db)
            raised = once.refused()
        await record(db, refused.refusal)
        await db.commit()
    raise raised


def _lock_key(lot_id: UUID) -> int:
    """An advisory lock's key: 63 bits of the lot's id. Two lots that met on one key would wait for each other, no more."""
    return int.from_bytes(lot_id.bytes[-8:], "big") >> 1


def sharing(lot_id: UUID) -> str:
    """`share` as one statement without values, for a unit of the driver (`kit.driver`) to begin with."""
    return f"SELECT pg_advisory_xact_lock_shared({_lock_key(lot_id)})"


async def share(db: AsyncSession, lot_id: UUID) -> None:
    """What a bid or a question takes: many at once, and never beside `exclude`."""
    await db.execute(_SHARE, {"key": _lock_key(lot_id)})


async def exclude(db: AsyncSession, lot_id: UUID) -> None:
    """What moves a lot's calendar or status takes, before the row's own lock."""
    await db.execute(_EXCLUDE, {"key": _lock_key(lot_id)})


_SHARE = text("SELECT pg_advisory_xact_lock_shared(:key)")
_EXCLUDE = text("SELECT pg_advisory_xact_lock(:key)")

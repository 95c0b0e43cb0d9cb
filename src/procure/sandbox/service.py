"""Moving the clock, and telling whether a database is a sandbox's."""

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from procure.journal import service as journal
from procure.journal.events import within
from procure.kit import clock
from procure.kit.actor import Actor
from procure.sandbox.errors import ClockBackwards
from procure.sandbox.events import ClockMoved
from procure.sandbox.models import SandboxClock

_LOCK = select(func.pg_advisory_xact_lock(0x50524F43))


async def ahead(db: AsyncSession) -> timedelta:
    return await db.scalar(select(SandboxClock.ahead)) or timedelta(0)


async def move(db: AsyncSession, actor: Actor, to: datetime) -> datetime:
    """Let procurement's time be `to` from now on; never backwards, also when two callers move it at once."""
    await db.execute(_LOCK)
    now = await clock.now(db)
    if to < now:
        raise ClockBackwards(f"It is {now.isoformat()} already; the clock only moves forward.")
    added = await ahead(db) + (to - now)
    statement = insert(SandboxClock).values(one_row=True, ahead=added)
    await db.execute(statement.on_conflict_do_update(index_elements=["one_row"], set_={"ahead": added}))
    await journal.record(db, actor, ClockMoved(object_id=None, to=to), within(actor.organisation_id))
    return await clock.now(db)


async def is_sandbox(db: AsyncSession) -> bool:
    """Whether this database's clock is moved, or could be by the connected role."""
    writable = func.has_table_privilege(SandboxClock.__tablename__, "INSERT")
    moved = select(SandboxClock).exists()
    return bool(cast("Any", await db.scalar(select(writable | moved))))

"""The sandbox's clock: it only goes forward, for everybody at once, and not at all where there is no sandbox."""

import asyncio
from datetime import datetime, timedelta

import msgspec
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from build import operator
from conftest import World
from procure.journal.models import JournalEntry
from procure.kit import clock
from procure.sandbox import service as sandbox
from procure.sandbox.errors import ClockBackwards


async def test_the_clock_goes_on_from_where_it_was_put(db: AsyncSession) -> None:
    actor = await operator(db)
    to = await clock.now(db) + timedelta(days=14)
    now = await sandbox.move(db, actor, to)
    assert to <= now < to + timedelta(seconds=5)
    assert await clock.now(db) > now
    assert timedelta(days=13, hours=23) < await sandbox.ahead(db) <= timedelta(days=14)


async def test_moves_add_up_and_none_goes_back(db: AsyncSession) -> None:
    actor = await operator(db)
    start = await clock.now(db)
    for days in (1, 3, 10):
        await sandbox.move(db, actor, start + timedelta(days=days))
    with pytest.raises(ClockBackwards):
        await sandbox.move(db, actor, start + timedelta(days=9))
    assert start + timedelta(days=10) <= await clock.now(db) < start + timedelta(days=10, minutes=1)


async def test_a_move_is_on_the_record(db: AsyncSession) -> None:
    actor = await operator(db)
    to = await clock.now(db) + timedelta(days=1)
    await sandbox.move(db, actor, to)
    entry = (await db.scalars(select(JournalEntry).where(JournalEntry.type == "sandbox.clock_moved"))).one()
    payload = await db.scalar(text("SELECT payload::text FROM journal_entries WHERE type = 'sandbox.clock_moved'"))
    assert msgspec.json.decode(payload or "")["to"] == to.isoformat().replace("+00:00", "Z")
    assert entry.person_id == actor.person_id


async def test_two_who_move_it_at_once_never_move_it_back(world: World) -> None:
    async with world.sessions() as db:
        start = await clock.now(db)

    async def move(days: int) -> datetime | None:
        async with world.sessions() as db:
            actor = await operator(db)
            try:
                moved = await sandbox.move(db, actor, start + timedelta(days=days))
            except ClockBackwards:
                return None
            await db.commit()
            return moved

    moved = await asyncio.gather(*(move(days) for days in range(1, 13)))
    reached = [moment for moment in moved if moment is not None]
    async with world.sessions() as db:
        assert start + timedelta(days=12) <= await clock.now(db) < start + timedelta(days=12, minutes=1)
        assert max(reached) <= await clock.now(db)


async def test_a_database_that_is_no_sandboxs_says_so_and_does_not_move(world: World) -> None:
    owner = create_async_engine(world.urls.owner, poolclass=NullPool)
    async with owner.begin() as connection:
        await connection.execute(text("REVOKE INSERT, UPDATE ON sandbox_clock FROM procure_app"))
    async with world.sessions() as db:
        assert not await sandbox.is_sandbox(db)
        actor = await operator(db)
        with pytest.raises(ProgrammingError, match="permission denied"):
            await sandbox.move(db, actor, await clock.now(db) + timedelta(days=1))
    async with owner.begin() as connection:
        await connection.execute(text("INSERT INTO sandbox_clock VALUES (true, interval '1 second')"))
    await owner.dispose()
    async with world.sessions() as db:
        assert await sandbox.is_sandbox(db)

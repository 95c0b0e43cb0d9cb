"""The clock that decides is the database's, read anew at each asking."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from procure.kit import clock
from procure.kit.clock import app_now

AHEAD = text(
    "INSERT INTO sandbox_clock VALUES (true, :by) ON CONFLICT (one_row) DO UPDATE SET ahead = sandbox_clock.ahead + :by"
)


async def test_it_goes_on_within_a_transaction(db: AsyncSession) -> None:
    first = await clock.now(db)
    started = await db.scalar(text("SELECT now()"))
    second = await clock.now(db)
    assert started is not None
    assert started <= first < second


async def test_it_is_utc_to_the_microsecond(db: AsyncSession) -> None:
    readings = [await clock.now(db) for _ in range(20)]
    assert all(reading.tzinfo is UTC for reading in readings)
    assert any(reading.microsecond % 1000 for reading in readings)


async def test_it_is_the_wall_clock_where_no_sandbox_moved_it(db: AsyncSession) -> None:
    assert abs(await clock.now(db) - clock.wall_now()) < timedelta(seconds=5)


async def test_the_sandbox_moves_it_and_leaves_the_wall_clock_alone(db: AsyncSession) -> None:
    before = await clock.now(db)
    await db.execute(AHEAD, {"by": timedelta(days=40)})
    after = await clock.now(db)
    assert timedelta(days=40) < after - before < timedelta(days=40, seconds=5)
    assert clock.wall_now() < before + timedelta(seconds=5)
    assert abs(clock.wall_now() - datetime.now(UTC)) < timedelta(seconds=1)


async def test_a_statement_compares_with_the_same_clock(db: AsyncSession) -> None:
    await db.execute(AHEAD, {"by": timedelta(days=3)})
    now = await clock.now(db)
    is_past, is_future = (await db.execute(select(app_now() >= now, app_now() >= now + timedelta(hours=1)))).one()
    assert (is_past, is_future) == (True, False)

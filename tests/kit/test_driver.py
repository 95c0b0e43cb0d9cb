"""The driver's own pools: what a unit commits, what undoes it, and that a connection is clean for who comes next."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from conftest import World
from cutting import Cut, cut_wire
from procure.kit.db import exclude, sharing
from procure.kit.driver import CommitUnknown, Driver, PooledDriver, SessionDriver

ANOTHER_LOT = UUID("0199c0de-0000-7000-8000-000000000002")
LOT = UUID("0199c0de-0000-7000-8000-000000000001")
SECONDS_MAX = 20


@pytest.fixture
async def narrow(world: World) -> AsyncGenerator[PooledDriver]:
    """One connection for reads, one for units."""
    driver = PooledDriver(world.urls.app, size=2, timeout_s=0.1)
    yield driver
    await driver.close()


@pytest.fixture(params=["pooled", "session"])
async def driver(request: pytest.FixtureRequest, world: World, narrow: PooledDriver) -> Driver:
    return narrow if request.param == "pooled" else SessionDriver.beside(world.sessions)


async def seals(world: World) -> int:
    async with world.sessions() as db:
        return await db.scalar(text("SELECT count(*) FROM journal_hold_ends")) or 0


INSERT = "INSERT INTO journal_hold_ends (hold) VALUES ($1)"


async def test_a_unit_is_committed_at_its_end_and_not_before(world: World, driver: Driver) -> None:
    async with driver.unit("SELECT 1", of=LOT) as unit:
        await unit.execute(INSERT, LOT)
        assert await seals(world) == 0
    assert await seals(world) == 1


class Stop(Exception):
    """Whatever goes wrong inside a unit."""


async def insert(
    driver: Driver, *, first: str = "SELECT 1", times: int = 1, then: type[BaseException] | None = None
) -> None:
    async with driver.unit(first, of=LOT) as unit:
        for _ in range(times):
            await unit.execute(INSERT, LOT)
        if then is not None:
            raise then


async def test_what_goes_wrong_undoes_all_of_it_and_the_connection_goes_on(world: World, driver: Driver) -> None:
    with pytest.raises(Stop):
        await insert(driver, then=Stop)
    with pytest.raises(asyncio.CancelledError):
        await insert(driver, then=asyncio.CancelledError)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await insert(driver, first="SELECT 1/0")
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(driver, times=2)
    assert await seals(world) == 0
    await insert(driver)
    assert await seals(world) == 1


async def test_the_first_statement_holds_its_lock_to_the_end(world: World, driver: Driver) -> None:
    waited = asyncio.Event()

    async def officer() -> None:
        async with world.sessions() as db:
            waited.set()
            await exclude(db, LOT)

    async with driver.unit(sharing(LOT), of=LOT) as unit:
        task = asyncio.create_task(officer())
        await waited.wait()
        while await unit.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0:
            pass
        assert not task.done()
    await asyncio.wait_for(task, SECONDS_MAX)


@asynccontextmanager
async def one_that_waits(world: World, driver: PooledDriver) -> AsyncGenerator[asyncio.Task[Any]]:
    """A unit that waits for the lot's lock, and an officer who holds it meanwhile."""

    async def bid() -> None:
        async with driver.unit(sharing(LOT), of=LOT):
            pass

    async with world.sessions() as officer:
        await exclude(officer, LOT)
        task = asyncio.create_task(bid())
        async with asyncio.timeout(SECONDS_MAX):
            while await officer.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) == 0:
                pass
        yield task


async def test_who_goes_while_waiting_leaves_a_connection_that_works(world: World, narrow: PooledDriver) -> None:
    async with one_that_waits(world, narrow) as task:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await insert(narrow)
    assert await seals(world) == 1


async def test_who_goes_a_second_time_while_it_is_undone_leaves_no_transaction_behind(
    world: World, narrow: PooledDriver
) -> None:
    async with one_that_waits(world, narrow) as task:
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
    async with narrow.unit("SELECT 1", of=LOT) as unit:
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        assert await unit.fetchval(held) == 0
        await unit.execute(INSERT, LOT)
    assert await seals(world) == 1


async def test_a_unit_that_stalls_is_ended_by_the_server_and_waits_for_nothing_else(narrow: PooledDriver) -> None:
    async with narrow.unit("SELECT 1", of=LOT) as unit:
        said = {
            name: await unit.fetchval(f"SHOW {name}")
            for name in ("idle_in_transaction_session_timeout", "lock_timeout")
        }
        assert said == {"idle_in_transaction_session_timeout": "5s", "lock_timeout": "10s"}
        assert await unit.fetchval("SHOW transaction_isolation") == "read committed"


async def broken(driver: PooledDriver) -> None:
    async with driver.unit("SELECT 1", of=LOT) as unit:
        unit.terminate()
        await unit.execute(INSERT, LOT)


async def test_a_broken_connection_is_replaced(world: World, narrow: PooledDriver) -> None:
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await broken(narrow)
    await insert(narrow)
    assert await seals(world) == 1


async def test_units_that_wait_keep_no_read_waiting_and_who_finds_no_connection_is_told_in_time(
    world: World, narrow: PooledDriver
) -> None:
    async with one_that_waits(world, narrow) as task:
        assert await narrow.rows("SELECT 1 AS one") == [(1,)]
        with pytest.raises(TimeoutError):
            await insert(narrow)
    await asyncio.wait_for(task, SECONDS_MAX)


async def test_a_read_that_finds_no_connection_is_told_in_time(narrow: PooledDriver) -> None:
    busy = asyncio.create_task(narrow.rows("SELECT pg_sleep(0.5)"))
    assert await asyncio.wait_for(_refused(narrow), SECONDS_MAX)
    await busy
    assert await narrow.rows("SELECT 1 AS one") == [(1,)]


async def _refused(driver: PooledDriver) -> bool:
    while True:
        try:
            await driver.rows("SELECT 1")
        except TimeoutError:
            return True


async def test_values_are_the_drivers(driver: Driver) -> None:
    assert await driver.rows("SELECT $1::uuid AS id, 1.50::numeric AS amount", LOT) == [(LOT, Decimal("1.50"))]


async def test_units_that_wait_for_one_lot_leave_a_connection_to_those_of_another(
    world: World, narrow: PooledDriver
) -> None:
    async with one_that_waits(world, narrow) as task:
        with pytest.raises(TimeoutError):
            await insert(narrow)
        async with narrow.unit(sharing(ANOTHER_LOT), of=ANOTHER_LOT) as unit:
            await unit.execute(INSERT, LOT)
    await asyncio.wait_for(task, SECONDS_MAX)
    await insert_another(narrow)
    assert await seals(world) == 2


async def insert_another(driver: Driver) -> None:
    async with driver.unit(sharing(LOT), of=LOT) as unit:
        await unit.execute(INSERT, ANOTHER_LOT)


@pytest.mark.parametrize(("cut", "stored"), [(Cut.BEFORE, 0), (Cut.AFTER, 1)])
async def test_a_commit_whose_reply_is_lost_is_called_unknown_and_its_connection_is_not_used_again(
    world: World, cut: Cut, stored: int
) -> None:
    async with cut_wire(world.urls.app, cut) as url:
        driver = PooledDriver(url, size=2)
        with pytest.raises(CommitUnknown):
            await insert(driver)
        assert await seals(world) == stored
        await insert_another(driver)
        await driver.close()
    assert await seals(world) == stored + 1


async def unit(driver: Driver, first: str, statement: str, *, passing: type[Exception] = Stop) -> None:
    async with driver.unit(first, of=LOT) as unit:
        with suppress(passing):
            await unit.execute(statement)


async def test_what_is_refused_at_commit_is_no_unknown(world: World, narrow: PooledDriver) -> None:
    deferred = "CREATE TEMPORARY TABLE one (id int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP"
    with pytest.raises(asyncpg.UniqueViolationError):
        await unit(narrow, deferred, "INSERT INTO one VALUES (1), (1)")
    await insert(narrow)
    assert await seals(world) == 1


async def test_a_transaction_that_had_failed_is_not_taken_for_committed(narrow: PooledDriver) -> None:
    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        await unit(narrow, "SELECT 1", "SELECT 1/0", passing=asyncpg.DivisionByZeroError)

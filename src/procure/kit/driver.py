"""The driver's own calls, beside SQLAlchemy's sessions: for the few paths on which a session would cost more than its queries.

`rows` is a read of one statement, `unit` the one transaction of a hot write: its lock, then its statement. What goes through
here stands in its package under the usual names, and says why it is here. In tests both happen on the test's own connection,
inside its transaction.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from typing import Any, Protocol
from uuid import UUID
from weakref import WeakValueDictionary

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from procure.kit.db import LOCK_TIMEOUT_S, Sessions, server_settings

TIMEOUT_S = 5.0
#: The server's own bound of waiting for a lock speaks first, since its error says what happened.
UNIT_TIMEOUT_S = LOCK_TIMEOUT_S + 5.0
#: A process that stalls within a unit holds the lock that others wait for: the server ends its transaction.
IDLE_MAX_S = 5
#: What the driver raises; OSError, since a timeout is one.
DRIVER_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
#: Classes of SQLSTATE that end a connection, whatever it was doing: connection exception, operator intervention.
_CUT_OFF = {"08", "57"}


class CommitUnknown(Exception):
    """The connection was lost while a unit's COMMIT was under way: it may have been done, and may not.

    Whoever meets this looks for what it wrote, and where that can't be found either says so: "try again" would be wrong.
    """


class Driver(Protocol):
    """Where a hot read or write goes. Errors are asyncpg's own, and `kit.problems` knows them."""

    async def rows(self, statement: str, *arguments: Any) -> list[Any]:
        """All rows of one read; values are asyncpg's. Cast json to text: SQLAlchemy's connections decode it, others do not."""
        ...

    def unit(self, first: str, *, of: UUID, last: Callable[[], str] = str) -> AbstractAsyncContextManager[Any]:
        """One transaction on an asyncpg connection, begun with `first` (trusted SQL): committed at the end, else rolled back.

        `last` is asked at the end for what goes in one round trip with the COMMIT (trusted SQL too, or nothing).
        `of` is what `first` locks: however many units wait for it, one connection is left to those of everything else. Raises
        CommitUnknown.
        """
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...


class PooledDriver:
    """Two bounded asyncpg pools of half of `size` each, opened at first use: a database away at the start is met by a 503.

    Two, since writes wait for locks, and who waits there must not keep everybody's token from being checked. The one of the
    units has two connections at least.
    """

    def __init__(self, url: str, *, size: int, timeout_s: float = TIMEOUT_S) -> None:
        units = max(2, size // 2)
        self._reads = _Pool(url, max(1, size // 2), timeout_s, command_timeout_s=TIMEOUT_S)
        self._units = _Pool(url, units, timeout_s, command_timeout_s=UNIT_TIMEOUT_S)
        self._lanes = _Lanes(units - 1, timeout_s)

    async def rows(self, statement: str, *arguments: Any) -> list[Any]:
        pool = await self._reads.opened()
        async with pool.acquire(timeout=self._reads.patience(pool)) as connection:
            rows: list[Any] = await connection.fetch(statement, *arguments)
            return rows

    @asynccontextmanager
    async def unit(self, first: str, *, of: UUID, last: Callable[[], str] = str) -> AsyncGenerator[Any]:
        pool = await self._units.opened()
        lane = await self._lanes.entered(of)
        try:
            async with pool.acquire(timeout=self._units.patience(pool)) as connection:
                try:
                    await connection.execute(f"BEGIN ISOLATION LEVEL READ COMMITTED; {first}")
                    yield connection
                    final = last()
                except BaseException:
                    await _rolled_back(connection)
                    raise
                await _committed(connection, f"{final}; COMMIT" if final else "COMMIT")
        finally:
            lane.release()

    async def close(self) -> None:
        await self._reads.close()
        await self._units.close()


class _Lanes:
    """At most `width` at once for one subject; a lane is forgotten with the last who is in it or waits for it."""

    def __init__(self, width: int, timeout_s: float) -> None:
        self._width, self._timeout_s = width, timeout_s
        self._lanes: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()

    async def entered(self, subject: UUID) -> asyncio.Semaphore:
        """The subject's lane, for the caller to release; raises TimeoutError if it stays full."""
        lane = self._lanes.get(subject)
        if lane is None:
            self._lanes[subject] = lane = asyncio.Semaphore(self._width)
        if lane.locked():
            await asyncio.wait_for(lane.acquire(), self._timeout_s)
        else:
            await lane.acquire()  # at once
        return lane


async def _committed(connection: Any, commit: str) -> None:
    """COMMIT, or an error that says truly whether that was refused (the driver's own) or is unknown."""
    try:
        status = await connection.execute(commit)
    except asyncpg.PostgresError as error:
        if error.sqlstate[:2] in _CUT_OFF:
            _abandon(connection)
            raise CommitUnknown from error
        await _rolled_back(connection)
        raise
    except DRIVER_ERRORS as error:
        _abandon(connection)
        raise CommitUnknown from error
    except BaseException:  # the caller has gone, and nobody is told anything
        _abandon(connection)
        raise
    if status != "COMMIT":  # what PostgreSQL answers to the COMMIT of a transaction that had failed
        raise asyncpg.InFailedSQLTransactionError(f"COMMIT was answered {status}")


async def _rolled_back(connection: Any) -> None:
    """A connection whose transaction can't be seen to end, also since the caller goes a second time, is not used again."""
    try:
        await connection.execute("ROLLBACK")
    except BaseException as error:
        _abandon(connection)
        if not isinstance(error, Exception):
            raise


def _abandon(connection: Any) -> None:
    """One that was lost has gone back to its pool by itself, and can't be ended any more."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


class _Pool:
    """An asyncpg pool that opens itself."""

    def __init__(self, url: str, size: int, timeout_s: float, *, command_timeout_s: float) -> None:
        parsed = make_url(url).set(drivername="postgresql")
        self._dsn = parsed.render_as_string(hide_password=False)
        self._size, self._timeout_s, self._command_timeout_s = size, timeout_s, command_timeout_s
        self._pool: Any = None
        self._opening = asyncio.Lock()

    async def opened(self) -> Any:
        return self._pool or await self._open()

    def patience(self, pool: Any) -> float | None:
        """Only who has to wait pays for a timeout, which costs a task (Python 3.11)."""
        return None if pool.get_idle_size() else self._timeout_s

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()

    async def _open(self) -> Any:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._dsn,
                    min_size=1,
                    max_size=self._size,
                    timeout=TIMEOUT_S,
                    command_timeout=self._command_timeout_s,
                    reset=_leave_as_it_is,
                    server_settings={**server_settings(), "idle_in_transaction_session_timeout": f"{IDLE_MAX_S}s"},
                )
        return self._pool


async def _leave_as_it_is(_: Any) -> None:
    """Neither leaves any state behind: asyncpg's own RESET ALL would cost as much as the read."""


Connect = Callable[[], AbstractAsyncContextManager[AsyncConnection]]


class SessionDriver:
    """The same on connections of SQLAlchemy's, whose transaction a unit joins as a savepoint."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    @classmethod
    def beside(cls, sessions: Sessions) -> "SessionDriver":
        """On what `sessions` are bound to: one connection, or an engine's."""
        bind = sessions.kw["bind"]
        return cls(lambda: nullcontext(bind) if isinstance(bind, AsyncConnection) else bind.connect())

    async def rows(self, statement: str, *arguments: Any) -> list[Any]:
        async with self._connect() as connection:
            driver = await _driver_of(connection)
            rows: list[Any] = await driver.fetch(statement, *arguments, timeout=TIMEOUT_S)
            return rows

    @asynccontextmanager
    async def unit(
        self,
        first: str,
        *,
        of: UUID,  # noqa: ARG002 - its connections are its owner's to share
        last: Callable[[], str] = str,
    ) -> AsyncGenerator[Any]:
        async with self._connect() as connection:
            driver = await _driver_of(connection)
            async with driver.transaction():
                await driver.execute(first)
                yield driver
                if final := last():
                    await driver.execute(final)

    async def close(self) -> None:
        """The connection is its owner's."""


async def _driver_of(connection: AsyncConnection) -> Any:
    return (await connection.get_raw_connection()).driver_connection

"""Single-statement reads by the driver's own call: for the few paths on which an ORM session would cost more than the query.

A pool beside SQLAlchemy's, for reads alone: no transaction, so one statement is one snapshot; nothing here may write. What goes
through it stands in its package under the usual names, and says why it is here. In tests the reads happen on the test's own
connection, inside its transaction.
"""

import asyncio
from typing import Any, Protocol

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from procure.kit.db import Sessions, server_settings

TIMEOUT_S = 5.0


class Reads(Protocol):
    """Where a read goes."""

    async def rows(self, statement: str, *arguments: Any) -> list[Any]:
        """All rows; values are asyncpg's, json as text."""
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...


class PooledReads:
    """A bounded asyncpg pool, opened at the first read, so that a database that is away at the start is met by a 503."""

    def __init__(self, url: str, *, size: int, timeout_s: float = TIMEOUT_S) -> None:
        parsed = make_url(url).set(drivername="postgresql")
        self._dsn = parsed.render_as_string(hide_password=False)
        self._size, self._timeout_s = size, timeout_s
        self._pool: Any = None
        self._opening = asyncio.Lock()

    async def rows(self, statement: str, *arguments: Any) -> list[Any]:
        pool = self._pool or await self._open()
        # Only who has to wait pays for a timeout, which costs a task (Python 3.11).
        async with pool.acquire(timeout=None if pool.get_idle_size() else self._timeout_s) as connection:
            rows: list[Any] = await connection.fetch(statement, *arguments)
            return rows

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
                    command_timeout=TIMEOUT_S,
                    reset=_leave_as_it_is,
                    server_settings=server_settings(),
                )
        return self._pool


async def _leave_as_it_is(_: Any) -> None:
    """A read of one statement leaves no state behind; asyncpg's own RESET ALL would cost as much as the read."""


class SessionReads:
    """Reads on the connection that `sessions` are bound to, inside its transaction."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def rows(self, statement: str, *arguments: Any) -> list[Any]:
        bind = self._sessions.kw["bind"]
        if isinstance(bind, AsyncConnection):
            return await _on(bind, statement, arguments)
        async with bind.connect() as connection:
            return await _on(connection, statement, arguments)

    async def close(self) -> None:
        """The connection is its owner's."""


async def _on(connection: AsyncConnection, statement: str, arguments: tuple[Any, ...]) -> list[Any]:
    driver: Any = (await connection.get_raw_connection()).driver_connection
    rows: list[Any] = await driver.fetch(statement, *arguments, timeout=TIMEOUT_S)
    return rows

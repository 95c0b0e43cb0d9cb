"""Being told by PostgreSQL instead of asking it: LISTEN on a connection of its own, and NOTIFY by those who changed something.

A notice is a hint and never the news: whoever waits looks at the tables, and looks too when a while has passed without one. So nothing
is lost with a notice, and those who change something send theirs after their commit, beside it: NOTIFY within a transaction makes all
commits that notify wait for each other.
"""

import asyncio
from contextlib import suppress
from typing import Any

import asyncpg
from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send
from sqlalchemy.engine import make_url

from procure.kit.db import server_settings
from procure.kit.driver import DRIVER_ERRORS, TIMEOUT_S, Driver

_READS = frozenset({HttpMethod.GET, HttpMethod.HEAD, HttpMethod.OPTIONS})


class Listener:
    """One connection that listens to one channel, opened anew when it is lost."""

    def __init__(self, url: str, channel: str) -> None:
        self._dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._channel = channel
        self._told = asyncio.Event()
        self._connection: Any = None

    async def wait(self, seconds: float) -> None:
        """Until a notice comes, or one has come since the last wait, or `seconds` have passed: also while the database is away."""
        try:
            await self._connect()
        except DRIVER_ERRORS:
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._told.wait(), seconds)
        self._told.clear()

    async def close(self) -> None:
        if self._connection is not None:
            with suppress(*DRIVER_ERRORS):
                await self._connection.close(timeout=TIMEOUT_S)
            self._connection = None

    async def _connect(self) -> None:
        """What was told while nobody listened is unknown: whoever waits is woken once."""
        if self._connection is not None and not self._connection.is_closed():
            return
        await self.close()
        self._connection = await asyncpg.connect(self._dsn, timeout=TIMEOUT_S, server_settings=server_settings())
        self._connection.add_termination_listener(lambda _: self._told.set())
        try:
            await self._connection.add_listener(self._channel, lambda *_: self._told.set())
        except BaseException:
            self._connection.terminate()
            raise
        self._told.set()


class Bell:
    """Tells a channel that something has changed: at once, and then at most every `PAUSE_S`, however often it is rung."""

    PAUSE_S = 0.05

    def __init__(self, driver: Driver, channel: str) -> None:
        self._driver, self._statement = driver, f"SELECT pg_notify('{channel}', '')"
        self._is_rung = False
        self._ringing: asyncio.Task[None] | None = None

    def ring(self) -> None:
        """Costs its caller nothing: the notice goes out beside it."""
        self._is_rung = True
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.get_running_loop().create_task(self._ring())

    async def _ring(self) -> None:
        while self._is_rung:
            self._is_rung = False
            with suppress(*DRIVER_ERRORS):  # whoever listens looks without a notice too
                await self._driver.rows(self._statement)
            await asyncio.sleep(self.PAUSE_S)


def with_bell(app: ASGIApp, bell: Bell) -> ASGIApp:
    """Around what answers: once the reply is sent, its transaction is over, and who listens may look. But of a read: it changes nothing,
    unless it was refused, which may stand on the record.
    """

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)
        if scope["type"] != ScopeType.HTTP:
            return
        if scope["method"] not in _READS or scope.get("state", {}).get("is_recorded"):
            bell.ring()

    return handle

"""One clock that only goes forward, for many plays side by side: it moves when all of them wait, to the earliest wait."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

T = TypeVar("T")
Read = Callable[[], Awaitable[datetime]]
Move = Callable[[datetime], Awaitable[None]]
#: For so long a reading is carried on by this machine's own clock. It lags by what a reply takes, and so is never ahead.
FRESH_S = 1.0


class SharedClock:
    """`perform` runs a play; inside it, `until` waits for an instant of procurement's time.

    No play can miss a deadline of its own through another: time stands still as long as one of them has something to do.
    """

    def __init__(self, read: Read, move: Move) -> None:
        self._read, self._move = read, move
        self._told: tuple[datetime, float] | None = None
        self._playing = 0
        self._ended = False
        self._numbers = itertools.count()
        self._waits: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._moving: asyncio.Task[None] | None = None

    async def now(self) -> datetime:
        """Procurement's time, not a second old."""
        if self._told is None or time.monotonic() - self._told[1] > FRESH_S:
            self._told = await self._read(), time.monotonic()
        told, read_at = self._told
        return told + timedelta(seconds=time.monotonic() - read_at)

    async def perform(self, *plays: Awaitable[T]) -> list[T]:
        """All plays at once; the first exception ends them all."""
        self._playing += len(plays)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._perform(play)) for play in plays]
        return [task.result() for task in tasks]

    async def _perform(self, play: Awaitable[T]) -> T:
        try:
            result = await play
        except BaseException:
            self._ended = True  # the others are about to be cancelled: time is not to run on for them
            raise
        self._playing -= 1
        self._move_if_all_wait()
        return result

    async def until(self, moment: datetime) -> None:
        """Returns once procurement's time is at or after `moment`."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waits, (moment, next(self._numbers), woken))
        self._playing -= 1
        self._move_if_all_wait()
        await woken

    def _move_if_all_wait(self) -> None:
        if self._playing == 0 and self._waits and not self._ended:
            self._moving = asyncio.get_running_loop().create_task(self._move_on())

    async def _move_on(self) -> None:
        moment = self._waits[0][0]
        fault: Exception | None = None
        try:
            await self._move(moment)
            self._told = None
        except Exception as error:  # noqa: BLE001 - it is raised in every play that waits
            fault = error
        while self._waits and (fault is not None or self._waits[0][0] <= moment):
            woken = heapq.heappop(self._waits)[2]
            self._playing += 1
            if fault is None:
                woken.set_result(None)
            else:
                woken.set_exception(fault)
        self._move_if_all_wait()

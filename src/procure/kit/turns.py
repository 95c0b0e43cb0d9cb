"""Turns: at most so many of one key at once; the others of that key wait in line, and are never refused."""

import asyncio
from collections.abc import Hashable


class Turns:
    """A line for each key that has somebody in it; memory only for those."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._lines: dict[Hashable, tuple[asyncio.Semaphore, int]] = {}

    def __len__(self) -> int:
        return len(self._lines)

    async def enter(self, key: Hashable) -> None:
        """Wait for a turn; `leave` it, whatever comes. Who gives up waiting has left."""
        line, there = self._lines.get(key) or (asyncio.Semaphore(self._at_once), 0)
        self._lines[key] = line, there + 1
        try:
            await line.acquire()
        except BaseException:
            self._gone(key)
            raise

    def leave(self, key: Hashable) -> None:
        self._lines[key][0].release()
        self._gone(key)

    def _gone(self, key: Hashable) -> None:
        line, there = self._lines[key]
        if there == 1:
            del self._lines[key]
        else:
            self._lines[key] = line, there - 1

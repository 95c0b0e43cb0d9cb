"""The end of the journal, read once per process for all who wait for it.

One task is told of new positions, reads them once and keeps the latest in memory; whoever streams takes them from there, each at their own
pace, and holds neither a queue nor a connection. Who is so slow, or has been away so long, that memory does not reach back to them reads
a page from the database, a few at a time.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

import msgspec
import structlog
from sqlalchemy import text

from procure.journal import lists
from procure.journal.documents import COLUMNS
from procure.journal.errors import StreamsTooMany
from procure.journal.schemas import ChangeView
from procure.journal.sealer import POSITIONS
from procure.kit.actor import Actor
from procure.kit.db import Sessions
from procure.kit.listening import Listener

log = structlog.get_logger(__name__)

#: What is kept in memory: so many changes at most, of so many bytes.
KEPT_MAX, KEPT_BYTES_MAX = 4096, 16 * 1024 * 1024
#: Changes that one turn of a stream takes, so that one who catches up does not keep the others waiting.
TURN_MAX = 200
#: Pages that are read from the database at once, for those whom memory does not reach.
READS_MAX = 4
#: How often the journal is looked at though nobody has told of anything.
LOOK_S = 1.0
#: Streams of one process, whoever listens.
STREAMS_MAX = 5000
#: What changes who may see what: after it a listener's standing is asked for anew.
STANDINGS = frozenset({"client", "membership", "organisation", "person"})

_NEW = text(f"""
SELECT position, {COLUMNS} FROM journal_positions JOIN journal_entries ON id = entry_id
WHERE position > :after ORDER BY position LIMIT :limit
""")  # noqa: S608 - column names of our own


class Entry:
    """A change in memory. Its text is made once for everybody, and once for the organisation that did it."""

    __slots__ = ("_texts", "row")

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.row = row
        self._texts: dict[bool, bytes] = {}

    @property
    def position(self) -> int:
        position: int = self.row["position"]
        return position

    @property
    def size(self) -> int:
        return len(self.row["payload"]) + 1000

    def text(self, actor: Actor) -> bytes:
        """As an event of the stream (WHATWG HTML, section 9.2.5), as this caller sees it."""
        view = ChangeView.of(self.row, actor)
        is_own = view.by is not None
        if is_own not in self._texts:
            self._texts[is_own] = event_of(view)
        return self._texts[is_own]

    def moves(self, actor: Actor) -> bool:
        """Whether it may have changed what this caller may see."""
        if self.row["object_type"] not in STANDINGS or actor.organisation_id is None:
            return False
        return (
            self.row["is_public"]
            or actor.organisation_id in self.row["audience_organisations"]
            or actor.person_id in self.row["audience_persons"]
        )


def event_of(view: ChangeView) -> bytes:
    data = msgspec.json.encode(view)
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (view.position, view.type.encode(), data)


class Tail:
    """What one process knows of the journal's end. It reads as long as somebody waits."""

    def __init__(self, url: str, sessions: Sessions, streams_of_one: int) -> None:
        """`streams_of_one` is how many streams one caller may have; 0 is no limit."""
        self._listener, self._sessions = Listener(url, POSITIONS), sessions
        self._streams_of_one = streams_of_one
        self._kept: deque[Entry] = deque()
        self._bytes = 0
        self._reached = 0
        self._moved = asyncio.Event()
        self._reads = asyncio.Semaphore(READS_MAX)
        self._reading: asyncio.Task[None] | None = None
        self._streams: Counter[str | None] = Counter()
        self.is_closed = False

    def admit(self, listener: str | None) -> Callable[[], None]:
        """Count one more stream of this listener, until what is returned is called, once or more; raises StreamsTooMany.

        Who is nobody's own address (`kit.addresses`) has no limit of their own: one would shut out all the others behind it.
        """
        if listener is not None and 0 < self._streams_of_one <= self._streams[listener]:
            raise StreamsTooMany(f"You have {self._streams_of_one} streams open; close one.")
        if self._streams.total() >= STREAMS_MAX:
            raise StreamsTooMany("This service has as many streams open as it can serve.")
        self._streams[listener] += 1
        is_open = True

        def release() -> None:
            nonlocal is_open
            if not is_open:
                return
            is_open = False
            self._streams[listener] -= 1
            if not self._streams[listener]:
                del self._streams[listener]

        return release

    def let_go(self) -> None:
        """Let all go who wait, or begin to: the service is about to stop."""
        self.is_closed = True
        self._wake()

    async def close(self) -> None:
        self.let_go()
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading
        await self._listener.close()

    async def beyond(self, position: int, seconds: float) -> bool:
        """Wait until there is more than `position`, for at most `seconds`; whether there is."""
        if self.is_closed:
            return False
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._reached <= position and not self.is_closed:
                    await self._moved.wait()
        return self._reached > position

    async def next(self, actor: Actor, position: int, types: Collection[str] | None) -> tuple[list[bytes], int, bool]:
        """The caller's events after a position, up to where was looked, and whether their standing may have changed meanwhile."""
        if not self._kept or position < self._kept[0].position - 1:
            return await self._page(actor, position, types)
        start = position - self._kept[0].position + 1
        entries = list(islice(self._kept, start, start + TURN_MAX))
        wanted = [
            one.text(actor)
            for one in entries
            if (types is None or one.row["type"] in types) and lists.may_see(actor, one.row)
        ]
        moves = any(one.moves(actor) for one in entries)
        return wanted, entries[-1].position if entries else position, moves

    async def _page(self, actor: Actor, position: int, types: Collection[str] | None) -> tuple[list[bytes], int, bool]:
        """What memory does not hold. Nor does it hold then what may have changed their standing, so that is asked for anew."""
        async with self._reads, self._sessions() as db:
            rows, reached = await lists.changes(db, actor, position, TURN_MAX, types)
        return [event_of(ChangeView.of(row, actor)) for row in rows], reached, True

    async def _read(self) -> None:
        while not self.is_closed:
            try:
                await self._look()
            except Exception:  # whatever it is, who waits goes on waiting; the database may be away
                log.warning("the journal can't be read", exc_info=True)
            await self._listener.wait(LOOK_S)

    async def _look(self) -> None:
        """Take in what is new. At first that is the end alone: what lies before is in the database."""
        if not self._reached:
            async with self._sessions() as db:
                self._reached = await lists.reached(db)
            self._wake()
        while True:
            async with self._sessions() as db:
                found = await db.execute(_NEW, {"after": self._reached, "limit": TURN_MAX})
                entries = [Entry(dict(row)) for row in found.mappings()]
            self._keep(entries)
            if len(entries) < TURN_MAX:
                return

    def _keep(self, entries: Collection[Entry]) -> None:
        for one in entries:
            self._kept.append(one)
            self._bytes += one.size
            self._reached = one.position
        while len(self._kept) > KEPT_MAX or self._bytes > KEPT_BYTES_MAX:
            self._bytes -= self._kept.popleft().size
        if entries:
            self._wake()

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

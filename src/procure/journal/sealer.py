"""The sealer: gives entries their gapless place in the one public order, and signs the tree over them.

Any worker seals, one at a time: each batch is one transaction under an advisory lock, which the database lets go when its holder dies.
Whoever comes next goes on from the last checkpoint, so nothing is kept in memory.

Entries become visible in the order of their commits, not of their ids: whoever numbered them as they appear would skip those that come
late. So a batch takes what lies below the oldest transaction that is still running (`pg_snapshot_xmin`): nothing can come there any more.
Within a batch ids decide: who has seen another's effect has a higher one. A transaction that stays open delays all that come after it, and
is told of; it is never skipped. Held entries (an open lot's bids) wait for the end of their hold: numbers without a gap would count them.

Transaction ids mean nothing in another cluster. After a restore, what the old cluster left without a position comes first.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import structlog
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from procure.journal import notes
from procure.journal.documents import COLUMNS, hashed
from procure.journal.notes import Checkpoint, Notary
from procure.journal.trees import STORED_LEVELS
from procure.kit.merkle import Frontier

log = structlog.get_logger(__name__)

#: Entries of one batch: what one transaction and one signature are for while much waits.
BATCH_MAX = 2000
#: How many entries are looked for at once, by id alone: a long window is sorted once for this many, and not once for each batch of it.
AHEAD_MAX = 50 * BATCH_MAX
#: Channels of the database: sealers are told that there are new entries, readers that there are new positions.
ENTRIES, POSITIONS = "procure_entries", "procure_positions"
#: Batches are this far apart at least: each is a checkpoint, and is kept for good.
SPACING_S = 0.5
#: How often a sealer looks though nobody has told it of anything.
LOOK_S = 1.0
#: How long an entry may wait for a position before that is told of.
LATE_S = 5.0
LOCK_KEY = -(1 << 62)  # below zero, where no lot's lock is, and below all that a request's key may have

_LOCK = text(f"SELECT pg_try_advisory_xact_lock({LOCK_KEY})")
_NOW = text(
    "SELECT app_cluster() AS cluster, CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) AS xmin"
)
_LAST = text(
    "SELECT size, frontier, cluster, below, until, last_id FROM journal_checkpoints ORDER BY size DESC LIMIT 1"
)

# Entries of the window, and those of holds that ended in it. What another cluster wrote came before anything here.
_WINDOW = text("""
SELECT entry.id FROM journal_entries AS entry
WHERE entry.cluster = :present AND entry.xid >= :below AND entry.xid < :until AND entry.id > :last_id
  AND (entry.hold IS NULL OR EXISTS (
    SELECT FROM journal_hold_ends AS ended
    WHERE ended.hold = entry.hold AND (ended.cluster <> :present OR ended.xid < :until)
  ))
UNION ALL
SELECT entry.id FROM journal_entries AS entry
WHERE entry.hold IN (
    SELECT hold FROM journal_hold_ends AS ended
    WHERE ended.cluster = :present AND ended.xid >= :below AND ended.xid < :until
  )
  AND (entry.cluster <> :present OR entry.xid < :below) AND entry.id > :last_id
ORDER BY id LIMIT :ahead
""")
_LEFT = text("""
SELECT entry.id FROM journal_entries AS entry
WHERE entry.cluster <> :present AND NOT EXISTS (SELECT FROM journal_positions WHERE entry_id = entry.id)
  AND (entry.hold IS NULL OR EXISTS (
    SELECT FROM journal_hold_ends AS ended WHERE ended.hold = entry.hold AND ended.cluster <> :present
  ))
ORDER BY id LIMIT :ahead
""")
_ENTRIES = text(f"SELECT {COLUMNS} FROM journal_entries WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id")  # noqa: S608 - column names of our own

_PLACE = text("""
INSERT INTO journal_positions (position, entry_id, leaf_hash)
SELECT * FROM unnest(CAST(:positions AS bigint[]), CAST(:entries AS bigint[]), CAST(:hashes AS bytea[]))
""")
_KEEP_NODES = text("""
INSERT INTO journal_nodes (level, index, hash)
SELECT * FROM unnest(CAST(:levels AS smallint[]), CAST(:indexes AS bigint[]), CAST(:hashes AS bytea[]))
""")
_KEEP = text("""
INSERT INTO journal_checkpoints (size, root, frontier, note, cluster, below, until, last_id)
VALUES (:size, :root, :frontier, :note, :cluster, :below, :until, :last_id)
""")
_TELL = text("SELECT pg_notify(:channel, :size)")
_WAITING = text("""
SELECT extract(epoch FROM clock_timestamp() - min(recorded_at))::float FROM journal_entries
WHERE cluster = app_cluster() AND xid >= :until AND hold IS NULL
""")


@dataclass(frozen=True, slots=True)
class _Reached:
    """How far the sealer has come in `cluster`: see JournalCheckpoint."""

    cluster: int
    below: int
    until: int | None
    last_id: int


class Sealer:
    """Places entries, for as long as a worker lives. It remembers nothing but what spares a look."""

    def __init__(self, notary: Notary, origin: str) -> None:
        self._notary, self._origin = notary, origin
        #: The cluster in which nothing is left of another one.
        self._settled_in = 0
        #: What follows the checkpoint of a size: the entries still to come of what has been looked for.
        self._ahead: tuple[int, _Reached, list[int]] | None = None

    async def seal(self, db: AsyncSession) -> int | None:
        """Place one batch; how many entries that were, or None while another seals. The caller commits."""
        if not await db.scalar(_LOCK):
            return None
        reached, frontier = await _last(db)
        present = (await db.execute(_NOW)).one()
        window, ids = self._known(frontier.size, reached) or await self._next(
            db, reached, present.cluster, present.xmin
        )
        batch, later = ids[:BATCH_MAX], ids[BATCH_MAX:]
        if batch:
            await _place(db, frontier, (await db.execute(_ENTRIES, {"ids": batch})).mappings().all())
            reached = _after(window, batch, present.cluster)
            await self._keep(db, frontier, reached)
        self._ahead = (frontier.size, reached, later) if later else None
        if not later:
            await _tell_of_delay(db, present.xmin)
        return len(batch)

    def _known(self, size: int, reached: _Reached) -> tuple[_Reached, list[int]] | None:
        """What an earlier look found, if its batch was committed, and nobody has placed any since: nothing comes into a window later."""
        if self._ahead is None or self._ahead[:2] != (size, reached):
            return None
        return self._ahead[1:]

    async def _next(self, db: AsyncSession, reached: _Reached, present: int, xmin: int) -> tuple[_Reached, list[int]]:
        """The window that comes next, and the entries in it, in their order."""
        if reached.cluster != present:
            if self._settled_in != present and (ids := await _ids(db, _LEFT, present=present)):
                return reached, ids
            self._settled_in = present
            reached = _Reached(present, 0, None, 0)
        if reached.until is not None:
            if ids := await _window(db, reached):
                return reached, ids
            reached = _closed(reached)
        window = replace(reached, until=xmin)
        return window, await _window(db, window)

    async def _keep(self, db: AsyncSession, frontier: Frontier, reached: _Reached) -> None:
        checkpoint = Checkpoint(self._origin, frontier.size, frontier.root())
        values = {
            "size": checkpoint.size,
            "root": checkpoint.root,
            "frontier": frontier.packed(),
            "note": notes.sign(checkpoint, self._notary),
            **asdict(reached),
        }
        await db.execute(_KEEP, values)
        await db.execute(_TELL, {"channel": POSITIONS, "size": str(checkpoint.size)})


async def _last(db: AsyncSession) -> tuple[_Reached, Frontier]:
    row = (await db.execute(_LAST)).one_or_none()
    if row is None:
        return _Reached(0, 0, None, 0), Frontier()
    return _Reached(row.cluster, row.below, row.until, row.last_id), Frontier.unpacked(row.size, row.frontier)


async def _window(db: AsyncSession, window: _Reached) -> list[int]:
    """What lies between `below` and `until`, and has no position yet."""
    return await _ids(
        db, _WINDOW, present=window.cluster, below=window.below, until=window.until, last_id=window.last_id
    )


async def _ids(db: AsyncSession, statement: TextClause, **values: Any) -> list[int]:
    return [*await db.scalars(statement, {**values, "ahead": AHEAD_MAX})]


def _after(window: _Reached, batch: list[int], present: int) -> _Reached:
    """How far the batch brings the sealer: into the window while there may be more in it, else past it."""
    if window.cluster != present:
        return window
    return replace(window, last_id=batch[-1]) if len(batch) == BATCH_MAX else _closed(window)


def _closed(window: _Reached) -> _Reached:
    assert window.until is not None
    return _Reached(window.cluster, window.until, None, 0)


async def _place(db: AsyncSession, frontier: Frontier, rows: Sequence[Any]) -> None:
    """Number the entries, and grow the tree by them."""
    hashes, first = [hashed(row) for row in rows], frontier.size + 1
    positions = range(first, first + len(rows))
    values = {"positions": [*positions], "entries": [row["id"] for row in rows], "hashes": hashes}
    await db.execute(_PLACE, values)
    completed = [done for one in hashes for done in frontier.append(one)]
    nodes = [(node, hashed_) for node, hashed_ in completed if node.level % STORED_LEVELS == 0]
    if nodes:
        values = {
            "levels": [node.level for node, _ in nodes],
            "indexes": [node.place for node, _ in nodes],
            "hashes": [one for _, one in nodes],
        }
        await db.execute(_KEEP_NODES, values)


async def _tell_of_delay(db: AsyncSession, xmin: int) -> None:
    """A transaction that stays open keeps back the positions of all that came after it: somebody has to know."""
    waiting_s = await db.scalar(_WAITING, {"until": xmin})
    if waiting_s is not None and waiting_s > LATE_S:
        log.warning("entries wait for a position behind a transaction that stays open", waiting_s=round(waiting_s, 1))

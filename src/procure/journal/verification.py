"""The proof, from the data alone, that nothing of the journal was altered: by whoever has the database, or an exported bundle of it.

Everything is computed anew: each leaf from its entry, the tree from the leaves, each checkpoint from the tree, its signature by a key
that is given; and each business row's digest against the last entry that states one. The first break is told by its position and its
kind. What an authority stamped is the note that it is kept with; whose word that is shows the authority's root, where one is given. What
has no position yet is not proven by anything, and is counted apart.
"""

import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from cryptography.x509 import Certificate

from procure.journal import notes, stamps
from procure.journal.documents import hashed
from procure.journal.notes import Checkpoint, NoteInvalid
from procure.journal.stamps import StampInvalid
from procure.kit.merkle import Frontier


@dataclass(eq=False)  # not frozen: what an exception passes on its way gives it a traceback
class Break(Exception):
    """The first thing that is not as it was: where (None for what has no position), what kind of thing, and a sentence."""

    position: int | None
    kind: str
    said: str


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint as it is kept: what it says stands in its columns, and once more in its signed note."""

    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """An authority's answer about the checkpoint of `size` entries, and the time that is shown of it."""

    size: int
    reply: bytes
    stamped_at: datetime


@dataclass(frozen=True, slots=True)
class BusinessRow:
    """A row that entries vouch for: its kind as entries name it, and the digest of what it is now."""

    object_type: str
    object_id: UUID
    digest: bytes


class Source(Protocol):
    """Where the journal is read from, as of one moment."""

    def checkpoints(self) -> AsyncIterable[Signed]:
        """By size."""
        ...

    def stamps(self) -> AsyncIterable[Stamp]:
        """By size."""
        ...

    def entries(self) -> AsyncIterable[Mapping[str, Any]]:
        """By position, with `position`, `leaf_hash`, `COLUMNS`, `salt` and `data` of what is personal; those without a position last."""
        ...

    def rows(self) -> AsyncIterable[BusinessRow]: ...


@dataclass(slots=True)
class Report:
    """What was found to be whole."""

    entries: int = 0
    checkpoints: int = 0
    stamps: int = 0
    rows: int = 0
    waiting: int = 0
    erased: int = 0
    size: int = 0
    root: bytes = b""


@dataclass(slots=True)
class _Audit:
    public_key: bytes
    anchors: list[Checkpoint]
    vouched: frozenset[str]
    tick: Callable[[int], None]
    roots: Sequence[Certificate]
    stamps: AsyncIterator[Stamp]
    stamp: Stamp | None = None
    report: Report = field(default_factory=Report)
    frontier: Frontier = field(default_factory=Frontier)
    #: The last digest that an entry states of each object: its kind and id, and the entry's id.
    stated: dict[tuple[str, UUID], tuple[int, bytes]] = field(default_factory=dict)


async def verify(
    source: Source,
    public_key: bytes,
    *,
    vouched: frozenset[str] = frozenset(),
    anchors: Sequence[Checkpoint] = (),
    roots: Sequence[Certificate] = (),
    tick: Callable[[int], None] = lambda _: None,
) -> Report:
    """Raises Break at the first. `vouched` are the kinds of business rows that the source has; `anchors` are checkpoints kept outside.

    Under `roots` are the certificates of the authorities that stamp; without any, the signatures of stamps are not checked.
    `tick` is told of entries as they are done.
    """
    audit = _Audit(public_key, sorted(anchors, key=lambda one: one.size), vouched, tick, roots, aiter(source.stamps()))
    audit.stamp = await anext(audit.stamps, None)
    checkpoints = aiter(source.checkpoints())
    awaited = await _next(audit, checkpoints)
    async for row in source.entries():
        if row["position"] is None:
            audit.report.waiting += 1
        else:
            if awaited is None:
                raise Break(row["position"], "unsigned", "The entry has a position that no checkpoint signs.")
            _take(audit, row)
            awaited = await _reached(audit, checkpoints, awaited)
        _state(audit, row)
    _end(audit, awaited)
    await _check_rows(audit, source)
    audit.report.size, audit.report.root = audit.frontier.size, audit.frontier.root()
    return audit.report


async def _next(audit: _Audit, checkpoints: AsyncIterator[Signed]) -> Signed | None:
    """The next checkpoint, its signature checked, and that its columns say what it says."""
    found = await anext(checkpoints, None)
    if found is None:
        return None
    try:
        said = notes.verify(found.note, audit.public_key)
    except NoteInvalid as error:
        raise Break(found.size, "signature", f"The checkpoint of {found.size} entries: {error}") from None
    if (said.size, said.root) != (found.size, found.root):
        raise Break(
            found.size, "checkpoint", f"The checkpoint of {found.size} entries is not what its signed note says."
        )
    audit.report.checkpoints += 1
    await _check_stamp(audit, found)
    return found


async def _check_stamp(audit: _Audit, found: Signed) -> None:
    """The stamp of this checkpoint, if it has one; and that there is none of a checkpoint that there is not."""
    if audit.stamp is None or audit.stamp.size > found.size:
        return
    size = audit.stamp.size
    if size != found.size:
        raise Break(size, "timestamp", f"There is a time stamp of {size} entries, and no such checkpoint.")
    try:
        said = stamps.check(audit.stamp.reply, found.note, roots=audit.roots)
    except StampInvalid as error:
        raise Break(size, "timestamp", f"The time stamp of the checkpoint of {size} entries: {error}") from None
    if said != audit.stamp.stamped_at:
        raise Break(size, "timestamp", f"The checkpoint of {size} entries was stamped at another time than is shown.")
    audit.report.stamps += 1
    audit.stamp = await anext(audit.stamps, None)


def _take(audit: _Audit, row: Mapping[str, Any]) -> None:
    """One entry at its position: the next, whole, and as it was when it was hashed."""
    expected = audit.frontier.size + 1
    if row["position"] != expected:
        raise Break(expected, "gap", f"There is no entry at position {expected}; the next is at {row['position']}.")
    if row["id"] is None:
        raise Break(expected, "entry-missing", f"The entry at position {expected} has been removed.")
    made = hashed(row)
    if made != row["leaf_hash"]:
        raise Break(expected, "entry", f"The entry at position {expected} is not the one that got it.")
    if row["data"] is None:
        audit.report.erased += row["personal_hash"] is not None
    elif row["salt"] is None or hashlib.sha256(row["salt"] + row["data"]).digest() != row["personal_hash"]:
        raise Break(expected, "personal", f"What is personal of the entry at position {expected} was altered.")
    audit.frontier.append(made)
    audit.report.entries += 1
    audit.tick(1)


async def _reached(audit: _Audit, checkpoints: AsyncIterator[Signed], awaited: Signed) -> Signed | None:
    """Hold the tree against what was signed of it at this size, here and outside."""
    size = audit.frontier.size
    while audit.anchors and audit.anchors[0].size == size:
        if audit.anchors.pop(0).root != audit.frontier.root():
            raise Break(
                size, "anchor", f"The first {size} entries are not those of the checkpoint that was kept outside."
            )
    if size != awaited.size:
        return awaited
    if awaited.root != audit.frontier.root():
        raise Break(size, "root", f"The first {size} entries are not those that the checkpoint signs.")
    return await _next(audit, checkpoints)


def _state(audit: _Audit, row: Mapping[str, Any]) -> None:
    """Remember what the entry states of a business row, if it is the latest that does."""
    if row["digest"] is None or row["object_type"] not in audit.vouched:
        return
    key = row["object_type"], row["object_id"]
    if key not in audit.stated or audit.stated[key][0] < row["id"]:
        audit.stated[key] = row["id"], row["digest"]


def _end(audit: _Audit, awaited: Signed | None) -> None:
    size = audit.frontier.size
    if awaited is not None:
        raise Break(size + 1, "cut-off", f"A checkpoint signs {awaited.size} entries; there are {size}.")
    if audit.stamp is not None:
        raise Break(
            audit.stamp.size,
            "timestamp",
            f"There is a time stamp of {audit.stamp.size} entries, and no such checkpoint.",
        )
    while audit.anchors and audit.anchors[0].size == 0:
        audit.anchors.pop(0)
    if audit.anchors:
        kept = audit.anchors[0].size
        raise Break(size + 1, "anchor", f"The checkpoint that was kept outside has {kept} entries; there are {size}.")


async def _check_rows(audit: _Audit, source: Source) -> None:
    """Each business row is what the last entry about it says, and there is none more and none less."""
    async for row in source.rows():
        stated = audit.stated.pop((row.object_type, row.object_id), None)
        if stated is None:
            raise Break(None, "row-unknown", f"No entry tells of the {row.object_type} {row.object_id}.")
        if stated[1] != row.digest:
            raise Break(None, "row", f"The {row.object_type} {row.object_id} is not what its last entry says.")
        audit.report.rows += 1
    for object_type, object_id in audit.stated:
        raise Break(None, "row-missing", f"The {object_type} {object_id} has been removed.")

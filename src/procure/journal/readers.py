"""What readers ask of the journal: changes, checkpoints, proofs."""

from base64 import b64encode
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.journal import lists, trees
from procure.journal.documents import leaf_of
from procure.journal.errors import CheckpointNotFound, EntryNotFound, ProofUnknown, TimestampNotFound
from procure.journal.models import JournalCheckpoint, JournalTimestamp
from procure.journal.schemas import Changes, ChangeView, CheckpointView, ConsistencyProof, InclusionProof
from procure.kit.actor import Actor
from procure.kit.merkle import leaf_hash


async def list_changes(
    db: AsyncSession, actor: Actor, after: int, limit: int, types: Collection[str] | None = None
) -> Changes:
    """What happened after a position, as far as the caller may see it."""
    rows, next_ = await lists.changes(db, actor, after, limit, types)
    is_caught_up = len(rows) < limit and next_ >= await lists.reached(db)
    return Changes(items=[ChangeView.of(row, actor) for row in rows], next=next_, is_caught_up=is_caught_up)


def _checkpoints(*, stamped: bool = False) -> Select[JournalCheckpoint, datetime]:
    """Each with the time of its stamp, or None; with `stamped` those that have one alone."""
    of = JournalTimestamp.size == JournalCheckpoint.size
    return select(JournalCheckpoint, JournalTimestamp.stamped_at).join(JournalTimestamp, of, isouter=not stamped)


async def list_checkpoints(
    db: AsyncSession, before: int | None, limit: int, *, stamped: bool = False
) -> list[CheckpointView]:
    """Newest first."""
    statement = _checkpoints(stamped=stamped).order_by(JournalCheckpoint.size.desc()).limit(limit)
    if before is not None:
        statement = statement.where(JournalCheckpoint.size < before)
    return [CheckpointView.of(row, stamped_at) for row, stamped_at in await db.execute(statement)]


async def find_checkpoint(db: AsyncSession, at_least: int | None = None) -> CheckpointView:
    """The latest, or the smallest that covers `at_least` entries."""
    statement = _checkpoints().limit(1)
    if at_least is None:
        statement = statement.order_by(JournalCheckpoint.size.desc())
    else:
        statement = statement.where(JournalCheckpoint.size >= at_least).order_by(JournalCheckpoint.size)
    found = (await db.execute(statement)).one_or_none()
    if found is None:
        raise CheckpointNotFound("The journal has no checkpoint of that size yet.")
    return CheckpointView.of(*found)


async def find_timestamp(db: AsyncSession, size: int) -> bytes:
    """The authority's answer about the checkpoint of `size` entries, as it came."""
    found = await db.scalar(select(JournalTimestamp.reply).where(JournalTimestamp.size == size))
    if found is None:
        raise TimestampNotFound(f"There is no time stamp of a checkpoint of {size} entries.")
    return found


async def prove_inclusion(db: AsyncSession, actor: Actor, position: int, size: int | None) -> InclusionProof:
    """That an entry which the caller may see stands in the tree of the latest checkpoint, or of one of `size` entries."""
    row = await lists.entry_at(db, actor, position)
    if row is None:
        raise EntryNotFound("There is no entry at this position, or it is not yours to see.")
    checkpoint = await find_checkpoint(db, size)
    if size is not None and checkpoint.size != size:
        raise CheckpointNotFound(
            f"No checkpoint has {size} entries; `GET /v1/journal/checkpoints` lists those there are."
        )
    if position > checkpoint.size:
        raise ProofUnknown(f"The entry came after the first {checkpoint.size}.")
    leaf = leaf_of(row)
    return InclusionProof(
        position=position,
        leaf=leaf.decode(),
        leaf_hash=b64encode(leaf_hash(leaf)).decode(),
        size=checkpoint.size,
        hashes=[b64encode(one).decode() for one in await trees.inclusion(db, position, checkpoint.size)],
        checkpoint=checkpoint.note,
    )


async def prove_consistency(db: AsyncSession, since: int, to: int) -> ConsistencyProof:
    """That nothing of the first `since` entries was altered on the way to `to`."""
    if not 0 < since <= to <= await lists.reached(db):
        raise ProofUnknown("Sizes count from 1, the earlier one first, and end with the latest checkpoint's.")
    hashes = [b64encode(one).decode() for one in await trees.consistency(db, since, to)]
    return ConsistencyProof(since=since, to=to, hashes=hashes)

"""The SQL of delivery: whom a worker serves, what is taken in from the journal, what is due, and what came of it.

Ordered is what happened to one object: a message waits while an earlier one about the same object does. All that is of time here is the
machine's, as PostgreSQL tells it. Locks are taken in one order: webhook → cursor → messages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CursorResult, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from procure.journal.documents import hashed
from procure.journal.lists import VISIBLE, seer
from procure.kit.actor import Actor
from procure.kit.ids import new_id
from procure.webhooks.rules import LOG_DAYS, DeliveryStatus
from procure.webhooks.sending import Trouble

#: How long a worker has a webhook for itself unless it says so again: more than one round of messages takes (`courier.ROUND_S`).
LEASE_S: Final = 30
#: Messages to one webhook that wait at once; the rest of what it is to be sent stays in the journal meanwhile.
WAITING_MAX: Final = 1000
#: Messages of one round.
ROUND_MAX: Final = 32
PRUNE_BATCH: Final = 1000

_COPIES = text("""
SELECT id FROM webhooks WHERE status = 'active' AND (cluster <> app_cluster() OR instance <> :instance)
FOR NO KEY UPDATE SKIP LOCKED
""")
# Who was served longest ago comes first, and nobody waits for a row that another worker is about to take. Whoever left a lease behind left
# something undone: they took in what was new, and nothing says when it is due.
_CLAIM = text("""
UPDATE webhook_cursors SET leased_by = :worker, leased_until = statement_timestamp() + make_interval(secs => :lease_s)
WHERE webhook_id IN (
  SELECT cursor.webhook_id FROM webhook_cursors AS cursor
  JOIN webhooks ON webhooks.id = cursor.webhook_id
  JOIN organisations ON organisations.id = webhooks.organisation_id
  WHERE webhooks.status = 'active' AND webhooks.cluster = app_cluster() AND webhooks.instance = :instance
    AND organisations.status = 'active'
    AND (cursor.leased_until IS NULL OR cursor.leased_until < statement_timestamp())
    AND (cursor.rests_until IS NULL OR cursor.rests_until <= statement_timestamp())
    AND (cursor.next_at <= statement_timestamp() OR cursor.leased_by IS NOT NULL
      OR (NOT cursor.is_full AND cursor.position < (SELECT max(position) FROM journal_positions)))
  ORDER BY cursor.served_at NULLS FIRST LIMIT :limit FOR UPDATE OF cursor SKIP LOCKED
)
RETURNING webhook_id
""")
_RENEW = text("""
UPDATE webhook_cursors SET leased_until = statement_timestamp() + make_interval(secs => :lease_s)
WHERE webhook_id = :webhook AND leased_by = :worker
RETURNING position, round
""")
# Asked in a statement of its own, after the cursor's lock: so it sees what was decided while that was waited for.
_IS_ACTIVE = text("""
SELECT EXISTS (
  SELECT FROM webhooks JOIN organisations ON organisations.id = webhooks.organisation_id
  WHERE webhooks.id = :webhook AND webhooks.status = 'active' AND organisations.status = 'active'
)""")
_RELEASE = text("""
UPDATE webhook_cursors SET leased_by = NULL, leased_until = NULL, served_at = statement_timestamp(), next_at = :next_at,
  is_full = :is_full, rests_until = statement_timestamp() + make_interval(secs => :rests_s)
WHERE webhook_id = :webhook AND leased_by = :worker
""")
_RELEASE_ALL = text("""
UPDATE webhook_cursors SET leased_by = NULL, leased_until = NULL, next_at = statement_timestamp() WHERE leased_by = :worker
""")
_WAITING = text("SELECT count(*) FROM webhook_deliveries WHERE webhook_id = :webhook AND status = 'waiting'")
_TAKE_IN = text("""
INSERT INTO webhook_deliveries (id, webhook_id, round, position, message_id, type, at, event_version, object_type, object_id,
  object_version, status, attempts)
SELECT id, :webhook, :round, position, message_id, type, at, event_version, object_type, object_id, object_version, 'waiting', 0
FROM unnest(CAST(:ids AS uuid[]), CAST(:positions AS bigint[]), CAST(:messages AS text[]), CAST(:types AS text[]),
  CAST(:ats AS timestamptz[]), CAST(:event_versions AS int[]), CAST(:object_types AS text[]), CAST(:object_ids AS uuid[]),
  CAST(:object_versions AS int[]))
AS entry (id, position, message_id, type, at, event_version, object_type, object_id, object_version)
""")
_ADVANCE = text("UPDATE webhook_cursors SET position = :position WHERE webhook_id = :webhook")
# Free is a message when it is due itself, and every earlier one about the same object that waits as well.
_FREE = """
SELECT *, max(due_at) OVER (PARTITION BY object_type, object_id ORDER BY position NULLS FIRST, id) AS free_at
FROM webhook_deliveries WHERE webhook_id = :webhook AND status = 'waiting'
"""
_DUE = text(f"""
SELECT * FROM ({_FREE}) AS free WHERE free_at <= statement_timestamp() ORDER BY position NULLS FIRST, id LIMIT :limit
""")  # noqa: S608 - SQL of our own
_NEXT = text(f"SELECT min(free_at) FROM ({_FREE}) AS free")  # noqa: S608 - SQL of our own
_SETTLE = text("""
UPDATE webhook_deliveries AS delivery SET status = came.status, attempts = attempts + 1,
  due_at = coalesce(came.due_at, delivery.due_at), attempted_at = came.attempted_at, answer = came.answer, trouble = came.trouble
FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:dues AS timestamptz[]), CAST(:attempted AS timestamptz[]),
  CAST(:answers AS int[]), CAST(:troubles AS text[])) AS came (id, status, due_at, attempted_at, answer, trouble)
WHERE delivery.id = came.id AND delivery.status = 'waiting'
""")
_HOLD = text("SELECT FROM webhook_cursors WHERE webhook_id = :webhook FOR NO KEY UPDATE")
_GIVE_UP = text("""
UPDATE webhook_deliveries SET status = 'dead' WHERE webhook_id = :webhook AND status = 'waiting'
""")
_REWIND = text("""
UPDATE webhook_cursors SET position = :after, round = round + 1, is_full = false, next_at = statement_timestamp(),
  rests_until = NULL
WHERE webhook_id = :webhook
""")
_FORGET_BEYOND = text("""
DELETE FROM webhook_deliveries WHERE webhook_id = :webhook AND status = 'waiting' AND position > :after
""")
_HURRY = text("""
UPDATE webhook_deliveries SET due_at = statement_timestamp() WHERE webhook_id = :webhook AND status = 'waiting'
""")
_WAKE = text("""
UPDATE webhook_cursors SET next_at = statement_timestamp(), rests_until = NULL WHERE webhook_id = :webhook
""")
_PROGRESS = text("""
SELECT (SELECT position FROM webhook_cursors WHERE webhook_id = :webhook) AS position,
  (SELECT coalesce(max(position), 0) FROM journal_positions) AS journal,
  count(*) FILTER (WHERE status = 'waiting') AS waiting, count(*) FILTER (WHERE status = 'dead') AS dead,
  min(created_at) FILTER (WHERE status = 'waiting') AS waiting_since
FROM webhook_deliveries WHERE webhook_id = :webhook
""")
_VISIBLE = f"""EXISTS (
  SELECT FROM journal_positions AS place JOIN journal_entries ON id = entry_id
  WHERE place.position = webhook_deliveries.position AND {VISIBLE}
)"""
_PRUNE = text("""
DELETE FROM webhook_deliveries WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM webhook_deliveries
  WHERE created_at < statement_timestamp() - make_interval(days => :days) AND status <> 'waiting'
  ORDER BY created_at LIMIT :batch
))""")


@dataclass(frozen=True, slots=True)
class Came:
    """What came of one attempt: the message's status now, and when it is tried again if it waits."""

    delivery_id: UUID
    status: DeliveryStatus
    due_at: datetime | None
    attempted_at: datetime
    answer: int | None
    trouble: Trouble | None


async def copies(db: AsyncSession, instance: str) -> Sequence[UUID]:
    """Active webhooks that were confirmed elsewhere: by another database, or beside other keys."""
    return (await db.scalars(_COPIES, {"instance": instance})).all()


async def claim(db: AsyncSession, worker: UUID, instance: str, limit: int) -> Sequence[UUID]:
    """Webhooks for which there is something to do, now this worker's alone."""
    values = {"worker": worker, "instance": instance, "limit": limit, "lease_s": LEASE_S}
    return (await db.scalars(_CLAIM, values)).all()


async def renew(db: AsyncSession, worker: UUID, webhook_id: UUID) -> tuple[int, int] | None:
    """Position and round, with the cursor's lock; None if another worker has taken it over."""
    row = (await db.execute(_RENEW, {"worker": worker, "webhook": webhook_id, "lease_s": LEASE_S})).one_or_none()
    return (row.position, row.round) if row is not None else None


async def is_active(db: AsyncSession, webhook_id: UUID) -> bool:
    """Whether it is still sent to: neither it nor its organisation has been stopped since it was claimed."""
    return bool(await db.scalar(_IS_ACTIVE, {"webhook": webhook_id}))


async def release(
    db: AsyncSession, worker: UUID, webhook_id: UUID, *, is_full: bool = False, rests_s: float = 0
) -> None:
    """Let it go until something is due, or new; but not before it has rested."""
    next_at = await db.scalar(_NEXT, {"webhook": webhook_id})
    values = {"worker": worker, "webhook": webhook_id, "next_at": next_at, "is_full": is_full, "rests_s": rests_s}
    await db.execute(_RELEASE, values)


async def release_all(db: AsyncSession, worker: UUID) -> None:
    """Let all go that the worker has, for others to go on at once."""
    await db.execute(_RELEASE_ALL, {"worker": worker})


async def waiting(db: AsyncSession, webhook_id: UUID) -> int:
    return int(await db.scalar(_WAITING, {"webhook": webhook_id}) or 0)


async def take_in(db: AsyncSession, webhook_id: UUID, round_: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Entries of the journal as messages that wait. Each has the same id in every round, made of its position and its content."""
    if rows:
        values = {
            "webhook": webhook_id,
            "round": round_,
            "ids": [new_id() for _ in rows],
            "positions": [row["position"] for row in rows],
            "messages": [f"evt_{row['position']}_{hashed(row).hex()[:16]}" for row in rows],
            "types": [row["type"] for row in rows],
            "ats": [row["at"] for row in rows],
            "event_versions": [row["event_version"] for row in rows],
            "object_types": [row["object_type"] for row in rows],
            "object_ids": [row["object_id"] for row in rows],
            "object_versions": [row["object_version"] for row in rows],
        }
        await db.execute(_TAKE_IN, values)


async def advance(db: AsyncSession, webhook_id: UUID, position: int) -> None:
    await db.execute(_ADVANCE, {"webhook": webhook_id, "position": position})


async def due(db: AsyncSession, webhook_id: UUID) -> Sequence[Any]:
    """Rows of what may be sent now, in the order of positions; tests first."""
    return (await db.execute(_DUE, {"webhook": webhook_id, "limit": ROUND_MAX})).all()


async def settle(db: AsyncSession, worker: UUID, webhook_id: UUID, came: Sequence[Came]) -> None:
    """Write down what came of a round, unless another worker has taken over meanwhile: then it sends once more."""
    if await renew(db, worker, webhook_id) is None:
        return
    values = {
        "ids": [one.delivery_id for one in came],
        "statuses": [one.status.value for one in came],
        "dues": [one.due_at for one in came],
        "attempted": [one.attempted_at for one in came],
        "answers": [one.answer for one in came],
        "troubles": [one.trouble.value if one.trouble else None for one in came],
    }
    await db.execute(_SETTLE, values)


async def give_up(db: AsyncSession, webhook_id: UUID) -> None:
    """Whatever waits is a dead letter, and whatever is being taken in at this moment."""
    await db.execute(_HOLD, {"webhook": webhook_id})
    await db.execute(_GIVE_UP, {"webhook": webhook_id})


async def rewind(db: AsyncSession, webhook_id: UUID, after: int) -> None:
    """Go back, or forward, to a position; what waits from beyond it is taken in once more when it comes."""
    values = {"webhook": webhook_id, "after": after}
    await db.execute(_REWIND, values)
    await db.execute(_FORGET_BEYOND, values)


async def hurry(db: AsyncSession, webhook_id: UUID) -> None:
    """Whatever waits is due now."""
    await wake(db, webhook_id)
    await db.execute(_HURRY, {"webhook": webhook_id})


async def wake(db: AsyncSession, webhook_id: UUID) -> None:
    """Have the webhook looked at."""
    await db.execute(_WAKE, {"webhook": webhook_id})


async def progress(db: AsyncSession, webhook_id: UUID) -> Any:
    return (await db.execute(_PROGRESS, {"webhook": webhook_id})).one()


def visible_position(actor: Actor) -> TextClause:
    """A condition on messages: the caller may see the change that they tell of."""
    return text(_VISIBLE).bindparams(**seer(actor))


async def prune(db: AsyncSession) -> int:
    """Remove one batch of what the log has kept for its days; how many rows that were."""
    done = await db.execute(_PRUNE, {"days": LOG_DAYS, "batch": PRUNE_BATCH})
    assert isinstance(done, CursorResult)
    return done.rowcount

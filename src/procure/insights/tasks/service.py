"""One queue for each caller, of everything that waits for it in any of its roles."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Text, Uuid, cast, func, literal, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from procure.insights.tasks import lists
from procure.kit.actor import Actor
from procure.kit.paging import Paging

#: Where a task without a date stands in the order.
LAST = datetime(2200, 1, 1, tzinfo=UTC)


async def list_tasks(db: AsyncSession, actor: Actor, paging: Paging) -> Sequence[Row[Any]]:
    """By due time, what has none last."""
    waiting = lists.waiting_for(actor)
    if not waiting:
        return []
    every = union_all(*waiting).subquery("every")
    due = func.coalesce(every.c.due_at, literal(LAST))
    named = every.c.operation + cast(every.c.resource_id, Text) + func.coalesce(every.c.about, "")
    # Of version 8, which is what an id made in a way of one's own is (RFC 9562, section 5.8).
    id_ = cast(func.overlay(func.overlay(func.md5(named), "8", 13), "8", 17), Uuid)
    statement = select(every, due.label("sorted_at"), id_.label("id"))
    if paging.after is not None:
        statement = statement.where(tuple_(due, id_) > tuple_(paging.after.at, paging.after.id))
    return (await db.execute(statement.order_by(due, id_).limit(paging.limit + 1))).all()

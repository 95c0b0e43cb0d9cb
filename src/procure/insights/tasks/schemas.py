"""What is answered about tasks."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta
from sqlalchemy import Row

from procure.kit.fields import Instant, Line, Operation, Path, Reference

#: The key of a deliverable, or the id of a measure.
About = Annotated[str, Meta(pattern=r"^([A-Z][0-9]{1,3}|[0-9a-f-]{36})$", max_length=36)]


class TaskView(msgspec.Struct, frozen=True, kw_only=True):
    """An act that waits for this caller, and when it is due: `due_at` is null where nothing sets a date.

    `path` is the resource, `reference` its own or that of what it belongs to, `about` its deliverable or measure where it has several.
    The `id` is the same for as long as the task waits. It says what is next, not that nothing else is in the way: the actions of the
    resource (`path` with `/actions`) say that.
    """

    id: UUID
    operation: Operation
    path: Path
    reference: Reference
    title: Line
    about: About | None
    due_at: Instant | None

    @classmethod
    def of(cls, row: Row[Any]) -> "TaskView":
        return cls(
            id=row.id,
            operation=row.operation,
            path=f"/v1/{row.resource}/{row.resource_id}",
            reference=row.reference,
            title=row.title,
            about=row.about,
            due_at=row.due_at,
        )

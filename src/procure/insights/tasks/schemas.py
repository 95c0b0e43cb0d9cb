"""What is answered about tasks."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta
from sqlalchemy import Row


class TaskView(msgspec.Struct, frozen=True, kw_only=True):
    """An act that waits for this caller, and when it is due.

    It says what is next, not that nothing else is in the way: the actions of the resource (`path` with `/actions`) say that.
    """

    id: Annotated[UUID, Meta(description="The same for as long as the task waits.")]
    operation: Annotated[str, Meta(description="The `operationId` of the act in the document.")]
    path: Annotated[str, Meta(description="The resource that it is about.")]
    reference: Annotated[str, Meta(description="The reference of that resource, or of what it belongs to.")]
    title: str
    about: Annotated[
        str | None, Meta(description="The deliverable or measure that it is about, where a resource has several.")
    ]
    due_at: Annotated[datetime | None, Meta(description="Null where nothing sets a date.")]

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

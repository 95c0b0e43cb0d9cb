"""What is answered about acts."""

from typing import Annotated

import msgspec
from msgspec import Meta


class ActionView(msgspec.Struct, frozen=True, kw_only=True):
    """An act of this resource: whether this caller may take it now, and if not, the slugs of the problems that it would be answered.

    Each slug is explained at `/problems/{slug}`. Whether a body fits is not told before there is one.
    """

    operation: Annotated[str, Meta(description="Its `operationId` in the document.")]
    method: str
    path: Annotated[str, Meta(description="Where to send it; a part in braces is the caller's to fill in.")]
    about: Annotated[str | None, Meta(description="The deliverable that it is about, where one resource has several.")]
    allowed: bool
    because: list[str]


class ActionsView(msgspec.Struct, frozen=True, kw_only=True):
    """Every act of a resource, as it is for this caller now."""

    items: list[ActionView]

"""What is answered about acts."""

from typing import Annotated

import msgspec
from msgspec import Meta

from procure.kit.fields import ItemKey, Operation, Path, Slug


class ActionView(msgspec.Struct, frozen=True, kw_only=True):
    """An act of this resource: whether this caller may take it now, and if not, the slugs of the problems that it would be answered.

    `about` is the deliverable that it is about, where a contract has several; a part of `path` in braces is the caller's to fill in.
    Each slug is explained at `/problems/{slug}`. Whether a body fits is not told before there is one.
    """

    operation: Operation
    method: Annotated[str, Meta(pattern="^(PATCH|POST|PUT)$", max_length=5)]
    path: Path
    about: ItemKey | None
    allowed: bool
    because: Annotated[list[Slug], Meta(max_length=20)]


class ActionsView(msgspec.Struct, frozen=True, kw_only=True):
    """Every act of a resource, as it is for this caller now."""

    items: Annotated[list[ActionView], Meta(max_length=500)]

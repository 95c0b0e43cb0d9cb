"""What is answered about codes."""

from typing import Annotated

import msgspec
from msgspec import Meta

from procure.cpv.rules import Entry, stem
from procure.kit.etags import TaggedByContent
from procure.kit.fields import Count, Cpv, Line

CheckedCode = Annotated[str, Meta(pattern=r"^[0-9]{8}-[0-9]$", min_length=10, max_length=10)]


class CpvCode(msgspec.Struct, frozen=True, kw_only=True):
    """A code of the Common Procurement Vocabulary; `written` is it with its check digit."""

    code: Cpv
    written: CheckedCode
    name: Line
    level: Annotated[
        int, Meta(ge=1, le=7, description="1 is a division, 2 a group, 3 a class, 4 a category, 5 to 7 finer.")
    ]

    @classmethod
    def of(cls, entry: Entry) -> "CpvCode":
        written = f"{entry.code}-{entry.check_digit}"
        return cls(code=entry.code, written=written, name=entry.name, level=len(stem(entry.code)) - 1)


class CpvFindings(TaggedByContent, frozen=True, kw_only=True):
    """What was found, the best first, and how many there are in all."""

    items: Annotated[list[CpvCode], Meta(max_length=200)]
    found: Count


class CpvView(TaggedByContent, frozen=True, kw_only=True):
    """A code between what is above it, from its division on, and what is right below."""

    code: Cpv
    written: CheckedCode
    name: Line
    level: Annotated[int, Meta(ge=1, le=7)]
    parents: Annotated[list[CpvCode], Meta(max_length=6)]
    children: Annotated[list[CpvCode], Meta(max_length=100)]

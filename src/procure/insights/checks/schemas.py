"""What is answered about a draft."""

from typing import Annotated

import msgspec
from msgspec import Meta

from procure.insights.checks.rules import Finding, Level
from procure.kit.fields import FieldNames, Grounds, Line, Name, Slug

Pointer = Annotated[str, Meta(pattern=r"^(/[a-z0-9_]+)+$", max_length=100)]


class EvidenceView(msgspec.Struct, frozen=True):
    """Something that was seen, by its name."""

    name: Name
    value: Line


class CheckView(msgspec.Struct, frozen=True, kw_only=True):
    """Something of a draft: what `blocks` has to be mended before it can be published, what `warns` is for a person to judge.

    `code` is the problem's slug, or the fault's code, that publishing would answer. `pointer` is the field of the lot that it is about.
    """

    level: Level
    code: Slug
    pointer: Pointer | None
    said: Grounds
    evidence: Annotated[list[EvidenceView], Meta(max_length=10)]

    @classmethod
    def of(cls, one: Finding) -> "CheckView":
        evidence = [EvidenceView(name, value) for name, value in one.evidence.items()]
        return cls(level=one.level, code=one.code, pointer=one.pointer, said=one.said, evidence=evidence)


class ChecksView(msgspec.Struct, frozen=True, kw_only=True):
    """What stands between a draft and its publication by this caller, what blocks before what warns; empty once it is no draft any more.

    `derived` are the fields that policy worked out since nobody gave them: they are worked out anew with each edit.
    """

    items: Annotated[list[CheckView], Meta(max_length=500)]
    derived: FieldNames

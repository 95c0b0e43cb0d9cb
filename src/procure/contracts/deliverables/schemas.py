"""What is sent about deliverables; they are answered as part of their contract."""

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from procure.kit.fields import Link, Paragraph


class Delivery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is handed in: a note, and where the work itself can be seen (https)."""

    EXAMPLE: ClassVar[object] = {
        "note": "Twenty changes followed; the map shows where each one waited.",
        "links": ["https://work.example/housing/map"],
    }

    note: Paragraph
    links: Annotated[list[Link], Meta(max_length=20)] = []


class CriterionVerdictDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to one acceptance criterion, by its place in the list (0 is the first)."""

    criterion: Annotated[int, Meta(ge=0, le=100)]
    met: bool
    reason: Paragraph | None = None
    evidence: Paragraph | None = None


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer to each acceptance criterion, with a reason where it is not met. Accepted only if all are met."""

    EXAMPLE: ClassVar[object] = {
        "verdicts": [
            {"criterion": 0, "met": True, "evidence": "The map lists twenty case numbers."},
            {"criterion": 1, "met": False, "reason": "Waiting days are missing for three changes."},
        ]
    }

    verdicts: Annotated[list[CriterionVerdictDraft], Meta(min_length=1, max_length=40)]

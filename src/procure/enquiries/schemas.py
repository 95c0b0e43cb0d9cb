"""What is sent and answered about enquiries. No view has a field for who asked."""

from typing import ClassVar
from uuid import UUID

import msgspec

from procure.enquiries.models import Enquiry
from procure.kit.fields import Instant, Paragraph


class EnquiryDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question about a lot. It is published word by word: don't name yourself in it."""

    EXAMPLE: ClassVar[object] = {"question": "May the twenty changes come from two neighbouring districts?"}

    question: Paragraph


class EnquiryAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The buyer's answer, published beside the question."""

    EXAMPLE: ClassVar[object] = {"answer": "Yes, as long as at least ten of them are ours."}

    answer: Paragraph


class EnquiryView(msgspec.Struct, frozen=True, kw_only=True):
    """A question and, once it has been given, its answer. Who asked is told to nobody."""

    id: UUID
    lot_id: UUID
    question: Paragraph
    asked_at: Instant
    answer: Paragraph | None
    answered_at: Instant | None
    version: int

    @classmethod
    def of(cls, row: Enquiry) -> "EnquiryView":
        return cls(
            id=row.id,
            lot_id=row.lot_id,
            question=row.question,
            asked_at=row.asked_at,
            answer=row.answer,
            answered_at=row.answered_at,
            version=row.version,
        )

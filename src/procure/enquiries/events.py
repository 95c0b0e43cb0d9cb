"""What happens to enquiries, as the journal tells it."""

from typing import ClassVar
from uuid import UUID

from procure.journal.events import Event


class EnquiryAsked(Event, frozen=True, kw_only=True):
    """A supplier asked. Its actor columns name the asker, so nobody but the asker ever sees the entry."""

    type: ClassVar[str] = "enquiry.asked"
    object_type: ClassVar[str] = "enquiry"

    lot_id: UUID
    question: str


class EnquiryAnswered(Event, frozen=True, kw_only=True):
    """An officer answered, for everybody: question and answer as published."""

    type: ClassVar[str] = "enquiry.answered"
    object_type: ClassVar[str] = "enquiry"

    lot_id: UUID
    question: str
    answer: str

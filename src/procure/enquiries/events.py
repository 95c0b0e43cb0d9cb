"""What happens to enquiries, as the journal tells it."""

from typing import ClassVar
from uuid import UUID

from procure.journal.events import Event, Told
from procure.kit.fields import Markdown, Paragraph


class EnquiryAsked(Event, frozen=True, kw_only=True):
    """A supplier asked. Nobody else is told: the entry names who did."""

    type: ClassVar[str] = "enquiry.asked"
    object_type: ClassVar[str] = "enquiry"
    told: ClassVar[tuple[Told, ...]] = (Told.SUPPLIER,)

    lot_id: UUID
    question: Paragraph


class EnquiryAnswered(Event, frozen=True, kw_only=True):
    """An officer answered, for everybody: question and answer as published."""

    type: ClassVar[str] = "enquiry.answered"
    object_type: ClassVar[str] = "enquiry"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    lot_id: UUID
    question: Paragraph
    answer: Markdown

"""What happens to enquiries, as the journal tells it."""

from typing import ClassVar
from uuid import UUID

from procure.enquiries.rules import Ground
from procure.journal.events import Event, Told
from procure.kit.fields import Markdown, Paragraph
from procure.kit.scopes import Scope


class EnquiryAsked(Event, frozen=True, kw_only=True):
    """A supplier asked. Nobody else is told, the buyer neither: the entry names who did."""

    type: ClassVar[str] = "enquiry.asked"
    object_type: ClassVar[str] = "enquiry"
    told: ClassVar[tuple[Told, ...]] = (Told.SUPPLIER,)

    lot_id: UUID
    question: Paragraph


class EnquiryDrafted(Event, frozen=True, kw_only=True):
    """An officer wrote, or edited, what is to be published of a question and its answer."""

    type: ClassVar[str] = "enquiry.drafted"
    object_type: ClassVar[str] = "enquiry"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER,)
    readers: ClassVar[Scope | None] = Scope.ENQUIRIES_READ

    lot_id: UUID
    question: Paragraph
    answer: Markdown


class EnquiryPublished(Event, frozen=True, kw_only=True):
    """An officer answered, for everybody: question and answer as published."""

    type: ClassVar[str] = "enquiry.published"
    object_type: ClassVar[str] = "enquiry"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    lot_id: UUID
    question: Paragraph
    answer: Markdown


class EnquiryMerged(Event, frozen=True, kw_only=True):
    """An officer answered a question with another one's published answer."""

    type: ClassVar[str] = "enquiry.merged"
    object_type: ClassVar[str] = "enquiry"
    told: ClassVar[tuple[Told, ...]] = (Told.PARTIES,)
    readers: ClassVar[Scope | None] = Scope.ENQUIRIES_READ

    lot_id: UUID
    into_id: UUID


class EnquiryReplied(Event, frozen=True, kw_only=True):
    """An officer answered the asker alone, and said why it is not everybody's."""

    type: ClassVar[str] = "enquiry.replied"
    object_type: ClassVar[str] = "enquiry"
    told: ClassVar[tuple[Told, ...]] = (Told.PARTIES,)
    readers: ClassVar[Scope | None] = Scope.ENQUIRIES_READ

    lot_id: UUID
    answer: Markdown
    ground: Ground
    reason: Paragraph

"""What is sent and answered about enquiries. No view has a field for who asked."""

from typing import ClassVar
from uuid import UUID

import msgspec

from procure.enquiries.models import Enquiry
from procure.enquiries.rules import EnquiryStatus, Ground
from procure.kit.etags import tag_of
from procure.kit.fields import Everything, Instant, Paragraph


class EnquiryDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question about a lot. Until it is answered it is yours and the buyer's, who is not told that it is yours."""

    EXAMPLE: ClassVar[object] = {"question": "May the twenty changes come from two neighbouring districts?"}

    question: Paragraph


class EnquiryAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be published. `question` is its wording for everybody, without what tells who asked; left out, it is as it was asked."""

    EXAMPLE: ClassVar[object] = {
        "question": "May the changes come from two neighbouring districts?",
        "answer": "Yes, as long as at least ten of them are ours.",
    }

    answer: Paragraph
    question: Paragraph | None = None


class EnquiryMerge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The published enquiry whose answer is this one's too."""

    EXAMPLE: ClassVar[object] = {"into_id": "0198c5b2-7d3c-7a60-8f2e-9b1d4c6a7e51"}

    into_id: UUID


class EnquiryReply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer to the asker alone: why, and that it helps nobody to bid."""

    EXAMPLE: ClassVar[object] = {
        "answer": "Yes: your registration is complete.",
        "ground": "about_asker",
        "reason": "It is about the asker's own registration.",
        "informs_bidding": False,
    }

    answer: Paragraph
    ground: Ground
    reason: Paragraph
    informs_bidding: bool


class Wording(msgspec.Struct, frozen=True):
    """Question and answer as they would be published."""

    question: Paragraph
    answer: Paragraph


class PrivateReply(msgspec.Struct, frozen=True):
    """What the asker alone was told, and why."""

    answer: Paragraph
    ground: Ground
    reason: Paragraph
    replied_at: Instant


class EnquiryView(msgspec.Struct, frozen=True, kw_only=True):
    """A question and, once it has been published, its answer. Who asked is told to nobody.

    `question` is as published; before that, which its asker and the buyer alone see, as it was asked. `asked_as` and `reply` are theirs
    alone as well, `draft` the buyer's. `answered_at` is when the answer was published; to asker and buyer, when the asker first had one.
    """

    id: UUID
    lot_id: UUID
    status: EnquiryStatus
    question: Paragraph
    asked_as: Paragraph | None
    asked_at: Instant
    answer: Paragraph | None
    answered_at: Instant | None
    published_at: Instant | None
    reply: PrivateReply | None
    merged_into_id: UUID | None
    draft: Wording | None
    version: int

    @classmethod
    def of(cls, row: Enquiry, *, is_asker: bool = False, is_buyer: bool = False) -> "EnquiryView":
        """As its asker, the lot's buyer, or anybody sees it; anybody sees published ones alone."""
        is_party, is_published = is_asker or is_buyer, row.published_at is not None
        assert is_party or is_published, "an enquiry is private until it is published"
        wording = row.wording if is_published else None
        return cls(
            id=row.id,
            lot_id=row.lot_id,
            status=row.status,
            question=wording or row.question,
            asked_as=row.question if is_party else None,
            asked_at=row.asked_at,
            answer=row.answer if is_published else None,
            answered_at=row.answered_at if is_party else row.published_at,
            published_at=row.published_at,
            reply=_reply(row) if is_party else None,
            merged_into_id=row.merged_into_id,
            draft=_draft(row) if is_buyer and not is_published else None,
            version=row.version,
        )

    @property
    def etag(self) -> str:
        """Buyer, asker and others are shown different things; a content of its own for each."""
        return tag_of(EnquiryView, self)


def _reply(row: Enquiry) -> PrivateReply | None:
    if row.reply is None or row.ground is None or row.reply_reason is None or row.replied_at is None:
        return None
    return PrivateReply(row.reply, row.ground, row.reply_reason, row.replied_at)


def _draft(row: Enquiry) -> Wording | None:
    if row.wording is None or row.answer is None:
        return None
    return Wording(row.wording, row.answer)


class LateEnquiry(msgspec.Struct, frozen=True):
    """An enquiry that was answered late for all, or is not answered: `answered_at` is null."""

    id: UUID
    answered_at: Instant | None


class OfferView(msgspec.Struct, frozen=True):
    """What the lot's closing could be moved to for late answers, and for which; null where there is nothing to offer.

    An approver moves it (`extendLot`), or leaves it: the offer blocks nothing, and is made while the lot has never been extended.
    """

    lot_id: UUID
    closes_at: Instant | None
    enquiries: Everything[LateEnquiry]

"""Who may ask and how often, and what may be done with a question when; all over plain values."""

from enum import StrEnum
from uuid import UUID

from procure.enquiries.errors import (
    AskerNotSupplier,
    EnquiriesTooMany,
    EnquiryNotDrafted,
    EnquiryNotMergeable,
    EnquirySettled,
    ReplyInformsBidding,
)

#: Of one supplier about one lot.
ENQUIRIES_MAX = 50


class EnquiryStatus(StrEnum):
    """How far a question is: an answer that is drafted and not published leaves it unanswered."""

    UNANSWERED = "unanswered"
    REPLIED = "replied"
    MERGED = "merged"
    PUBLISHED = "published"


#: A private reply may still become public; what is public, or answered by what is, stays so.
NEXT: dict[EnquiryStatus, frozenset[EnquiryStatus]] = {
    EnquiryStatus.UNANSWERED: frozenset({EnquiryStatus.REPLIED, EnquiryStatus.MERGED, EnquiryStatus.PUBLISHED}),
    EnquiryStatus.REPLIED: frozenset({EnquiryStatus.MERGED, EnquiryStatus.PUBLISHED}),
    EnquiryStatus.MERGED: frozenset(),
    EnquiryStatus.PUBLISHED: frozenset(),
}


class Ground(StrEnum):
    """Why a question may be answered to its asker alone."""

    ABOUT_ASKER = "about_asker"
    CONFIDENTIAL = "confidential"


def check_asker(supplier_id: UUID | None) -> UUID:
    """The asking supplier's id."""
    if supplier_id is None:
        raise AskerNotSupplier("Enquiries are asked for a supplier organisation.")
    return supplier_id


def check_number(asked: int) -> None:
    """`asked` is how many this supplier has asked about this lot before."""
    if asked >= ENQUIRIES_MAX:
        raise EnquiriesTooMany(f"You have asked {asked} times about this lot, which is as often as anyone may.")


def check_next(status: EnquiryStatus, wanted: EnquiryStatus) -> None:
    """Published and merged are final; a private reply is given once."""
    if wanted not in NEXT[status]:
        raise EnquirySettled(f"The enquiry is {status}; it can't become {wanted}.")


def check_draftable(status: EnquiryStatus) -> None:
    """The answer to everybody is edited until it is published, also after a private reply."""
    check_next(status, EnquiryStatus.PUBLISHED)


def check_drafted(answer: str | None) -> None:
    if answer is None:
        raise EnquiryNotDrafted("Write the answer, and the question's wording if need be, before you publish them.")


def check_reply(*, informs_bidding: bool) -> None:
    """Equal treatment (Directive 2014/24/EU, article 18; Procurement Act 2023, section 12): what helps one to bid is told to all."""
    if informs_bidding:
        raise ReplyInformsBidding("What a supplier could bid better for knowing is published, for all at once.")


def check_merge(enquiry_id: UUID, lot_id: UUID, into_id: UUID, into_lot_id: UUID, into: EnquiryStatus) -> None:
    """A question is answered with another one of its lot that is public already."""
    if (into_id == enquiry_id) or (into_lot_id != lot_id) or into is not EnquiryStatus.PUBLISHED:
        raise EnquiryNotMergeable("`into_id` names another enquiry about the same lot, and a published one.")


def counting_key(lot_id: UUID, supplier_id: UUID) -> UUID:
    """What to lock so that one supplier's enquiries about one lot are counted one at a time."""
    return UUID(int=lot_id.int ^ supplier_id.int)

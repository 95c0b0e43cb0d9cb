"""Who may ask and how often, and what may be done with a question when; all over plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from procure.enquiries.errors import (
    AskerNotSupplier,
    EnquiriesTooMany,
    EnquiryNotDrafted,
    EnquiryNotMergeable,
    EnquirySettled,
    ReplyInformsBidding,
)
from procure.organisations.rules import Nation
from procure.policy.working_days import ZONE, add_working_days, is_working_day, local_day

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


#: An answer that comes later than this before the closing is late: there is no day left to bid by it.
TO_BID_BY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Late:
    """An enquiry that was not answered for all in time: at all, or when."""

    id: UUID
    answered_at: datetime | None


def is_late(answered_at: datetime | None, enquiries_close_at: datetime, closes_at: datetime, now: datetime) -> bool:
    """Not answered in public when enquiries closed, or with less than a day left; what is not asked any more has come to be late then."""
    if answered_at is None:
        return now >= enquiries_close_at
    return answered_at >= enquiries_close_at or closes_at - answered_at < TO_BID_BY


def offered_close(
    late: Sequence[Late],
    *,
    enquiries_close_at: datetime,
    closes_at: datetime,
    starts_on: date,
    nation: Nation,
    now: datetime,
) -> datetime | None:
    """The closing, moved by as many working days as the latest answer was late, at the same time of the day; None: nothing to offer.

    A day that has begun counts as one. Where work would have started, no later closing is possible.
    """
    if not late:
        return None
    last = max(one.answered_at or now for one in late)
    days = max(1, working_days_between(local_day(enquiries_close_at), local_day(last), nation))
    local = closes_at.astimezone(ZONE)
    moved = datetime.combine(add_working_days(local.date(), days, nation), local.timetz().replace(tzinfo=None), ZONE)
    return moved.astimezone(UTC) if local_day(moved) < starts_on else None


def working_days_between(day: date, last: date, nation: Nation) -> int:
    """How many working days there are after `day`, `last` among them."""
    days = (last - day).days
    return sum(is_working_day(day + timedelta(days=number), nation) for number in range(1, days + 1))

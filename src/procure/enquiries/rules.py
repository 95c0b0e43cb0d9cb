"""Who may ask and how often, and when an answer may be given; all over plain values."""

from datetime import datetime
from uuid import UUID

from procure.enquiries.errors import AskerNotSupplier, EnquiriesTooMany, EnquiryHasAnswer

#: Of one supplier about one lot.
ENQUIRIES_MAX = 50


def check_asker(supplier_id: UUID | None) -> UUID:
    """The asking supplier's id."""
    if supplier_id is None:
        raise AskerNotSupplier("Enquiries are asked for a supplier organisation.")
    return supplier_id


def check_number(asked: int) -> None:
    """`asked` is how many this supplier has asked about this lot before."""
    if asked >= ENQUIRIES_MAX:
        raise EnquiriesTooMany(f"You have asked {asked} times about this lot, which is as often as anyone may.")


def check_unanswered(answered_at: datetime | None) -> None:
    if answered_at is not None:
        raise EnquiryHasAnswer("The enquiry has been answered; its answer is public and stays as it is.")


def counting_key(lot_id: UUID, supplier_id: UUID) -> UUID:
    """What to lock so that one supplier's enquiries about one lot are counted one at a time."""
    return UUID(int=lot_id.int ^ supplier_id.int)

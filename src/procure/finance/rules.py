"""An invoice's statuses and what may follow what. `disputed` and `credited` come with disputes and credit notes."""

from enum import StrEnum


class InvoiceStatus(StrEnum):
    RECEIVED = "received"
    PAID = "paid"


NEXT: dict[InvoiceStatus, frozenset[InvoiceStatus]] = {
    InvoiceStatus.RECEIVED: frozenset({InvoiceStatus.PAID}),
    InvoiceStatus.PAID: frozenset(),
}

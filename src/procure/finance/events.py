"""What happens to orders, invoices and payments, as the journal tells it."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from procure.finance.models import Invoice, Order, Payment
from procure.journal.events import Event


class OrderPlaced(Event, frozen=True, kw_only=True):
    """The finance system placed an order for a contract, under its own id. `amount` is net."""

    type: ClassVar[str] = "order.placed"
    object_type: ClassVar[str] = "order"

    external_id: str
    contract_id: UUID
    amount: str
    currency: str
    ordered_on: date

    @classmethod
    def of(cls, row: Order) -> "OrderPlaced":
        return cls(
            object_id=row.id,
            external_id=row.external_id,
            contract_id=row.contract_id,
            amount=f"{row.amount:.2f}",
            currency=row.currency,
            ordered_on=row.ordered_on,
        )


class InvoiceReceived(Event, frozen=True, kw_only=True):
    """A supplier's invoice for an accepted deliverable came in; the payment term runs."""

    type: ClassVar[str] = "invoice.received"
    object_type: ClassVar[str] = "invoice"

    number: str
    contract_id: UUID
    deliverable_id: UUID
    net: str
    vat_rate: str
    vat: str
    gross: str
    currency: str
    due_on: date

    @classmethod
    def of(cls, row: Invoice) -> "InvoiceReceived":
        return cls(
            object_id=row.id,
            object_version=row.version,
            number=row.number,
            contract_id=row.contract_id,
            deliverable_id=row.deliverable_id,
            net=f"{row.net:.2f}",
            vat_rate=f"{row.vat_rate:.2f}",
            vat=f"{row.vat:.2f}",
            gross=f"{row.gross:.2f}",
            currency=row.currency,
            due_on=row.due_on,
        )


class PaymentRecorded(Event, frozen=True, kw_only=True):
    """The finance system recorded that money left, under its own id. `amount` is a part of the invoice's gross."""

    type: ClassVar[str] = "payment.recorded"
    object_type: ClassVar[str] = "payment"

    external_id: str
    invoice_id: UUID
    contract_id: UUID
    amount: str
    currency: str
    paid_on: date

    @classmethod
    def of(cls, row: Payment) -> "PaymentRecorded":
        return cls(
            object_id=row.id,
            external_id=row.external_id,
            invoice_id=row.invoice_id,
            contract_id=row.contract_id,
            amount=f"{row.amount:.2f}",
            currency=row.currency,
            paid_on=row.paid_on,
        )


class InvoicePaid(Event, frozen=True, kw_only=True):
    """The invoice's payments have reached its gross."""

    type: ClassVar[str] = "invoice.paid"
    object_type: ClassVar[str] = "invoice"

    number: str
    contract_id: UUID
    paid_on: date

    @classmethod
    def of(cls, row: Invoice) -> "InvoicePaid":
        assert row.paid_on is not None
        return cls(
            object_id=row.id,
            object_version=row.version,
            number=row.number,
            contract_id=row.contract_id,
            paid_on=row.paid_on,
        )

"""What happens to orders, invoices and payments, as the journal tells it."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from procure.finance.models import Invoice, Order, Payment
from procure.finance.schemas import ExternalId, Percent
from procure.journal.events import Event, Told
from procure.kit.fields import Amount, Currency, Name
from procure.kit.scopes import Scope


class OrderPlaced(Event, frozen=True, kw_only=True):
    """The finance system placed an order for a contract, under its own id. `amount` is net."""

    type: ClassVar[str] = "order.placed"
    object_type: ClassVar[str] = "order"
    told: ClassVar[tuple[Told, ...]] = (Told.PARTIES,)
    readers: ClassVar[Scope | None] = Scope.FINANCE_READ

    external_id: ExternalId
    contract_id: UUID
    amount: Amount
    currency: Currency
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
    told: ClassVar[tuple[Told, ...]] = (Told.PARTIES,)
    readers: ClassVar[Scope | None] = Scope.FINANCE_READ

    number: Name
    contract_id: UUID
    deliverable_id: UUID
    net: Amount
    vat_rate: Percent
    vat: Amount
    gross: Amount
    currency: Currency
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
    told: ClassVar[tuple[Told, ...]] = (Told.PARTIES,)
    readers: ClassVar[Scope | None] = Scope.FINANCE_READ

    external_id: ExternalId
    invoice_id: UUID
    contract_id: UUID
    amount: Amount
    currency: Currency
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
    told: ClassVar[tuple[Told, ...]] = (Told.PARTIES,)
    readers: ClassVar[Scope | None] = Scope.FINANCE_READ

    number: Name
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

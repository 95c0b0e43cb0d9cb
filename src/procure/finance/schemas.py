"""What is sent and answered about orders, payables, invoices and payments."""

from datetime import date
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

import msgspec
from msgspec import Meta
from sqlalchemy import Row

from procure.contracts.rules import ContractStatus
from procure.finance.models import Order, Payment
from procure.finance.rules import InvoiceStatus, PayableState
from procure.kit import fields
from procure.kit.fields import Currency, Everything, Instant, ItemKey, Name, Reference
from procure.kit.money import Money

#: A rate in per cent, as a decimal string.
Percent = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,2})(\.[0-9]{1,2})?$", max_length=6)]
#: An id of the finance system's own.
ExternalId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$", max_length=100)]
#: A party's identifier after its scheme: GB-COH-09506232.
Identifier = Annotated[str, Meta(max_length=133)]


class OrderDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A purchase order as the finance system has it; `amount` is net, within the contract's value."""

    EXAMPLE: ClassVar[object] = {
        "contract_id": "0199c0de-0000-7000-8000-000000000040",
        "amount": {"amount": "11050.00", "currency": "GBP"},
        "ordered_on": "2026-12-14",
    }

    contract_id: UUID
    amount: Money
    ordered_on: date


class InvoiceDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An invoice for one accepted deliverable. `net` is what was accepted, `vat` is rounded half up, `gross` is their sum."""

    EXAMPLE: ClassVar[object] = {
        "number": "INV-2026-0117",
        "deliverable_key": "D1",
        "net": {"amount": "6250.00", "currency": "GBP"},
        "vat_rate": "20.00",
        "vat": {"amount": "1250.00", "currency": "GBP"},
        "gross": {"amount": "7500.00", "currency": "GBP"},
        "issued_on": "2026-12-30",
    }

    number: Name
    deliverable_key: ItemKey
    net: Money
    vat_rate: Percent
    vat: Money
    gross: Money
    issued_on: date


class PaymentDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Money that left, as the finance system has it; `amount` is a part of the invoice's gross, or all of it."""

    EXAMPLE: ClassVar[object] = {
        "invoice_id": "0199c0de-0000-7000-8000-000000000050",
        "amount": {"amount": "7500.00", "currency": "GBP"},
        "paid_on": "2027-01-20",
    }

    invoice_id: UUID
    amount: Money
    paid_on: date


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase order; `amount` is net."""

    id: UUID
    external_id: ExternalId
    contract_id: UUID
    amount: Money
    ordered_on: date
    created_at: Instant

    @classmethod
    def of(cls, row: Order) -> "OrderView":
        return cls(
            id=row.id,
            external_id=row.external_id,
            contract_id=row.contract_id,
            amount=Money.of(row.amount, row.currency),
            ordered_on=row.ordered_on,
            created_at=row.created_at,
        )


class PaymentView(msgspec.Struct, frozen=True, kw_only=True):
    """A payment; `amount` is a part of the invoice's gross."""

    id: UUID
    external_id: ExternalId
    invoice_id: UUID
    contract_id: UUID
    amount: Money
    paid_on: date
    created_at: Instant

    @classmethod
    def of(cls, row: Payment) -> "PaymentView":
        return cls(
            id=row.id,
            external_id=row.external_id,
            invoice_id=row.invoice_id,
            contract_id=row.contract_id,
            amount=Money.of(row.amount, row.currency),
            paid_on=row.paid_on,
            created_at=row.created_at,
        )


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a list. Its fields are the columns of the list's CSV, in order; there an amount is its decimal alone."""

    AMOUNTS: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
        for name in cls.AMOUNTS:
            values[name] = Money.of(values[name], values["currency"])
        return cls(**values)


class ContractLine(Line, frozen=True, kw_only=True):
    """A contract with its money: `value`, `ordered`, `accepted`, `invoiced` net; `invoiced_gross` and `paid_gross` with VAT."""

    AMOUNTS: ClassVar[tuple[str, ...]] = ("value", "ordered", "accepted", "invoiced", "invoiced_gross", "paid_gross")

    id: UUID
    reference: Reference
    buyer_id: UUID
    buyer_name: fields.Line
    supplier_id: UUID
    supplier_name: fields.Line
    supplier_identifier: Identifier
    order_numbers: Everything[ExternalId]
    outcome_id: UUID
    lot_id: UUID
    status: ContractStatus
    value: Money
    ordered: Money
    accepted: Money
    invoiced: Money
    invoiced_gross: Money
    paid_gross: Money
    currency: Currency
    starts_on: date
    ends_on: date
    signed_at: Instant | None
    ended_at: Instant | None
    created_at: Instant


class PayableLine(Line, frozen=True, kw_only=True):
    """An accepted deliverable. Until it is invoiced, VAT is reckoned at the standard rate; `paid` is a part of `gross`."""

    AMOUNTS: ClassVar[tuple[str, ...]] = ("net", "vat", "gross", "paid")

    id: UUID
    contract_id: UUID
    contract_reference: Reference
    buyer_id: UUID
    buyer_name: fields.Line
    supplier_id: UUID
    supplier_name: fields.Line
    supplier_identifier: Identifier
    order_numbers: Everything[ExternalId]
    deliverable_key: ItemKey
    deliverable_title: fields.Line
    state: PayableState
    net: Money
    vat_rate: Percent
    vat: Money
    gross: Money
    paid: Money
    currency: Currency
    accepted_at: Instant
    invoice_id: UUID | None
    invoice_number: Name | None
    invoice_status: InvoiceStatus | None
    due_on: date | None
    paid_on: date | None


class InvoiceLine(Line, frozen=True, kw_only=True):
    """An invoice; `paid` is what has been paid of its gross so far, `paid_on` the day on which that was all of it."""

    AMOUNTS: ClassVar[tuple[str, ...]] = ("net", "vat", "gross", "paid")

    id: UUID
    number: Name
    contract_id: UUID
    contract_reference: Reference
    buyer_id: UUID
    buyer_name: fields.Line
    supplier_id: UUID
    supplier_name: fields.Line
    supplier_identifier: Identifier
    order_numbers: Everything[ExternalId]
    deliverable_key: ItemKey
    deliverable_title: fields.Line
    status: InvoiceStatus
    net: Money
    vat_rate: Percent
    vat: Money
    gross: Money
    paid: Money
    currency: Currency
    issued_on: date
    received_at: Instant
    due_on: date
    paid_on: date | None


class PaymentLine(Line, frozen=True, kw_only=True):
    """A payment under the finance system's own id."""

    AMOUNTS: ClassVar[tuple[str, ...]] = ("amount",)

    id: UUID
    external_id: ExternalId
    invoice_id: UUID
    invoice_number: Name
    contract_id: UUID
    contract_reference: Reference
    buyer_id: UUID
    buyer_name: fields.Line
    supplier_id: UUID
    supplier_name: fields.Line
    supplier_identifier: Identifier
    order_numbers: Everything[ExternalId]
    amount: Money
    currency: Currency
    paid_on: date
    recorded_at: Instant


class TotalView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many rows of a list are in one state and currency, and what their amounts sum to; a sum that the list has not is left out.

    Of contracts `net` is their value, of payments `paid` is their amount.
    """

    state: Name
    currency: Currency
    count: int
    net: Money | None = None
    vat: Money | None = None
    gross: Money | None = None
    paid: Money | None = None


class ControlTotalsView(msgspec.Struct, frozen=True, kw_only=True):
    """All lists by state and currency, of one moment: what a nightly job holds its copy against."""

    as_at: Instant
    contracts: Annotated[list[TotalView], Meta(max_length=1000)]
    payables: Annotated[list[TotalView], Meta(max_length=1000)]
    invoices: Annotated[list[TotalView], Meta(max_length=1000)]
    payments: Annotated[list[TotalView], Meta(max_length=1000)]

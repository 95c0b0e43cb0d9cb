"""What is sent and answered about orders, payables, invoices and payments."""

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

import msgspec
from msgspec import Meta
from sqlalchemy import Row

from procure.contracts.rules import ContractStatus
from procure.finance.models import Order, Payment
from procure.finance.rules import InvoiceStatus, PayableState
from procure.kit.etags import tag_of
from procure.kit.fields import Name
from procure.kit.money import Money

#: A rate in per cent, as a decimal string.
Percent = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,2})(\.[0-9]{1,2})?$", max_length=6)]
DeliverableKey = Annotated[str, Meta(pattern=r"^[A-Z][0-9]{1,3}$", max_length=4)]


class OrderDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A purchase order as the finance system has it; `amount` is net, within the contract's value."""

    EXAMPLE: ClassVar[object] = {
        "contract_id": "0199c0de-0000-7000-8000-000000000040",
        "amount": {"amount": "11800.00", "currency": "GBP"},
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
        "net": {"amount": "5900.00", "currency": "GBP"},
        "vat_rate": "20.00",
        "vat": {"amount": "1180.00", "currency": "GBP"},
        "gross": {"amount": "7080.00", "currency": "GBP"},
        "issued_on": "2026-12-30",
    }

    number: Name
    deliverable_key: DeliverableKey
    net: Money
    vat_rate: Percent
    vat: Money
    gross: Money
    issued_on: date


class PaymentDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Money that left, as the finance system has it; `amount` is a part of the invoice's gross, or all of it."""

    EXAMPLE: ClassVar[object] = {
        "invoice_id": "0199c0de-0000-7000-8000-000000000050",
        "amount": {"amount": "7080.00", "currency": "GBP"},
        "paid_on": "2027-01-20",
    }

    invoice_id: UUID
    amount: Money
    paid_on: date


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase order; `amount` is net."""

    id: UUID
    external_id: str
    contract_id: UUID
    amount: Money
    ordered_on: date
    created_at: datetime

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
    external_id: str
    invoice_id: UUID
    contract_id: UUID
    amount: Money
    paid_on: date
    created_at: datetime

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
    reference: str
    buyer_id: UUID
    buyer_name: str
    supplier_id: UUID
    supplier_name: str
    supplier_identifier: str
    order_numbers: list[str]
    outcome_id: UUID
    lot_id: UUID
    status: ContractStatus
    value: Money
    ordered: Money
    accepted: Money
    invoiced: Money
    invoiced_gross: Money
    paid_gross: Money
    currency: str
    starts_on: date
    ends_on: date
    signed_at: datetime | None
    ended_at: datetime | None
    created_at: datetime


class PayableLine(Line, frozen=True, kw_only=True):
    """An accepted deliverable. Until it is invoiced, VAT is reckoned at the standard rate; `paid` is a part of `gross`."""

    AMOUNTS: ClassVar[tuple[str, ...]] = ("net", "vat", "gross", "paid")

    id: UUID
    contract_id: UUID
    contract_reference: str
    buyer_id: UUID
    buyer_name: str
    supplier_id: UUID
    supplier_name: str
    supplier_identifier: str
    order_numbers: list[str]
    deliverable_key: str
    deliverable_title: str
    state: PayableState
    net: Money
    vat_rate: Percent
    vat: Money
    gross: Money
    paid: Money
    currency: str
    accepted_at: datetime
    invoice_id: UUID | None
    invoice_number: str | None
    invoice_status: InvoiceStatus | None
    due_on: date | None
    paid_on: date | None


class InvoiceLine(Line, frozen=True, kw_only=True):
    """An invoice; `paid` is what has been paid of its gross so far, `paid_on` the day on which that was all of it."""

    AMOUNTS: ClassVar[tuple[str, ...]] = ("net", "vat", "gross", "paid")

    id: UUID
    number: str
    contract_id: UUID
    contract_reference: str
    buyer_id: UUID
    buyer_name: str
    supplier_id: UUID
    supplier_name: str
    supplier_identifier: str
    order_numbers: list[str]
    deliverable_key: str
    deliverable_title: str
    status: InvoiceStatus
    net: Money
    vat_rate: Percent
    vat: Money
    gross: Money
    paid: Money
    currency: str
    issued_on: date
    received_at: datetime
    due_on: date
    paid_on: date | None

    @property
    def etag(self) -> str:
        """Of all of it: orders and payments change it without its version."""
        return tag_of(InvoiceLine, self)


class PaymentLine(Line, frozen=True, kw_only=True):
    """A payment under the finance system's own id."""

    AMOUNTS: ClassVar[tuple[str, ...]] = ("amount",)

    id: UUID
    external_id: str
    invoice_id: UUID
    invoice_number: str
    contract_id: UUID
    contract_reference: str
    buyer_id: UUID
    buyer_name: str
    supplier_id: UUID
    supplier_name: str
    supplier_identifier: str
    order_numbers: list[str]
    amount: Money
    currency: str
    paid_on: date
    recorded_at: datetime


class TotalView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many rows of a list are in one state and currency, and what their amounts sum to; a sum that the list has not is left out.

    Of contracts `net` is their value, of payments `paid` is their amount.
    """

    state: str
    currency: str
    count: int
    net: Money | None = None
    vat: Money | None = None
    gross: Money | None = None
    paid: Money | None = None


class ControlTotalsView(msgspec.Struct, frozen=True, kw_only=True):
    """All lists by state and currency, of one moment: what a nightly job holds its copy against."""

    as_at: datetime
    contracts: list[TotalView]
    payables: list[TotalView]
    invoices: list[TotalView]
    payments: list[TotalView]

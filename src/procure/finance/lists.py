"""What finance systems pull: each list is one select, whose columns are the fields of its Struct and of its CSV, in order."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Date,
    Enum,
    Label,
    Numeric,
    Select,
    Text,
    case,
    cast,
    false,
    func,
    literal,
    null,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, array
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql import CompoundSelect

from procure.contracts.models import Contract, ContractDeliverable, status_now
from procure.contracts.rules import ContractStatus, DeliverableStatus
from procure.finance.models import Invoice, Order, Payment
from procure.finance.rules import InvoiceStatus, PayableState
from procure.kit.actor import Actor
from procure.organisations.models import Organisation
from procure.policy.models import VatRate, latest
from procure.policy.working_days import ZONE


@dataclass(frozen=True, slots=True)
class Listing:
    """A select, and the instant and id that its pages and files are ordered by."""

    statement: Select[Any]
    at: InstrumentedAttribute[Any]
    id: InstrumentedAttribute[UUID]

    @property
    def latest_first(self) -> Select[Any]:
        return self.statement.order_by(self.at.desc(), self.id.desc())


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractsAsked:
    """Filters of the list of contracts."""

    status: ContractStatus | None = None
    supplier_id: UUID | None = None
    outcome_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PayablesAsked:
    """Filters of the list of payables; the instants are of acceptance, from `accepted_after` to before `accepted_before`."""

    state: PayableState | None = None
    supplier_id: UUID | None = None
    contract_id: UUID | None = None
    accepted_after: datetime | None = None
    accepted_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicesAsked:
    """Filters of the list of invoices; `due_before` excludes its own day."""

    status: InvoiceStatus | None = None
    supplier_id: UUID | None = None
    contract_id: UUID | None = None
    due_before: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentsAsked:
    """Filters of the list of payments."""

    supplier_id: UUID | None = None
    contract_id: UUID | None = None
    invoice_id: UUID | None = None


def own_money(actor: Actor) -> ColumnElement[bool]:
    """Whose contracts' money the caller may see: the buyer's own, the supplier's own, nobody else's."""
    if actor.buyer_id:
        return Contract.buyer_id == actor.buyer_id
    if actor.supplier_id:
        return Contract.supplier_id == actor.supplier_id
    return false()


def _sum(amount: InstrumentedAttribute[Decimal], *where: ColumnElement[bool]) -> ColumnElement[Decimal]:
    """A correlated sum, 0.00 of nothing."""
    summed = select(func.coalesce(func.sum(amount), 0)).where(*where).correlate(Contract, Invoice).scalar_subquery()
    return cast(summed, Numeric(14, 2))


def _chosen(kind: type[Any]) -> Any:
    return Enum(kind, native_enum=False, values_callable=lambda choices: [choice.value for choice in choices])


_NUMBERS = func.array_agg(aggregate_order_by(Order.external_id, Order.created_at, Order.id))
#: The contract's purchase order numbers, in the order in which they were placed.
_ORDERS = func.coalesce(
    select(_NUMBERS).where(Order.contract_id == Contract.id).correlate(Contract).scalar_subquery(),
    cast(array([]), ARRAY(Text)),
    type_=ARRAY(Text),
)
_PAID = _sum(Payment.amount, Payment.invoice_id == Invoice.id)
_SUPPLIER_IDENTIFIER = func.concat(Organisation.scheme, "-", Organisation.identifier, type_=Text)

#: What joins a row to its contract and parties; every list has these.
_CONTRACT: tuple[Label[Any], ...] = (
    Contract.id.label("contract_id"),
    Contract.reference.label("contract_reference"),
    Contract.buyer_id.label("buyer_id"),
    Contract.buyer_name.label("buyer_name"),
    Contract.supplier_id.label("supplier_id"),
    Contract.supplier_name.label("supplier_name"),
    _SUPPLIER_IDENTIFIER.label("supplier_identifier"),
    _ORDERS.label("order_numbers"),
)

PAYABLE_STATE: ColumnElement[PayableState] = type_coerce(
    case(
        (Invoice.id.is_(None), PayableState.TO_INVOICE.value),
        (Invoice.status == InvoiceStatus.PAID, PayableState.PAID.value),
        else_=PayableState.INVOICED.value,
    ),
    _chosen(PayableState),
)
CONTRACT_STATUS: ColumnElement[ContractStatus] = type_coerce(status_now(), _chosen(ContractStatus))

_NET = ContractDeliverable.amount
_ACCEPTED_ON = cast(func.timezone(ZONE.key, ContractDeliverable.accepted_at), Date)
_STANDARD_RATE = (
    select(VatRate.rate)
    .where(VatRate.valid_from <= _ACCEPTED_ON)
    .order_by(*latest(VatRate))
    .limit(1)
    .correlate(ContractDeliverable)
    .scalar_subquery()
)
#: Until an invoice says otherwise: the standard rate on the day of acceptance.
_RATE = func.coalesce(Invoice.vat_rate, _STANDARD_RATE, type_=Numeric(5, 2))
# Times 0.01 is exact where dividing by 100 need not be; PostgreSQL rounds numeric half away from zero, as `rules.vat_of` does.
_VAT = func.coalesce(Invoice.vat, func.round(_NET * _STANDARD_RATE * literal(Decimal("0.01")), 2), type_=Numeric(14, 2))


def contracts(actor: Actor, asked: ContractsAsked) -> Listing:
    """Contracts with what was ordered, accepted and invoiced (net), and invoiced and paid (gross)."""
    accepted = ContractDeliverable.status == DeliverableStatus.ACCEPTED
    of_contract = ContractDeliverable.contract_id == Contract.id
    statement = select(
        Contract.id.label("id"),
        Contract.reference.label("reference"),
        *_CONTRACT[2:],
        Contract.outcome_id.label("outcome_id"),
        Contract.lot_id.label("lot_id"),
        CONTRACT_STATUS.label("status"),
        Contract.value.label("value"),
        _sum(Order.amount, Order.contract_id == Contract.id).label("ordered"),
        _sum(ContractDeliverable.amount, of_contract, accepted).label("accepted"),
        _invoiced(Invoice.net).label("invoiced"),
        _invoiced(Invoice.gross).label("invoiced_gross"),
        _sum(Payment.amount, Payment.contract_id == Contract.id).label("paid_gross"),
        Contract.currency.label("currency"),
        Contract.starts_on.label("starts_on"),
        Contract.ends_on.label("ends_on"),
        Contract.signed_at.label("signed_at"),
        Contract.ended_at.label("ended_at"),
        Contract.created_at.label("created_at"),
    )
    found = _where(
        statement.select_from(Contract).join(Organisation, Organisation.id == Contract.supplier_id),
        actor,
        (CONTRACT_STATUS, asked.status),
        (Contract.supplier_id, asked.supplier_id),
        (Contract.outcome_id, asked.outcome_id),
    )
    return Listing(found, Contract.created_at, Contract.id)


def _invoiced(amount: InstrumentedAttribute[Decimal]) -> ColumnElement[Decimal]:
    summed = select(func.coalesce(func.sum(amount), 0)).where(Invoice.contract_id == Contract.id)
    return cast(summed.correlate(Contract).scalar_subquery(), Numeric(14, 2))


def payables(actor: Actor, asked: PayablesAsked) -> Listing:
    """Accepted deliverables, with their invoice once there is one; until then VAT is at the standard rate."""
    statement = (
        select(
            ContractDeliverable.id.label("id"),
            *_CONTRACT,
            ContractDeliverable.key.label("deliverable_key"),
            ContractDeliverable.title.label("deliverable_title"),
            PAYABLE_STATE.label("state"),
            _NET.label("net"),
            cast(_RATE, Text).label("vat_rate"),
            _VAT.label("vat"),
            (_NET + _VAT).label("gross"),
            _PAID.label("paid"),
            Contract.currency.label("currency"),
            ContractDeliverable.accepted_at.label("accepted_at"),
            Invoice.id.label("invoice_id"),
            Invoice.number.label("invoice_number"),
            Invoice.status.label("invoice_status"),
            Invoice.due_on.label("due_on"),
            Invoice.paid_on.label("paid_on"),
        )
        .select_from(ContractDeliverable)
        .join(Contract, Contract.id == ContractDeliverable.contract_id)
        .join(Organisation, Organisation.id == Contract.supplier_id)
        .outerjoin(Invoice, Invoice.deliverable_id == ContractDeliverable.id)
        .where(ContractDeliverable.status == DeliverableStatus.ACCEPTED)
    )
    if asked.accepted_after:
        statement = statement.where(ContractDeliverable.accepted_at >= asked.accepted_after)
    if asked.accepted_before:
        statement = statement.where(ContractDeliverable.accepted_at < asked.accepted_before)
    found = _where(
        statement,
        actor,
        (PAYABLE_STATE, asked.state),
        (Contract.supplier_id, asked.supplier_id),
        (Contract.id, asked.contract_id),
    )
    return Listing(found, ContractDeliverable.accepted_at, ContractDeliverable.id)


def invoices(actor: Actor, asked: InvoicesAsked) -> Listing:
    """Invoices, with what has been paid of each (gross)."""
    statement = (
        select(
            Invoice.id.label("id"),
            Invoice.number.label("number"),
            *_CONTRACT,
            ContractDeliverable.key.label("deliverable_key"),
            ContractDeliverable.title.label("deliverable_title"),
            Invoice.status.label("status"),
            Invoice.net.label("net"),
            cast(Invoice.vat_rate, Text).label("vat_rate"),
            Invoice.vat.label("vat"),
            Invoice.gross.label("gross"),
            _PAID.label("paid"),
            Invoice.currency.label("currency"),
            Invoice.issued_on.label("issued_on"),
            Invoice.received_at.label("received_at"),
            Invoice.due_on.label("due_on"),
            Invoice.paid_on.label("paid_on"),
        )
        .select_from(Invoice)
        .join(Contract, Contract.id == Invoice.contract_id)
        .join(ContractDeliverable, ContractDeliverable.id == Invoice.deliverable_id)
        .join(Organisation, Organisation.id == Contract.supplier_id)
    )
    if asked.due_before:
        statement = statement.where(Invoice.due_on < asked.due_before)
    found = _where(
        statement,
        actor,
        (Invoice.status, asked.status),
        (Contract.supplier_id, asked.supplier_id),
        (Contract.id, asked.contract_id),
    )
    return Listing(found, Invoice.received_at, Invoice.id)


def payments(actor: Actor, asked: PaymentsAsked) -> Listing:
    """Payments: each a part of its invoice's gross."""
    statement = (
        select(
            Payment.id.label("id"),
            Payment.external_id.label("external_id"),
            Payment.invoice_id.label("invoice_id"),
            Invoice.number.label("invoice_number"),
            *_CONTRACT,
            Payment.amount.label("amount"),
            Payment.currency.label("currency"),
            Payment.paid_on.label("paid_on"),
            Payment.created_at.label("recorded_at"),
        )
        .select_from(Payment)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .join(Contract, Contract.id == Payment.contract_id)
        .join(Organisation, Organisation.id == Contract.supplier_id)
    )
    found = _where(
        statement,
        actor,
        (Contract.supplier_id, asked.supplier_id),
        (Contract.id, asked.contract_id),
        (Payment.invoice_id, asked.invoice_id),
    )
    return Listing(found, Payment.created_at, Payment.id)


def _where(statement: Any, actor: Actor, *filters: tuple[Any, object]) -> Select[Any]:
    """The caller's own side, and the filters that were given."""
    asked = [column == value for column, value in filters if value is not None]
    found: Select[Any] = statement.where(own_money(actor), *asked)
    return found


def control_totals(actor: Actor) -> CompoundSelect[Any]:
    """Count and sums of each list by state and currency, in one statement and so of one moment."""
    nothing = cast(null(), Numeric)

    def of(name: str, rows: Listing, state: str | None, *amounts: str | None) -> Select[Any]:
        found = rows.statement.subquery(name)
        sums = [func.sum(found.c[amount]) if amount else nothing for amount in amounts]
        by = [cast(found.c[state], Text) if state else literal("recorded"), found.c.currency]
        return select(literal(name), *by, func.count(), *sums).group_by(*(by if state else by[1:]))

    return union_all(
        of("contracts", contracts(actor, ContractsAsked()), "status", "value", None, None, "paid_gross"),
        of("payables", payables(actor, PayablesAsked()), "state", "net", "vat", "gross", "paid"),
        of("invoices", invoices(actor, InvoicesAsked()), "status", "net", "vat", "gross", "paid"),
        of("payments", payments(actor, PaymentsAsked()), None, None, None, None, "amount"),
    )

"""What finance systems and suppliers record, and the lists that they pull.

Contracts, orders and the outcome's ledger are net; payments are parts of an invoice's gross. With every payment the ledger's `paid`
grows to the same part of the invoice's net (`rules.net_paid`): all of it with the last one.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from procure.contracts import service as contracts
from procure.contracts.errors import ContractNotFound
from procure.contracts.models import Contract, ContractDeliverable
from procure.finance import exports, lists, rules
from procure.finance.errors import (
    InvoiceInvalid,
    InvoiceNotFound,
    InvoiceNumberUsed,
    OrderKnown,
    PaymentExceedsInvoice,
    PaymentKnown,
)
from procure.finance.events import InvoicePaid, InvoiceReceived, OrderPlaced, PaymentRecorded
from procure.finance.models import Invoice, Order, Payment, facts
from procure.finance.rules import Bill, InvoiceStatus
from procure.finance.schemas import (
    ControlTotalsView,
    InvoiceDraft,
    InvoiceLine,
    OrderDraft,
    PaymentDraft,
    TotalView,
)
from procure.journal import service as journal
from procure.journal.events import Event, auditors, within
from procure.kit import clock
from procure.kit.actor import Actor
from procure.kit.canonical import digest
from procure.kit.errors import Faults
from procure.kit.ids import new_id
from procure.kit.money import Money
from procure.kit.paging import Paging, after
from procure.lots.models import Lot
from procure.outcomes import service as outcomes
from procure.outcomes.rules import LedgerKind
from procure.policy.service import vat_rate
from procure.policy.working_days import local_day

Rows = Sequence[Row[Any]]


async def list_contracts(db: AsyncSession, actor: Actor, paging: Paging, asked: lists.ContractsAsked) -> Rows:
    """The caller's own side's contracts with their money, the latest drawn up first."""
    return await _page(db, lists.contracts(actor, asked), paging)


async def list_payables(db: AsyncSession, actor: Actor, paging: Paging, asked: lists.PayablesAsked) -> Rows:
    """Accepted deliverables of the caller's own side, the latest accepted first."""
    return await _page(db, lists.payables(actor, asked), paging)


async def list_invoices(db: AsyncSession, actor: Actor, paging: Paging, asked: lists.InvoicesAsked) -> Rows:
    """Invoices of the caller's own side, the latest received first."""
    return await _page(db, lists.invoices(actor, asked), paging)


async def list_payments(db: AsyncSession, actor: Actor, paging: Paging, asked: lists.PaymentsAsked) -> Rows:
    """Payments of the caller's own side, the latest recorded first."""
    return await _page(db, lists.payments(actor, asked), paging)


async def _page(db: AsyncSession, listing: lists.Listing, paging: Paging) -> Rows:
    rows: Rows = (await db.execute(after(listing.statement, listing.at, listing.id, paging))).all()
    return rows


async def export_contracts(db: AsyncSession, actor: Actor, asked: lists.ContractsAsked) -> exports.Spool:
    return await exports.spooled(db, lists.contracts(actor, asked).latest_first)


async def export_payables(db: AsyncSession, actor: Actor, asked: lists.PayablesAsked) -> exports.Spool:
    return await exports.spooled(db, lists.payables(actor, asked).latest_first)


async def export_invoices(db: AsyncSession, actor: Actor, asked: lists.InvoicesAsked) -> exports.Spool:
    return await exports.spooled(db, lists.invoices(actor, asked).latest_first)


async def export_payments(db: AsyncSession, actor: Actor, asked: lists.PaymentsAsked) -> exports.Spool:
    return await exports.spooled(db, lists.payments(actor, asked).latest_first)


async def control_totals(db: AsyncSession, actor: Actor) -> ControlTotalsView:
    """Count and sums of every list, of one moment."""
    found: dict[str, list[TotalView]] = {"contracts": [], "payables": [], "invoices": [], "payments": []}
    as_at = await clock.now(db)
    for name, state, currency, count, *amounts in await db.execute(lists.control_totals(actor)):
        net, vat, gross, paid = (None if amount is None else Money.of(amount, currency) for amount in amounts)
        total = TotalView(state=state, currency=currency, count=count, net=net, vat=vat, gross=gross, paid=paid)
        found[name].append(total)
    for totals in found.values():
        totals.sort(key=lambda total: (total.currency, total.state))
    return ControlTotalsView(as_at=as_at, **found)


async def place_order(db: AsyncSession, actor: Actor, external_id: str, data: OrderDraft) -> tuple[Order, bool]:
    """The order under the finance system's own id, and whether it is new: the same content again changes nothing."""
    contract = await _lock_contract(db, data.contract_id, Contract.buyer_id == actor.buyer_id)
    known = await db.scalar(select(Order).where(Order.buyer_id == contract.buyer_id, Order.external_id == external_id))
    if known:
        return _same_order(known, data), False
    now = await clock.now(db)
    await _check_order(db, contract, data, local_day(now))
    rules.check_order_fits(await ordered_so_far(db, contract.id), data.amount.value, contract.value)
    order = await _insert_order(db, contract, external_id, data, now)
    await _record(db, actor, contract, OrderPlaced.of(order), order)
    return order, True


async def ordered_so_far(db: AsyncSession, contract_id: UUID) -> Decimal:
    """The sum of a contract's orders (net)."""
    statement = select(func.coalesce(func.sum(Order.amount), 0)).where(Order.contract_id == contract_id)
    return (await db.scalars(statement)).one()


async def _lock_contract(db: AsyncSession, contract_id: UUID, own: ColumnElement[bool]) -> Contract:
    """The caller's own contract, locked: its orders and invoices are counted and made one after the other."""
    statement = select(Contract).where(Contract.id == contract_id, own).with_for_update(key_share=True)
    contract = await db.scalar(statement.execution_options(populate_existing=True))
    if contract is None:
        raise ContractNotFound("There is no such contract, or it is not yours to see.")
    return contract


def _same_order(known: Order, data: OrderDraft) -> Order:
    recorded = (known.contract_id, known.amount, known.currency, known.ordered_on)
    if recorded != (data.contract_id, data.amount.value, data.amount.currency, data.ordered_on):
        raise OrderKnown("An order with this id is recorded with other content; orders are not rewritten.")
    return known


async def _check_order(db: AsyncSession, contract: Contract, data: OrderDraft, today: date) -> None:
    status = await contracts.current_status(db, contract)
    rules.check_orderable(status, was_signed=contract.signed_at is not None)
    rules.check_order(
        data.amount.value,
        data.amount.currency,
        data.ordered_on,
        contract_currency=contract.currency,
        today=today,
    )


async def _insert_order(
    db: AsyncSession, contract: Contract, external_id: str, data: OrderDraft, now: datetime
) -> Order:
    values = {
        "id": new_id(),
        "buyer_id": contract.buyer_id,
        "external_id": external_id,
        "contract_id": contract.id,
        "amount": data.amount.value,
        "currency": data.amount.currency,
        "ordered_on": data.ordered_on,
        "created_at": now,
    }
    order: Order | None = await db.scalar(insert(Order).values(values).on_conflict_do_nothing().returning(Order))
    if order is None:  # the same id at the same time, for a contract whose lock is another one
        raise OrderKnown("An order with this id has just been recorded for another contract.")
    return order


async def receive_invoice(db: AsyncSession, actor: Actor, contract_id: UUID, data: InvoiceDraft) -> InvoiceLine:
    """The supplier's invoice for one accepted deliverable; the payment term of the lot's policy starts now."""
    contract = await _lock_contract(db, contract_id, Contract.supplier_id == actor.supplier_id)
    deliverable = await _find_deliverable(db, contract, data.deliverable_key)
    rules.check_accepted(deliverable.status)
    invoiced = await db.scalar(select(Invoice.id).where(Invoice.deliverable_id == deliverable.id))
    rules.check_not_invoiced(deliverable.key, is_invoiced=invoiced is not None)
    now = await clock.now(db)
    await _check_bill(db, contract, deliverable, data, now)
    invoice = await _insert_invoice(db, contract, deliverable, data, now)
    await _record(db, actor, contract, InvoiceReceived.of(invoice), invoice)
    return await view_invoice(db, actor, invoice.id)


async def _find_deliverable(db: AsyncSession, contract: Contract, key: str) -> ContractDeliverable:
    statement = select(ContractDeliverable).where(
        ContractDeliverable.contract_id == contract.id, ContractDeliverable.key == key
    )
    deliverable = await db.scalar(statement)
    if deliverable is None:
        faults = Faults()
        faults.add("/deliverable_key", "unknown", "The contract has no such deliverable.")
        faults.raise_as(InvoiceInvalid)
    return deliverable


async def _check_bill(
    db: AsyncSession, contract: Contract, deliverable: ContractDeliverable, data: InvoiceDraft, now: datetime
) -> None:
    """VAT is at the standard rate of the day of acceptance or of the invoice, or none is charged."""
    assert deliverable.accepted_at is not None
    accepted_on, today = local_day(deliverable.accepted_at), local_day(now)
    # An issue date outside these is refused below; asking for the rate of such a day could find none.
    days = {accepted_on, min(max(data.issued_on, accepted_on), today)}
    rates = {Decimal(0), *[await vat_rate(db, day) for day in days]}
    rules.check_bill(
        _bill(data),
        accepted=deliverable.amount,
        currency=contract.currency,
        rates=rates,
        accepted_on=accepted_on,
        today=today,
    )


def _bill(data: InvoiceDraft) -> Bill:
    return Bill(
        net=data.net.value,
        vat_rate=Decimal(data.vat_rate),
        vat=data.vat.value,
        gross=data.gross.value,
        currencies={"net": data.net.currency, "vat": data.vat.currency, "gross": data.gross.currency},
        issued_on=data.issued_on,
    )


async def _insert_invoice(
    db: AsyncSession, contract: Contract, deliverable: ContractDeliverable, data: InvoiceDraft, now: datetime
) -> Invoice:
    policy = (await db.scalars(select(Lot.policy).where(Lot.id == contract.lot_id))).one()
    values = {
        "id": new_id(),
        "contract_id": contract.id,
        "deliverable_id": deliverable.id,
        "buyer_id": contract.buyer_id,
        "supplier_id": contract.supplier_id,
        "number": data.number,
        "status": InvoiceStatus.RECEIVED,
        "net": data.net.value,
        "vat_rate": Decimal(data.vat_rate),
        "vat": data.vat.value,
        "gross": data.gross.value,
        "currency": contract.currency,
        "issued_on": data.issued_on,
        "received_at": now,
        "due_on": rules.due_on(now, policy.limits.payment_term_days),
        "version": 1,
    }
    # The contract's lock keeps others off this acceptance, not off this number, which is unique over all of the supplier's contracts.
    invoice: Invoice | None = await db.scalar(
        insert(Invoice).values(values).on_conflict_do_nothing().returning(Invoice)
    )
    if invoice is None:
        raise InvoiceNumberUsed(f"You have sent an invoice with the number {data.number} already.")
    return invoice


async def view_invoice(db: AsyncSession, actor: Actor, invoice_id: UUID) -> InvoiceLine:
    """The invoice as its line in the list."""
    statement = lists.invoices(actor, lists.InvoicesAsked()).statement.where(Invoice.id == invoice_id)
    row = (await db.execute(statement)).one_or_none()
    if row is None:
        raise InvoiceNotFound("There is no such invoice, or it is not yours to see.")
    return InvoiceLine.of(row)


async def record_payment(db: AsyncSession, actor: Actor, external_id: str, data: PaymentDraft) -> tuple[Payment, bool]:
    """The payment under the finance system's own id, and whether it is new: the same content again changes nothing."""
    invoice = await _lock_invoice(db, actor, data.invoice_id)
    known = await db.scalar(
        select(Payment).where(Payment.buyer_id == invoice.buyer_id, Payment.external_id == external_id)
    )
    if known:
        return _same_payment(known, data), False
    now = await clock.now(db)
    paid, last_on = await paid_so_far(db, invoice)
    _check_payment(actor, invoice, data, paid, local_day(now))
    payment = await _insert_payment(db, invoice, external_id, data, now)
    contract = await db.get_one(Contract, invoice.contract_id)
    await _record(db, actor, contract, PaymentRecorded.of(payment), payment)
    await _spend(db, contract, invoice, payment, paid)
    if paid + payment.amount == invoice.gross:
        await _settle(db, actor, contract, invoice, max(payment.paid_on, last_on or payment.paid_on))
    return payment, True


async def _lock_invoice(db: AsyncSession, actor: Actor, invoice_id: UUID) -> Invoice:
    statement = select(Invoice).where(Invoice.id == invoice_id, Invoice.buyer_id == actor.buyer_id)
    locking = statement.with_for_update(key_share=True).execution_options(populate_existing=True)
    invoice = await db.scalar(locking)
    if invoice is None:
        raise InvoiceNotFound("There is no such invoice, or it is not yours to see.")
    return invoice


def _same_payment(known: Payment, data: PaymentDraft) -> Payment:
    recorded = (known.invoice_id, known.amount, known.currency, known.paid_on)
    if recorded != (data.invoice_id, data.amount.value, data.amount.currency, data.paid_on):
        raise PaymentKnown("A payment with this id is recorded with other content; payments are not rewritten.")
    return known


async def paid_so_far(db: AsyncSession, invoice: Invoice) -> tuple[Decimal, date | None]:
    """The sum of a *locked* invoice's payments, and the day of the last."""
    statement = select(func.coalesce(func.sum(Payment.amount), 0), func.max(Payment.paid_on))
    paid, last_on = (await db.execute(statement.where(Payment.invoice_id == invoice.id))).one()
    return paid, last_on


def _check_payment(actor: Actor, invoice: Invoice, data: PaymentDraft, paid: Decimal, today: date) -> None:
    rules.check_payment(
        data.amount.value,
        data.amount.currency,
        data.paid_on,
        invoice_currency=invoice.currency,
        issued_on=invoice.issued_on,
        today=today,
    )
    try:
        rules.check_payment_fits(paid, data.amount.value, invoice.gross)
    except PaymentExceedsInvoice as fact:
        audience = auditors(invoice.buyer_id)
        raise journal.refused(fact, actor, "payment.record", invoice.id, audience=audience) from None


async def _insert_payment(
    db: AsyncSession, invoice: Invoice, external_id: str, data: PaymentDraft, now: datetime
) -> Payment:
    values = {
        "id": new_id(),
        "buyer_id": invoice.buyer_id,
        "external_id": external_id,
        "invoice_id": invoice.id,
        "contract_id": invoice.contract_id,
        "amount": data.amount.value,
        "currency": data.amount.currency,
        "paid_on": data.paid_on,
        "created_at": now,
    }
    payment: Payment | None = await db.scalar(
        insert(Payment).values(values).on_conflict_do_nothing().returning(Payment)
    )
    if payment is None:  # the same id at the same time, for an invoice whose lock is another one
        raise PaymentKnown("A payment with this id has just been recorded for another invoice.")
    return payment


async def _spend(db: AsyncSession, contract: Contract, invoice: Invoice, payment: Payment, before: Decimal) -> None:
    """Add to the ledger what this payment adds to the net paid; `before` is the gross paid until then."""
    old, new = (
        rules.net_paid(paid, net=invoice.net, gross=invoice.gross) for paid in (before, before + payment.amount)
    )
    if new > old:  # a penny of the gross may be less than half a penny of the net
        reason = f"payment.recorded {payment.external_id}"
        await outcomes.add_spend(db, contract.outcome_id, contract.lot_id, LedgerKind.PAID, new - old, reason)


async def _settle(db: AsyncSession, actor: Actor, contract: Contract, invoice: Invoice, paid_on: date) -> None:
    """The last part is paid."""
    invoice.move_to(InvoiceStatus.PAID)
    invoice.paid_on = paid_on
    await _record(db, actor, contract, InvoicePaid.of(invoice), invoice)


async def _record(
    db: AsyncSession, actor: Actor, contract: Contract, event: Event, row: Order | Invoice | Payment
) -> None:
    """Money is the business of the contract's two sides; the entry states the digest of the row as it now is."""
    audience = within(contract.buyer_id, contract.supplier_id)
    await journal.record(db, actor, event, audience, digest=digest(facts(row)))

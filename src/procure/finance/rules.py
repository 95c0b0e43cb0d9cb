"""An invoice's statuses and what may follow what; when sums hold, and what may still be ordered, invoiced and paid.

Deliverables, orders and the ledger are net of VAT; payments are parts of an invoice's gross, and `net_paid` is what they pay of its net.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from procure.contracts.rules import ContractStatus, DeliverableStatus
from procure.finance.errors import (
    AcceptanceInvoiced,
    ContractNotOrderable,
    DeliverableNotAccepted,
    InvoiceInvalid,
    OrderExceedsContract,
    OrderInvalid,
    PaymentExceedsInvoice,
    PaymentInvalid,
)
from procure.kit.errors import Faults
from procure.kit.money import rounded
from procure.policy.working_days import local_day


class InvoiceStatus(StrEnum):
    RECEIVED = "received"
    PAID = "paid"


#: `disputed` and `credited` come with disputes and credit notes.
NEXT: dict[InvoiceStatus, frozenset[InvoiceStatus]] = {
    InvoiceStatus.RECEIVED: frozenset({InvoiceStatus.PAID}),
    InvoiceStatus.PAID: frozenset(),
}


class PayableState(StrEnum):
    """How far an accepted deliverable has come on its way to payment; stored nowhere."""

    TO_INVOICE = "to_invoice"
    INVOICED = "invoiced"
    PAID = "paid"


def payable_state(invoice: InvoiceStatus | None) -> PayableState:
    """By the status of its invoice, if it has one. `lists.PAYABLE_STATE` is the same in SQL."""
    if invoice is None:
        return PayableState.TO_INVOICE
    return PayableState.PAID if invoice is InvoiceStatus.PAID else PayableState.INVOICED


def check_orderable(status: ContractStatus, *, was_signed: bool) -> None:
    """A signed contract, ended or not, since accepted work is always paid; an unsigned one while it can be signed."""
    if not was_signed and status is not ContractStatus.PENDING:
        raise ContractNotOrderable("The contract was never signed and can't be any more; there is nothing to order.")


def check_order(amount: Decimal, currency: str, ordered_on: date, *, contract_currency: str, today: date) -> None:
    faults = Faults()
    _check_amount(faults, amount, currency, contract_currency)
    faults.unless(ordered_on <= today, "/ordered_on", "in-future", "An order that is recorded has been placed already.")
    faults.raise_any(OrderInvalid)


def _check_amount(faults: Faults, amount: Decimal, currency: str, expected: str) -> None:
    faults.unless(amount > 0, "/amount/amount", "amount-zero", "The amount must be more than nothing.")
    faults.unless(currency == expected, "/amount/currency", "currency", f"The contract is in {expected}.")


def check_order_fits(ordered: Decimal, amount: Decimal, value: Decimal) -> None:
    """All of a contract's orders stay within its value. Read `ordered` after the contract's lock. All net."""
    if ordered + amount > value:
        raise OrderExceedsContract(
            f"The contract is worth {value:f}, of which {ordered:f} is ordered; {amount:f} more does not fit."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """An invoice's figures, as its supplier states them."""

    net: Decimal
    vat_rate: Decimal
    vat: Decimal
    gross: Decimal
    currencies: dict[str, str]
    issued_on: date


def check_accepted(status: DeliverableStatus) -> None:
    if status is not DeliverableStatus.ACCEPTED:
        raise DeliverableNotAccepted(f"The deliverable is {status}; only accepted work is payable.")


def check_not_invoiced(key: str, *, is_invoiced: bool) -> None:
    if is_invoiced:
        raise AcceptanceInvoiced(f"{key} has been invoiced already; an acceptance is invoiced once.")


def check_bill(
    bill: Bill, *, accepted: Decimal, currency: str, rates: Collection[Decimal], accepted_on: date, today: date
) -> None:
    """The bill is for exactly what was accepted, and its sums hold; raises InvoiceInvalid with every fault."""
    faults = Faults()
    for place, stated in bill.currencies.items():
        faults.unless(stated == currency, f"/{place}/currency", "currency", f"The contract is in {currency}.")
    faults.unless(
        bill.net == accepted, "/net/amount", "not-as-accepted", f"What was accepted is {accepted:f} net; invoice that."
    )
    _check_vat(faults, bill, rates)
    faults.unless(
        bill.gross == bill.net + bill.vat,
        "/gross/amount",
        "sum",
        f"Net and VAT come to {bill.net + bill.vat:f}.",
    )
    faults.unless(
        accepted_on <= bill.issued_on <= today,
        "/issued_on",
        "outside-dates",
        f"The invoice is dated from the day of acceptance, {accepted_on}, to today.",
    )
    faults.raise_any(InvoiceInvalid)


def _check_vat(faults: Faults, bill: Bill, rates: Collection[Decimal]) -> None:
    due = vat_of(bill.net, bill.vat_rate)
    allowed = " or ".join(f"{rate:.2f}" for rate in sorted(rates))
    faults.unless(bill.vat_rate in rates, "/vat_rate", "vat-rate", f"The rate is {allowed} per cent.")
    faults.unless(bill.vat == due, "/vat/amount", "sum", f"VAT of {bill.net:f} at {bill.vat_rate:f} % is {due:f}.")


def vat_of(net: Decimal, rate: Decimal) -> Decimal:
    """VAT at `rate` per cent, to the hundredth, half up. `lists` has the same in SQL."""
    return rounded(net * rate / 100)


def due_on(received_at: datetime, term_days: int) -> date:
    """The last day on which payment is in time: `term_days` after the day of receipt, where the buyer is."""
    return local_day(received_at) + timedelta(days=term_days)


def check_payment(
    amount: Decimal, currency: str, paid_on: date, *, invoice_currency: str, issued_on: date, today: date
) -> None:
    faults = Faults()
    _check_amount(faults, amount, currency, invoice_currency)
    faults.unless(
        issued_on <= paid_on <= today,
        "/paid_on",
        "outside-dates",
        f"The invoice is paid between its own date, {issued_on}, and today.",
    )
    faults.raise_any(PaymentInvalid)


def check_payment_fits(paid: Decimal, amount: Decimal, gross: Decimal) -> None:
    """Payments never pass the invoice's gross. Read `paid` after the invoice's lock."""
    if paid + amount > gross:
        raise PaymentExceedsInvoice(
            f"The invoice comes to {gross:f}, of which {paid:f} is paid; {amount:f} more is more than is owed."
        )


def net_paid(paid: Decimal, *, net: Decimal, gross: Decimal) -> Decimal:
    """What payments of `paid` gross have paid of an invoice's `net`, in proportion: to the hundredth, half to even.

    Of the sum of all payments, never of one: so it never falls, is the same however the sum was split, and all of the net at the end.
    """
    hundredths = round(Fraction(net) * Fraction(paid) / Fraction(gross) * 100)
    return Decimal(hundredths).scaleb(-2)

"""What may be ordered, invoiced and paid, and when sums hold: pure."""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procure.contracts.rules import ContractStatus, DeliverableStatus
from procure.finance import rules
from procure.finance.errors import (
    ContractNotOrderable,
    DeliverableNotAccepted,
    InvoiceInvalid,
    OrderExceedsContract,
    OrderInvalid,
    PaymentExceedsInvoice,
    PaymentInvalid,
)
from procure.finance.exports import cell, encoded, harmless
from procure.finance.rules import NEXT, Bill, InvoiceStatus, PayableState
from procure.policy.working_days import ZONE

ACCEPTED_ON, TODAY = date(2026, 12, 1), date(2026, 12, 10)
RATES = frozenset({Decimal(0), Decimal(20)})
AMOUNTS = st.decimals(min_value="0.01", max_value="999999999.99", places=2)
RATE = st.decimals(min_value=0, max_value=100, places=2)


def bill(**changes: Any) -> Bill:
    figures: dict[str, Any] = {
        "net": Decimal("5900.00"),
        "vat_rate": Decimal("20.00"),
        "vat": Decimal("1180.00"),
        "gross": Decimal("7080.00"),
        "currencies": {"net": "GBP", "vat": "GBP", "gross": "GBP"},
        "issued_on": TODAY,
    }
    return Bill(**figures | changes)


def check(a_bill: Bill) -> None:
    rules.check_bill(
        a_bill, accepted=Decimal("5900.00"), currency="GBP", rates=RATES, accepted_on=ACCEPTED_ON, today=TODAY
    )


def faults_of(a_bill: Bill) -> list[tuple[str, str]]:
    with pytest.raises(InvoiceInvalid) as caught:
        check(a_bill)
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


def test_an_invoice_that_states_what_was_accepted_is_taken() -> None:
    check(bill())
    check(bill(issued_on=ACCEPTED_ON))
    check(bill(vat_rate=Decimal("0.00"), vat=Decimal("0.00"), gross=Decimal("5900.00")))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"vat": Decimal("1180.01"), "gross": Decimal("7080.01")}, ("/vat/amount", "sum")),
        ({"gross": Decimal("7080.01")}, ("/gross/amount", "sum")),
        ({"currencies": {"net": "GBP", "vat": "EUR", "gross": "GBP"}}, ("/vat/currency", "currency")),
        ({"issued_on": ACCEPTED_ON - timedelta(days=1)}, ("/issued_on", "outside-dates")),
        ({"issued_on": TODAY + timedelta(days=1)}, ("/issued_on", "outside-dates")),
        (
            {"vat_rate": Decimal(5), "vat": Decimal("295.00"), "gross": Decimal("6195.00")},
            ("/vat_rate", "vat-rate"),
        ),
        (
            {"net": Decimal("5900.01"), "vat": Decimal("1180.00"), "gross": Decimal("7080.01")},
            ("/net/amount", "not-as-accepted"),
        ),
    ],
)
def test_an_invoice_that_differs_in_one_figure_says_which(changes: dict[str, Any], fault: tuple[str, str]) -> None:
    assert faults_of(bill(**changes)) == [fault]


def test_all_faults_of_an_invoice_are_told_at_once() -> None:
    wrong = bill(
        net=Decimal("5000.00"),
        vat_rate=Decimal(7),
        vat=Decimal("1.00"),
        gross=Decimal("2.00"),
        currencies={"net": "EUR", "vat": "GBP", "gross": "GBP"},
        issued_on=TODAY + timedelta(days=1),
    )
    assert [pointer for pointer, _ in faults_of(wrong)] == [
        "/net/currency",
        "/net/amount",
        "/vat_rate",
        "/vat/amount",
        "/gross/amount",
        "/issued_on",
    ]


@given(AMOUNTS, RATE)
def test_vat_is_exact_to_the_hundredth_half_up(net: Decimal, rate: Decimal) -> None:
    exact = Fraction(net) * Fraction(rate) / 100
    off = Fraction(rules.vat_of(net, rate)) - exact
    assert Fraction(-1, 200) < off <= Fraction(1, 200)


def test_half_a_penny_of_vat_is_rounded_up() -> None:
    assert rules.vat_of(Decimal("0.025"), Decimal(20)) == Decimal("0.01")
    assert rules.vat_of(Decimal("10.10"), Decimal("12.50")) == Decimal("1.26")  # 1.2625
    assert rules.vat_of(Decimal("1.00"), Decimal("0.50")) == Decimal("0.01")  # 0.005


@pytest.mark.parametrize("status", DeliverableStatus)
def test_only_accepted_work_is_payable(status: DeliverableStatus) -> None:
    if status is DeliverableStatus.ACCEPTED:
        rules.check_accepted(status)
    else:
        with pytest.raises(DeliverableNotAccepted):
            rules.check_accepted(status)


@pytest.mark.parametrize("status", ContractStatus)
@pytest.mark.parametrize("was_signed", [True, False])
def test_what_was_signed_can_be_ordered_and_else_only_what_can_be_signed(
    status: ContractStatus, was_signed: bool
) -> None:
    if was_signed or status is ContractStatus.PENDING:
        rules.check_orderable(status, was_signed=was_signed)
    else:
        with pytest.raises(ContractNotOrderable):
            rules.check_orderable(status, was_signed=was_signed)


def test_all_faults_of_an_order_are_told_at_once() -> None:
    with pytest.raises(OrderInvalid) as caught:
        rules.check_order(Decimal(0), "EUR", TODAY + timedelta(days=1), contract_currency="GBP", today=TODAY)
    assert [fault.code for fault in caught.value.faults] == ["amount-zero", "currency", "in-future"]
    rules.check_order(Decimal("0.01"), "GBP", TODAY, contract_currency="GBP", today=TODAY)


def test_all_faults_of_a_payment_are_told_at_once() -> None:
    for paid_on in (ACCEPTED_ON - timedelta(days=1), TODAY + timedelta(days=1)):
        with pytest.raises(PaymentInvalid) as caught:
            rules.check_payment(Decimal(0), "EUR", paid_on, invoice_currency="GBP", issued_on=ACCEPTED_ON, today=TODAY)
        assert [fault.code for fault in caught.value.faults] == ["amount-zero", "currency", "outside-dates"]
    for paid_on in (ACCEPTED_ON, TODAY):
        rules.check_payment(Decimal("0.01"), "GBP", paid_on, invoice_currency="GBP", issued_on=ACCEPTED_ON, today=TODAY)


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_orders_stay_within_the_contract_and_payments_within_the_invoice(
    before: Decimal, amount: Decimal, most: Decimal
) -> None:
    checks = ((rules.check_order_fits, OrderExceedsContract), (rules.check_payment_fits, PaymentExceedsInvoice))
    for check_fits, fact in checks:
        if before + amount > most:
            with pytest.raises(fact):
                check_fits(before, amount, most)
        else:
            check_fits(before, amount, most)
        check_fits(most - min(amount, most), min(amount, most), most)  # to the last penny


@given(net=AMOUNTS, rate=RATE, cuts=st.lists(st.fractions(min_value=0, max_value=1), max_size=6))
def test_the_net_paid_grows_with_the_gross_to_exactly_the_net_however_it_is_split(
    net: Decimal, rate: Decimal, cuts: list[Fraction]
) -> None:
    gross = net + rules.vat_of(net, rate)
    pennies = int(gross * 100)
    sums = [Decimal(int(cut * pennies)) / 100 for cut in sorted(cuts)] + [gross]
    paid = [rules.net_paid(one, net=net, gross=gross) for one in [Decimal(0), *sums]]
    assert paid == sorted(paid)
    assert (paid[0], paid[-1]) == (Decimal(0), net)  # the steps between them sum to the net, whatever they are
    for gross_paid, one in zip(sums, paid[1:], strict=True):
        assert one == one.quantize(Decimal("0.01"))
        assert abs(Fraction(one) - Fraction(net) * Fraction(gross_paid) / Fraction(gross)) <= Fraction(1, 200)


def test_half_a_penny_of_net_goes_to_the_even_penny() -> None:
    halves = [rules.net_paid(Decimal(pence) / 100, net=Decimal("1.00"), gross=Decimal("2.00")) for pence in range(1, 8)]
    assert halves == [Decimal(one) for one in ("0.00", "0.01", "0.02", "0.02", "0.02", "0.03", "0.04")]


def test_the_net_paid_is_exact_at_the_largest_amounts() -> None:
    gross = Decimal("999999999999.99")
    assert rules.net_paid(gross - Decimal("0.01"), net=gross, gross=gross) == gross - Decimal("0.01")
    assert rules.net_paid(Decimal("0.01"), net=Decimal("499999999999.99"), gross=gross) == 0


def test_the_term_runs_from_the_day_of_receipt_where_the_buyer_is() -> None:
    assert rules.due_on(datetime(2026, 12, 1, 12, tzinfo=UTC), 30) == date(2026, 12, 31)
    # 23:30 UTC in summer is already tomorrow in London.
    assert rules.due_on(datetime(2026, 7, 1, 23, 30, tzinfo=UTC), 30) == date(2026, 8, 1)
    assert rules.due_on(datetime(2026, 1, 30, 23, 30, tzinfo=UTC), 30) == date(2026, 3, 1)


def test_an_invoice_is_received_then_paid_and_nothing_follows() -> None:
    assert {status: set(after) for status, after in NEXT.items()} == {
        InvoiceStatus.RECEIVED: {InvoiceStatus.PAID},
        InvoiceStatus.PAID: set(),
    }


@pytest.mark.parametrize(
    ("invoice", "state"),
    [
        (None, PayableState.TO_INVOICE),
        (InvoiceStatus.RECEIVED, PayableState.INVOICED),
        (InvoiceStatus.PAID, PayableState.PAID),
    ],
)
def test_a_payable_is_as_far_as_its_invoice(invoice: InvoiceStatus | None, state: PayableState) -> None:
    assert rules.payable_state(invoice) is state


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_text_that_a_spreadsheet_would_run_has_an_apostrophe_before_it(start: str) -> None:
    assert cell(f'{start}HYPERLINK("http://example.org","x")').startswith(f"'{start}")
    assert cell([f"{start}1", "2"]).startswith(f"'{start}")
    assert harmless(f"a{start}") == f"a{start}"


def test_numbers_dates_and_ids_are_left_alone() -> None:
    assert cell(Decimal("-5.00")) == "-5.00"
    assert cell(Decimal("1E+3")) == "1000"
    assert cell(datetime(2026, 12, 1, 9, 30, tzinfo=UTC)) == "2026-12-01T09:30:00Z"
    assert cell(datetime(2026, 7, 1, 10, 30, 0, 5, tzinfo=ZONE)) == "2026-07-01T09:30:00.000005Z"
    assert cell(TODAY) == "2026-12-10"
    assert cell(None) == ""
    assert cell(InvoiceStatus.PAID) == "paid"


def test_rows_are_rfc_4180() -> None:
    rows: list[list[object]] = [['say "no"', "one, two", "line\nbreak", Decimal("1.00")], [None, "é", "", TODAY]]
    assert encoded(rows) == ('"say ""no""","one, two","line\nbreak",1.00\r\n,é,,2026-12-10\r\n').encode()


def test_rounding_agrees_with_the_decimal_module() -> None:
    for net in range(1, 2000):
        amount = Decimal(net) / 100
        expected = (amount * Decimal("17.50") / 100).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
        assert rules.vat_of(amount, Decimal("17.50")) == expected

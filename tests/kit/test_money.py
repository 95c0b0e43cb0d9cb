"""Money is exact, or refused."""

from decimal import Decimal, localcontext
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from procure.kit import body
from procure.kit.body import BodyInvalid
from procure.kit.canonical import canonical
from procure.kit.money import AMOUNT_MAX, Money, gross, rounded, total

amounts = st.decimals(0, AMOUNT_MAX, places=2)


def read(amount: Any, currency: Any = "GBP") -> Money:
    return body.read(msgspec.json.encode({"amount": amount, "currency": currency}), Money)


@given(amounts)
def test_an_amount_goes_out_and_comes_back_as_itself(amount: Decimal) -> None:
    money = Money.of(amount, "GBP")
    assert money.value == amount
    assert money.amount == f"{amount:.2f}"
    assert read(money.amount) == money
    assert msgspec.json.decode(canonical(money)) == {"amount": money.amount, "currency": "GBP"}


@pytest.mark.parametrize("amount", ["0", "0.5", "0.05", "1", "12.5", "1250.00", "999999999999.99", " 7.00 "])
def test_plain_decimal_strings_are_taken(amount: str) -> None:
    assert read(amount).value == Decimal(amount)


@pytest.mark.parametrize(
    "amount",
    [
        1250,
        1250.5,
        0,
        True,
        None,
        ["1.00"],
        "",
        ".",
        ".5",
        "1.",
        "1.005",
        "-1.00",
        "-0",
        "+1.00",
        "1e3",
        "1E3",
        "1_000",
        "1,000.00",
        "1 000.00",
        "00.50",
        "01",
        "NaN",
        "Infinity",
        "sNaN",
        "0x10",
        "1000000000000.00",
        "\u0661\u0662",  # Arabic-Indic digits are digits to \d and to Decimal
        "\uff11\uff12.00",
        "1\n.00",
        "£1.00",
        "1.00GBP",
    ],
)
def test_every_other_form_of_amount_is_refused_at_its_place(amount: Any) -> None:
    with pytest.raises(BodyInvalid) as caught:
        read(amount)
    assert [fault.pointer for fault in caught.value.faults] == ["/amount"]


@pytest.mark.parametrize("amount", ["1.00\n", "1\n", "1.0\r", "-1", "1e1", "1.000", "NaN", "\u0661"])
def test_an_amount_that_was_not_read_from_a_body_is_held_to_the_same_form(amount: str) -> None:
    with pytest.raises(ValueError, match="plain decimal string"):
        Money(amount, "GBP")


@pytest.mark.parametrize("currency", ["gbp", "GB", "GBPP", "", "G1P", "\u00a3", None, 826])
def test_a_currency_is_three_capital_letters(currency: Any) -> None:
    with pytest.raises(BodyInvalid) as caught:
        read("1.00", currency)
    assert [fault.pointer for fault in caught.value.faults] == ["/currency"]


@pytest.mark.parametrize("amount", ["1.005", "0.001", "1e-9", "NaN"])
def test_nothing_is_rounded_in_silence(amount: str) -> None:
    with pytest.raises(ValueError, match="hundredths"):
        Money.of(Decimal(amount), "GBP")


def test_a_negative_amount_is_no_money() -> None:
    with pytest.raises(ValueError, match="plain decimal string"):
        Money.of(Decimal("-0.01"), "GBP")


@given(st.lists(amounts, max_size=50))
def test_a_sum_is_exact_in_any_order(parts: list[Decimal]) -> None:
    with localcontext() as exact:
        exact.prec = 60
        assert total(parts) == sum(parts, Decimal(0)) == total(reversed(parts))
    assert Money.of(total([]), "GBP").amount == "0.00"


def test_a_hundredth_is_never_lost_where_floats_lose_one() -> None:
    assert total([Decimal("0.10")] * 3) == Decimal("0.30")
    assert total([AMOUNT_MAX] * 1000) == Decimal("999999999999990.00")


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("0.005", "0.01"), ("0.0049", "0.00"), ("2.675", "2.68"), ("2.665", "2.67"), ("-0.005", "-0.01"), ("1", "1.00")],
)
def test_rounding_is_half_away_from_zero(amount: str, expected: str) -> None:
    assert str(rounded(Decimal(amount))) == expected


@pytest.mark.parametrize(
    ("net", "rate", "expected"),
    [
        ("24999.99", "20", "29999.99"),
        ("25000.00", "20", "30000.00"),
        ("0.02", "20", "0.02"),
        ("0.03", "20", "0.04"),
        ("33.33", "17.5", "39.16"),
        ("100.00", "0", "100.00"),
    ],
)
def test_gross_is_net_and_its_rounded_tax(net: str, rate: str, expected: str) -> None:
    assert str(gross(Decimal(net), Decimal(rate))) == expected


@given(amounts, st.decimals(0, 100, places=2))
def test_gross_is_exact_to_the_hundredth_and_never_less_than_net(net: Decimal, rate: Decimal) -> None:
    whole = gross(net, rate)
    assert whole >= net
    assert whole == rounded(whole)
    assert abs(whole - net * (100 + rate) / 100) <= Decimal("0.005")

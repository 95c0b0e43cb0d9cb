"""Money: exact decimals, two places, one currency beside the amount. Never a float.

Amounts are *net* of VAT unless a name says `gross`. On the wire an amount is a decimal string ("1250.00"): a JSON number may
pass through a float on its way, and a hundredth lost in public money is a discrepancy that somebody has to explain.
"""

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, ClassVar

import msgspec

CENT = Decimal("0.01")
AMOUNT_MAX = Decimal("999999999999.99")
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,2})?")


class Money(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An amount of money, net: `amount` a plain decimal string (no sign, no exponent, at most two places)."""

    EXAMPLE: ClassVar[object] = {"amount": "1250.00", "currency": "GBP"}

    amount: Annotated[str, msgspec.Meta(pattern=r"^(0|[1-9][0-9]{0,11})(\.[0-9]{1,2})?$", max_length=15)]
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$", min_length=3, max_length=3)]

    def __post_init__(self) -> None:
        # `$` in a pattern also matches before a final line feed, and `[0-9]` is written out since `\d` takes any script's digits.
        if not _AMOUNT.fullmatch(self.amount):
            raise ValueError("An amount is a plain decimal string with at most two places, such as 1250.00")

    @classmethod
    def of(cls, amount: Decimal, currency: str) -> "Money":
        """An amount that is exact to the hundredth; ValueError for any other: who rounds says so, with `rounded`."""
        exact = amount.quantize(CENT)
        if exact != amount:
            raise ValueError(f"{amount} is not an amount of whole hundredths.")
        return cls(f"{exact:f}", currency)

    @property
    def value(self) -> Decimal:
        return Decimal(self.amount)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum, also of nothing: Decimal('0.00')."""
    return sum(amounts, Decimal("0.00"))


def rounded(amount: Decimal) -> Decimal:
    """To the hundredth, half away from zero, as invoices are rounded (EN 16931, BR-DEC)."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def gross(net: Decimal, vat_rate: Decimal) -> Decimal:
    """Net plus VAT, `vat_rate` in percent."""
    return net + rounded(net * vat_rate / 100)

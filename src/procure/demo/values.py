"""What a notice says that was paid, as money that short lots can buy for."""

from collections.abc import Sequence
from decimal import Decimal

from procure.demo import cleaning
from procure.demo.documents import Document, as_dict, as_list
from procure.demo.reasons import CannotPlay, Reason
from procure.kit.money import AMOUNT_MAX, CENT, total
from procure.policy.rules import Limits

LIMITS = Limits()
#: Five years of time-boxes, one after the other, each as long and as dear as the policy lets one be: 21 of 170,000.00.
VALUE_MAX = LIMITS.ceiling_max * (5 * 365 // LIMITS.duration_days_max)
VALUE_MIN = Decimal("1.00")


def value_of(release: Document, tender: Document, awards: Sequence[Document]) -> Decimal:
    """The awards' value; where they state none the contracts', else the tender's."""
    contracts = list(map(as_dict, as_list(release.get("contracts"))))
    for stated in (
        [one.get("value") for one in awards],
        [one.get("value") for one in contracts],
        [tender.get("value")],
    ):
        amounts = [value for value in map(as_dict, stated) if value.get("amount") is not None]
        if amounts:
            return checked_value(total(_amount(value) for value in amounts))
    raise CannotPlay(Reason.NO_VALUE, "It states no value.")


def _amount(value: Document) -> Decimal:
    amount = value["amount"]
    if not isinstance(amount, Decimal):
        raise CannotPlay(Reason.NOT_MONEY, "Its value is not a number.")
    if value.get("currency", "GBP") != "GBP":
        said = (
            f"Its value is in {cleaning.line(value['currency'], 10) or 'no currency'}; the lots here are bought in GBP."
        )
        raise CannotPlay(Reason.OTHER_CURRENCY, said)
    if not -AMOUNT_MAX <= amount <= AMOUNT_MAX:  # before any arithmetic: a number such as 1e999999999 has no room in it
        raise _too_large(amount)
    if amount != amount.quantize(CENT):
        raise CannotPlay(Reason.NOT_MONEY, "Its value is not one in pounds and whole pence.")
    return amount.quantize(CENT)


def checked_value(value: Decimal) -> Decimal:
    """The value as money that short lots can buy for; raises CannotPlay."""
    if value < 0:
        raise CannotPlay(Reason.NEGATIVE_VALUE, "Its value is negative.")
    if value == 0:
        raise CannotPlay(Reason.ZERO_VALUE, "Its value is zero.")
    if value < VALUE_MIN:
        raise CannotPlay(Reason.SYMBOLIC_VALUE, f"Its value is less than {VALUE_MIN}: a place holder.")
    if value > VALUE_MAX:
        raise _too_large(value)
    return value


def _too_large(value: Decimal) -> CannotPlay:
    said = f"value of {value:,.2f}" if value <= AMOUNT_MAX else "value"
    years = f"{LIMITS.duration_days_max}-day time-boxes at {LIMITS.ceiling_max:,} each buy {VALUE_MAX:,} in five years"
    return CannotPlay(Reason.TOO_LARGE, f"Its {said} is beyond what short lots can buy: {years}.")

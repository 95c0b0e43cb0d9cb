"""The plays' own accounts held against the service's numbers: each outcome's ledger, finance's lists and its control totals."""

from collections.abc import Container, Iterable
from dataclasses import fields
from decimal import Decimal

from procure.demo.api import Api
from procure.demo.book import Sums
from procure.demo.cast import Council
from procure.demo.documents import Document
from procure.demo.scene import Scene
from procure.kit.money import total

_SIGNED = ("active", "completed", "terminated")


async def of_outcome(scene: Scene) -> Sums:
    """What the service says of one play: its outcome's public ledger, and the contracts as finance lists them."""
    outcome = await scene.api.get(None, f"/v1/outcomes/{scene.outcome['id']}")
    listed = await scene.api.all(scene.council.finance, "/v1/finance/contracts", outcome_id=outcome["id"])
    ledger, lines = outcome["ledger"], [line for line in listed if line["signed_at"]]
    return Sums(
        committed=_amount(ledger["committed"]),
        contracted=_sum(lines, "value"),
        accepted=_amount(ledger["accepted"]),
        invoiced=_sum(lines, "invoiced"),
        invoiced_gross=_sum(lines, "invoiced_gross"),
        paid=_amount(ledger["paid"]),
        paid_gross=_sum(lines, "paid_gross"),
    )


async def control_totals(api: Api, council: Council) -> Sums:
    """What finance's control totals say of all that a buyer has; they know nothing of commitments, nor of the net paid."""
    totals = await api.get(council.finance, "/v1/finance/control-totals")
    signed = [line for line in totals["contracts"] if line["state"] in _SIGNED]
    return Sums(
        contracted=_sum(signed, "net"),
        accepted=_sum(totals["payables"], "net"),
        invoiced=_sum(totals["invoices"], "net"),
        invoiced_gross=_sum(totals["invoices"], "gross"),
        paid_gross=_sum(totals["payments"], "paid"),
    )


def differences(where: str, own: Sums, told: Sums, *, but: Container[str] = ()) -> list[str]:
    """A sentence for each sum (`but` some) in which the service does not say what was played."""
    return [
        f"{where}: {one.name} is {getattr(own, one.name):.2f} as played, {getattr(told, one.name):.2f} by the service"
        for one in fields(Sums)
        if one.name not in but and getattr(own, one.name) != getattr(told, one.name)
    ]


def less(after: Sums, before: Sums) -> Sums:
    """What has come since."""
    return Sums(**{one.name: getattr(after, one.name) - getattr(before, one.name) for one in fields(Sums)})


def _sum(lines: Iterable[Document], name: str) -> Decimal:
    return total(_amount(line[name]) for line in lines)


def _amount(money: Document) -> Decimal:
    return Decimal(money["amount"])

"""Money: the order, the supplier's invoice for what was accepted, the finance system's payments under its own ids."""

from decimal import Decimal

from procure.demo.api import Disagreement, Seat
from procure.demo.book import ContractAccount
from procure.demo.documents import Document
from procure.demo.plan import Dare
from procure.demo.scene import Scene
from procure.demo.writing import money
from procure.kit.money import CENT


async def place_order(scene: Scene, contract: Document) -> None:
    """The finance system's purchase order for the whole contract."""
    order = {"contract_id": contract["id"], "amount": contract["value"], "ordered_on": str(await scene.today())}
    path = f"/v1/finance/orders/PO-{scene.run_id}-{contract['reference']}"
    await scene.api.put(scene.council.finance, path, order)


async def invoice(scene: Scene, bidder: Seat, contract: Document, account: ContractAccount, key: str) -> Document:
    """The supplier's invoice for one accepted deliverable, for exactly what the service lists as payable."""
    payables = await scene.api.all(bidder, "/v1/finance/payables", contract_id=contract["id"], state="to_invoice")
    due = next((one for one in payables if one["deliverable_key"] == key), None)
    if due is None:
        raise Disagreement(f"{contract['reference']}: {key} was accepted and is not listed as payable.")
    bill = {name: due[name] for name in ("net", "vat_rate", "vat", "gross")} | {
        "number": f"INV-{scene.run_id}-{contract['reference']}-{key}",
        "deliverable_key": key,
        "issued_on": str(await scene.today()),
    }
    received: Document = await scene.api.post(bidder, f"/v1/contracts/{contract['id']}/invoices", bill)
    account.invoiced += Decimal(received["net"]["amount"])
    account.invoiced_gross += Decimal(received["gross"]["amount"])
    return received


async def pay(scene: Scene, account: ContractAccount, bill: Document, *, in_full: bool = True) -> None:
    """In one payment or, in every other play, in two, each told twice, as by a nightly job. Not `in_full`: the first part only."""
    gross = Decimal(bill["gross"]["amount"])
    await _pay_too_much(scene, bill, gross + CENT)
    part = (gross / 2).quantize(CENT) if scene.plan.number % 2 or not in_full else gross
    await _pay_part(scene, account, bill, part, 1)
    if in_full and part < gross:
        await _pay_part(scene, account, bill, gross - part, 2)
    paid = gross if in_full else part
    account.paid += (Decimal(bill["net"]["amount"]) * paid / gross).quantize(CENT)  # half to even, as finance reckons


async def _pay_part(scene: Scene, account: ContractAccount, bill: Document, amount: Decimal, number: int) -> None:
    payment = await _payment(scene, bill, amount)
    path = f"/v1/finance/payments/{bill['number']}-{number}"
    for _ in range(2):
        await scene.api.put(scene.council.finance, path, payment)
    account.paid_gross += amount


async def _pay_too_much(scene: Scene, bill: Document, amount: Decimal) -> None:
    payment, path = await _payment(scene, bill, amount), f"/v1/finance/payments/{bill['number']}-0"
    await scene.dare(Dare.OVERPAYMENT, scene.council.finance, "PUT", path, payment)


async def _payment(scene: Scene, bill: Document, amount: Decimal) -> Document:
    return {"invoice_id": bill["id"], "amount": money(amount), "paid_on": str(await scene.today())}

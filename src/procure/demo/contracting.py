"""Contracts: drawn up, signed over one document's digest by both sides, delivered, accepted criterion by criterion, ended."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

from procure.demo import writing
from procure.demo.api import Disagreement, Seat
from procure.demo.book import ContractAccount
from procure.demo.documents import Document
from procure.demo.paying import invoice, pay, place_order
from procure.demo.plan import BidPlan, Dare, LotPlan
from procure.demo.scene import Scene, days_before

NO_DIGEST = "0" * 64


class Agreement:
    """A contract under way: its two sides, and what it has come to."""

    def __init__(self, scene: Scene, contract: Document, bid: BidPlan) -> None:
        self.scene, self.contract, self.bid = scene, contract, bid
        self.bidder = scene.bidders[bid.bidder.key]
        self.path = f"/v1/contracts/{contract['id']}"
        self.account = ContractAccount(Decimal(contract["value"]["amount"]))

    @property
    def keys(self) -> list[str]:
        return [one["key"] for one in self.contract["deliverables"]]

    def deliverable(self, key: str) -> Document:
        found: Document = next(one for one in self.contract["deliverables"] if one["key"] == key)
        return found


async def draw_up(scene: Scene, award: Document, bid: BidPlan) -> Agreement:
    """The contract of an award, not signed yet."""
    contract = await scene.api.post(scene.council.officer, f"/v1/awards/{award['id']}/contract")
    return Agreement(scene, contract, bid)


async def sign(agreement: Agreement) -> None:
    """Both sides read the document, reckon its digest themselves, and sign once the standstill is over."""
    scene, contract = agreement.scene, agreement.contract
    approver, path = scene.council.approver, f"{agreement.path}/sign"
    digest = await _read(scene, agreement, approver)
    starts = datetime.fromisoformat(contract["sign_from"])
    if starts > await scene.now():
        await scene.dare(Dare.EARLY_SIGNATURE, approver, "POST", path, {"digest": digest})
        await scene.clock.until(starts)
    await scene.dare(Dare.OTHER_DOCUMENT, approver, "POST", path, {"digest": NO_DIGEST})
    for seat in (agreement.bidder, approver):
        own = await _read(scene, agreement, seat)
        agreement.contract = await scene.api.post(seat, path, {"digest": own})
    if agreement.contract["status"] != "active":
        raise Disagreement(f"{agreement.path} is {agreement.contract['status']} after both sides have signed.")
    scene.book.lots[-1].contracts.append(agreement.account)
    await _try_what_is_not_allowed(agreement)
    await place_order(agreement.scene, agreement.contract)
    scene.tell(f"{contract['reference']} signed")


async def _read(scene: Scene, agreement: Agreement, seat: Seat) -> str:
    document = await scene.api.read(seat, f"{agreement.path}/document")
    digest = sha256(document).hexdigest()
    if digest != agreement.contract["digest"]:
        raise Disagreement(f"{agreement.path}: the digest is not that of the document.")
    return digest


async def _try_what_is_not_allowed(agreement: Agreement) -> None:
    scene, path = agreement.scene, agreement.path
    others = [seat for seat in scene.bidders.values() if seat is not agreement.bidder]
    await scene.dare(Dare.STRANGER, others[0], "GET", path)
    reason = {"reason": "Made up: for no reason at all."}
    await scene.dare(Dare.EARLY_STOP, scene.council.approver, "POST", f"{path}/terminate", reason)


async def deliver(agreement: Agreement, key: str, *, mended: bool = False) -> None:
    """One deliverable handed in the day before it is due and accepted; `mended` if it is rejected first."""
    await hand_in(agreement, key)
    if mended:
        await _decide(agreement, key, is_met=False)
        await _submit(agreement, key, "Made up: what was missing is written down now.")
    await _decide(agreement, key, is_met=True)
    agreement.account.accepted += Decimal(agreement.deliverable(key)["amount"]["amount"])


async def deliver_and_pay(agreement: Agreement, *, mended: bool = False) -> None:
    """Everything that was agreed, one after the other, each invoiced and paid once it is accepted."""
    for place, key in enumerate(agreement.keys):
        await deliver(agreement, key, mended=mended and place == 0)
        bill = await invoice(agreement.scene, agreement.bidder, agreement.contract, agreement.account, key)
        await pay(agreement.scene, agreement.account, bill)


async def hand_in(agreement: Agreement, key: str) -> None:
    """Handed in the day before it is due; nobody has said anything to it yet."""
    await agreement.scene.until_day(days_before(agreement.deliverable(key)["due_on"], 1))
    await _invoice_early(agreement, key)
    await _submit(agreement, key, "Made up: it is done, and was shown to the team on Tuesday.")


async def _invoice_early(agreement: Agreement, key: str) -> None:
    scene, amount = agreement.scene, agreement.deliverable(key)["amount"]
    bill = {
        "number": f"EARLY-{scene.run_id}-{agreement.contract['reference']}-{key}",
        "deliverable_key": key,
        "net": amount,
        "vat_rate": "0.00",
        "vat": writing.money(Decimal(0)),
        "gross": amount,
        "issued_on": str(await scene.today()),
    }
    await scene.dare(Dare.EARLY_INVOICE, agreement.bidder, "POST", f"{agreement.path}/invoices", bill)


async def _submit(agreement: Agreement, key: str, note: str) -> None:
    path = f"{agreement.path}/deliverables/{key}/submit"
    agreement.contract = await agreement.scene.api.post(agreement.bidder, path, {"note": note, "links": []})


async def _decide(agreement: Agreement, key: str, *, is_met: bool) -> None:
    """Criterion by criterion; `is_met` says it of the last one, the others always are."""
    count = len(agreement.deliverable(key)["acceptance_criteria"])
    verdicts: list[Document] = [
        {"criterion": place, "met": True, "evidence": "Made up: seen at the review."} for place in range(count)
    ]
    if not is_met:
        verdicts[-1] = {"criterion": count - 1, "met": False, "reason": "Made up: it is not written down yet."}
    path = f"{agreement.path}/deliverables/{key}/decide"
    owner = agreement.scene.council.service_owner
    agreement.contract = await agreement.scene.api.post(owner, path, {"verdicts": verdicts})
    found = agreement.deliverable(key)["status"]
    if found != ("accepted" if is_met else "rejected"):
        raise Disagreement(f"{path}: the deliverable is {found}.")


async def complete(agreement: Agreement, value: int, next_step: str) -> None:
    """Both sides say what they have learned, the measure is observed, and what comes next is decided."""
    scene = agreement.scene
    learned = {"learned": "Made up: showing it every week was worth more than any specification."}
    await scene.api.post(agreement.bidder, f"{agreement.path}/retrospective", learned)
    seen = {
        "value": str(value),
        "observed_on": str((await scene.now()).date()),
        "source": "Made up: counted by the team",
    }
    measures = [{"measure_id": one, "observation": seen} for one in scene.measure_ids]
    body = {"measures": measures, "learned": "Made up: the first idea was not the best one.", "next_step": next_step}
    agreement.contract = await scene.api.post(scene.council.officer, f"{agreement.path}/complete", body)
    _end(agreement, goes_on=next_step == "continue")
    scene.tell(f"{agreement.contract['reference']} completed: {next_step}")


async def stop(agreement: Agreement) -> None:
    """The buyer ends the contract at a boundary; what was accepted stays payable."""
    scene, reason = agreement.scene, {"reason": "Made up: what was found shows that the rest is not needed."}
    agreement.contract = await scene.api.post(scene.council.approver, f"{agreement.path}/terminate", reason)
    _end(agreement, goes_on=False)
    scene.tell(f"{agreement.contract['reference']} stopped")


def _end(agreement: Agreement, *, goes_on: bool) -> None:
    agreement.account.has_ended = True
    agreement.scene.book.lots[-1].goes_on = goes_on


async def go_on(agreement: Agreement, lot: LotPlan) -> Agreement:
    """An announced further time-box with the same team, without a new competition: new deliverables, a new contract."""
    scene, pieces = agreement.scene, lot.further_pieces
    starts_on = max(await scene.today(), date.fromisoformat(agreement.contract["ends_on"])) + timedelta(days=1)
    due = [starts_on + timedelta(days=piece.due_after_days) for piece in pieces]
    prices = agreement.bid.prices(pieces)
    agreed = [
        work | {"price": writing.money(price)} for work, price in zip(writing.deliverables(due), prices, strict=True)
    ]
    body = {"starts_on": str(starts_on), "duration_days": lot.duration_days, "deliverables": agreed}
    contract = await scene.api.post(scene.council.officer, f"{agreement.path}/continue", body)
    further = Agreement(scene, contract, agreement.bid)
    await sign(further)
    return further


async def draft_next_lot(agreement: Agreement) -> Document:
    """The next lot, drafted by the service from what this one has left behind."""
    scene = agreement.scene
    drafted: Document = await scene.api.post(scene.council.officer, f"{agreement.path}/next-lot")
    return drafted

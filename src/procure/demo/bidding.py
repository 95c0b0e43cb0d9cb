"""The suppliers' side until the bids are open: a question and its answer, sealed bids, the deadline, the opening."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime

from procure.demo import writing
from procure.demo.api import Disagreement, ServiceBroken
from procure.demo.documents import Document
from procure.demo.plan import BidPlan, Dare, LotPlan
from procure.demo.scene import Scene

SEALED_WITHIN_S = 60.0
LOOK_EVERY_S = 0.2
NO_ROOT = "0" * 64
Bids = Mapping[str, BidPlan]


async def bid_for(scene: Scene, published: Document, lot: LotPlan) -> Bids:
    """Everybody who is to bid does; the bids by their id."""
    await _ask_and_answer(scene, published)
    bids = {await _submit(scene, published, lot, bid): bid for bid in lot.bids}
    await _try_to_look_inside(scene, published)
    scene.tell(f"{published['reference']}: {len(bids)} sealed bids")
    return bids


async def _ask_and_answer(scene: Scene, published: Document) -> None:
    asker = next(iter(scene.bidders.values()))
    question = {"question": "Made up: may we see what you have found out so far?"}
    path = f"/v1/lots/{published['id']}/enquiries"
    asked = await scene.api.post(asker, path, question)
    answer = {"answer": "Made up: yes, it is linked from the brief."}
    await scene.api.put(scene.council.officer, f"/v1/enquiries/{asked['id']}/answer", answer)
    await scene.api.post(scene.council.officer, f"/v1/enquiries/{asked['id']}/publish")


async def _submit(scene: Scene, published: Document, lot: LotPlan, bid: BidPlan) -> str:
    """One supplier's bid: whoever is ahead replaces a dearer one, in every other play the last takes a first one back."""
    seat, path = scene.bidders[bid.bidder.key], f"/v1/lots/{published['id']}/bids"
    document = writing.bid(published, bid, bid.prices(lot.pieces))
    if bid is lot.bids[0]:
        return await _submit_and_replace(scene, published, lot, bid, document)
    receipt = await scene.api.post(seat, path, document)
    if bid is lot.bids[-1] and scene.plan.number % 2:
        await scene.api.post(seat, f"/v1/bids/{receipt['id']}/withdraw")
        receipt = await scene.api.post(seat, path, document)
    return str(receipt["id"])


async def _submit_and_replace(scene: Scene, published: Document, lot: LotPlan, bid: BidPlan, document: Document) -> str:
    seat, path = scene.bidders[bid.bidder.key], f"/v1/lots/{published['id']}/bids"
    too_dear = writing.bid(published, bid, [piece.amount * 2 for piece in lot.pieces])
    await scene.dare(Dare.BID_ABOVE_CEILING, seat, "POST", path, too_dear)
    dearer = writing.bid(published, bid, [piece.amount for piece in lot.pieces])
    receipt = await scene.api.post(seat, path, dearer)
    await scene.dare(Dare.SECOND_BID, seat, "POST", path, document)
    replaced = await scene.api.put(seat, f"/v1/bids/{receipt['id']}", document)
    return str(replaced["id"])


async def _try_to_look_inside(scene: Scene, published: Document) -> None:
    path = f"/v1/lots/{published['id']}"
    await scene.dare(Dare.PEEKING, scene.council.officer, "GET", f"{path}/bids")
    await scene.dare(Dare.EARLY_OPENING, scene.council.approver, "POST", f"{path}/open", {"root": NO_ROOT})


async def close(scene: Scene, published: Document, lot: LotPlan) -> Document:
    """Wait for the deadline, then for the service's seal and, if need be, the approvers' opening; the lot as it is then."""
    await scene.clock.until(datetime.fromisoformat(published["closes_at"]))
    await _bid_late(scene, published, lot)
    path = f"/v1/lots/{published['id']}"
    seal = await _wait_for_seal(scene, path)
    if seal["count"] and published["policy"]["ceremony"]["openers"]:
        await _open(scene, path, seal["root"])
    opened = await _wait_until_opened(scene, path)
    if opened["status"] == "unsuccessful":
        scene.book.lots[-1].has_ended = True
    scene.tell(f"{opened['reference']} {opened['status']}")
    return opened


async def _bid_late(scene: Scene, published: Document, lot: LotPlan) -> None:
    late = BidPlan(scene.plan.notice.suppliers[-1], 95, 5)
    document = writing.bid(published, late, late.prices(lot.pieces))
    path = f"/v1/lots/{published['id']}/bids"
    await scene.dare(Dare.LATE_BID, scene.bidders[late.bidder.key], "POST", path, document)


async def _open(scene: Scene, path: str, root: str) -> None:
    """Two approvers, each naming the seal's root; one of them twice is still one."""
    council = scene.council
    for who, is_opened in ((council.approver, False), (council.approver, False), (council.deputy, True)):
        opening = await scene.api.post(who, f"{path}/open", {"root": root})
        if opening["is_opened"] is not is_opened:
            raise Disagreement(f"{path}/open: opened by {len(opening['approved_by'])} persons: {opening}")


async def _wait_for_seal(scene: Scene, path: str) -> Document:
    """The worker's, within a second or so of real time."""
    until = time.monotonic() + SEALED_WITHIN_S
    while time.monotonic() < until:
        seal = await scene.api.find(None, f"{path}/seal")
        if seal is not None:
            return seal
        await asyncio.sleep(LOOK_EVERY_S)
    raise ServiceBroken(
        f"{path} closed and was not sealed within {SEALED_WITHIN_S:.0f} s; is `procure worker` running?"
    )


async def _wait_until_opened(scene: Scene, path: str) -> Document:
    until = time.monotonic() + SEALED_WITHIN_S
    while time.monotonic() < until:
        lot: Document = await scene.api.get(None, path)
        if lot["status"] != "closed":
            return lot
        await asyncio.sleep(LOOK_EVERY_S)
    raise ServiceBroken(f"{path} was sealed and not opened within {SEALED_WITHIN_S:.0f} s.")

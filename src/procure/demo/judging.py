"""From the opened bids to an award: interests, scores alone, scores together, recommendation, approval."""

from procure.demo.api import Disagreement, Seat
from procure.demo.bidding import Bids
from procure.demo.documents import Document
from procure.demo.plan import Dare
from procure.demo.preparing import notice
from procure.demo.scene import Scene


async def judge(scene: Scene, lot: Document, bids: Bids) -> list[Document]:
    """The panel's ranking, best first; those below a minimum score have no rank."""
    path, council = f"/v1/lots/{lot['id']}", scene.council
    members = [
        {"person_id": council.designer.person_id, "discipline": "service design", "is_chair": True},
        {"person_id": council.engineer.person_id, "discipline": "engineering"},
    ]
    await scene.api.put(council.officer, f"{path}/panel", {"members": members})
    for member in (council.designer, council.engineer):
        await _score_alone(scene, path, member, lot, bids)
    await scene.api.put(council.designer, f"{path}/consensus", _sheet(lot, bids, 0))
    ranking = await scene.api.post(council.designer, f"{path}/conclude")
    ranked: list[Document] = ranking["bids"]
    if {one["bid_id"] for one in ranked} != set(bids):
        raise Disagreement(f"{path}: the ranking has not exactly the bids that were submitted.")
    return ranked


async def _score_alone(scene: Scene, path: str, member: Seat, lot: Document, bids: Bids) -> None:
    declaration = {"has_conflict": False, "declaration": "Made up: none."}
    await scene.api.post(member, f"{path}/declarations", declaration)
    opened = await scene.api.all(member, f"{path}/bids")
    if {one["id"] for one in opened} != set(bids):
        raise Disagreement(f"{path}/bids: the opened bids are not exactly those that were submitted.")
    less = 1 if member is scene.council.engineer else 0
    await scene.api.put(member, f"{path}/scores", _sheet(lot, bids, less))
    await scene.api.post(member, f"{path}/scores/lock")


def _sheet(lot: Document, bids: Bids, less: int) -> Document:
    """What somebody thinks of every bid, `less` by so much than the plan says."""
    criteria = [one["id"] for one in lot["criteria"] if one["kind"] != "price"]
    return {
        "scores": [
            {
                "bid_id": bid_id,
                "criterion_id": criterion,
                "score": max(bid.score - less, 0),
                "rationale": "Made up: no bid was judged.",
            }
            for bid_id, bid in bids.items()
            for criterion in criteria
        ]
    }


async def award(scene: Scene, lot: Document, ranked: Document) -> Document:
    """Recommended by one person, approved by another; the notice recorded where the standstill waits for it."""
    council, own = scene.council, scene.dares(Dare.OWN_AWARD)
    why = {"bid_id": ranked["bid_id"], "reason": "Made up: first among those that are left in the ranking."}
    recommended = await scene.api.post(council.deputy if own else council.officer, f"/v1/lots/{lot['id']}/awards", why)
    path = f"/v1/awards/{recommended['id']}"
    await scene.dare(Dare.OWN_AWARD, council.deputy, "POST", f"{path}/approve")
    approved: Document = await scene.api.post(council.approver, f"{path}/approve")
    if approved["standstill_ends_at"] is None:
        told = notice(approved["reference"], await scene.now())
        approved = await scene.api.put(council.officer, f"{path}/notice", told)
    scene.tell(f"{approved['reference']} to {approved['supplier']['name']}")
    return approved


async def read_assessments(scene: Scene, approved: Document, bids: Bids) -> None:
    """Every bidder reads its own summary, the losers too."""
    for bid in bids.values():
        await scene.api.get(scene.bidders[bid.bidder.key], f"/v1/awards/{approved['id']}/assessment")


async def withdraw_award(scene: Scene, approved: Document) -> None:
    """The winner can't do it after all; the next in rank follows."""
    reason = {"reason": "Made up: the winner has told us that it can't start."}
    await scene.api.post(scene.council.approver, f"/v1/awards/{approved['id']}/withdraw", reason)


async def end_without_award(scene: Scene, lot: Document) -> None:
    """No bid is good enough; what the lot committed returns."""
    reason = {"reason": "Made up: every bid was below the minimum score."}
    await scene.api.post(scene.council.approver, f"/v1/lots/{lot['id']}/no-award", reason)
    scene.book.lots[-1].has_ended = True

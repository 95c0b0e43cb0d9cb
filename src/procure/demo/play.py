"""The courses of events: one function per end, each a story of the acts in the modules beside this one."""

from collections.abc import Awaitable, Callable

from procure.demo import bidding, contracting, judging, paying, preparing
from procure.demo.bidding import Bids
from procure.demo.contracting import Agreement
from procure.demo.documents import Document
from procure.demo.plan import End, LotPlan
from procure.demo.scene import Scene


async def play(scene: Scene) -> None:
    """A whole play, from the outcome to its end."""
    await preparing.write_outcome(scene)
    await COURSES[scene.plan.end](scene)


async def _compete(scene: Scene, lot: LotPlan, draft: Document | None = None) -> tuple[Document, Bids]:
    """A lot from its draft to its opening."""
    published = await preparing.open_lot(scene, lot, draft)
    bids = await bidding.bid_for(scene, published, lot)
    return await bidding.close(scene, published, lot), bids


async def _win(scene: Scene, lot: LotPlan, draft: Document | None = None) -> Agreement:
    """A lot from its draft to the signed contract with whoever is ranked first."""
    opened, bids = await _compete(scene, lot, draft)
    ranked = await judging.judge(scene, opened, bids)
    return await _sign_with(scene, opened, bids, ranked[0])


async def _sign_with(scene: Scene, opened: Document, bids: Bids, ranked: Document) -> Agreement:
    awarded = await judging.award(scene, opened, ranked)
    await judging.read_assessments(scene, awarded, bids)
    agreement = await contracting.draw_up(scene, awarded, bids[ranked["bid_id"]])
    await contracting.sign(agreement)
    return agreement


async def _end_outcome(scene: Scene, status: str, reason: str) -> None:
    path = f"/v1/outcomes/{scene.outcome['id']}/end"
    await scene.api.post(scene.council.approver, path, {"status": status, "reason": f"Made up: {reason}"})


async def _complete(scene: Scene) -> None:
    """All is delivered, and it is enough: the rest of the envelope is not needed."""
    agreement = await _win(scene, scene.plan.lots[0])
    await contracting.deliver_and_pay(agreement)
    await contracting.complete(agreement, 100, "stop")
    await _end_outcome(scene, "achieved", "the first lot was enough; the rest stays unspent.")


async def _rework(scene: Scene) -> None:
    """The first deliverable is rejected with a reason, mended and accepted."""
    agreement = await _win(scene, scene.plan.lots[0])
    await contracting.deliver_and_pay(agreement, mended=True)
    await contracting.complete(agreement, 100, "stop")
    await _end_outcome(scene, "achieved", "it took one more round, and then it was right.")


async def _continue(scene: Scene) -> None:
    """A further time-box with the same team; none being left then, the next lot is drafted."""
    lot = scene.plan.lots[0]
    agreement = await _win(scene, lot)
    await contracting.deliver_and_pay(agreement)
    await contracting.complete(agreement, 40, "continue")
    further = await contracting.go_on(agreement, lot)
    await contracting.deliver_and_pay(further)
    await contracting.complete(further, 70, "continue")
    await contracting.draft_next_lot(further)


async def _pivot(scene: Scene) -> None:
    """What was learned asks for something else: a next lot, won by whoever is best then."""
    agreement = await _win(scene, scene.plan.lots[0])
    await contracting.deliver_and_pay(agreement)
    await contracting.complete(agreement, 20, "pivot")
    draft = await contracting.draft_next_lot(agreement)
    other = await _win(scene, scene.plan.lots[1], draft)
    await contracting.deliver_and_pay(other)
    await contracting.complete(other, 100, "stop")
    await _end_outcome(scene, "achieved", "the second way was the right one.")


async def _stop(scene: Scene) -> None:
    """One deliverable shows that the rest is not worth it; it is paid all the same."""
    agreement = await _win(scene, scene.plan.lots[0])
    key = agreement.keys[0]
    await contracting.deliver(agreement, key)
    await contracting.stop(agreement)
    bill = await paying.invoice(scene, agreement.bidder, agreement.contract, agreement.account, key)
    await paying.pay(scene, agreement.account, bill)
    await _end_outcome(scene, "not_achieved", "it was learned early that this can't be done.")


async def _leave_unfinished(scene: Scene) -> None:
    """In the middle: one deliverable accepted and partly paid, the next one not decided, and another lot open for bids."""
    agreement = await _win(scene, scene.plan.lots[0])
    first, second = agreement.keys[:2]
    await contracting.deliver(agreement, first)
    bill = await paying.invoice(scene, agreement.bidder, agreement.contract, agreement.account, first)
    await paying.pay(scene, agreement.account, bill, in_full=False)
    await contracting.hand_in(agreement, second)

    async def open_another() -> None:
        await preparing.open_lot(scene, scene.plan.lots[1])

    scene.afterwards = open_another


async def _without_bids(scene: Scene) -> None:
    """Nobody bids; the lot ends by itself."""
    await _compete(scene, scene.plan.lots[0])


async def _cancel(scene: Scene) -> None:
    """Cancelled while bids are in; nobody ever reads them."""
    lot = scene.plan.lots[0]
    published = await preparing.open_lot(scene, lot)
    await bidding.bid_for(scene, published, lot)
    await preparing.cancel_lot(scene, published)
    await _end_outcome(scene, "abandoned", "the need has gone.")


async def _leave_unawarded(scene: Scene) -> None:
    """Every bid is below the minimum score."""
    opened, bids = await _compete(scene, scene.plan.lots[0])
    await judging.judge(scene, opened, bids)
    await judging.end_without_award(scene, opened)


async def _award_again(scene: Scene) -> None:
    """The winner can't start; the next in rank does the work."""
    opened, bids = await _compete(scene, scene.plan.lots[0])
    first, second = (await judging.judge(scene, opened, bids))[:2]
    await judging.withdraw_award(scene, await judging.award(scene, opened, first))
    agreement = await _sign_with(scene, opened, bids, second)
    await contracting.deliver_and_pay(agreement)
    await contracting.complete(agreement, 100, "stop")
    await _end_outcome(scene, "achieved", "the second best was good enough.")


COURSES: dict[End, Callable[[Scene], Awaitable[None]]] = {
    End.COMPLETED: _complete,
    End.CONTINUED: _continue,
    End.UNFINISHED: _leave_unfinished,
    End.NO_BIDS: _without_bids,
    End.REWORKED: _rework,
    End.STOPPED: _stop,
    End.PIVOTED: _pivot,
    End.CANCELLED: _cancel,
    End.UNAWARDED: _leave_unawarded,
    End.REAWARDED: _award_again,
}

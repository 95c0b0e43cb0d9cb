"""Whoever handed in a bid, and has a seat with the buyer too, judges no bid of that lot: by no client and in no role."""

from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from build import (
    Council,
    council,
    evaluated_lot,
    move_clock,
    panel_document,
    published_lot,
    recommended_award,
    score_document,
    seat,
    submitted_bid,
    supplier,
)
from calls import Call, ok, problem
from procure.awards.models import Award
from procure.bids import service as bids
from procure.bids.models import Bid
from procure.evaluation import opening
from procure.evaluation import service as evaluation
from procure.evaluation.schemas import Declaration, PanelDraft
from procure.journal.models import JournalEntry
from procure.kit.actor import Actor, Role
from procure.kit.body import convert
from procure.lots.models import Lot
from procure.vault.keyring import FileKeyring

REASON = {"reason": "Another one is better."}


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


async def refused(db: AsyncSession, person: Actor) -> list[str]:
    """What the person has tried, of all that stands on the record as refused."""
    statement = select(JournalEntry.payload).where(JournalEntry.person_id == person.person_id)
    return list(await db.scalars(statement.where(JournalEntry.type.like("%refused"))))


async def test_a_bidder_on_the_panel_scores_nothing(
    db: AsyncSession, call: Call, buyer: Council, vault: FileKeyring
) -> None:
    lot, bidder = await published_lot(db, buyer, vault), await supplier(db)
    await submitted_bid(db, lot, bidder, vault)
    await submitted_bid(db, lot, await supplier(db), vault)
    buyer.designer = await seat(db, buyer.organisation, Role.EVALUATOR, as_person=bidder)
    await evaluation.set_panel(db, buyer.officer, lot.id, convert(panel_document(buyer), PanelDraft))
    for member in (buyer.designer, buyer.engineer):
        await evaluation.declare(db, member, lot.id, Declaration(has_conflict=False, declaration="None."))
    await move_clock(db, lot.closes_at)
    await opening.seal(db, lot.id)
    await opening.open_at_seal(db, vault, lot.id)
    at, sheet = f"/v1/lots/{lot.id}", score_document(lot, await bids.opened_bids(db, lot.id))
    problem(await call.put(buyer.designer, f"{at}/scores", sheet), 403, "same-person")
    problem(await call.post(buyer.designer, f"{at}/scores/lock"), 403, "same-person")
    problem(await call.put(buyer.designer, f"{at}/consensus", sheet), 403, "same-person")
    problem(await call.post(buyer.designer, f"{at}/conclude"), 403, "same-person")
    assert len(await refused(db, buyer.designer)) == 4
    acts = {one["operation"]: one for one in ok(await call.get(buyer.designer, f"{at}/actions"))["items"]}
    assert acts["recordScores"]["because"] == ["same-person"]
    assert ok(await call.get(buyer.designer, "/v1/tasks"))["items"] == []
    assert [one["operation"] for one in ok(await call.get(buyer.engineer, "/v1/tasks"))["items"]] == ["lockScores"]
    ok(await call.put(buyer.engineer, f"{at}/scores", sheet))


async def test_a_bidder_recommends_and_decides_no_award(
    db: AsyncSession, call: Call, buyer: Council, vault: FileKeyring
) -> None:
    lot = await evaluated_lot(db, buyer, vault)
    winner, loser = [await bid_ranked(db, lot, rank) for rank in (1, 2)]
    both = [Role.OFFICER, Role.APPROVER]
    inside = [await seat(db, buyer.organisation, *both, as_person=await submitter(one)) for one in (winner, loser)]
    wanted = {"bid_id": str(winner.id), "reason": "First in the ranking."}
    for one in inside:
        problem(await call.post(one, f"/v1/lots/{lot.id}/awards", wanted), 403, "same-person")
    assert "recommendAward" not in [one["operation"] for one in ok(await call.get(inside[0], "/v1/tasks"))["items"]]
    award = await recommended_award(db, buyer, lot)
    assert "approveAward" not in [one["operation"] for one in ok(await call.get(inside[0], "/v1/tasks"))["items"]]
    for act, body in (("approve", None), ("refuse", REASON)):
        for one in inside:
            problem(await call.post(one, f"/v1/awards/{award.id}/{act}", body), 403, "same-person")
    ok(await call.post(buyer.approver, f"/v1/awards/{award.id}/approve"))
    problem(await call.post(inside[1], f"/v1/awards/{award.id}/withdraw", REASON), 403, "same-person")
    assert [len(await refused(db, one)) for one in inside] == [3, 4]
    assert await db.scalar(select(Award.status).where(Award.id == award.id)) == "approved"


async def test_a_bidder_of_another_lot_judges_this_one(
    db: AsyncSession, call: Call, buyer: Council, vault: FileKeyring
) -> None:
    bidder = await supplier(db)
    await submitted_bid(db, await published_lot(db, buyer, vault), bidder, vault)
    lot = await evaluated_lot(db, buyer, vault)
    inside = await seat(db, buyer.organisation, Role.APPROVER, as_person=bidder)
    award = await recommended_award(db, buyer, lot)
    ok(await call.post(inside, f"/v1/awards/{award.id}/approve", key=str(uuid4())))


async def bid_ranked(db: AsyncSession, lot: Lot, rank: int) -> Bid:
    (bid_id,) = [one.bid_id for one in await evaluation.ranking_of(db, lot.id) if one.rank == rank]
    return await bids.get_bid(db, bid_id)


async def submitter(bid: Bid) -> Actor:
    return Actor(person_id=bid.submitted_by)

"""Awards over HTTP, and two hands on one of them at once."""

import asyncio
from collections import Counter

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from build import (
    Council,
    approved_award,
    bidder,
    council,
    evaluated_lot,
    recommended_award,
    supplier,
    vault_beside,
)
from calls import Call, ok, problem
from conftest import World
from procure.awards.models import Award
from procure.awards.rules import AwardStatus
from procure.bids import service as bids
from procure.evaluation import service as evaluation
from procure.journal.models import JournalEntry
from procure.kit import clock
from procure.lots.models import Lot
from procure.lots.rules import LotStatus
from procure.vault.keyring import FileKeyring

ROUNDS = 10


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


@pytest.fixture
async def lot(db: AsyncSession, buyer: Council, vault: FileKeyring) -> Lot:
    lot = await evaluated_lot(db, buyer, vault)
    await db.commit()
    return lot


async def best_bid(db: AsyncSession, lot: Lot) -> str:
    return str((await evaluation.ranking_of(db, lot.id))[0].bid_id)


async def test_an_award_from_recommendation_to_withdrawal(
    db: AsyncSession, call: Call, buyer: Council, lot: Lot
) -> None:
    document = {"bid_id": await best_bid(db, lot), "reason": "First in the ranking."}
    path = f"/v1/lots/{lot.id}/awards"
    problem(await call.post(buyer.approver, path, document), 403, "scope-missing")
    award = ok(await call.post(buyer.officer, path, document), 201)
    assert (award["status"], award["value"]["amount"]) == ("recommended", "11050.00")
    assert award["internal"]["recommended_by"] == str(buyer.officer.person_id)
    problem(await call.post(buyer.officer, path, document), 409, "award-pending")
    path = f"/v1/awards/{award['id']}"
    problem(await call.get(None, path), 404, "award-not-found")
    problem(await call.post(buyer.officer, f"{path}/approve"), 403, "scope-missing")
    approved = ok(await call.post(buyer.approver, f"{path}/approve"))
    assert (approved["status"], approved["lot"]["status"]) == ("approved", "awarded")
    assert approved["standstill_ends_at"] == approved["decided_at"]
    assert ok(await call.get(None, path)) == approved | {"internal": None}
    notice = {"id": "2026/S 1", "ocid": "ocds-h6vhtk-1", "published_at": (await clock.now(db)).isoformat()}
    assert ok(await call.put(buyer.officer, f"{path}/notice", notice))["notice"]["id"] == "2026/S 1"
    problem(await call.post(buyer.approver, f"{path}/refuse", {"reason": "No."}), 409, "award-not-recommended")
    withdrawn = ok(await call.post(buyer.second_approver, f"{path}/withdraw", {"reason": "It did not sign."}))
    assert (withdrawn["status"], withdrawn["lot"]["status"]) == ("withdrawn", "evaluating")
    assert ok(await call.get(None, path))["withdrawn_reason"] == "It did not sign."


async def test_awards_are_listed_to_everybody_once_approved(
    db: AsyncSession, call: Call, buyer: Council, lot: Lot
) -> None:
    award = await recommended_award(db, buyer, lot)
    await db.commit()
    path = f"/v1/awards?lot_id={lot.id}&buyer_id={buyer.organisation.id}&supplier_id={award.supplier_id}"
    assert ok(await call.get(None, path))["items"] == []
    assert [one["id"] for one in ok(await call.get(buyer.officer, path))["items"]] == [str(award.id)]
    ok(await call.post(buyer.approver, f"/v1/awards/{award.id}/approve"))
    found = ok(await call.get(await supplier(db), f"{path}&status=approved&limit=1"))
    assert [one["supplier"]["name"] for one in found["items"]] == ["Bidder of 11050.00"]
    assert found["next"] is None
    assert ok(await call.get(None, f"{path}&status=withdrawn"))["items"] == []
    problem(await call.get(None, f"{path}&status=sealed"), 400, "parameters-invalid")


async def test_assessments_are_read_by_their_bidders(db: AsyncSession, call: Call, buyer: Council, lot: Lot) -> None:
    award = await approved_award(db, buyer, lot)
    loser = (await evaluation.ranking_of(db, lot.id))[1]
    own = await bidder(db, (await bids.get_bid(db, loser.bid_id)).supplier_id)
    await db.commit()
    path = f"/v1/awards/{award.id}/assessment"
    assessment = ok(await call.get(own, path))
    assert assessment["bid_id"] == str(loser.bid_id)
    assert (assessment["is_winner"], assessment["winner"]["supplier"]["name"]) == (False, "Bidder of 11050.00")
    assert set(assessment["winner"]) == {"supplier", "value", "total_points", "price_points"}
    problem(await call.get(await supplier(db), path), 404, "assessment-not-found")
    problem(await call.get(None, path), 401, "unauthenticated")


async def test_four_eyes_are_refused_and_on_the_record(db: AsyncSession, call: Call, buyer: Council, lot: Lot) -> None:
    document = {"reason": "None convinced."}
    path = f"/v1/lots/{lot.id}/no-award"
    lot.prepared_by = [*lot.prepared_by, buyer.approver.person_id or lot.id]
    await db.commit()
    problem(await call.post(buyer.approver, path, document), 403, "same-person")
    entry = (await db.scalars(select(JournalEntry).where(JournalEntry.type == "act.refused"))).one()
    assert (entry.object_id, entry.person_id) == (lot.id, buyer.approver.person_id)
    assert ok(await call.post(buyer.second_approver, path, document))["status"] == "unsuccessful"


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": 1}, {"reason": "x", "more": 1}, [], None, {"reason": "\x00"}]
)
async def test_a_bad_body_is_never_a_500(call: Call, buyer: Council, lot: Lot, body: object) -> None:
    unknown = "/v1/awards/0199c0de-0000-7000-8000-000000000000"
    for path in (f"{unknown}/refuse", f"{unknown}/withdraw", f"/v1/lots/{lot.id}/no-award"):
        assert (await call.post(buyer.approver, path, body)).status_code in (400, 415, 422)


async def committed_lot(world: World) -> tuple[Council, Lot]:
    async with world.sessions() as db:
        buyer = await council(db)
        lot = await evaluated_lot(db, buyer, vault_beside(db, world.settings))
        await db.commit()
        return buyer, lot


async def committed_award(world: World) -> tuple[Council, Award]:
    async with world.sessions() as db:
        buyer = await council(db)
        lot = await evaluated_lot(db, buyer, vault_beside(db, world.settings))
        award = await recommended_award(db, buyer, lot)
        await db.commit()
        return buyer, award


def statuses(replies: list[httpx.Response]) -> Counter[int]:
    return Counter(reply.status_code for reply in replies)


async def test_of_two_recommendations_at_once_one_stands(world: World) -> None:
    call = Call(world.client, world.app)
    for _ in range(ROUNDS):
        buyer, lot = await committed_lot(world)
        async with world.sessions() as db:
            document = {"bid_id": await best_bid(db, lot), "reason": "First in the ranking."}
        acts = [call.post(buyer.officer, f"/v1/lots/{lot.id}/awards", document) for _ in range(2)]
        assert statuses(await asyncio.gather(*acts)) == {201: 1, 409: 1}


async def test_of_two_decisions_at_once_one_stands(world: World) -> None:
    call = Call(world.client, world.app)
    for turn in range(ROUNDS):
        buyer, award = await committed_award(world)
        path = f"/v1/awards/{award.id}"
        second = (
            call.post(buyer.second_approver, f"{path}/approve")
            if turn % 2
            else call.post(buyer.second_approver, f"{path}/refuse", {"reason": "Not convincing."})
        )
        replies = await asyncio.gather(call.post(buyer.approver, f"{path}/approve"), second)
        assert statuses(replies) == {200: 1, 409: 1}
        winner = next(reply for reply in replies if reply.status_code == 200)
        async with world.sessions() as db:
            stored = await db.get_one(Award, award.id)
            assert stored.status.value == winner.json()["status"]


async def test_a_lot_cancelled_beside_its_approval_ends_cancelled_and_never_half_awarded(world: World) -> None:
    call = Call(world.client, world.app)
    for _ in range(ROUNDS):
        buyer, award = await committed_award(world)
        approval, cancellation = await asyncio.gather(
            call.post(buyer.approver, f"/v1/awards/{award.id}/approve"),
            call.post(buyer.second_approver, f"/v1/lots/{award.lot_id}/cancel", {"reason": "The need has gone."}),
        )
        # A lot may be cancelled after its award, so the cancellation always stands; the approval only if it came first.
        assert cancellation.status_code == 200, cancellation.text
        assert approval.status_code in (200, 409), approval.text
        async with world.sessions() as db:
            stored, lot = await db.get_one(Award, award.id), await db.get_one(Lot, award.lot_id)
        expected = AwardStatus.APPROVED if approval.status_code == 200 else AwardStatus.RECOMMENDED
        assert (stored.status, lot.status) == (expected, LotStatus.CANCELLED)

"""Awards over HTTP, and two hands on one of them at once."""

import asyncio
from collections import Counter
from dataclasses import dataclass

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
    seat,
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
from procure.kit.actor import Role
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
    both = await seat(db, buyer.organisation, Role.OFFICER, Role.APPROVER)
    await db.commit()
    document = {"bid_id": await best_bid(db, lot), "reason": "First in the ranking."}
    award = ok(await call.post(both, f"/v1/lots/{lot.id}/awards", document), 201)
    problem(await call.post(both, f"/v1/awards/{award['id']}/approve"), 403, "same-person")
    entry = (await db.scalars(select(JournalEntry).where(JournalEntry.type == "act.refused"))).one()
    assert (str(entry.object_id), entry.person_id) == (award["id"], both.person_id)
    ok(await call.post(buyer.approver, f"/v1/awards/{award['id']}/approve"))


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": 1}, {"reason": "x", "more": 1}, [], None, {"reason": "\x00"}]
)
async def test_a_bad_body_is_never_a_500(db: AsyncSession, call: Call, buyer: Council, body: object) -> None:
    await db.commit()
    unknown = "0199c0de-0000-7000-8000-000000000000"
    for path in (f"awards/{unknown}/refuse", f"awards/{unknown}/withdraw", f"lots/{unknown}/no-award"):
        assert (await call.post(buyer.approver, f"/v1/{path}", body)).status_code in (400, 415, 422)


@dataclass(frozen=True)
class Scene:
    """A committed council with an evaluated lot; acts over HTTP, each on a connection of its own."""

    world: World
    call: Call
    buyer: Council
    lot: Lot

    async def recommended(self) -> Award:
        """The next in rank, recommended."""
        async with self.world.sessions() as db:
            award = await recommended_award(db, self.buyer, self.lot)
            await db.commit()
            return award

    async def status_of(self, award: Award) -> AwardStatus:
        async with self.world.sessions() as db:
            return (await db.get_one(Award, award.id)).status

    async def lot_status(self) -> LotStatus:
        async with self.world.sessions() as db:
            return (await db.get_one(Lot, self.lot.id)).status


async def scene(world: World, buyer: Council | None = None, *, bidders: int = 2) -> Scene:
    async with world.sessions() as db:
        buyer = buyer or await council(db)
        totals = tuple(f"{9000 + number}.00" for number in range(bidders))
        vault = vault_beside(db, world.settings)
        lot = await evaluated_lot(db, buyer, vault, totals=totals, quality=(4,) * bidders)
        await db.commit()
    return Scene(world, Call(world.client, world.app), buyer, lot)


def statuses(*replies: httpx.Response) -> Counter[int]:
    return Counter(reply.status_code for reply in replies)


async def test_of_two_recommendations_at_once_one_stands(world: World) -> None:
    at = await scene(world)
    async with world.sessions() as db:
        document = {"bid_id": await best_bid(db, at.lot), "reason": "First in the ranking."}
    for _ in range(ROUNDS):
        acts = [at.call.post(at.buyer.officer, f"/v1/lots/{at.lot.id}/awards", document) for _ in range(2)]
        replies = await asyncio.gather(*acts)
        assert statuses(*replies) == {201: 1, 409: 1}
        award = next(reply.json() for reply in replies if reply.status_code == 201)
        ok(await at.call.post(at.buyer.approver, f"/v1/awards/{award['id']}/refuse", {"reason": "Once more."}))


async def test_of_two_decisions_at_once_one_stands(world: World) -> None:
    at = await scene(world, bidders=ROUNDS)
    for turn in range(ROUNDS):
        award = await at.recommended()
        path, refusal = f"/v1/awards/{award.id}", {"reason": "Not convincing."}
        approve = at.call.post(at.buyer.approver, f"{path}/approve")
        other = (
            at.call.post(at.buyer.second_approver, f"{path}/approve")
            if turn % 2
            else at.call.post(at.buyer.second_approver, f"{path}/refuse", refusal)
        )
        replies = await asyncio.gather(approve, other)
        assert statuses(*replies) == {200: 1, 409: 1}
        winner = next(reply.json()["status"] for reply in replies if reply.status_code == 200)
        assert (await at.status_of(award)).value == winner
        expected = LotStatus.AWARDED if winner == "approved" else LotStatus.EVALUATING
        assert await at.lot_status() is expected
        if winner == "approved":
            ok(await at.call.post(at.buyer.second_approver, f"{path}/withdraw", {"reason": "The next round."}))


async def test_of_two_withdrawals_at_once_one_stands(world: World) -> None:
    at = await scene(world, bidders=ROUNDS)
    for _ in range(ROUNDS):
        award = await at.recommended()
        path, reason = f"/v1/awards/{award.id}", {"reason": "It did not sign."}
        ok(await at.call.post(at.buyer.approver, f"{path}/approve"))
        acts = [at.call.post(one, f"{path}/withdraw", reason) for one in (at.buyer.approver, at.buyer.second_approver)]
        assert statuses(*await asyncio.gather(*acts)) == {200: 1, 409: 1}
        assert await at.lot_status() is LotStatus.EVALUATING


async def test_a_lot_cancelled_beside_its_approval_ends_cancelled_and_never_half_awarded(world: World) -> None:
    buyer: Council | None = None
    for _ in range(ROUNDS):
        at = await scene(world, buyer)
        buyer, award = at.buyer, await at.recommended()
        approval, cancellation = await asyncio.gather(
            at.call.post(buyer.approver, f"/v1/awards/{award.id}/approve"),
            at.call.post(
                buyer.second_approver,
                f"/v1/lots/{award.lot_id}/cancel",
                {"reason_code": "need_changed", "reason": "The need has gone."},
            ),
        )
        # A lot may be cancelled after its award, so the cancellation always stands; the approval only if it came first.
        assert cancellation.status_code == 200, cancellation.text
        assert approval.status_code in (200, 409), approval.text
        expected = AwardStatus.APPROVED if approval.status_code == 200 else AwardStatus.RECOMMENDED
        assert (await at.status_of(award), await at.lot_status()) == (expected, LotStatus.CANCELLED)

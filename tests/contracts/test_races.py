"""Two hands on one contract at once, over HTTP, each on a connection of its own: one wins, nobody gets a 500, the sums hold."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import httpx
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from build import (
    Council,
    active_contract,
    awarded_lot,
    bidder,
    completed_contract,
    completion_document,
    council,
    decided_deliverable,
    iteration_document,
    pending_contract,
    vault_beside,
    verdict_document,
)
from calls import Call, ok
from conftest import World
from procure.awards.models import Award
from procure.contracts import service as contracts
from procure.contracts.deliverables import service as deliverables
from procure.contracts.deliverables.schemas import Delivery
from procure.contracts.models import Contract
from procure.contracts.rules import ContractStatus, DeliverableStatus, NextStep
from procure.kit import clock
from procure.kit.actor import Actor
from procure.kit.money import total
from procure.lots.models import Lot
from procure.lots.rules import LotStatus
from procure.outcomes import service as outcomes
from procure.outcomes.models import Outcome
from procure.outcomes.schemas import LedgerView
from procure.policy.working_days import local_day

ROUNDS = 10
#: One bidder is enough to have a contract.
ALONE: dict[str, Any] = {"totals": ("11050.00",), "quality": (4,)}


@dataclass(frozen=True)
class Scene:
    """A committed contract, its buyer, and a bidder of its supplier."""

    world: World
    call: Call
    buyer: Council
    contract: Contract
    winner: Actor

    @property
    def path(self) -> str:
        return f"/v1/contracts/{self.contract.id}"

    async def fresh(self) -> Contract:
        statement = select(Contract).where(Contract.id == self.contract.id).options(selectinload(Contract.deliverables))
        async with self.world.sessions() as db:
            return (await db.scalars(statement)).one()

    async def ledger(self) -> LedgerView:
        async with self.world.sessions() as db:
            return await outcomes.ledger(db, await db.get_one(Outcome, self.contract.outcome_id))

    async def lot_status(self) -> LotStatus:
        async with self.world.sessions() as db:
            return (await db.get_one(Lot, self.contract.lot_id)).status


async def scene(world: World, buyer: Council | None = None, *, is_active: bool = False, **changes: Any) -> Scene:
    async with world.sessions() as db:
        buyer = buyer or await council(db)
        make = active_contract if is_active else pending_contract
        contract = await make(db, buyer, vault_beside(db, world.settings), **(ALONE | changes))
        winner = await bidder(db, contract.supplier_id)
        await db.commit()
    return Scene(world, Call(world.client, world.app), buyer, contract, winner)


def statuses(*replies: httpx.Response) -> Counter[int]:
    return Counter(reply.status_code for reply in replies)


async def test_both_sides_sign_at_once_and_the_contract_is_active_once(world: World) -> None:
    buyer: Council | None = None
    for _ in range(ROUNDS):
        at = await scene(world, buyer)
        buyer, body = at.buyer, {"digest": at.contract.digest.hex()}
        signers = (at.buyer.approver, at.winner, at.buyer.second_approver)
        replies = await asyncio.gather(*(at.call.post(one, f"{at.path}/sign", body) for one in signers))
        # Of the buyer's two approvers one was too late; each side has one signature.
        assert statuses(*replies) == {200: 2, 409: 1}
        assert statuses(replies[1]) == {200: 1}
        signed = ok(await at.call.get(at.winner, at.path))
        assert (signed["status"], sorted(one["side"] for one in signed["signatures"])) == (
            "active",
            ["buyer", "supplier"],
        )
        assert (await at.lot_status(), (await at.ledger()).committed.amount) == (LotStatus.CONTRACTED, "21050.00")


async def test_the_last_signature_beside_the_awards_withdrawal(world: World) -> None:
    buyer: Council | None = None
    for _ in range(ROUNDS):
        at = await scene(world, buyer)
        buyer, body = at.buyer, {"digest": at.contract.digest.hex()}
        ok(await at.call.post(at.winner, f"{at.path}/sign", body))
        withdrawal = f"/v1/awards/{at.contract.award_id}/withdraw"
        replies = await asyncio.gather(
            at.call.post(buyer.approver, f"{at.path}/sign", body),
            at.call.post(buyer.second_approver, withdrawal, {"reason": "A mistake was found."}),
        )
        assert statuses(*replies) == {200: 1, 409: 1}
        signed = replies[0].status_code == 200
        assert (await at.fresh()).status is (ContractStatus.ACTIVE if signed else ContractStatus.PENDING)
        assert await at.lot_status() is (LotStatus.CONTRACTED if signed else LotStatus.EVALUATING)
        async with world.sessions() as db:
            award = await db.get_one(Award, at.contract.award_id)
        assert award.status.value == ("approved" if signed else "withdrawn")


def many_deliverables(starts_on: date) -> list[dict[str, Any]]:
    return [
        {
            "title": f"Piece {number}",
            "due_on": str(starts_on + timedelta(days=7)),
            "acceptance_criteria": ["It is what was asked for"],
        }
        for number in range(1, 9)
    ]


async def accepted_sum(at: Scene) -> Decimal:
    works = (await at.fresh()).deliverables
    return total(one.amount for one in works if one.status is DeliverableStatus.ACCEPTED)


async def test_accepted_and_rejected_at_once_one_verdict_stands_and_is_counted_once(world: World) -> None:
    async with world.sessions() as db:
        starts_on = local_day(await clock.now(db)) + timedelta(days=20)
    at = await scene(world, is_active=True, starts_on=str(starts_on), deliverables=many_deliverables(starts_on))
    works = at.contract.deliverables
    verdicts: Counter[str] = Counter()
    for work in works:
        path = f"{at.path}/deliverables/{work.key}"
        ok(await at.call.post(at.winner, f"{path}/submit", {"note": "Done."}))
        acts = [verdict_document(work), verdict_document(work, unmet=(0,)), verdict_document(work)]
        owner = at.buyer.service_owner
        replies = await asyncio.gather(*(at.call.post(owner, f"{path}/decide", body) for body in acts))
        assert statuses(*replies) == {200: 1, 409: 2}
        stored = next(one for one in (await at.fresh()).deliverables if one.key == work.key)
        verdicts[stored.status.value] += 1
        assert Decimal((await at.ledger()).accepted.amount) == await accepted_sum(at)
    assert set(verdicts) <= {"accepted", "rejected"}
    assert verdicts.total() == len(works)


async def submitted(db: AsyncSession, at: Scene, key: str) -> None:
    await deliverables.submit(db, at.winner, at.contract.id, key, Delivery("Done."))


async def test_nobody_accepts_a_delivery_that_was_never_seen(world: World) -> None:
    """Of two verdicts on one delivery one is given; and what is handed in anew is not accepted by who has read the old one."""
    accepted = 0
    for _ in range(ROUNDS):
        at = await scene(world, is_active=True)
        path, owner, work = f"{at.path}/deliverables/D1", at.buyer.service_owner, at.contract.deliverables[0]
        good, bad = verdict_document(work), verdict_document(work, unmet=(0,))
        ok(await at.call.post(at.winner, f"{path}/submit", {"note": "The first."}))
        first = await at.call.etag(owner, path)
        verdicts = [at.call.post(owner, f"{path}/decide", body, seen=first) for body in (good, bad)]
        replies = await asyncio.gather(*verdicts)
        assert statuses(*replies) == {200: 1, 412: 1}
        if replies[0].status_code == 200:
            accepted += 1
            continue
        rejected = await at.call.etag(owner, path)
        acts = [at.call.post(at.winner, f"{path}/submit", {"note": "The second."})]
        acts += [at.call.post(owner, f"{path}/decide", good, seen=tag) for tag in (first, rejected)]
        handed_in, old, early = await asyncio.gather(*acts)
        ok(handed_in)
        assert (old.status_code, early.status_code in (409, 412)) == (412, True)
        assert ok(await at.call.get(owner, path))["status"] == "submitted"
    assert 0 <= accepted <= ROUNDS


async def test_the_other_sides_signature_is_seen_before_ones_own(world: World) -> None:
    at = await scene(world)
    path, body = f"{at.path}/sign", {"digest": at.contract.digest.hex()}
    tag = await at.call.etag(at.winner, at.path)
    signers = (at.buyer.approver, at.winner)
    replies = await asyncio.gather(*(at.call.post(one, path, body, seen=tag) for one in signers))
    assert statuses(*replies) == {200: 1, 412: 1}
    late = signers[0] if replies[1].is_success else signers[1]
    assert ok(await at.call.post(late, path, body))["status"] == "active"


async def test_a_verdict_beside_a_termination_is_paid_or_not_given(world: World) -> None:
    buyer: Council | None = None
    for _ in range(ROUNDS):
        at = await scene(world, buyer, is_active=True)
        buyer = at.buyer
        async with world.sessions() as db:
            contract = await contracts.lock_contract(db, at.contract.id)
            await decided_deliverable(db, buyer, contract, "D2")  # a boundary
            await submitted(db, at, "D1")
            await db.commit()
        verdict = verdict_document(at.contract.deliverables[0])
        replies = await asyncio.gather(
            at.call.post(buyer.service_owner, f"{at.path}/deliverables/D1/decide", verdict),
            at.call.post(buyer.approver, f"{at.path}/terminate", {"reason": "Enough."}),
        )
        assert replies[1].status_code == 200, replies[1].text
        assert replies[0].status_code in (200, 409), replies[0].text
        ledger, ended = await at.ledger(), await at.fresh()
        expected = "11050.00" if replies[0].status_code == 200 else "100.00"
        assert (ended.status, ledger.accepted.amount) == (ContractStatus.TERMINATED, expected)
        assert ledger.committed == ledger.accepted
        assert Decimal(ledger.accepted.amount) == await accepted_sum(at)


async def test_of_three_ends_at_once_one_stands(world: World) -> None:
    at = await scene(world, is_active=True)
    async with world.sessions() as db:
        contract = await contracts.lock_contract(db, at.contract.id)
        for key in ("D1", "D2"):
            await decided_deliverable(db, at.buyer, contract, key)
        await db.commit()
        document = await completion_document(db, contract, next_step="stop")
    ends = [
        at.call.post(at.buyer.officer, f"{at.path}/complete", document),
        at.call.post(at.buyer.service_owner, f"{at.path}/complete", document),
        at.call.post(at.buyer.approver, f"{at.path}/terminate", {"reason": "Enough."}),
    ]
    assert statuses(*await asyncio.gather(*ends)) == {200: 1, 409: 2}
    ledger = await at.ledger()
    assert (ledger.committed.amount, ledger.accepted.amount) == ("11050.00", "11050.00")


async def test_the_next_lot_is_drafted_once(world: World) -> None:
    at = await scene(world, is_active=True)
    async with world.sessions() as db:
        contract = await contracts.lock_contract(db, at.contract.id)
        await completed_contract(db, at.buyer, contract, NextStep.PIVOT)
        await db.commit()
    drafts = [at.call.post(at.buyer.officer, f"{at.path}/next-lot") for _ in range(ROUNDS)]
    assert statuses(*await asyncio.gather(*drafts)) == {201: 1, 409: ROUNDS - 1}


async def test_iterations_drawn_up_at_once_leave_one_to_sign(world: World) -> None:
    at = await scene(world, is_active=True)
    async with world.sessions() as db:
        contract = await contracts.lock_contract(db, at.contract.id)
        await completed_contract(db, at.buyer, contract)
        agreed = iteration_document(local_day(await clock.now(db)))
        await db.commit()
    for _ in range(ROUNDS):
        acts = [at.call.post(at.buyer.officer, f"{at.path}/continue", agreed) for _ in range(3)]
        assert statuses(*await asyncio.gather(*acts)) == {201: 3}
        assert len(await live_iterations(at)) == 1
    (second,) = await live_iterations(at)
    path, body = f"/v1/contracts/{second.id}", {"digest": second.digest.hex()}
    ok(await at.call.post(at.winner, f"{path}/sign", body))
    replies = await asyncio.gather(
        at.call.post(at.buyer.approver, f"{path}/sign", body),
        at.call.post(at.buyer.officer, f"{at.path}/continue", agreed),
    )
    assert [reply.status_code for reply in replies] == [200, 409]
    assert (await at.ledger()).committed.amount == "20550.00"


async def live_iterations(at: Scene) -> list[Contract]:
    statement = select(Contract).where(
        Contract.award_id == at.contract.award_id,
        Contract.number == 2,
        Contract.status != ContractStatus.TERMINATED,
    )
    async with at.world.sessions() as db:
        return list(await db.scalars(statement))


async def test_an_award_is_drawn_up_once(world: World) -> None:
    async with world.sessions() as db:
        buyer = await council(db)
        _, award = await awarded_lot(db, buyer, vault_beside(db, world.settings), **ALONE)
        await db.commit()
    call = Call(world.client, world.app)
    acts = [call.post(buyer.officer, f"/v1/awards/{award.id}/contract") for _ in range(ROUNDS)]
    assert statuses(*await asyncio.gather(*acts)) == {201: 1, 409: ROUNDS - 1}

"""An outcome ends once nobody is left with a promise, and whatever is promised can be released: each case by the API's own acts."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from build import (
    Council,
    active_contract,
    active_outcome,
    awarded_lot,
    bidder,
    completed_contract,
    completion_document,
    council,
    decided_deliverable,
    drafted_lot,
    evaluated_covered_lot,
    evaluated_lot,
    iteration_document,
    lot_document,
    measure_ids,
    move_clock,
    opened_lot,
    pending_contract,
    published_lot,
    recommended_award,
    sealed_lot,
    signed_contract,
    submitted_bid,
    supplier,
    vault_beside,
)
from calls import Call, ok, problem
from conftest import World
from procure.awards import service as awards
from procure.contracts import service as contracts
from procure.contracts.iterations import service as iterations
from procure.contracts.iterations.schemas import Iteration
from procure.contracts.models import Contract
from procure.contracts.rules import ContractStatus, NextStep
from procure.kit import clock
from procure.kit.actor import Actor
from procure.kit.body import convert
from procure.lots.models import Lot
from procure.lots.rules import LotStatus, status_at
from procure.outcomes import service as outcomes
from procure.outcomes.models import Outcome
from procure.outcomes.schemas import LedgerView
from procure.policy.working_days import local_day
from procure.vault.keyring import FileKeyring

REASON = {"reason": "The need has gone."}
END = {"status": "not_achieved", "reason": "The need has gone."}
#: One bidder is enough to have a contract.
ALONE: dict[str, Any] = {"totals": ("11050.00",), "quality": (4,)}
NO_FURTHER = {"count": 0, "ceiling": {"amount": "0.00", "currency": "GBP"}}

#: Who acts, where, and what is sent.
Act = tuple[Actor, str, dict[str, Any]]


@dataclass
class Scene:
    """A buyer that has committed something of an outcome."""

    db: AsyncSession
    vault: FileKeyring
    buyer: Council

    def cancel(self, lot: Lot) -> Act:
        return self.buyer.second_approver, f"/v1/lots/{lot.id}/cancel", {"reason_code": "need_changed", **REASON}

    def terminate(self, contract: Contract) -> Act:
        return self.buyer.approver, f"/v1/contracts/{contract.id}/terminate", REASON

    def give_up(self, contract: Contract, next_step: str = "stop") -> Act:
        return self.buyer.officer, f"/v1/contracts/{contract.id}/next-step", REASON | {"next_step": next_step}

    async def complete(self, contract: Contract, next_step: str = "stop") -> Act:
        document = await completion_document(self.db, contract, next_step=next_step)
        return self.buyer.officer, f"/v1/contracts/{contract.id}/complete", document

    async def lot_of(self, contract: Contract) -> Lot:
        return await self.db.get_one(Lot, contract.lot_id)

    async def delivered(self, contract: Contract) -> Contract:
        for key in [one.key for one in contract.deliverables]:
            await decided_deliverable(self.db, self.buyer, contract, key)
        return contract

    async def pass_a_due_date(self, contract: Contract) -> None:
        now, due_on = await clock.now(self.db), min(one.due_on for one in contract.deliverables)
        await move_clock(self.db, now + (due_on + timedelta(days=1) - local_day(now)))

    async def active(self, **changes: Any) -> Contract:
        return await active_contract(self.db, self.buyer, self.vault, **(ALONE | changes))

    async def pending(self) -> Contract:
        return await pending_contract(self.db, self.buyer, self.vault)

    async def continued(self) -> tuple[Contract, Contract]:
        """A contract completed with `continue`, and the pending one of its further iteration."""
        first = await completed_contract(self.db, self.buyer, await self.active())
        agreed = convert(iteration_document(local_day(await clock.now(self.db))), Iteration)
        return first, await iterations.continue_(self.db, self.buyer.officer, first.id, agreed)


@pytest.fixture
async def scene(db: AsyncSession, vault: FileKeyring) -> Scene:
    return Scene(db, vault, await council(db))


# What commits something of an outcome: each case makes it, and names the acts that release it.

Case = Callable[[Scene], Awaitable[tuple[UUID, list[Act]]]]


async def published(at: Scene) -> tuple[UUID, list[Act]]:
    lot = await published_lot(at.db, at.buyer, at.vault)
    await submitted_bid(at.db, lot, await supplier(at.db), at.vault)
    return lot.outcome_id, [at.cancel(lot)]


async def closed(at: Scene) -> tuple[UUID, list[Act]]:
    lot = await published_lot(at.db, at.buyer, at.vault)
    await move_clock(at.db, lot.closes_at)
    return lot.outcome_id, [at.cancel(lot)]


async def sealed(at: Scene) -> tuple[UUID, list[Act]]:
    lot = await published_lot(at.db, at.buyer, at.vault)
    await submitted_bid(at.db, lot, await supplier(at.db), at.vault)
    await sealed_lot(at.db, lot)
    return lot.outcome_id, [at.cancel(lot)]


async def opened(at: Scene) -> tuple[UUID, list[Act]]:
    lot = await opened_lot(at.db, at.buyer, at.vault)
    return lot.outcome_id, [at.cancel(lot)]


async def ranked(at: Scene) -> tuple[UUID, list[Act]]:
    lot = await evaluated_lot(at.db, at.buyer, at.vault)
    return lot.outcome_id, [(at.buyer.approver, f"/v1/lots/{lot.id}/no-award", REASON)]


async def recommended(at: Scene) -> tuple[UUID, list[Act]]:
    lot = await evaluated_lot(at.db, at.buyer, at.vault)
    await recommended_award(at.db, at.buyer, lot)
    return lot.outcome_id, [at.cancel(lot)]


async def awarded(at: Scene) -> tuple[UUID, list[Act]]:
    lot, _ = await awarded_lot(at.db, at.buyer, at.vault)
    return lot.outcome_id, [at.cancel(lot)]


async def awarded_without_its_notice(at: Scene) -> tuple[UUID, list[Act]]:
    lot = await evaluated_covered_lot(at.db, at.buyer, at.vault)
    award = await recommended_award(at.db, at.buyer, lot)
    await awards.approve(at.db, at.buyer.approver, award.id)
    return lot.outcome_id, [at.cancel(lot)]


async def award_undone(at: Scene) -> tuple[UUID, list[Act]]:
    lot, award = await awarded_lot(at.db, at.buyer, at.vault)
    await awards.withdraw(at.db, at.buyer.approver, award.id, "A mistake.")
    return lot.outcome_id, [(at.buyer.approver, f"/v1/lots/{lot.id}/no-award", REASON)]


async def drawn_up(at: Scene) -> tuple[UUID, list[Act]]:
    contract = await at.pending()
    return contract.outcome_id, [at.cancel(await at.lot_of(contract))]


async def signed_by_one(at: Scene) -> tuple[UUID, list[Act]]:
    contract = await at.pending()
    await contracts.sign(at.db, await bidder(at.db, contract.supplier_id), contract.id, contract.digest)
    return contract.outcome_id, [at.cancel(await at.lot_of(contract))]


async def lapsed(at: Scene) -> tuple[UUID, list[Act]]:
    contract = await at.pending()
    await contracts.sign(at.db, at.buyer.approver, contract.id, contract.digest)
    await move_clock(at.db, contract.sign_by)
    return contract.outcome_id, [at.cancel(await at.lot_of(contract))]


async def running(at: Scene) -> tuple[UUID, list[Act]]:
    """Nothing was handed in: the due date is the boundary that comes by itself."""
    contract = await at.active()
    await at.pass_a_due_date(contract)
    return contract.outcome_id, [at.terminate(contract)]


async def partly_accepted(at: Scene) -> tuple[UUID, list[Act]]:
    contract = await at.active()
    await decided_deliverable(at.db, at.buyer, contract, "D2")
    return contract.outcome_id, [at.terminate(contract)]


async def delivered_and_to_stop(at: Scene) -> tuple[UUID, list[Act]]:
    contract = await at.delivered(await at.active())
    return contract.outcome_id, [await at.complete(contract)]


async def delivered_and_to_go_on(at: Scene) -> tuple[UUID, list[Act]]:
    contract = await at.delivered(await at.active())
    return contract.outcome_id, [await at.complete(contract, "continue"), at.give_up(contract, "pivot")]


async def to_continue(at: Scene) -> tuple[UUID, list[Act]]:
    contract = await completed_contract(at.db, at.buyer, await at.active())
    return contract.outcome_id, [at.give_up(contract)]


async def next_drawn_up(at: Scene) -> tuple[UUID, list[Act]]:
    first, _ = await at.continued()
    return first.outcome_id, [at.give_up(first)]


async def next_lapsed(at: Scene) -> tuple[UUID, list[Act]]:
    first, second = await at.continued()
    await contracts.sign(at.db, await bidder(at.db, second.supplier_id), second.id, second.digest)
    await move_clock(at.db, second.sign_by)
    return first.outcome_id, [at.give_up(first)]


async def next_running(at: Scene) -> tuple[UUID, list[Act]]:
    _, second = await at.continued()
    await signed_contract(at.db, at.buyer, second)
    await at.pass_a_due_date(second)
    return second.outcome_id, [at.terminate(second)]


COMMITTED: dict[Case, LotStatus] = {
    published: LotStatus.PUBLISHED,
    closed: LotStatus.CLOSED,
    sealed: LotStatus.CLOSED,
    opened: LotStatus.EVALUATING,
    ranked: LotStatus.EVALUATING,
    recommended: LotStatus.EVALUATING,
    awarded: LotStatus.AWARDED,
    awarded_without_its_notice: LotStatus.AWARDED,
    award_undone: LotStatus.EVALUATING,
    drawn_up: LotStatus.AWARDED,
    signed_by_one: LotStatus.AWARDED,
    lapsed: LotStatus.AWARDED,
    running: LotStatus.CONTRACTED,
    partly_accepted: LotStatus.CONTRACTED,
    delivered_and_to_stop: LotStatus.CONTRACTED,
    delivered_and_to_go_on: LotStatus.CONTRACTED,
    to_continue: LotStatus.CONTRACTED,
    next_drawn_up: LotStatus.CONTRACTED,
    next_lapsed: LotStatus.CONTRACTED,
    next_running: LotStatus.CONTRACTED,
}


def test_every_status_in_which_a_lot_commits_something_has_its_case() -> None:
    uncommitted = {LotStatus.DRAFT, LotStatus.UNSUCCESSFUL, LotStatus.CANCELLED}
    assert set(COMMITTED.values()) == set(LotStatus) - uncommitted


@pytest.mark.parametrize("case", COMMITTED, ids=lambda case: case.__name__)
async def test_what_is_committed_holds_the_end_and_an_act_releases_it(scene: Scene, call: Call, case: Case) -> None:
    db = scene.db
    outcome_id, acts = await case(scene)
    lot, now = (await db.scalars(select(Lot).where(Lot.outcome_id == outcome_id))).one(), await clock.now(db)
    assert status_at(lot.status, lot.closes_at, now) is COMMITTED[case]
    await db.commit()
    path = f"/v1/outcomes/{outcome_id}/end"
    for actor, address, body in acts:
        problem(await call.post(scene.buyer.approver, path, END), 409, "outcome-still-committed")
        ok(await call.post(actor, address, body))
    ledger = ok(await call.get(None, f"/v1/outcomes/{outcome_id}"))["ledger"]
    assert ledger["committed"] == ledger["accepted"]
    ended = ok(await call.post(scene.buyer.approver, path, END))
    assert (ended["status"], ended["ledger"]) == ("not_achieved", ledger)


async def test_the_refusal_says_how_much_is_committed_and_what_frees_it(
    db: AsyncSession, scene: Scene, call: Call
) -> None:
    contract = await scene.active()  # 11,050.00, and a further iteration of 10,000.00
    await decided_deliverable(db, scene.buyer, contract, "D2")  # 100.00
    await db.commit()
    path = f"/v1/outcomes/{contract.outcome_id}/end"
    for status in ("achieved", "not_achieved", "abandoned"):
        body = problem(
            await call.post(scene.buyer.approver, path, END | {"status": status}), 409, "outcome-still-committed"
        )
        assert body["detail"].startswith("20950.00 is committed beyond what was accepted, by 1 lot(s). Cancel a lot")
    outcome = ok(await call.get(None, f"/v1/outcomes/{contract.outcome_id}"))
    assert (outcome["status"], outcome["ledger"]["committed"]["amount"]) == ("active", "21050.00")


@pytest.mark.parametrize("lots", ["none", "draft", "cancelled"])
async def test_an_outcome_without_commitments_ends_at_once(
    db: AsyncSession, scene: Scene, call: Call, lots: str
) -> None:
    outcome = await active_outcome(db, scene.buyer)
    acts: list[Act] = []
    if lots != "none":
        lot = await drafted_lot(db, scene.buyer, outcome)
        acts = [scene.cancel(lot)] if lots == "cancelled" else []
    await db.commit()
    for actor, address, body in acts:
        ok(await call.post(actor, address, body))
    ok(await call.post(scene.buyer.approver, f"/v1/outcomes/{outcome.id}/end", END))


# After the end.


async def test_under_an_outcome_that_has_ended_no_lot_is_drafted_published_or_left_behind(
    db: AsyncSession, scene: Scene, call: Call
) -> None:
    buyer = scene.buyer
    outcome = await active_outcome(db, buyer)
    lot = await drafted_lot(db, buyer, outcome)
    await db.commit()
    ok(await call.post(buyer.approver, f"/v1/outcomes/{outcome.id}/end", END))
    problem(await call.post(buyer.approver, f"/v1/lots/{lot.id}/publish"), 409, "outcome-not-active")
    another = lot_document(outcome.id, lot.measure_ids, await clock.now(db))
    problem(await call.post(buyer.officer, "/v1/lots", another), 409, "outcome-not-active")
    actor, address, reason = scene.cancel(lot)
    assert ok(await call.post(actor, address, reason))["status"] == "cancelled"


async def test_a_contract_whose_work_is_all_accepted_is_completed_and_observed_after_the_end(
    db: AsyncSession, scene: Scene, call: Call
) -> None:
    buyer = scene.buyer
    contract = await scene.delivered(await scene.active(further_iterations=NO_FURTHER))
    stop, go_on, pivot = [await scene.complete(contract, step) for step in ("stop", "continue", "pivot")]
    await db.commit()
    ended = ok(await call.post(buyer.approver, f"/v1/outcomes/{contract.outcome_id}/end", END))
    for actor, address, body in (go_on, pivot):
        problem(await call.post(actor, address, body), 409, "outcome-not-active")
    assert ok(await call.post(*stop))["next_step"] == "stop"
    outcome = ok(await call.get(None, f"/v1/outcomes/{contract.outcome_id}"))
    assert outcome["measures"][0]["latest"]["value"] == "11"
    assert (outcome["status"], outcome["ledger"]) == (ended["status"], ended["ledger"])


async def test_accepted_work_is_terminated_with_under_an_outcome_that_has_ended_as_well(
    db: AsyncSession, scene: Scene, call: Call
) -> None:
    contract = await scene.delivered(await scene.active(further_iterations=NO_FURTHER))
    await db.commit()
    ended = ok(await call.post(scene.buyer.approver, f"/v1/outcomes/{contract.outcome_id}/end", END))
    assert ok(await call.post(*scene.terminate(contract)))["status"] == "terminated"
    assert ok(await call.get(None, f"/v1/outcomes/{contract.outcome_id}"))["ledger"] == ended["ledger"]


async def test_what_was_accepted_is_invoiced_and_paid_after_the_end(db: AsyncSession, scene: Scene, call: Call) -> None:
    buyer = scene.buyer
    contract = await completed_contract(db, buyer, await scene.active(), NextStep.STOP)
    winner, today = await bidder(db, contract.supplier_id), (await clock.now(db)).date()
    await db.commit()
    ok(await call.post(buyer.approver, f"/v1/outcomes/{contract.outcome_id}/end", END))

    def money(amount: str) -> dict[str, str]:
        return {"amount": amount, "currency": "GBP"}

    bill = {
        "number": "2026-1",
        "deliverable_key": "D1",
        "net": money("10950.00"),
        "vat_rate": "20.00",
        "vat": money("2190.00"),
        "gross": money("13140.00"),
        "issued_on": str(today),
    }
    invoice = ok(await call.post(winner, f"/v1/contracts/{contract.id}/invoices", bill), 201)
    payment = {"invoice_id": invoice["id"], "amount": money("13140.00"), "paid_on": str(today)}
    ok(await call.put(buyer.finance, "/v1/finance/payments/run-1", payment), 201)
    assert ok(await call.get(None, f"/v1/outcomes/{contract.outcome_id}"))["ledger"]["paid"]["amount"] == "10950.00"


async def test_an_owed_observation_is_recorded_and_mended_after_the_end(
    db: AsyncSession, scene: Scene, call: Call
) -> None:
    outcome = await active_outcome(db, scene.buyer)
    measure = (await measure_ids(db, outcome))[0]
    await db.commit()
    ok(await call.post(scene.buyer.approver, f"/v1/outcomes/{outcome.id}/end", END))
    path = f"/v1/outcomes/{outcome.id}/measures/{measure}/observations"
    seen = {"value": "10.5", "observed_on": "2026-11-01", "source": "Case system"}
    wrong = ok(await call.post(scene.buyer.officer, path, seen), 201)
    ok(await call.post(scene.buyer.officer, path, seen | {"value": "2", "supersedes_id": wrong["id"]}), 201)
    assert ok(await call.get(None, f"/v1/outcomes/{outcome.id}"))["measures"][0]["progress"] == "1.0000"


# At once.

ROUNDS = 8


async def ledger_of(world: World, outcome_id: UUID) -> LedgerView:
    async with world.sessions() as db:
        return await outcomes.ledger(db, await db.get_one(Outcome, outcome_id))


async def test_a_lot_is_published_or_its_outcome_ends(world: World) -> None:
    async with world.sessions() as db:
        buyer = await council(db)
        drafted = [await drafted_lot(db, buyer) for _ in range(ROUNDS)]
        await db.commit()
    for place, lot in enumerate(drafted):
        acts = [
            world.call.post(buyer.approver, f"/v1/lots/{lot.id}/publish"),
            world.call.post(buyer.second_approver, f"/v1/outcomes/{lot.outcome_id}/end", END),
        ]
        replies = await asyncio.gather(*(acts if place % 2 else reversed(acts)))
        publication, end = replies if place % 2 else reversed(replies)
        if publication.status_code == 200:
            problem(end, 409, "outcome-still-committed")
        else:
            problem(publication, 409, "outcome-not-active")
            ok(end)
        committed = (await ledger_of(world, lot.outcome_id)).committed.amount
        assert committed == ("22000.00" if publication.status_code == 200 else "0.00")


async def test_a_further_iteration_gets_its_last_signature_or_is_given_up(world: World) -> None:
    for place in range(ROUNDS):
        async with world.sessions() as db:
            at = Scene(db, vault_beside(db, world.settings), await council(db))
            first, second = await at.continued()
            winner = await bidder(db, second.supplier_id)
            await db.commit()
            if place % 4 > 1:  # of a contract that one side has signed nothing is given up
                await contracts.sign(db, at.buyer.second_approver, second.id, second.digest)
                await db.commit()
        acts = [
            world.call.post(winner, f"/v1/contracts/{second.id}/sign", {"digest": second.digest.hex()}),
            world.call.post(*at.give_up(first)),
        ]
        replies = await asyncio.gather(*(acts if place % 2 else reversed(acts)))
        signature, given_up = replies if place % 2 else reversed(replies)
        assert Counter([signature.status_code, given_up.status_code]) == {200: 1, 409: 1}
        async with world.sessions() as db:
            status = (await db.get_one(Contract, second.id)).status
        if given_up.status_code == 200:
            problem(signature, 409, "contract-state-wrong")
            assert (status, (await ledger_of(world, first.outcome_id)).committed.amount) == (
                ContractStatus.TERMINATED,
                "11050.00",
            )
        else:
            problem(given_up, 409, "iteration-taken")
            assert status in (ContractStatus.PENDING, ContractStatus.ACTIVE)

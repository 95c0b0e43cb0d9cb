"""Who is told of what, and when it is due."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from build import (
    active_contract,
    active_outcome,
    completion_document,
    council,
    decided_deliverable,
    drafted_lot,
    evaluated_lot,
    measure_ids,
    move_clock,
    outcome_document,
    recommended_award,
    seat,
)
from calls import Call, ok, problem
from insights.scenes import STORIES, bidder_of, scene
from procure.contracts.endings import service as endings
from procure.contracts.endings.schemas import Completion
from procure.kit import clock
from procure.kit.actor import Actor, Role
from procure.kit.body import convert
from procure.lots.models import Lot
from procure.outcomes import service as outcomes
from procure.outcomes.models import Observation
from procure.outcomes.rules import OutcomeStatus
from procure.outcomes.schemas import EndDecision, ObservationDraft
from procure.policy.working_days import ZONE, local_day, midnight_after, period_of_days
from procure.vault.keyring import FileKeyring

ALONE: dict[str, Any] = {"totals": ("11050.00",), "quality": (4,)}


async def waiting(call: Call, actor: Actor) -> dict[str, str | None]:
    """Due times by operation and what it is about."""
    items = ok(await call.get(actor, "/v1/tasks"))["items"]
    return {" ".join(filter(None, (one["operation"], one["about"]))): one["due_at"] for one in items}


async def test_a_queue_needs_a_caller_and_is_empty_for_who_has_nothing_to_do(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    await db.commit()
    problem(await call.get(None, "/v1/tasks"), 401, "unauthenticated")
    assert ok(await call.get(buyer.auditor, "/v1/tasks")) == {"items": [], "next": None}


async def test_every_seat_has_its_own_queue_of_one_contract(db: AsyncSession, call: Call, vault: FileKeyring) -> None:
    buyer = await council(db)
    contract = await active_contract(db, buyer, vault, **ALONE)
    supplier = await bidder_of(db, contract.supplier_id)
    await decided_deliverable(db, buyer, contract, "D1")
    await db.commit()
    second = next(one for one in contract.deliverables if one.key == "D2")
    due_at = midnight_after(second.due_on).isoformat()
    assert moments(await waiting(call, supplier)) == {"submitDeliverable D2": due_at, "sendInvoice D1": None}
    assert await waiting(call, buyer.finance) == {"placeOrder": None}
    assert await waiting(call, buyer.service_owner) == {}
    await decided_deliverable(db, buyer, contract, "D2")
    await db.commit()
    ends_at = midnight_after(contract.ends_on).isoformat()
    assert moments(await waiting(call, buyer.officer)) == {"completeContract": ends_at}


def moments(found: dict[str, str | None]) -> dict[str, str | None]:
    """The same moments where the buyer is, as Python writes them."""
    return {name: datetime.fromisoformat(at).astimezone(ZONE).isoformat() if at else None for name, at in found.items()}


async def test_an_award_is_decided_before_its_bids_lapse_and_not_by_who_recommended_it(
    db: AsyncSession, call: Call, vault: FileKeyring
) -> None:
    buyer = await council(db)
    lot = await evaluated_lot(db, buyer, vault)
    both = await seat(db, buyer.organisation, Role.OFFICER, Role.APPROVER)
    buyer.officer = both
    await recommended_award(db, buyer, lot)
    await db.commit()
    due_at = period_of_days(lot.closes_at, lot.validity_days).isoformat()
    assert moments(await waiting(call, buyer.approver)) == {"approveAward": due_at}
    assert await waiting(call, both) == {}


async def test_a_draft_waits_for_an_approver_who_did_not_write_it(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    lot = await drafted_lot(db, buyer)
    await db.commit()
    tasks = ok(await call.get(buyer.approver, "/v1/tasks"))["items"]
    assert [(one["operation"], one["path"], one["reference"], one["title"]) for one in tasks] == [
        ("publishLot", f"/v1/lots/{lot.id}", lot.reference, lot.title)
    ]
    assert await waiting(call, (await council(db, name="Otherham Council")).approver) == {}


async def test_an_iteration_left_open_waits_to_be_taken_up_until_it_is_drawn_up(
    db: AsyncSession, connection: AsyncConnection, call: Call, vault: FileKeyring
) -> None:
    at = await scene(db, connection, vault)
    seen = {}
    async for state in STORIES["from_signature_to_the_next_step"](at):
        await db.commit()
        seen[state] = set(await waiting(call, at.buyer.officer))
    assert "continueContract" in seen["completed, to continue"]
    assert "continueContract" not in seen["iteration drawn up"]


async def test_an_observation_that_is_owed_waits_until_it_is_made(
    db: AsyncSession, call: Call, vault: FileKeyring
) -> None:
    buyer = await council(db)
    outcome = await active_outcome(db, buyer)
    contract = await active_contract(db, buyer, vault, outcome, **ALONE)
    for key in ("D1", "D2"):
        await decided_deliverable(db, buyer, contract, key)
    (measure_id,) = (await db.get_one(Lot, contract.lot_id)).measure_ids
    owed_on = date((await clock.now(db)).year + 1, 7, 1)  # in summer time
    report = {"measures": [{"measure_id": str(measure_id), "owed_on": str(owed_on)}], "next_step": "stop"}
    document = await completion_document(db, contract, **report)
    await endings.complete(db, buyer.officer, contract.id, convert(document, Completion))
    await db.commit()
    assert moments(await waiting(call, buyer.officer)) == {
        f"observeMeasure {measure_id}": midnight_after(owed_on).isoformat()
    }
    seen = ObservationDraft(value="11", observed_on=(await clock.now(db)).date(), source="Case system", evidence=None)
    await outcomes.observe(db, buyer.officer, outcome.id, measure_id, seen)
    await db.commit()
    assert await waiting(call, buyer.officer) == {}


async def test_a_look_at_a_measure_waits_from_its_day_on_until_something_is_seen(db: AsyncSession, call: Call) -> None:
    """Of several that have passed the earliest is due; the target's day is one of them. What was withdrawn was not seen."""
    buyer = await council(db)
    (measure,) = outcome_document(buyer)["measures"]
    now = await clock.now(db)
    days = [local_day(now) + timedelta(days=number) for number in (10, 20, 30)]
    target = {"value": "2", "on": str(days[2])}
    reviewed = measure | {"review_dates": [str(one) for one in days[:2]], "target": target}
    outcome = await active_outcome(db, buyer, measures=[reviewed])
    (measure_id,) = await measure_ids(db, outcome)

    async def due(number: int) -> date | None:
        await move_clock(db, now + timedelta(days=number))
        await db.commit()
        found = moments(await waiting(call, buyer.officer))
        assert found.keys() <= {f"observeMeasure {measure_id}"}
        return next((datetime.fromisoformat(at).date() - timedelta(days=1) for at in found.values() if at), None)

    async def observe(on: date, **more: object) -> Observation:
        seen = {"value": "11", "observed_on": str(on), "source": "Case system"} | more
        return await outcomes.observe(db, buyer.officer, outcome.id, measure_id, convert(seen, ObservationDraft))

    assert [await due(number) for number in (9, 10, 25)] == [None, days[0], days[0]]
    wrong = await observe(days[1])
    assert await due(26) is None
    await observe(days[0], supersedes_id=str(wrong.id))
    assert await due(27) == days[1]
    await observe(days[1])
    assert [await due(number) for number in (29, 30)] == [None, days[2]]
    await outcomes.end(db, buyer.approver, outcome.id, EndDecision(OutcomeStatus.ACHIEVED, "Seen."))
    assert await due(31) is None

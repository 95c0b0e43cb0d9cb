"""Outcomes that may be one need are pointed out, with what they come to together."""

from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from build import active_outcome, council, move_clock, outcome_document, published_lot
from calls import Call, ok
from procure.kit import clock
from procure.outcomes import service as outcomes
from procure.outcomes.models import Outcome
from procure.outcomes.rules import OutcomeStatus
from procure.outcomes.schemas import EndDecision
from procure.policy.working_days import local_day
from procure.vault.keyring import FileKeyring


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "GBP"}


async def shown(call: Call, outcome: Outcome) -> tuple[Any, list[Any]]:
    path = f"/v1/outcomes/{outcome.id}"
    return ok(await call.get(None, path))["siblings"], ok(await call.get(None, f"{path}/siblings"))["items"]


async def test_siblings_are_of_one_buyer_and_one_group_and_tell_what_they_come_to(db: AsyncSession, call: Call) -> None:
    buyer, elsewhere = await council(db), await council(db, name="Elsewhere Council")
    outcome = await active_outcome(db, buyer)  # 24,000.00 of 72200000
    sibling = await active_outcome(db, buyer, cpv="72212100", envelope=money("20000.00"))
    for who, cpv in ((buyer, "72300000"), (buyer, None), (elsewhere, "72200000")):
        await active_outcome(db, who, cpv=cpv)
    await db.commit()
    drafted = ok(await call.post(buyer.officer, "/v1/outcomes", outcome_document(buyer)), 201)
    together = {"count": 1, "net": money("44000.00"), "gross": money("52800.00"), "band": "notifiable"}
    today, target = local_day(await clock.now(db)), "2099-09-30"
    assert await shown(call, outcome) == (
        together,
        [
            {
                "id": str(sibling.id),
                "reference": sibling.reference,
                "title": sibling.title,
                "status": "active",
                "cpv": "72212100",
                "starts_on": str(today),
                "ends_on": target,
                "value": money("20000.00"),
                "together_gross": money("52800.00"),
                "band": "notifiable",
            }
        ],
    )
    # A draft is nobody's sibling, and sees its own before it is put into force.
    assert drafted["siblings"] == {
        "count": 2,
        "net": money("68000.00"),
        "gross": money("81600.00"),
        "band": "notifiable",
    }
    assert (await outcomes.siblings(db, outcome)).count == 1
    alone, none = await shown(call, await active_outcome(db, await council(db, name="Otherham Council"), cpv=None))
    assert (alone["count"], alone["net"], none) == (0, money("24000.00"), [])


async def test_what_came_before_is_none_and_what_has_ended_is_what_it_bought(
    db: AsyncSession, call: Call, vault: FileKeyring
) -> None:
    buyer = await council(db)
    before, emptied, running = [await active_outcome(db, buyer) for _ in range(3)]
    await outcomes.end(db, buyer.approver, before.id, EndDecision(OutcomeStatus.ACHIEVED, "Seen."))
    await move_clock(db, await clock.now(db) + timedelta(days=2))
    outcome = await active_outcome(db, buyer)
    await published_lot(db, buyer, vault, running)  # 22,000.00
    await outcomes.end(db, buyer.approver, emptied.id, EndDecision(OutcomeStatus.ABANDONED, "The need has gone."))
    await db.commit()
    together, (one,) = await shown(call, outcome)
    assert (one["id"], one["value"], together["count"]) == (str(running.id), money("24000.00"), 1)


async def test_what_is_active_runs_on_after_its_target(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    (measure,) = outcome_document(buyer)["measures"]
    target = local_day(await clock.now(db)) + timedelta(days=30)
    before = await active_outcome(db, buyer, measures=[measure | {"target": {"value": "2", "on": str(target)}}])
    await move_clock(db, await clock.now(db) + timedelta(days=60))
    later = await active_outcome(db, buyer)
    await db.commit()
    _, (one,) = await shown(call, later)
    assert (one["id"], one["ends_on"]) == (str(before.id), str(local_day(await clock.now(db))))


async def test_the_greatest_amounts_are_read(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    outcome, _ = [await active_outcome(db, buyer, envelope=money("999999999999.99")) for _ in range(2)]
    await db.commit()
    together, (one,) = await shown(call, outcome)
    assert (together["net"], together["gross"], together["band"]) == (None, None, "covered")
    assert (one["together_gross"], one["band"]) == (None, "covered")
    estimate = ok(await call.get(None, f"/v1/outcomes/{outcome.id}"))["estimate"]
    assert (estimate["net"], estimate["gross"], estimate["band"]) == (money("999999999999.99"), None, "covered")


async def test_a_sibling_that_comes_or_grows_moves_the_tag(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    outcome = await active_outcome(db, buyer)
    await db.commit()
    path, tags = f"/v1/outcomes/{outcome.id}", set()
    tags.add(await call.etag(None, path))
    await active_outcome(db, buyer)
    await db.commit()
    tags.add(await call.etag(None, path))
    assert len(tags) == 2

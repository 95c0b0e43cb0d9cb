"""Each thing has its own part of the journal: in order, with what belongs to it, for those who may see it."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

import build
from build import Council
from calls import ok, problem
from conftest import World
from journal.test_sealer import sealed
from procure.contracts.models import Contract
from procure.insights.timelines import lists
from procure.journal.lists import seer
from procure.kit.actor import Actor


@pytest.fixture
async def signed(world: World) -> tuple[Council, Contract, Actor]:
    """A contract on which something was accepted, and everything before it."""
    async with world.sessions() as db:
        buyer = await build.council(db)
        vault = build.vault_beside(db, world.settings)
        contract = await build.active_contract(db, buyer, vault)
        await build.decided_deliverable(db, buyer, contract)
        bidder = await build.bidder(db, contract.supplier_id)
        await db.commit()
    await sealed(world)
    return buyer, contract, bidder


async def read(world: World, actor: Actor | None, path: str) -> list[dict[str, Any]]:
    """Page by page."""
    items: list[dict[str, Any]] = []
    after = 0
    while True:
        page = ok(await world.call.get(actor, f"/v1/{path}/timeline?limit=3&after={after}"))
        items += page["items"]
        after = page["next"]
        if page["is_caught_up"]:
            return items


def types(items: list[dict[str, Any]]) -> list[str]:
    return [one["type"] for one in items]


async def test_a_timeline_is_the_part_of_the_changes_that_is_about_it(
    world: World, signed: tuple[Council, Contract, Actor]
) -> None:
    buyer, contract, bidder = signed
    paths = {
        f"outcomes/{contract.outcome_id}": {"outcome", "lot", "award", "contract"},
        f"lots/{contract.lot_id}": {"lot", "lot_seal", "bid", "award", "contract", "enquiry"},
        f"contracts/{contract.id}": {"contract", "order", "invoice", "payment"},
    }
    for path, kinds in paths.items():
        for actor in (buyer.officer, buyer.auditor, bidder, None):
            if actor is None and path.startswith("contracts"):
                continue
            all_ = ok(await world.call.get(actor, "/v1/changes?limit=200"))["items"]
            # There is one procurement here: what is of these kinds is about this thing.
            expected = [one for one in all_ if one["object_type"] in kinds]
            assert await read(world, actor, path) == expected, (path, actor)
            assert expected


async def test_each_sees_what_they_may_of_a_lot(world: World, signed: tuple[Council, Contract, Actor]) -> None:
    buyer, contract, bidder = signed
    path = f"lots/{contract.lot_id}"
    public = types(await read(world, None, path))
    assert {"lot.published", "bids.sealed", "award.approved", "contract.activated"} <= set(public)
    assert not {"lot.drafted", "panel.set", "bid.submitted", "bid.opened", "contract.signed"} & set(public)
    assert {"lot.drafted", "panel.set", "bid.opened", "contract.signed"} <= set(
        types(await read(world, buyer.officer, path))
    )
    of_bidder = types(await read(world, bidder, path))
    assert {"bid.submitted", "bid.opened", "contract.signed"} <= set(of_bidder)
    assert not {"lot.drafted", "panel.set", "scores.locked", "evaluation.concluded"} & set(of_bidder)


async def test_a_bids_timeline_is_its_suppliers_alone_and_begins_with_the_seal(world: World) -> None:
    async with world.sessions() as db:
        buyer, bidder, rival = await build.council(db), await build.supplier(db), await build.supplier(db, "A rival")
        vault = build.vault_beside(db, world.settings)
        lot = await build.published_lot(db, buyer, vault)
        bid = await build.submitted_bid(db, lot, bidder, vault)
        await build.submitted_bid(db, lot, rival, vault)
        await db.commit()
    await sealed(world)
    path = f"/v1/bids/{bid.id}/timeline"
    assert ok(await world.call.get(bidder, path))["items"] == []
    for other in (rival, buyer.officer, buyer.auditor):
        problem(await world.call.get(other, path), 404, "bid-not-found")
    async with world.sessions() as db:
        await build.sealed_lot(db, await db.get_one(type(lot), lot.id))
        await db.commit()
    await sealed(world)
    found = ok(await world.call.get(bidder, path))["items"]
    assert types(found) == ["bid.submitted"]
    assert {one["object_id"] for one in found} == {str(bid.id)}


async def test_an_open_lots_bids_are_not_counted_by_how_long_its_timeline_takes(world: World) -> None:
    async with world.sessions() as db:
        buyer, bidder = await build.council(db), await build.supplier(db)
        vault = build.vault_beside(db, world.settings)
        lot = await build.published_lot(db, buyer, vault)
        await build.submitted_bid(db, lot, bidder, vault)
        await db.commit()
        assert await _looks_at_bids(db, lot.id) == 0
        await build.sealed_lot(db, await db.get_one(type(lot), lot.id))
        assert await _looks_at_bids(db, lot.id) > 0


async def _looks_at_bids(db: AsyncSession, lot_id: UUID) -> int:
    """How often reading the lot's timeline goes through its bids."""
    values = {"id": lot_id, "after": 0, "beyond": 1000, "limit": 50, **seer(Actor())}
    plan = await db.scalar(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {lists.LOT.text}"), values)
    return sum(node["Actual Loops"] for node in _nodes(plan[0]["Plan"]) if node.get("Relation Name") == "bids")


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", []):
        yield from _nodes(inner)


async def test_a_refused_attempt_stands_in_the_auditors_timeline(
    world: World, signed: tuple[Council, Contract, Actor]
) -> None:
    buyer, contract, bidder = signed
    reply = await world.call.post(buyer.approver, f"/v1/lots/{contract.lot_id}/open", {"root": "00" * 32})
    assert reply.status_code == 409
    await sealed(world)
    path = f"lots/{contract.lot_id}"
    assert types(await read(world, buyer.auditor, path))[-1] == "act.refused"
    for other in (buyer.officer, bidder, None):
        assert "act.refused" not in types(await read(world, other, path))


async def test_a_timeline_of_what_is_not_yours_is_not_there(
    world: World, signed: tuple[Council, Contract, Actor]
) -> None:
    _, contract, _ = signed
    async with world.sessions() as db:
        elsewhere, rival = await build.council(db, name="Elsewhere Council"), await build.supplier(db, "A rival")
        draft = await build.drafted_lot(db, elsewhere)
        await db.commit()
    for actor in (elsewhere.officer, rival):
        problem(await world.call.get(actor, f"/v1/contracts/{contract.id}/timeline"), 404, "contract-not-found")
    for anybody in (rival, None):
        problem(await world.call.get(anybody, f"/v1/lots/{draft.id}/timeline"), 404, "lot-not-found")
    for noun in ("outcomes", "lots"):
        slug = f"{noun[:-1]}-not-found"
        problem(await world.call.get(None, f"/v1/{noun}/{uuid4()}/timeline"), 404, slug)

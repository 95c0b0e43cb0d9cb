"""An outcome's tag moves with its ledger and its measures, which move without its row; and a read sees one moment of all three."""

import asyncio
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from build import active_outcome, council, measure_ids, published_lot
from calls import Call, ok
from conftest import World
from procure.kit.db import make_readers
from procure.outcomes import service
from procure.outcomes.rules import LedgerKind
from procure.vault.keyring import FileKeyring

AT_ONCE = 20


async def test_what_is_accepted_and_paid_changes_the_tag(db: AsyncSession, call: Call, vault: FileKeyring) -> None:
    buyer = await council(db)
    lot = await published_lot(db, buyer, vault)
    await db.commit()
    path, seen = f"/v1/outcomes/{lot.outcome_id}", set()
    for kind in (LedgerKind.ACCEPTED, LedgerKind.PAID):
        seen.add(await call.etag(None, path))
        await service.add_spend(db, lot.outcome_id, lot.id, kind, Decimal(100), "shown")
        await db.commit()
    assert len(seen | {await call.etag(None, path)}) == 3


async def test_the_buyers_own_people_have_a_tag_of_their_own(db: AsyncSession, call: Call) -> None:
    """They see who is in the team."""
    buyer = await council(db)
    path = f"/v1/outcomes/{(await active_outcome(db, buyer)).id}"
    await db.commit()
    assert await call.etag(buyer.officer, path) == await call.etag(buyer.approver, path) != await call.etag(None, path)


async def test_a_read_beside_observations_is_of_one_moment(world: World) -> None:
    """Each reply is held to its tag (`tagged.held_to_its_tag`): the outcome's version with a later measure would fail there."""
    async with world.sessions() as db:
        buyer = await council(db)
        outcome = await active_outcome(db, buyer)
        (measure_id, *_) = await measure_ids(db, outcome)
        await db.commit()
    path = f"/v1/outcomes/{outcome.id}"
    document = {"observed_on": "2026-11-01", "source": "Case system"}
    place = f"{path}/measures/{measure_id}/observations"
    writes = [world.call.post(buyer.officer, place, {"value": str(n), **document}) for n in range(AT_ONCE)]
    reads = [world.call.get(None, path) for _ in range(3 * AT_ONCE)]
    replies = await asyncio.gather(
        *(one for pair in zip(writes, reads, strict=False) for one in pair), *reads[AT_ONCE:]
    )
    assert {reply.status_code for reply in replies} == {200, 201}
    assert ok(await world.call.get(None, path))["version"] == outcome.version + AT_ONCE


async def test_what_only_reads_takes_a_snapshot(world: World) -> None:
    assert world.app.state.readers is not world.app.state.sessions
    async with world.app.state.readers() as db:
        assert await db.scalar(text("SHOW transaction_isolation")) == "repeatable read"
    async with world.sessions() as db:
        assert await db.scalar(text("SHOW transaction_isolation")) == "read committed"
    async with make_readers(world.sessions.kw["bind"])() as db:
        assert await db.scalar(text("SELECT 1")) == 1

"""`validate_only=true` says what would happen and leaves nothing behind: tried for every act, in every state of the stories."""

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from build import bid_document, council, drafted_lot, published_lot, supplier
from calls import Call, ok, problem
from conftest import World
from insights.scenes import BODIES, STORIES, Sent, scene
from insights.test_actions import actions, path_of, slug_of
from procure.bids.models import Bid
from procure.journal.models import JournalEntry
from procure.kit.db import Base
from procure.kit.settings import Settings
from procure.vault.keyring import FileKeyring

ROWS = " UNION ALL ".join(
    f"SELECT '{name}' AS table, md5(coalesce(string_agg(row::text, ',' ORDER BY row::text), '')) AS digest FROM {name} AS row"
    for name in sorted(Base.metadata.tables)
)


async def everything(db: AsyncConnection | AsyncSession, vault: Path) -> dict[str, str]:
    """A digest of each table, and every file of the vault."""
    found = {str(row.table): str(row.digest) for row in await db.execute(text(ROWS))}
    return found | {"vault": " ".join(files_in(vault))}


def files_in(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("story", STORIES)
async def test_a_trial_is_answered_as_the_act_is_and_leaves_nothing(
    story: str, db: AsyncSession, connection: AsyncConnection, call: Call, vault: FileKeyring, settings: Settings
) -> None:
    at = await scene(db, connection, vault)
    seen: set[tuple[str, str]] = set()
    allowed = set()
    async for state in STORIES[story](at):
        await db.commit()
        for resource in at.resources:
            for name, actor in at.people.items():
                for action in await actions(call, actor, resource):
                    once = action["operation"], str(action["because"])
                    if once in seen:
                        continue
                    seen.add(once)
                    sent = Sent(at, UUID(resource.rpartition("/")[2]), action["about"])
                    body = await BODIES[action["operation"]](sent) if action["operation"] in BODIES else None
                    path = await path_of(at, sent, action)
                    await db.commit()
                    before = await everything(connection, settings.keys_path)
                    reply = await call(action["method"], actor, f"{path}?validate_only=true", body, key=None)
                    told = f"{state}: {name}: {action}: {reply.text}"
                    assert await everything(connection, settings.keys_path) == before, told
                    if action["allowed"]:
                        allowed.add(action["operation"])
                        assert (reply.is_success, reply.headers.get("validated-only")) == (True, "true"), told
                    else:
                        assert slug_of(reply) in action["because"], told
                        assert "validated-only" not in reply.headers
    assert allowed


async def test_a_bid_on_trial_is_judged_and_not_received(world: World) -> None:
    async with world.sessions() as db:
        lot = await published_lot(db, await council(db), world.vault)
        bidder = await supplier(db)
        await db.commit()
    path = f"/v1/lots/{lot.id}/bids"
    trial = await world.call.post(bidder, f"{path}?validate_only=true", bid_document(lot), key=None)
    assert ok(trial, 201)["status"] == "submitted"
    assert trial.headers["validated-only"] == "true"
    dear = bid_document(lot, total="99999.00")
    problem(await world.call.post(bidder, f"{path}?validate_only=true", dear, key=None), 422, "bid-invalid")
    async with world.sessions() as db:
        assert (await db.scalars(select(Bid.id))).all() == []
        assert (await db.scalars(select(JournalEntry.id).where(JournalEntry.type.startswith("bid.")))).all() == []
    done = await world.call.post(bidder, path, bid_document(lot))
    assert ok(done, 201)["id"] != trial.json()["id"]
    assert "validated-only" not in done.headers
    changed = await world.call.put(bidder, f"/v1/bids/{done.json()['id']}?validate_only=true", bid_document(lot))
    assert ok(changed)["version"] == 2
    async with world.sessions() as db:
        assert (await db.scalars(select(Bid.version))).all() == [1]


async def test_a_key_is_not_used_up_by_a_trial(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    lot = await drafted_lot(db, buyer)
    await db.commit()
    key = "8e03978e-40d5-43dd-bc93-6894a57f9324"
    patch = {"title": "Find out why changes of address wait"}
    for number in range(2):
        tried = await call.patch(buyer.officer, f"/v1/lots/{lot.id}?validate_only=true", patch, key=key)
        assert (ok(tried)["title"], tried.headers.get("idempotency-replayed")) == (patch["title"], None), number
    done = await call.patch(buyer.officer, f"/v1/lots/{lot.id}", patch, key=key)
    assert (ok(done)["version"], "idempotency-replayed" in done.headers) == (2, False)


@pytest.mark.parametrize("value", ["1", "True", "", "yes"])
async def test_only_true_and_false_are_values(db: AsyncSession, call: Call, value: str) -> None:
    buyer = await council(db)
    lot = await drafted_lot(db, buyer)
    await db.commit()
    address = f"/v1/lots/{lot.id}?validate_only={value}"
    told = problem(await call.patch(buyer.officer, address, {"title": "Another title"}), 400, "parameters-invalid")
    assert [fault["pointer"] for fault in told["errors"]] == ["/validate_only"]


async def test_false_is_no_trial_and_reads_and_tokens_know_none(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    lot = await drafted_lot(db, buyer)
    await db.commit()
    done = await call.patch(buyer.officer, f"/v1/lots/{lot.id}?validate_only=false", {"title": "Another good title"})
    assert ok(done)["version"] == 2
    problem(await call.get(buyer.officer, f"/v1/lots/{lot.id}?validate_only=true"), 400, "parameters-invalid")
    problem(await call.post(None, "/v1/sandbox/clock?validate_only=true", {}), 400, "parameters-invalid")

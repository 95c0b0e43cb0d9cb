"""What these rules forbid is refused and recorded: the buyer's auditors are told of each attempt, and nobody else is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import build
from build import Council, seat, supplier
from calls import ok
from conftest import World
from journal.test_sealer import sealed
from procure.evaluation import opening
from procure.journal.events import Refusal
from procure.journal.models import JournalEntry
from procure.kit import clock
from procure.kit.actor import Actor, Role
from procure.kit.settings import Settings
from procure.lots.models import Lot
from procure.vault.errors import KeyNotDue
from procure.vault.keyring import FileKeyring

CHANGES = "/v1/changes?types=act.refused"


@dataclass
class Scene:
    world: World
    buyer: Council
    lot: Lot
    bidder: Actor
    rival: Actor
    twice: Actor
    elsewhere: Council

    async def told(self, actor: Actor | None) -> list[str]:
        """The acts that were refused, as far as this caller is told."""
        items = ok(await self.world.call.get(actor, CHANGES))["items"]
        assert all(
            one["by"] is None or one["by"]["organisation_id"] == str(actor and actor.organisation_id) for one in items
        )
        return [one["data"]["act"] for one in items]

    def others(self) -> list[Actor | None]:
        own = self.buyer
        return [None, own.officer, own.approver, own.designer, self.twice, self.rival, self.elsewhere.auditor]


@pytest.fixture
async def scene(world: World) -> Scene:
    async with world.sessions() as db:
        buyer, elsewhere = await build.council(db), await build.council(db, name="Elsewhere Council")
        lot = await build.published_lot(db, buyer, build.vault_beside(db, world.settings))
        bidder, rival = await supplier(db), await supplier(db, "A rival")
        twice = await seat(db, buyer.organisation, Role.OFFICER, Role.APPROVER)
        await db.commit()
    return Scene(world, buyer, lot, bidder, rival, twice, elsewhere)


async def open_early(scene: Scene) -> httpx.Response:
    return await scene.world.call.post(scene.buyer.approver, f"/v1/lots/{scene.lot.id}/open", {"root": "00" * 32})


async def move_a_date(scene: Scene) -> httpx.Response:
    later = {"closes_at": (scene.lot.closes_at + timedelta(days=1)).isoformat()}
    return await scene.world.call.patch(scene.buyer.officer, f"/v1/lots/{scene.lot.id}", later)


async def publish_alone(scene: Scene) -> httpx.Response:
    async with scene.world.sessions() as db:
        lot = await build.drafted_lot(db, scene.buyer)
        assert scene.twice.person_id
        lot.prepared_by = [scene.twice.person_id]
        await db.commit()
    return await scene.world.call.post(scene.twice, f"/v1/lots/{lot.id}/publish")


async def extend_alone(scene: Scene) -> httpx.Response:
    async with scene.world.sessions() as db:
        lot = await db.get_one(Lot, scene.lot.id)
        assert scene.twice.person_id
        lot.prepared_by = [scene.twice.person_id]
        await db.commit()
    later = {"closes_at": (scene.lot.closes_at + timedelta(minutes=1)).isoformat(), "reason": "It was asked for."}
    return await scene.world.call.post(scene.twice, f"/v1/lots/{lot.id}/extend", later)


async def read_bids_unseated(scene: Scene) -> httpx.Response:
    return await scene.world.call.get(scene.buyer.designer, f"/v1/lots/{scene.lot.id}/bids")


Attempt = Callable[[Scene], Awaitable[httpx.Response]]
AT_ONCE: dict[str, Attempt] = {
    "lot.open": open_early,
    "lot.change_dates": move_a_date,
    "lot.publish": publish_alone,
    "lot.extend": extend_alone,
    "bids.read": read_bids_unseated,
}


async def recorded(scene: Scene, reply: httpx.Response) -> JournalEntry:
    async with scene.world.sessions() as db:
        of = select(JournalEntry).where(JournalEntry.request_id == reply.headers["x-request-id"])
        return (await db.scalars(of)).one()


@pytest.mark.parametrize("act", AT_ONCE)
async def test_an_attempt_is_told_to_the_buyers_auditor_as_soon_as_it_has_a_place(scene: Scene, act: str) -> None:
    reply = await AT_ONCE[act](scene)
    assert 400 <= reply.status_code < 500
    entry = await recorded(scene, reply)
    assert (entry.type, entry.hold) == ("act.refused", None)
    await sealed(scene.world)
    assert await scene.told(scene.buyer.auditor) == [act]
    for other in (*scene.others(), scene.bidder):
        assert await scene.told(other) == []


async def test_an_edit_that_moves_no_date_of_a_published_lot_is_no_attempt(scene: Scene) -> None:
    reply = await scene.world.call.patch(scene.buyer.officer, f"/v1/lots/{scene.lot.id}", {"title": "Another title"})
    assert reply.status_code == 409
    await sealed(scene.world)
    assert await scene.told(scene.buyer.auditor) == []


async def handed_in(scene: Scene) -> str:
    document = build.bid_document(scene.lot)
    return str(ok(await scene.world.call.post(scene.bidder, f"/v1/lots/{scene.lot.id}/bids", document), 201)["id"])


async def reach_for_anothers(scene: Scene) -> httpx.Response:
    return await scene.world.call.get(scene.rival, f"/v1/bids/{await handed_in(scene)}")


async def hand_in_late(scene: Scene) -> httpx.Response:
    async with scene.world.sessions() as db:
        await build.move_clock(db, scene.lot.closes_at + timedelta(seconds=1))
        await db.commit()
    document = build.bid_document(scene.lot)
    return await scene.world.call.post(scene.bidder, f"/v1/lots/{scene.lot.id}/bids", document)


ABOUT_BIDS: dict[str, tuple[Attempt, bool]] = {
    "bid.read": (reach_for_anothers, False),
    "bid.submit": (hand_in_late, True),  # who was late is told as well: the entry is their proof
}


@pytest.mark.parametrize("act", ABOUT_BIDS)
async def test_an_attempt_on_an_open_lots_bids_is_told_with_its_seal_and_not_before(scene: Scene, act: str) -> None:
    attempt, bidder_is_told = ABOUT_BIDS[act]
    reply = await attempt(scene)
    assert 400 <= reply.status_code < 500
    assert (await recorded(scene, reply)).hold == scene.lot.id
    await sealed(scene.world)
    for anybody in (*scene.others(), scene.bidder, scene.buyer.auditor):
        assert await scene.told(anybody) == []
    async with scene.world.sessions() as db:
        await build.sealed_lot(db, await db.get_one(Lot, scene.lot.id))
        await db.commit()
    await sealed(scene.world)
    assert await scene.told(scene.buyer.auditor) == [act]
    assert await scene.told(scene.bidder) == ([act] if bidder_is_told else [])
    for other in scene.others():
        assert await scene.told(other) == []


async def test_a_key_that_the_vault_would_give_out_too_early_is_an_attempt(
    db: AsyncSession, settings: Settings, vault: FileKeyring
) -> None:
    buyer = await build.council(db)
    lot = await build.covered_lot(db, buyer, vault)
    before = await clock.now(db)
    seal = await build.sealed_lot(db, lot)

    async def behind() -> Any:
        return before

    late = FileKeyring(settings.keys_path / "vault", behind)
    await opening.approve_opening(db, buyer.approver, late, lot.id, seal.root)
    with pytest.raises(KeyNotDue) as caught:
        await opening.approve_opening(db, buyer.second_approver, late, lot.id, seal.root)
    refusal = caught.value.refusal
    assert isinstance(refusal, Refusal)
    assert (refusal.event.act, refusal.audience.roles) == ("vault.release", (Role.AUDITOR,))

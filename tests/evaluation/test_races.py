"""Many approvers open one covered lot at once, with fewer connections than requests: it is opened once, and nobody waits for ever."""

import asyncio

import msgspec
import pytest
from sqlalchemy import select

from build import Council, council, covered_lot, move_clock, submitted_bid, supplier
from calls import Call, problem
from conftest import World
from described import client_of
from procure.app import create_app
from procure.bids import service as bids
from procure.bids.models import Bid, LotSeal
from procure.bids.rules import BidStatus
from procure.evaluation import opening
from procure.lots.models import Lot

SECONDS_MAX = 60
AT_ONCE = 20


async def sealed(world: World) -> tuple[Council, Lot, LotSeal]:
    async with world.sessions() as db:
        buyer = await council(db)
        lot = await covered_lot(db, buyer, world.vault)
        for name in ("One", "Two", "Three"):
            await submitted_bid(db, lot, await supplier(db, name), world.vault)
        await move_clock(db, lot.closes_at)
        await opening.seal(db, lot.id)
        seal = await bids.find_seal(db, lot.id)
        await db.commit()
    assert seal is not None
    return buyer, lot, seal


@pytest.mark.parametrize("pool_size", [2, 10])
async def test_twenty_openings_at_once_open_a_lot_once(world: World, pool_size: int) -> None:
    buyer, lot, seal = await sealed(world)
    app = create_app(msgspec.structs.replace(world.settings, pool_size=pool_size))
    async with client_of(app) as client:
        call, body = Call(client, app), {"root": seal.root.hex()}
        approvers = [buyer.approver, buyer.second_approver] * (AT_ONCE // 2)
        async with asyncio.timeout(SECONDS_MAX):
            replies = await asyncio.gather(*[call.post(one, f"/v1/lots/{lot.id}/open", body) for one in approvers])
    await app.state.driver.close()
    await app.state.sessions.kw["bind"].dispose()
    answered = [reply.json()["is_opened"] for reply in replies if reply.status_code == 200]
    assert answered.count(True) == 1
    for reply in replies:
        if reply.status_code != 200:
            assert reply.status_code in {409, 503}, reply.text
            problem(reply, reply.status_code, "lot-state-wrong" if reply.status_code == 409 else "unavailable")
    async with world.sessions() as db:
        statuses = await db.scalars(select(Bid.status).where(Bid.lot_id == lot.id))
        assert set(statuses) == {BidStatus.OPENED}

"""Bids on several connections at once: one live bid per supplier and lot, and at the deadline none late and none lost."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import pytest
from sqlalchemy import column, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from build import (
    bid_document,
    council,
    move_clock,
    published_lot,
    replaced_bid,
    submitted_bid,
    supplier,
)
from calls import Call, problem
from conftest import World
from cutting import Cut, cut_wire
from described import client_of
from procure.app import create_app
from procure.bids import sealing
from procure.bids import service as bids
from procure.bids.models import Bid, LotSeal
from procure.journal.models import JournalEntry
from procure.journal.service import record_refusal
from procure.kit import clock
from procure.kit.actor import SYSTEM, Actor
from procure.kit.db import exclude, transaction
from procure.kit.driver import PooledDriver
from procure.lots import service as lots
from procure.lots.errors import LotNotOpen
from procure.lots.models import Lot

T = TypeVar("T")
BIDDERS = 12
CALENDAR = (Lot.enquiries_close_at, Lot.closes_at)
ROUNDS = 3
#: Bounds of one race: what one bidder tries, and the seconds of wall time after which something hangs.
TRIES_MAX = 200
SECONDS_MAX = 30


async def act(world: World, verb: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """One verb in a transaction of its own, as a request would do it."""
    async with transaction(world.sessions, record_refusal) as db:
        return await verb(db)


async def prepared(world: World, *, lots_wanted: int = 1, bidders_wanted: int = 1) -> tuple[list[Lot], list[Actor]]:
    """Committed lots, each closing an hour after the one before, and suppliers."""

    async def make(db: AsyncSession) -> tuple[list[Lot], list[Actor]]:
        buyer = await council(db)
        closes_at = (await published_lot(db, buyer, world.vault)).closes_at
        made = [
            await published_lot(db, buyer, world.vault, closes_at=(closes_at + timedelta(hours=number)).isoformat())
            for number in range(lots_wanted)
        ]
        return made, [await supplier(db, f"Supplier {number}") for number in range(bidders_wanted)]

    return await act(world, make)


async def count(world: World, *conditions: object) -> int:
    async with world.sessions() as db:
        return await db.scalar(select(func.count()).select_from(Bid).where(*conditions)) or 0  # type: ignore[arg-type]


async def test_one_supplier_submitting_twenty_times_at_once_has_one_bid(world: World) -> None:
    (lot,), (bidder,) = await prepared(world)
    path, document = f"/v1/lots/{lot.id}/bids", bid_document(lot)
    async with asyncio.timeout(SECONDS_MAX):
        replies = await asyncio.gather(*[world.call.post(bidder, path, document) for _ in range(20)])
    assert sorted(reply.status_code for reply in replies) == [201] + [409] * 19
    (receipt,) = [reply.json() for reply in replies if reply.status_code == 201]
    for reply in replies:
        if reply.status_code == 409:
            assert receipt["id"] in problem(reply, 409, "bid-exists")["detail"]
    assert await count(world, Bid.lot_id == lot.id) == 1
    async with world.sessions() as db:
        told = await db.scalars(select(JournalEntry.object_id).where(JournalEntry.type == "bid.submitted"))
        assert told.all() == [UUID(receipt["id"])]


async def test_one_supplier_replacing_ten_times_at_once_leaves_no_version_out_and_none_twice(world: World) -> None:
    (lot,), (bidder,) = await prepared(world)
    bid = await act(world, lambda db: submitted_bid(db, lot, bidder, world.vault))
    document = bid_document(lot)
    async with asyncio.timeout(SECONDS_MAX):
        replies = await asyncio.gather(*[world.call.put(bidder, f"/v1/bids/{bid.id}", document) for _ in range(10)])
    versions = sorted(reply.json()["version"] for reply in replies if reply.status_code == 200)
    assert {reply.status_code for reply in replies} <= {200, 409}
    assert versions == list(range(2, 2 + len(versions)))
    for reply in replies:
        if reply.status_code == 409:
            problem(reply, 409, "bid-changed")
    assert await count(world, Bid.id == bid.id, Bid.version == versions[-1]) == 1


class Bidding:
    """One supplier that bids again and again until it is refused; what it was acknowledged last, and how it ended."""

    def __init__(self, world: World, lot: Lot, bidder: Actor) -> None:
        self.world, self.lot, self.bidder = world, lot, bidder
        self.last: Bid | None = None
        self.receipts: list[datetime] = []
        self.was_refused = False

    async def run(self) -> None:
        for _ in range(TRIES_MAX):
            try:
                self.last = await act(self.world, self.bid)
            except LotNotOpen:
                self.was_refused = True
                return
            self.receipts.append(self.last.received_at)

    async def bid(self, db: AsyncSession) -> Bid:
        if self.last is None:
            return await submitted_bid(db, self.lot, self.bidder, self.world.vault)
        return await replaced_bid(db, self.last, self.lot, self.bidder, self.world.vault)


async def seal_once_bids_are_in(world: World, lot: Lot) -> LotSeal:
    """With the first bid in, bring the deadline near. However slow the machine is, some are in time and the last are late."""
    while await count(world, Bid.lot_id == lot.id) == 0:
        pass
    await act(world, lambda db: move_clock(db, lot.closes_at - timedelta(milliseconds=200)))
    return await seal_at_the_deadline(world, lot)


async def seal_at_the_deadline(world: World, lot: Lot) -> LotSeal:
    """Ask the database's clock until the lot has closed, then take the lock that no bid shares, and seal."""
    async with world.sessions() as db:
        while await clock.now(db) < lot.closes_at:
            pass

    async def seal(db: AsyncSession) -> LotSeal:
        _, locked = await lots.lock_for_step(db, lot.id)
        return await bids.seal_lot(db, SYSTEM, locked, await clock.now(db))

    return await act(world, seal)


async def test_rules_h_and_i_at_the_deadline_no_bid_is_late_and_no_acknowledged_one_is_lost(world: World) -> None:
    made, bidders = await prepared(world, lots_wanted=ROUNDS, bidders_wanted=BIDDERS)
    for lot in made:
        biddings = [Bidding(world, lot, bidder) for bidder in bidders]
        async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as together:
            sealed = together.create_task(seal_once_bids_are_in(world, lot))
            for bidding in biddings:
                together.create_task(bidding.run())
        seal = sealed.result()
        acknowledged = [bidding.last for bidding in biddings if bidding.last is not None]
        assert acknowledged, "no bid came in time: the race was none"
        assert any(bidding.was_refused for bidding in biddings), "no bid came late: the race was none"
        leaves = [sealing.leaf(bid.id, bid.version, bid.digest, bid.received_at) for bid in acknowledged]
        assert (seal.count, seal.root) == (len(leaves), sealing.root(leaves))
        assert all(moment < lot.closes_at for bidding in biddings for moment in bidding.receipts)
        assert seal.sealed_at >= lot.closes_at
        assert await count(world, Bid.lot_id == lot.id) == len(acknowledged)
        assert await refusals(world, lot) == sum(bidding.was_refused for bidding in biddings)


async def refusals(world: World, lot: Lot) -> int:
    """How many late attempts are on the record, held with the lot."""
    async with world.sessions() as db:
        statement = select(func.count()).where(JournalEntry.type == "act.refused", JournalEntry.hold == lot.id)
        return await db.scalar(statement) or 0


async def until_one_waits(db: AsyncSession) -> None:
    while await db.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) == 0:
        pass


@asynccontextmanager
async def waiting(world: World, verb: Callable[[AsyncSession], Awaitable[Bid]]) -> AsyncGenerator[asyncio.Task[Bid]]:
    """`verb` as a task, from when the database says that it waits for a lock."""
    task = asyncio.create_task(act(world, verb))
    try:
        async with asyncio.timeout(SECONDS_MAX), world.sessions() as db:
            await until_one_waits(db)
        yield task
    finally:
        task.cancel()


async def test_rule_a_a_bid_that_waited_for_the_lots_lock_past_the_deadline_is_late(world: World) -> None:
    (lot,), (bidder,) = await prepared(world)
    async with world.sessions() as officer:
        await exclude(officer, lot.id)
        async with waiting(world, lambda db: submitted_bid(db, lot, bidder, world.vault)) as submission:
            await act(world, lambda db: move_clock(db, lot.closes_at))
            await officer.rollback()
            with pytest.raises(LotNotOpen):
                await submission
    assert await count(world, Bid.lot_id == lot.id) == 0
    assert await refusals(world, lot) == 1


async def test_rule_a_a_bid_that_waited_for_its_suppliers_other_one_past_the_deadline_is_late(world: World) -> None:
    (lot,), (bidder,) = await prepared(world)
    async with world.sessions() as other:
        await submitted_bid(other, lot, bidder, world.vault)
        async with waiting(world, lambda db: submitted_bid(db, lot, bidder, world.vault)) as submission:
            await act(world, lambda db: move_clock(db, lot.closes_at))
            await other.rollback()
            with pytest.raises(LotNotOpen, match="while the bid was being stored"):
                await submission
    assert await count(world, Bid.lot_id == lot.id) == 0
    assert await refusals(world, lot) == 1


async def test_a_bid_stored_while_the_seal_waits_is_in_the_seal(world: World) -> None:
    (lot,), (bidder,) = await prepared(world)
    async with world.sessions() as db:
        bid = await submitted_bid(db, lot, bidder, world.vault)
        await act(world, lambda other: move_clock(other, lot.closes_at))
        sealing_task = asyncio.create_task(seal_at_the_deadline(world, lot))
        async with asyncio.timeout(SECONDS_MAX), world.sessions() as watcher:
            await until_one_waits(watcher)
        await db.commit()
        seal = await sealing_task
    leaf = sealing.leaf(bid.id, bid.version, bid.digest, bid.received_at)
    assert (seal.count, seal.root) == (1, sealing.root([leaf]))


async def test_a_connection_that_breaks_under_a_submission_is_the_database_away_and_harms_nobody_after(
    world: World,
) -> None:
    (lot,), (bidder,) = await prepared(world)
    path, document = f"/v1/lots/{lot.id}/bids", bid_document(lot)
    admin = create_async_engine(world.urls.admin, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with world.sessions() as officer:
        await exclude(officer, lot.id)
        submission = asyncio.create_task(world.call.post(bidder, path, document))
        async with asyncio.timeout(SECONDS_MAX), admin.connect() as connection:
            await until_one_waits(officer)
            waiting = (
                select(func.pg_terminate_backend(column("pid")))
                .select_from(text("pg_locks"))
                .where(text("NOT granted"))
            )
            assert (await connection.scalars(waiting)).all() == [True]
            problem(await submission, 503, "unavailable")
    await admin.dispose()
    assert await count(world, Bid.lot_id == lot.id) == 0
    assert (await world.call.post(bidder, path, document)).status_code == 201


@asynccontextmanager
async def cut_off(world: World, cut: Cut) -> AsyncGenerator[Call]:
    """The service, whose first COMMIT of a unit is cut off."""
    async with cut_wire(world.urls.app, cut) as url:
        driver = PooledDriver(url, size=4)
        app = create_app(world.settings, sessions=world.sessions, driver=driver, vault=world.vault)
        async with client_of(app) as client:
            yield Call(client, app)
        await driver.close()


async def test_a_bid_that_was_stored_though_the_databases_word_was_lost_has_its_receipt(world: World) -> None:
    (lot,), (bidder,) = await prepared(world)
    async with cut_off(world, Cut.AFTER) as call:
        reply = await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot))
        assert reply.status_code == 201
        changed = await call.put(bidder, f"/v1/bids/{reply.json()['id']}", bid_document(lot))
        assert changed.status_code == 200
    async with world.sessions() as db:
        bid = await db.get_one(Bid, UUID(reply.json()["id"]))
    assert (bid.version, changed.json()["version"]) == (2, 2)


async def test_a_bid_of_which_nobody_knows_is_not_called_refused(world: World) -> None:
    (lot,), (bidder,) = await prepared(world)
    async with cut_off(world, Cut.BEFORE) as call:
        said = problem(await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot)), 503, "receipt-unknown")
        assert f"GET /v1/bids?lot_id={lot.id}" in said["detail"]
        assert await count(world, Bid.lot_id == lot.id) == 0
        assert (await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot))).status_code == 201


async def test_a_late_bid_is_told_so_at_once_while_the_lots_bids_are_being_opened(world: World) -> None:
    (lot,), (bidder,) = await prepared(world)
    await act(world, lambda db: move_clock(db, lot.closes_at))
    past = update(Lot).where(Lot.id == lot.id).values({one: one - timedelta(days=999) for one in CALENDAR})
    owner = create_async_engine(world.urls.owner, poolclass=NullPool)
    async with owner.begin() as connection:
        await connection.execute(past)
    await owner.dispose()
    async with world.sessions() as officer, asyncio.timeout(SECONDS_MAX):
        await exclude(officer, lot.id)
        problem(await world.call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot)), 409, "lot-not-open")
    assert await refusals(world, lot) == 1

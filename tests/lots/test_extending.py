"""A closing that moves later: who may, until when, and that everybody goes by the new one at once."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, bid_document, council, drafted_lot, move_clock, published_lot, supplier
from calls import Call, ok, problem
from conftest import World
from procure.bids import service as bids
from procure.bids import statements
from procure.bids.models import Bid, LotSeal
from procure.evaluation import opening
from procure.journal.models import JournalEntry
from procure.journal.service import record_refusal
from procure.kit import clock
from procure.kit.actor import SYSTEM
from procure.kit.backoff import Backoff
from procure.kit.db import transaction
from procure.lots import extending, projections, rules
from procure.lots import service as lots
from procure.lots.errors import LotInvalid, LotNotClosed, LotNotOpen
from procure.lots.models import Lot
from procure.lots.schemas import Extension
from procure.vault.errors import KeyNotDue
from procure.vault.keyring import FileKeyring

CLOSES = datetime(2026, 12, 8, 12, tzinfo=UTC)
TICK, HOUR = timedelta(microseconds=1), timedelta(hours=1)
REASON = "Two questions were answered on the last day."
ROUNDS, SECONDS_MAX = 3, 30


@pytest.mark.parametrize(
    ("closes_at", "codes"),
    [
        (CLOSES + TICK, []),
        (datetime(2026, 12, 14, 23, 59, tzinfo=UTC), []),
        (CLOSES, ["not-later"]),
        (CLOSES - HOUR, ["not-later"]),
        (datetime(2026, 12, 15, tzinfo=UTC), ["starts-before-close"]),
        (datetime(9999, 1, 1, tzinfo=UTC), ["starts-before-close"]),
    ],
)
def test_a_closing_moves_later_alone_and_not_beyond_the_start_of_work(closes_at: datetime, codes: list[str]) -> None:
    if not codes:
        rules.check_extension(CLOSES, closes_at, date(2026, 12, 15))
        return
    with pytest.raises(LotInvalid) as refused:
        rules.check_extension(CLOSES, closes_at, date(2026, 12, 15))
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("/closes_at", code) for code in codes]


async def test_an_approver_who_did_not_prepare_it_extends_an_open_lot_in_public(
    db: AsyncSession, call: Call, vault: FileKeyring
) -> None:
    buyer = await council(db)
    lot, draft = await published_lot(db, buyer, vault), await drafted_lot(db, buyer)
    elsewhere = await council(db, name="Elsewhere Council")
    await db.commit()
    before, enquiries, version = lot.closes_at, lot.enquiries_close_at, lot.version
    path = f"/v1/lots/{lot.id}/extend"
    later = {"closes_at": (before + HOUR).isoformat(), "reason": REASON}
    for other in (buyer.officer, buyer.auditor, await supplier(db)):
        problem(await call.post(other, path, later), 403, "scope-missing")
    problem(await call.post(elsewhere.approver, path, later), 404, "lot-not-found")
    problem(await call.post(buyer.approver, f"/v1/lots/{draft.id}/extend", later), 409, "lot-not-open")
    problem(await call.post(buyer.approver, path, later, seen=None), 428, "if-match-missing")
    problem(await call.post(buyer.approver, path, {}), 422, "body-invalid")
    told = problem(
        await call.post(buyer.approver, path, {**later, "closes_at": before.isoformat()}), 422, "lot-invalid"
    )
    assert [(one["pointer"], one["code"]) for one in told["errors"]] == [("/closes_at", "not-later")]
    extended = ok(await call.post(buyer.approver, path, later))
    assert datetime.fromisoformat(extended["closes_at"]) == before + HOUR
    assert datetime.fromisoformat(extended["enquiries_close_at"]) == enquiries
    assert (extended["version"], extended["status"]) == (version + 1, "published")
    assert ok(await call.get(None, f"/v1/lots/{lot.id}")) == extended
    entry = (await db.scalars(select(JournalEntry).where(JournalEntry.type == "lot.extended"))).one()
    said = json.loads(entry.payload)
    assert entry.is_public
    assert datetime.fromisoformat(said["before"]) == before
    assert datetime.fromisoformat(said["closes_at"]) == before + HOUR
    assert said["reason"] == REASON
    await move_clock(db, before + HOUR)
    await db.commit()
    again = {**later, "closes_at": (before + 2 * HOUR).isoformat()}
    problem(await call.post(buyer.approver, path, again), 409, "lot-not-open")


async def test_every_process_goes_by_the_new_closing_and_the_vault_too(world: World) -> None:
    async with transaction(world.sessions, record_refusal) as db:
        buyer, early, late = await council(db), await supplier(db, "Early"), await supplier(db, "Late")
        lot = await published_lot(db, buyer, world.vault)
    call, before = world.call, lot.closes_at
    at, document = f"/v1/lots/{lot.id}", bid_document(lot)
    assert lot.key_id is not None
    receipt = ok(await call.post(early, f"{at}/bids", document), 201)
    shown = await call.get(None, at)
    # What another process remembers of the lot, put back as if that process had not been asked since.
    desk, view = statements.kept(lot.id), projections._kept[lot.id]
    assert desk is not None
    body = {"closes_at": (before + HOUR).isoformat(), "reason": REASON}
    extended = ok(await call.post(buyer.approver, f"{at}/extend", body))
    async with transaction(world.sessions, record_refusal) as db:
        await move_clock(db, before)
    statements._kept[lot.id], projections._kept[lot.id] = desk, view
    fresh = await call("GET", None, at, headers={"If-None-Match": shown.headers["etag"]})
    assert ok(fresh) == extended
    second = ok(await call.post(late, f"{at}/bids", document), 201)
    statements._kept[lot.id] = desk
    ok(await call.put(early, f"/v1/bids/{receipt['id']}", document))
    with pytest.raises(KeyNotDue):
        await world.vault.open_lot(lot.id, lot.key_id)
    await opening.seal_due(world.sessions, world.vault, Backoff())
    async with transaction(world.sessions, record_refusal) as db:
        assert await db.scalar(select(LotSeal.lot_id)) is None
        await move_clock(db, before + HOUR)
    problem(await call.put(late, f"/v1/bids/{second['id']}", document), 409, "lot-not-open")
    await opening.seal_due(world.sessions, world.vault, Backoff())
    async with world.sessions() as db:
        found = (await db.scalars(select(Bid).where(Bid.lot_id == lot.id))).all()
        assert {str(bid.id): str(bid.status) for bid in found} == {receipt["id"]: "opened", second["id"]: "opened"}


async def test_at_the_deadline_a_lot_is_extended_or_sealed_and_never_both(world: World) -> None:
    async with transaction(world.sessions, record_refusal) as db:
        buyer = await council(db)
        suppliers = [await supplier(db, f"Supplier {number}") for number in range(ROUNDS * 4)]
        first = (await published_lot(db, buyer, world.vault)).closes_at
        made = [
            await published_lot(db, buyer, world.vault, closes_at=(first + number * HOUR).isoformat())
            for number in range(ROUNDS)
        ]

    async def extend(buyer: Council, lot: Lot) -> bool:
        try:
            async with transaction(world.sessions, record_refusal) as db:
                data = Extension(lot.closes_at + HOUR / 2, REASON)
                await extending.extend(db, buyer.approver, world.vault, lot.id, data)
        except (LotNotOpen, LotInvalid):
            return False
        return True

    async def seal(lot: Lot) -> bool:
        async with world.sessions() as db:
            while await clock.now(db) < lot.closes_at:
                pass
        try:
            async with transaction(world.sessions, record_refusal) as db:
                _, locked = await lots.lock_for_step(db, lot.id)
                await bids.seal_lot(db, SYSTEM, locked, await clock.now(db))
        except LotNotClosed:
            return False
        return True

    for number, lot in enumerate(made):
        async with transaction(world.sessions, record_refusal) as db:
            await move_clock(db, lot.closes_at - timedelta(milliseconds=30 * number))
        path, document = f"/v1/lots/{lot.id}/bids", bid_document(lot)
        bidders = suppliers[number * 4 : number * 4 + 4]
        async with asyncio.timeout(SECONDS_MAX):
            replies, extended, sealed = await asyncio.gather(
                asyncio.gather(*[world.call.post(one, path, document) for one in bidders]),
                extend(buyer, lot),
                seal(lot),
            )
        async with world.sessions() as db:
            now = await db.get_one(Lot, lot.id)
            found = await db.scalar(select(LotSeal).where(LotSeal.lot_id == lot.id))
            received = list(await db.scalars(select(Bid.received_at).where(Bid.lot_id == lot.id)))
        assert extended != sealed
        assert (found is not None) == sealed
        assert now.closes_at == (lot.closes_at + HOUR / 2 if extended else lot.closes_at)
        assert all(at < now.closes_at for at in received)
        accepted = sum(reply.status_code == 201 for reply in replies)
        assert len(received) == accepted
        assert found is None or found.count == accepted

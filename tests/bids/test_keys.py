"""A bid and its Idempotency-Key: who got no answer asks again, also after the deadline, and what is kept tells nobody of a bid."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from litestar.response.base import ASGIResponse
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bids.test_races import act, count, cut_off, prepared, refusals
from build import bid_document, move_clock, sealed_lot
from calls import Call, ok, problem
from conftest import World
from cutting import Cut
from procure.bids.models import Bid
from procure.journal.models import JournalEntry
from procure.kit.actor import Actor
from procure.kit.idempotency import KeptReply, KeyedRequest
from procure.lots.models import Lot

AT_ONCE = 50
SECONDS_MAX = 60


@pytest.fixture
async def lot(db: AsyncSession, lot: Lot) -> Lot:
    """The folder's, committed for the service to see."""
    await db.commit()
    return lot


@pytest.fixture
async def bidder(db: AsyncSession, bidder: Actor) -> Actor:
    await db.commit()
    return bidder


def again(first: httpx.Response, later: httpx.Response) -> None:
    """The later reply is the first one's, byte for byte."""
    assert later.headers.get("idempotency-replayed") == "true", later.text
    assert "idempotency-replayed" not in first.headers
    assert (later.status_code, later.content) == (first.status_code, first.content)
    assert later.headers["content-type"] == first.headers["content-type"]
    assert later.headers["cache-control"] == first.headers["cache-control"] == "no-store"


async def entries_of(db: AsyncSession, type_: str) -> int:
    return await db.scalar(select(func.count()).select_from(JournalEntry).where(JournalEntry.type == type_)) or 0


async def test_a_bid_sent_again_is_answered_with_its_receipt_and_is_one_bid(
    db: AsyncSession, call: Call, lot: Lot, bidder: Actor
) -> None:
    path, document, key = f"/v1/lots/{lot.id}/bids", bid_document(lot), str(uuid4())
    first = await call.post(bidder, path, document, key=key)
    ok(first, 201)
    again(first, await call.post(bidder, path, document, key=key))
    assert await entries_of(db, "bid.submitted") == 1


async def test_after_the_deadline_and_the_seal_a_retry_still_gets_the_receipt_and_is_no_late_bid(
    db: AsyncSession, call: Call, lot: Lot, bidder: Actor
) -> None:
    path, document, key = f"/v1/lots/{lot.id}/bids", bid_document(lot), str(uuid4())
    first = await call.post(bidder, path, document, key=key)
    ok(first, 201)
    await move_clock(db, lot.closes_at)
    await db.commit()
    again(first, await call.post(bidder, path, document, key=key))
    await sealed_lot(db, lot)
    await db.commit()
    again(first, await call.post(bidder, path, document, key=key))
    assert await entries_of(db, "act.refused") == 0
    problem(await call.post(bidder, path, document), 409, "lot-not-open")


async def test_a_late_bids_refusal_is_on_record_once_and_the_same_for_its_key(
    db: AsyncSession, call: Call, lot: Lot, bidder: Actor
) -> None:
    await move_clock(db, lot.closes_at)
    await db.commit()
    path, document, key = f"/v1/lots/{lot.id}/bids", bid_document(lot), str(uuid4())
    first = await call.post(bidder, path, document, key=key)
    problem(first, 409, "lot-not-open")
    for _ in range(2):
        again(first, await call.post(bidder, path, document, key=key))
    assert await entries_of(db, "act.refused") == 1
    other = bid_document(lot, text="Something else.")
    problem(await call.post(bidder, path, other, key=key), 422, "idempotency-key-reused")
    assert await entries_of(db, "act.refused") == 1
    assert first.json()["request_id"] == first.headers["x-request-id"]


async def test_a_late_withdrawal_is_refused_on_record_once_for_its_key_as_well(
    db: AsyncSession, call: Call, lot: Lot, bidder: Actor
) -> None:
    """Though it goes through a session of the request's own."""
    bid, key = ok(await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot)), 201)["id"], str(uuid4())
    await move_clock(db, lot.closes_at)
    await db.commit()
    first = await call.post(bidder, f"/v1/bids/{bid}/withdraw", key=key)
    problem(first, 409, "lot-not-open")
    again(first, await call.post(bidder, f"/v1/bids/{bid}/withdraw", key=key))
    assert await entries_of(db, "act.refused") == 1


async def test_another_bid_or_another_lot_with_the_same_key_is_refused_and_not_stored(
    db: AsyncSession, call: Call, lot: Lot, bidder: Actor
) -> None:
    path, key = f"/v1/lots/{lot.id}/bids", str(uuid4())
    first = await call.post(bidder, path, bid_document(lot), key=key)
    receipt = ok(first, 201)
    cheaper = bid_document(lot, total="9000.00")
    problem(await call.post(bidder, path, cheaper, key=key), 422, "idempotency-key-reused")
    elsewhere = f"/v1/lots/{uuid4()}/bids"
    problem(await call.post(bidder, elsewhere, bid_document(lot), key=key), 422, "idempotency-key-reused")
    put = await call.put(bidder, f"/v1/bids/{receipt['id']}", bid_document(lot), key=key)
    problem(put, 422, "idempotency-key-reused")
    assert ok(await call.get(bidder, f"/v1/bids/{receipt['id']}"))["version"] == 1


async def test_replacing_and_withdrawing_again_change_nothing(call: Call, lot: Lot, bidder: Actor) -> None:
    document = bid_document(lot)
    bid = ok(await call.post(bidder, f"/v1/lots/{lot.id}/bids", document), 201)["id"]
    replacing, withdrawing = str(uuid4()), str(uuid4())
    second = await call.put(bidder, f"/v1/bids/{bid}", document, key=replacing)
    assert ok(second)["version"] == 2
    again(second, await call.put(bidder, f"/v1/bids/{bid}", document, key=replacing))
    third = await call.put(bidder, f"/v1/bids/{bid}", document)
    assert ok(third)["version"] == 3
    again(second, await call.put(bidder, f"/v1/bids/{bid}", document, key=replacing))
    gone = await call.post(bidder, f"/v1/bids/{bid}/withdraw", key=withdrawing)
    assert ok(gone)["status"] == "withdrawn"
    again(gone, await call.post(bidder, f"/v1/bids/{bid}/withdraw", key=withdrawing))


async def test_a_retry_of_a_bid_that_was_withdrawn_since_is_no_second_bid(
    db: AsyncSession, call: Call, lot: Lot, bidder: Actor
) -> None:
    path, document, key = f"/v1/lots/{lot.id}/bids", bid_document(lot), str(uuid4())
    first = await call.post(bidder, path, document, key=key)
    ok(await call.post(bidder, f"/v1/bids/{ok(first, 201)['id']}/withdraw"))
    again(first, await call.post(bidder, path, document, key=key))
    assert await entries_of(db, "bid.submitted") == 1


async def test_a_refusal_that_is_not_recorded_is_not_kept(call: Call, lot: Lot, bidder: Actor) -> None:
    path, document, key = f"/v1/lots/{lot.id}/bids", bid_document(lot), str(uuid4())
    bid = ok(await call.post(bidder, path, document), 201)["id"]
    problem(await call.post(bidder, path, document, key=key), 409, "bid-exists")
    problem(await call.post(bidder, path, document | {"team": []}, key=key), 422, "bid-invalid")
    ok(await call.post(bidder, f"/v1/bids/{bid}/withdraw"))
    ok(await call.post(bidder, path, document, key=key), 201)


async def test_no_bid_goes_without_a_key(call: Call, lot: Lot, bidder: Actor) -> None:
    path, document = f"/v1/lots/{lot.id}/bids", bid_document(lot)
    problem(await call.post(bidder, path, document, key=None), 400, "idempotency-key-missing")
    bid = ok(await call.post(bidder, path, document), 201)["id"]
    problem(await call.put(bidder, f"/v1/bids/{bid}", document, key=None), 400, "idempotency-key-missing")
    problem(await call.post(bidder, f"/v1/bids/{bid}/withdraw", key=None), 400, "idempotency-key-missing")


# --- what is kept tells nobody --------------------------------------------------------------------------------------


async def test_the_row_of_a_bids_key_tells_neither_bid_nor_lot_nor_bidder_nor_what_was_sent(
    db: AsyncSession, call: Call, lot: Lot, bidder: Actor
) -> None:
    path, document, key = f"/v1/lots/{lot.id}/bids", bid_document(lot, text="Kanarienvogel"), str(uuid4())
    receipt = ok(await call.post(bidder, path, document, key=key), 201)
    (row,) = (await db.execute(text("SELECT * FROM kept_replies"))).mappings().all()
    assert set(row) == {"id", "sealed", "kept_at"}
    assert isinstance(row["sealed"], bytes)
    stored = row["id"] + row["sealed"]
    for told in (str(lot.id), receipt["id"], receipt["digest"], key, "Kanarienvogel", "received", "bids"):
        assert told.encode() not in stored
    for one in (lot.id, UUID(receipt["id"]), bidder.organisation_id, bidder.client_id):
        assert one is not None
        assert one.bytes not in stored
    assert bytes.fromhex(receipt["digest"]) not in stored


async def test_the_length_of_what_is_kept_does_not_tell_the_length_of_the_bid(
    db: AsyncSession, call: Call, lot: Lot, bidder: Actor
) -> None:
    bid = ok(await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot)), 201)["id"]
    ok(await call.put(bidder, f"/v1/bids/{bid}", bid_document(lot, text="A much longer answer. " * 400)))
    lengths = (await db.scalars(text("SELECT length(sealed) FROM kept_replies"))).all()
    assert len(lengths) == 2
    assert max(lengths) - min(lengths) < 40, "instants without microseconds are shorter, nothing else is"


# --- on several connections -----------------------------------------------------------------------------------------


async def kept(world: World) -> int:
    async with world.sessions() as db:
        return await db.scalar(select(func.count()).select_from(KeptReply)) or 0


@pytest.mark.parametrize("verb", ["submit", "replace"])
async def test_fifty_bids_at_once_with_one_key_are_one(world: World, verb: str) -> None:
    (lot,), (bidder,) = await prepared(world)
    document, key = bid_document(lot), str(uuid4())

    async def send() -> httpx.Response:
        if verb == "submit":
            return await world.call.post(bidder, f"/v1/lots/{lot.id}/bids", document, key=key)
        return await world.call.put(bidder, f"/v1/bids/{bid}", document, key=key)

    bid: Any = None
    if verb == "replace":
        bid = ok(await world.call.post(bidder, f"/v1/lots/{lot.id}/bids", document), 201)["id"]
    async with asyncio.timeout(SECONDS_MAX):
        replies = await asyncio.gather(*[send() for _ in range(AT_ONCE)])
    done = [one for one in replies if one.is_success]
    (first,) = [one for one in done if "idempotency-replayed" not in one.headers]
    for one in replies:
        if one.is_success and one is not first:
            again(first, one)
        elif not one.is_success:
            problem(one, 409, "idempotency-key-busy")
            assert one.headers["retry-after"] == "1"
    assert await count(world, Bid.lot_id == lot.id) == 1
    assert await count(world, Bid.lot_id == lot.id, Bid.version == first.json()["version"]) == 1
    assert first.json()["version"] == (1 if verb == "submit" else 2)
    again(first, await send())


@pytest.mark.parametrize("verb", ["submit", "replace"])
async def test_while_a_key_is_in_use_no_bid_is_stored_with_it(world: World, verb: str) -> None:
    (lot,), (bidder,) = await prepared(world)
    path, document, key = f"/v1/lots/{lot.id}/bids", bid_document(lot), str(uuid4())
    bid = ok(await world.call.post(bidder, path, document), 201)["id"]
    if verb == "submit":  # the lot is in memory now, so that nothing is read before the unit
        ok(await world.call.post(bidder, f"/v1/bids/{bid}/withdraw"))
        method = "POST"
    else:
        path, method = f"/v1/bids/{bid}", "PUT"
    before = await kept(world)
    # What a request that runs elsewhere holds, whatever it asks for.
    of_key = KeyedRequest.of(
        key.encode(), f"{bidder.client_id} {bidder.organisation_id}", b"", lambda _: ASGIResponse()
    )
    async with world.sessions() as other:
        await other.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": of_key.lock})
        problem(await world.call(method, bidder, path, document, key=key), 409, "idempotency-key-busy")
        await other.rollback()
    assert await kept(world) == before
    assert (await world.call(method, bidder, path, document, key=key)).is_success


async def test_fifty_late_bids_at_once_with_one_key_are_refused_on_record_once(world: World) -> None:
    (lot,), (bidder,) = await prepared(world)
    await act(world, lambda db: move_clock(db, lot.closes_at))
    path, document, key = f"/v1/lots/{lot.id}/bids", bid_document(lot), str(uuid4())
    async with asyncio.timeout(SECONDS_MAX):
        replies = await asyncio.gather(*[world.call.post(bidder, path, document, key=key) for _ in range(AT_ONCE)])
    slugs = [one.json()["type"].rpartition("/")[2] for one in replies]
    assert set(slugs) <= {"lot-not-open", "idempotency-key-busy"}
    (first,) = [
        one
        for one, slug in zip(replies, slugs, strict=True)
        if slug == "lot-not-open" and "idempotency-replayed" not in one.headers
    ]
    again(first, await world.call.post(bidder, path, document, key=key))
    assert await refusals(world, lot) == 1
    assert await kept(world) == 1


@pytest.mark.parametrize("cut", list(Cut), ids=lambda cut: cut.name)
async def test_a_lost_commit_is_settled_by_the_retry(world: World, cut: Cut) -> None:
    (lot,), (bidder,) = await prepared(world)
    path, document, key = f"/v1/lots/{lot.id}/bids", bid_document(lot), str(uuid4())
    async with cut_off(world, cut) as call:
        first = await call.post(bidder, path, document, key=key)
        assert first.status_code == (503 if cut is Cut.BEFORE else 201)
        later = await call.post(bidder, path, document, key=key)
        ok(later, 201)
        assert later.headers.get("idempotency-replayed") == (None if cut is Cut.BEFORE else "true")
        if cut is Cut.AFTER:
            again(first, later)
    assert await count(world, Bid.lot_id == lot.id) == 1
    assert await kept(world) == 1


async def test_a_retry_whose_lot_was_amended_meanwhile_gets_its_receipt(
    db: AsyncSession, call: Call, lot: Lot, bidder: Actor
) -> None:
    """It is not judged by what is asked now: it was received."""
    path, document, key = f"/v1/lots/{lot.id}/bids", bid_document(lot), str(uuid4())
    first = await call.post(bidder, path, document, key=key)
    ok(first, 201)
    row = await db.get_one(Lot, lot.id, populate_existing=True)
    row.ceiling = row.ceiling / 2
    row.touch()
    await db.commit()
    again(first, await call.post(bidder, path, document, key=key))
    problem(await call.post(bidder, path, document), 409, "bid-exists")

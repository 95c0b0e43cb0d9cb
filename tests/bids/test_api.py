"""Bids over HTTP: what each caller is answered, and what is on the record afterwards."""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from build import (
    Council,
    bid_document,
    council,
    move_clock,
    opened_bids,
    operator,
    published_lot,
    sealed_lot,
    seat,
    submitted_bid,
    supplier,
)
from calls import Call, ok, problem
from procure.bids.schemas import BidDraft
from procure.journal.models import JournalEntry
from procure.kit.actor import Actor, Role
from procure.lots.models import Lot
from procure.organisations.models import Organisation
from procure.vault.keyring import FileKeyring

RECEIPT = {
    "id",
    "lot_id",
    "version",
    "status",
    "digest",
    "received_at",
    "lot_version",
    "key_id",
    "sealing_mode",
}


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


@pytest.fixture
async def lot(db: AsyncSession, buyer: Council, vault: FileKeyring) -> Lot:
    lot = await published_lot(db, buyer, vault)
    await db.commit()
    return lot


@pytest.fixture
async def bidder(db: AsyncSession) -> Actor:
    bidder = await supplier(db)
    await db.commit()
    return bidder


async def refusals(db: AsyncSession) -> list[JournalEntry]:
    statement = select(JournalEntry).where(JournalEntry.type == "act.refused").order_by(JournalEntry.id)
    return list(await db.scalars(statement))


async def test_a_supplier_submits_replaces_and_withdraws(call: Call, lot: Lot, bidder: Actor) -> None:
    receipt = ok(await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot)), 201)
    assert set(receipt) == RECEIPT
    assert (receipt["lot_id"], receipt["version"], receipt["status"]) == (str(lot.id), 1, "submitted")
    assert (receipt["sealing_mode"], receipt["lot_version"]) == ("server", lot.version)
    assert len(bytes.fromhex(receipt["digest"])) == 32
    assert datetime.fromisoformat(receipt["received_at"]).tzinfo is not None
    path = f"/v1/bids/{receipt['id']}"
    again = ok(await call.put(bidder, path, bid_document(lot, total="9000.00")))
    assert (again["id"], again["version"]) == (receipt["id"], 2)
    assert again["digest"] != receipt["digest"]
    shown = ok(await call.get(bidder, path))
    assert {name: shown.pop(name) for name in RECEIPT} == again
    assert shown == {"opened_at": None, "end_reason": None, "content": None}
    assert ok(await call.post(bidder, f"{path}/withdraw"))["status"] == "withdrawn"
    assert ok(await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot)), 201)["id"] != receipt["id"]


async def test_the_example_of_the_document_is_a_bid_for_the_example_of_a_lot(
    call: Call, lot: Lot, bidder: Actor
) -> None:
    ok(await call.post(bidder, f"/v1/lots/{lot.id}/bids", BidDraft.EXAMPLE), 201)


async def test_a_second_bid_is_refused_and_names_the_first(call: Call, lot: Lot, bidder: Actor) -> None:
    receipt = ok(await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot)), 201)
    told = problem(await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot)), 409, "bid-exists")
    assert receipt["id"] in told["detail"]


@pytest.mark.parametrize(
    "amount", ["-1.00", "1.001", "1e3", "NaN", "", "1,000.00", 100, 100.5, None, "1000000000000.00"]
)
async def test_money_is_a_plain_decimal_string(call: Call, lot: Lot, bidder: Actor, amount: Any) -> None:
    document = bid_document(lot)
    document["prices"][1]["price"]["amount"] = amount
    told = problem(await call.post(bidder, f"/v1/lots/{lot.id}/bids", document), 422, "body-invalid")
    assert [one["pointer"] for one in told["errors"]] == ["/prices/1/price/amount"]


async def test_all_faults_of_form_are_told_at_once(call: Call, lot: Lot, bidder: Actor) -> None:
    document = bid_document(lot)
    document["answers"][0]["text"] = "a\x00b"
    document["team"][0].pop("discipline")
    document["surprise"] = 1
    told = problem(await call.post(bidder, f"/v1/lots/{lot.id}/bids", document), 422, "body-invalid")
    assert {one["pointer"] for one in told["errors"]} == {"/answers/0/text", "/team/0/discipline", "/surprise"}


async def test_all_faults_of_content_are_told_at_once(call: Call, lot: Lot, bidder: Actor) -> None:
    document = bid_document(lot, total="12000.01")
    document["prices"][1]["price"]["currency"] = "EUR"
    document["answers"].pop()
    document["team"] = []
    told = problem(await call.post(bidder, f"/v1/lots/{lot.id}/bids", document), 422, "bid-invalid")
    assert [(one["pointer"], one["code"]) for one in told["errors"]] == [
        ("/prices/1/price/currency", "currency"),
        ("/prices", "over-ceiling"),
        ("/answers", "missing"),
        ("/team", "required"),
    ]


async def test_of_too_many_faults_of_content_the_first_hundred_are_told(call: Call, lot: Lot, bidder: Actor) -> None:
    """The reply is held to the document, which lets a problem have no more."""
    document = bid_document(lot)
    document["prices"] = [{**document["prices"][0], "deliverable_id": f"D{number}"} for number in range(10, 60)] * 2
    told = problem(await call.post(bidder, f"/v1/lots/{lot.id}/bids", document), 422, "bid-invalid")
    assert len(told["errors"]) == 100


async def test_rules_g_and_h_a_late_bid_is_refused_and_the_refusal_outlives_the_rollback(
    db: AsyncSession, call: Call, buyer: Council, lot: Lot, bidder: Actor
) -> None:
    await move_clock(db, lot.closes_at)
    await db.commit()
    problem(await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot)), 409, "lot-not-open")
    (entry,) = await refusals(db)
    assert '"act":"bid.submit"' in entry.payload
    assert '"reason":"lot-not-open"' in entry.payload
    assert (entry.organisation_id, entry.person_id) == (bidder.organisation_id, bidder.person_id)
    assert (entry.hold, entry.is_public) == (lot.id, False)
    assert entry.audience_organisations == [bidder.organisation_id, buyer.organisation.id]
    assert entry.audience_roles == ["auditor", "bidder", "viewer"]


async def test_rule_g_reaching_for_anothers_bid_is_a_404_and_recorded(
    db: AsyncSession, call: Call, buyer: Council, lot: Lot, bidder: Actor
) -> None:
    rival = await supplier(db, "A rival")
    await db.commit()
    path = f"/v1/bids/{ok(await call.post(bidder, f'/v1/lots/{lot.id}/bids', bid_document(lot)), 201)['id']}"
    foreign = [
        await call.get(rival, path),
        await call.put(rival, path, bid_document(lot)),
        await call.post(rival, f"{path}/withdraw"),
        await call.get(buyer.officer, path),
        await call.get(buyer.auditor, path),
    ]
    absent = problem(await call.get(rival, f"/v1/bids/{uuid4()}"), 404, "bid-not-found")
    for reply in foreign:
        told = problem(reply, 404, "bid-not-found")
        assert {**told, "instance": "", "request_id": ""} == {**absent, "instance": "", "request_id": ""}
    tried = await refusals(db)
    acts = ["bid.read", "bid.replace", "bid.withdraw", "bid.read", "bid.read"]
    assert [entry.payload.split('"act":"')[1].split('"')[0] for entry in tried] == acts
    for entry in tried:
        assert (entry.hold, entry.audience_organisations) == (lot.id, [buyer.organisation.id])
        assert entry.audience_roles == ["auditor"]
    assert ok(await call.get(bidder, path))["version"] == 1


async def test_who_may_call_what(db: AsyncSession, call: Call, buyer: Council, lot: Lot, bidder: Actor) -> None:
    organisation = await db.get_one(Organisation, bidder.organisation_id)
    viewer = await seat(db, organisation, Role.VIEWER)
    platform = await operator(db)
    await db.commit()
    path = f"/v1/lots/{lot.id}/bids"
    for actor in (buyer.officer, buyer.approver, buyer.designer, buyer.auditor, platform, viewer):
        problem(await call.post(actor, path, bid_document(lot)), 403, "scope-missing")
    assert (await call.post(None, path, bid_document(lot))).status_code == 401
    receipt = ok(await call.post(bidder, path, bid_document(lot)), 201)
    assert ok(await call.get(viewer, f"/v1/bids/{receipt['id']}"))["id"] == receipt["id"]
    problem(await call.post(viewer, f"/v1/bids/{receipt['id']}/withdraw"), 403, "scope-missing")
    problem(await call.get(platform, "/v1/bids"), 403, "scope-missing")
    for actor in (buyer.officer, buyer.auditor):
        assert ok(await call.get(actor, "/v1/bids")) == {"items": [], "next": None}


async def test_a_lot_that_is_not_there_takes_no_bid(call: Call, lot: Lot, bidder: Actor) -> None:
    problem(await call.post(bidder, f"/v1/lots/{uuid4()}/bids", bid_document(lot)), 404, "lot-not-found")


async def test_own_bids_in_pages(
    db: AsyncSession, call: Call, buyer: Council, bidder: Actor, vault: FileKeyring
) -> None:
    made = [await submitted_bid(db, await published_lot(db, buyer, vault), bidder, vault) for _ in range(3)]
    await db.commit()
    seen: list[str] = []
    path: str | None = "/v1/bids?limit=2"
    while path:
        page = ok(await call.get(bidder, path))
        seen += [one["id"] for one in page["items"]]
        path = page["next"]
    assert seen == [str(bid.id) for bid in reversed(made)]
    one = ok(await call.get(bidder, f"/v1/bids?lot_id={made[0].lot_id}"))
    assert [item["id"] for item in one["items"]] == [str(made[0].id)]


async def test_the_seal_is_public_once_there_is_one_and_the_opened_bid_its_suppliers_own(
    db: AsyncSession, call: Call, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    receipt = ok(await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot)), 201)
    problem(await call.get(None, f"/v1/lots/{lot.id}/seal"), 404, "seal-not-found")
    problem(await call.get(None, f"/v1/lots/{uuid4()}/seal"), 404, "lot-not-found")
    seal = await sealed_lot(db, lot)
    await db.commit()
    told = ok(await call.get(None, f"/v1/lots/{lot.id}/seal"))
    assert told == {
        "lot_id": str(lot.id),
        "count": 1,
        "root": seal.root.hex(),
        "sealed_at": seal.sealed_at.isoformat().replace("+00:00", "Z"),
    }
    problem(await call.put(bidder, f"/v1/bids/{receipt['id']}", bid_document(lot)), 409, "lot-not-open")
    await opened_bids(db, lot, vault)
    await db.commit()
    shown = ok(await call.get(bidder, f"/v1/bids/{receipt['id']}"))
    assert (shown["status"], shown["digest"]) == ("opened", receipt["digest"])
    document = bid_document(lot)
    assert shown["content"] == {**document, "total": {"amount": "11050.00", "currency": "GBP"}}


async def test_nothing_that_anybody_else_reads_changes_when_a_bid_comes_in(
    db: AsyncSession, call: Call, buyer: Council, lot: Lot, bidder: Actor
) -> None:
    rival, platform = await supplier(db, "A rival"), await operator(db)
    await db.commit()
    others = [None, buyer.officer, buyer.approver, buyer.designer, buyer.finance, buyer.auditor, platform, rival]

    async def everything() -> list[tuple[int, str]]:
        replies = [await call.get(actor, path) for path in _paths(call, lot) for actor in others]
        return [(reply.status_code, _without_ids(reply.text)) for reply in replies]

    before = await everything()
    receipt = ok(await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot)), 201)
    ok(await call.put(bidder, f"/v1/bids/{receipt['id']}", bid_document(lot)))
    assert await everything() == before
    assert {status for status, _ in before} >= {200, 403, 404}
    assert ok(await call.get(bidder, "/v1/bids"))["items"]


def _paths(call: Call, lot: Lot) -> list[str]:
    """Every address under /v1 that can be read with what is known of the lot; but not the clock, which never stands still.

    Nor the stream, which never ends: it tells what the list of changes tells.
    """
    known = {"lot_id": lot.id, "outcome_id": lot.outcome_id, "organisation_id": lot.buyer_id}
    found = []
    for route in call.app.routes:
        if "GET" not in getattr(route, "methods", ()) or not route.path.startswith("/v1"):
            continue
        names = [part.name for part in route.path_components if not isinstance(part, str)]
        if set(names) <= set(known) and route.path not in {"/v1/time", "/v1/changes/stream"}:
            parts = [part if isinstance(part, str) else str(known[part.name]) for part in route.path_components]
            found.append("/" + "/".join(parts))
    assert len(found) >= 8, found
    return found


def _without_ids(body: str) -> str:
    """Without what each request has of its own: its id, and the moment that an answer about sums is of."""
    return re.sub(r'"(request_id|as_at)":"[^"]*"', "", body)


async def test_times_of_receipt_are_answered_to_the_microsecond(
    db: AsyncSession, call: Call, lot: Lot, bidder: Actor
) -> None:
    await move_clock(db, lot.closes_at - timedelta(hours=1))
    await db.commit()
    receipt = ok(await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot)), 201)
    entry = (await db.scalars(select(JournalEntry).where(JournalEntry.object_id == UUID(receipt["id"])))).one()
    assert datetime.fromisoformat(receipt["received_at"]) == entry.at
    assert lot.closes_at - timedelta(hours=1) <= entry.at < lot.closes_at

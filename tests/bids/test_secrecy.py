"""A canary in a bid is found in no table and no line of the log until the bid is opened, and then only where it belongs."""

import io
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any

import pytest
from litestar import Litestar
from msgspec import structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from build import bid_document, council, move_clock, opened_bids, published_lot, sealed_lot, supplier
from calls import Call, ok, problem
from described import client_of
from procure.app import create_app
from procure.kit import logs
from procure.kit.actor import Actor
from procure.kit.db import Sessions
from procure.kit.settings import Settings
from procure.lots.models import Lot
from procure.vault.keyring import FileKeyring

CANARIES = ("Kanarienvogel", "7319.42", "Zaunkönigin")


@pytest.fixture
async def lot(db: AsyncSession, vault: FileKeyring) -> Lot:
    lot = await published_lot(db, await council(db), vault)
    await db.commit()
    return lot


@pytest.fixture
async def bidder(db: AsyncSession) -> Actor:
    bidder = await supplier(db)
    await db.commit()
    return bidder


def document(lot: Lot) -> dict[str, Any]:
    """A bid with a canary in its answers, its prices and its team."""
    text_, total, name = CANARIES
    bid = bid_document(lot, total=total, text=f"We would do it so: {text_}.")
    bid["prices"][0]["price"]["amount"] = total
    bid["team"][0]["name"] = name
    return bid


async def found_in_tables(db: AsyncSession) -> set[tuple[str, str]]:
    """(table, canary) wherever one is, as text or as bytes, in any column of any table."""
    tables = await db.scalars(text("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"))
    hits = set()
    for table in tables.all():
        rows = (await db.scalars(text(f"SELECT row_to_json({table})::text || {table}::text FROM {table}"))).all()
        dump = "\n".join(rows)
        hits |= {(table, canary) for canary in CANARIES if canary in dump or canary.encode().hex() in dump}
    return hits


@pytest.fixture(params=["json", "console"])
async def logged(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    sessions: Sessions,
    vault: FileKeyring,
) -> AsyncGenerator[tuple[Call, Callable[[], str], Litestar]]:
    """The service logging all that it can, and what it has logged."""
    written = io.BytesIO()
    stderr = io.TextIOWrapper(written, "utf-8", write_through=True)
    monkeypatch.setattr(sys, "stderr", stderr)
    loud = structs.replace(settings, log_level="debug", log_format=request.param)
    app = create_app(loud, sessions=sessions, vault=vault)
    async with client_of(app) as client:
        yield Call(client, app), lambda: written.getvalue().decode(), app
    logs.configure(level="critical", form="json")


async def test_before_the_opening_a_bid_is_in_no_table_and_no_log(
    db: AsyncSession,
    lot: Lot,
    bidder: Actor,
    vault: FileKeyring,
    logged: tuple[Call, Callable[[], str], Litestar],
) -> None:
    call, written, _ = logged
    receipt = ok(await call.post(bidder, f"/v1/lots/{lot.id}/bids", document(lot)), 201)
    ok(await call.put(bidder, f"/v1/bids/{receipt['id']}", document(lot)))
    problem(await call.post(bidder, f"/v1/lots/{lot.id}/bids", document(lot)), 409, "bid-exists")
    problem(await call.post(bidder, f"/v1/lots/{lot.id}/bids", document(lot) | {"team": []}), 422, "bid-invalid")
    problem(await call.post(bidder, f"/v1/lots/{lot.id}/bids", document(lot) | {"team": 1}), 422, "body-invalid")
    assert await found_in_tables(db) == set()
    await move_clock(db, lot.closes_at)
    await db.commit()
    problem(await call.put(bidder, f"/v1/bids/{receipt['id']}", document(lot)), 409, "lot-not-open")
    await sealed_lot(db, lot)
    await db.commit()
    assert await found_in_tables(db) == set()
    ok(await call.get(bidder, f"/v1/lots/{lot.id}"))
    assert f"/v1/lots/{lot.id}" in written(), "the control: this log is written"
    assert "/bids" not in written(), "lines about submissions would tell the operator how many came, and when"
    assert [canary for canary in CANARIES if canary in written()] == []
    # The control: opened, it is in the bids, and still in no journal entry.
    await opened_bids(db, lot, vault)
    assert await found_in_tables(db) == {("bids", canary) for canary in CANARIES}


class _BrokenVault:
    """A vault whose adapter fails in the middle of a submission."""

    @property
    def public_signing_key(self) -> bytes:
        raise RuntimeError("The adapter has lost its connection.")


async def test_no_line_tells_which_lot_somebody_is_about_to_bid_for(
    lot: Lot, bidder: Actor, logged: tuple[Call, Callable[[], str], Litestar]
) -> None:
    call, written, _ = logged
    path = f"/v1/lots/{lot.id}/bids"
    preflight = {"Origin": "https://portal.example", "Access-Control-Request-Method": "POST"}
    asked = [
        (await call("OPTIONS", None, path, headers=preflight)).status_code,
        (await call("DELETE", bidder, path)).status_code,
        (await call("POST", None, path, {})).status_code,
        (await call("POST", bidder, f"{path}?{'a' * 9000}", {})).status_code,
        (await call("POST", bidder, path, {}, headers={"X-Long": "a" * 40_000})).status_code,
        (await call("POST", bidder, f"{path}?colour=red", {})).status_code,
    ]
    assert asked == [204, 405, 401, 414, 431, 400]
    assert (await call("OPTIONS", None, "/v1/time")).status_code == 204
    assert "/v1/time" in written()
    assert str(lot.id) not in written()


async def test_a_crash_in_the_middle_of_a_submission_logs_nothing_of_the_bid(
    db: AsyncSession, lot: Lot, bidder: Actor, logged: tuple[Call, Callable[[], str], Litestar]
) -> None:
    call, written, app = logged
    app.state.desk = replace(app.state.desk, vault=_BrokenVault())
    problem(await call.post(bidder, f"/v1/lots/{lot.id}/bids", document(lot)), 500, "internal-error")
    assert "The adapter has lost its connection." in written()
    assert [canary for canary in CANARIES if canary in written()] == []
    assert await found_in_tables(db) == set()

"""How often a caller may ask, what it is told of that, and that no first bid is refused for it."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from litestar import Litestar
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, bid_document, council, published_lot, supplier
from calls import Call, ok, problem
from conftest import BASE_URL
from procure.app import create_app
from procure.identity import remembered
from procure.identity.models import Client, Membership
from procure.identity.rules import ClientStatus, MembershipStatus
from procure.kit import logs, rates
from procure.kit.actor import Actor
from procure.kit.db import Sessions
from procure.kit.settings import Settings, SettingsFault
from procure.lots.models import Lot
from procure.vault.keyring import FileKeyring

FEW = {"rate_client": 3, "rate_address": 3, "rate_bids": 2}
SAID = re.compile(r'"([a-z]+)";r=(\d+);t=(\d+)')


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """The machine's clock, which stands still until it is moved on."""
    now = 1000.0

    def go_on(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(rates, "monotonic", lambda: now)
    return go_on


@pytest.fixture
def app(settings: Settings, sessions: Sessions, vault: FileKeyring, moment: Callable[[float], None]) -> Litestar:
    return create_app(msgspec.structs.replace(settings, **FEW), sessions=sessions, vault=vault)


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


def said(reply: httpx.Response) -> tuple[str, int, int]:
    """Policy, what is left of it, and for how many seconds that is so; in the draft's form, of one policy."""
    found = SAID.fullmatch(reply.headers["ratelimit"])
    assert found is not None, reply.headers["ratelimit"]
    assert re.fullmatch(rf'"{found[1]}";q=\d+;w=60', reply.headers["ratelimit-policy"])
    return found[1], int(found[2]), int(found[3])


def refused(reply: httpx.Response, policy: str) -> int:
    """How long to wait: no shorter than what `RateLimit` says (draft 11, section 6)."""
    assert f"`{policy}`" in problem(reply, 429, "too-many-requests")["detail"]
    wait = int(reply.headers["retry-after"])
    assert said(reply) == (policy, 0, wait)
    assert reply.headers["cache-control"] == "no-store"
    return wait


async def ask(app: Litestar, address: str, path: str = "/v1/lots", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(cast("Any", app), raise_app_exceptions=False, client=(address, 4711))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers) as client:
        return await client.get(path)


async def test_without_a_token_an_address_has_a_quota(app: Litestar, moment: Callable[[float], None]) -> None:
    replies = [await ask(app, "203.0.113.5") for _ in range(3)]
    assert [said(one) for one in replies] == [("address", 2, 20), ("address", 1, 40), ("address", 0, 20)]
    assert {one.headers["ratelimit-policy"] for one in replies} == {'"address";q=3;w=60'}
    assert refused(await ask(app, "203.0.113.5"), "address") == 20
    ok(await ask(app, "203.0.113.6"))
    moment(19)
    assert refused(await ask(app, "203.0.113.5"), "address") == 1
    moment(1)
    ok(await ask(app, "203.0.113.5"))


async def test_the_addresses_of_one_ipv6_network_are_one(app: Litestar) -> None:
    for host in range(3):
        ok(await ask(app, f"2001:db8:1:2::{host}"))
    refused(await ask(app, "2001:db8:1:2:ffff::1"), "address")
    ok(await ask(app, "2001:db8:1:3::1"))


async def test_a_client_has_a_quota_of_its_own_whatever_its_address_has_left(
    app: Litestar, call: Call, buyer: Council, bidder: Actor, moment: Callable[[float], None]
) -> None:
    for _ in range(3):
        ok(await call.get(None, "/v1/lots"))
    refused(await call.get(None, "/v1/lots"), "address")
    replies = [await call.get(buyer.officer, "/v1/lots") for _ in range(3)]
    assert [said(one) for one in replies] == [("client", 2, 20), ("client", 1, 40), ("client", 0, 20)]
    refused(await call.get(buyer.officer, "/v1/outcomes"), "client")
    assert said(await call.get(bidder, "/v1/lots")) == ("client", 2, 20)
    moment(60)
    assert said(await call.get(buyer.officer, "/v1/lots"))[1] == 2


async def test_over_its_quota_a_client_reaches_no_database(
    app: Litestar, call: Call, buyer: Council, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        ok(await call.get(buyer.officer, "/v1/lots"))
    monkeypatch.setattr("procure.identity.standing.read", None)
    refused(await call.get(buyer.officer, "/v1/lots"), "client")


async def test_a_token_that_does_not_hold_counts_for_its_address(
    app: Litestar, call: Call, buyer: Council, bidder: Actor
) -> None:
    bad = {"Authorization": "Bearer " + call.headers(buyer.officer)["Authorization"][7:-8] + "AAAAAAAA"}
    replies = [await call.get(None, "/v1/lots", headers=bad) for _ in range(3)]
    assert [(one.status_code, said(one)[:2]) for one in replies] == [
        (401, ("address", 2)),
        (401, ("address", 1)),
        (401, ("address", 0)),
    ]
    refused(await call.get(None, "/v1/lots", headers=bad), "address")
    ok(await call.get(bidder, "/v1/lots"))


@pytest.mark.parametrize("ended", ["token", "client", "membership"])
async def test_a_token_that_has_ended_early_uses_up_nobodys_quota_but_its_address(
    db: AsyncSession, app: Litestar, call: Call, buyer: Council, ended: str
) -> None:
    """Who has a token that was revoked because it was lost shall not shut its owner out with it."""
    lost, officer = call.headers(buyer.officer), buyer.officer
    assert officer.client_id is not None
    if ended == "token":
        found = app.state.authenticate._token(lost["Authorization"].removeprefix("Bearer "))
        await remembered.revoke_token(db, found)
    elif ended == "client":
        (await db.get_one(Client, officer.client_id)).move_to(ClientStatus.REVOKED)
    else:
        of_officer = select(Membership).where(Membership.person_id == officer.person_id)
        (await db.scalars(of_officer)).one().move_to(MembershipStatus.ENDED)
    await db.flush()
    left = [said(await call.get(None, "/v1/lots", headers=lost))[:2] for _ in range(3)]
    assert left == [("address", 2), ("address", 1), ("address", 0)]
    refused(await call.get(None, "/v1/lots", headers=lost), "address")
    if ended == "token":
        reply = await call.get(buyer.officer, "/v1/lots")
        assert (ok(reply)["items"], said(reply)[:2]) == ([], ("client", 1))


async def test_a_suspended_client_still_counts(db: AsyncSession, call: Call, buyer: Council) -> None:
    (await db.get_one(Client, buyer.officer.client_id)).move_to(ClientStatus.SUSPENDED)
    await db.flush()
    for _ in range(3):
        problem(await call.get(buyer.officer, "/v1/lots"), 403, "suspended")
    refused(await call.get(buyer.officer, "/v1/lots"), "client")


async def test_who_may_not_bid_has_no_quota_of_bids(call: Call, buyer: Council, lot: Lot) -> None:
    """Bids are outside the client's quota for the sake of bidders, not of whoever sends something there."""
    at = f"/v1/lots/{lot.id}/bids"
    for _ in range(3):
        problem(await call.post(buyer.officer, at, bid_document(lot)), 403, "scope-missing")
    refused(await call.post(buyer.officer, at, bid_document(lot)), "client")
    refused(await call.get(buyer.officer, "/v1/lots"), "client")


async def test_what_watches_over_the_service_is_never_refused(client: httpx.AsyncClient) -> None:
    for path in ("/livez", "/readyz"):
        for _ in range(5):
            reply = await client.get(path)
            assert reply.status_code == 200
            assert "ratelimit" not in reply.headers


async def test_pages_assets_and_the_document_count_too(client: httpx.AsyncClient) -> None:
    for path in ("/docs", "/assets/docs.js", "/openapi.json"):
        assert said(await client.get(path))[0] == "address"
    refused(await client.get("/problems/too-many-requests"), "address")


async def test_behind_a_named_proxy_each_caller_has_its_own(
    settings: Settings, sessions: Sessions, vault: FileKeyring
) -> None:
    behind = msgspec.structs.replace(settings, trusted_proxies="10.0.0.0/8", **FEW)
    app = create_app(behind, sessions=sessions, vault=vault)
    for _ in range(3):
        ok(await ask(app, "10.0.0.1", **{"X-Forwarded-For": "203.0.113.5"}))
    refused(await ask(app, "10.0.0.2", **{"X-Forwarded-For": "198.51.100.1, 203.0.113.5"}), "address")
    ok(await ask(app, "10.0.0.1", **{"X-Forwarded-For": "203.0.113.6"}))


async def test_who_is_no_named_proxy_gains_nothing_by_saying_that_it_forwards(app: Litestar) -> None:
    for number in range(3):
        ok(await ask(app, "203.0.113.5", **{"X-Forwarded-For": f"198.51.100.{number}"}))
    refused(await ask(app, "203.0.113.5", **{"X-Forwarded-For": "198.51.100.9"}), "address")


async def test_a_limit_of_0_is_none(
    settings: Settings, sessions: Sessions, vault: FileKeyring, db: AsyncSession, lot: Lot, bidder: Actor
) -> None:
    app = create_app(
        msgspec.structs.replace(settings, rate_client=0, rate_address=0, rate_bids=0), sessions=sessions, vault=vault
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(cast("Any", app)), base_url=BASE_URL) as client:
        call = Call(client, app)
        receipt = await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot))
        for reply in (receipt, await call.get(bidder, "/v1/lots"), await call.get(None, "/v1/lots")):
            assert reply.is_success
            assert [name for name in reply.headers if name.startswith("ratelimit")] == []
    assert len(app.state.rates.turns) == 0


# --- bids -----------------------------------------------------------------------------------------------------------


async def spend(call: Call, bidder: Actor) -> None:
    """All that the client may ask in a minute."""
    while (await call.get(bidder, "/v1/lots")).status_code != 429:
        pass


async def test_a_first_bid_is_received_whatever_its_client_did_before(call: Call, lot: Lot, bidder: Actor) -> None:
    await spend(call, bidder)
    for _ in range(20):
        problem(await call.post(bidder, f"/v1/lots/{lot.id}/bids", {"prices": []}), 422, "body-invalid")
        problem(await call.post(bidder, f"/v1/lots/{uuid4()}/bids", bid_document(lot)), 404, "lot-not-found")
        problem(await call.put(bidder, f"/v1/bids/{uuid4()}", bid_document(lot)), 404, "bid-not-found")
    reply = await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot))
    ok(reply, 201)
    assert said(reply) == ("bids", 1, 30)
    refused(await call.get(bidder, "/v1/lots"), "client")


async def test_only_what_was_received_counts_and_for_its_own_lot(
    call: Call, db: AsyncSession, buyer: Council, vault: FileKeyring, bidder: Actor, moment: Callable[[float], None]
) -> None:
    lots = [await published_lot(db, buyer, vault) for _ in range(2)]
    await db.commit()
    bids = [ok(await call.post(bidder, f"/v1/lots/{one.id}/bids", bid_document(one)), 201)["id"] for one in lots]
    for left in (1, 0):
        reply = await call.put(bidder, f"/v1/bids/{bids[0]}", bid_document(lots[0]))
        ok(reply)
        assert said(reply)[:2] == ("bids", left)
    assert refused(await call.put(bidder, f"/v1/bids/{bids[0]}", bid_document(lots[0])), "bids") == 30
    refused(await call.post(bidder, f"/v1/bids/{bids[0]}/withdraw"), "bids")
    ok(await call.put(bidder, f"/v1/bids/{bids[1]}", bid_document(lots[1])))
    moment(30)
    ok(await call.put(bidder, f"/v1/bids/{bids[0]}", bid_document(lots[0])))


async def test_a_retry_of_what_was_received_does_not_count_again(call: Call, lot: Lot, bidder: Actor) -> None:
    key = str(uuid4())
    replies = [await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot), key=key) for _ in range(5)]
    assert [one.status_code for one in replies] == [201] * 5
    assert {said(one)[:2] for one in replies} == {("bids", 1)}


async def test_what_is_only_tried_does_not_count(app: Litestar, call: Call, lot: Lot, bidder: Actor) -> None:
    path = f"/v1/lots/{lot.id}/bids"
    for _ in range(5):
        tried = await call.post(bidder, f"{path}?validate_only=true", bid_document(lot))
        assert (tried.status_code, tried.headers["validated-only"]) == (201, "true"), tried.text
    reply = await call.post(bidder, path, bid_document(lot))
    ok(reply, 201)
    assert said(reply)[:2] == ("bids", 1)
    assert len(app.state.rates.turns) == 0


async def test_nobody_else_is_told_that_there_was_a_bid(
    call: Call, lot: Lot, buyer: Council, bidder: Actor, db: AsyncSession, moment: Callable[[float], None]
) -> None:
    """Neither the buyer, nor a competitor, nor who has no token: what they have left is theirs alone."""
    other = await supplier(db, "Another supplier")
    await db.commit()
    callers = (buyer.officer, other, None)
    before = [said(await call.get(one, f"/v1/lots/{lot.id}")) for one in callers]
    moment(60)
    ok(await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot)), 201)
    assert [said(await call.get(one, f"/v1/lots/{lot.id}")) for one in callers] == before
    ok(await call.post(other, f"/v1/lots/{lot.id}/bids", bid_document(lot)), 201)


async def test_no_log_line_tells_of_a_bid_that_came_too_often(
    call: Call, lot: Lot, bidder: Actor, capfd: pytest.CaptureFixture[str]
) -> None:
    bid = ok(await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot)), 201)["id"]
    logs.configure(level="debug", form="json")
    statuses = [(await call.put(bidder, f"/v1/bids/{bid}", bid_document(lot))).status_code for _ in range(3)]
    written = "".join(capfd.readouterr())
    logs.configure(level="critical", form="json")
    assert statuses == [200, 200, 429]
    assert written == ""


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - nothing tells of who stands in line
            await asyncio.sleep(0)


async def test_who_floods_waits_for_its_own_turn_and_nobody_elses(
    app: Litestar, call: Call, lot: Lot, bidder: Actor, db: AsyncSession
) -> None:
    other = await supplier(db, "Another supplier")
    await db.commit()
    turns, key = app.state.rates.turns, cast("UUID", bidder.client_id)
    for _ in range(rates.BIDS_AT_ONCE):
        await turns.enter(key)
    waiting = asyncio.create_task(call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot)))
    await eventually(lambda: turns._lines[key][1] == rates.BIDS_AT_ONCE + 1)
    ok(await call.post(other, f"/v1/lots/{lot.id}/bids", bid_document(lot)), 201)
    assert not waiting.done()
    turns.leave(key)
    ok(await asyncio.wait_for(waiting, 5), 201)
    for _ in range(rates.BIDS_AT_ONCE - 1):
        turns.leave(key)
    assert len(turns) == 0


@pytest.mark.parametrize("query", ["", "?validate_only=true"])
async def test_a_slow_line_holds_no_turn(app: Litestar, call: Call, lot: Lot, bidder: Actor, query: str) -> None:
    """Four uploads from a train must not keep a fifth bid from being received."""
    begun, arrived, body = asyncio.Event(), asyncio.Event(), msgspec.json.encode(bid_document(lot))

    async def slowly() -> AsyncGenerator[bytes]:
        yield body[:10]
        begun.set()
        await arrived.wait()
        yield body[10:]

    headers = {**call.headers(bidder), "Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
    path = f"/v1/lots/{lot.id}/bids{query}"
    slow = asyncio.create_task(call.client.post(path, content=slowly(), headers=headers))
    await asyncio.wait_for(begun.wait(), 5)
    assert len(app.state.rates.turns) == 0
    arrived.set()
    ok(await asyncio.wait_for(slow, 5), 201)
    assert len(app.state.rates.turns) == 0


# --- settings -------------------------------------------------------------------------------------------------------

URL = {"PROCURE_DATABASE_URL": "postgresql+asyncpg:///"}


def test_limits_are_set_by_the_minute_and_switched_off_by_0_or_off() -> None:
    read = Settings.from_environment
    assert (read(URL).rate_client, read(URL).rate_address, read(URL).rate_bids) == (3000, 600, 60)
    assert read(URL).rate_token_failures == 10
    for name in ("client", "address", "bids", "token_failures"):
        for given, meant in (("off", 0), ("OFF", 0), ("0", 0), ("1", 1), ("1000000", 1_000_000)):
            found = read({**URL, f"PROCURE_RATE_{name.upper()}": given})
            assert getattr(found, f"rate_{name}") == meant


@pytest.mark.parametrize("value", ["-1", "1000001", "1.5", "10/s", "none"])
def test_what_is_no_limit_is_refused_at_the_start(value: str) -> None:
    with pytest.raises(SettingsFault):
        Settings.from_environment({**URL, "PROCURE_RATE_CLIENT": value})

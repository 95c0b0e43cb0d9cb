"""Who may keep a reply, what a browser may make of it, and whose pages may read it."""

from collections.abc import Sequence
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncSession

from build import council, published_lot, submitted_bid, supplier
from calls import Call, problem
from described import client_of
from procure.app import create_app
from procure.kit.db import Sessions
from procure.kit.settings import Settings, SettingsFault
from procure.vault.keyring import FileKeyring

PORTAL, OTHER = "https://portal.example", "https://other.example"
DATA = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def once(reply: httpx.Response, name: str) -> str:
    (value,) = reply.headers.get_list(name)
    return value


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/lots", 200),
        ("HEAD", "/v1/lots", 200),
        ("OPTIONS", "/v1/lots", 204),
        ("GET", "/livez", 200),
        ("GET", "/nowhere", 404),
        ("DELETE", "/v1/lots", 405),
        ("GET", f"/v1/lots?{'a' * 9000}", 414),
        ("POST", "/oauth/token", 400),
    ],
)
async def test_every_answer_is_data_to_a_browser(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    reply = await client.request(method, path)
    assert reply.status_code == status
    assert {name: once(reply, name) for name in DATA} == DATA
    assert "strict-transport-security" not in reply.headers


async def test_a_page_keeps_the_policy_that_it_has_said_itself(client: httpx.AsyncClient) -> None:
    for path in ("/docs", "/problems/lot-not-found"):
        reply = await client.get(path)
        assert reply.headers["content-type"].startswith("text/html")
        assert once(reply, "content-security-policy") != DATA["content-security-policy"]
        assert once(reply, "x-frame-options") == "DENY"


async def test_what_is_public_is_kept_and_asked_for_again_and_what_is_not_by_its_reader_alone(
    call: Call, db: AsyncSession, vault: FileKeyring
) -> None:
    buyer, bidder = await council(db), await supplier(db)
    lot = await published_lot(db, buyer, vault)
    bid = await submitted_bid(db, lot, bidder, vault)
    await db.commit()
    asked = await call.post(bidder, f"/v1/lots/{lot.id}/enquiries", {"question": "May the work start a week later?"})
    assert asked.status_code == 201
    said = {
        (await call.get(None, f"/v1/lots/{lot.id}")): "public, no-cache",
        (await call.get(None, "/v1/lots")): "public, no-cache",
        (await call("HEAD", None, "/v1/lots")): "public, no-cache",
        (await call.get(buyer.officer, f"/v1/lots/{lot.id}")): "private, no-cache",
        (await call.get(bidder, f"/v1/bids/{bid.id}")): "no-store",
        (await call.get(bidder, "/v1/bids")): "no-store",
        asked: "no-store",
        (await call.get(None, "/v1/bids")): "no-store",
        (await call.get(None, "/nowhere")): "no-store",
        (await call.get(None, "/assets/docs.js")): "public, max-age=86400",
    }
    for reply, expected in said.items():
        assert (reply.url.path, once(reply, "cache-control")) == (reply.url.path, expected)
        assert "Authorization" in reply.headers["vary"]


def app_with(settings: Settings, sessions: Sessions, vault: FileKeyring, **changes: Any) -> Litestar:
    return create_app(msgspec.structs.replace(settings, **changes), sessions=sessions, vault=vault)


async def ask(app: Litestar, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    async with client_of(app) as client:
        return await client.request(method, path, headers=headers)


async def test_behind_tls_a_browser_is_told_to_come_back_by_tls(
    settings: Settings, sessions: Sessions, vault: FileKeyring
) -> None:
    reply = await ask(app_with(settings, sessions, vault, base_url="https://procure.example"), "GET", "/livez", {})
    assert once(reply, "strict-transport-security") == "max-age=31536000"


PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, idempotency-key",
}


@pytest.fixture
async def portals(settings: Settings, sessions: Sessions, vault: FileKeyring) -> Litestar:
    return app_with(settings, sessions, vault, cors_origins=f"{PORTAL}, http://localhost:3000")


async def test_a_named_portal_may_call_and_read(portals: Litestar) -> None:
    for origin in (PORTAL, "http://localhost:3000"):
        asked = await ask(portals, "OPTIONS", "/v1/lots", {"Origin": origin, **PREFLIGHT})
        assert (asked.status_code, asked.content) == (204, b"")
        assert once(asked, "access-control-allow-origin") == origin
        allowed = {one.strip().lower() for one in asked.headers["access-control-allow-headers"].split(",")}
        assert {"authorization", "idempotency-key"} <= allowed
        assert "access-control-allow-credentials" not in asked.headers
        for path, status in (("/v1/lots", 200), ("/v1/bids", 401), ("/nowhere", 404)):
            reply = await ask(portals, "GET", path, {"Origin": origin})
            assert (reply.status_code, once(reply, "access-control-allow-origin")) == (status, origin)
            assert "X-Request-ID" in reply.headers["access-control-expose-headers"]
            assert {"Origin", "Authorization"} <= set(reply.headers["vary"].replace(" ", "").split(","))


async def test_refusals_from_before_the_router_can_be_read_too(portals: Litestar) -> None:
    for headers, status in (({"X-Long": "x" * 40_000}, 431), ({"Accept-Encoding": "identity;q=0"}, 406)):
        reply = await ask(portals, "GET", "/v1/lots", {"Origin": PORTAL, **headers})
        assert (reply.status_code, once(reply, "access-control-allow-origin")) == (status, PORTAL)
        assert {"Retry-After", "Validated-Only"} <= set(
            once(reply, "access-control-expose-headers").replace(" ", "").split(",")
        )
        theirs = await ask(portals, "GET", "/v1/lots", {"Origin": OTHER, **headers})
        assert "access-control-allow-origin" not in theirs.headers
        # Whoever keeps a reply has to know that another page's would be another.
        for one in (reply, theirs, await ask(portals, "GET", "/v1/lots", headers)):
            assert "Origin" in one.headers["vary"].replace(" ", "").split(",")


async def test_options_of_nothing_is_a_problem_whoever_asks(portals: Litestar) -> None:
    for headers in ({}, {"Origin": PORTAL}, {"Origin": OTHER, **PREFLIGHT}):
        reply = await ask(portals, "OPTIONS", "/nowhere", headers)
        problem(reply, 404, "not-found")
        assert ("access-control-allow-origin" in reply.headers) == (headers.get("Origin") == PORTAL)


@pytest.mark.parametrize(
    "origin", [OTHER, "null", "http://portal.example", f"{PORTAL}.evil.example", f"{PORTAL}:444", ""]
)
async def test_nobody_elses_page_may_read(portals: Litestar, origin: str) -> None:
    asked = await ask(portals, "OPTIONS", "/v1/lots", {"Origin": origin, **PREFLIGHT})
    read = await ask(portals, "GET", "/v1/lots", {"Origin": origin})
    assert (asked.status_code, read.status_code) == (204, 200)
    assert "allow" in asked.headers
    for reply in (asked, read):
        assert "access-control-allow-origin" not in reply.headers


async def test_without_the_setting_no_page_may_read(client: httpx.AsyncClient) -> None:
    asked = await client.options("/v1/lots", headers={"Origin": PORTAL, **PREFLIGHT})
    assert asked.status_code == 204
    assert [name for name in asked.headers if name.startswith("access-control")] == []
    problem(await client.options("/nowhere", headers={"Origin": PORTAL, **PREFLIGHT}), 404, "not-found")


BAD: Sequence[str] = (
    "*",
    "portal.example",
    "https://portal.example/",
    "https://Portal.example",
    "https://a b",
    "https://",
)


@pytest.mark.parametrize("origins", BAD)
def test_an_origin_that_no_browser_sends_is_refused_at_the_start(settings: Settings, origins: str) -> None:
    with pytest.raises(SettingsFault, match="PROCURE_CORS_ORIGINS"):
        msgspec.structs.replace(settings, cors_origins=origins).origins()

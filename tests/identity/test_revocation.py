"""Tokens that end early (RFC 7009), and what a token is worth (RFC 7662): to whom it may be told, and in every process at once."""

import time
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from build import council, operator, supplier
from calls import Call, ok, problem
from conftest import World
from identity.forging import decoded, form
from identity.test_assertions import portal, processes
from procure.identity import remembered, service, tokens
from procure.identity.models import Membership, RevokedToken
from procure.identity.rules import ClientKind
from procure.identity.schemas import ClientDraft
from procure.identity.signing import SigningKey
from procure.identity.tokens import Token
from procure.kit.actor import Actor, Role
from procure.kit.clock import wall_now
from procure.kit.settings import Settings

PATH = "/v1/organisations"
Pair = tuple[str, str]


async def client_of_theirs(db: AsyncSession, of: Actor, admin: Actor, *roles: Role) -> Pair:
    assert of.organisation_id is not None
    draft = ClientDraft(name="System", kind=ClientKind.SERVICE, roles=list(roles))
    row, secret = await service.add_client(db, admin, of.organisation_id, draft)
    return str(row.id), secret


async def token_of(client: httpx.AsyncClient, pair: Pair) -> str:
    reply = ok(await client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=pair))
    return str(reply["access_token"])


async def revoke(client: httpx.AsyncClient, pair: Pair, token: str, **more: str) -> httpx.Response:
    return await client.post("/oauth/revoke", data={"token": token, **more}, auth=pair)


async def worth(client: httpx.AsyncClient, pair: Pair, token: str) -> dict[str, Any]:
    reply = await client.post("/oauth/introspect", data={"token": token}, auth=pair)
    assert reply.headers["cache-control"] == "no-store"
    body: dict[str, Any] = ok(reply)
    return body


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def pairs(db: AsyncSession) -> tuple[Pair, Pair, Pair, Actor]:
    """Two clients of a buyer, one of a supplier, and the operator."""
    buyer, bidder, platform = await council(db), await supplier(db), await operator(db)
    mine = await client_of_theirs(db, buyer.officer, platform, Role.OFFICER)
    beside = await client_of_theirs(db, buyer.officer, platform, Role.FINANCE)
    theirs = await client_of_theirs(db, bidder, platform, Role.BIDDER)
    return mine, beside, theirs, platform


async def test_a_client_ends_its_own_token_and_no_other(db: AsyncSession, client: httpx.AsyncClient) -> None:
    mine, beside, theirs, _ = await pairs(db)
    token, twin = await token_of(client, mine), await token_of(client, mine)
    ok(await client.get(PATH, headers=bearer(token)))
    for stranger in (beside, theirs):
        reply = await revoke(client, stranger, token)
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")
        ok(await client.get(PATH, headers=bearer(token)))
    reply = await revoke(client, mine, token, token_type_hint="refresh_token")
    assert (reply.status_code, reply.json(), reply.headers["cache-control"]) == (200, {}, "no-store")
    for path in (PATH, "/v1/lots"):
        problem(await client.get(path, headers=bearer(token)), 401, "unauthenticated")
    ok(await client.get(PATH, headers=bearer(twin)))
    ok(await revoke(client, mine, token))  # once more is no fault
    assert len((await db.scalars(select(RevokedToken))).all()) == 1


async def test_what_is_no_token_or_none_any_more_is_as_good_as_revoked(
    db: AsyncSession, client: httpx.AsyncClient, app: Litestar, settings: Settings
) -> None:
    mine, *_ = await pairs(db)
    key = app.state.oauth.keys.signer()
    forged = tokens.issue(SigningKey.new(), settings, UUID(mine[0]), [])
    old = tokens.issue(key, settings, UUID(mine[0]), [], now=wall_now() - timedelta(days=1))
    for text in ("x", forged, old, "a.b.c", "é", "x" * 5000):
        assert ok(await revoke(client, mine, text)) == {}
    assert (await db.scalars(select(RevokedToken))).all() == []


@pytest.mark.parametrize("path", ["/oauth/revoke", "/oauth/introspect"])
async def test_who_asks_proves_who_it_is(db: AsyncSession, client: httpx.AsyncClient, path: str) -> None:
    mine, *_ = await pairs(db)
    token = await token_of(client, mine)
    for auth in (None, (mine[0], "wrong"), (str(uuid4()), mine[1])):
        reply = await client.post(path, data={"token": token}, auth=auth or httpx.USE_CLIENT_DEFAULT)
        assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")
        assert reply.headers["www-authenticate"].startswith("Basic")
    reply = await client.post(path, data={"token": token}, headers=bearer(token))
    assert reply.status_code == 401
    for data in ({}, {"token": ""}, {"token": token, "client_secret": "x"}):
        reply = await client.post(path, data=data, auth=mine)
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")
    ok(await client.get(PATH, headers=bearer(token)))
    signing, _ = await portal(db)
    ok(await client.post(path, data=form(signing.assertion(), token="x")))


async def test_a_client_learns_what_its_organisations_tokens_are_worth(
    db: AsyncSession, client: httpx.AsyncClient, settings: Settings
) -> None:
    mine, beside, theirs, _ = await pairs(db)
    token = await token_of(client, mine)
    said = decoded(token.split(".")[1])
    for pair in (mine, beside):
        body = await worth(client, pair, token)
        assert body == {
            "active": True,
            "scope": said["scope"],
            "client_id": mine[0],
            "token_type": "Bearer",
            "exp": said["exp"],
            "sub": mine[0],
            "aud": settings.base_url,
            "iss": settings.base_url,
            "jti": said["jti"],
        }
    for text in (token, "x"):
        assert await worth(client, theirs, text) == {"active": False}


async def test_what_a_token_is_worth_is_as_the_next_request_would_find_it(
    db: AsyncSession, client: httpx.AsyncClient, call: Call
) -> None:
    mine, beside, _, platform = await pairs(db)
    buyer = await council(db)
    personal = call.headers(buyer.finance)["Authorization"].removeprefix("Bearer ")
    asking = await client_of_theirs(db, buyer.finance, platform, Role.AUDITOR)
    assert "finance:write" in (await worth(client, asking, personal))["scope"]
    membership = (await db.scalars(select(Membership).where(Membership.person_id == buyer.finance.person_id))).one()
    membership.roles = [Role.SERVICE_OWNER.value]
    await db.commit()
    assert (await worth(client, asking, personal))["scope"] == "changes:read contracts:read"
    ok(await call.post(platform, f"{PATH}/{buyer.organisation.id}/members/{membership.id}/end"))
    assert await worth(client, asking, personal) == {"active": False}
    token = await token_of(client, mine)
    ok(await revoke(client, mine, token))
    assert await worth(client, beside, token) == {"active": False}


async def test_a_client_that_may_not_act_learns_and_ends_nothing(
    db: AsyncSession, client: httpx.AsyncClient, call: Call
) -> None:
    buyer, platform = await council(db), await operator(db)
    mine = await client_of_theirs(db, buyer.officer, platform, Role.OFFICER)
    token = await token_of(client, mine)
    ok(await call.post(platform, f"{PATH}/{buyer.organisation.id}/suspend", {"reason": "Under investigation."}))
    for path in ("/oauth/revoke", "/oauth/introspect"):
        reply = await client.post(path, data={"token": token}, auth=mine)
        assert (reply.status_code, reply.json()["error"]) == (400, "unauthorized_client")


async def test_a_revoked_token_is_refused_in_every_process(world: World) -> None:
    async with world.sessions() as db:
        mine, *_ = await pairs(db)
        await db.commit()
    async with processes(world, 2) as (one, other):
        token = await token_of(one, mine)
        for client in (one, other, other):  # both remember that they have verified it
            ok(await client.get(PATH, headers=bearer(token)))
        ok(await revoke(one, mine, token))
        for client in (other, one):
            problem(await client.get(PATH, headers=bearer(token)), 401, "unauthenticated")


async def test_a_revoked_token_is_forgotten_once_it_has_expired(db: AsyncSession) -> None:
    for age_s in (-60, 1800, 7200):
        token = Token(uuid4(), frozenset(), int(time.time()) - age_s, uuid4())
        await remembered.revoke_token(db, token)
    assert await remembered.prune(db) == 1
    assert len((await db.scalars(select(RevokedToken))).all()) == 2

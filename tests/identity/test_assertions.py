"""A client that signs for itself: `private_key_jwt` (RFC 7523), its keys, and each assertion once, whoever asks and wherever."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from build import organisation, seat
from calls import ok
from conftest import World
from described import client_of
from identity.forging import Portal, by, form, jwt
from procure.app import create_app
from procure.identity import assertions, credentials, remembered, service
from procure.identity.assertions import Assertion, AssertionRefused
from procure.identity.models import Credential, UsedAssertion
from procure.identity.rules import ClientKind, CredentialKind, PublicKey
from procure.identity.schemas import ClientDraft, KeyDraft
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.kit.body import convert
from procure.kit.clock import wall_now

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
AUDIENCES = {"http://procure.test", "http://procure.test/oauth/token"}
CLIENT = "0199c0de-0000-7000-8000-000000000001"
#: Made once: an RSA key takes a while.
RSA = RSAKey.generate_key(2048)


async def portal(db: AsyncSession, key: Any = None, alg: str = "ES256") -> tuple[Portal, Actor]:
    """A service client with a registered key, and the admin of its organisation."""
    there = await organisation(db, OrganisationKind.BUYER, "Testshire Council")
    admin = await seat(db, there, Role.ADMIN)
    client, _ = await service.add_client(
        db, admin, there.id, ClientDraft(name="Portal", kind=ClientKind.SERVICE, roles=[Role.OFFICER])
    )
    key = key or ECKey.generate_key("P-256")
    draft = convert({"jwk": key.as_dict(private=False)}, KeyDraft)
    row = await credentials.add_key(db, admin, there.id, client.id, draft)
    assert row.thumbprint == key.thumbprint()
    return Portal(str(client.id), key, str(row.thumbprint), alg), admin


async def ask(client: httpx.AsyncClient, assertion: str, **more: str) -> httpx.Response:
    return await client.post("/oauth/token", data=form(assertion, **more))


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "Ed25519", "PS256"])
async def test_a_client_gets_a_token_by_each_kind_of_key(db: AsyncSession, client: httpx.AsyncClient, alg: str) -> None:
    key = {"ES256": ECKey.generate_key("P-256"), "PS256": RSA}.get(alg) or OKPKey.generate_key("Ed25519")
    mine, _ = await portal(db, key, alg)
    reply = ok(await ask(client, mine.assertion(), scope="lots:read"))
    headers = {"Authorization": f"Bearer {reply['access_token']}"}
    assert (await client.get("/v1/tasks", headers=headers)).status_code == 200
    assert reply["scope"] == "lots:read"


async def test_what_rfc_7523_allows_is_taken(db: AsyncSession, client: httpx.AsyncClient) -> None:
    mine, _ = await portal(db)
    now = int(time.time())
    for taken in (
        mine.assertion(aud=f"{mine.issuer}/oauth/token"),
        mine.assertion(aud=[mine.issuer]),
        mine.assertion(iat=None),
        mine.assertion(iat=now + 20, nbf=now + 20),
        mine.assertion(exp=now - 20),
        mine.assertion(exp=now + 290.5),
        mine.assertion(private="whatever"),
        jwt(mine.header(kid=None), mine.claims(), by(mine.key)),
        jwt(mine.header(typ=None), mine.claims(), by(mine.key)),
        jwt(mine.header(typ="client-authentication+jwt"), mine.claims(), by(mine.key)),
    ):
        ok(await ask(client, taken))
    ok(await ask(client, mine.assertion(), client_id=mine.client_id))


async def test_an_assertion_is_used_up_by_the_token_that_it_brings(db: AsyncSession, client: httpx.AsyncClient) -> None:
    mine, _ = await portal(db)
    assertion = mine.assertion()
    reply = await ask(client, assertion, scope="everything")
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_scope")
    ok(await ask(client, assertion))
    for path in ("/oauth/token", "/oauth/introspect", "/oauth/revoke"):
        again = await client.post(path, data=form(assertion, token="x"))
        assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
        assert "used before" in again.json()["error_description"]
    # The same `jti` of another assertion is as used, of another client it is not.
    claims = mine.claims(jti="one")
    ok(await ask(client, jwt(mine.header(), claims, by(mine.key))))
    assert (await ask(client, jwt(mine.header(), claims | {"exp": claims["exp"] + 9}, by(mine.key)))).status_code == 401
    other, _ = await portal(db)
    ok(await ask(client, other.assertion(jti="one")))


async def test_half_of_a_surrogate_pair_is_a_jti_like_another(db: AsyncSession, client: httpx.AsyncClient) -> None:
    mine, _ = await portal(db)
    halved = mine.assertion(jti="\ud800")
    ok(await ask(client, halved))
    assert (await ask(client, halved)).status_code == 401


async def test_what_is_remembered_names_nobody(db: AsyncSession, client: httpx.AsyncClient) -> None:
    mine, _ = await portal(db)
    ok(await ask(client, mine.assertion(jti="a-jti", exp=int(time.time()) + 60)))
    row = (await db.scalars(select(UsedAssertion))).one()
    assert set(UsedAssertion.__table__.columns.keys()) == {"id", "expires_at"}
    assert len(row.id) == 32
    assert 60 + 25 < (row.expires_at - wall_now()).total_seconds() <= 60 + assertions.LEEWAY_S


@asynccontextmanager
async def processes(world: World, count: int) -> AsyncGenerator[list[httpx.AsyncClient]]:
    """The service several times over, as so many processes: they share the database and the folder of keys."""
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(count):
            app = create_app(msgspec.structs.replace(world.settings, rate_token_failures=0))
            await stack.enter_async_context(app.lifespan())
            clients.append(await stack.enter_async_context(client_of(app, base_url=world.settings.base_url)))
        yield clients


async def test_a_replay_is_refused_also_at_once_and_in_several_processes(world: World) -> None:
    async with world.sessions() as db:
        mine, _ = await portal(db)
        await db.commit()
    async with processes(world, 3) as clients:
        for _ in range(3):
            assertion = mine.assertion()
            replies = await asyncio.gather(*(ask(clients[number % 3], assertion) for number in range(30)))
            assert sorted(reply.status_code for reply in replies) == [200, *[401] * 29]
    async with world.sessions() as db:
        assert await db.scalar(select(func.count()).select_from(UsedAssertion)) == 3


async def test_a_revoked_key_signs_nothing_from_the_next_request_on(
    db: AsyncSession, client: httpx.AsyncClient
) -> None:
    mine, admin = await portal(db)
    ok(await ask(client, mine.assertion()))
    row = (await db.scalars(select(Credential).where(Credential.kind == CredentialKind.KEY))).one()
    assert row.last_used_on == wall_now().date()
    assert admin.organisation_id is not None
    await credentials.revoke_credential(
        db, admin, admin.organisation_id, UUID(mine.client_id), CredentialKind.KEY, row.id, "Its laptop was stolen."
    )
    await db.commit()
    assert (await ask(client, mine.assertion())).status_code == 401


async def test_what_has_expired_is_forgotten_and_nothing_else(db: AsyncSession) -> None:
    now = time.time()
    for age_s in (-60, 1800, 7200):
        assert await remembered.use_once(db, Assertion(UUID(CLIENT), f"a{age_s}", now - age_s))
    assert await remembered.prune(db) == 1
    assert not await remembered.use_once(db, Assertion(UUID(CLIENT), "a1800", now - 1800))
    assert await remembered.use_once(db, Assertion(UUID(CLIENT), "a7200", now - 7200))


# --- pure -----------------------------------------------------------------------------------------------------------

MINE = Portal(CLIENT, ECKey.generate_key("P-256"), "kid-1", "ES256")
OTHER = ECKey.generate_key("P-256")


def public(key: Any, kid: str = "kid-1") -> PublicKey:
    members = {
        name: value for name, value in key.as_dict(private=False).items() if name in {"kty", "crv", "x", "y", "n", "e"}
    }
    return PublicKey(kid=kid, **members)


def judged(**changes: Any) -> Assertion | None:
    said = MINE.claims(exp=NOON + 60, iat=NOON) | changes
    text = jwt(MINE.header(), {name: value for name, value in said.items() if value is not None}, by(MINE.key))
    return assertions.verify(assertions.read(text), [public(MINE.key)], AUDIENCES, NOON)


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({"exp": NOON - 29}, True),
        ({"exp": NOON - 30}, False),
        ({"exp": NOON + 300}, True),
        ({"exp": NOON + 301}, False),
        ({"iat": NOON + 30}, True),
        ({"iat": NOON + 31}, False),
        ({"nbf": NOON + 30}, True),
        ({"nbf": NOON + 31}, False),
        ({"jti": "x" * 255}, True),
        ({"jti": "x" * 256}, False),
        ({"jti": ""}, False),
    ],
)
def test_an_assertion_is_taken_up_to_its_edges(changes: dict[str, Any], taken: bool) -> None:
    if taken:
        assert judged(**changes) is not None
    else:
        with pytest.raises(AssertionRefused):
            judged(**changes)


def test_an_assertion_is_remembered_for_as_long_as_it_could_be_taken() -> None:
    found = judged(exp=NOON + 100)
    assert found is not None
    assert found.until == NOON + 100 + assertions.LEEWAY_S


def test_a_key_is_chosen_among_the_clients_own_by_its_id() -> None:
    text = jwt(MINE.header(), MINE.claims(exp=NOON + 60, iat=NOON), by(MINE.key))
    keys = [public(OTHER, "kid-0"), public(MINE.key)]
    assert assertions.verify(assertions.read(text), keys, AUDIENCES, NOON) is not None
    # The right key under another id is not the one that is named.
    keys = [public(OTHER), public(MINE.key, "kid-0")]
    assert assertions.verify(assertions.read(text), keys, AUDIENCES, NOON) is None
    assert assertions.verify(assertions.read(text), [], AUDIENCES, NOON) is None

"""Every request is judged by how its client stands at that moment, at the price of one short read."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from hashlib import sha256

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from build import council, operator, seat, supplier
from calls import Call, ok, problem
from conftest import World
from described import client_of
from procure.app import create_app
from procure.identity import authentication, tokens
from procure.identity.models import Membership
from procure.identity.signing import SigningKey, SigningKeys
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.kit.clock import wall_now
from procure.kit.db import Sessions
from procure.kit.http import Connection
from procure.kit.ids import new_id
from procure.kit.scopes import Scope
from procure.kit.settings import Settings

PATH = "/v1/organisations"


def key_of(app: Litestar) -> SigningKey:
    key: SigningKey = app.state.oauth.keys.signer()
    return key


async def membership_of(db: AsyncSession, person: Actor) -> Membership:
    return (await db.scalars(select(Membership).where(Membership.person_id == person.person_id))).one()


def connection_of(app: Litestar, *headers: tuple[bytes, bytes]) -> Connection:
    scope = {
        "type": "http",
        "headers": list(headers),
        "client": ("192.0.2.7", 1234),
        "state": {"request_id": "a-request"},
        "litestar_app": app,
    }
    return Connection(scope)  # type: ignore[arg-type]


async def test_the_actor_is_the_client_as_it_stands(db: AsyncSession, app: Litestar, call: Call) -> None:
    buyer = await council(db)
    header = call.headers(buyer.budget_holder)["Authorization"].encode()
    actor = await app.state.authenticate(connection_of(app, (b"authorization", header)))
    assert actor == Actor(
        organisation_id=buyer.organisation.id,
        kind=OrganisationKind.BUYER,
        client_id=buyer.budget_holder.client_id,
        person_id=buyer.budget_holder.person_id,
        roles=frozenset({Role.APPROVER}),
        scopes=buyer.budget_holder.scopes,
        budget_holder=True,
        address="192.0.2.7",
        request_id="a-request",
    )


async def test_a_token_is_worth_its_scopes_that_the_roles_still_have(
    db: AsyncSession, app: Litestar, call: Call, settings: Settings
) -> None:
    buyer = await council(db)
    officer = buyer.officer
    assert officer.client_id is not None
    greedy = tokens.issue(key_of(app), settings, officer.client_id, [scope.value for scope in Scope])
    header = {"Authorization": f"Bearer {greedy}"}
    ok(await call.client.get(PATH, headers=header))
    problem(await call.client.post(PATH, headers=header, json={}), 403, "scope-missing")
    (await membership_of(db, officer)).roles = [Role.EVALUATOR.value]
    await db.flush()
    problem(await call.client.get(PATH, headers=header), 403, "scope-missing")


async def test_ending_a_membership_acts_on_the_next_request(db: AsyncSession, call: Call) -> None:
    buyer, platform = await council(db), await operator(db)
    token = call.headers(buyer.officer)
    ok(await call.client.get(PATH, headers=token))
    membership = await membership_of(db, buyer.officer)
    ok(await call.post(platform, f"{PATH}/{buyer.organisation.id}/members/{membership.id}/end"))
    problem(await call.client.get(PATH, headers=token), 401, "unauthenticated")
    problem(await call.client.get("/v1/lots", headers=token), 401, "unauthenticated")
    ok(await call.client.get("/v1/lots"))


async def test_revoking_a_client_acts_on_the_next_request_and_on_it_alone(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    admin = await seat(db, buyer.organisation, Role.ADMIN)
    token = call.headers(buyer.officer)
    ok(await call.client.get(PATH, headers=token))
    revoke = f"{PATH}/{buyer.organisation.id}/clients/{buyer.officer.client_id}/revoke"
    ok(await call.post(admin, revoke, {"reason": "Its laptop was stolen."}))
    reply = await call.client.get(PATH, headers=token)
    problem(reply, 401, "unauthenticated")
    assert reply.headers["www-authenticate"].startswith("Bearer")
    ok(await call.get(buyer.approver, PATH))


async def test_who_revokes_the_own_client_is_out_at_once(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    admin = await seat(db, buyer.organisation, Role.ADMIN)
    revoke = f"{PATH}/{buyer.organisation.id}/clients/{admin.client_id}/revoke"
    ok(await call.post(admin, revoke, {"reason": "Its laptop was stolen."}))
    problem(await call.post(admin, revoke, {"reason": "Again."}), 401, "unauthenticated")


async def test_a_token_of_nobody_is_refused(app: Litestar, client: httpx.AsyncClient, settings: Settings) -> None:
    token = tokens.issue(key_of(app), settings, new_id(), ["organisations:read"])
    reply = await client.get(PATH, headers={"Authorization": f"Bearer {token}"})
    problem(reply, 401, "unauthenticated")


async def test_every_fault_of_a_token_is_one_and_the_same_answer(
    db: AsyncSession, app: Litestar, call: Call, settings: Settings
) -> None:
    bidder = await supplier(db)
    assert bidder.client_id is not None
    good = call.headers(bidder)["Authorization"].removeprefix("Bearer ")
    old = tokens.issue(key_of(app), settings, bidder.client_id, [], now=wall_now() - timedelta(days=1))
    forged = tokens.issue(SigningKey.new(), settings, bidder.client_id, bidder.scopes)
    nobodys = tokens.issue(key_of(app), settings, new_id(), bidder.scopes)
    headers = [
        f"Bearer {old}",
        f"Bearer {forged}",
        f"Bearer {nobodys}",
        f"Bearer {good[:-10]}",
        f"Bearer {good}{good}",
        f"Bearer {good} {good}",
        f"Bearer {good},{good}",
        f"Bearer  {good}x",
        f"Bearer\t{good}",
        f"Bearer{good}",
        f"Token {good}",
        f"Basic {good}",
        f"DPoP {good}",
        good,
        "Bearer",
        "Bearer ",
        "Bearer null",
        "Bearer \xe9",
        "Bearer " + "A" * 30_000,
        "",
    ]
    said = set()
    for header in headers:
        reply = await call.client.get(PATH, headers={b"Authorization": header.encode("latin-1")})
        said.add(problem(reply, 401, "unauthenticated")["detail"])
    said.add(problem(await call.client.get(PATH), 401, "unauthenticated")["detail"])
    assert len(said) == 1
    ok(await call.client.get(PATH, headers={"Authorization": f"bearer {good}"}))


async def test_a_token_is_taken_from_one_header_and_from_nowhere_else(db: AsyncSession, call: Call) -> None:
    bidder = await supplier(db)
    header = call.headers(bidder)["Authorization"]
    token = header.removeprefix("Bearer ")
    twice = [("Authorization", header), ("Authorization", header)]
    problem(await call.client.get(PATH, headers=twice), 401, "unauthenticated")
    problem(await call.client.get(f"{PATH}?access_token={token}"), 400, "parameters-invalid")
    problem(await call.client.get(PATH, headers={"Cookie": f"access_token={token}"}), 401, "unauthenticated")


async def test_a_bad_token_is_refused_also_where_none_is_needed(call: Call) -> None:
    ok(await call.client.get("/v1/lots"))
    problem(await call.client.get("/v1/lots", headers={"Authorization": "Bearer x"}), 401, "unauthenticated")


async def test_a_signature_is_checked_once_per_token(
    db: AsyncSession, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    def counted(keys: SigningKeys, settings: Settings, text: str, *, now: datetime) -> tokens.Token:
        checked.append(text)
        return tokens.verify(keys, settings, text, now=now)

    monkeypatch.setattr(authentication, "verify", counted)
    bidder, other = await supplier(db), await supplier(db)
    mine, theirs = call.headers(bidder), call.headers(other)
    for headers in (mine, mine, theirs, mine, theirs):
        ok(await call.client.get(PATH, headers=headers))
    assert len(checked) == 2


async def test_a_token_that_is_remembered_still_expires(
    db: AsyncSession, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = call.headers(await supplier(db))
    ok(await call.client.get(PATH, headers=headers))
    later = wall_now() + timedelta(seconds=call.app.state.settings.token_lifetime_s)
    monkeypatch.setattr(authentication, "wall_now", lambda: later)
    problem(await call.client.get(PATH, headers=headers), 401, "unauthenticated")
    problem(await call.client.get(PATH, headers=headers), 401, "unauthenticated")


async def test_the_memory_of_tokens_is_bounded_and_keeps_the_latest(
    db: AsyncSession, app: Litestar, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "CACHE_MAX", 3)
    bidder = await supplier(db)
    kept = call.headers(bidder)
    for _ in range(6):
        ok(await call.client.get(PATH, headers=kept))
        ok(await call.client.get(PATH, headers=call.headers(bidder)))
    remembered = app.state.authenticate._verified
    assert len(remembered) == 3
    assert sha256(kept["Authorization"].removeprefix("Bearer ").encode()).digest() in remembered


async def test_a_forged_token_is_not_remembered(app: Litestar, client: httpx.AsyncClient) -> None:
    for text in ("x.y.z", "x"):
        problem(await client.get(PATH, headers={"Authorization": f"Bearer {text}"}), 401, "unauthenticated")
    assert len(app.state.authenticate._verified) == 0


async def test_moving_the_sandboxs_clock_ends_no_session(db: AsyncSession, call: Call) -> None:
    platform = await operator(db)
    headers = call.headers(platform)
    body = {"to": (wall_now() + timedelta(days=365)).isoformat()}
    ok(await call.client.post("/v1/sandbox/clock", headers=headers, json=body))
    ok(await call.client.get(PATH, headers=headers))


@asynccontextmanager
async def serving(world: World) -> AsyncGenerator[Call]:
    """The service as it is started: with pools of its own, on the world's database."""
    app = create_app(world.settings)
    async with app.lifespan(), client_of(app, base_url=world.settings.base_url) as client:
        yield Call(client, app)


async def test_the_caller_is_known_before_any_session_begins(world: World) -> None:
    async with world.sessions() as db:
        bidder = await supplier(db)
        await db.commit()
    async with serving(world) as served:
        began: list[str] = []
        engine: AsyncEngine = served.app.state.sessions.kw["bind"]
        event.listen(engine.sync_engine, "begin", lambda _: began.append("begin"))
        actor = await served.app.state.authenticate(
            connection_of(served.app, (b"authorization", served.headers(bidder)["Authorization"].encode()))
        )
        assert actor.client_id == bidder.client_id
        assert began == []
        ok(await served.get(bidder, PATH))
        assert began == ["begin"]


async def test_a_database_that_is_away_is_a_503_and_comes_back_by_itself(world: World) -> None:
    async with world.sessions() as db:
        bidder = await supplier(db)
        await db.commit()
    async with serving(world) as served:
        await asyncio.gather(*(served.get(bidder, PATH) for _ in range(10)))
        database = world.settings.database_url.partition("@/")[2].partition("?")[0]
        theirs = f"FROM pg_stat_activity WHERE datname = '{database}'"
        admin = create_async_engine(world.urls.admin, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        async with admin.connect() as connection:
            await connection.exec_driver_sql(f"ALTER DATABASE {database} CONNECTION LIMIT 0")
            killed = await connection.exec_driver_sql(f"SELECT count(pg_terminate_backend(pid)) {theirs}")
            assert killed.scalar_one() > 2
            for _ in range(3):
                reply = await served.get(bidder, PATH)
                problem(reply, 503, "unavailable")
                assert "retry-after" in reply.headers
            asked = served.client.post(
                "/oauth/token", data={"grant_type": "client_credentials"}, auth=(str(new_id()), "x")
            )
            problem(await asked, 503, "unavailable")
            await connection.exec_driver_sql(f"ALTER DATABASE {database} CONNECTION LIMIT -1")
        await admin.dispose()
        statuses = [(await served.get(bidder, PATH)).status_code for _ in range(10)]
        # The first session may still meet a connection of before; SQLAlchemy then drops all of them.
        assert statuses[1:] == [200] * 9, statuses


async def test_two_processes_believe_each_others_tokens(
    settings: Settings, sessions: Sessions, db: AsyncSession
) -> None:
    bidder = await supplier(db)
    one, other = create_app(settings, sessions=sessions), create_app(settings, sessions=sessions)
    assert bidder.client_id is not None
    token = tokens.issue(key_of(one), settings, bidder.client_id, bidder.scopes)
    async with client_of(other, base_url=settings.base_url) as client:
        ok(await client.get(PATH, headers={"Authorization": f"Bearer {token}"}))

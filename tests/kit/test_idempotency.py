"""One key, one effect: whatever is sent again with it is answered as it was the first time, and nobody can read what is kept."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Request
from litestar.response.base import ASGIResponse
from litestar.testing import RequestFactory
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from build import council, operator, outcome_document, supplier
from calls import Call, ok, problem
from conftest import World
from procure.identity.models import Client
from procure.kit import idempotency
from procure.kit.actor import Actor
from procure.kit.http import ApiResponse
from procure.kit.idempotency import (
    KEPT_DAYS,
    PRUNE_BATCH,
    Answered,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    KeptReply,
    KeyedRequest,
    Replay,
    read_key,
)
from procure.organisations.models import Organisation
from procure.worker import prune_kept_replies

ORGANISATIONS = "/v1/organisations"
AT_ONCE = 50
SECONDS_MAX = 30
UUID_KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


def draft(identifier: str = "S-1") -> dict[str, Any]:
    return {
        "kind": "supplier",
        "name": "A newcomer",
        "identifier": {"scheme": "XX-TEST", "id": identifier},
        "nation": "GB-ENG",
    }


async def count(db: AsyncSession, table: type[Any] = Organisation, **values: Any) -> int:
    return await db.scalar(select(func.count()).select_from(table).filter_by(**values)) or 0


@pytest.fixture
async def caller(db: AsyncSession) -> Actor:
    actor = await operator(db)
    await db.commit()
    return actor


def key() -> str:
    return str(uuid4())


# --- the header -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (UUID_KEY, UUID_KEY),
        (f'"{UUID_KEY}"', UUID_KEY),
        (f" \t{UUID_KEY}\t ", UUID_KEY),
        ("x" * 16, "x" * 16),
        ("~" * 255, "~" * 255),
        ('"' + "~" * 255 + '"', "~" * 255),
        (r'"with \"quotes\" and \\"', None),
        (r'"with\"quotes\"and\\"', r'with"quotes"and\ '.strip()),
        ("a,b;c=d:e@f/g?h#i", "a,b;c=d:e@f/g?h#i"),
    ],
)
def test_a_key_is_visible_ascii_bare_or_in_quotes(value: str, read: str | None) -> None:
    if read is None:
        with pytest.raises(IdempotencyKeyInvalid):
            read_key([value])
    else:
        assert read_key([value]) == read.encode()


MALFORMED = {
    "empty": "",
    "short": "x" * 15,
    "short in quotes": '"' + "x" * 15 + '"',
    "long": "x" * 256,
    "space": f"{UUID_KEY} {UUID_KEY}",
    "two merged": f"{UUID_KEY}, {UUID_KEY}",
    "open quotes": f'"{UUID_KEY}',
    "parameters": f'"{UUID_KEY}";a=1',
    "escape of nothing": r'"0123456789\a0123456789"',
    "control": "0123456789\x010123456789",
    "delete": "0123456789\x7f0123456789",
    "latin": "0123456789ä0123456789",
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_is_no_key_is_refused(kind: str) -> None:
    with pytest.raises(IdempotencyKeyInvalid):
        read_key([MALFORMED[kind]])


@pytest.mark.parametrize("kind", MALFORMED)
async def test_a_request_whose_key_is_none_has_no_effect(
    db: AsyncSession, call: Call, caller: Actor, kind: str
) -> None:
    raw = {name.encode(): value.encode() for name, value in call.headers(caller).items()}
    headers = raw | {b"idempotency-key": MALFORMED[kind].encode("latin-1")}
    reply = await call.client.post(ORGANISATIONS, json=draft(), headers=headers)
    problem(reply, 400, "idempotency-key-invalid")
    assert await count(db, name="A newcomer") == 0


async def test_a_key_given_twice_is_refused(db: AsyncSession, call: Call, caller: Actor) -> None:
    headers = [*call.headers(caller).items(), ("Idempotency-Key", UUID_KEY), ("Idempotency-Key", UUID_KEY)]
    problem(await call.client.post(ORGANISATIONS, json=draft(), headers=headers), 400, "idempotency-key-invalid")
    assert await count(db, name="A newcomer") == 0


async def test_reads_and_the_sandboxs_clock_take_no_notice_of_it(call: Call, caller: Actor) -> None:
    bad = {"Idempotency-Key": "x"}
    ok(await call.get(caller, ORGANISATIONS, headers=bad))
    for year in ("2126", "2127"):
        ok(await call.post(caller, "/v1/sandbox/clock", {"to": f"{year}-01-01T00:00:00Z"}, headers=bad))


async def test_where_it_may_be_left_out_it_may(call: Call, caller: Actor) -> None:
    ok(await call.post(caller, ORGANISATIONS, draft("S-1"), key=None), 201)


async def test_where_it_is_needed_a_request_without_is_refused(db: AsyncSession, call: Call) -> None:
    bidder = await supplier(db)
    await db.commit()
    said = problem(await call.post(bidder, f"/v1/lots/{uuid4()}/bids", {}, key=None), 400, "idempotency-key-missing")
    assert "Idempotency-Key" in said["detail"]
    page = await call.get(None, "/problems/idempotency-key-missing")
    assert page.status_code == 200


# --- what is kept ---------------------------------------------------------------------------------------------------


def keyed(key: str = UUID_KEY, owner: str = "one", said: bytes = b"POST\n/a\n\n{}") -> KeyedRequest:
    return KeyedRequest.of(key.encode(), owner, said, lambda _: ASGIResponse())


def replied(headers: list[tuple[str, str]], body: bytes, status: int = 201) -> KeyedRequest:
    one = keyed()
    one.replied(ASGIResponse(body=body, status_code=status, headers=headers))
    return one


@pytest.mark.parametrize("size", [0, 1, 4096, 3_000_000])
def test_status_headers_and_body_come_back_as_they_were_whatever_their_size(size: int) -> None:
    body, headers = b"\xff{" * size, [("location", "/v1/things/1"), ("etag", '"7"'), ("link", "<a>"), ("link", "<b>")]
    first = replied(headers, body)
    assert first.reply is not None
    again = Replay(Answered(keyed()._opened(first.sealed()), is_replay=True)).to_asgi_response(None, request=None)  # type: ignore[arg-type]
    assert (again.status_code, again.body) == (201, body)
    assert again.encode_headers() == [*first.reply.encode_headers(), (b"idempotency-replayed", b"true")]


def test_a_reply_without_a_body_comes_back_without_one() -> None:
    first = replied([], b"", 204)
    again = Replay(Answered(keyed()._opened(first.sealed()), is_replay=True)).to_asgi_response(None, request=None)  # type: ignore[arg-type]
    assert (again.status_code, again.body, again.encode_headers()) == (204, b"", [(b"idempotency-replayed", b"true")])


@pytest.mark.parametrize(
    "said", [b"PUT\n/a\n\n{}", b"POST\n/b\n\n{}", b"POST\n/a\nx=1\n{}", b"POST\n/a\n\n{ }", b"POST\n/a\n\n"]
)
def test_another_method_path_query_or_body_is_another_request(said: bytes) -> None:
    with pytest.raises(IdempotencyKeyReused):
        keyed(said=said)._opened(replied([], b"{}").sealed())


def test_a_row_is_found_by_this_key_of_this_client_alone_and_tells_neither() -> None:
    ids = {keyed().id, keyed(owner="another").id, keyed(key=UUID_KEY[:-1] + "5").id}
    assert len(ids) == 3
    one = replied([("location", "/v1/things/1")], b"the very secret")
    assert one._secret not in {one.id, keyed(owner="another")._secret}
    stored = one.id + one.sealed()
    for told in (UUID_KEY.encode(), b"secret", b"things", b"POST", one._secret):
        assert told not in stored
    assert one.sealed() != one.sealed(), "the same reply twice can't be told from two replies"


def test_a_lock_is_a_number_of_its_own_below_zero() -> None:
    locks = {keyed(owner=str(number)).lock for number in range(500)}
    assert len(locks) == 500
    assert all(-(2**63) <= lock < 0 for lock in locks), "a lot's lock is never below zero"


def test_a_reply_is_encoded_once_whatever_becomes_of_what_it_was_made_of() -> None:
    request: Request[Any, Any, Any] = RequestFactory().post("/", data={})
    request.scope["state"]["once"] = keyed()
    first = ApiResponse({"number": 1}).to_asgi_response(None, request)
    assert ApiResponse({"number": 2}).to_asgi_response(None, request) is first
    assert first.body == b'{"number":1}'


# --- over HTTP ------------------------------------------------------------------------------------------------------

#: What belongs to each request: its id, and in a test's transport nothing else.
OF_EACH = {"ratelimit", "x-request-id", "idempotency-replayed"}


def same(first: httpx.Response, again: httpx.Response) -> bool:
    """Byte for byte and header for header; the later one said to be a replay, with a request id of its own."""
    ours, theirs = (
        {name: value for name, value in one.headers.items() if name not in OF_EACH} for one in (first, again)
    )
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true", again.text
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    return (first.status_code, first.content, ours) == (again.status_code, again.content, theirs)


async def test_the_same_again_is_answered_as_the_first_time_and_done_once(
    db: AsyncSession, call: Call, caller: Actor
) -> None:
    mine = key()
    first = await call.post(caller, ORGANISATIONS, draft(), key=mine)
    ok(first, 201)
    for sent in (mine, f'"{mine}"'):
        assert same(first, await call.post(caller, ORGANISATIONS, draft(), key=sent))
    assert await count(db, name="A newcomer") == 1
    assert await count(db, KeptReply) == 1


async def test_an_act_without_a_body_is_replayed_too(db: AsyncSession, call: Call, caller: Actor) -> None:
    bidder = await supplier(db)
    await db.commit()
    path, mine = f"{ORGANISATIONS}/{bidder.organisation_id}/suspend", key()
    first = await call.post(caller, path, {"reason": "It asked for it."}, key=mine)
    ok(first)
    assert same(first, await call.post(caller, path, {"reason": "It asked for it."}, key=mine))


async def test_another_body_or_address_with_the_same_key_is_refused(
    db: AsyncSession, call: Call, caller: Actor
) -> None:
    mine = key()
    first = await call.post(caller, ORGANISATIONS, draft("S-1"), key=mine)
    made = ok(first, 201)["id"]
    problem(await call.post(caller, ORGANISATIONS, draft("S-2"), key=mine), 422, "idempotency-key-reused")
    suspend = f"{ORGANISATIONS}/{made}/suspend"
    problem(await call.post(caller, suspend, {"reason": "No."}, key=mine), 422, "idempotency-key-reused")
    assert await count(db, name="A newcomer") == 1
    assert same(first, await call.post(caller, ORGANISATIONS, draft("S-1"), key=mine))


async def test_a_key_is_one_clients_own(db: AsyncSession, call: Call) -> None:
    buyers = [await council(db, name=name) for name in ("One Council", "Another Council")]
    await db.commit()
    made = set()
    for one in buyers:
        reply = await call.post(one.officer, "/v1/outcomes", outcome_document(one), key=UUID_KEY)
        assert "idempotency-replayed" not in reply.headers
        made.add(ok(reply, 201)["id"])
    assert len(made) == 2


async def test_an_error_is_not_kept_and_the_key_is_good_for_the_mended_request(
    db: AsyncSession, call: Call, caller: Actor
) -> None:
    mine = key()
    problem(await call.post(caller, ORGANISATIONS, draft() | {"name": ""}, key=mine), 422, "body-invalid")
    ok(await call.post(caller, ORGANISATIONS, draft("S-1"), key=key()), 201)
    problem(await call.post(caller, ORGANISATIONS, draft("S-1"), key=mine), 409, "organisation-known")
    assert await count(db, KeptReply) == 1
    ok(await call.post(caller, ORGANISATIONS, draft("S-2"), key=mine), 201)


async def test_what_is_shown_once_is_shown_to_the_same_key_again_and_stored_nowhere(
    db: AsyncSession, call: Call, caller: Actor
) -> None:
    bidder = await supplier(db)
    await db.commit()
    path, mine = f"{ORGANISATIONS}/{bidder.organisation_id}/clients", key()
    body = {"name": "A portal", "kind": "service", "roles": ["bidder"]}
    first = await call.post(caller, path, body, key=mine)
    secret = ok(first, 201)["client_secret"]
    assert same(first, await call.post(caller, path, body, key=mine))
    rows = (await db.scalars(text("SELECT kept_replies::text FROM kept_replies"))).all()
    assert rows
    assert not [row for row in rows if secret in row or secret.encode().hex() in row]


async def test_who_may_no_longer_call_is_replayed_nothing(db: AsyncSession, call: Call, caller: Actor) -> None:
    mine = key()
    ok(await call.post(caller, ORGANISATIONS, draft(), key=mine), 201)
    client = await db.get_one(Client, caller.client_id)
    client.status = client.status.__class__("revoked")
    await db.commit()
    reply = await call.post(caller, ORGANISATIONS, draft(), key=mine)
    assert reply.status_code == 401
    assert "idempotency-replayed" not in reply.headers


# --- on several connections -----------------------------------------------------------------------------------------


@pytest.fixture
async def boss(world: World) -> Actor:
    async with world.sessions() as db:
        actor = await operator(db)
        await db.commit()
    return actor


async def newcomers(world: World) -> tuple[int, int]:
    """Organisations made, and replies kept."""
    async with world.sessions() as db:
        return await count(db, name="A newcomer"), await count(db, KeptReply)


async def test_fifty_at_once_have_one_effect(world: World, boss: Actor) -> None:
    mine = key()
    async with asyncio.timeout(SECONDS_MAX):
        replies = await asyncio.gather(
            *[world.call.post(boss, ORGANISATIONS, draft(), key=mine) for _ in range(AT_ONCE)]
        )
    made = [one for one in replies if one.status_code == 201]
    (first,) = [one for one in made if "idempotency-replayed" not in one.headers]
    assert all(same(first, one) for one in made if one is not first)
    for one in replies:
        if one.status_code != 201:
            problem(one, 409, "idempotency-key-busy")
            assert one.headers["retry-after"] == "1"
    assert await newcomers(world) == (1, 1)


async def test_while_it_runs_the_same_again_is_told_to_wait_and_afterwards_replayed(world: World, boss: Actor) -> None:
    mine = key()
    async with world.sessions() as other:  # somebody who makes the same organisation, and has not committed
        other.add(Organisation(**await like_the_draft(world)))
        await other.flush()
        running = asyncio.create_task(world.call.post(boss, ORGANISATIONS, draft(), key=mine))
        async with asyncio.timeout(SECONDS_MAX):
            await until_one_waits(other)
            again = await world.call.post(boss, ORGANISATIONS, draft(), key=mine)
        problem(again, 409, "idempotency-key-busy")
        await other.rollback()
    first = await running
    ok(first, 201)
    assert same(first, await world.call.post(boss, ORGANISATIONS, draft(), key=mine))
    assert await newcomers(world) == (1, 1)


async def like_the_draft(world: World) -> dict[str, Any]:
    """The columns of what the draft would make, from one made and taken away again."""
    async with world.sessions() as db:
        made = await supplier(db)
        row = await db.get_one(Organisation, made.organisation_id)
        columns = {column.key: getattr(row, column.key) for column in Organisation.__table__.columns}
        await db.rollback()
    named = draft()["identifier"]
    return columns | {"id": uuid4(), "scheme": named["scheme"], "identifier": named["id"]}


async def until_one_waits(db: AsyncSession) -> None:
    while not await db.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
        pass


async def test_a_process_that_dies_between_effect_and_commit_has_done_nothing(world: World, boss: Actor) -> None:
    mine = key()
    admin = create_async_engine(world.urls.admin, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with world.sessions() as other, admin.connect() as killer, asyncio.timeout(SECONDS_MAX):
        other.add(Organisation(**await like_the_draft(world)))
        await other.flush()
        running = asyncio.create_task(world.call.post(boss, ORGANISATIONS, draft(), key=mine))
        await until_one_waits(other)
        await killer.execute(text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted"))
        problem(await running, 503, "unavailable")
        await other.rollback()
    await admin.dispose()
    assert await newcomers(world) == (0, 0)
    done = await world.call.post(boss, ORGANISATIONS, draft(), key=mine)
    ok(done, 201)
    assert "idempotency-replayed" not in done.headers


@asynccontextmanager
async def failing_commits(world: World, table: str) -> AsyncGenerator[None]:
    """A deferred trigger of the test's own: each COMMIT that touched `table` is refused by the database."""
    owner = create_async_engine(world.urls.owner, poolclass=NullPool)
    made = [
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END$$""",
        f"""CREATE CONSTRAINT TRIGGER refused AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse()""",
    ]
    for statements in (made, [f"DROP TRIGGER refused ON {table}", "DROP FUNCTION refuse()"]):
        async with owner.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement))
        if statements is made:
            yield
    await owner.dispose()


@pytest.mark.parametrize("table", ["organisations", "kept_replies"])
async def test_a_commit_that_fails_is_no_success_and_keeps_no_reply(world: World, boss: Actor, table: str) -> None:
    mine = key()
    async with failing_commits(world, table):
        problem(await world.call.post(boss, ORGANISATIONS, draft(), key=mine), 503, "unavailable")
        assert await newcomers(world) == (0, 0)
    done = await world.call.post(boss, ORGANISATIONS, draft(), key=mine)
    ok(done, 201)
    assert same(done, await world.call.post(boss, ORGANISATIONS, draft(), key=mine))


# --- pruning --------------------------------------------------------------------------------------------------------


async def keep_rows(db: AsyncSession, number: int, *, days: float) -> None:
    statement = """INSERT INTO kept_replies (id, sealed, kept_at)
        SELECT sha256((random()::text || n)::bytea), 'x', clock_timestamp() - make_interval(secs => :seconds)
        FROM generate_series(1, :number) AS n"""
    await db.execute(text(statement), {"seconds": days * 86400, "number": number})


async def test_a_reply_is_kept_for_its_days_and_no_longer(world: World, boss: Actor) -> None:
    async with world.sessions() as db:
        await keep_rows(db, 3, days=KEPT_DAYS + 0.001)
        await keep_rows(db, 2, days=KEPT_DAYS - 0.1)
        await db.commit()
    mine = key()
    first = await world.call.post(boss, ORGANISATIONS, draft(), key=mine)
    await prune_kept_replies(world.sessions)
    assert await newcomers(world) == (1, 3)
    assert same(first, await world.call.post(boss, ORGANISATIONS, draft(), key=mine))


async def test_pruning_goes_in_batches_and_two_workers_are_in_nobodys_way(world: World) -> None:
    async with world.sessions() as db:
        await keep_rows(db, 2 * PRUNE_BATCH + 5, days=KEPT_DAYS + 1)
        await db.commit()
    async with world.sessions() as db:
        assert await idempotency.prune(db) == PRUNE_BATCH
        await db.rollback()
    async with asyncio.timeout(SECONDS_MAX):
        await asyncio.gather(*[prune_kept_replies(world.sessions) for _ in range(2)])
    assert await newcomers(world) == (0, 0)


async def test_the_service_can_not_change_what_is_kept(db: AsyncSession) -> None:
    await keep_rows(db, 1, days=0)
    rights = "SELECT has_table_privilege('kept_replies', 'UPDATE'), has_table_privilege('kept_replies', 'TRUNCATE')"
    assert (await db.execute(text(rights))).one() == (False, False)

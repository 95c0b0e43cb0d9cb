"""Every error is a problem document, the framework's own and those nobody foresaw included."""

import re
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from litestar import Litestar, get
from litestar.exceptions import NotAuthorizedException
from litestar.params import FromPath, FromQuery
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from calls import problem
from procure.kit import logs
from procure.kit.errors import Conflict, Fact, Fault, Invalid, Unauthenticated
from procure.kit.http import Db, public
from procure.kit.problems import BY_STATUS, Problem, is_away, problems

CANARY = "canary-9f2c"
MEMBERS = {"type", "title", "status", "detail", "instance", "request_id", "errors"}


class Impossible(Conflict):
    """Nobody can do this."""

    slug, title = "impossible", "Impossible"


THROWN: dict[str, BaseException] = {
    "fact": Impossible("Not today.", faults=[Fault("/a~1b", "never", "Never.")]),
    "invalid": Invalid(),
    "unknown-caller": Unauthenticated(),
    "framework": NotAuthorizedException("Who are you?"),
    "bug": RuntimeError(CANARY),
    "group": ExceptionGroup(CANARY, [ConnectionResetError(CANARY)]),
    "group-of-bugs": ExceptionGroup(CANARY, [KeyError(CANARY)]),
    "stale": StaleDataError(CANARY),
    "pool": PoolTimeout(),
    "refused": ConnectionRefusedError(CANARY),
    "socket-gone": FileNotFoundError(CANARY),
    "driver": asyncpg.InterfaceError(CANARY),
    "starting": asyncpg.CannotConnectNowError(CANARY),
    "deadlock": asyncpg.DeadlockDetectedError(CANARY),
    "serialization": asyncpg.SerializationError(CANARY),
    "lock-timeout": asyncpg.LockNotAvailableError(CANARY),
    "statement-timeout": asyncpg.QueryCanceledError(CANARY),
    "unencodable": asyncpg.DataError(CANARY),
    "constraint": asyncpg.UniqueViolationError(CANARY),
    "right-missing": asyncpg.InsufficientPrivilegeError(CANARY),
}
STATUSES = {
    "fact": (409, "impossible"),
    "invalid": (422, "invalid"),
    "unknown-caller": (401, "unauthenticated"),
    "framework": (401, "unauthenticated"),
    "stale": (409, "changed-meanwhile"),
    **dict.fromkeys(["bug", "group-of-bugs", "unencodable", "constraint", "right-missing"], (500, "internal-error")),
    **dict.fromkeys(
        [
            "group",
            "pool",
            "refused",
            "socket-gone",
            "driver",
            "starting",
            "deadlock",
            "serialization",
            "lock-timeout",
            "statement-timeout",
        ],
        (503, "unavailable"),
    ),
}


@get("/thrown/{name:str}", include_in_schema=False, **public())
async def thrown(name: FromPath[str]) -> None:
    raise THROWN[name]


@get("/broken-statement", include_in_schema=False, **public())
async def broken_statement(db: Db) -> None:
    await db.execute(text("SELECT * FROM nowhere WHERE secret = :secret"), {"secret": CANARY})


@get("/number", include_in_schema=False, **public())
async def number(value: FromQuery[int]) -> int:
    return value


@pytest.fixture(scope="module")
async def client(anyone: httpx.AsyncClient, service: Litestar) -> httpx.AsyncClient:
    """Anyone, and routes that fail."""
    for handler in (thrown, broken_statement, number):
        service.register(handler)
    return anyone


async def logged_by(client: httpx.AsyncClient, path: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The log's lines about one request."""
    logs.configure(level="info", form="json")  # now, to the stderr that this very test captures
    await client.get(path)
    lines = [msgspec.json.decode(line) for line in capsys.readouterr().err.splitlines()]
    logs.configure(level="critical", form="json")
    return lines


@pytest.mark.parametrize("name", THROWN)
async def test_whatever_is_thrown_is_answered_by_its_status_and_slug(client: httpx.AsyncClient, name: str) -> None:
    reply = await client.get(f"/thrown/{name}")
    body = problem(reply, *STATUSES[name])
    assert set(body) <= MEMBERS
    assert body["status"] == reply.status_code
    assert body["instance"] == f"/thrown/{name}"
    assert reply.headers["cache-control"] == "no-store"
    assert CANARY not in reply.text
    assert ("retry-after" in reply.headers) == (reply.status_code == 503)
    assert ("www-authenticate" in reply.headers) == (name == "unknown-caller")


async def test_a_fact_gives_its_words_and_every_fault(client: httpx.AsyncClient) -> None:
    body = problem(await client.get("/thrown/fact"), 409, "impossible")
    assert (body["title"], body["detail"]) == ("Impossible", "Not today.")
    assert body["errors"] == [{"pointer": "/a~1b", "code": "never", "message": "Never."}]


async def test_a_bug_is_logged_with_its_traceback_and_tells_the_caller_nothing(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    body = problem(await client.get("/thrown/bug"), 500, "internal-error")
    assert body["detail"] == "Something is wrong on our side; tell us the request_id."
    error, request = await logged_by(client, "/thrown/bug", capsys)
    assert (error["level"], error["event"], request["status"]) == ("error", "unhandled error", 500)
    assert error["request_id"] == request["request_id"]
    assert CANARY in error["exception"][0]["exc_value"]
    frames = error["exception"][0]["frames"]
    assert frames[-1]["name"] == "thrown"
    assert not any(frame.get("locals") for frame in frames)


async def test_what_a_failing_statement_was_given_is_neither_told_nor_logged(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    problem(await client.get("/broken-statement"), 500, "internal-error")
    error, _ = await logged_by(client, "/broken-statement", capsys)
    assert "nowhere" in str(error["exception"])
    assert CANARY not in str(error)


async def test_a_database_that_is_away_is_a_warning_and_no_error(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = await logged_by(client, "/thrown/refused", capsys)
    said = [("warning", "database unavailable"), ("info", "request")]
    assert [(entry["level"], entry["event"]) for entry in lines] == said


@pytest.mark.parametrize("value", ["abc", "1.5", "", "nan", "%00", "%ff"])
async def test_a_parameter_that_does_not_fit_is_named(client: httpx.AsyncClient, value: str) -> None:
    body = problem(await client.get(f"/number?value={value}"), 400, "parameters-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/value"]


async def test_a_parameter_that_is_missing_is_named(client: httpx.AsyncClient) -> None:
    problem(await client.get("/number"), 400, "parameters-invalid")


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (asyncpg.ConnectionDoesNotExistError("x"), True),
        (asyncpg.TooManyConnectionsError("x"), True),
        (asyncpg.AdminShutdownError("x"), True),
        (asyncpg.ReadOnlySQLTransactionError("x"), True),
        (TimeoutError(), True),
        (InterfaceError("SELECT", {}, Exception("closed")), True),
        (DBAPIError("SELECT", {}, asyncpg.AdminShutdownError("x")), True),
        (DBAPIError("SELECT", {}, asyncpg.NumericValueOutOfRangeError("x")), False),
        (ValueError("x"), False),
    ],
)
def test_which_errors_mean_that_the_database_is_away(error: Exception, away: bool) -> None:
    assert is_away(error) is away


# --- what a problem's type leads to ---------------------------------------------------------------------------------


def every_fact(family: type[Fact] = Fact) -> Iterator[type[Fact]]:
    for fact in family.__subclasses__():
        yield fact
        yield from every_fact(fact)


@pytest.mark.parametrize("slug", [slug for slug, _ in BY_STATUS.values()])
async def test_the_frameworks_own_problems_are_explained(client: httpx.AsyncClient, slug: str) -> None:
    page = await client.get(f"/problems/{slug}")
    assert page.status_code == 200
    assert slug in page.text


async def test_every_fact_is_explained_at_its_type(client: httpx.AsyncClient) -> None:
    facts = [fact for fact in every_fact() if fact.__module__.startswith("procure.")]
    assert len(facts) > 30
    for fact in facts:
        page = await client.get(f"/problems/{fact.slug}")
        assert page.status_code == 200, fact.slug
        assert page.headers["content-type"].startswith("text/html")
        assert fact.title.replace("'", "&#x27;") in page.text


async def test_a_type_that_there_is_not_is_not_found(client: httpx.AsyncClient) -> None:
    problem(await client.get("/problems/nothing-of-the-kind"), 404, "not-found")


# --- in the document ------------------------------------------------------------------------------------------------


def test_the_responses_of_a_route_name_its_facts_by_status() -> None:
    responses = problems(Impossible, Invalid, Conflict)
    assert list(responses) == [409, 422]
    assert "`impossible`: Nobody can do this." in responses[409].description
    assert "`conflict`" in responses[409].description
    assert [example.id for example in responses[409].examples or []] == ["impossible", "conflict"]


def test_every_example_of_a_problem_is_one() -> None:
    for spec in problems(*(fact for fact in every_fact() if fact.__module__.startswith("procure."))).values():
        for example in spec.examples or []:
            read = msgspec.convert(example.value, Problem, strict=True)
            assert re.fullmatch(r"/problems/[a-z-]+", read.type)


async def test_a_call_without_a_token_is_told_how_to_authenticate(client: httpx.AsyncClient) -> None:
    reply = await client.post("/v1/lots", json={})
    problem(reply, 401, "unauthenticated")
    assert reply.headers["www-authenticate"] == 'Bearer realm="procure"'

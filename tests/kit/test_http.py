"""What every request meets before its handler: an id, strict parameters and bodies, a caller."""

import re
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, council, lot_document
from calls import Call, ok, problem
from procure.kit import clock, logs
from procure.kit.ids import new_id
from procure.kit.scopes import ROLE_SCOPES, Scope
from procure.lots.schemas import LotDraft

UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: An id of nothing, the same in every process: parts of a test's name may not change.
NOBODYS = "0199c0de-0000-7000-8000-000000000000"
CANARY = "canary-51ee"


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    buyer = await council(db)
    await db.commit()
    return buyer


# --- the id of a request --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/livez", 200),
        ("HEAD", "/livez", 200),
        ("OPTIONS", "/v1/lots", 204),
        ("GET", "/v1/lots", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/v1/lots/not-an-id", 404),
        ("DELETE", "/v1/lots", 405),
        ("POST", "/v1/lots", 401),
        ("GET", "/v1/lots?colour=red", 400),
        ("GET", "/openapi.json", 200),
        ("GET", "/assets/nothing.js", 404),
    ],
)
async def test_every_reply_has_a_request_id_and_every_problem_the_same(
    anyone: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    reply = await anyone.request(method, path)
    assert reply.status_code == status
    assert UUID_TEXT.fullmatch(reply.headers["x-request-id"])
    assert len(reply.headers.get_list("x-request-id")) == 1
    if status >= 400:
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["request_id"] == reply.headers["x-request-id"]
        assert reply.json()["status"] == status


async def test_a_callers_own_id_is_kept_so_that_both_logs_can_be_joined(anyone: httpx.AsyncClient) -> None:
    reply = await anyone.get("/nowhere", headers={"X-Request-ID": "portal-2026.11_24"})
    assert reply.headers["x-request-id"] == reply.json()["request_id"] == "portal-2026.11_24"


@pytest.mark.parametrize("bad", ["short", "x" * 65, "with space in it", "line\tfeed-and-more", "quote\"s'n'more", ""])
async def test_an_id_that_could_spoil_a_log_is_replaced(anyone: httpx.AsyncClient, bad: str) -> None:
    reply = await anyone.get("/livez", headers={"X-Request-ID": bad})
    assert UUID_TEXT.fullmatch(reply.headers["x-request-id"])


# --- methods --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/lots", "GET, HEAD, OPTIONS, POST"),
        ("/v1/lots/", "GET, HEAD, OPTIONS, POST"),
        (f"/v1/lots/{NOBODYS}", "GET, HEAD, OPTIONS, PATCH"),
        (f"/v1/lots/{NOBODYS}/publish", "OPTIONS, POST"),
        ("/livez", "GET, HEAD, OPTIONS"),
    ],
)
async def test_options_and_a_405_name_every_method_of_the_path(
    anyone: httpx.AsyncClient, path: str, allowed: str
) -> None:
    options = await anyone.options(path)
    assert (options.status_code, options.headers["allow"], options.content) == (204, allowed, b"")
    refused = await anyone.delete(path)
    problem(refused, 405, "method-not-allowed")
    assert refused.headers.get_list("allow") == [allowed]


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "X" * 40])
async def test_a_method_that_nobody_offers_is_a_405(anyone: httpx.AsyncClient, method: str) -> None:
    problem(await anyone.request(method, "/v1/lots"), 405, "method-not-allowed")


async def test_options_of_nothing_is_not_found(anyone: httpx.AsyncClient) -> None:
    problem(await anyone.options("/nowhere"), 404, "not-found")
    problem(await anyone.options("/v1/lots/not-an-id"), 404, "not-found")


@pytest.mark.parametrize("path", ["/livez", "/v1/lots", "/v1/lots?limit=1", "/openapi.json", "/docs"])
async def test_head_is_get_without_its_body(anyone: httpx.AsyncClient, path: str) -> None:
    head, get = await anyone.head(path), await anyone.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert get.content


async def test_head_of_what_can_only_be_acted_on_is_a_405(anyone: httpx.AsyncClient) -> None:
    reply = await anyone.head(f"/v1/lots/{new_id()}/publish")
    assert (reply.status_code, reply.headers["allow"], reply.content) == (405, "OPTIONS, POST", b"")


# --- parameters -----------------------------------------------------------------------------------------------------


async def test_of_too_many_unknown_parameters_the_first_hundred_are_named(anyone: httpx.AsyncClient) -> None:
    query = "&".join(f"colour{number}=1" for number in range(500))
    body = problem(await anyone.get(f"/v1/lots?{query}"), 400, "parameters-invalid")
    assert len(body["errors"]) == 100


async def test_every_unknown_and_repeated_parameter_is_named(anyone: httpx.AsyncClient) -> None:
    reply = await anyone.get("/v1/lots?colour=red&phase=define&phase=deliver&size=1&size=2")
    body = problem(reply, 400, "parameters-invalid")
    assert {(fault["pointer"], fault["code"]) for fault in body["errors"]} == {
        ("/colour", "unknown-parameter"),
        ("/size", "unknown-parameter"),
        ("/phase", "repeated-parameter"),
    }


async def test_what_there_is_to_choose_from_is_told(anyone: httpx.AsyncClient) -> None:
    body = problem(await anyone.get("/v1/lots?phase=design"), 400, "parameters-invalid")
    assert body["errors"][0]["message"] == "`phase` is one of: discover, define, develop, deliver."


@pytest.mark.parametrize("query", ["status=null", "buyer_id=NULL", "phase=Null", "limit=null", "cursor=null"])
async def test_a_filter_of_null_is_no_filter_left_out(anyone: httpx.AsyncClient, query: str) -> None:
    body = problem(await anyone.get(f"/v1/lots?{query}"), 400, "parameters-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == [f"/{query.partition('=')[0]}"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/time"), ("GET", "/livez"), ("POST", f"/v1/lots/{NOBODYS}/publish")]
)
@pytest.mark.parametrize("name", ["limit", "cursor", "actor", "db", "data", "%00", "%ff", "request"])
async def test_an_operation_takes_its_own_parameters_and_no_others(
    anyone: httpx.AsyncClient, method: str, path: str, name: str
) -> None:
    body = problem(await anyone.request(method, f"{path}?{name}=1"), 400, "parameters-invalid")
    assert [fault["code"] for fault in body["errors"]] == ["unknown-parameter"]


@pytest.mark.parametrize("query", ["status=nonsense", "phase=", "outcome_id=1", "buyer_id=%00", "status=%ED%A0%80"])
async def test_a_parameter_of_the_wrong_form_is_named(anyone: httpx.AsyncClient, query: str) -> None:
    body = problem(await anyone.get(f"/v1/lots?{query}"), 400, "parameters-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == [f"/{query.partition('=')[0]}"]


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/lots/%00", "/v1/lots/%ff", "/v1/lots/..%2f..%2fetc%2fpasswd", "/" + "a/" * 500, "/v1/lots/%F0%28%8C%28"),
        *("/v1/policy/terms/%00", "/v1/policy/terms/a%00b", f"/v1/contracts/{NOBODYS}/deliverables/%00"),
        *(f"/v1/journal/entries/{10**20}/proof", f"/v1/journal/checkpoints/{2**63}/timestamp"),
    ],
)
async def test_no_path_is_more_than_not_found(anyone: httpx.AsyncClient, path: str) -> None:
    problem(await anyone.get(path), 404, "not-found")


# --- callers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer x", "Basic abc", "Bearer a.b.c", "Bearer \xff", "x" * 9000]
)
async def test_a_token_that_is_sent_and_is_none_is_refused_even_where_none_is_needed(
    anyone: httpx.AsyncClient, authorization: str
) -> None:
    reply = await anyone.get("/v1/lots", headers={b"Authorization": authorization.encode("latin-1")})
    problem(reply, 401, "unauthenticated")
    assert reply.headers["www-authenticate"].startswith("Bearer")


async def test_a_role_without_the_scope_is_told_which_one_is_missing(call: Call, buyer: Council) -> None:
    body = problem(await call.post(buyer.auditor, "/v1/outcomes", {}), 403, "scope-missing")
    assert "outcomes:write" in body["detail"]


async def test_who_may_not_act_is_not_told_what_is_wrong_with_the_body(call: Call, buyer: Council) -> None:
    reply = await call("POST", buyer.auditor, "/v1/outcomes", content=b"{", headers={"Content-Type": "text/plain"})
    problem(reply, 403, "scope-missing")


def test_every_scope_is_held_by_some_role_and_named_resource_action() -> None:
    assert set().union(*ROLE_SCOPES.values()) == set(Scope)
    assert all(re.fullmatch(r"[a-z_]+:[a-z_]+", scope) for scope in Scope)
    assert list(Scope) == sorted(Scope)


# --- bodies ---------------------------------------------------------------------------------------------------------

EXAMPLE = msgspec.json.encode(LotDraft.EXAMPLE)


async def send(
    call: Call, buyer: Council, content: Any, content_type: str | None = "application/json"
) -> httpx.Response:
    headers = {"Content-Type": content_type} if content_type else {}
    return await call("POST", buyer.officer, "/v1/lots", content=content, headers=headers)


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "*/*",
    ],
)
async def test_a_body_that_is_not_said_to_be_json_is_a_415(call: Call, buyer: Council, kind: str | None) -> None:
    problem(await send(call, buyer, EXAMPLE, kind), 415, "media-type-unsupported")


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/vnd.example+json"]
)
async def test_json_by_any_of_its_names_is_read(call: Call, buyer: Council, kind: str) -> None:
    problem(await send(call, buyer, EXAMPLE, kind), 404, "outcome-not-found")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 5000, b'{"a":1e400}', b'{"title":"a","title":"b"}'])
async def test_a_body_that_is_not_json_is_a_400(call: Call, buyer: Council, content: bytes) -> None:
    problem(await send(call, buyer, content), 400, "body-malformed")


async def test_a_body_that_does_not_fit_is_a_422_with_every_fault(call: Call, buyer: Council) -> None:
    document = {**LotDraft.EXAMPLE, "colour": "red", "title": "", "duration_days": 0}  # type: ignore[dict-item]
    body = problem(await call.post(buyer.officer, "/v1/lots", document), 422, "body-invalid")
    assert {fault["pointer"] for fault in body["errors"]} == {"/colour", "/title", "/duration_days"}


async def in_pieces(size: int, piece: bytes = b" " * 4096) -> AsyncGenerator[bytes]:
    for _ in range(size // len(piece)):
        yield piece


async def test_a_body_that_is_too_large_is_a_413_with_and_without_its_length(call: Call, buyer: Council) -> None:
    largest = call.app.state.body_max_bytes
    padding = largest - len(EXAMPLE)
    problem(await send(call, buyer, EXAMPLE + b" " * padding), 404, "outcome-not-found")
    body = problem(await send(call, buyer, EXAMPLE + b" " * (padding + 1)), 413, "body-too-large")
    assert str(largest) in body["detail"]
    problem(await send(call, buyer, in_pieces(largest + 8192)), 413, "body-too-large")


async def test_a_length_that_is_a_lie_changes_nothing(call: Call, buyer: Council) -> None:
    for announced, status in (("5", 404), ("abc", 400), ("-1", 404), ("99999999999", 413)):
        headers = {"Content-Type": "application/json", "Content-Length": announced}
        reply = await call("POST", buyer.officer, "/v1/lots", content=EXAMPLE, headers=headers)
        assert reply.status_code == status, (announced, reply.text)


# --- logs -----------------------------------------------------------------------------------------------------------


async def test_no_token_body_or_query_reaches_the_log(
    call: Call, buyer: Council, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(level="debug", form="json")
    headers = call.headers(buyer.officer)
    token = headers["Authorization"].removeprefix("Bearer ")
    document = lot_document(new_id(), [new_id()], clock.wall_now(), title=f"{CANARY} is the title")
    await call.post(buyer.officer, "/v1/lots", document)
    await call.post(buyer.officer, "/v1/lots", {CANARY: CANARY})
    await call.get(buyer.officer, f"/v1/lots?{CANARY}={CANARY}")
    await call.get(None, "/v1/lots", headers={"Authorization": f"Bearer {CANARY}", "Cookie": CANARY, "X-Other": CANARY})
    await call.client.post("/oauth/token", auth=(CANARY, CANARY), data={"grant_type": "client_credentials"})
    written = capsys.readouterr().err
    logs.configure(level="critical", form="json")
    assert written.count('"event":"request"') == 5
    assert CANARY not in written
    assert token not in written
    assert token.rpartition(".")[2] not in written


async def test_a_line_says_who_asked_for_what_and_how_it_ended(
    anyone: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(level="info", form="json")
    reply = await anyone.head("/v1/lots?limit=1")
    (line,) = [msgspec.json.decode(line) for line in capsys.readouterr().err.splitlines()]
    logs.configure(level="critical", form="json")
    assert line["request_id"] == reply.headers["x-request-id"]
    assert (line["method"], line["path"], line["status"]) == ("HEAD", "/v1/lots", 200)
    assert line["took_ms"] > 0


async def test_the_console_form_is_for_people(capsys: pytest.CaptureFixture[str], anyone: httpx.AsyncClient) -> None:
    logs.configure(level="info", form="console")
    await anyone.get("/livez")
    written = capsys.readouterr().err
    logs.configure(level="critical", form="json")
    assert "request" in written
    assert "/livez" in written


def test_the_service_is_one_application(service: Litestar) -> None:
    assert service.state.body_max_bytes == 512 * 1024


async def test_time_is_public_and_is_the_databases(anyone: httpx.AsyncClient) -> None:
    assert ok(await anyone.get("/v1/time"))["ahead_seconds"] == 0


@pytest.mark.parametrize("body", [b'{"amount": "1.00"}', b"{}", b"not json"])
async def test_an_act_that_takes_no_body_refuses_one_and_does_nothing(call: Call, buyer: Council, body: bytes) -> None:
    path = f"/v1/lots/{NOBODYS}/publish"
    problem(await call.post(buyer.approver, path, content=body), 400, "body-unexpected")
    problem(await call.post(buyer.approver, path, content=in_pieces(len(body))), 400, "body-unexpected")
    problem(await call.post(buyer.approver, path), 404, "lot-not-found")


async def test_a_body_too_large_ends_the_connection_and_says_so(call: Call, buyer: Council) -> None:
    reply = await send(call, buyer, b" " * (call.app.state.body_max_bytes + 1))
    problem(reply, 413, "body-too-large")
    assert reply.headers["connection"] == "close"

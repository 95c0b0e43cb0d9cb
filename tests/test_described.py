"""The check that holds replies to the document sees what it is for."""

from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar

from calls import Call, ok
from described import Described, described, held_to_the_document

LIVE = ("GET", "/livez")


@pytest.fixture
def document(app: Litestar) -> Described:
    return described(app)


def fault(document: Described, address: tuple[str, str], status: int, body: Any, kind: str = "application/json") -> str:
    operation = document.operation(*address)
    assert operation is not None
    return document.faults(operation, status, kind, msgspec.json.encode(body)) or ""


def test_a_reply_that_is_described_is_taken(document: Described) -> None:
    assert fault(document, LIVE, 200, {"status": "alive"}) == ""


@pytest.mark.parametrize(
    ("status", "kind", "body", "said"),
    [
        (200, "application/json", {"status": "well"}, "at ['status']"),
        (200, "application/json", {}, "required"),
        (200, "application/json", {"status": "alive", "since": 1}, "since"),
        (200, "text/plain", "alive", "text/plain"),
        (204, "", None, "204"),
        (418, "application/json", {}, "418"),
    ],
)
def test_what_the_document_does_not_say_is_seen(
    document: Described, status: int, kind: str, body: Any, said: str
) -> None:
    assert said in fault(document, LIVE, status, body, kind)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"request_id": "x" * 65}, "request_id"),
        ({"instance": "no path"}, "instance"),
        ({"errors": [{"pointer": "", "code": "Not plain", "message": ""}]}, "code"),
        ({"status": 200}, "status"),
    ],
)
def test_a_bound_is_held_also_behind_a_reference(document: Described, change: dict[str, Any], said: str) -> None:
    problem = {"type": "/problems/unavailable", "title": "Away", "status": 503, "detail": "", "instance": "/livez"}
    whole = {**problem, "request_id": "portal-1", **change}
    assert said in fault(document, LIVE, 503, whole, "application/problem+json")


def test_a_literal_address_is_not_taken_for_one_with_a_place_in_it(document: Described) -> None:
    found = document.operation("GET", "/v1/finance/contracts.csv")
    assert found is not None
    assert found["operationId"] == "exportFinanceContracts"


async def test_every_reply_of_the_tests_goes_through_it(app: Litestar, call: Call, client: httpx.AsyncClient) -> None:
    ok(await call.get(None, "/livez"))
    (hook,) = held_to_the_document(app)["response"]
    undescribed = httpx.Response(
        200, json={"status": "well"}, request=httpx.Request("GET", "http://procure.test/livez")
    )
    with pytest.raises(AssertionError, match=r"GET /livez: .*status"):
        await hook(undescribed)
    assert [one.__qualname__ for one in client.event_hooks["response"]] == [hook.__qualname__]

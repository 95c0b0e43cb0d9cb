"""Whatever a client sends, with whatever token, to whatever operation: never a 5xx, and every refusal a problem.

`FUZZ=20000` in the environment sends more; the default is what a minute of everybody's day is worth.
"""

import os
from copy import deepcopy
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from build import (
    active_contract,
    council,
    decided_deliverable,
    drafted_lot,
    evaluated_lot,
    operator,
    outcome_document,
    pending_contract,
    published_lot,
    recommended_award,
    submitted_bid,
    supplier,
    vault_beside,
)
from build import (
    bidder as build_bidder,
)
from calls import Call
from conftest import BASE_URL, World
from procure import document
from procure.kit.actor import Actor
from procure.kit.body import convert
from procure.kit.ids import new_id
from procure.outcomes import service as outcomes
from procure.outcomes.schemas import OutcomeDraft

EXAMPLES = int(os.environ.get("FUZZ", "300"))
UUID_LENGTH = 36

HOSTILE: list[Any] = [
    *[None, True, False, 0, 1, -1, 101, 2**31, 2**63, 2**64 - 1, -(2**63), 0.1, 1e308, 5e-324],
    *["", " ", "\t\n", "\x00", "a\x00b", "\u202egnp", "\U0001f4a5", "\ufeff", "x" * 5000, "word " * 2000, "D1", "C1"],
    *["9999-12-31", "0001-01-01", "2026-02-29", "2026-12-01", "1970-01-01", "2199-12-31", "1900-01-01"],
    *["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "2026-12-01T09:00:00", "2199-12-31T23:59:59Z"],
    *["1900-01-01T00:00:00+14:00", "2027-06-01T00:00:00Z", "2026-12-01T09:00:60Z", "24:00"],
    *["0", "0.00", "0.01", "-1.00", "1e5", "NaN", "Infinity", "999999999999.99", "1250.00", "0.005", "1" * 40],
    *["GBP", "EUR", "achieved", "draft", "price", "quality", "continue", "stop", "%00", "../..", "';--", "${x}", "\\"],
    *[[], {}, [[]], [{}], {"": ""}, {"a": {"b": []}}, [None], ["x"] * 300, {"amount": "1.00", "currency": "GBP"}],
    *["0" * 64, "ab" * 32, str(UUID(int=0)), str(UUID(int=2**128 - 1))],
]


HEADERS = ["Accept", "Authorization", "Content-Type", "Content-Length", "Content-Encoding", "Cookie", "Host", "Range"]
HEADERS += [
    "If-Match",
    "If-None-Match",
    "Idempotency-Key",
    "X-Request-ID",
    "X-HTTP-Method-Override",
    "Expect",
    "Origin",
]
HEADERS += ["Transfer-Encoding", "Accept-Language", "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Upgrade"]


class Target:
    """A filled marketplace, its operations with their examples, its ids and its people."""

    def __init__(self, world: World, actors: list[Actor | None], ids: list[str]) -> None:
        self.call, self.actors, self.ids = Call(world.client, world.app), actors, ids
        described = document.build(world.app)
        self.operations = [
            (method.upper(), path, operation)
            for path, item in described["paths"].items()
            for method, operation in item.items()
        ]

    async def send(self, method: str, actor: Actor | None, path: str, **how: Any) -> httpx.Response:
        reply = await self.call(method, actor, path, **how)
        said = f"{method} {path} {str(how)[:1000]} -> {reply.status_code} {reply.text[:500]}"
        assert reply.status_code < 500, said
        assert reply.headers["x-request-id"], said
        if reply.status_code >= 400 and not path.startswith("/oauth/token"):
            assert reply.headers["content-type"] == "application/problem+json", said
            assert reply.json()["request_id"] == reply.headers["x-request-id"], said
        return reply


TABLES = (
    "outcomes",
    "measures",
    "lots",
    "bids",
    "awards",
    "contracts",
    "organisations",
    "memberships",
    "persons",
    "clients",
)


@pytest.fixture
async def target(world: World) -> Target:
    async with world.sessions() as db:
        buyer, vault = await council(db), vault_beside(db, world.settings)
        bidder = await supplier(db)
        await outcomes.draft(db, buyer.officer, convert(outcome_document(buyer), OutcomeDraft))
        await evaluated_lot(db, buyer, vault)
        await recommended_award(db, buyer, await evaluated_lot(db, buyer, vault))
        await pending_contract(db, buyer, vault)
        contract = await active_contract(db, buyer, vault)
        await decided_deliverable(db, buyer, contract)
        await drafted_lot(db, buyer)
        await submitted_bid(db, await published_lot(db, buyer, vault), bidder, vault)
        actors = [one for one in vars(buyer).values() if isinstance(one, Actor)]
        actors += [bidder, await build_bidder(db, contract.supplier_id), await operator(db)]
        await db.commit()
        ids = [str(id_) for table in TABLES for id_ in await db.scalars(text(f"SELECT id FROM {table}"))]
    return Target(world, [None, *actors], ids)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside, the whole included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, item in inner for place in places(item, (*at, key)))]


def put(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """`value` with `new` at this place; with nothing there if it is Ellipsis."""
    if not place:
        return None if new is ... else new
    around = value
    for key in place[:-1]:
        around = around[key]
    if new is ...:
        del around[place[-1]]
    else:
        around[place[-1]] = new
    return value


def with_ids(value: Any, draw: Any, ids: list[str]) -> Any:
    """An example's made-up ids replaced by real ones, so that more of it is reached."""
    for place in places(value):
        there = value
        for key in place:
            there = there[key]
        if isinstance(there, str) and len(there) == UUID_LENGTH and there.count("-") == 4:
            value = put(value, place, draw(st.sampled_from(ids)))
    return value


hostile = st.sampled_from(HOSTILE) | st.text(max_size=20) | st.integers() | st.floats()


def body(draw: Any, operation: dict[str, Any], ids: list[str]) -> dict[str, Any]:
    """How a request's body is sent: an example with a few things changed, any JSON, or any bytes."""
    media = next(iter(operation["requestBody"]["content"].values()))
    example = next(iter(media.get("examples", {"": {"value": {}}}).values()))["value"]
    value = with_ids(deepcopy(example), draw, ids)
    for _ in range(draw(st.integers(0, 3))):
        all_places = places(value)
        new = deepcopy(draw(hostile | st.sampled_from(ids) | st.just(...)))
        value = put(value, draw(st.sampled_from(all_places)), new)
    kind = draw(st.sampled_from(["json"] * 8 + ["bytes", "cut"]))
    try:
        raw = msgspec.json.encode(value)
    except UnicodeEncodeError:  # a lone surrogate
        raw = b'"\\ud800"'
    if kind == "bytes":
        raw = draw(st.binary(max_size=100))
    if kind == "cut":
        raw = raw[: draw(st.integers(0, len(raw)))]
    types = ["application/json"] * 9 + [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=x",
    ]
    return {"content": raw, "headers": {"Content-Type": draw(st.sampled_from(types))}}


def address(draw: Any, path: str, operation: dict[str, Any], ids: list[str]) -> str:
    """The path with real ids in it, mostly, and a query, sometimes."""
    query: list[str] = []
    for parameter in operation.get("parameters", []):
        values = [*ids, "D1", "D2", str(new_id())] if parameter["in"] == "path" else [*map(str, HOSTILE), *ids]
        value = draw(st.sampled_from(values) | st.text(min_size=1, max_size=12))
        value = quote(value.encode("utf-8", "replace"), safe="")
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", value)
        elif draw(st.booleans()):
            query.append(f"{parameter['name']}={value}")
    return f"{path}?{'&'.join(query)}" if query else path


@given(st.data())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
async def test_no_request_is_answered_by_a_5xx(target: Target, data: st.DataObject) -> None:
    draw = data.draw
    method, path, operation = draw(st.sampled_from(target.operations))
    actor = draw(st.sampled_from(target.actors))
    how = body(draw, operation, target.ids) if "requestBody" in operation else {}
    await target.send(method, actor, address(draw, path, operation, target.ids), **how)


@given(st.data())
@settings(max_examples=EXAMPLES // 3, deadline=None, suppress_health_check=list(HealthCheck))
async def test_no_header_or_path_is_answered_by_a_5xx(target: Target, data: st.DataObject) -> None:
    draw = data.draw
    names = st.sampled_from(HEADERS)
    values = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)
    headers = {name.encode(): value.encode("latin-1") for name, value in draw(st.dictionaries(names, values)).items()}
    method = draw(st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"]))
    parts = draw(
        st.lists(st.sampled_from(["v1", "lots", "oauth", "token", *target.ids]) | st.text(max_size=8), max_size=6)
    )
    path = f"{BASE_URL}/" + "/".join(quote(part.encode("utf-8", "replace"), safe="") for part in parts)
    reply = await target.call.client.request(method, path, headers=headers, content=draw(st.binary(max_size=50)))
    assert reply.status_code < 500, (method, path, headers, reply.text)


async def test_what_is_fuzzed_is_worth_it(target: Target) -> None:
    assert len(target.operations) > 80
    assert len(target.ids) > 80
    methods = {method for method, _, _ in target.operations}
    assert methods == {"GET", "POST", "PUT", "PATCH"}
    statuses = set()
    for method, path, operation in target.operations:
        if method == "GET":
            for actor in (None, target.actors[1]):
                for id_ in target.ids[:40]:
                    names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"]
                    filled = path
                    for name in names:
                        filled = filled.replace("{" + name + "}", id_)
                    statuses.add((await target.send(method, actor, filled)).status_code)
                    if not names:
                        break
    assert {200, 401, 403, 404} <= statuses

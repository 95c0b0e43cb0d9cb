"""Whatever a client sends, with whatever token, to whatever operation: never a 5xx, and every refusal a problem.

`FUZZ=20000` in the environment sends more than the default, which is worth a few seconds of everybody's day.
"""

import os
import re
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
    active_outcome,
    council,
    decided_deliverable,
    drafted_lot,
    evaluated_lot,
    operator,
    outcome_document,
    pending_contract,
    published_lot,
    recommended_award,
    seat,
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
from procure.kit.actor import Actor, Role
from procure.kit.body import convert
from procure.outcomes import service as outcomes
from procure.outcomes.schemas import OutcomeDraft

EXAMPLES = int(os.environ.get("FUZZ", "200"))
#: Of the values that are tried at each place, every so many-th.
STEP = 1 if EXAMPLES >= 1000 else 4
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


#: Where the ids of a name are found; what is named otherwise gets any id.
TABLES = {
    "award_id": "awards",
    "bid_id": "bids",
    "buyer_id": "organisations",
    "client_id": "clients",
    "contract_id": "contracts",
    "enquiry_id": "enquiries",
    "invoice_id": "invoices",
    "lot_id": "lots",
    "measure_id": "measures",
    "membership_id": "memberships",
    "organisation_id": "organisations",
    "outcome_id": "outcomes",
    "person_id": "persons",
    "supplier_id": "organisations",
}


class Target:
    """A filled marketplace: its operations with their examples, its ids and its people."""

    def __init__(self, world: World, actors: list[Actor], ids: dict[str, list[str]]) -> None:
        self.call, self.actors, self.ids = Call(world.client, world.app), actors, ids
        self.all_ids = sorted({id_ for some in ids.values() for id_ in some})
        self.operations = [
            (method.upper(), path, operation)
            for path, item in document.build(world.app)["paths"].items()
            for method, operation in item.items()
            # After the one nothing is open any more, the other never ends.
            if operation["operationId"] not in {"moveSandboxClock", "streamChanges"}
        ]

    def ids_of(self, name: str) -> list[str]:
        return self.ids.get(name.removesuffix("s")) or self.all_ids

    def entitled(self, operation: dict[str, Any]) -> list[Actor]:
        """Those whose roles have the operation's scope."""
        scopes = {scope for one in operation.get("security", []) for scope in one.get("oauth2", [])}
        return [actor for actor in self.actors if scopes <= actor.scopes]

    async def send(self, method: str, actor: Actor | None, path: str, **how: Any) -> httpx.Response:
        reply = await self.call(method, actor, path, **how)
        said = f"{method} {path} {str(how)[:1000]} -> {reply.status_code} {reply.text[:500]}"
        assert reply.status_code < 500, said
        assert reply.headers["x-request-id"], said
        # What is wrong at /oauth has a form of its own (RFC 6749, section 5.2).
        if reply.status_code >= 400 and not path.startswith("/oauth/"):
            assert reply.headers["content-type"] == "application/problem+json", said
            assert reply.json()["request_id"] == reply.headers["x-request-id"], said
        return reply


@pytest.fixture
async def target(world: World) -> Target:
    async with world.sessions() as db:
        buyer, vault = await council(db), vault_beside(db, world.settings)
        await evaluated_lot(db, buyer, vault)
        await recommended_award(db, buyer, await evaluated_lot(db, buyer, vault))
        await pending_contract(db, buyer, vault)
        contract = await active_contract(db, buyer, vault)
        await decided_deliverable(db, buyer, contract)
        await outcomes.draft(db, buyer.officer, convert(outcome_document(buyer), OutcomeDraft))
        await active_outcome(db, buyer)
        await drafted_lot(db, buyer)
        bidder = await supplier(db)
        await submitted_bid(db, await published_lot(db, buyer, vault), bidder, vault)
        actors = [one for one in vars(buyer).values() if isinstance(one, Actor)]
        actors += [bidder, await build_bidder(db, contract.supplier_id), await operator(db)]
        actors.append(await seat(db, buyer.organisation, Role.ADMIN))
        await db.commit()
        ids = {name: [str(one) for one in await db.scalars(text(f"SELECT id FROM {TABLES[name]}"))] for name in TABLES}
    return Target(world, actors, ids)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside, the whole included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, item in inner for place in places(item, (*at, key)))]


def at(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


def put(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """`value` with `new` at this place; with nothing there if it is Ellipsis."""
    if not place:
        return None if new is ... else new
    around = at(value, place[:-1])
    if new is ...:
        del around[place[-1]]
    else:
        around[place[-1]] = new
    return value


def with_ids(value: Any, draw: Any, target: Target) -> Any:
    """An example's made-up ids replaced by real ones, so that more of the code is reached."""
    for place in places(value):
        there = at(value, place)
        if isinstance(there, str) and len(there) == UUID_LENGTH and there.count("-") == 4:
            name = next((key for key in reversed(place) if isinstance(key, str)), "")
            value = put(value, place, draw(st.sampled_from(target.ids_of(name))))
    return value


def mostly(draw: Any, usual: st.SearchStrategy[Any], otherwise: st.SearchStrategy[Any]) -> Any:
    return draw(usual if draw(st.integers(0, 9)) else otherwise)


DATES = ["9999-12-31", "0001-01-01", "2199-12-31", "1900-01-01", "2026-02-29", "2026-11-24", "2027-01-31"]
INSTANTS = [
    "9999-12-31T23:59:59-12:00",
    "0001-01-01T00:00:00+14:00",
    "2199-12-31T23:59:59Z",
    "1900-01-01T00:00:00+14:00",
]
INSTANTS += ["2026-12-01T09:00:00", "2026-11-24T00:00:00Z", "2027-03-28T01:30:00+01:00"]
AMOUNTS = ["0", "0.00", "0.01", "0.005", "-1.00", "1e5", "NaN", "999999999999.99", "1000000000000", "1250.00"]
NUMBERS = [0, 1, -1, 2, 5, 100, 101, 3650, 2**31 - 1, 2**31, 2**63, 2**64 - 1, 0.5, 1e308]
TEXTS = ["", " ", "\x00", "\u202e", "\U0001f4a5" * 50, "x" * 300, "word " * 3000, "a\nb", "D1", "C1", "GBP", "stop"]


KINDS = [
    (re.compile(r"\d{4}-\d\d-\d\d"), DATES),
    (re.compile(r"\d{4}-\d\d-\d\dT.*"), INSTANTS),
    (re.compile(r"-?\d+(\.\d+)?"), AMOUNTS),
    (re.compile(r"(?s).*"), TEXTS),
]


def of_its_kind(value: Any) -> list[Any]:
    """Values as far from this one as its kind allows."""
    if isinstance(value, dict):
        return [{}, {**value, "unknown": 1}, list(value.items())]
    if isinstance(value, list):
        return [[], value * 2, value * 300, value[:1], [None]]
    if isinstance(value, str):
        return next(values for pattern, values in KINDS if pattern.fullmatch(value))
    return [not value, None, 1] if isinstance(value, bool) or value is None else NUMBERS


hostile = st.sampled_from(HOSTILE) | st.text(max_size=20) | st.integers() | st.floats()
json_type = st.just("application/json")
other_types = st.sampled_from(["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=x"])


def body(draw: Any, operation: dict[str, Any], target: Target) -> dict[str, Any]:
    """How a request's body is sent: an example with a few things changed, any JSON, or any bytes."""
    media = next(iter(operation["requestBody"]["content"].values()))
    example = next(iter(media.get("examples", {"": {"value": {}}}).values()))["value"]
    value = with_ids(deepcopy(example), draw, target)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(places(value)))
        kind = st.sampled_from(of_its_kind(at(value, place)))
        new = mostly(draw, kind, hostile | st.sampled_from(target.all_ids) | st.just(...))
        value = put(value, place, deepcopy(new))
    try:
        raw = msgspec.json.encode(value)
    except UnicodeEncodeError:  # a lone surrogate
        raw = b'"\\ud800"'
    raw = mostly(draw, st.just(raw), st.binary(max_size=100) | st.integers(0, len(raw)).map(lambda end: raw[:end]))
    return {"content": raw, "headers": {"Content-Type": mostly(draw, json_type, other_types)}}


def address(draw: Any, path: str, operation: dict[str, Any], target: Target) -> str:
    """The path with real ids in it, mostly, and a query, sometimes."""
    query: list[str] = []
    for parameter in operation.get("parameters", []):
        name = parameter["name"]
        fitting = st.sampled_from(target.ids_of(name) if name in TABLES else ["D1", "D2", "PO-1"])
        value = mostly(draw, fitting, st.sampled_from([str(one) for one in HOSTILE if one != ""]) | st.text(min_size=1))
        value = quote(value[:200].encode("utf-8", "replace"), safe="")
        if parameter["in"] == "path":
            path = path.replace("{" + name + "}", value)
        elif draw(st.booleans()):
            query.append(f"{name}={value}")
    return f"{path}?{'&'.join(query)}" if query else path


@given(st.data())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
async def test_no_request_is_answered_by_a_5xx(target: Target, data: st.DataObject) -> None:
    draw = data.draw
    method, path, operation = draw(st.sampled_from(target.operations))
    actor = mostly(draw, st.sampled_from(target.entitled(operation)), st.sampled_from([None, *target.actors]))
    how = body(draw, operation, target) if "requestBody" in operation else {}
    await target.send(method, actor, address(draw, path, operation, target), **how)


@given(st.data())
@settings(max_examples=EXAMPLES // 3, deadline=None, suppress_health_check=list(HealthCheck))
async def test_no_header_or_path_is_answered_by_a_5xx(target: Target, data: st.DataObject) -> None:
    draw = data.draw
    names = st.sampled_from(HEADERS)
    values = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)
    headers = {name.encode(): value.encode("latin-1") for name, value in draw(st.dictionaries(names, values)).items()}
    method = draw(st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"]))
    parts = draw(
        st.lists(st.sampled_from(["v1", "lots", "oauth", "token", *target.all_ids]) | st.text(max_size=8), max_size=6)
    )
    path = f"{BASE_URL}/" + "/".join(quote(part.encode("utf-8", "replace"), safe="") for part in parts)
    reply = await target.call.client.request(method, path, headers=headers, content=draw(st.binary(max_size=50)))
    assert reply.status_code < 500, (method, path, headers, reply.text)


async def test_no_value_at_no_place_of_an_example_is_answered_by_a_5xx(target: Target) -> None:
    for turn, (method, path, operation) in enumerate(target.operations):
        example, entitled = _example(operation), target.entitled(operation)
        for place in places(example) if example is not None else []:
            for value in [*of_its_kind(at(example, place)), ...][turn % STEP :: STEP]:
                changed = put(_filled_body(example, target, turn), place, deepcopy(value))
                await target.send(method, entitled[turn % len(entitled)], _filled(path, target, turn), json=changed)


@pytest.mark.skipif(EXAMPLES < 1000, reason="every parameter with every value takes long; FUZZ=1000 asks for it")
async def test_no_value_of_a_parameter_is_answered_by_a_5xx(target: Target) -> None:
    for _, path, operation in target.operations:
        for parameter in (one for one in operation.get("parameters", []) if one["in"] == "query"):
            for value in (*DATES, *INSTANTS, *map(str, NUMBERS), *TEXTS, *target.all_ids[:3]):
                query = f"{parameter['name']}={quote(value)}"
                await target.send("GET", target.entitled(operation)[0], f"{_filled(path, target, 0)}?{query}")


async def test_what_is_sent_changed_is_worth_sending_unchanged(target: Target) -> None:
    """With real ids in it the example of many an operation is taken by somebody: the requests above start from there."""
    taken = 0
    for method, path, operation in target.operations:
        assert target.entitled(operation), operation["operationId"]
        example = _example(operation)
        if example is None or any(
            one["in"] == "path" and one["name"] not in TABLES for one in operation.get("parameters", [])
        ):
            continue
        replies = [
            await target.send(method, actor, _filled(path, target, place), json=_filled_body(example, target, place))
            for actor in target.entitled(operation)[:2]
            for place in range(8)
        ]
        taken += any(reply.status_code < 300 for reply in replies)
    assert taken >= 5


def _example(operation: dict[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return next((one["value"] for one in content.get("examples", {}).values()), None)


def _filled(path: str, target: Target, place: int) -> str:
    for name in TABLES:
        ids = target.ids_of(name)
        path = path.replace("{" + name + "}", ids[place % len(ids)])
    return path


def _filled_body(example: Any, target: Target, place: int) -> Any:
    def first(strategy: Any) -> Any:
        return strategy.elements[place % len(strategy.elements)]

    return with_ids(deepcopy(example), first, target)

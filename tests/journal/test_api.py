"""The journal over HTTP: who sees what of it, in which order, how one waits for more, and how anybody checks it."""

import asyncio
import base64
import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from litestar.exceptions import LitestarException

from build import council, organisation, published_lot, seat, submitted_bid, supplier, vault_beside
from calls import ok, problem
from conftest import World
from insights.scenes import service_client
from journal.test_sealer import ORIGIN, sealed, write
from journal.test_service import whistled
from procure.identity.errors import TokenRefused
from procure.journal import controllers, lists, notes, tail
from procure.journal.events import Audience, Event, within
from procure.journal.service import record
from procure.kit import merkle
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.kit.rates import _Limit
from procure.kit.scopes import Scope

CHANGES = "/v1/changes"
REASON = {"reason": "As a test."}


async def placed(world: World, event: Event, audience: Audience | None = None, actor: Actor | None = None) -> None:
    async with world.sessions() as db:
        if audience is None:
            await write(db, event)  # type: ignore[arg-type]
        else:
            await record(db, actor or Actor(), event, audience)
        await db.commit()
    await sealed(world)


def tunes(changes: Any) -> list[str]:
    return [one["data"]["tune"] for one in changes["items"] if one["type"] == "whistle.whistled"]


async def test_a_portal_that_lost_its_database_starts_from_0_and_ends_equal(world: World) -> None:
    for n in range(7):
        await placed(world, whistled(str(n)))
    seen: list[Any] = []
    after, rounds = 0, 0
    while True:
        page = ok(await world.call.get(None, f"{CHANGES}?after={after}&limit=3"))
        seen += page["items"]
        assert page["next"] >= after
        after, rounds = page["next"], rounds + 1
        if page["is_caught_up"]:
            break
    assert (rounds, after) == (3, 7)
    assert [one["position"] for one in seen] == list(range(1, 8))
    assert [one["data"]["tune"] for one in seen] == [str(n) for n in range(7)]
    assert ok(await world.call.get(None, f"{CHANGES}?after={after}")) == {"items": [], "next": 7, "is_caught_up": True}


async def test_a_portal_that_was_away_catches_up_from_its_position(world: World) -> None:
    await placed(world, whistled("before"))
    kept = ok(await world.call.get(None, CHANGES))["next"]
    for n in range(3):
        await placed(world, whistled(f"meanwhile {n}"))
    assert tunes(ok(await world.call.get(None, f"{CHANGES}?after={kept}"))) == [f"meanwhile {n}" for n in range(3)]


async def test_each_caller_sees_their_audience_and_nothing_else(world: World) -> None:
    async with world.sessions() as db:
        buyer, rival = await council(db), await supplier(db)
        auditor = await seat(db, buyer.organisation, Role.AUDITOR)
        machine = await service_client(db, buyer.officer, Role.FINANCE)
        await db.commit()
    here = buyer.organisation.id
    assert buyer.officer.person_id is not None
    audiences = {
        "all of the buyer": within(here),
        "its approvers": within(here, roles=(Role.APPROVER,)),
        "one person": Audience(persons=(buyer.officer.person_id,)),
        "the rival": within(rival.organisation_id),
        "nobody": Audience(),
    }
    after = ok(await world.call.get(None, CHANGES))["next"]
    for tune, audience in audiences.items():
        await placed(world, whistled(tune), audience, actor=buyer.approver)
    await placed(world, whistled("everybody"))

    async def heard(actor: Actor | None) -> list[str]:
        return tunes(ok(await world.call.get(actor, f"{CHANGES}?after={after}")))

    assert await heard(None) == ["everybody"]
    assert await heard(buyer.officer) == ["all of the buyer", "one person", "everybody"]
    assert await heard(buyer.approver) == ["all of the buyer", "its approvers", "everybody"]
    assert await heard(machine) == ["all of the buyer", "everybody"]
    assert await heard(rival) == ["the rival", "everybody"]
    # An auditor sees all that their organisation did.
    assert await heard(auditor) == [*audiences, "everybody"]
    without = Actor(**{**as_values(buyer.officer), "scopes": buyer.officer.scopes - {Scope.CHANGES_READ}})
    assert await heard(without) == ["everybody"]


def as_values(actor: Actor) -> dict[str, Any]:
    return {name: getattr(actor, name) for name in actor.__dataclass_fields__}


async def test_who_did_it_is_told_to_their_own_organisation(world: World) -> None:
    async with world.sessions() as db:
        buyer, rival = await council(db), await supplier(db)
        await db.commit()
    await placed(world, whistled(), within(buyer.organisation.id, rival.organisation_id), actor=buyer.officer)
    own = ok(await world.call.get(buyer.approver, f"{CHANGES}?types=whistle.whistled"))["items"][-1]
    other = ok(await world.call.get(rival, f"{CHANGES}?types=whistle.whistled"))["items"][-1]
    assert own["by"]["person_id"] == str(buyer.officer.person_id)
    assert own | {"by": None} == other


async def test_the_sql_and_the_memory_of_who_may_see_agree(world: World) -> None:
    """The list asks the database, the stream asks memory: for every audience and caller the same."""
    async with world.sessions() as db:
        buyer, rival = await council(db), await supplier(db)
        await db.commit()
    callers = [None, buyer.officer, buyer.approver, buyer.auditor, rival]
    for organisations in ((), (buyer.organisation.id,), (rival.organisation_id, buyer.organisation.id)):
        for roles in ((), (Role.AUDITOR,), (Role.OFFICER, Role.BIDDER)):
            for persons in ((), (buyer.officer.person_id,)):
                audience = Audience(organisations=organisations, roles=roles, persons=persons)  # type: ignore[arg-type]
                await placed(world, whistled(), audience, actor=rival)
    async with world.sessions() as db:
        last = await lists.reached(db)
        for caller in callers:
            actor = caller or Actor()
            rows, _ = await lists.changes(db, actor, 0, 200)
            everything = [await _row(db, position) for position in range(1, last + 1)]
            assert [row["position"] for row in rows] == [
                row["position"] for row in everything if lists.may_see(actor, row)
            ]


async def _row(db: Any, position: int) -> dict[str, Any]:
    found = await db.execute(tail._NEW, {"after": position - 1, "limit": 1})
    return dict(found.mappings().one())


async def test_an_open_lots_bids_are_told_to_nobody_and_counted_by_no_position(world: World) -> None:
    async with world.sessions() as db:
        buyer, bidder = await council(db), await supplier(db)
        vault = vault_beside(db, world.settings)
        lot = await published_lot(db, buyer, vault)
        await db.commit()
        await sealed(world)
        before = ok(await world.call.get(bidder, CHANGES))
        await submitted_bid(db, lot, bidder, vault)
        await db.commit()
    await sealed(world)
    for caller in (None, bidder, buyer.officer, buyer.auditor):
        assert ok(await world.call.get(caller, f"{CHANGES}?after={before['next']}"))["items"] == []
    assert ok(await world.call.get(bidder, CHANGES)) == before


@pytest.mark.parametrize(
    "query",
    [
        "after=-1",
        "after=x",
        "after=9007199254740993",
        "limit=0",
        "limit=201",
        "types=",
        "types=whistle.unheard",
        "types=WHISTLE",
        "types=a.b,,c.d",
        "wait=31",
        "wait=-1",
        "after=1&after=2",
        "since=1",
    ],
)
async def test_what_can_not_be_asked_is_told(world: World, query: str) -> None:
    problem(await world.call.get(None, f"{CHANGES}?{query}"), 400, "parameters-invalid")


async def test_of_some_types_only(world: World) -> None:
    await placed(world, whistled("a"))
    found = ok(await world.call.get(None, f"{CHANGES}?types=lot.published,whistle.whistled"))
    assert tunes(found) == ["a"]
    found = ok(await world.call.get(None, f"{CHANGES}?types=lot.published"))
    assert (found["items"], found["is_caught_up"]) == ([], True)


async def test_a_look_that_finds_nothing_comes_back_with_how_far_it_went(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "LOOK_MAX", 2)
    for n in range(5):
        await placed(world, whistled(str(n)), Audience())
    await placed(world, whistled("heard"))
    looks = [ok(await world.call.get(None, f"{CHANGES}?after={after}")) for after in (0, 2, 4)]
    assert [(tunes(one), one["next"], one["is_caught_up"]) for one in looks] == [
        ([], 2, False),
        ([], 4, False),
        (["heard"], 6, True),
    ]


async def test_who_waits_is_answered_when_something_comes(world: World) -> None:
    await placed(world, whistled("before"))
    waiting = asyncio.create_task(world.call.get(None, f"{CHANGES}?after=1&wait=30"))
    await placed(world, whistled("after"))
    found = ok(await asyncio.wait_for(waiting, 20))
    assert (tunes(found), found["next"]) == (["after"], 2)
    await world.app.state.tail.close()


async def test_who_is_suspended_while_they_wait_is_told_nothing_of_what_comes_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, beyond = asyncio.Event(), world.app.state.tail.beyond

    async def waits(*arguments: Any) -> bool:
        begun.set()
        is_there: bool = await beyond(*arguments)
        return is_there

    monkeypatch.setattr(world.app.state.tail, "beyond", waits)
    async with world.sessions() as db:
        home = await organisation(db, OrganisationKind.BUYER, "Testshire Council")
        admin, member = await seat(db, home, Role.ADMIN), await seat(db, home, Role.OFFICER)
        await db.commit()
    await sealed(world)
    after = ok(await world.call.get(member, CHANGES))["next"]
    waiting = asyncio.create_task(world.call.get(member, f"{CHANGES}?after={after}&wait=30"))
    await begun.wait()
    ok(await world.call.post(admin, f"/v1/organisations/{home.id}/clients/{member.client_id}/suspend", REASON))
    await placed(world, whistled("inside"), within(home.id))
    problem(await asyncio.wait_for(waiting, 20), 403, "suspended")
    await world.app.state.tail.close()


# --- streams ---------------------------------------------------------------------------------------------------------


class Ear:
    """One who listens to the stream, below HTTP: what has been sent so far, and that it was ended."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.status = 0
        self.has_ended = asyncio.Event()
        self._moved = asyncio.Event()
        self._gone = asyncio.Event()
        self.may_send = asyncio.Event()
        self.may_send.set()

    async def receive(self) -> Any:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.may_send.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.sent += message["body"]
            if not message.get("more_body"):
                self.has_ended.set()
                self._gone.set()
        self._moved.set()

    async def heard(self, text: str) -> None:
        async with asyncio.timeout(20):
            while text.encode() not in self.sent:
                self._moved.clear()
                await self._moved.wait()

    def leave(self) -> None:
        self._gone.set()

    @property
    def positions(self) -> list[int]:
        lines = self.sent.decode().splitlines()
        return [int(line.removeprefix("id: ")) for line in lines if line.startswith("id: ")]


@asynccontextmanager
async def listening(
    world: World, actor: Actor | None = None, query: str = "", last_id: str | None = None
) -> AsyncGenerator[Ear]:
    ear = Ear()
    said = world.call.headers(actor) | ({"Last-Event-ID": last_id} if last_id else {})
    scope = {
        "type": "http",
        "method": "GET",
        "path": f"{CHANGES}/stream",
        "raw_path": f"{CHANGES}/stream".encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in said.items()],
        "client": ("127.0.0.1", 1),
        "server": ("procure.test", 80),
        "scheme": "http",
        "root_path": "",
        "http_version": "1.1",
        "state": {},
    }
    task = asyncio.create_task(world.app(scope, ear.receive, ear.send))  # type: ignore[arg-type]
    try:
        yield ear
    finally:
        ear.leave()
        ear.may_send.set()
        await asyncio.wait_for(task, 20)


@pytest.fixture
async def streaming(world: World) -> AsyncGenerator[World]:
    yield world
    await world.app.state.tail.close()


async def test_the_stream_tells_the_same_as_the_list_from_any_position(streaming: World) -> None:
    world = streaming
    for n in range(3):
        await placed(world, whistled(str(n)))
    async with listening(world, query="after=1") as ear:
        await ear.heard('"tune":"2"')
        await placed(world, whistled("3"))
        await ear.heard('"tune":"3"')
        assert ear.sent.startswith(b"retry: 2000\n\nid: 2\nevent: whistle.whistled\ndata: {")
        assert ear.positions == [2, 3, 4]
    async with listening(world, last_id="3") as ear:
        await ear.heard('"tune":"3"')
        assert ear.positions == [4]
    async with listening(world, query="types=lot.published") as ear:
        await placed(world, whistled("4"))
        await ear.heard("retry")
        assert ear.positions == []


async def test_listeners_share_what_is_read_and_each_hears_what_is_theirs(streaming: World) -> None:
    world = streaming
    async with world.sessions() as db:
        buyer, rival = await council(db), await supplier(db)
        await db.commit()
    await sealed(world)
    after = f"after={ok(await world.call.get(None, CHANGES))['next']}"
    async with (
        listening(world, None, after) as anybody,
        listening(world, buyer.officer, after) as officer,
        listening(world, rival, after) as other,
    ):
        await asyncio.gather(*(ear.heard("retry") for ear in (anybody, officer, other)))
        await placed(world, whistled("for the buyer"), within(buyer.organisation.id), actor=buyer.officer)
        await placed(world, whistled("for all"))
        await asyncio.gather(*(ear.heard("for all") for ear in (anybody, officer, other)))
        assert b"for the buyer" in officer.sent
        assert b"for the buyer" not in anybody.sent + other.sent
        await placed(world, whistled("once more"))
        await asyncio.gather(*(ear.heard("once more") for ear in (anybody, officer, other)))
        assert world.app.state.tail._kept


async def test_who_is_slow_or_was_away_reads_what_memory_has_let_go(
    streaming: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = streaming
    monkeypatch.setattr(tail, "KEPT_MAX", 2)
    await placed(world, whistled("0"))
    async with listening(world, query="after=0") as slow, listening(world, query="after=0") as quick:
        await asyncio.gather(slow.heard('"0"'), quick.heard('"0"'))
        slow.may_send.clear()
        for n in range(1, 7):
            await placed(world, whistled(str(n)))
        await quick.heard('"tune":"6"')
        assert len(world.app.state.tail._kept) == 2
        slow.may_send.set()
        await slow.heard('"tune":"6"')
        assert slow.positions == quick.positions == list(range(1, 8))


async def test_a_comment_comes_when_nothing_else_does(streaming: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world = streaming
    monkeypatch.setattr(controllers, "HEARTBEAT_S", 0.01)
    await placed(world, whistled("theirs"), Audience())
    async with listening(world) as ear:
        await ear.heard(": still here\nid: 1\n\n")


@pytest.mark.parametrize("what", ["client", "membership", "person"])
async def test_who_may_not_listen_any_more_is_cut_off(streaming: World, what: str) -> None:
    world = streaming
    async with world.sessions() as db:
        home = await organisation(db, OrganisationKind.BUYER, "Testshire Council")
        admin, member = await seat(db, home, Role.ADMIN), await seat(db, home, Role.OFFICER)
        platform = await seat(db, await organisation(db, OrganisationKind.PLATFORM, "Platform"), Role.OPERATOR)
        await db.commit()
    call, at = world.call, f"/v1/organisations/{home.id}"
    async with listening(world, member) as cut, listening(world, admin) as goes_on:
        await asyncio.gather(cut.heard("retry"), goes_on.heard("retry"))
        if what == "client":
            ok(await call.post(admin, f"{at}/clients/{member.client_id}/suspend", REASON))
        elif what == "membership":
            members = ok(await call.get(admin, f"{at}/members"))["items"]
            [mine] = [one["id"] for one in members if one["person"]["id"] == str(member.person_id)]
            ok(await call.post(admin, f"{at}/members/{mine}/end"))
        else:
            ok(await call.post(platform, f"/v1/persons/{member.person_id}/suspend", REASON))
        await sealed(world)
        await asyncio.wait_for(cut.has_ended.wait(), 20)
        await placed(world, whistled("still"))
        await goes_on.heard("still")
        assert b"still" not in cut.sent


async def test_who_has_other_roles_than_before_is_told_what_these_may_see(streaming: World) -> None:
    """Of the very entries beside which the roles were changed: neither more nor less than the list tells."""
    async with streaming.sessions() as db:
        buyer = await council(db)
        await db.commit()
    here = buyer.organisation.id
    await placed(streaming, whistled("officers"), within(here, roles=(Role.OFFICER,)), actor=buyer.approver)
    await placed(streaming, whistled("approvers"), within(here, roles=(Role.APPROVER,)), actor=buyer.approver)
    now = replace(buyer.officer, roles=frozenset({Role.APPROVER}))

    async def standing() -> Actor:
        return now

    parts = controllers._events(streaming.app.state.tail, buyer.officer, 0, None, standing)
    assert await anext(parts) == controllers._FIRST
    told = await anext(parts)
    await parts.aclose()
    assert (b"officers" in told, b"approvers" in told) == (False, True)


async def test_a_stream_is_one_request_of_its_callers_quota(streaming: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it asks whether its caller may still listen: who was away long would be out of requests, and cut off."""
    monkeypatch.setattr(controllers, "STANDING_S", 0.0)
    monkeypatch.setattr(controllers, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(streaming.app.state.rates, "_client", _Limit("client", 3))
    async with streaming.sessions() as db:
        buyer = await council(db)
        await db.commit()
    async with listening(streaming, buyer.officer) as ear:
        for n in range(5):
            await placed(streaming, whistled(str(n)))
            await ear.heard(f'"tune":"{n}"')
        assert not ear.has_ended.is_set()


async def test_a_token_that_has_ended_ends_its_stream(streaming: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world = streaming
    monkeypatch.setattr(controllers, "STANDING_S", 0.0)
    monkeypatch.setattr(controllers, "HEARTBEAT_S", 0.01)
    async with world.sessions() as db:
        buyer = await council(db)
        await db.commit()
    async with listening(world, buyer.officer) as ear:
        await ear.heard("still here")
        assert not ear.has_ended.is_set()
        world.app.state.authenticate._verified.clear()
        monkeypatch.setattr("procure.identity.authentication.verify", _refuse)
        await asyncio.wait_for(ear.has_ended.wait(), 20)


def _refuse(*_: Any, **__: Any) -> Any:
    raise TokenRefused


async def test_one_caller_has_so_many_streams_at_once(streaming: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world = streaming
    monkeypatch.setattr(world.app.state.tail, "_streams_of_one", 1)
    async with listening(world) as first:
        await first.heard("retry")
        async with listening(world) as second:
            await second.heard("streams-too-many")
            assert second.status == 429
    async with listening(world) as again:
        await again.heard("retry")


async def test_who_is_gone_before_their_stream_has_begun_is_not_counted(
    streaming: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = streaming

    async def gone(_self: Ear, _message: Any) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patched:
        patched.setattr(Ear, "send", gone)
        with pytest.raises(LitestarException):
            async with listening(world):
                pass
    gc.collect()
    assert world.app.state.tail._streams.total() == 0


async def test_when_the_service_stops_streams_end(streaming: World) -> None:
    async with listening(streaming) as ear:
        await ear.heard("retry")
        await streaming.app.state.tail.close()
        await asyncio.wait_for(ear.has_ended.wait(), 20)


# --- proofs ----------------------------------------------------------------------------------------------------------


async def test_anybody_checks_a_public_entry_by_what_is_answered_alone(world: World) -> None:
    for n in range(5):
        async with world.sessions() as db:
            await write(db, *(whistled(f"{n}.{m}") for m in range(100)))
            await db.commit()
        await sealed(world)
    key = ok(await world.call.get(None, "/v1/journal/key"))
    origin, public_key = notes.read_verifier_key(key["verifier_key"])
    assert origin == ORIGIN == key["origin"]
    checkpoints = ok(await world.call.get(None, "/v1/journal/checkpoints"))["items"]
    assert [one["size"] for one in checkpoints] == [500, 400, 300, 200, 100]
    signed = {one["size"]: notes.verify(one["note"], public_key, origin) for one in checkpoints}
    for position in (1, 100, 256, 257, 499, 500):
        for size in (None, 500, 400 if position <= 400 else 500):
            asked = f"/v1/journal/entries/{position}/proof" + (f"?size={size}" if size else "")
            proof = ok(await world.call.get(None, asked))
            root = notes.verify(proof["checkpoint"], public_key, origin).root
            leaf, hashes = proof["leaf"].encode(), [base64.b64decode(one) for one in proof["hashes"]]
            assert merkle.verify_inclusion(leaf, position - 1, proof["size"], hashes, root)
            assert not merkle.verify_inclusion(leaf + b" ", position - 1, proof["size"], hashes, root)
            assert base64.b64decode(proof["leaf_hash"]) == merkle.leaf_hash(leaf)
            assert documented()(proof) == root
            [shown] = ok(await world.call.get(None, f"{CHANGES}?after={position - 1}&limit=1"))["items"]
            assert f'"tune":"{shown["data"]["tune"]}"' in proof["leaf"]
    for old, new in ((1, 500), (100, 101), (100, 500), (256, 300), (257, 499), (500, 500)):
        proof = ok(await world.call.get(None, f"/v1/journal/consistency?since={old}&to={new}"))
        hashes = [base64.b64decode(one) for one in proof["hashes"]]
        if {old, new} <= signed.keys():
            assert merkle.verify_consistency(old, new, signed[old].root, signed[new].root, hashes)


def documented() -> Any:
    """What docs/journal.md tells readers to check a proof with."""
    code = (
        (Path(__file__).parents[2] / "docs" / "journal.md").read_text().partition("```python\n")[2].partition("```")[0]
    )
    names: dict[str, Any] = {}
    exec(code, names)
    return names["root_of"]


async def test_an_entry_that_is_not_yours_is_not_there(world: World) -> None:
    async with world.sessions() as db:
        buyer, rival = await council(db), await supplier(db)
        await db.commit()
    await sealed(world)
    await placed(world, whistled(), within(buyer.organisation.id), actor=buyer.officer)
    last = ok(await world.call.get(buyer.officer, CHANGES))["next"]
    path = f"/v1/journal/entries/{last}/proof"
    ok(await world.call.get(buyer.officer, path))
    for caller in (None, rival):
        hidden = problem(await world.call.get(caller, path), 404, "entry-not-found")
        absent = problem(await world.call.get(caller, "/v1/journal/entries/999999/proof"), 404, "entry-not-found")
        assert hidden["detail"] == absent["detail"]


async def test_a_leaf_names_nobody_who_acted_or_may_see(world: World) -> None:
    async with world.sessions() as db:
        buyer, rival = await council(db), await supplier(db)
        await db.commit()
    await placed(world, whistled("x"), within(buyer.organisation.id, rival.organisation_id), actor=buyer.officer)
    last = ok(await world.call.get(rival, CHANGES))["next"]
    leaf = ok(await world.call.get(rival, f"/v1/journal/entries/{last}/proof"))["leaf"]
    for hidden in (buyer.organisation.id, buyer.officer.person_id, buyer.officer.client_id, rival.organisation_id):
        assert str(hidden) not in leaf


async def test_what_can_not_be_proven_is_told(world: World) -> None:
    problem(await world.call.get(None, "/v1/journal/checkpoints/latest"), 404, "checkpoint-not-found")
    assert ok(await world.call.get(None, "/v1/journal/checkpoints")) == {"items": [], "next": None}
    await placed(world, whistled())
    await placed(world, whistled())
    latest = await world.call.get(None, "/v1/journal/checkpoints/latest")
    assert ok(latest)["size"] == 2
    same = await world.call.get(
        None, "/v1/journal/checkpoints/latest", headers={"If-None-Match": latest.headers["etag"]}
    )
    assert same.status_code == 304
    page = ok(await world.call.get(None, "/v1/journal/checkpoints?limit=1"))
    assert ([one["size"] for one in page["items"]], page["next"]) == ([2], 2)
    rest = ok(await world.call.get(None, f"/v1/journal/checkpoints?limit=1&before={page['next']}"))
    assert [one["size"] for one in rest["items"]] == [1]
    problem(await world.call.get(None, "/v1/journal/entries/2/proof?size=1"), 404, "proof-unknown")
    problem(await world.call.get(None, "/v1/journal/entries/1/proof?size=7"), 404, "checkpoint-not-found")
    problem(await world.call.get(None, "/v1/journal/entries/0/proof"), 404, "entry-not-found")
    for since, to in ((0, 1), (2, 1), (1, 3)):
        problem(await world.call.get(None, f"/v1/journal/consistency?since={since}&to={to}"), 404, "proof-unknown")
    problem(await world.call.get(None, "/v1/journal/consistency?since=1"), 400, "parameters-invalid")

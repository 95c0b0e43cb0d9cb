"""Nothing goes unrecorded: each operation that changes anything leaves its entry, once, and tells it to whom its catalogue says."""

from collections.abc import AsyncGenerator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from sqlalchemy import select

from build import council, published_lot, seat, supplier, vault_beside
from conftest import World, Worlds
from journal.test_sealer import sealed
from procure import catalogue
from procure.journal import service as journal
from procure.journal.events import Told
from procure.journal.models import JournalEntry
from procure.kit.actor import OrganisationKind, Role
from procure.kit.canonical import canonical
from procure.kit.scopes import roles_with
from procure.organisations.models import Organisation
from storytelling import begun, whole

#: Operations that leave nothing, each with its reason.
NOTHING = {
    "registerSupplier": "a letter is sent; whether anything happens is for whoever reads it to say",
    "getToken": "a token is proof, no effect",
    "introspectToken": "it asks",
    "revokeToken": "it takes back a proof, which no right depends on",
}
#: Of these the second reply says that it is known already.
KNOWN_ALREADY = {"placeOrder", "recordPayment"}
#: Operations whose one act is several events: as each may come, its own first.
SEVERAL: dict[str, list[list[str]]] = {
    "acceptInvitation": [["invitation.accepted", "membership.added", "person.linked"]],
    "approveAward": [["award.approved", "bid.moved", "lot.moved"]],
    "completeContract": [["contract.completed"], ["contract.completed", "outcome.measure_observed"]],
    "confirmRegistration": [
        ["registration.confirmed", "organisation.registered", "membership.added", "client.added"],
    ],
    "endWithoutAward": [["lot.moved", "bid.moved", "bid.moved"]],
    "openLot": [["opening.approved"], ["opening.approved", "lot.opened", "lot.moved"]],
    "recordPayment": [["payment.recorded", "invoice.paid"]],
    "signContract": [
        ["contract.signed"],
        ["contract.signed", "contract.activated"],
        ["contract.signed", "contract.activated", "lot.moved"],
    ],
    "withdrawAward": [["award.withdrawn", "bid.moved", "lot.moved"]],
}
#: Types that no story of success tells: other tests see them.
ELSEWHERE = {
    "act.refused",
    "bid.opening_failed",
    "contract.dropped",
    "personal.erased",
    "person.unlinked",
}


@dataclass
class Answered:
    """What was sent and answered, of one operation that changes things."""

    name: str
    status: int
    request_id: str
    said: str
    request: httpx.Request
    entries: list[JournalEntry] = field(default_factory=list)


@dataclass
class Played:
    world: World
    operations: set[str]
    answered: list[Answered]
    trials: list[str]
    entries: list[JournalEntry]


async def played(world: World) -> Played:
    """The whole story; each operation is tried before it is done."""
    story = await begun(world)
    found: list[Answered] = []
    trials: list[str] = []

    async def keep(reply: httpx.Response) -> None:
        method, path = reply.request.method, reply.request.url.path
        operation = story.document.operation(method, path)
        if method == "GET" or operation is None:
            return
        await reply.aread()
        request_id = reply.headers["x-request-id"]
        if "validate_only" in reply.request.url.query.decode():
            trials.append(request_id)
        elif reply.is_success:
            said = path + reply.text
            found.append(Answered(operation["operationId"], reply.status_code, request_id, said, reply.request))

    async def tried(name: str, actor: Any, body: Any, places: Mapping[str, Any]) -> None:
        method, path, _ = story.addresses[name]
        if method != "GET" and actor is not None and name != "moveSandboxClock":
            await world.call(method, actor, path.format(**places) + "?validate_only=true", body)

    story.look = tried
    world.client.event_hooks["response"].append(keep)
    await whole(story)
    world.client.event_hooks["response"].remove(keep)
    async with world.sessions() as db:
        entries = list(await db.scalars(select(JournalEntry).order_by(JournalEntry.id)))
    for one in found:
        one.entries = [entry for entry in entries if entry.request_id == one.request_id]
    writes = {name for name, (method, _, _) in story.addresses.items() if method != "GET"}
    return Played(world, writes, found, trials, entries)


@pytest.fixture(scope="module")
async def play(worlds: Worlds, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Played]:
    async with worlds(tmp_path_factory.mktemp("completeness")) as world:
        yield await played(world)


def fault(one: Answered) -> str | None:
    """What is wrong with the entries of one operation."""
    types = sorted(entry.type for entry in one.entries)
    said = f"{one.name} {one.status} leaves {types or 'nothing'}"
    if one.name in NOTHING or (one.name in KNOWN_ALREADY and one.status == 200):
        return said if types else None
    if one.name in SEVERAL:
        return None if types in [sorted(way) for way in SEVERAL[one.name]] else said
    if len(types) != 1:
        return said
    # Its own: about what the path names, or what was answered.
    return None if str(one.entries[0].object_id) in one.said or one.name == "moveSandboxClock" else said


def test_every_operation_that_changes_anything_leaves_exactly_its_entry(play: Played) -> None:
    assert {one.name for one in play.answered} == play.operations
    faults = sorted({said for said in map(fault, play.answered) if said})
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("times", [0, 1, 2])
async def test_an_act_that_forgets_its_entry_or_writes_it_twice_is_found(
    world: World, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    async with world.sessions() as db:
        buyer, asker = await council(db), await supplier(db)
        lot = await published_lot(db, buyer, vault_beside(db, world.settings))
        await db.commit()
    record = journal.record

    async def planted(*said: Any, **more: Any) -> None:
        for _ in range(times):
            await record(*said, **more)

    monkeypatch.setattr(journal, "record", planted)
    reply = await world.call.post(asker, f"/v1/lots/{lot.id}/enquiries", {"question": "May we ask?"})
    asked = Answered("askEnquiry", reply.status_code, reply.headers["x-request-id"], reply.text, reply.request)
    async with world.sessions() as db:
        asked.entries = list(await db.scalars(select(JournalEntry).where(JournalEntry.request_id == asked.request_id)))
    assert (reply.status_code, fault(asked) is None) == (201, times == 1)


async def recorded(world: World, requests: Collection[str]) -> list[str]:
    async with world.sessions() as db:
        of = select(JournalEntry.type).where(JournalEntry.request_id.in_(requests))
        return list(await db.scalars(of))


async def test_what_is_only_tried_leaves_nothing(play: Played) -> None:
    assert len(play.trials) > 60
    assert not await recorded(play.world, play.trials)


async def test_what_is_sent_again_leaves_nothing_more(play: Played) -> None:
    replayed = set()
    for one in play.answered:
        if "idempotency-key" in one.request.headers and one.name not in NOTHING and one.name != "moveSandboxClock":
            reply = await play.world.client.send(one.request)
            if reply.headers.get("idempotency-replayed") == "true":
                replayed.add(one.name)
                assert not await recorded(play.world, [reply.headers["x-request-id"]]), one.name
    assert len(replayed) > 40


async def test_what_is_told_is_what_the_catalogue_says_and_to_whom(play: Played) -> None:
    types = {one.type: one for one in catalogue.catalogue()}
    async with play.world.sessions() as db:
        kinds = {row.id: row.kind for row in await db.scalars(select(Organisation))}
    for entry in play.entries:
        event = types[entry.type]
        assert entry.event_version == event.event_version
        assert entry.object_type == event.object_type
        assert canonical(msgspec.json.decode(entry.payload, type=event)).decode() == entry.payload, entry.type
        told = {Told.EVERYBODY} if entry.is_public else audience(entry, kinds)
        assert told & set(event.told), f"{entry.type} is told to {told}"
        if event.readers and entry.audience_organisations:
            assert entry.audience_roles == [role.value for role in roles_with(event.readers)], entry.type
    assert types.keys() - {entry.type for entry in play.entries} == ELSEWHERE


def audience(entry: JournalEntry, kinds: Mapping[UUID, OrganisationKind]) -> set[Told]:
    """In the words of the catalogue; a word that holds of several sides is each of theirs."""
    if entry.audience_persons:
        return {Told.PERSON} if not entry.audience_organisations else set()
    sides = {kinds[id_] for id_ in entry.audience_organisations}
    found = {
        frozenset({OrganisationKind.BUYER}): {Told.BUYER, Told.ORGANISATION},
        frozenset({OrganisationKind.SUPPLIER}): {Told.SUPPLIER, Told.ORGANISATION},
        frozenset({OrganisationKind.PLATFORM}): {Told.OPERATOR, Told.ORGANISATION},
        # A lot without a bidder is opened for its buyer.
        frozenset({OrganisationKind.BUYER, OrganisationKind.SUPPLIER}): {Told.PARTIES},
    }
    if OrganisationKind.PLATFORM in sides:
        return {Told.OPERATOR, Told.ORGANISATION}
    if not sides:  # the scene is set by nobody
        return {Told.OPERATOR} if entry.type == "sandbox.clock_moved" else set()
    return found[frozenset(sides)] | ({Told.PARTIES} if entry.type == "lot.opened" else set())


#: What a colleague without the role, or the other side, may not read by the API, and so is not told: by side and role.
UNTOLD = {
    ("its", Role.EVALUATOR): "client.added client.suspended credential.added invitation.added membership.suspended",
    ("its", Role.SERVICE_OWNER): "client.added credential.revoked invitation.added membership.added person.suspended",
    ("its", Role.OFFICER): "invitation.added invitation.accepted invitation.revoked person.linked",
    (
        "buyer",
        Role.FINANCE,
    ): "panel.set interests.declared scores.locked evaluation.concluded opening.approved bid.opened",
    ("buyer", Role.ADMIN): "panel.set bid.opened contract.drawn contract.signed deliverable.submitted payment.recorded",
    (
        "buyer",
        Role.OFFICER,
    ): "order.placed invoice.received payment.recorded scores.recorded enquiry.asked bid.submitted",
    ("buyer", Role.EVALUATOR): "contract.signed deliverable.rejected invoice.received payment.recorded scores.recorded",
    (
        "supplier",
        Role.ADMIN,
    ): "bid.submitted bid.withdrawn bid.opened contract.signed invoice.received payment.recorded",
    ("supplier", Role.BIDDER): "panel.set opening.approved award.recommended evaluation.concluded lot.drafted",
}
TOLD = {
    ("its", Role.ADMIN): "client.added credential.added invitation.added membership.added person.linked",
    ("its", Role.OFFICER): "client.added credential.added membership.added membership.suspended",
    ("buyer", Role.FINANCE): "order.placed invoice.received payment.recorded contract.signed",
    ("buyer", Role.OFFICER): "panel.set evaluation.concluded bid.opened contract.signed award.recommended",
    ("supplier", Role.BIDDER): "bid.submitted bid.opened lot.opened contract.signed payment.recorded",
}


@pytest.mark.parametrize(("side", "role"), sorted({*TOLD, *UNTOLD}))
async def test_who_may_not_read_a_thing_is_not_told_what_happens_to_it(play: Played, side: str, role: Role) -> None:
    ids = {
        "its": next(one.object_id for one in play.entries if one.type == "organisation.suspended"),
        "buyer": next(one.organisation_id for one in play.entries if one.type == "panel.set"),
        "supplier": next(one.organisation_id for one in play.entries if one.type == "invoice.received"),
    }
    async with play.world.sessions() as db:
        actor = await seat(db, await db.get_one(Organisation, ids[side]), role)
        await db.commit()
    while await sealed(play.world):
        pass
    told: list[dict[str, Any]] = []
    after, is_caught_up = 0, False
    while not is_caught_up:
        page = (await play.world.call.get(actor, f"/v1/changes?limit=200&after={after}")).json()
        told, after, is_caught_up = [*told, *page["items"]], page["next"], page["is_caught_up"]
    types = {one["type"] for one in told}
    assert not types & set(UNTOLD.get((side, role), "").split())
    assert types >= set(TOLD.get((side, role), "").split())
    if side == "supplier":
        persons = {str(one.person_id) for one in play.entries if one.organisation_id == ids["buyer"]} - {"None"}
        assert persons
        assert not [one["type"] for one in told if any(person in str(one) for person in persons)]

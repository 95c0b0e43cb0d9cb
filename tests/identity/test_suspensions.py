"""Clients, memberships and persons that are suspended: from the next request on, in every process, until they are reinstated."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, council, operator, seat, supplier
from calls import Call, ok, problem
from conftest import World
from identity.test_assertions import processes
from identity.test_revocation import client_of_theirs, token_of, worth
from procure.identity.models import Membership
from procure.journal.models import JournalEntry
from procure.kit.actor import Actor, Role

PATH = "/v1/organisations"
REASON = {"reason": "Under investigation."}
KINDS = ("client", "membership", "person")


async def place(db: AsyncSession, kind: str, of: Actor) -> str:
    """Where what is suspended of this caller stands."""
    if kind == "person":
        return f"/v1/persons/{of.person_id}"
    if kind == "client":
        return f"{PATH}/{of.organisation_id}/clients/{of.client_id}"
    found = select(Membership.id).where(Membership.person_id == of.person_id)
    return f"{PATH}/{of.organisation_id}/members/{await db.scalar(found)}"


async def parties(db: AsyncSession, kind: str) -> tuple[Council, Actor]:
    """A buyer, and who may suspend this kind there: the operator a person, the buyer's own admin the rest."""
    buyer = await council(db)
    return buyer, await (operator(db) if kind == "person" else seat(db, buyer.organisation, Role.ADMIN))


@pytest.mark.parametrize("kind", KINDS)
async def test_it_acts_on_the_next_request_and_ends_with_one(db: AsyncSession, call: Call, kind: str) -> None:
    buyer, admin = await parties(db, kind)
    token, at = call.headers(buyer.officer), await place(db, kind, buyer.officer)
    ok(await call.client.get(PATH, headers=token))
    assert ok(await call.post(admin, f"{at}/suspend", REASON))["status"] == "suspended"
    for path in (PATH, "/v1/lots"):
        problem(await call.client.get(path, headers=token), 403, "suspended")
    draft = {"title": "Anything"}
    problem(await call.client.post("/v1/outcomes", headers=token, json=draft), 403, "suspended")
    ok(await call.client.get("/v1/lots"))
    ok(await call.get(buyer.approver, PATH))
    assert ok(await call.post(admin, f"{at}/reinstate", REASON))["status"] == "active"
    ok(await call.client.get(PATH, headers=token))


@pytest.mark.parametrize("kind", KINDS)
async def test_it_acts_in_every_process(world: World, kind: str) -> None:
    async with world.sessions() as db:
        buyer, admin = await parties(db, kind)
        at = await place(db, kind, buyer.officer)
        await db.commit()
    call = world.call
    async with processes(world, 2) as (one, other):
        token = call.headers(buyer.officer)
        for client in (one, other):
            ok(await client.get(PATH, headers=token))
        ok(await call.post(admin, f"{at}/suspend", REASON))
        for client in (one, other):
            problem(await client.get(PATH, headers=token), 403, "suspended")
        ok(await call.post(admin, f"{at}/reinstate", REASON))
        for client in (one, other):
            ok(await client.get(PATH, headers=token))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("act", ["suspend", "reinstate"])
async def test_of_several_at_once_one_does_it(world: World, kind: str, act: str) -> None:
    async with world.sessions() as db:
        buyer, admin = await parties(db, kind)
        at = await place(db, kind, buyer.officer)
        await db.commit()
    if act == "reinstate":
        ok(await world.call.post(admin, f"{at}/suspend", REASON))
    replies = await asyncio.gather(*(world.call.post(admin, f"{at}/{act}", REASON) for _ in range(8)))
    assert sorted(reply.status_code for reply in replies) == [200, *[409] * 7]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_over_or_as_asked_already_is_a_conflict(db: AsyncSession, call: Call, kind: str) -> None:
    buyer, admin = await parties(db, kind)
    at = await place(db, kind, buyer.officer)
    problem(await call.post(admin, f"{at}/reinstate", REASON), 409, "not-suspended")
    ok(await call.post(admin, f"{at}/suspend", REASON))
    problem(await call.post(admin, f"{at}/suspend", REASON), 409, f"{kind}-not-active")
    if kind == "person":
        return
    over = {"client": ("revoke", REASON), "membership": ("end", None)}[kind]
    ok(await call.post(admin, f"{at}/{over[0]}", over[1]))
    problem(await call.post(admin, f"{at}/suspend", REASON), 409, f"{kind}-not-active")
    problem(await call.post(admin, f"{at}/reinstate", REASON), 409, "not-suspended")
    problem(await call.get(buyer.officer, PATH), 401, "unauthenticated")


async def test_a_suspended_membership_that_ends_takes_its_clients_with_it(db: AsyncSession, call: Call) -> None:
    buyer, admin = await parties(db, "membership")
    at = await place(db, "membership", buyer.officer)
    of_client = await place(db, "client", buyer.officer)
    ok(await call.post(admin, f"{of_client}/suspend", REASON))
    ok(await call.post(admin, f"{at}/suspend", REASON))
    problem(
        await call.post(admin, f"{PATH}/{buyer.organisation.id}/members", again(buyer.officer)), 409, "membership-known"
    )
    ok(await call.post(admin, f"{at}/end"))
    problem(await call.post(admin, f"{of_client}/reinstate", REASON), 409, "not-suspended")
    ok(await call.post(admin, f"{PATH}/{buyer.organisation.id}/members", again(buyer.officer)), 201)
    problem(await call.get(buyer.officer, PATH), 401, "unauthenticated")


def again(who: Actor) -> dict[str, Any]:
    return {"person_id": str(who.person_id), "roles": ["officer"]}


async def test_nobody_makes_a_client_for_a_suspended_member(db: AsyncSession, call: Call) -> None:
    buyer, admin = await parties(db, "membership")
    ok(await call.post(admin, f"{await place(db, 'membership', buyer.officer)}/suspend", REASON))
    draft = {"name": "Another", "kind": "personal", "person_id": str(buyer.officer.person_id)}
    body = problem(await call.post(admin, f"{PATH}/{buyer.organisation.id}/clients", draft), 422, "client-invalid")
    assert [fault["code"] for fault in body["errors"]] == ["not-a-member"]


async def test_no_token_is_had_and_none_is_worth_anything(
    db: AsyncSession, client: httpx.AsyncClient, call: Call
) -> None:
    buyer, admin = await parties(db, "client")
    mine = await client_of_theirs(db, buyer.officer, admin, Role.OFFICER)
    beside = await client_of_theirs(db, buyer.officer, admin, Role.FINANCE)
    token, at = await token_of(client, mine), f"{PATH}/{buyer.organisation.id}/clients/{mine[0]}"
    assert (await worth(client, beside, token))["active"] is True
    ok(await call.post(admin, f"{at}/suspend", REASON))
    refused = await client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=mine)
    assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")
    guessed = await client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=(mine[0], "guess"))
    assert (guessed.status_code, guessed.json()["error"]) == (401, "invalid_client")
    assert await worth(client, beside, token) == {"active": False}
    secret = ok(await call.post(admin, f"{at}/secrets", {}), 201)["client_secret"]
    ok(await call.post(admin, f"{at}/reinstate", REASON))
    assert (await worth(client, beside, token))["active"] is True
    await token_of(client, (mine[0], secret))


async def test_a_persons_organisations_read_why_and_others_do_not(db: AsyncSession, call: Call) -> None:
    buyer, platform = await parties(db, "person")
    elsewhere = await supplier(db)
    at = await place(db, "person", elsewhere)
    joined = {"person_id": str(elsewhere.person_id), "roles": ["auditor"]}
    ok(await call.post(platform, f"{PATH}/{buyer.organisation.id}/members", joined), 201)
    ok(await call.post(platform, f"{at}/suspend", REASON))
    found = select(JournalEntry).where(JournalEntry.object_id == elsewhere.person_id)
    entry = (await db.scalars(found)).one()
    assert entry.type == "person.suspended"
    assert set(entry.audience_organisations) == {
        buyer.organisation.id,
        elsewhere.organisation_id,
        platform.organisation_id,
    }
    problem(await call.get(elsewhere, PATH), 403, "suspended")
    assert ok(await call.get(platform, at))["version"] == 2


async def test_persons_are_the_operators_and_clients_and_members_the_organisations_own(
    db: AsyncSession, call: Call
) -> None:
    buyer, admin = await parties(db, "client")
    other = await council(db)
    elsewhere = await seat(db, other.organisation, Role.ADMIN)
    person = await place(db, "person", buyer.officer)
    for act in ("/suspend", "/reinstate"):
        problem(await call.post(admin, person + act, REASON), 403, "scope-missing")
    problem(await call.get(admin, person), 403, "scope-missing")
    forged = replace(admin, scopes=admin.scopes | {"persons:manage"})
    problem(await call.post(forged, f"{person}/suspend", REASON), 403, "scope-missing")
    for kind in ("client", "membership"):
        at = await place(db, kind, buyer.officer)
        problem(await call.post(elsewhere, f"{at}/suspend", REASON), 404, "organisation-not-found")
        moved = at.replace(str(buyer.organisation.id), str(other.organisation.id))
        problem(await call.post(elsewhere, f"{moved}/suspend", REASON), 404, f"{kind}-not-found")
    problem(await call.post(await operator(db), f"/v1/persons/{uuid4()}/suspend", REASON), 404, "person-not-found")
    ok(await call.get(buyer.officer, PATH))

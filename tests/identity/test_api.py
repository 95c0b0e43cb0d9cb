"""Members and clients over HTTP: who manages whose, and what each act leaves behind."""

import asyncio
import hashlib
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from build import council, operator, organisation, seat, supplier
from calls import Call, ok, problem
from conftest import World
from procure.identity.models import Client, Credential, Membership
from procure.journal.models import JournalEntry, JournalPersonal
from procure.kit.actor import Actor, OrganisationKind, Role

NOBODY = UUID("0199c0de-0000-7000-8000-000000000000")
OFFICER = {"person": {"name": "Example Officer"}, "roles": ["officer"]}
SERVICE = {"name": "Finance system", "kind": "service", "roles": ["finance"]}


def path(organisation_id: UUID | None, *more: object) -> str:
    return "/".join(["/v1/organisations", str(organisation_id), *(str(one) for one in more)])


async def entries(db: AsyncSession, object_id: str) -> list[JournalEntry]:
    found = select(JournalEntry).where(JournalEntry.object_id == UUID(object_id)).order_by(JournalEntry.id)
    return list(await db.scalars(found))


async def personal(db: AsyncSession, entry: JournalEntry) -> bytes:
    return (await db.scalars(select(JournalPersonal.data).where(JournalPersonal.entry_id == entry.id))).one()


async def admin_of_a_buyer(db: AsyncSession) -> Actor:
    return await seat(db, await organisation(db, OrganisationKind.BUYER, "Testshire Council"), Role.ADMIN)


async def test_an_admin_adds_a_new_person_and_the_name_stands_beside_the_journal(db: AsyncSession, call: Call) -> None:
    admin = await admin_of_a_buyer(db)
    draft = {"person": {"name": "Example Approver"}, "roles": ["approver", "officer"], "budget_holder": True}
    member = ok(await call.post(admin, path(admin.organisation_id, "members"), draft), 201)
    assert member["person"]["name"] == "Example Approver"
    assert (member["roles"], member["budget_holder"]) == (["approver", "officer"], True)
    assert (member["status"], member["version"]) == ("active", 1)
    [entry] = await entries(db, member["id"])
    assert (entry.type, entry.object_version) == ("membership.added", 1)
    assert (entry.is_public, entry.audience_organisations) == (False, [admin.organisation_id])
    assert "Example" not in entry.payload
    assert b'"name":"Example Approver"' in await personal(db, entry)


async def test_the_operator_manages_members_and_clients_of_any_organisation(db: AsyncSession, call: Call) -> None:
    platform, bidder = await operator(db), await supplier(db)
    there = bidder.organisation_id
    draft = {"person": {"name": "Example Bidder"}, "roles": ["bidder"]}
    member = ok(await call.post(platform, path(there, "members"), draft), 201)
    client = ok(await call.post(platform, path(there, "clients"), SERVICE | {"roles": ["viewer"]}), 201)
    for made in (member, client):
        [entry] = await entries(db, made["id"])
        assert set(entry.audience_organisations) == {there, platform.organisation_id}
    assert len(ok(await call.get(platform, path(there, "members")))["items"]) == 2
    assert len(ok(await call.get(platform, path(there, "clients")))["items"]) == 2


async def test_another_organisation_does_not_exist_for_an_admin(db: AsyncSession, call: Call) -> None:
    admin, other = await admin_of_a_buyer(db), await council(db)
    there = other.organisation.id
    member = (await db.scalars(select(Membership).where(Membership.organisation_id == there))).first()
    client = (await db.scalars(select(Client).where(Client.organisation_id == there))).first()
    assert member is not None
    assert client is not None
    for foreign in (there, NOBODY):
        for reply in (
            await call.get(admin, path(foreign, "members")),
            await call.post(admin, path(foreign, "members"), OFFICER),
            await call.post(admin, path(foreign, "members", member.id, "end")),
            await call.get(admin, path(foreign, "clients")),
            await call.post(admin, path(foreign, "clients"), SERVICE),
            await call.post(admin, path(foreign, "clients", client.id, "revoke"), {"reason": "Because."}),
        ):
            problem(reply, 404, "organisation-not-found")
    # Nor does what is the other's, under one's own address.
    here = admin.organisation_id
    problem(await call.post(admin, path(here, "members", member.id, "end")), 404, "membership-not-found")
    reply = await call.post(admin, path(here, "clients", client.id, "revoke"), {"reason": "Because."})
    problem(reply, 404, "client-not-found")
    await db.refresh(member)
    await db.refresh(client)
    assert (member.status, client.status) == ("active", "active")


async def test_an_operator_is_told_what_is_not_there(db: AsyncSession, call: Call) -> None:
    platform = await operator(db)
    problem(await call.get(platform, path(NOBODY, "members")), 404, "organisation-not-found")
    problem(await call.post(platform, path(NOBODY, "clients"), SERVICE), 404, "organisation-not-found")


async def test_only_an_admin_or_the_operator_manages(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    here = buyer.organisation.id
    for actor in (buyer.officer, buyer.approver, buyer.finance, buyer.auditor):
        problem(await call.post(actor, path(here, "members"), OFFICER), 403, "scope-missing")
        problem(await call.post(actor, path(here, "members", NOBODY, "end")), 403, "scope-missing")
        problem(await call.post(actor, path(here, "clients"), SERVICE), 403, "scope-missing")
        reply = await call.post(actor, path(here, "clients", NOBODY, "revoke"), {"reason": "Because."})
        problem(reply, 403, "scope-missing")
    problem(await call.get(None, path(here, "members")), 401, "unauthenticated")
    problem(await call.post(None, path(here, "clients"), SERVICE), 401, "unauthenticated")


async def test_colleagues_read_who_is_who_at_home(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    names = ok(await call.get(buyer.officer, path(buyer.organisation.id, "members")))["items"]
    assert {UUID(one["person"]["id"]) for one in names} >= {buyer.officer.person_id, buyer.approver.person_id}
    assert len(ok(await call.get(buyer.auditor, path(buyer.organisation.id, "clients")))["items"]) == len(names)


async def test_members_and_clients_are_listed_in_pages_newest_first(db: AsyncSession, call: Call) -> None:
    admin = await admin_of_a_buyer(db)
    for what, draft in (("members", OFFICER), ("clients", SERVICE)):
        listed = path(admin.organisation_id, what)
        made = [ok(await call.post(admin, listed, draft), 201)["id"] for _ in range(3)]
        seen: list[str] = []
        following: str | None = f"{listed}?limit=2"
        while following:
            page = ok(await call.get(admin, following))
            seen += [item["id"] for item in page["items"]]
            following = page["next"]
        assert seen[:3] == list(reversed(made))
        assert len(seen) == 4  # the admin's own


@pytest.mark.parametrize(
    ("draft", "slug", "pointers"),
    [
        ({"roles": ["officer"]}, "membership-invalid", ["/person"]),
        (OFFICER | {"person_id": str(NOBODY)}, "membership-invalid", ["/person"]),
        (OFFICER | {"roles": ["bidder"], "budget_holder": True}, "membership-invalid", ["/roles/0", "/budget_holder"]),
        (OFFICER | {"roles": ["operator"]}, "membership-invalid", ["/roles/0"]),
        ({"person_id": str(NOBODY), "roles": ["officer"]}, "membership-invalid", ["/person_id"]),
        (OFFICER | {"roles": []}, "body-invalid", ["/roles"]),
        (OFFICER | {"roles": ["king"]}, "body-invalid", ["/roles/0"]),
        ({"person": {"name": ""}}, "body-invalid", ["/person/name", "/roles"]),
        (OFFICER | {"person": {"name": "x" * 101, "mail": "y"}}, "body-invalid", ["/person/mail", "/person/name"]),
        (OFFICER | {"status": "active"}, "body-invalid", ["/status"]),
    ],
)
async def test_a_member_who_does_not_fit_is_refused_with_every_fault(
    db: AsyncSession, call: Call, draft: dict[str, Any], slug: str, pointers: list[str]
) -> None:
    admin = await admin_of_a_buyer(db)
    body = problem(await call.post(admin, path(admin.organisation_id, "members"), draft), 422, slug)
    found = [fault["pointer"] for fault in body["errors"]]
    assert (found if slug == "membership-invalid" else sorted(found)) == pointers


async def test_a_person_is_a_member_once(db: AsyncSession, call: Call) -> None:
    admin = await admin_of_a_buyer(db)
    members = path(admin.organisation_id, "members")
    again = {"person_id": str(admin.person_id), "roles": ["officer"]}
    problem(await call.post(admin, members, again), 409, "membership-known")


async def test_who_comes_back_takes_up_the_old_membership_with_new_roles(db: AsyncSession, call: Call) -> None:
    admin = await admin_of_a_buyer(db)
    members = path(admin.organisation_id, "members")
    first = ok(await call.post(admin, members, OFFICER), 201)
    ended = ok(await call.post(admin, f"{members}/{first['id']}/end"))
    assert (ended["status"], ended["version"]) == ("ended", 2)
    assert ended["person"] == first["person"]
    problem(await call.post(admin, f"{members}/{first['id']}/end"), 409, "membership-not-active")
    again = {"person_id": first["person"]["id"], "roles": ["approver"], "budget_holder": True}
    back = ok(await call.post(admin, members, again), 201)
    assert (back["id"], back["version"], back["status"]) == (first["id"], 3, "active")
    assert (back["roles"], back["budget_holder"]) == (["approver"], True)
    told = await entries(db, first["id"])
    assert [entry.type for entry in told] == ["membership.added", "membership.ended", "membership.added"]
    assert [entry.object_version for entry in told] == [1, 2, 3]


async def test_a_person_of_elsewhere_is_the_operators_to_add_and_nobody_elses(db: AsyncSession, call: Call) -> None:
    admin, platform, bidder = await admin_of_a_buyer(db), await operator(db), await supplier(db, "Somebody else")
    members = path(admin.organisation_id, "members")
    draft = {"person_id": str(bidder.person_id), "roles": ["evaluator"]}
    body = problem(await call.post(admin, members, draft), 422, "membership-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/person_id"]
    added = ok(await call.post(platform, members, draft), 201)
    assert added["person"]["id"] == str(bidder.person_id)


async def test_a_client_is_shown_its_secret_once_and_only_the_hash_is_kept(db: AsyncSession, call: Call) -> None:
    admin = await admin_of_a_buyer(db)
    clients = path(admin.organisation_id, "clients")
    reply = await call.post(admin, clients, SERVICE)
    made = ok(reply, 201)
    secret = made.pop("client_secret")
    assert reply.headers["cache-control"] == "no-store"
    assert len(secret) == 43
    row = (await db.scalars(select(Credential).where(Credential.client_id == UUID(made["id"])))).one()
    assert row.secret_hash == hashlib.sha256(secret.encode()).digest()
    listed = await call.get(admin, clients)
    assert secret not in listed.text
    assert ok(listed)["items"][0] == made
    [entry] = await entries(db, made["id"])
    assert (entry.type, entry.audience_organisations) == ("client.added", [admin.organisation_id])
    assert "Finance system" not in entry.payload
    apart = await personal(db, entry)
    assert b"Finance system" in apart
    for kept in (entry.payload.encode(), apart):
        assert secret.encode() not in kept
        assert row.secret_hash.hex().encode() not in kept


async def test_a_personal_client_is_of_an_active_member(db: AsyncSession, call: Call) -> None:
    admin, bidder = await admin_of_a_buyer(db), await supplier(db)
    here = admin.organisation_id
    member = ok(await call.post(admin, path(here, "members"), OFFICER), 201)
    draft = {"name": "Laptop", "kind": "personal", "person_id": member["person"]["id"]}
    made = ok(await call.post(admin, path(here, "clients"), draft), 201)
    assert (made["person_id"], made["roles"]) == (member["person"]["id"], [])
    ok(await call.post(admin, path(here, "members", member["id"], "end")))
    for person_id in (member["person"]["id"], str(bidder.person_id), str(NOBODY)):
        reply = await call.post(admin, path(here, "clients"), draft | {"person_id": person_id})
        body = problem(reply, 422, "client-invalid")
        assert [fault["pointer"] for fault in body["errors"]] == ["/person_id"]


@pytest.mark.parametrize(
    ("draft", "slug", "pointers"),
    [
        ({"name": "A", "kind": "personal", "roles": ["officer"]}, "client-invalid", ["/roles", "/person_id"]),
        ({"name": "A", "kind": "service"}, "client-invalid", ["/roles"]),
        (SERVICE | {"roles": ["bidder"], "person_id": str(NOBODY)}, "client-invalid", ["/person_id", "/roles/0"]),
        ({"kind": "robot", "name": "", "secret": "x"}, "body-invalid", ["/kind", "/name", "/secret"]),
    ],
)
async def test_a_client_that_does_not_fit_is_refused_with_every_fault(
    db: AsyncSession, call: Call, draft: dict[str, Any], slug: str, pointers: list[str]
) -> None:
    admin = await admin_of_a_buyer(db)
    body = problem(await call.post(admin, path(admin.organisation_id, "clients"), draft), 422, slug)
    found = [fault["pointer"] for fault in body["errors"]]
    assert (found if slug == "client-invalid" else sorted(found)) == pointers


async def test_a_client_is_revoked_once_with_a_reason(db: AsyncSession, call: Call) -> None:
    admin = await admin_of_a_buyer(db)
    clients = path(admin.organisation_id, "clients")
    made = ok(await call.post(admin, clients, SERVICE), 201)
    address = f"{clients}/{made['id']}/revoke"
    problem(await call.post(admin, address, {}), 422, "body-invalid")
    revoked = ok(await call.post(admin, address, {"reason": "The portal has been replaced."}))
    assert (revoked["status"], revoked["version"]) == ("revoked", 2)
    problem(await call.post(admin, address, {"reason": "Again."}), 409, "client-not-active")
    assert [entry.type for entry in await entries(db, made["id"])] == ["client.added", "client.revoked"]


async def test_who_leaves_takes_their_clients_with_them(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    admin = await seat(db, buyer.organisation, Role.ADMIN)
    here = buyer.organisation.id
    found = select(Membership.id).where(Membership.person_id == buyer.officer.person_id)
    membership_id = (await db.scalars(found)).one()
    ok(await call.post(admin, path(here, "members", membership_id, "end")))
    listed = ok(await call.get(admin, path(here, "clients")))["items"]
    revoked = [one["id"] for one in listed if one["status"] == "revoked"]
    assert revoked == [str(buyer.officer.client_id)]
    [entry] = await entries(db, str(membership_id))
    assert f'"revoked_client_ids":["{buyer.officer.client_id}"]' in entry.payload
    # One act, one entry: the clients' ends are told with the membership's.
    assert await entries(db, str(buyer.officer.client_id)) == []


async def test_a_person_joins_once_however_many_admins_add_them_at_once(world: World) -> None:
    async with world.sessions() as db:
        platform, bidder = await operator(db), await supplier(db)
        there = await organisation(db, OrganisationKind.BUYER, "Testshire Council")
        await db.commit()
    draft = {"person_id": str(bidder.person_id), "roles": ["officer"]}
    members = path(there.id, "members")
    replies = await asyncio.gather(*(world.call.post(platform, members, draft) for _ in range(8)))
    assert sorted(reply.status_code for reply in replies) == [201, *[409] * 7]


async def test_no_client_is_made_for_somebody_who_is_leaving(world: World) -> None:
    """However the two acts race, nobody who has left keeps a client that works."""
    async with world.sessions() as db:
        platform = await operator(db)
        there = await organisation(db, OrganisationKind.BUYER, "Testshire Council")
        people = [await seat(db, there, Role.OFFICER) for _ in range(6)]
        rows = (await db.scalars(select(Membership).where(Membership.organisation_id == there.id))).all()
        membership = {row.person_id: row.id for row in rows}
        await db.commit()

    async def leave(person: Actor) -> None:
        assert person.person_id is not None
        address = path(there.id, "members", membership[person.person_id], "end")
        ok(await world.call.post(platform, address))

    async def make(person: Actor) -> int:
        draft = {"name": "Laptop", "kind": "personal", "person_id": str(person.person_id)}
        return (await world.call.post(platform, path(there.id, "clients"), draft)).status_code

    made = await asyncio.gather(*(act(person) for person in people for act in (leave, make)))
    assert set(made) <= {None, 201, 422}
    async with world.sessions() as db:
        rows_left = (await db.scalars(select(Client).where(Client.organisation_id == there.id))).all()
        assert {row.status for row in rows_left} == {"revoked"}

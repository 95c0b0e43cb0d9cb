"""Invitations: who is let in by which sign-on, once; and that no organisation opens another by one."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, council, operator, seat, supplier
from calls import Call, ok, problem
from conftest import World
from described import client_of
from identity.issuing import AUDIENCE, SignOnServer
from insights.scenes import service_client
from procure.app import create_app
from procure.identity import rules, sign_ons
from procure.identity import service as identity
from procure.identity.invitations import service as invitations
from procure.identity.models import Invitation, Membership, Person, PersonIdentity
from procure.identity.rules import MembershipStatus, PersonStatus
from procure.identity.schemas import MemberDraft
from procure.journal.models import JournalEntry, JournalPersonal
from procure.kit.actor import Actor, Known, Role
from procure.kit.clock import wall_now
from procure.kit.db import Sessions
from procure.kit.settings import Settings
from procure.organisations.models import Organisation
from procure.organisations.rules import OrganisationStatus
from procure.vault.keyring import FileKeyring

ACCEPT, ME = "/v1/invitations/accept", "/v1/me"
OFFICER: dict[str, Any] = {"person": {"name": "Example Officer"}, "roles": ["officer"]}
REASON = {"reason": "A slip."}


@dataclass
class Ground:
    """A service that believes one sign-on, and two councils with an admin each."""

    call: Call
    db: AsyncSession
    sign_on: SignOnServer
    here: Council
    admin: Actor
    elsewhere: Council
    other_admin: Actor
    platform: Actor

    def by(self, subject: str, of: Council | None = None) -> Actor:
        """Whoever comes by this sign-on, for this organisation if one is named."""
        return Actor(sign_on=Known(self.sign_on.issuer, subject), organisation_id=of.organisation.id if of else None)

    async def invite(self, admin: Actor, draft: dict[str, Any] | None = None) -> dict[str, Any]:
        found: dict[str, Any] = ok(await self.call.post(admin, path(admin), draft or OFFICER), 201)
        return found

    async def come(self, subject: str, admin: Actor, draft: dict[str, Any] | None = None) -> dict[str, Any]:
        code = (await self.invite(admin, draft))["code"]
        found: dict[str, Any] = ok(await self.call.post(self.by(subject), ACCEPT, {"code": code}))
        return found

    async def enter(self, person_id: UUID | None, of: Council, *roles: Role) -> None:
        """Make a person who is known a member of another organisation too, as the operator does it."""
        await identity.add_member(
            self.db, self.platform, of.organisation.id, MemberDraft(person_id=person_id, roles=list(roles))
        )


def path(admin: Actor, *more: object) -> str:
    return "/".join(["/v1/organisations", str(admin.organisation_id), "invitations", *map(str, more)])


@pytest.fixture
async def ground(
    settings: Settings, sessions: Sessions, vault: FileKeyring, db: AsyncSession, sign_on: SignOnServer
) -> AsyncGenerator[Ground]:
    believing = msgspec.structs.replace(settings, oidc_issuers=f"{sign_on.issuer} {AUDIENCE}")
    app = create_app(believing, sessions=sessions, vault=vault)
    here, elsewhere = await council(db), await council(db, name="Otherham Council")
    admins = [await seat(db, one.organisation, Role.ADMIN) for one in (here, elsewhere)]
    async with client_of(app) as client:
        yield Ground(Call(client, app), db, sign_on, here, admins[0], elsewhere, admins[1], await operator(db))


async def of_type(db: AsyncSession, type_: str) -> JournalEntry:
    """The one entry of this type."""
    return (await db.scalars(select(JournalEntry).where(JournalEntry.type == type_))).one()


async def personal(db: AsyncSession, entry: JournalEntry) -> bytes:
    found = await db.scalar(select(JournalPersonal.data).where(JournalPersonal.entry_id == entry.id))
    return found or b""


# --- who comes ------------------------------------------------------------------------------------------------------


async def test_somebody_new_comes_by_their_own_sign_on_and_acts(ground: Ground) -> None:
    call, dora = ground.call, ground.by("dora")
    problem(await call.get(dora, ME), 403, "sign-on-unknown")
    invitation = await ground.invite(ground.admin)
    assert wall_now() + timedelta(days=13) < msgspec.convert(invitation["expires_at"], type=type(wall_now()))
    member = ok(await call.post(dora, ACCEPT, {"code": invitation["code"]}))
    assert (member["person"]["name"], member["roles"]) == ("Example Officer", ["officer"])
    assert member["organisation_id"] == str(ground.here.organisation.id)
    me = ok(await call.get(dora, ME))
    assert (me["person"], me["client"], me["roles"]) == (member["person"], None, ["officer"])
    ok(await call.get(dora, "/v1/tasks"))
    [listed] = ok(await call.get(ground.admin, path(ground.admin)))["items"]
    assert (listed["status"], listed["accepted_by"]) == ("accepted", member["person"]["id"])
    assert "code" not in listed


async def test_the_journal_tells_of_it_and_names_stand_beside(ground: Ground) -> None:
    invitation = await ground.invite(ground.admin)
    member = ok(await ground.call.post(ground.by("dora"), ACCEPT, {"code": invitation["code"]}))
    db, here = ground.db, ground.here.organisation.id
    for type_, by in (
        ("invitation.added", ground.admin.person_id),
        ("invitation.accepted", UUID(member["person"]["id"])),
        ("membership.added", UUID(member["person"]["id"])),
        ("person.linked", UUID(member["person"]["id"])),
    ):
        entry = await of_type(db, type_)
        assert (entry.person_id, entry.organisation_id, entry.is_public) == (by, here, False)
        assert entry.audience_organisations == [here]
        assert not {"Example", "dora", invitation["code"]} & set(entry.payload.replace('"', " ").split())
    assert b"Example Officer" in await personal(db, await of_type(db, "invitation.added"))
    assert b"dora" in await personal(db, await of_type(db, "person.linked"))
    row = await db.get_one(Invitation, UUID(invitation["id"]))
    assert row.code_hash == rules.hash_secret(invitation["code"])


async def test_who_is_known_by_the_sign_on_stays_that_person(ground: Ground) -> None:
    first = await ground.come("dora", ground.admin)
    second = await ground.come("dora", ground.other_admin, {"person": {"name": "Another name"}, "roles": ["auditor"]})
    assert second["person"] == first["person"]
    call = ground.call
    problem(await call.get(ground.by("dora"), "/v1/tasks"), 400, "organisation-not-named")
    me = ok(await call.get(ground.by("dora"), ME))
    assert (me["organisation"], me["roles"], me["scopes"]) == (None, [], [])
    assert {one["organisation"]["name"]: one["roles"] for one in me["memberships"]} == {
        "Testshire Council": ["officer"],
        "Otherham Council": ["auditor"],
    }
    for at, roles in ((ground.here, ["officer"]), (ground.elsewhere, ["auditor"])):
        me = ok(await call.get(ground.by("dora", at), ME))
        assert (me["organisation"]["id"], me["roles"]) == (str(at.organisation.id), roles)


async def test_who_has_left_takes_up_the_old_membership(ground: Ground) -> None:
    first = await ground.come("dora", ground.admin)
    ok(await ground.call.post(ground.admin, f"/v1/organisations/{first['organisation_id']}/members/{first['id']}/end"))
    problem(await ground.call.get(ground.by("dora"), "/v1/tasks"), 403, "not-a-member")
    assert ok(await ground.call.get(ground.by("dora"), ME))["memberships"] == []
    again = await ground.come("dora", ground.admin, {"person": {"name": "Dora"}, "roles": ["auditor"]})
    assert (again["id"], again["person"], again["roles"]) == (first["id"], first["person"], ["auditor"])


async def test_a_member_links_their_sign_on_and_keeps_their_roles(ground: Ground) -> None:
    officer = ground.here.officer
    member = await ground.come("oscar", ground.admin, {"person_id": str(officer.person_id)})
    assert (member["person"]["id"], member["roles"]) == (str(officer.person_id), ["officer"])
    me = ok(await ground.call.get(ground.by("oscar"), ME))
    assert me["person"]["id"] == str(officer.person_id)
    by_client = ok(await ground.call.get(officer, ME))
    assert (by_client["client"]["kind"], by_client["person"]) == ("personal", me["person"])
    assert (by_client["roles"], by_client["scopes"], by_client["memberships"]) == (
        me["roles"],
        me["scopes"],
        me["memberships"],
    )


async def test_a_retry_is_answered_the_same_and_another_caller_is_not(ground: Ground) -> None:
    code, key = (await ground.invite(ground.admin))["code"], str(uuid4())
    first = await ground.call.post(ground.by("dora"), ACCEPT, {"code": code}, key=key)
    again = await ground.call.post(ground.by("dora"), ACCEPT, {"code": code}, key=key)
    assert (ok(again), again.headers["idempotency-replayed"]) == (ok(first), "true")
    problem(await ground.call.post(ground.by("eve"), ACCEPT, {"code": code}, key=key), 409, "invitation-not-open")


async def test_a_trial_lets_nobody_in(ground: Ground) -> None:
    code = (await ground.invite(ground.admin))["code"]
    ok(await ground.call.post(ground.by("dora"), f"{ACCEPT}?validate_only=true", {"code": code}))
    problem(await ground.call.get(ground.by("dora"), ME), 403, "sign-on-unknown")
    ok(await ground.call.post(ground.by("dora"), ACCEPT, {"code": code}))


# --- who does not ---------------------------------------------------------------------------------------------------


async def test_a_code_is_good_once_and_not_after_its_end(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    call = ground.call
    used, revoked, late = [await ground.invite(ground.admin) for _ in range(3)]
    ok(await call.post(ground.by("dora"), ACCEPT, {"code": used["code"]}))
    for subject in ("dora", "eve"):
        problem(await call.post(ground.by(subject), ACCEPT, {"code": used["code"]}), 409, "invitation-not-open")
    assert ok(await call.post(ground.admin, path(ground.admin, revoked["id"], "revoke"), REASON))["status"] == "revoked"
    problem(await call.post(ground.by("eve"), ACCEPT, {"code": revoked["code"]}), 409, "invitation-not-open")
    for one in (used, revoked):
        at = path(ground.admin, one["id"], "revoke")
        problem(await call.post(ground.admin, at, REASON), 409, "invitation-not-open")
    ends = rules.INVITATION_DAYS
    for days, status in ((ends, 409), (ends - 0.001, 200)):
        moment = wall_now() + timedelta(days=days)
        with monkeypatch.context() as patched:
            patched.setattr(invitations, "wall_now", lambda at=moment: at)
            reply = await call.post(ground.by("eve"), ACCEPT, {"code": late["code"]})
            assert reply.status_code == status, reply.text


async def test_who_guesses_learns_nothing_and_is_slowed(
    ground: Ground, settings: Settings, sessions: Sessions, vault: FileKeyring
) -> None:
    code = (await ground.invite(ground.admin))["code"]
    for guess in ("A" * 43, code[:-1] + ("A" if code[-1] != "A" else "E"), code.swapcase()):
        told = problem(await ground.call.post(ground.by("eve"), ACCEPT, {"code": guess}), 404, "invitation-not-found")
        assert told["detail"] == "There is no invitation with this code."
    for malformed in ("", code[:-1], f"{code}A", "A" * 42 + "!", 7, None):
        problem(await ground.call.post(ground.by("eve"), ACCEPT, {"code": malformed}), 422, "body-invalid")
    slow = msgspec.structs.replace(settings, oidc_issuers=f"{ground.sign_on.issuer} {AUDIENCE}", rate_address=3)
    app = create_app(slow, sessions=sessions, vault=vault)
    async with client_of(app) as client:
        call = Call(client, app)
        for number in range(3):
            reply = await call.post(ground.by(f"eve {number}"), ACCEPT, {"code": "A" * 43})
            problem(reply, 404, "invitation-not-found")
        problem(await call.post(ground.by("eve 3"), ACCEPT, {"code": code}), 429, "too-many-requests")


async def test_only_a_sign_on_accepts(ground: Ground) -> None:
    code = (await ground.invite(ground.admin))["code"]
    for client in (ground.here.officer, ground.admin, await service_client(ground.db, ground.admin, Role.ADMIN)):
        problem(await ground.call.post(client, ACCEPT, {"code": code}), 403, "sign-on-needed")
    problem(await ground.call.post(None, ACCEPT, {"code": code}), 401, "unauthenticated")
    forged = {"Authorization": f"Bearer {ground.sign_on.token('dora', aud='api://another')}"}
    problem(await ground.call.client.post(ACCEPT, json={"code": code}, headers=forged), 401, "unauthenticated")
    assert (await ground.db.get_one(Invitation, (await _only(ground.db)).id)).status == "open"


async def _only(db: AsyncSession) -> Invitation:
    return (await db.scalars(select(Invitation))).one()


async def test_an_active_member_is_not_let_in_again_and_the_invitation_stays(ground: Ground) -> None:
    await ground.come("dora", ground.admin)
    code = (await ground.invite(ground.admin, {"person": {"name": "Dora"}, "roles": ["approver"]}))["code"]
    problem(await ground.call.post(ground.by("dora"), ACCEPT, {"code": code}), 409, "membership-known")
    ok(await ground.call.post(ground.by("eve"), ACCEPT, {"code": code}))


@pytest.mark.parametrize("what", ["person", "organisation", "membership"])
async def test_a_suspension_is_not_walked_around(ground: Ground, what: str) -> None:
    member = await ground.come("dora", ground.admin)
    admin = ground.other_admin if what == "person" else ground.admin
    code = (await ground.invite(admin))["code"]
    if what == "person":
        (await ground.db.get_one(Person, UUID(member["person"]["id"]))).move_to(PersonStatus.SUSPENDED)
    elif what == "organisation":
        (await ground.db.get_one(Organisation, ground.here.organisation.id)).move_to(OrganisationStatus.SUSPENDED)
    else:
        (await ground.db.get_one(Membership, UUID(member["id"]))).move_to(MembershipStatus.SUSPENDED)
    await ground.db.flush()
    status, slug = {
        "person": (403, "suspended"),
        "organisation": (403, "organisation-suspended"),
        "membership": (409, "membership-known"),
    }[what]
    problem(await ground.call.post(ground.by("dora"), ACCEPT, {"code": code}), status, slug)


# --- one organisation does not open another -------------------------------------------------------------------------


async def test_an_admin_cannot_come_into_another_organisation_as_their_member(ground: Ground) -> None:
    """The officer works for both; the admin of one invites themself in the officer's name."""
    victim = ground.here.officer
    await ground.enter(victim.person_id, ground.elsewhere, Role.APPROVER)
    taken = await ground.come("mallory", ground.admin, {"person_id": str(victim.person_id)})
    assert taken["person"]["id"] == str(victim.person_id)
    call, theirs = ground.call, ground.by("mallory", ground.elsewhere)
    for reply in (
        await call.get(theirs, ME),
        await call.get(theirs, "/v1/tasks"),
        await call.get(theirs, f"/v1/organisations/{ground.elsewhere.organisation.id}/members"),
    ):
        problem(reply, 403, "not-a-member")
    me = ok(await call.get(ground.by("mallory"), ME))
    assert [one["organisation"]["name"] for one in me["memberships"]] == ["Testshire Council"]
    # The officer's own sign-on, accepted elsewhere, opens what is there, and nothing to the other.
    await ground.come("oscar", ground.other_admin, {"person_id": str(victim.person_id)})
    assert ok(await call.get(ground.by("oscar"), ME))["roles"] == ["approver"]
    problem(await call.get(ground.by("oscar", ground.here), ME), 403, "not-a-member")
    problem(await call.get(theirs, ME), 403, "not-a-member")


async def test_what_was_linked_before_a_person_came_elsewhere_opens_nothing_there(ground: Ground) -> None:
    victim = ground.here.officer
    await ground.come("mallory", ground.admin, {"person_id": str(victim.person_id)})
    await ground.enter(victim.person_id, ground.elsewhere, Role.APPROVER)
    problem(await ground.call.get(ground.by("mallory", ground.elsewhere), ME), 403, "not-a-member")
    assert ok(await ground.call.get(ground.by("mallory"), ME))["organisation"]["name"] == "Testshire Council"


async def test_a_personal_client_learns_nothing_of_its_person_elsewhere(ground: Ground) -> None:
    """An admin can make one for each member, and would be told where they work too."""
    await ground.enter(ground.here.officer.person_id, ground.elsewhere, Role.APPROVER)
    me = ok(await ground.call.get(ground.here.officer, ME))
    assert [one["organisation"]["name"] for one in me["memberships"]] == ["Testshire Council"]


async def test_an_admin_invites_nobody_elses_person_and_into_nobody_elses_organisation(ground: Ground) -> None:
    call, stranger = ground.call, ground.elsewhere.officer
    for person_id in (stranger.person_id, uuid4()):
        told = problem(
            await call.post(ground.admin, path(ground.admin), {"person_id": str(person_id)}), 422, "invitation-invalid"
        )
        assert [fault["code"] for fault in told["errors"]] == ["not-a-member"]
    theirs = await ground.invite(ground.other_admin)
    for reply in (
        await call.get(ground.admin, path(ground.other_admin)),
        await call.post(ground.admin, path(ground.other_admin), OFFICER),
        await call.post(ground.admin, path(ground.other_admin, theirs["id"], "revoke"), REASON),
        await call.get(ground.admin, path(ground.other_admin, theirs["id"], "actions")),
    ):
        problem(reply, 404, "organisation-not-found")
    reply = await call.post(ground.admin, path(ground.admin, theirs["id"], "revoke"), REASON)
    problem(reply, 404, "invitation-not-found")
    ok(await call.post(ground.platform, path(ground.other_admin), OFFICER), 201)
    for nobody in (ground.here.officer, ground.here.approver, ground.here.auditor):
        problem(await call.post(nobody, path(ground.admin), OFFICER), 403, "scope-missing")
        problem(await call.get(nobody, path(ground.admin)), 403, "scope-missing")


async def test_a_sign_on_is_not_linked_to_a_second_person(ground: Ground) -> None:
    await ground.come("dora", ground.admin)
    code = (await ground.invite(ground.admin, {"person_id": str(ground.here.officer.person_id)}))["code"]
    problem(await ground.call.post(ground.by("dora"), ACCEPT, {"code": code}), 409, "identity-known")
    ok(await ground.call.post(ground.by("oscar"), ACCEPT, {"code": code}))


async def test_whose_membership_has_ended_meanwhile_links_nothing(ground: Ground) -> None:
    officer = ground.here.officer
    code = (await ground.invite(ground.admin, {"person_id": str(officer.person_id)}))["code"]
    membership = (await ground.db.scalars(select(Membership).where(Membership.person_id == officer.person_id))).one()
    membership.move_to(MembershipStatus.ENDED)
    await ground.db.flush()
    problem(await ground.call.post(ground.by("oscar"), ACCEPT, {"code": code}), 409, "membership-not-active")
    problem(await ground.call.get(ground.by("oscar"), ME), 403, "sign-on-unknown")


async def test_a_sign_on_does_not_come_back_with_the_membership_that_it_was_put_out_of(ground: Ground) -> None:
    """An end revokes the person's clients for good; what an admin has linked in their name is no less theirs to leave behind."""
    officer = ground.here.officer
    await ground.come("mallory", ground.admin, {"person_id": str(officer.person_id)})
    elsewhere = await ground.come("mallory", ground.other_admin)
    members = f"/v1/organisations/{ground.here.organisation.id}/members"
    shown = ok(await ground.call.get(ground.admin, members))["items"]
    (one,) = [each for each in shown if each["person"]["id"] == str(officer.person_id)]
    ok(await ground.call.post(ground.admin, f"{members}/{one['id']}/end"))
    ok(await ground.call.post(ground.admin, members, {"person_id": one["person"]["id"], "roles": ["officer"]}), 201)
    problem(await ground.call.get(ground.by("mallory", ground.here), ME), 403, "not-a-member")
    me = ok(await ground.call.get(ground.by("mallory"), ME))
    assert [each["id"] for each in me["memberships"]] == [elsewhere["id"]]
    await ground.come("mallory", ground.admin, {"person_id": str(officer.person_id)})
    ok(await ground.call.get(ground.by("mallory", ground.here), ME))


async def test_what_the_operator_has_linked_opens_a_membership_that_is_taken_up_again(ground: Ground) -> None:
    officer = ground.here.officer
    assert officer.person_id is not None
    await sign_ons.link(ground.db, ground.platform, officer.person_id, ground.sign_on.issuer, "oscar by the operator")
    members = f"/v1/organisations/{ground.here.organisation.id}/members"
    shown = ok(await ground.call.get(ground.admin, members))["items"]
    (one,) = [each for each in shown if each["person"]["id"] == str(officer.person_id)]
    ok(await ground.call.post(ground.admin, f"{members}/{one['id']}/end"))
    ok(await ground.call.post(ground.admin, members, {"person_id": one["person"]["id"], "roles": ["officer"]}), 201)
    ok(await ground.call.get(ground.by("oscar by the operator"), ME))


# --- what is sent ---------------------------------------------------------------------------------------------------


def in_days(days: float) -> str:
    return (wall_now() + timedelta(days=days)).isoformat()


@pytest.mark.parametrize(
    ("draft", "codes"),
    [
        ({"roles": ["officer"]}, ["one-of"]),
        ({**OFFICER, "person_id": "PERSON"}, ["one-of", "of-membership"]),
        ({**OFFICER, "roles": []}, ["required"]),
        ({**OFFICER, "roles": ["officer", "bidder", "operator"]}, ["role", "role"]),
        ({**OFFICER, "budget_holder": True}, ["not-approver"]),
        ({"person_id": "PERSON", "roles": ["officer"], "budget_holder": True}, ["of-membership", "of-membership"]),
        ({**OFFICER, "expires_at": in_days(-0.1)}, ["past"]),
        ({**OFFICER, "expires_at": in_days(30.1)}, ["too-late"]),
    ],
)
async def test_every_fault_of_an_invitation_is_told(ground: Ground, draft: dict[str, Any], codes: list[str]) -> None:
    sent = {**draft, **({"person_id": str(ground.here.officer.person_id)} if "person_id" in draft else {})}
    told = problem(await ground.call.post(ground.admin, path(ground.admin), sent), 422, "invitation-invalid")
    assert [fault["code"] for fault in told["errors"]] == codes


async def test_an_invitation_may_last_up_to_thirty_days(ground: Ground) -> None:
    asked = in_days(29.9)
    made = await ground.invite(ground.admin, {**OFFICER, "expires_at": asked})
    assert msgspec.convert(made["expires_at"], type=type(wall_now())) == msgspec.convert(asked, type=type(wall_now()))


async def test_there_are_so_many_open_ones_at_most(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "INVITATIONS_OPEN_MAX", 1)
    first = await ground.invite(ground.admin)
    problem(await ground.call.post(ground.admin, path(ground.admin), OFFICER), 409, "invitation-limit-reached")
    ok(await ground.call.post(ground.admin, path(ground.admin, first["id"], "revoke"), REASON))
    await ground.invite(ground.admin)
    await ground.invite(ground.other_admin)


async def test_a_service_client_invites_nobody(ground: Ground) -> None:
    """Whoever accepts acts as a person: the client's own sign-on would be the second of four eyes."""
    machine = await service_client(ground.db, ground.admin, Role.ADMIN)
    for draft in (OFFICER, {"person_id": str(ground.here.approver.person_id)}):
        problem(await ground.call.post(machine, path(ground.admin), draft), 403, "person-needed")
    assert ok(await ground.call.get(machine, path(ground.admin)))["items"] == []


async def test_a_service_client_is_told_who_it_is(ground: Ground) -> None:
    me = ok(await ground.call.get(await service_client(ground.db, ground.admin, Role.FINANCE), ME))
    assert (me["person"], me["client"]["kind"], me["memberships"]) == (None, "service", [])
    assert (me["organisation"]["id"], me["roles"]) == (str(ground.here.organisation.id), ["finance"])
    problem(await ground.call.get(None, ME), 401, "unauthenticated")


# --- at once --------------------------------------------------------------------------------------------------------


async def test_of_many_who_have_a_code_one_comes(world: World) -> None:
    async with world.sessions() as db:
        bidder = await supplier(db)
        party = await db.get_one(Organisation, bidder.organisation_id)
        admin = await seat(db, party, Role.ADMIN)
        await db.commit()
    draft = {"person": {"name": "Example Bidder"}, "roles": ["bidder"]}
    code = ok(await world.call.post(admin, path(admin), draft), 201)["code"]
    callers = [Actor(sign_on=Known(world.sign_on.issuer, f"racer {number}")) for number in range(8)]
    replies = await asyncio.gather(*(world.call.post(one, ACCEPT, {"code": code}) for one in callers))
    assert sorted(reply.status_code for reply in replies) == [200, *[409] * 7]
    async with world.sessions() as db:
        assert await db.scalar(select(func.count()).select_from(PersonIdentity)) == 1
        assert await db.scalar(select(func.count()).where(Person.name == "Example Bidder")) == 1


async def test_of_two_invitations_at_once_a_sign_on_is_one_person(world: World) -> None:
    async with world.sessions() as db:
        admins = [await seat(db, (await council(db, name=name)).organisation, Role.ADMIN) for name in "ABCDEF"]
        await db.commit()
    codes = [ok(await world.call.post(one, path(one), OFFICER), 201)["code"] for one in admins]
    caller = Actor(sign_on=Known(world.sign_on.issuer, "everywhere at once"))
    problem(await world.call.get(caller, ME), 403, "sign-on-unknown")  # its keys are known now: nobody waits for those
    replies = await asyncio.gather(*(world.call.post(caller, ACCEPT, {"code": code}) for code in codes))
    assert len({ok(reply)["person"]["id"] for reply in replies}) == 1
    assert len(ok(await world.call.get(caller, ME))["memberships"]) == 6


async def test_revoked_or_accepted_but_not_both(world: World) -> None:
    async with world.sessions() as db:
        admin = await seat(db, (await council(db)).organisation, Role.ADMIN)
        await db.commit()
    for number in range(4):
        made = ok(await world.call.post(admin, path(admin), OFFICER), 201)
        caller = Actor(sign_on=Known(world.sign_on.issuer, f"torn {number}"))
        replies = await asyncio.gather(
            world.call.post(caller, ACCEPT, {"code": made["code"]}),
            world.call.post(admin, path(admin, made["id"], "revoke"), REASON),
        )
        assert sorted(reply.status_code for reply in replies) == [200, 409]


async def test_who_is_unlinked_while_they_come_stays_out(world: World) -> None:
    async with world.sessions() as db:
        platform = await operator(db)
        admins = [await seat(db, (await council(db, name=name)).organisation, Role.ADMIN) for name in "AB"]
        await db.commit()
    codes = [ok(await world.call.post(one, path(one), OFFICER), 201)["code"] for one in admins]
    caller = Actor(sign_on=Known(world.sign_on.issuer, "unlinked meanwhile"))
    member = ok(await world.call.post(caller, ACCEPT, {"code": codes[0]}))
    async with world.sessions() as db:
        person_id = UUID(member["person"]["id"])
        await sign_ons.unlink(db, platform, person_id, world.sign_on.issuer, "unlinked meanwhile")
        coming = asyncio.create_task(world.call.post(caller, ACCEPT, {"code": codes[1]}))
        while not await db.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            assert not coming.done()
        await db.commit()
    problem(await coming, 409, "identity-known")
    assert ok(await world.call.post(caller, ACCEPT, {"code": codes[1]}))["person"]["id"] != str(person_id)


async def test_who_is_put_out_of_one_organisation_while_they_come_into_another(world: World) -> None:
    """Both write which organisations the sign-on opens: neither undoes the other."""
    async with world.sessions() as db:
        admins = [await seat(db, (await council(db, name=name)).organisation, Role.ADMIN) for name in "ABC"]
        await db.commit()
    for number in range(6):
        caller = Actor(sign_on=Known(world.sign_on.issuer, f"in and out {number}"))
        codes = [ok(await world.call.post(one, path(one), OFFICER), 201)["code"] for one in admins]
        member = ok(await world.call.post(caller, ACCEPT, {"code": codes[0]}))
        ok(await world.call.post(caller, ACCEPT, {"code": codes[1]}))
        ended, came = await asyncio.gather(
            world.call.post(admins[0], f"/v1/organisations/{member['organisation_id']}/members/{member['id']}/end"),
            world.call.post(caller, ACCEPT, {"code": codes[2]}),
        )
        ok(ended)
        ok(came)
        async with world.sessions() as db:
            opened = await db.scalar(
                select(PersonIdentity.organisation_ids).where(PersonIdentity.subject == f"in and out {number}")
            )
        assert opened == [admins[1].organisation_id, admins[2].organisation_id]

"""The verbs of an organisation's admin, or of the operator, on its members and API clients."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, any_, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from procure.identity import rules
from procure.identity.errors import ClientNotFound, MembershipInvalid, MembershipNotFound
from procure.identity.events import ClientAdded, ClientRevoked, MembershipAdded, MembershipEnded
from procure.identity.models import Client, Credential, Membership, Person, PersonIdentity
from procure.identity.rules import ClientStatus, CredentialKind, CredentialStatus, MembershipStatus, PersonStatus
from procure.identity.schemas import ClientDraft, ClientView, MemberDraft, MemberView
from procure.journal import service as journal
from procure.kit.actor import Actor, Role, require_person
from procure.kit.errors import Faults
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.kit.ids import new_id
from procure.kit.paging import Paging, after
from procure.organisations import service as organisations
from procure.organisations.errors import OrganisationNotFound
from procure.organisations.models import Organisation

SECRET_BYTES = 32


def check_own(actor: Actor, organisation_id: UUID) -> None:
    """An organisation's members and clients are its own and the operator's to see; for others they do not exist."""
    if not actor.has(Role.OPERATOR) and organisation_id != actor.organisation_id:
        raise OrganisationNotFound("There is no such organisation, or it is not yours to act on.")


def check_may_speak_for(actor: Actor, person_id: UUID | None) -> None:
    """Who hands out what acts as a person is one: a service client that could would be both of the four eyes (PersonNeeded).

    The command line has neither client nor person: whoever works there has the database too.
    """
    if person_id is not None and actor.client_id is not None:
        require_person(actor)


async def find_own(db: AsyncSession, actor: Actor, organisation_id: UUID) -> Organisation:
    check_own(actor, organisation_id)
    return await organisations.find_organisation(db, actor, organisation_id)


async def lock_own(db: AsyncSession, actor: Actor, organisation_id: UUID) -> Organisation:
    """Locked, so that two admins at once neither add a person twice nor make a client for one who is leaving."""
    check_own(actor, organisation_id)
    return await organisations.lock_organisation(db, actor, organisation_id)


async def list_members(
    db: AsyncSession, actor: Actor, organisation_id: UUID, paging: Paging
) -> Sequence[Row[tuple[Membership, Person]]]:
    """Newest first, ended memberships too."""
    await find_own(db, actor, organisation_id)
    statement: Any = select(Membership, Person).join(Person, Person.id == Membership.person_id)
    statement = statement.where(Membership.organisation_id == organisation_id)
    found = await db.execute(after(statement, Membership.created_at, Membership.id, paging))
    rows: Sequence[Row[tuple[Membership, Person]]] = found.all()
    return rows


async def list_clients(db: AsyncSession, actor: Actor, organisation_id: UUID, paging: Paging) -> Sequence[Client]:
    """Newest first, revoked clients too."""
    await find_own(db, actor, organisation_id)
    statement = select(Client).where(Client.organisation_id == organisation_id)
    return (await db.scalars(after(statement, Client.created_at, Client.id, paging))).all()


async def find_membership(db: AsyncSession, actor: Actor, organisation_id: UUID, membership_id: UUID) -> Membership:
    await find_own(db, actor, organisation_id)
    membership = await db.scalar(_membership(organisation_id).where(Membership.id == membership_id))
    if membership is None:
        raise MembershipNotFound("The organisation has no such membership.")
    return membership


async def find_client(db: AsyncSession, actor: Actor, organisation_id: UUID, client_id: UUID) -> Client:
    await find_own(db, actor, organisation_id)
    client = await db.scalar(_client(organisation_id).where(Client.id == client_id))
    if client is None:
        raise ClientNotFound("The organisation has no such client.")
    return client


async def register_person(db: AsyncSession, name: str) -> Person:
    """A person who is not known yet. The verb that needs one records it, with the name kept apart."""
    person = Person(id=new_id(), name=name, status=PersonStatus.ACTIVE, version=1)
    db.add(person)
    await db.flush()
    return person


async def add_member(
    db: AsyncSession, actor: Actor, organisation_id: UUID, data: MemberDraft
) -> tuple[Membership, Person]:
    """Give a person roles in the organisation; one who has left takes up the old membership again."""
    organisation = await lock_own(db, actor, organisation_id)
    rules.check_member(
        organisation.kind,
        data.roles,
        budget_holder=data.budget_holder,
        person_named=data.person is not None,
        person_id=data.person_id,
    )
    person = await _person(db, actor, organisation.id, data)
    return await enrol(db, actor, organisation, person, data.roles, budget_holder=data.budget_holder), person


async def enrol(
    db: AsyncSession,
    actor: Actor,
    organisation: Organisation,
    person: Person,
    roles: Sequence[Role],
    *,
    budget_holder: bool,
) -> Membership:
    """Make the person a member, for the first time or again; the organisation is locked and the roles are checked."""
    membership = await _join(db, organisation.id, person.id)
    membership.roles, membership.budget_holder = stored(roles), budget_holder
    await db.flush()
    event = MembershipAdded(
        object_id=membership.id,
        object_version=membership.version,
        organisation_id=organisation.id,
        person_id=person.id,
        roles=roles_of(membership.roles),
        budget_holder=membership.budget_holder,
    )
    audience = organisations.both(actor, organisation.id)
    await journal.record(db, actor, event, audience, personal={"name": person.name})
    return membership


async def _person(db: AsyncSession, actor: Actor, organisation_id: UUID, data: MemberDraft) -> Person:
    if data.person is not None:
        return await register_person(db, data.person.name)
    known = select(Person).where(Person.id == data.person_id)
    if not actor.has(Role.OPERATOR):
        # Whoever works elsewhere is not an admin's to know of, nor to act as through a client made here.
        here = select(Membership.person_id).where(Membership.organisation_id == organisation_id)
        known = known.where(Person.id.in_(here))
    person = await db.scalar(known)
    if person is None:
        faults = Faults()
        faults.add("/person_id", "unknown", "There is no such person, or none that is yours to add.")
        faults.raise_as(MembershipInvalid)
    return person


async def _join(db: AsyncSession, organisation_id: UUID, person_id: UUID) -> Membership:
    """The person's one membership here: a new one, or the ended one taken up again."""
    membership = await db.scalar(_membership(organisation_id).where(Membership.person_id == person_id))
    if membership is None:
        membership = Membership(
            id=new_id(),
            organisation_id=organisation_id,
            person_id=person_id,
            status=MembershipStatus.ACTIVE,
            version=1,
        )
        db.add(membership)
        return membership
    rules.check_joinable(membership.status)
    membership.move_to(MembershipStatus.ACTIVE)
    return membership


def _membership(organisation_id: UUID) -> Select[Membership]:
    # populate_existing: the organisation's lock is held by now, and what was loaded before it may be old.
    statement = select(Membership).where(Membership.organisation_id == organisation_id)
    return statement.execution_options(populate_existing=True)


def stored(roles: Sequence[Role]) -> list[str]:
    return sorted({role.value for role in roles})


def roles_of(names: Sequence[str]) -> list[Role]:
    return [Role(name) for name in names]


async def lock_membership(
    db: AsyncSession, actor: Actor, organisation_id: UUID, membership_id: UUID
) -> tuple[Membership, Person]:
    """The membership and its person, the organisation locked."""
    organisation = await lock_own(db, actor, organisation_id)
    membership = await db.scalar(_membership(organisation.id).where(Membership.id == membership_id))
    if membership is None:
        raise MembershipNotFound("The organisation has no such membership.")
    return membership, await db.get_one(Person, membership.person_id)


async def end_membership(
    db: AsyncSession, actor: Actor, organisation_id: UUID, membership_id: UUID, *, seen: Seen = UNCONDITIONAL
) -> tuple[Membership, Person]:
    """Take a person's roles away, from the next request on, and revoke the clients that act as that person here.

    What invitations have let in as that person here goes too: should they come back, it has to be invited anew.
    """
    membership, person = await lock_membership(db, actor, organisation_id, membership_id)
    seen.check(MemberView.of(membership, person).etag)
    rules.check_endable(membership.status)
    membership.move_to(MembershipStatus.ENDED)
    revoked = await _revoke_clients_of(db, organisation_id, membership.person_id)
    await _close_sign_ons_of(db, organisation_id, membership.person_id)
    event = MembershipEnded(
        object_id=membership.id,
        object_version=membership.version,
        organisation_id=organisation_id,
        person_id=membership.person_id,
        revoked_client_ids=revoked,
    )
    await journal.record(db, actor, event, organisations.both(actor, organisation_id))
    return membership, person


async def _revoke_clients_of(db: AsyncSession, organisation_id: UUID, person_id: UUID) -> list[UUID]:
    left = _client(organisation_id).where(Client.person_id == person_id, Client.status != ClientStatus.REVOKED)
    clients = (await db.scalars(left.order_by(Client.id))).all()
    for client in clients:
        client.move_to(ClientStatus.REVOKED)
    return [client.id for client in clients]


async def _close_sign_ons_of(db: AsyncSession, organisation_id: UUID, person_id: UUID) -> None:
    """The organisation vouches no longer for what it has let in; the operator's own links are the operator's to undo."""
    # The person's lock, under which whoever accepts elsewhere changes the same list.
    await db.execute(select(Person.id).where(Person.id == person_id).with_for_update(key_share=True))
    opened = PersonIdentity.organisation_ids
    theirs = PersonIdentity.person_id == person_id, any_(opened) == organisation_id
    left = update(PersonIdentity).where(*theirs).values(organisation_ids=func.array_remove(opened, organisation_id))
    await db.execute(left.execution_options(synchronize_session=False))


def _client(organisation_id: UUID) -> Select[Client]:
    statement = select(Client).where(Client.organisation_id == organisation_id)
    return statement.execution_options(populate_existing=True)


async def add_client(db: AsyncSession, actor: Actor, organisation_id: UUID, data: ClientDraft) -> tuple[Client, str]:
    """Make an API client with a first secret, which is returned here and nowhere else: only the hash is kept."""
    organisation = await lock_own(db, actor, organisation_id)
    check_may_speak_for(actor, data.person_id)
    is_member = data.person_id is not None and await _is_member(db, organisation.id, data.person_id)
    rules.check_client(organisation.kind, data.kind, data.roles, person_id=data.person_id, is_member=is_member)
    client = Client(
        id=new_id(),
        organisation_id=organisation.id,
        person_id=data.person_id,
        kind=data.kind,
        name=data.name,
        roles=stored(data.roles),
        status=ClientStatus.ACTIVE,
        version=1,
    )
    db.add(client)
    await db.flush()
    credential, secret = new_secret(client.id)
    db.add(credential)
    event = ClientAdded(
        object_id=client.id,
        object_version=client.version,
        organisation_id=organisation.id,
        kind=client.kind,
        person_id=client.person_id,
        roles=roles_of(client.roles),
    )
    # Clients are named by people, often after people.
    audience = organisations.both(actor, organisation.id)
    await journal.record(db, actor, event, audience, personal={"name": client.name})
    return client, secret


def new_secret(client_id: UUID, expires_at: datetime | None = None) -> tuple[Credential, str]:
    """A secret of 256 random bits, and the row that knows its hash."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    credential = Credential(
        id=new_id(),
        client_id=client_id,
        kind=CredentialKind.SECRET,
        secret_hash=rules.hash_secret(secret),
        status=CredentialStatus.ACTIVE,
        expires_at=expires_at,
        version=1,
    )
    return credential, secret


async def _is_member(db: AsyncSession, organisation_id: UUID, person_id: UUID) -> bool:
    active = Membership.status == MembershipStatus.ACTIVE
    return await db.scalar(_membership(organisation_id).where(Membership.person_id == person_id, active)) is not None


async def lock_client(db: AsyncSession, actor: Actor, organisation_id: UUID, client_id: UUID) -> Client:
    """The client, its organisation locked: what is counted or changed of it is so by one at a time."""
    organisation = await lock_own(db, actor, organisation_id)
    client = await db.scalar(_client(organisation.id).where(Client.id == client_id))
    if client is None:
        raise ClientNotFound("The organisation has no such client.")
    return client


async def revoke_client(
    db: AsyncSession,
    actor: Actor,
    organisation_id: UUID,
    client_id: UUID,
    reason: str,
    *,
    seen: Seen = UNCONDITIONAL,
) -> Client:
    """Stop a client for good, from the next request on."""
    client = await lock_client(db, actor, organisation_id, client_id)
    seen.check(ClientView.of(client).etag)
    rules.check_revocable(client.status)
    client.move_to(ClientStatus.REVOKED)
    event = ClientRevoked(
        object_id=client.id, object_version=client.version, organisation_id=client.organisation_id, reason=reason
    )
    await journal.record(db, actor, event, organisations.both(actor, client.organisation_id))
    return client

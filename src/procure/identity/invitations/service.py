"""The verbs on invitations: an organisation's admin invites, the invited person comes by their own sign-on.

An organisation vouches for itself alone. A sign-on that it has let in opens this organisation and no other, also where its person belongs
to others: those have to invite it themselves. So who invites themself in the name of a member has nothing that an admin had not before.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import Row, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from procure.identity import rules
from procure.identity import service as identity
from procure.identity.errors import IdentityKnown, InvitationNotFound, MembershipNotActive
from procure.identity.events import InvitationAccepted, InvitationAdded, InvitationRevoked, PersonLinked
from procure.identity.invitations.schemas import InvitationDraft, InvitationView
from procure.identity.models import Invitation, Membership, Person, PersonIdentity
from procure.identity.rules import InvitationStatus, MembershipStatus
from procure.journal import service as journal
from procure.kit.actor import Actor, Known, require_person
from procure.kit.clock import wall_now
from procure.kit.db import exclude
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.kit.ids import new_id
from procure.kit.paging import Paging, after
from procure.organisations import service as organisations
from procure.organisations.models import Organisation


async def list_invitations(
    db: AsyncSession, actor: Actor, organisation_id: UUID, paging: Paging
) -> Sequence[Row[tuple[Invitation, Person | None]]]:
    """Newest first, with the member where one is invited; those that are over too."""
    await identity.find_own(db, actor, organisation_id)
    statement: Any = select(Invitation, Person).outerjoin(Person, Person.id == Invitation.person_id)
    statement = statement.where(Invitation.organisation_id == organisation_id)
    found = await db.execute(after(statement, Invitation.created_at, Invitation.id, paging))
    rows: Sequence[Row[tuple[Invitation, Person | None]]] = found.all()
    return rows


async def find_invitation(db: AsyncSession, actor: Actor, organisation_id: UUID, invitation_id: UUID) -> Invitation:
    await identity.find_own(db, actor, organisation_id)
    statement = select(Invitation).where(Invitation.organisation_id == organisation_id, Invitation.id == invitation_id)
    # populate_existing: verbs hold the organisation's lock by now, and what was loaded before it may be old.
    found = await db.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        raise InvitationNotFound("The organisation has no such invitation.")
    return found


async def open_count(db: AsyncSession, organisation_id: UUID) -> int:
    """How many can be accepted now."""
    statement = select(func.count()).where(
        Invitation.organisation_id == organisation_id,
        Invitation.status == InvitationStatus.OPEN,
        Invitation.expires_at > func.clock_timestamp(),
    )
    return (await db.scalars(statement)).one()


async def invite(
    db: AsyncSession, actor: Actor, organisation_id: UUID, data: InvitationDraft
) -> tuple[Invitation, Person | None, str]:
    """Invite somebody; the code is returned here and nowhere else: only its hash is kept."""
    organisation = await identity.lock_own(db, actor, organisation_id)
    require_person(actor)
    member = await _member(db, organisation.id, data.person_id) if data.person_id else None
    expires_at = rules.check_invitation(
        organisation.kind,
        data.roles,
        budget_holder=data.budget_holder,
        person_named=data.person is not None,
        person_id=data.person_id,
        is_member=member is not None,
        expires_at=data.expires_at,
        now=wall_now(),
    )
    rules.check_invitation_room(await open_count(db, organisation.id))
    code = secrets.token_urlsafe(identity.SECRET_BYTES)
    invitation = Invitation(
        id=new_id(),
        organisation_id=organisation.id,
        person_id=data.person_id,
        name=data.person.name if data.person is not None else None,
        roles=identity.stored(data.roles),
        budget_holder=data.budget_holder,
        code_hash=rules.hash_secret(code),
        status=InvitationStatus.OPEN,
        expires_at=expires_at,
        version=1,
    )
    db.add(invitation)
    await db.flush()
    await _record_invitation(db, actor, invitation)
    return invitation, member[1] if member else None, code


async def _record_invitation(db: AsyncSession, actor: Actor, invitation: Invitation) -> None:
    event = InvitationAdded(
        object_id=invitation.id,
        object_version=invitation.version,
        organisation_id=invitation.organisation_id,
        person_id=invitation.person_id,
        roles=identity.roles_of(invitation.roles),
        budget_holder=invitation.budget_holder,
        expires_at=invitation.expires_at,
    )
    audience = organisations.both(actor, invitation.organisation_id)
    await journal.record(db, actor, event, audience, personal={"name": invitation.name} if invitation.name else None)


async def _member(db: AsyncSession, organisation_id: UUID, person_id: UUID) -> tuple[Membership, Person] | None:
    """Of one who has not left."""
    statement = select(Membership, Person).join(Person, Person.id == Membership.person_id)
    here = Membership.organisation_id == organisation_id, Membership.person_id == person_id
    found = await db.execute(statement.where(*here, Membership.status != MembershipStatus.ENDED))
    row = found.one_or_none()
    return (row[0], row[1]) if row is not None else None


async def revoke(
    db: AsyncSession,
    actor: Actor,
    organisation_id: UUID,
    invitation_id: UUID,
    reason: str,
    *,
    seen: Seen = UNCONDITIONAL,
) -> tuple[Invitation, Person | None]:
    """It can't be accepted any more."""
    await identity.lock_own(db, actor, organisation_id)
    invitation = await find_invitation(db, actor, organisation_id, invitation_id)
    member = await db.get_one(Person, invitation.person_id) if invitation.person_id else None
    seen.check(InvitationView.of(invitation, member).etag)
    rules.check_open(invitation.status)
    invitation.move_to(InvitationStatus.REVOKED)
    event = InvitationRevoked(
        object_id=invitation.id, object_version=invitation.version, organisation_id=organisation_id, reason=reason
    )
    await journal.record(db, actor, event, organisations.both(actor, organisation_id))
    return invitation, member


async def accept(db: AsyncSession, actor: Actor, code: str) -> tuple[Membership, Person]:
    """Let the caller in by their sign-on: once, whoever else has the code, and as the person that the sign-on knows already.

    Raises InvitationNotFound for a code that there is not; InvitationNotOpen, IdentityKnown, MembershipKnown and what suspends.
    """
    assert actor.sign_on is not None
    # One at a time of each sign-on: of two invitations at once it makes one person.
    await exclude(db, uuid5(NAMESPACE_URL, " ".join(actor.sign_on)))
    invitation, organisation = await _locked_by_code(db, actor, code)
    rules.check_acceptable(invitation.status, invitation.expires_at, wall_now())
    rules.check_organisation(organisation.status)
    known = await _identity(db, actor.sign_on)
    person = await _who_comes(db, invitation, known)
    if await _identity(db, actor.sign_on) is not known:
        raise IdentityKnown("Your sign-on was linked or unlinked at this moment; try again.")
    rules.check_person(person.status)
    caller = replace(actor, organisation_id=organisation.id, kind=organisation.kind, person_id=person.id)
    membership = await _membership(db, caller, invitation, organisation, person)
    identity_id = await _open(db, caller, known, person)
    invitation.accepted_by = person.id
    invitation.move_to(InvitationStatus.ACCEPTED)
    event = InvitationAccepted(
        object_id=invitation.id,
        object_version=invitation.version,
        organisation_id=organisation.id,
        person_id=person.id,
        membership_id=membership.id,
        identity_id=identity_id,
    )
    audience = organisations.both(caller, organisation.id)
    await journal.record(db, caller, event, audience, personal={"name": person.name})
    return membership, person


async def _locked_by_code(db: AsyncSession, actor: Actor, code: str) -> tuple[Invitation, Organisation]:
    """The invitation as it is under its organisation's lock, which its other verbs take as well."""
    by_code = select(Invitation).where(Invitation.code_hash == rules.hash_secret(code))
    found = await db.scalar(by_code)
    if found is None:
        raise InvitationNotFound("There is no invitation with this code.")
    organisation = await organisations.lock_organisation(db, actor, found.organisation_id)
    await db.refresh(found)
    return found, organisation


async def _identity(db: AsyncSession, sign_on: Known) -> PersonIdentity | None:
    """The link as it is; its person's lock, which `sign_ons` takes first as well, keeps it so."""
    statement = select(PersonIdentity).where(
        PersonIdentity.issuer == sign_on.issuer, PersonIdentity.subject == sign_on.subject
    )
    return await db.scalar(statement.execution_options(populate_existing=True))


async def _who_comes(db: AsyncSession, invitation: Invitation, known: PersonIdentity | None) -> Person:
    """The member who is invited; else whom the sign-on knows already, under the name that they have; else somebody new."""
    if known is not None and invitation.person_id not in (None, known.person_id):
        raise IdentityKnown("Your sign-on is another person's here than the one who is invited; the operator can help.")
    id_ = invitation.person_id or (known.person_id if known is not None else None)
    if id_ is None:
        assert invitation.name is not None
        return await identity.register_person(db, invitation.name)
    statement = select(Person).where(Person.id == id_).with_for_update(key_share=True)
    return (await db.scalars(statement.execution_options(populate_existing=True))).one()


async def _membership(
    db: AsyncSession, actor: Actor, invitation: Invitation, organisation: Organisation, person: Person
) -> Membership:
    """The one that there is, of a member who was invited; else as an admin adds one."""
    if invitation.person_id is None:
        roles = identity.roles_of(invitation.roles)
        return await identity.enrol(db, actor, organisation, person, roles, budget_holder=invitation.budget_holder)
    found = await _member(db, organisation.id, person.id)
    if found is None:
        raise MembershipNotActive("The membership has ended; ask for an invitation to roles.")
    return found[0]


async def _open(db: AsyncSession, actor: Actor, known: PersonIdentity | None, person: Person) -> UUID:
    """Let the caller's sign-on open this organisation, and only this one more."""
    assert actor.sign_on is not None
    assert actor.organisation_id is not None
    if known is not None:
        if known.organisation_ids is not None and actor.organisation_id not in known.organisation_ids:
            known.organisation_ids = [*known.organisation_ids, actor.organisation_id]
        return known.id
    issuer, subject = actor.sign_on
    row = insert(PersonIdentity).values(
        id=new_id(), person_id=person.id, issuer=issuer, subject=subject, organisation_ids=[actor.organisation_id]
    )
    made: UUID | None = await db.scalar(row.on_conflict_do_nothing().returning(PersonIdentity.id))
    if made is None:
        raise IdentityKnown("Your sign-on was linked to somebody at this moment; try again.")
    person.touch()
    event = PersonLinked(object_id=person.id, object_version=person.version, identity_id=made)
    audience = organisations.both(actor, actor.organisation_id)
    await journal.record(db, actor, event, audience, personal={"issuer": issuer, "subject": subject})
    return made

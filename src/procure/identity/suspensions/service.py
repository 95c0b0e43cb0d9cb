"""The verbs that stop a client, a membership or a person for a while, and let them act again."""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.identity import rules
from procure.identity import service as identity
from procure.identity.errors import PersonNotFound
from procure.identity.events import (
    ClientReinstated,
    ClientSuspended,
    MembershipReinstated,
    MembershipSuspended,
    PersonReinstated,
    PersonSuspended,
)
from procure.identity.models import Client, Membership, Person
from procure.identity.rules import ClientStatus, MembershipStatus, PersonStatus
from procure.identity.schemas import ClientView, KnownPersonView, MemberView
from procure.journal import service as journal
from procure.journal.events import Audience, within
from procure.kit.actor import Actor, Role
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.organisations import service as organisations

Status = TypeVar("Status", ClientStatus, MembershipStatus, PersonStatus)


def _next(status: Status, wanted: Status) -> Status:
    """`wanted`, if it can be had from `status` by a suspension or its end; raises what stands against it."""
    if wanted.value == PersonStatus.SUSPENDED.value:
        rules.check_suspendable(status)
    else:
        rules.check_reinstatable(status)
    return wanted


async def move_client(
    db: AsyncSession,
    actor: Actor,
    organisation_id: UUID,
    client_id: UUID,
    wanted: ClientStatus,
    reason: str,
    *,
    seen: Seen = UNCONDITIONAL,
) -> Client:
    """Suspend the client, tokens already out included, or let it act again, from the next request on."""
    client = await identity.lock_client(db, actor, organisation_id, client_id)
    seen.check(ClientView.of(client).etag)
    client.move_to(_next(client.status, wanted))
    event = ClientSuspended if wanted is ClientStatus.SUSPENDED else ClientReinstated
    said = event(object_id=client.id, object_version=client.version, organisation_id=organisation_id, reason=reason)
    await journal.record(db, actor, said, organisations.both(actor, organisation_id))
    return client


async def move_membership(
    db: AsyncSession,
    actor: Actor,
    organisation_id: UUID,
    membership_id: UUID,
    wanted: MembershipStatus,
    reason: str,
    *,
    seen: Seen = UNCONDITIONAL,
) -> tuple[Membership, Person]:
    """Suspend what a person does for the organisation, or let them act for it again; their clients stay."""
    membership, person = await identity.lock_membership(db, actor, organisation_id, membership_id)
    seen.check(MemberView.of(membership, person).etag)
    membership.move_to(_next(membership.status, wanted))
    event = MembershipSuspended if wanted is MembershipStatus.SUSPENDED else MembershipReinstated
    said = event(
        object_id=membership.id,
        object_version=membership.version,
        organisation_id=organisation_id,
        person_id=person.id,
        reason=reason,
    )
    await journal.record(db, actor, said, organisations.both(actor, organisation_id))
    return membership, person


async def find_person(db: AsyncSession, actor: Actor, person_id: UUID, *, lock: bool = False) -> Person:
    """A person of whatever organisation, whom the operator alone sees apart from a membership."""
    statement = select(Person).where(Person.id == person_id)
    if lock:
        statement = statement.with_for_update(key_share=True).execution_options(populate_existing=True)
    person = await db.scalar(statement) if actor.has(Role.OPERATOR) else None
    if person is None:
        raise PersonNotFound("There is no such person.")
    return person


async def move_person(
    db: AsyncSession,
    actor: Actor,
    person_id: UUID,
    wanted: PersonStatus,
    reason: str,
    *,
    seen: Seen = UNCONDITIONAL,
) -> Person:
    """Suspend a person everywhere, or let them act again; the organisations that they act for are told."""
    person = await find_person(db, actor, person_id, lock=True)
    seen.check(KnownPersonView.of(person).etag)
    person.move_to(_next(person.status, wanted))
    event = PersonSuspended if wanted is PersonStatus.SUSPENDED else PersonReinstated
    said = event(object_id=person.id, object_version=person.version, reason=reason)
    await journal.record(db, actor, said, await _told(db, actor, person.id))
    return person


async def _told(db: AsyncSession, actor: Actor, person_id: UUID) -> Audience:
    """The operator's organisation, and each in which the person is a member still."""
    here = select(Membership.organisation_id).where(
        Membership.person_id == person_id, Membership.status != MembershipStatus.ENDED
    )
    of_person: Sequence[UUID] = (await db.scalars(here.order_by(Membership.organisation_id))).all()
    return within(*dict.fromkeys([actor.organisation_id, *of_person]))

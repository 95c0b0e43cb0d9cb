"""Which sign-on is whose: linked and unlinked by the operator, on the machine itself, for every organisation of the person.

An organisation's admin has `invitations`, by which a sign-on opens that organisation alone: whoever could link one of theirs to a person
who works elsewhere too would act as them there.
"""

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from procure.identity.errors import IdentityKnown, IdentityNotFound, PersonNotFound
from procure.identity.events import PersonLinked, PersonUnlinked
from procure.identity.models import Person, PersonIdentity
from procure.journal import service as journal
from procure.journal.events import within
from procure.kit.actor import Actor
from procure.kit.ids import new_id


async def link(db: AsyncSession, actor: Actor, person_id: UUID, issuer: str, subject: str) -> UUID:
    """The person comes by this sign-on from the next request on. A sign-on is one person's; a person may have several."""
    person = await _locked(db, person_id)
    row = insert(PersonIdentity).values(id=new_id(), person_id=person_id, issuer=issuer, subject=subject)
    made: UUID | None = await db.scalar(row.on_conflict_do_nothing().returning(PersonIdentity.id))
    if made is None:
        raise IdentityKnown("This sign-on is linked already; unlink it from its person first.")
    event = PersonLinked(object_id=person.id, object_version=person.version, identity_id=made)
    await journal.record(
        db, actor, event, within(actor.organisation_id), personal={"issuer": issuer, "subject": subject}
    )
    return made


async def unlink(db: AsyncSession, actor: Actor, person_id: UUID, issuer: str, subject: str) -> None:
    """The sign-on is nobody's, from the next request on."""
    person = await _locked(db, person_id)
    theirs = PersonIdentity.person_id == person_id, PersonIdentity.issuer == issuer, PersonIdentity.subject == subject
    gone: UUID | None = await db.scalar(delete(PersonIdentity).where(*theirs).returning(PersonIdentity.id))
    if gone is None:
        raise IdentityNotFound("The person has no such sign-on.")
    event = PersonUnlinked(object_id=person.id, object_version=person.version, identity_id=gone)
    await journal.record(db, actor, event, within(actor.organisation_id))


async def _locked(db: AsyncSession, person_id: UUID) -> Person:
    person = await db.scalar(select(Person).where(Person.id == person_id).with_for_update(key_share=True))
    if person is None:
        raise PersonNotFound("There is no such person.")
    person.touch()
    return person

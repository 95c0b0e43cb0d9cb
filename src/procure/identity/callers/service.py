"""Who a caller is, read by its own id alone: nothing here tells one organisation of another's people."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.identity.callers.schemas import MeView, OwnClientView, OwnMembershipView, OwnOrganisationView
from procure.identity.models import Client, Membership, Person, PersonIdentity, is_opened
from procure.identity.rules import MembershipStatus
from procure.identity.schemas import PersonView
from procure.kit.actor import Actor, Role
from procure.organisations.models import Organisation

MEMBERSHIPS_TOLD = 1000


async def describe(db: AsyncSession, actor: Actor) -> MeView:
    """The caller as it acts in this request, and what a person may choose from."""
    person = await db.get_one(Person, actor.person_id) if actor.person_id else None
    client = await db.get_one(Client, actor.client_id) if actor.client_id else None
    organisation = await db.get_one(Organisation, actor.organisation_id) if actor.organisation_id else None
    return MeView(
        person=PersonView(person.id, person.name) if person else None,
        client=OwnClientView(client.id, client.name, client.kind) if client else None,
        organisation=_organisation(organisation) if organisation else None,
        roles=sorted(actor.roles),
        budget_holder=actor.budget_holder,
        scopes=sorted(actor.scopes),
        memberships=await _memberships(db, actor) if actor.person_id else [],
    )


async def _memberships(db: AsyncSession, actor: Actor) -> list[OwnMembershipView]:
    """Those that the caller's sign-on opens; of a personal client the one of its organisation, whose admin may have made it."""
    statement = select(Membership, Organisation).join(Organisation, Organisation.id == Membership.organisation_id)
    statement = statement.where(Membership.person_id == actor.person_id, Membership.status != MembershipStatus.ENDED)
    if actor.sign_on is None:
        statement = statement.where(Membership.organisation_id == actor.organisation_id)
    else:
        statement = statement.join(PersonIdentity, PersonIdentity.person_id == Membership.person_id).where(
            PersonIdentity.issuer == actor.sign_on.issuer, PersonIdentity.subject == actor.sign_on.subject, is_opened()
        )
    found = await db.execute(statement.order_by(Organisation.name, Organisation.id).limit(MEMBERSHIPS_TOLD))
    return [
        OwnMembershipView(
            id=row.id,
            organisation=_organisation(organisation),
            roles=[Role(role) for role in row.roles],
            budget_holder=row.budget_holder,
            status=row.status,
        )
        for row, organisation in found
    ]


def _organisation(row: Organisation) -> OwnOrganisationView:
    return OwnOrganisationView(row.id, row.kind, row.name, row.status)

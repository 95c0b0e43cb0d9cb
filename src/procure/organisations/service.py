"""The operator's verbs on organisations."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, false, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from procure.journal import service as journal
from procure.journal.events import Audience, within
from procure.kit.actor import Actor, OrganisationKind
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.kit.ids import new_id
from procure.kit.paging import Paging, after
from procure.organisations import rules
from procure.organisations.errors import OrganisationKnown, OrganisationNotFound
from procure.organisations.events import OrganisationRegistered, OrganisationReinstated, OrganisationSuspended
from procure.organisations.models import Organisation
from procure.organisations.rules import Nation, OrganisationStatus
from procure.organisations.schemas import OrganisationDraft, OrganisationView


def visible_organisations(actor: Actor) -> Select[Organisation]:  # noqa: ARG001 - as every scoped select
    """Every party is known to every caller by name and identifier: suppliers learn who buys, buyers who sells."""
    return select(Organisation)


async def find_organisation(db: AsyncSession, actor: Actor, organisation_id: UUID) -> Organisation:
    return _found(await db.scalar(visible_organisations(actor).where(Organisation.id == organisation_id)))


async def list_organisations(
    db: AsyncSession,
    actor: Actor,
    paging: Paging,
    *,
    kind: OrganisationKind | None = None,
    scheme: str | None = None,
    identifier: str | None = None,
) -> Sequence[Organisation]:
    """Newest first. `identifier` is found in any of its spellings, within its `scheme`."""
    statement = visible_organisations(actor)
    if kind:
        statement = statement.where(Organisation.kind == kind)
    if scheme:
        statement = statement.where(Organisation.scheme == scheme)
    if scheme and identifier:
        canonical = rules.canonical_identifier(scheme, identifier)
        statement = statement.where(Organisation.identifier == canonical if canonical else false())
    return (await db.scalars(after(statement, Organisation.created_at, Organisation.id, paging))).all()


async def lock_organisation(db: AsyncSession, actor: Actor, organisation_id: UUID) -> Organisation:
    """The organisation, locked against its other verbs, those on its members and clients included."""
    statement = visible_organisations(actor).where(Organisation.id == organisation_id).with_for_update(key_share=True)
    # populate_existing: a locking select on an object already loaded would give its old values.
    return _found(await db.scalar(statement.execution_options(populate_existing=True)))


def _found(organisation: Organisation | None) -> Organisation:
    if organisation is None:
        raise OrganisationNotFound("There is no such organisation, or it is not yours to act on.")
    return organisation


async def register(db: AsyncSession, actor: Actor, data: OrganisationDraft) -> Organisation:
    """Register a party under an identifier that no other has."""
    kind, scheme = OrganisationKind(data.kind), data.identifier.scheme
    identifier = rules.check_identity(
        kind, scheme, data.identifier.id, is_central_government=data.is_central_government
    )
    organisation = await _insert(
        db,
        kind=kind,
        name=data.name,
        scheme=scheme,
        identifier=identifier,
        nation=data.nation,
        is_central_government=data.is_central_government,
    )
    if organisation is None:
        raise OrganisationKnown(f"{scheme} {identifier} is registered already; find it by `scheme` and `identifier`.")
    await _record_registration(db, actor, organisation)
    return organisation


async def ensure_platform(db: AsyncSession, actor: Actor) -> Organisation:
    """The platform's own organisation, registered if it is not there yet."""
    scheme, identifier = rules.PLATFORM_SCHEME, rules.PLATFORM_IDENTIFIER
    made = await _insert(
        db,
        kind=OrganisationKind.PLATFORM,
        name="Platform operator",
        scheme=scheme,
        identifier=identifier,
        nation=Nation.ENGLAND,
        is_central_government=False,
    )
    if made is not None:
        await _record_registration(db, actor, made)
        return made
    statement = select(Organisation).where(Organisation.scheme == scheme, Organisation.identifier == identifier)
    return (await db.scalars(statement)).one()


async def _insert(db: AsyncSession, **columns: Any) -> Organisation | None:
    """The new row, or None if the identifier is taken: one statement, so that two callers at once can't both win."""
    values = {**columns, "id": new_id(), "status": OrganisationStatus.ACTIVE, "version": 1}
    statement = insert(Organisation).values(values).on_conflict_do_nothing(index_elements=["scheme", "identifier"])
    return await db.scalar(statement.returning(Organisation))


async def _record_registration(db: AsyncSession, actor: Actor, organisation: Organisation) -> None:
    event = OrganisationRegistered(
        object_id=organisation.id,
        object_version=organisation.version,
        kind=organisation.kind,
        name=organisation.name,
        scheme=organisation.scheme,
        identifier=organisation.identifier,
        nation=organisation.nation,
        is_central_government=organisation.is_central_government,
    )
    await journal.record(db, actor, event, both(actor, organisation.id))


def both(actor: Actor, organisation_id: UUID) -> Audience:
    """Seen by the organisation, and by the operator's where the operator acted."""
    return within(*dict.fromkeys((organisation_id, actor.organisation_id)))


async def suspend(
    db: AsyncSession, actor: Actor, organisation_id: UUID, reason: str, *, seen: Seen = UNCONDITIONAL
) -> Organisation:
    """Stop everything that acts for the organisation, from the next request on."""
    organisation = await lock_organisation(db, actor, organisation_id)
    seen.check(OrganisationView.of(organisation).etag)
    rules.check_suspendable(organisation.kind, organisation.status)
    organisation.move_to(OrganisationStatus.SUSPENDED)
    event = OrganisationSuspended(object_id=organisation.id, object_version=organisation.version, reason=reason)
    await journal.record(db, actor, event, both(actor, organisation.id))
    return organisation


async def reinstate(
    db: AsyncSession, actor: Actor, organisation_id: UUID, reason: str, *, seen: Seen = UNCONDITIONAL
) -> Organisation:
    """Let the organisation act again."""
    organisation = await lock_organisation(db, actor, organisation_id)
    seen.check(OrganisationView.of(organisation).etag)
    rules.check_reinstatable(organisation.status)
    organisation.move_to(OrganisationStatus.ACTIVE)
    event = OrganisationReinstated(object_id=organisation.id, object_version=organisation.version, reason=reason)
    await journal.record(db, actor, event, both(actor, organisation.id))
    return organisation

"""The routes of organisations."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from procure.kit.actor import OrganisationKind
from procure.kit.errors import Fault
from procure.kit.http import AsSeen, Caller, Db, PageAsked, requires
from procure.kit.paging import Page, Position, page_of
from procure.kit.problems import ParametersInvalid, problems
from procure.kit.scopes import Scope
from procure.organisations import service
from procure.organisations.errors import (
    OrganisationInvalid,
    OrganisationKnown,
    OrganisationNotActive,
    OrganisationNotFound,
    OrganisationNotSuspended,
    PlatformNeeded,
)
from procure.organisations.schemas import SCHEME_PATTERN, OrganisationDraft, OrganisationView, Reason

SchemeAsked = Annotated[
    str | None,
    QueryParameter(pattern=SCHEME_PATTERN, max_length=32, description="A list of org-id.guide, such as GB-COH."),
]
IdentifierAsked = Annotated[
    str | None, QueryParameter(max_length=100, description="An identifier in `scheme`, in any of its spellings.")
]


class OrganisationController(Controller):
    """Buyers, suppliers, and the platform itself."""

    path = "/v1/organisations"
    tags = ("Organisations",)

    @get(
        "/",
        operation_id="listOrganisations",
        summary="List organisations",
        responses=problems(),
        **requires(Scope.ORGANISATIONS_READ),
    )
    async def list_(
        self,
        db: Db,
        actor: Caller,
        page: PageAsked,
        kind: FromQuery[OrganisationKind | None] = None,
        scheme: SchemeAsked = None,
        identifier: IdentifierAsked = None,
    ) -> Page[OrganisationView]:
        """Every registered party, newest first. With `scheme` and `identifier` the one that has it, or none."""
        if identifier and not scheme:
            fault = Fault("/scheme", "required", "`identifier` is looked up in a `scheme`; give both.")
            raise ParametersInvalid(fault.message, faults=[fault])
        rows = await service.list_organisations(db, actor, page, kind=kind, scheme=scheme, identifier=identifier)
        return page_of(rows, page, OrganisationView.of, lambda row: Position(row.created_at, row.id))

    @get(
        "/{organisation_id:uuid}",
        operation_id="getOrganisation",
        summary="Read an organisation",
        responses=problems(OrganisationNotFound),
        **requires(Scope.ORGANISATIONS_READ),
    )
    async def read(self, db: Db, actor: Caller, seen: AsSeen, organisation_id: FromPath[UUID]) -> OrganisationView:
        """A party with its identifier, nation and whether it may act."""
        found = OrganisationView.of(await service.find_organisation(db, actor, organisation_id))
        seen.check(found.etag)
        return found

    @post(
        "/",
        operation_id="registerOrganisation",
        summary="Register an organisation",
        responses=problems(OrganisationInvalid, OrganisationKnown),
        **requires(Scope.ORGANISATIONS_WRITE),
    )
    async def register(self, db: Db, actor: Caller, data: JSONBody[OrganisationDraft]) -> OrganisationView:
        """Register a buyer or supplier under an identifier that no other has. Company, VAT and LEI numbers are checked."""
        return OrganisationView.of(await service.register(db, actor, data))

    @post(
        "/{organisation_id:uuid}/suspend",
        operation_id="suspendOrganisation",
        summary="Suspend an organisation",
        status_code=200,
        responses=problems(OrganisationNotFound, OrganisationNotActive, PlatformNeeded),
        **requires(Scope.ORGANISATIONS_WRITE, seen="organisation"),
    )
    async def suspend(
        self, db: Db, actor: Caller, seen: AsSeen, organisation_id: FromPath[UUID], data: JSONBody[Reason]
    ) -> OrganisationView:
        """Stop everything that acts for the organisation, tokens already handed out included, from the next request on."""
        return OrganisationView.of(await service.suspend(db, actor, organisation_id, data.reason, seen=seen))

    @post(
        "/{organisation_id:uuid}/reinstate",
        operation_id="reinstateOrganisation",
        summary="Reinstate an organisation",
        status_code=200,
        responses=problems(OrganisationNotFound, OrganisationNotSuspended),
        **requires(Scope.ORGANISATIONS_WRITE, seen="organisation"),
    )
    async def reinstate(
        self, db: Db, actor: Caller, seen: AsSeen, organisation_id: FromPath[UUID], data: JSONBody[Reason]
    ) -> OrganisationView:
        """Let a suspended organisation act again."""
        return OrganisationView.of(await service.reinstate(db, actor, organisation_id, data.reason, seen=seen))

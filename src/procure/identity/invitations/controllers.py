"""The routes of invitations."""

from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody

from procure.identity.errors import (
    IdentityKnown,
    InvitationInvalid,
    InvitationLimitReached,
    InvitationNotFound,
    InvitationNotOpen,
    IssuerAway,
    IsSuspended,
    MembershipKnown,
    MembershipNotActive,
    SignOnNeeded,
    TokenRefused,
)
from procure.identity.invitations import service
from procure.identity.invitations.schemas import Acceptance, InvitationDraft, InvitationView, NewInvitationView
from procure.identity.schemas import MemberView
from procure.kit.actor import PersonNeeded
from procure.kit.http import ApiResponse, AsSeen, Caller, Db, PageAsked, requires, signing_on
from procure.kit.paging import Page, Position, page_of
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.organisations.errors import OrganisationIsSuspended, OrganisationNotFound
from procure.organisations.schemas import Reason


class InvitationController(Controller):
    """Managed by an organisation's own admin, or by the operator."""

    path = "/v1/organisations/{organisation_id:uuid}/invitations"
    tags = ("Organisations",)

    @get(
        "/",
        operation_id="listInvitations",
        summary="List invitations",
        responses=problems(OrganisationNotFound),
        **requires(Scope.MEMBERS_MANAGE),
    )
    async def list_(
        self, db: Db, actor: Caller, page: PageAsked, organisation_id: FromPath[UUID]
    ) -> Page[InvitationView]:
        """Your own organisation's invitations, newest first, those that are over too. The operator reads any organisation's."""
        rows = await service.list_invitations(db, actor, organisation_id, page)
        return page_of(
            rows, page, lambda row: InvitationView.of(*row), lambda row: Position(row[0].created_at, row[0].id)
        )

    @post(
        "/",
        operation_id="addInvitation",
        summary="Invite somebody",
        responses=problems(OrganisationNotFound, PersonNeeded, InvitationInvalid, InvitationLimitReached),
        **requires(Scope.MEMBERS_MANAGE),
    )
    async def add(
        self, db: Db, actor: Caller, organisation_id: FromPath[UUID], data: JSONBody[InvitationDraft]
    ) -> Response[NewInvitationView]:
        """Invite somebody to roles, or a member to link their sign-on. The reply shows the code, this once: give it to whoever is meant.

        A person invites, never a service client: whoever comes in acts as one.

        They send it, with a token of their own sign-on, to `POST /v1/invitations/accept`. Nothing is sent by this service.
        """
        invitation, member, code = await service.invite(db, actor, organisation_id, data)
        view = NewInvitationView.with_code(InvitationView.of(invitation, member), code)
        return ApiResponse(view, status_code=201, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})

    @post(
        "/{invitation_id:uuid}/revoke",
        operation_id="revokeInvitation",
        summary="Revoke an invitation",
        status_code=200,
        responses=problems(OrganisationNotFound, InvitationNotFound, InvitationNotOpen),
        **requires(Scope.MEMBERS_MANAGE, seen="invitation"),
    )
    async def revoke(
        self,
        db: Db,
        actor: Caller,
        seen: AsSeen,
        organisation_id: FromPath[UUID],
        invitation_id: FromPath[UUID],
        data: JSONBody[Reason],
    ) -> InvitationView:
        """Its code is worth nothing from now on. Whoever has come already is a member: end that membership."""
        return InvitationView.of(
            *await service.revoke(db, actor, organisation_id, invitation_id, data.reason, seen=seen)
        )


class AcceptanceController(Controller):
    """For whoever has a code, and is a member afterwards."""

    path = "/v1/invitations"
    tags = ("Organisations",)

    @post(
        "/accept",
        operation_id="acceptInvitation",
        summary="Accept an invitation",
        status_code=200,
        responses=problems(
            TokenRefused,
            SignOnNeeded,
            IsSuspended,
            OrganisationIsSuspended,
            InvitationNotFound,
            InvitationNotOpen,
            IdentityKnown,
            MembershipKnown,
            MembershipNotActive,
            IssuerAway,
        ),
        **signing_on(),
    )
    async def accept(self, db: Db, actor: Caller, data: JSONBody[Acceptance]) -> MemberView:
        """Come into the organisation that has invited you, by a token of your own sign-on; you need be nobody here before.

        A code is good once. Whoever your sign-on knows already stays that person, with one more membership; else you are somebody new,
        under the name of the invitation. From then on the same sign-on acts for this organisation.
        """
        return MemberView.of(*await service.accept(db, actor, data.code))

"""The routes of actions, one under each resource."""

from uuid import UUID

from litestar import Controller, get
from litestar.params import FromPath

from procure.awards.errors import AwardNotFound
from procure.bids.errors import BidNotFound
from procure.contracts.errors import ContractNotFound
from procure.enquiries.errors import EnquiryNotFound
from procure.finance.errors import InvoiceNotFound
from procure.identity.errors import ClientNotFound, InvitationNotFound, MembershipNotFound, PersonNotFound
from procure.insights.actions import delivery, service
from procure.insights.actions.rules import Act, because
from procure.insights.actions.schemas import ActionsView, ActionView
from procure.kit.http import ApiRequest, Caller, Db, confidential, places, public, requires
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.lots.errors import LotNotFound
from procure.organisations.errors import OrganisationNotFound
from procure.outcomes.errors import OutcomeNotFound


def _view(request: ApiRequest, acts: list[Act], **ids: UUID) -> ActionsView:
    offered = places(request.app)
    items = []
    for act in acts:
        method, path, scope = offered[act.operation]
        assert scope is not None, "what anybody may do is no act on a resource"
        for name, value in {**ids, **act.path}.items():
            path = path.replace(f"{{{name}}}", str(value))
        reasons = because(act, scope, request.user)
        items.append(
            ActionView(
                operation=act.operation,
                method=method,
                path=path,
                about=act.about,
                allowed=not reasons,
                because=reasons,
            )
        )
    return ActionsView(items=items)


class ActionController(Controller):
    """What a caller may do with a resource now, and why not the rest."""

    path = "/v1"
    tags = ("Actions",)

    @get(
        "/outcomes/{outcome_id:uuid}/actions",
        operation_id="listOutcomeActions",
        summary="See what you may do with an outcome",
        responses=problems(OutcomeNotFound),
        **public(),
    )
    async def of_outcome(self, request: ApiRequest, db: Db, actor: Caller, outcome_id: FromPath[UUID]) -> ActionsView:
        """Each act on the outcome: allowed to you now, or the problems that it would meet."""
        return _view(request, await service.of_outcome(db, actor, outcome_id), outcome_id=outcome_id)

    @get(
        "/lots/{lot_id:uuid}/actions",
        operation_id="listLotActions",
        summary="See what you may do with a lot",
        responses=problems(LotNotFound),
        **public(),
    )
    async def of_lot(self, request: ApiRequest, db: Db, actor: Caller, lot_id: FromPath[UUID]) -> ActionsView:
        """Each act on the lot, from its edit to the recommendation of an award: allowed to you now, or the problems that it would meet."""
        return _view(request, await service.of_lot(db, actor, lot_id), lot_id=lot_id)

    @get(
        "/enquiries/{enquiry_id:uuid}/actions",
        operation_id="listEnquiryActions",
        summary="See what you may do with an enquiry",
        responses=problems(EnquiryNotFound),
        **public(),
    )
    async def of_enquiry(self, request: ApiRequest, db: Db, actor: Caller, enquiry_id: FromPath[UUID]) -> ActionsView:
        """Whether you may answer it now, or the problems that an answer would meet."""
        return _view(request, await service.of_enquiry(db, actor, enquiry_id), enquiry_id=enquiry_id)

    @get(
        "/bids/{bid_id:uuid}/actions",
        operation_id="listBidActions",
        summary="See what you may do with your bid",
        responses=problems(BidNotFound),
        **confidential(Scope.BIDS_READ),
    )
    async def of_bid(self, request: ApiRequest, db: Db, actor: Caller, bid_id: FromPath[UUID]) -> ActionsView:
        """Whether you may replace or withdraw it now, or the problems that it would meet."""
        return _view(request, await service.of_bid(db, actor, bid_id), bid_id=bid_id)

    @get(
        "/awards/{award_id:uuid}/actions",
        operation_id="listAwardActions",
        summary="See what you may do with an award",
        responses=problems(AwardNotFound),
        **public(),
    )
    async def of_award(self, request: ApiRequest, db: Db, actor: Caller, award_id: FromPath[UUID]) -> ActionsView:
        """Each act on the award: allowed to you now, or the problems that it would meet."""
        return _view(request, await service.of_award(db, actor, award_id), award_id=award_id)

    @get(
        "/contracts/{contract_id:uuid}/actions",
        operation_id="listContractActions",
        summary="See what you may do with a contract",
        responses=problems(ContractNotFound),
        **requires(Scope.CONTRACTS_READ),
    )
    async def of_contract(self, request: ApiRequest, db: Db, actor: Caller, contract_id: FromPath[UUID]) -> ActionsView:
        """Each act on the contract, and on each of its deliverables (`about`): allowed to you now, or the problems that it would meet."""
        return _view(request, await delivery.of_contract(db, actor, contract_id), contract_id=contract_id)

    @get(
        "/finance/invoices/{invoice_id:uuid}/actions",
        operation_id="listInvoiceActions",
        summary="See what you may do with an invoice",
        responses=problems(InvoiceNotFound),
        **requires(Scope.FINANCE_READ),
    )
    async def of_invoice(self, request: ApiRequest, db: Db, actor: Caller, invoice_id: FromPath[UUID]) -> ActionsView:
        """Whether you may record a payment of it now, or the problems that one would meet."""
        return _view(request, await delivery.of_invoice(db, actor, invoice_id), invoice_id=invoice_id)

    @get(
        "/organisations/{organisation_id:uuid}/actions",
        operation_id="listOrganisationActions",
        summary="See what you may do with an organisation",
        responses=problems(OrganisationNotFound),
        **requires(Scope.ORGANISATIONS_READ),
    )
    async def of_organisation(
        self, request: ApiRequest, db: Db, actor: Caller, organisation_id: FromPath[UUID]
    ) -> ActionsView:
        """Each act on the organisation: allowed to you now, or the problems that it would meet."""
        acts = await delivery.of_organisation(db, actor, organisation_id)
        return _view(request, acts, organisation_id=organisation_id)

    @get(
        "/organisations/{organisation_id:uuid}/members/{membership_id:uuid}/actions",
        operation_id="listMembershipActions",
        summary="See what you may do with a membership",
        responses=problems(OrganisationNotFound, MembershipNotFound),
        **requires(Scope.ORGANISATIONS_READ),
    )
    async def of_member(
        self,
        request: ApiRequest,
        db: Db,
        actor: Caller,
        organisation_id: FromPath[UUID],
        membership_id: FromPath[UUID],
    ) -> ActionsView:
        """Each act on the membership: allowed to you now, or the problems that it would meet."""
        acts = await delivery.of_member(db, actor, organisation_id, membership_id)
        return _view(request, acts, organisation_id=organisation_id, membership_id=membership_id)

    @get(
        "/organisations/{organisation_id:uuid}/clients/{client_id:uuid}/actions",
        operation_id="listClientActions",
        summary="See what you may do with an API client",
        responses=problems(OrganisationNotFound, ClientNotFound),
        **requires(Scope.ORGANISATIONS_READ),
    )
    async def of_client(
        self, request: ApiRequest, db: Db, actor: Caller, organisation_id: FromPath[UUID], client_id: FromPath[UUID]
    ) -> ActionsView:
        """Each act on the client and its credentials: allowed to you now, or the problems that it would meet."""
        acts = await delivery.of_client(db, actor, organisation_id, client_id)
        return _view(request, acts, organisation_id=organisation_id, client_id=client_id)

    @get(
        "/organisations/{organisation_id:uuid}/invitations/{invitation_id:uuid}/actions",
        operation_id="listInvitationActions",
        summary="See what you may do with an invitation",
        responses=problems(OrganisationNotFound, InvitationNotFound),
        **requires(Scope.MEMBERS_MANAGE),
    )
    async def of_invitation(
        self,
        request: ApiRequest,
        db: Db,
        actor: Caller,
        organisation_id: FromPath[UUID],
        invitation_id: FromPath[UUID],
    ) -> ActionsView:
        """Whether you may revoke it now, or the problems that it would meet."""
        acts = await delivery.of_invitation(db, actor, organisation_id, invitation_id)
        return _view(request, acts, organisation_id=organisation_id, invitation_id=invitation_id)

    @get(
        "/persons/{person_id:uuid}/actions",
        operation_id="listPersonActions",
        summary="See what you may do with a person",
        responses=problems(PersonNotFound),
        **requires(Scope.PERSONS_MANAGE),
    )
    async def of_person(self, request: ApiRequest, db: Db, actor: Caller, person_id: FromPath[UUID]) -> ActionsView:
        """Whether you may suspend or reinstate them now, or the problems that it would meet."""
        return _view(request, await delivery.of_person(db, actor, person_id), person_id=person_id)

"""The routes of registrations, which need no token."""

from uuid import UUID

from litestar import Controller, Response, post
from litestar.params import FromPath, JSONBody

from procure.identity.registrations import service
from procure.identity.registrations.errors import (
    RegistrationInvalid,
    RegistrationLimitReached,
    RegistrationNotFound,
    RegistrationNotOpen,
    RegistrationOff,
)
from procure.identity.registrations.schemas import (
    Confirmation,
    RegisteredView,
    RegistrationDraft,
    RegistrationView,
)
from procure.identity.registrations.service import Porch
from procure.kit.http import ApiRequest, ApiResponse, Caller, Db, once_of, public
from procure.kit.idempotency import Key
from procure.kit.problems import problems
from procure.kit.trial import Trial
from procure.mail.errors import MailNotSet
from procure.organisations.errors import OrganisationKnown


def porch_of(request: ApiRequest) -> Porch:
    porch: Porch = request.app.state.porch
    return porch


class RegistrationController(Controller):
    """For suppliers who are nobody here yet."""

    path = "/v1/registrations"
    tags = ("Organisations",)

    @post(
        "/",
        operation_id="registerSupplier",
        summary="Register your organisation",
        status_code=202,
        responses=problems(RegistrationInvalid, RegistrationLimitReached, RegistrationOff, MailNotSet),
        **public(),
    )
    async def register(self, request: ApiRequest, db: Db, data: JSONBody[RegistrationDraft]) -> RegistrationView:
        """Ask for your organisation to be registered as a supplier. A code goes to the contact's address; nothing is registered before it
        is confirmed.

        The reply is the same whether the organisation is registered already or not: the letter says which. One mailbox is written to
        three times a day; ask again for another code. An address may ask a few times an hour, told as the policy `registrations`.
        """
        porch = porch_of(request)
        porch.check_open()
        applicant, rates = service.judge(data), request.app.state.rates
        if not isinstance(once_of(request), Trial):
            rates.charge_registration(request.scope)
        row = await service.register(db, porch, data, applicant, rates.addresses.key(request.scope))
        return RegistrationView(row.id, row.expires_at)

    @post(
        "/{registration_id:uuid}/confirm",
        operation_id="confirmRegistration",
        summary="Confirm a registration",
        status_code=200,
        responses=problems(RegistrationNotFound, RegistrationNotOpen, OrganisationKnown, RegistrationOff, MailNotSet),
        **public(key=Key.REQUIRED),
    )
    async def confirm(
        self, request: ApiRequest, db: Db, actor: Caller, registration_id: FromPath[UUID], data: JSONBody[Confirmation]
    ) -> Response[RegisteredView]:
        """Register the organisation by the code that was mailed: it is an active supplier from now on, whose contact administers it and
        bids.

        The reply shows the secret of the contact's client, this once; a retry with the same `Idempotency-Key` shows it again. Of two who
        register the same organisation the first to confirm has it. After five wrong codes a registration is over.
        """
        made = await service.confirm(db, porch_of(request), actor, registration_id, data.code)
        if isinstance(made, RegistrationNotFound):
            once = once_of(request)
            assert once is not None
            once.answer(made)
            return ApiResponse(None)
        view = RegisteredView(
            organisation_id=made.organisation.id,
            membership_id=made.membership.id,
            person_id=made.person.id,
            client_id=made.client.id,
            client_secret=made.secret,
        )
        return ApiResponse(view, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})

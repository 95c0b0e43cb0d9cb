"""The routes of members, clients and tokens."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from authlib.oauth2.rfc6749 import OAuth2Error
from litestar import Controller, Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIMediaType, OpenAPIType, Operation, Reference, RequestBody, Schema
from litestar.params import FromPath, JSONBody

from procure.identity import oauth, service
from procure.identity.errors import (
    ClientInvalid,
    ClientNotActive,
    ClientNotFound,
    MembershipInvalid,
    MembershipKnown,
    MembershipNotActive,
    MembershipNotFound,
)
from procure.identity.failures import TooManyFailures
from procure.identity.schemas import (
    ClientDraft,
    ClientView,
    JwkSet,
    MemberDraft,
    MemberView,
    NewClientView,
    OAuthError,
    ServerMetadata,
    TokenView,
)
from procure.kit.http import ApiResponse, AsSeen, Caller, Db, PageAsked, client_credentials, public, requires
from procure.kit.paging import Page, Position, page_of
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.organisations.errors import OrganisationNotFound
from procure.organisations.schemas import Reason

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class MemberController(Controller):
    """Who acts for an organisation: managed by its own admin, or by the operator."""

    path = "/v1/organisations/{organisation_id:uuid}/members"
    tags = ("Organisations",)

    @get(
        "/",
        operation_id="listMembers",
        summary="List members",
        responses=problems(OrganisationNotFound),
        **requires(Scope.ORGANISATIONS_READ),
    )
    async def list_(self, db: Db, actor: Caller, page: PageAsked, organisation_id: FromPath[UUID]) -> Page[MemberView]:
        """Your own organisation's members, newest first, those who have left too. The operator reads any organisation's."""
        rows = await service.list_members(db, actor, organisation_id, page)
        return page_of(rows, page, lambda row: MemberView.of(*row), lambda row: Position(row[0].created_at, row[0].id))

    @post(
        "/",
        operation_id="addMember",
        summary="Add a member",
        responses=problems(OrganisationNotFound, MembershipInvalid, MembershipKnown),
        **requires(Scope.MEMBERS_MANAGE),
    )
    async def add(
        self, db: Db, actor: Caller, organisation_id: FromPath[UUID], data: JSONBody[MemberDraft]
    ) -> MemberView:
        """Give a person roles: a new one by name, or one known already by id. Who has left takes up the old membership."""
        return MemberView.of(*await service.add_member(db, actor, organisation_id, data))

    @post(
        "/{membership_id:uuid}/end",
        operation_id="endMembership",
        summary="End a membership",
        status_code=200,
        responses=problems(OrganisationNotFound, MembershipNotFound, MembershipNotActive),
        **requires(Scope.MEMBERS_MANAGE, seen="membership"),
    )
    async def end(
        self, db: Db, actor: Caller, seen: AsSeen, organisation_id: FromPath[UUID], membership_id: FromPath[UUID]
    ) -> MemberView:
        """Take the roles away and revoke the person's clients here; tokens already out stop with the next request."""
        return MemberView.of(*await service.end_membership(db, actor, organisation_id, membership_id, seen=seen))


class ClientController(Controller):
    """API clients: service ones with roles of their own, personal ones that act as one member."""

    path = "/v1/organisations/{organisation_id:uuid}/clients"
    tags = ("Organisations",)

    @get(
        "/",
        operation_id="listClients",
        summary="List clients",
        responses=problems(OrganisationNotFound),
        **requires(Scope.ORGANISATIONS_READ),
    )
    async def list_(self, db: Db, actor: Caller, page: PageAsked, organisation_id: FromPath[UUID]) -> Page[ClientView]:
        """Your own organisation's clients, newest first, revoked ones too. The operator reads any organisation's."""
        rows = await service.list_clients(db, actor, organisation_id, page)
        return page_of(rows, page, ClientView.of, lambda row: Position(row.created_at, row.id))

    @post(
        "/",
        operation_id="addClient",
        summary="Add a client",
        responses=problems(OrganisationNotFound, ClientInvalid),
        **requires(Scope.CLIENTS_MANAGE),
    )
    async def add(
        self, db: Db, actor: Caller, organisation_id: FromPath[UUID], data: JSONBody[ClientDraft]
    ) -> Response[NewClientView]:
        """Make a client. The reply shows its secret, this once; exchange both at `/oauth/token` for a token."""
        client, secret = await service.add_client(db, actor, organisation_id, data)
        return ApiResponse(NewClientView.with_secret(client, secret), status_code=201, headers=NO_STORE)

    @post(
        "/{client_id:uuid}/revoke",
        operation_id="revokeClient",
        summary="Revoke a client",
        status_code=200,
        responses=problems(OrganisationNotFound, ClientNotFound, ClientNotActive),
        **requires(Scope.CLIENTS_MANAGE, seen="client"),
    )
    async def revoke(
        self,
        db: Db,
        actor: Caller,
        seen: AsSeen,
        organisation_id: FromPath[UUID],
        client_id: FromPath[UUID],
        data: JSONBody[Reason],
    ) -> ClientView:
        """Stop a client for good; tokens already out stop with the next request."""
        return ClientView.of(await service.revoke_client(db, actor, organisation_id, client_id, data.reason, seen=seen))


TOKEN_EXAMPLE = Example(summary="An example", value={"grant_type": "client_credentials", "scope": "contracts:read"})


@dataclass
class TokenOperation(Operation):
    """The token request's form, which is read as RFC 6749 says and not as a JSON body."""

    def __post_init__(self) -> None:
        text = OpenAPIType.STRING
        fields: dict[str, Reference | Schema] = {
            "grant_type": Schema(type=text, enum=["client_credentials"]),
            "scope": Schema(
                type=text,
                max_length=2000,
                pattern="^[ -~]*$",
                description="Scopes, separated by spaces; left out, all that the roles allow.",
            ),
        }
        schema = Schema(type=OpenAPIType.OBJECT, properties=fields, required=["grant_type"])
        self.request_body = RequestBody(
            content={oauth.FORM: OpenAPIMediaType(schema=schema, examples={"example": TOKEN_EXAMPLE})}, required=True
        )


def on_oauth_error(_: Request[Any, Any, Any], error: OAuth2Error) -> Response[OAuthError]:
    """RFC 6749, section 5.2, instead of a problem: what OAuth clients understand."""
    said = OAuthError(error.error, error.description or "The only grant_type here is client_credentials.")
    challenge = {"WWW-Authenticate": 'Basic realm="procure", charset="UTF-8"'} if error.status_code == 401 else {}
    wait = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooManyFailures) else {}
    return Response(said, status_code=error.status_code, headers={**NO_STORE, **challenge, **wait})


class TokenController(Controller):
    """OAuth 2 for machines: client credentials against short-lived signed tokens."""

    path = "/oauth"
    tags = ("Tokens",)

    @post(
        "/token",
        operation_id="getToken",
        summary="Get an access token",
        status_code=200,
        operation_class=TokenOperation,
        exception_handlers={OAuth2Error: on_oauth_error},
        responses={
            400: ResponseSpec(
                OAuthError,
                generate_examples=False,
                description="`invalid_request`, `invalid_scope`, `unauthorized_client` or `unsupported_grant_type`.",
            ),
            401: ResponseSpec(
                OAuthError,
                generate_examples=False,
                description="`invalid_client`: unknown, revoked, or a wrong secret.",
            ),
            429: ResponseSpec(
                OAuthError,
                generate_examples=False,
                description="`slow_down`: too many failed requests of this address; `Retry-After` says how long to wait.",
            ),
        },
        **client_credentials(),
    )
    async def token(self, request: Request[Any, Any, Any]) -> Response[TokenView]:
        """Exchange a client's id and secret (HTTP Basic) for a bearer token (RFC 6749, section 4.4; RFC 9068).

        Errors are OAuth's own, not problems. A client of a suspended organisation is `unauthorized_client`.
        """
        state = request.app.state
        view = await oauth.grant(
            state.driver,
            state.settings,
            state.signing_key,
            state.token_failures,
            authorization=request.headers.get("authorization", ""),
            content_type=request.headers.get("content-type", ""),
            body=await request.body(),
            address=state.rates.addresses.key(request.scope),
        )
        return Response(view, headers=NO_STORE)

    @get("/jwks", operation_id="getTokenKeys", summary="Read the token keys", responses=problems(), **public())
    async def keys(self, request: Request[Any, Any, Any]) -> JwkSet:
        """The public keys that tokens are signed with (RFC 7517)."""
        return JwkSet([request.app.state.signing_key.public()])


class MetadataController(Controller):
    """Where OAuth clients look first."""

    path = "/.well-known/oauth-authorization-server"
    tags = ("Tokens",)

    @get(
        "/",
        operation_id="getTokenMetadata",
        summary="Read the token service's metadata",
        responses=problems(),
        **public(),
    )
    async def read(self, request: Request[Any, Any, Any]) -> ServerMetadata:
        """Addresses, scopes and methods (RFC 8414)."""
        return oauth.metadata(request.app.state.settings)

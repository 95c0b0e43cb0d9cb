"""The routes of members, clients and tokens."""

from typing import Any
from uuid import UUID

from authlib.oauth2.rfc6749 import OAuth2Error
from litestar import Controller, Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody

from procure.identity import credentials, oauth, service
from procure.identity.errors import (
    ClientInvalid,
    ClientNotActive,
    ClientNotFound,
    CredentialInvalid,
    CredentialKnown,
    CredentialLimitReached,
    CredentialNotActive,
    CredentialNotFound,
    MembershipInvalid,
    MembershipKnown,
    MembershipNotActive,
    MembershipNotFound,
)
from procure.identity.failures import TooManyFailures
from procure.identity.forms import IntrospectionForm, RevocationForm, TokenForm
from procure.identity.oauth import Asked, House
from procure.identity.rules import CredentialKind
from procure.identity.schemas import (
    ClientDraft,
    ClientView,
    Introspection,
    JwkSet,
    KeyDraft,
    KeyView,
    MemberDraft,
    MemberView,
    NewClientView,
    NewSecretView,
    OAuthError,
    Revocation,
    SecretDraft,
    SecretView,
    ServerMetadata,
    TokenView,
)
from procure.identity.signing import SigningKeys
from procure.kit.actor import PersonNeeded
from procure.kit.http import (
    ApiRequest,
    ApiResponse,
    AsSeen,
    Caller,
    Db,
    PageAsked,
    client_credentials,
    public,
    requires,
)
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
        """Take the roles away and revoke the person's clients here; tokens already out stop with the next request.

        A sign-on that came by invitation opens this organisation no more, also if the person comes back: invite it anew.
        """
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
        responses=problems(OrganisationNotFound, PersonNeeded, ClientInvalid),
        **requires(Scope.CLIENTS_MANAGE),
    )
    async def add(
        self, db: Db, actor: Caller, organisation_id: FromPath[UUID], data: JSONBody[ClientDraft]
    ) -> Response[NewClientView]:
        """Make a client. The reply shows its secret, this once; exchange both at `/oauth/token` for a token.

        One that acts as a person is made by a person: a service client makes other service clients alone.
        """
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


class SecretController(Controller):
    """A client's secrets: two at once, so that one follows another without a gap."""

    path = "/v1/organisations/{organisation_id:uuid}/clients/{client_id:uuid}/secrets"
    tags = ("Organisations",)

    @get(
        "/",
        operation_id="listClientSecrets",
        summary="List a client's secrets",
        responses=problems(OrganisationNotFound, ClientNotFound),
        **requires(Scope.ORGANISATIONS_READ),
    )
    async def list_(
        self, db: Db, actor: Caller, page: PageAsked, organisation_id: FromPath[UUID], client_id: FromPath[UUID]
    ) -> Page[SecretView]:
        """Newest first, revoked ones too, none with the secret itself."""
        rows = await credentials.list_credentials(db, actor, organisation_id, client_id, CredentialKind.SECRET, page)
        return page_of(
            rows,
            page,
            lambda row: SecretView.of(row, actor, organisation_id),
            lambda row: Position(row.created_at, row.id),
        )

    @post(
        "/",
        operation_id="addClientSecret",
        summary="Add a secret to a client",
        responses=problems(
            OrganisationNotFound,
            ClientNotFound,
            PersonNeeded,
            ClientNotActive,
            CredentialInvalid,
            CredentialLimitReached,
        ),
        **requires(Scope.CLIENTS_MANAGE),
    )
    async def add(
        self,
        db: Db,
        actor: Caller,
        organisation_id: FromPath[UUID],
        client_id: FromPath[UUID],
        data: JSONBody[SecretDraft],
    ) -> Response[NewSecretView]:
        """Make a second secret, shown this once. The first goes on until you revoke it: give the system the new one in between.

        A personal client gets it from a person, never from a service client.
        """
        row, secret = await credentials.add_secret(db, actor, organisation_id, client_id, data)
        view = NewSecretView.with_secret(SecretView.of(row, actor, organisation_id), secret)
        return ApiResponse(view, status_code=201, headers=NO_STORE)

    @post(
        "/{credential_id:uuid}/revoke",
        operation_id="revokeClientSecret",
        summary="Revoke a client's secret",
        status_code=200,
        responses=problems(OrganisationNotFound, ClientNotFound, CredentialNotFound, CredentialNotActive),
        **requires(Scope.CLIENTS_MANAGE, seen="secret"),
    )
    async def revoke(
        self,
        db: Db,
        actor: Caller,
        seen: AsSeen,
        organisation_id: FromPath[UUID],
        client_id: FromPath[UUID],
        credential_id: FromPath[UUID],
        data: JSONBody[Reason],
    ) -> SecretView:
        """No token is had by it any more, from the next request on. Tokens that are out live on; to end them too, revoke the client."""
        row = await credentials.revoke_credential(
            db, actor, organisation_id, client_id, CredentialKind.SECRET, credential_id, data.reason, seen=seen
        )
        return SecretView.of(row, actor, organisation_id)


class KeyController(Controller):
    """The public keys by which a client's assertions are checked, instead of a secret."""

    path = "/v1/organisations/{organisation_id:uuid}/clients/{client_id:uuid}/keys"
    tags = ("Organisations",)

    @get(
        "/",
        operation_id="listClientKeys",
        summary="List a client's public keys",
        responses=problems(OrganisationNotFound, ClientNotFound),
        **requires(Scope.ORGANISATIONS_READ),
    )
    async def list_(
        self, db: Db, actor: Caller, page: PageAsked, organisation_id: FromPath[UUID], client_id: FromPath[UUID]
    ) -> Page[KeyView]:
        """Newest first, revoked ones too."""
        rows = await credentials.list_credentials(db, actor, organisation_id, client_id, CredentialKind.KEY, page)
        return page_of(
            rows,
            page,
            lambda row: KeyView.of(row, actor, organisation_id),
            lambda row: Position(row.created_at, row.id),
        )

    @post(
        "/",
        operation_id="addClientKey",
        summary="Register a client's public key",
        responses=problems(
            OrganisationNotFound,
            ClientNotFound,
            PersonNeeded,
            ClientNotActive,
            CredentialInvalid,
            CredentialKnown,
            CredentialLimitReached,
        ),
        **requires(Scope.CLIENTS_MANAGE),
    )
    async def add(
        self,
        db: Db,
        actor: Caller,
        organisation_id: FromPath[UUID],
        client_id: FromPath[UUID],
        data: JSONBody[KeyDraft],
    ) -> KeyView:
        """Register the public half of a key; the client then gets tokens by `private_key_jwt` (RFC 7523), without any shared secret.

        A personal client gets it from a person, never from a service client.
        """
        row = await credentials.add_key(db, actor, organisation_id, client_id, data)
        return KeyView.of(row, actor, organisation_id)

    @post(
        "/{key_id:uuid}/revoke",
        operation_id="revokeClientKey",
        summary="Revoke a client's public key",
        status_code=200,
        responses=problems(OrganisationNotFound, ClientNotFound, CredentialNotFound, CredentialNotActive),
        **requires(Scope.CLIENTS_MANAGE, seen="key"),
    )
    async def revoke(
        self,
        db: Db,
        actor: Caller,
        seen: AsSeen,
        organisation_id: FromPath[UUID],
        client_id: FromPath[UUID],
        key_id: FromPath[UUID],
        data: JSONBody[Reason],
    ) -> KeyView:
        """No assertion that it signs is taken any more, from the next request on. Tokens that are out live on."""
        row = await credentials.revoke_credential(
            db, actor, organisation_id, client_id, CredentialKind.KEY, key_id, data.reason, seen=seen
        )
        return KeyView.of(row, actor, organisation_id)


def on_oauth_error(_: Request[Any, Any, Any], error: OAuth2Error) -> Response[OAuthError]:
    """RFC 6749, section 5.2, instead of a problem: what OAuth clients understand."""
    said = OAuthError(error.error, error.description or "The only grant_type here is client_credentials.")
    challenge = {"WWW-Authenticate": 'Basic realm="procure", charset="UTF-8"'} if error.status_code == 401 else {}
    wait = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooManyFailures) else {}
    return Response(said, status_code=error.status_code, headers={**NO_STORE, **challenge, **wait})


def oauth_errors(malformed: str) -> dict[int, ResponseSpec]:
    """The errors of an endpoint that knows its callers by credentials of their own."""
    refused = "`invalid_client`: unknown, revoked, or not proven by what was sent."
    slow = "`slow_down`: too many failed requests of this address; `Retry-After` says how long to wait."
    said = {400: malformed, 401: refused, 429: slow}
    return {
        status: ResponseSpec(OAuthError, generate_examples=False, description=text) for status, text in said.items()
    }


def house_of(request: ApiRequest) -> House:
    house: House = request.app.state.oauth
    return house


async def asked_by(request: ApiRequest) -> Asked:
    headers = request.headers
    address = request.app.state.rates.addresses.key(request.scope)
    return Asked(headers.get("authorization", ""), headers.get("content-type", ""), await request.body(), address)


class TokenController(Controller):
    """OAuth 2 for machines: client credentials against short-lived signed tokens."""

    path = "/oauth"
    tags = ("Tokens",)

    @post(
        "/token",
        operation_id="getToken",
        summary="Get an access token",
        status_code=200,
        operation_class=TokenForm,
        exception_handlers={OAuth2Error: on_oauth_error},
        responses=oauth_errors(
            "`invalid_request`, `invalid_scope`, `unauthorized_client` or `unsupported_grant_type`."
        ),
        **client_credentials(),
    )
    async def token(self, request: ApiRequest, db: Db) -> Response[TokenView]:
        """Exchange what a client proves itself with for a bearer token (RFC 6749, section 4.4; RFC 9068).

        Its id and secret by HTTP Basic, or an assertion that it has signed (`private_key_jwt`, RFC 7523): `iss` and `sub` its id, `aud`
        the issuer or this address alone, `exp` at most 300 seconds ahead, a `jti` of its own. Errors are OAuth's own, not problems.
        A client that is suspended, or whose person, membership or organisation is, is `unauthorized_client`.
        """
        return ApiResponse(await oauth.grant(house_of(request), db, await asked_by(request)), headers=NO_STORE)

    @post(
        "/revoke",
        operation_id="revokeToken",
        summary="Revoke an access token",
        status_code=200,
        operation_class=RevocationForm,
        exception_handlers={OAuth2Error: on_oauth_error},
        responses=oauth_errors("`invalid_request`, `unauthorized_client`, or `invalid_grant`: another client's token."),
        **client_credentials(),
    )
    async def revoke(self, request: ApiRequest, db: Db) -> Response[Revocation]:
        """End one of your own tokens, from the next request on (RFC 7009). A token that is unknown or over already is a success too."""
        await oauth.revoke(house_of(request), db, await asked_by(request))
        return ApiResponse(Revocation(), headers=NO_STORE)

    @post(
        "/introspect",
        operation_id="introspectToken",
        summary="Ask what an access token is worth",
        status_code=200,
        operation_class=IntrospectionForm,
        exception_handlers={OAuth2Error: on_oauth_error},
        responses=oauth_errors("`invalid_request` or `unauthorized_client`."),
        **client_credentials(),
    )
    async def introspect(self, request: ApiRequest, db: Db) -> Response[Introspection]:
        """Whether a token that acts for your organisation is good at this moment, and for which scopes (RFC 7662).

        Of any other token, good or bad, `active` is false and nothing more is told.
        """
        return ApiResponse(await oauth.introspect(house_of(request), db, await asked_by(request)), headers=NO_STORE)

    @get("/jwks", operation_id="getTokenKeys", summary="Read the token keys", responses=problems(), **public())
    async def keys(self, request: Request[Any, Any, Any]) -> JwkSet:
        """The public keys that tokens are signed with (RFC 7517): now, soon, and until lately. Take the one of a token's `kid`; read them
        again where it is unknown to you.
        """
        keys: SigningKeys = request.app.state.oauth.keys
        return JwkSet([key.public() for key in keys.believed()])


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

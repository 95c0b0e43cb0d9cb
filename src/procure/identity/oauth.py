"""The protocol of the token endpoints, RFC 6749 by Authlib: who is asking, for what, and what is answered.

Authlib's server is synchronous and waits for nothing: how the client stands, and what it may prove itself with, is read before; that an
assertion was used, and the day of a credential's use, is written after, in the transaction whose end lets the reply go.
"""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl
from uuid import UUID

import structlog
from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientCredentialsGrant,
    ClientMixin,
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Error,
    OAuth2Request,
    UnauthorizedClientError,
    list_to_scope,
    scope_to_list,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6749.util import extract_basic_authorization
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from sqlalchemy.ext.asyncio import AsyncSession

from procure.identity import assertions, credentials, remembered, standing, tokens
from procure.identity.assertions import Assertion, AssertionRefused
from procure.identity.errors import TokenRefused
from procure.identity.failures import Failures
from procure.identity.rules import ClientStatus, Standing, check_standing, hash_secret
from procure.identity.schemas import Introspection, ServerMetadata, TokenView
from procure.identity.signing import SigningKeys
from procure.identity.standing import Proof
from procure.kit.clock import wall_now
from procure.kit.driver import Driver
from procure.kit.errors import Fact
from procure.kit.scopes import Scope, scopes_of
from procure.kit.settings import Settings

FORM = "application/x-www-form-urlencoded"
BODY_MAX_BYTES = 8192
FIELDS_MAX = 20
SECRET, ASSERTION = METHODS = ["client_secret_basic", "private_key_jwt"]
_UNKNOWN = "The client is unknown, or what it proves itself with is wrong."
_STOPPED = "The client, its person, membership or organisation is suspended, or its person has left it."
# Authlib refuses plain HTTP, which is what reaches the service when TLS ends in front of it.
_URI = "https://procure/oauth/token"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class House:
    """What the endpoints work with as long as the process lives."""

    driver: Driver
    settings: Settings
    keys: SigningKeys
    failures: Failures


@dataclass(frozen=True, slots=True)
class Asked:
    """What reached an endpoint."""

    authorization: str
    content_type: str
    body: bytes
    #: Whose it is, or None where it is nobody's own (`kit.addresses`).
    address: str | None


async def grant(house: House, db: AsyncSession, asked: Asked) -> TokenView:
    """A token for the client that asks; raises Authlib's OAuth2Error with the endpoint's own error.

    The log lines name nobody: who asks for a token in the hours before a deadline is about to bid.
    """
    with _logged("token refused"):
        form = _form(asked, "grant_type")
        with house.failures.watching(_claimed_id(asked, form), asked.address):
            server = await _server(house, asked, form)
            reply: dict[str, Any] = server.create_token_response(_request(asked, form))
            await _settle(db, server.calling())
    log.info("token issued")
    return TokenView(**reply)


async def revoke(house: House, db: AsyncSession, asked: Asked) -> None:
    """End a token of the client's own (RFC 7009). One that is unknown, expired or revoked is as good as ended; another's is refused."""
    with _logged("revocation refused"):
        form, client = await _identified(house, db, asked, "revocation")
        try:
            token = tokens.verify(house.keys, house.settings, form["token"])
        except TokenRefused:
            return
        if token.client_id != client.standing.client_id:
            raise InvalidGrantError("The token is another client's.")
        await remembered.revoke_token(db, token)
    log.info("token revoked")


async def introspect(house: House, db: AsyncSession, asked: Asked) -> Introspection:
    """What a token is worth now (RFC 7662), to clients of the organisation for which it acts: their systems check each other's callers.

    To anybody else it is worth nothing, as one that is unknown is: who acts for whom is no business of theirs.
    """
    with _logged("introspection refused"):
        form, client = await _identified(house, db, asked, "introspection")
        return await _worth(house, client.standing, form["token"])


async def _worth(house: House, asking: Standing, text: str) -> Introspection:
    try:
        token = tokens.verify(house.keys, house.settings, text)
        found = await standing.read(house.driver, token.client_id, token.id)
        if found is None or found.organisation_id != asking.organisation_id:
            return Introspection(active=False)
        check_standing(found)
    except Fact:
        return Introspection(active=False)
    issuer = tokens.issuer(house.settings)
    return Introspection(
        active=True,
        scope=" ".join(sorted(token.scopes & scopes_of(found.roles))),
        client_id=token.client_id,
        token_type="Bearer",  # noqa: S106 - a kind of token
        exp=token.expires_at,
        sub=token.client_id,
        aud=issuer,
        iss=issuer,
        jti=token.id,
    )


@contextmanager
def _logged(refused: str) -> Iterator[None]:
    try:
        yield
    except OAuth2Error as error:
        log.warning(refused, error=error.error)
        raise


async def _identified(
    house: House, db: AsyncSession, asked: Asked, endpoint: str
) -> tuple[dict[str, str], "_CallingClient"]:
    """The form and the client of an endpoint that takes a token; the endpoint's own check of the client is that of the token endpoint."""
    form = _form(asked, "token")
    with house.failures.watching(_claimed_id(asked, form), asked.address):
        server = await _server(house, asked, form)
        server.authenticate_client(_request(asked, form), METHODS, endpoint)
        await _settle(db, server.calling())
    return form, server.calling()


def _claimed_id(asked: Asked, form: dict[str, str]) -> UUID | None:
    """Who the caller says to be, by whichever method; None if that can't be read."""
    if "client_assertion" not in form:
        return _client_id(asked.authorization)
    try:
        return assertions.read(form["client_assertion"]).client_id
    except AssertionRefused:
        return None


async def _server(house: House, asked: Asked, form: dict[str, str]) -> "_Server":
    """Authlib's server, for one request, with all that it will ask read already."""
    try:
        claimed = assertions.read(form["client_assertion"]) if "client_assertion" in form else None
    except AssertionRefused as refused:
        raise InvalidClientError(status_code=401, description=str(refused)) from None
    client_id = claimed.client_id if claimed else _client_id(asked.authorization)
    found = await standing.read(house.driver, client_id) if client_id else None
    known = await standing.proofs(house.driver, client_id) if client_id and found else []
    issuer = tokens.issuer(house.settings)
    moment, audiences = wall_now().timestamp(), {issuer, f"{issuer}/oauth/token"}
    client = _CallingClient(found, known, claimed, audiences, moment) if found else None
    return _Server(house, client)


def _request(asked: Asked, form: dict[str, str]) -> OAuth2Request:
    request = OAuth2Request("POST", _URI, headers={"Authorization": asked.authorization})
    request.payload = BasicOAuth2Payload(form)
    return request


async def _settle(db: AsyncSession, client: "_CallingClient") -> None:
    """After all else has gone well: an assertion is used up, and the day of its credential's use kept.

    One that brought an error and no more may come again, with the request mended.
    """
    if client.assertion is not None and not await remembered.use_once(db, client.assertion):
        said = "The assertion was used before: each has a `jti` of its own."
        raise InvalidClientError(status_code=401, description=said)
    today = wall_now().date()
    if client.proof is not None and client.proof.last_used_on != today:
        await credentials.note_use(db, client.proof.id, today)


def _form(asked: Asked, needed: str) -> dict[str, str]:
    """The form's fields; unknown ones are ignored, as RFC 6749 (section 3.2) has it, repeated ones are not."""
    if asked.content_type.partition(";")[0].strip().lower() != FORM:
        raise InvalidRequestError(f"Send the parameters as {FORM}.")
    if len(asked.body) > BODY_MAX_BYTES:
        raise InvalidRequestError(f"The form is larger than {BODY_MAX_BYTES} bytes.")
    try:
        pairs = parse_qsl(asked.body.decode("ascii"), errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError:
        raise InvalidRequestError("The form can't be read.") from None
    form = dict(pairs)
    if len(form) < len(pairs):
        raise InvalidRequestError("A parameter may be given once.")
    _check_method(form, asked.authorization)
    if needed not in form:
        raise InvalidRequestError(f"{needed} is missing.")
    return form


def _check_method(form: dict[str, str], authorization: str) -> None:
    """One way of proving who it is, whole (RFC 6749, section 2.3; RFC 7521, section 4.2)."""
    if "client_secret" in form:
        raise InvalidRequestError(f"A secret is sent by {SECRET}, in the Authorization header alone.")
    if "client_assertion" not in form:
        if "client_assertion_type" in form:
            raise InvalidRequestError("client_assertion is missing.")
        return
    if authorization:
        raise InvalidRequestError("The client authenticates once: by the Authorization header or by client_assertion.")
    if form.get("client_assertion_type") != assertions.TYPE:
        raise InvalidRequestError(f"client_assertion_type is {assertions.TYPE}.")


def _client_id(authorization: str) -> UUID | None:
    try:
        name, _ = extract_basic_authorization({"Authorization": authorization})
        return UUID(name) if name else None
    except ValueError:  # not UTF-8 below the Base64, or no id of ours
        return None


class _CallingClient(ClientMixin):  # type: ignore[misc]
    """A client as Authlib asks about it; what it proved itself with is `proof`, and `assertion` if it was one."""

    def __init__(
        self,
        found: Standing,
        known: list[Proof],
        claimed: assertions.Read | None,
        audiences: set[str],
        moment: float,
    ) -> None:
        self.standing, self._known, self._claimed = found, known, claimed
        self._audiences, self._moment = audiences, moment
        self.proof: Proof | None = None
        self.assertion: Assertion | None = None

    def get_client_id(self) -> str:
        return str(self.standing.client_id)

    def check_client_secret(self, secret: str) -> bool:
        digest = hash_secret(secret)
        for one in self._known:
            if one.secret_hash is not None and hmac.compare_digest(digest, one.secret_hash):
                self.proof = one
        return self.proof is not None

    def check_assertion(self, client_id: str) -> bool:
        """Whether the request's assertion is this client's; raises AssertionRefused if it is, and is not one to be taken."""
        if self._claimed is None or client_id not in ("", self.get_client_id()):
            return False
        for one in self._known:
            if one.public_key is None:
                continue
            self.assertion = assertions.verify(self._claimed, [one.public_key], self._audiences, self._moment)
            if self.assertion is not None:
                self.proof = one
                return True
        return False

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method in METHODS

    def check_grant_type(self, grant_type: str) -> bool:
        return bool(grant_type == ClientCredentialsGrant.GRANT_TYPE)

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """All that the roles allow, or exactly what is asked for; None (invalid_scope) if that is more, or nothing but spaces."""
        allowed = scopes_of(self.standing.roles)
        asked = set(scope_to_list(scope)) if scope else allowed
        return list_to_scope(sorted(asked)) if asked and asked <= allowed else None


def _by_assertion(query_client: Any, request: Any) -> _CallingClient | None:
    """`private_key_jwt` as one of Authlib's methods."""
    form = request.payload.data
    client: _CallingClient | None = query_client(None) if "client_assertion" in form else None
    return client if client is not None and client.check_assertion(form.get("client_id", "")) else None


class _Grant(ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS


class _Server(AuthorizationServer):  # type: ignore[misc]
    """Authlib's server for one request: it knows the one client that this request may be of."""

    def __init__(self, house: House, client: _CallingClient | None) -> None:
        super().__init__(scopes_supported=[scope.value for scope in Scope])
        self._client = client

        def access_token(client: _CallingClient, scope: str, **_: object) -> str:
            return tokens.issue(house.keys.signer(), house.settings, UUID(client.get_client_id()), scope.split())

        self.register_grant(_Grant)
        self.register_client_auth_method(ASSERTION, _by_assertion)
        self.register_token_generator(
            "default", BearerTokenGenerator(access_token, expires_generator=house.settings.token_lifetime_s)
        )

    def calling(self) -> _CallingClient:
        """The client, once it is authenticated."""
        assert self._client is not None
        return self._client

    def query_client(self, _client_id: str) -> _CallingClient | None:
        return self._client

    def authenticate_client(self, request: Any, methods: list[str], endpoint: str = "token") -> _CallingClient:
        # Unknown, revoked or a wrong secret are one answer: who exists is nobody's to find out.
        unknown = InvalidClientError(status_code=401, description=_UNKNOWN)
        if self._client is None or self._client.standing.client_status is ClientStatus.REVOKED:
            raise unknown
        try:
            client: _CallingClient = super().authenticate_client(request, methods, endpoint)
        except InvalidClientError:
            raise unknown from None
        except AssertionRefused as refused:
            raise InvalidClientError(status_code=401, description=str(refused)) from None
        try:
            check_standing(client.standing)
        except Fact:
            raise UnauthorizedClientError(description=_STOPPED) from None
        return client

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        """A signed token is its own record."""

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: Any) -> Any:
        return request

    def handle_response(self, _status: int, body: Any, _headers: Any) -> Any:
        return body

    def handle_error_response(self, _request: Any, error: OAuth2Error) -> NoReturn:
        raise error


def metadata(settings: Settings) -> ServerMetadata:
    """What RFC 8414 publishes; there is no authorization endpoint, hence no response type."""
    issuer = tokens.issuer(settings)
    return ServerMetadata(
        issuer=issuer,
        token_endpoint=f"{issuer}/oauth/token",
        jwks_uri=f"{issuer}/oauth/jwks",
        scopes_supported=[scope.value for scope in Scope],
        response_types_supported=[],
        grant_types_supported=[ClientCredentialsGrant.GRANT_TYPE],
        token_endpoint_auth_methods_supported=METHODS,
        token_endpoint_auth_signing_alg_values_supported=assertions.ALGORITHMS,
        revocation_endpoint=f"{issuer}/oauth/revoke",
        revocation_endpoint_auth_methods_supported=METHODS,
        revocation_endpoint_auth_signing_alg_values_supported=assertions.ALGORITHMS,
        introspection_endpoint=f"{issuer}/oauth/introspect",
        introspection_endpoint_auth_methods_supported=METHODS,
        introspection_endpoint_auth_signing_alg_values_supported=assertions.ALGORITHMS,
        service_documentation=f"{issuer}/docs",
    )

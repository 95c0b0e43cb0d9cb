"""The token endpoint's protocol, RFC 6749 by Authlib: who is asking, for which scopes, and what is answered.

Authlib's server is synchronous and waits for nothing: the client's standing is read before, and nothing is stored after,
since a signed token is its own record.
"""

import hmac
from typing import Any, NoReturn
from urllib.parse import parse_qsl
from uuid import UUID

import structlog
from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientCredentialsGrant,
    ClientMixin,
    InvalidClientError,
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

from procure.identity import standing, tokens
from procure.identity.failures import Failures
from procure.identity.rules import ClientStatus, Standing, check_standing
from procure.identity.schemas import ServerMetadata, TokenView
from procure.identity.service import hash_secret
from procure.identity.signing import SigningKey
from procure.kit.driver import Driver
from procure.kit.errors import Fact
from procure.kit.scopes import Scope, scopes_of
from procure.kit.settings import Settings

FORM = "application/x-www-form-urlencoded"
BODY_MAX_BYTES = 8192
FIELDS_MAX = 20
METHOD = "client_secret_basic"
_UNKNOWN = "The client is unknown or its secret is wrong."
_STOPPED = "The client's organisation is suspended, or its person has left it."
# Authlib refuses plain HTTP, which is what reaches the service when TLS ends in front of it.
_URI = "https://procure/oauth/token"
log = structlog.get_logger(__name__)


async def grant(
    driver: Driver,
    settings: Settings,
    key: SigningKey,
    failures: Failures,
    *,
    authorization: str,
    content_type: str,
    body: bytes,
    address: str | None,
) -> TokenView:
    """A token for the client of the Basic `authorization`; raises Authlib's OAuth2Error with the endpoint's own error.

    Its log lines name nobody: who asks for a token in the hours before a deadline is about to bid.
    """
    form = _form(content_type, body)
    client_id = _client_id(authorization)
    request = OAuth2Request("POST", _URI, headers={"Authorization": authorization})
    request.payload = BasicOAuth2Payload(form)
    try:
        with failures.watching(client_id, address):
            found = await standing.read(driver, client_id) if client_id else None
            reply: dict[str, Any] = _Server(settings, key, found).create_token_response(request)
    except OAuth2Error as error:
        log.warning("token refused", error=error.error)
        raise
    log.info("token issued")
    return TokenView(**reply)


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """The form's fields; unknown ones are ignored, as RFC 6749 (section 3.2) has it, repeated ones are not."""
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise InvalidRequestError(f"Send the parameters as {FORM}.")
    if len(body) > BODY_MAX_BYTES:
        raise InvalidRequestError(f"The form is larger than {BODY_MAX_BYTES} bytes.")
    try:
        pairs = parse_qsl(body.decode("ascii"), errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError:
        raise InvalidRequestError("The form can't be read.") from None
    form = dict(pairs)
    if len(form) < len(pairs):
        raise InvalidRequestError("A parameter may be given once.")
    if "client_secret" in form or "client_assertion" in form:
        raise InvalidRequestError(f"The client authenticates by {METHOD}, in the Authorization header alone.")
    if "grant_type" not in form:
        raise InvalidRequestError("grant_type is missing.")
    return form


def _client_id(authorization: str) -> UUID | None:
    try:
        name, _ = extract_basic_authorization({"Authorization": authorization})
        return UUID(name) if name else None
    except ValueError:  # not UTF-8 below the Base64, or no id of ours
        return None


class _CallingClient(ClientMixin):  # type: ignore[misc]
    """A client as Authlib asks about it."""

    def __init__(self, found: Standing) -> None:
        self.standing = found

    def get_client_id(self) -> str:
        return str(self.standing.client_id)

    def check_client_secret(self, secret: str) -> bool:
        same = hmac.compare_digest(hash_secret(secret), self.standing.secret_hash)
        return same and self.standing.client_status is ClientStatus.ACTIVE

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method == METHOD

    def check_grant_type(self, grant_type: str) -> bool:
        return bool(grant_type == ClientCredentialsGrant.GRANT_TYPE)

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """All that the roles allow, or exactly what is asked for; None (invalid_scope) if that is more."""
        allowed = scopes_of(self.standing.roles)
        asked = set(scope_to_list(scope)) if scope else allowed
        return list_to_scope(sorted(asked)) if asked <= allowed else None


class _Server(AuthorizationServer):  # type: ignore[misc]
    """Authlib's server for one request: it knows the one client that this request may be of."""

    def __init__(self, settings: Settings, key: SigningKey, found: Standing | None) -> None:
        super().__init__(scopes_supported=[scope.value for scope in Scope])
        self._client = _CallingClient(found) if found else None

        def access_token(client: _CallingClient, scope: str, **_: object) -> str:
            return tokens.issue(key, settings, client.standing.client_id, scope.split())

        self.register_grant(ClientCredentialsGrant)
        self.register_token_generator(
            "default", BearerTokenGenerator(access_token, expires_generator=settings.token_lifetime_s)
        )

    def query_client(self, _client_id: str) -> _CallingClient | None:
        return self._client

    def authenticate_client(self, request: Any, methods: list[str], endpoint: str = "token") -> _CallingClient:
        # Unknown, revoked or a wrong secret are one answer: who exists is nobody's to find out.
        unknown = InvalidClientError(status_code=401, description=_UNKNOWN)
        if self._client is None:
            raise unknown
        try:
            client: _CallingClient = super().authenticate_client(request, methods, endpoint)
        except InvalidClientError:
            raise unknown from None
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
        token_endpoint_auth_methods_supported=[METHOD],
        service_documentation=f"{issuer}/docs",
    )

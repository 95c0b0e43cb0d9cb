"""The forms of the token endpoints in the document: read as RFC 6749 says, and not as JSON bodies."""

from dataclasses import dataclass
from typing import ClassVar

from litestar.openapi.spec import Example, OpenAPIMediaType, OpenAPIType, Operation, Reference, RequestBody, Schema

from procure.identity import assertions, oauth, tokens


def _text(description: str, *, max_length: int, pattern: str = "^[!-~]*$") -> Schema:
    return Schema(type=OpenAPIType.STRING, max_length=max_length, pattern=pattern, description=description)


#: What each takes: the client's assertion, where it has not authenticated by HTTP Basic (RFC 7521, section 4.2).
_PROOF: dict[str, Reference | Schema] = {
    "client_assertion_type": Schema(
        type=OpenAPIType.STRING, enum=[assertions.TYPE], description="With `client_assertion`, and always this."
    ),
    "client_assertion": _text(
        "A JWT that the client has signed, instead of the Authorization header.", max_length=assertions.LENGTH_MAX
    ),
    "client_id": _text("With `client_assertion`, and then the same client; it can be left out.", max_length=36),
}
_TOKEN: dict[str, Reference | Schema] = {
    "token": _text("The access token.", max_length=tokens.TOKEN_LENGTH_MAX),
    "token_type_hint": _text("Read by nobody: there is one kind of token.", max_length=100),
}


@dataclass
class _Form(Operation):
    """An operation with a form of `FIELDS`, of which the first is required."""

    FIELDS: ClassVar[dict[str, Reference | Schema]]
    EXAMPLE: ClassVar[dict[str, str]]

    def __post_init__(self) -> None:
        schema = Schema(
            type=OpenAPIType.OBJECT, properties={**self.FIELDS, **_PROOF}, required=[next(iter(self.FIELDS))]
        )
        example = Example(summary="An example", value=self.EXAMPLE)
        self.request_body = RequestBody(
            content={oauth.FORM: OpenAPIMediaType(schema=schema, examples={"example": example})}, required=True
        )


@dataclass
class TokenForm(_Form):
    """The token request (RFC 6749, section 4.4.2)."""

    FIELDS = {
        "grant_type": Schema(type=OpenAPIType.STRING, enum=["client_credentials"]),
        "scope": _text(
            "Scopes, separated by spaces; left out, all that the roles allow.", max_length=2000, pattern="^[ -~]*$"
        ),
    }
    EXAMPLE = {"grant_type": "client_credentials", "scope": "contracts:read"}


_SHORT = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.AA"


@dataclass
class RevocationForm(_Form):
    """The revocation request (RFC 7009, section 2.1)."""

    FIELDS = _TOKEN
    EXAMPLE = {"token": _SHORT}


@dataclass
class IntrospectionForm(_Form):
    """The introspection request (RFC 7662, section 2.1)."""

    FIELDS = _TOKEN
    EXAMPLE = {"token": _SHORT}

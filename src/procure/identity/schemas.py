"""What is sent and answered about members, clients and tokens."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from procure.identity.models import Client, Membership, Person
from procure.identity.rules import ClientKind, ClientStatus, MembershipStatus
from procure.kit.actor import Role
from procure.kit.fields import Instant, Name, OwnAddress

Roles = Annotated[list[Role], Meta(max_length=10)]


class NewPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person who is not known here yet."""

    name: Name


class MemberDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who becomes a member, in which roles. Either `person`, or the `person_id` of one who is known already."""

    EXAMPLE: ClassVar[object] = {
        "person": {"name": "Example Approver"},
        "roles": ["approver"],
        "budget_holder": True,
    }

    person: NewPerson | None = None
    person_id: UUID | None = None
    roles: Annotated[Roles, Meta(min_length=1)]
    budget_holder: bool = False


class PersonView(msgspec.Struct, frozen=True):
    """A named human being, known by one id in whatever organisation."""

    id: UUID
    name: Name


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """A person's roles in the organisation."""

    id: UUID
    organisation_id: UUID
    person: PersonView
    roles: Roles
    budget_holder: bool
    status: MembershipStatus
    created_at: Instant
    version: int

    @classmethod
    def of(cls, row: Membership, person: Person) -> "MemberView":
        return cls(
            id=row.id,
            organisation_id=row.organisation_id,
            person=PersonView(person.id, person.name),
            roles=[Role(role) for role in row.roles],
            budget_holder=row.budget_holder,
            status=row.status,
            created_at=row.created_at,
            version=row.version,
        )


class ClientDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An API client: `personal` for one member (`person_id`), or `service` with `roles` of its own."""

    EXAMPLE: ClassVar[object] = {"name": "Finance system", "kind": "service", "roles": ["finance"]}

    name: Name
    kind: ClientKind
    person_id: UUID | None = None
    roles: Roles = []


class ClientView(msgspec.Struct, frozen=True, kw_only=True):
    """An API client. `id` is its OAuth client id; a personal client's `roles` are empty, its person's count."""

    id: UUID
    organisation_id: UUID
    person_id: UUID | None
    kind: ClientKind
    name: Name
    roles: Roles
    status: ClientStatus
    created_at: Instant
    version: int

    @classmethod
    def of(cls, row: Client) -> "ClientView":
        return cls(
            id=row.id,
            organisation_id=row.organisation_id,
            person_id=row.person_id,
            kind=row.kind,
            name=row.name,
            roles=[Role(role) for role in row.roles],
            status=row.status,
            created_at=row.created_at,
            version=row.version,
        )


class NewClientView(ClientView, frozen=True, kw_only=True):
    """A client just made. `client_secret` is shown this once; only its hash is kept."""

    client_secret: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=100)]

    @classmethod
    def with_secret(cls, row: Client, secret: str) -> "NewClientView":
        return cls(**msgspec.structs.asdict(ClientView.of(row)), client_secret=secret)


class TokenView(msgspec.Struct, frozen=True):
    """An access token (RFC 6749, section 5.1). `scope` is what was granted."""

    access_token: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}$", max_length=4096)]
    token_type: Literal["Bearer"]
    expires_in: int
    scope: Annotated[str, Meta(pattern=r"^([a-z:-]+( [a-z:-]+)*)?$", max_length=2000)]


class OAuthError(msgspec.Struct, frozen=True):
    """An error of the token endpoint (RFC 6749, section 5.2)."""

    EXAMPLE: ClassVar[object] = {
        "error": "invalid_client",
        "error_description": "The client is unknown or its secret is wrong.",
    }

    error: Annotated[str, Meta(pattern=r"^[a-z_]+$", max_length=100)]
    error_description: Annotated[str, Meta(pattern=r"^[ !#-\[\]-~]*$", max_length=1000)]


#: 32 bytes, base64url without padding (RFC 7518, section 6.2.1).
Coordinate = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$", min_length=43, max_length=43)]


class Jwk(msgspec.Struct, frozen=True, kw_only=True):
    """A public key (RFC 7517): ES256 on the curve P-256."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: Coordinate
    y: Coordinate
    kid: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=100)]
    use: Literal["sig"]
    alg: Literal["ES256"]


class JwkSet(msgspec.Struct, frozen=True):
    """The keys that access tokens are signed with."""

    keys: Annotated[list[Jwk], Meta(max_length=10)]


Names = Annotated[list[Name], Meta(max_length=100)]


class ServerMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What an OAuth 2 client has to know about this service (RFC 8414)."""

    issuer: OwnAddress
    token_endpoint: OwnAddress
    jwks_uri: OwnAddress
    scopes_supported: Names
    response_types_supported: Names
    grant_types_supported: Names
    token_endpoint_auth_methods_supported: Names
    service_documentation: OwnAddress

"""What is sent and answered about members, clients and tokens."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import Meta

from procure.identity.models import Client, Membership, Person
from procure.identity.rules import ClientKind, ClientStatus, MembershipStatus
from procure.kit.actor import Role
from procure.kit.etags import tag_of
from procure.kit.fields import Name

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
    name: str


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """A person's roles in the organisation."""

    id: UUID
    organisation_id: UUID
    person: PersonView
    roles: list[Role]
    budget_holder: bool
    status: MembershipStatus
    created_at: datetime
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

    @property
    def etag(self) -> str:
        return tag_of(MemberView, self.id, self.version, self.person.name)


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
    name: str
    roles: list[Role]
    status: ClientStatus
    created_at: datetime
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

    @property
    def etag(self) -> str:
        """Of the client; the secret that is shown once is none of it."""
        return tag_of(ClientView, self.id, self.version)


class NewClientView(ClientView, frozen=True, kw_only=True):
    """A client just made. `client_secret` is shown this once; only its hash is kept."""

    client_secret: str

    @classmethod
    def with_secret(cls, row: Client, secret: str) -> "NewClientView":
        return cls(**msgspec.structs.asdict(ClientView.of(row)), client_secret=secret)


class TokenView(msgspec.Struct, frozen=True):
    """An access token (RFC 6749, section 5.1). `scope` is what was granted."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class OAuthError(msgspec.Struct, frozen=True):
    """An error of the token endpoint (RFC 6749, section 5.2)."""

    EXAMPLE: ClassVar[object] = {
        "error": "invalid_client",
        "error_description": "The client is unknown or its secret is wrong.",
    }

    error: str
    error_description: str


class Jwk(msgspec.Struct, frozen=True, kw_only=True):
    """A public key (RFC 7517): ES256 on the curve P-256."""

    kty: str
    crv: str
    x: str
    y: str
    kid: str
    use: str
    alg: str


class JwkSet(msgspec.Struct, frozen=True):
    """The keys that access tokens are signed with."""

    keys: list[Jwk]


class ServerMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What an OAuth 2 client has to know about this service (RFC 8414)."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    scopes_supported: list[str]
    response_types_supported: list[str]
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    service_documentation: str

"""What is sent and answered about members, clients and tokens."""

from datetime import date
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from procure.identity.models import Client, Credential, Membership, Person
from procure.identity.rules import (
    ClientKind,
    ClientStatus,
    CredentialStatus,
    MembershipStatus,
    PersonStatus,
    PublicKey,
)
from procure.kit.actor import Actor, Role
from procure.kit.etags import tag_of
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


class KnownPersonView(msgspec.Struct, frozen=True, kw_only=True):
    """A person as the operator knows them, of whatever organisation."""

    id: UUID
    name: Name
    status: PersonStatus
    created_at: Instant
    version: int

    @classmethod
    def of(cls, row: Person) -> "KnownPersonView":
        return cls(id=row.id, name=row.name, status=row.status, created_at=row.created_at, version=row.version)

    @property
    def etag(self) -> str:
        return tag_of(KnownPersonView, self.id, self.version)


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

    @property
    def etag(self) -> str:
        """Of the client; the secret that is shown once is none of it."""
        return tag_of(ClientView, self.id, self.version)


#: 256 random bits, base64url.
ShownSecret = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=100, description="Shown this once; only its hash is kept.")
]


class NewClientView(ClientView, frozen=True, kw_only=True):
    """A client just made. `client_secret` is shown this once; only its hash is kept."""

    client_secret: ShownSecret

    @classmethod
    def with_secret(cls, row: Client, secret: str) -> "NewClientView":
        return cls(**msgspec.structs.asdict(ClientView.of(row)), client_secret=secret)


#: By the machine's time, as tokens are: a sandbox's clock ends no credential.
Expiry = Annotated[Instant, Meta(description="From when on it proves nothing, by the machine's time; null for never.")]
Base64Url = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=700)]
KeyName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._~:-]+$", min_length=1, max_length=100)]


class PublicJwk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A public key as a JWK (RFC 7517): EC on P-256, OKP on Ed25519, or RSA of 2048 to 4096 bits. No private member is taken.

    Left out, `kid` is the key's thumbprint (RFC 7638); an assertion names its key by it.
    """

    kty: Literal["EC", "OKP", "RSA"]
    kid: KeyName | None = None
    crv: Literal["P-256", "Ed25519"] | None = None
    x: Base64Url | None = None
    y: Base64Url | None = None
    n: Base64Url | None = None
    e: Base64Url | None = None
    use: Literal["sig"] | None = None
    alg: Literal["ES256", "EdDSA", "Ed25519", "PS256"] | None = None

    def key(self, thumbprint: str) -> PublicKey:
        """What is kept of it."""
        return PublicKey(kty=self.kty, kid=self.kid or thumbprint, crv=self.crv, x=self.x, y=self.y, n=self.n, e=self.e)

    @classmethod
    def of(cls, key: PublicKey) -> "PublicJwk":
        return msgspec.convert(key, cls, from_attributes=True)


class SecretDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A second secret, for good or for a time."""

    EXAMPLE: ClassVar[object] = {"expires_at": None}

    expires_at: Expiry | None = None


class SecretView(msgspec.Struct, frozen=True, kw_only=True):
    """A secret of a client, without the secret. `last_used_on` is told to its own organisation alone, and by the day."""

    id: UUID
    client_id: UUID
    status: CredentialStatus
    created_at: Instant
    expires_at: Expiry | None
    last_used_on: date | None
    version: int

    @classmethod
    def of(cls, row: Credential, actor: Actor, organisation_id: UUID) -> "SecretView":
        return cls(
            id=row.id,
            client_id=row.client_id,
            status=row.status,
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_on=_told(row, actor, organisation_id),
            version=row.version,
        )

    @property
    def etag(self) -> str:
        """Of the secret as this caller is told of it; itself, shown once, is none of it."""
        return tag_of(SecretView, self.id, self.version, self.last_used_on)


def _told(row: Credential, actor: Actor, organisation_id: UUID) -> date | None:
    """The operator shall not see which suppliers are about on the day of a deadline."""
    return row.last_used_on if actor.organisation_id == organisation_id else None


class NewSecretView(SecretView, frozen=True, kw_only=True):
    """A secret just made. `client_secret` is shown this once; only its hash is kept."""

    client_secret: ShownSecret

    @classmethod
    def with_secret(cls, view: SecretView, secret: str) -> "NewSecretView":
        return cls(**msgspec.structs.asdict(view), client_secret=secret)


class KeyDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The public half of a key that the client signs its assertions with."""

    EXAMPLE: ClassVar[object] = {
        "jwk": {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            "kid": "portal-2026",
        }
    }

    jwk: PublicJwk
    expires_at: Expiry | None = None


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A public key of a client. `last_used_on` is told to its own organisation alone, and by the day."""

    id: UUID
    client_id: UUID
    jwk: PublicJwk
    status: CredentialStatus
    created_at: Instant
    expires_at: Expiry | None
    last_used_on: date | None
    version: int

    @classmethod
    def of(cls, row: Credential, actor: Actor, organisation_id: UUID) -> "KeyView":
        assert row.public_key is not None
        return cls(
            id=row.id,
            client_id=row.client_id,
            jwk=PublicJwk.of(row.public_key),
            status=row.status,
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_on=_told(row, actor, organisation_id),
            version=row.version,
        )

    @property
    def etag(self) -> str:
        """Of the key as this caller is told of it."""
        return tag_of(KeyView, self.id, self.version, self.last_used_on)


ScopeText = Annotated[str, Meta(pattern=r"^([a-z:-]+( [a-z:-]+)*)?$", max_length=2000)]


class TokenView(msgspec.Struct, frozen=True):
    """An access token (RFC 6749, section 5.1). `scope` is what was granted."""

    access_token: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}$", max_length=4096)]
    token_type: Literal["Bearer"]
    expires_in: int
    scope: ScopeText


class Introspection(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a token is worth now (RFC 7662). Of one that is worth nothing, or not yours to ask about, `active` is false and that is all."""

    active: bool
    scope: ScopeText | UnsetType = UNSET
    client_id: UUID | UnsetType = UNSET
    token_type: Literal["Bearer"] | UnsetType = UNSET
    exp: Annotated[int, Meta(ge=0, le=2**53, description="Seconds since 1970.")] | UnsetType = UNSET
    sub: UUID | UnsetType = UNSET
    aud: OwnAddress | UnsetType = UNSET
    iss: OwnAddress | UnsetType = UNSET
    jti: UUID | UnsetType = UNSET


class Revocation(msgspec.Struct, frozen=True):
    """The token is worth nothing now, whatever it was before (RFC 7009, section 2.2)."""


class OAuthError(msgspec.Struct, frozen=True):
    """An error of the token endpoint (RFC 6749, section 5.2)."""

    EXAMPLE: ClassVar[object] = {
        "error": "invalid_client",
        "error_description": "The client is unknown, or what it proves itself with is wrong.",
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
    token_endpoint_auth_signing_alg_values_supported: Names
    revocation_endpoint: OwnAddress
    revocation_endpoint_auth_methods_supported: Names
    revocation_endpoint_auth_signing_alg_values_supported: Names
    introspection_endpoint: OwnAddress
    introspection_endpoint_auth_methods_supported: Names
    introspection_endpoint_auth_signing_alg_values_supported: Names
    service_documentation: OwnAddress

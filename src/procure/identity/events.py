"""What happens to members and clients, as the journal tells it. Names are personal and stand beside the entries."""

from typing import ClassVar
from uuid import UUID

from procure.identity.rules import ClientKind, CredentialKind
from procure.identity.schemas import KeyName, Roles
from procure.journal.events import Event, Told
from procure.kit.fields import Everything, Grounds, Instant
from procure.kit.scopes import Scope


class MembershipAdded(Event, frozen=True, kw_only=True):
    """A person was given roles in an organisation, for the first time or again."""

    type: ClassVar[str] = "membership.added"
    object_type: ClassVar[str] = "membership"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.ORGANISATIONS_READ

    organisation_id: UUID
    person_id: UUID
    roles: Roles
    budget_holder: bool


class MembershipEnded(Event, frozen=True, kw_only=True):
    """A membership ended, and with it the person's clients in that organisation."""

    type: ClassVar[str] = "membership.ended"
    object_type: ClassVar[str] = "membership"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.ORGANISATIONS_READ

    organisation_id: UUID
    person_id: UUID
    revoked_client_ids: Everything[UUID]


class MembershipSuspended(Event, frozen=True, kw_only=True):
    """A membership was suspended: its person does not act for the organisation, from the next request on."""

    type: ClassVar[str] = "membership.suspended"
    object_type: ClassVar[str] = "membership"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.ORGANISATIONS_READ

    organisation_id: UUID
    person_id: UUID
    reason: Grounds


class MembershipReinstated(Event, frozen=True, kw_only=True):
    """The suspension of a membership was lifted."""

    type: ClassVar[str] = "membership.reinstated"
    object_type: ClassVar[str] = "membership"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.ORGANISATIONS_READ

    organisation_id: UUID
    person_id: UUID
    reason: Grounds


class PersonLinked(Event, frozen=True, kw_only=True):
    """A sign-on was linked to a person; issuer and subject stand beside the entry."""

    type: ClassVar[str] = "person.linked"
    object_type: ClassVar[str] = "person"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.MEMBERS_MANAGE

    identity_id: UUID


class PersonUnlinked(Event, frozen=True, kw_only=True):
    """A sign-on is no person's any more, from the next request on."""

    type: ClassVar[str] = "person.unlinked"
    object_type: ClassVar[str] = "person"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.MEMBERS_MANAGE

    identity_id: UUID


class InvitationAdded(Event, frozen=True, kw_only=True):
    """Somebody was invited into an organisation, or a member to link their sign-on (`person_id`); a name stands beside the entry."""

    type: ClassVar[str] = "invitation.added"
    object_type: ClassVar[str] = "invitation"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.MEMBERS_MANAGE

    organisation_id: UUID
    person_id: UUID | None
    roles: Roles
    budget_holder: bool
    expires_at: Instant


class InvitationRevoked(Event, frozen=True, kw_only=True):
    """An invitation can't be accepted any more."""

    type: ClassVar[str] = "invitation.revoked"
    object_type: ClassVar[str] = "invitation"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.MEMBERS_MANAGE

    organisation_id: UUID
    reason: Grounds


class InvitationAccepted(Event, frozen=True, kw_only=True):
    """Somebody came by their sign-on, which opens the organisation to them from now on."""

    type: ClassVar[str] = "invitation.accepted"
    object_type: ClassVar[str] = "invitation"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.MEMBERS_MANAGE

    organisation_id: UUID
    person_id: UUID
    membership_id: UUID
    identity_id: UUID


class PersonSuspended(Event, frozen=True, kw_only=True):
    """The operator suspended a person: they act for no organisation, from the next request on."""

    type: ClassVar[str] = "person.suspended"
    object_type: ClassVar[str] = "person"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.ORGANISATIONS_READ

    reason: Grounds


class PersonReinstated(Event, frozen=True, kw_only=True):
    """The operator let a person act again."""

    type: ClassVar[str] = "person.reinstated"
    object_type: ClassVar[str] = "person"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.ORGANISATIONS_READ

    reason: Grounds


class ClientSuspended(Event, frozen=True, kw_only=True):
    """A client was suspended, from the next request on."""

    type: ClassVar[str] = "client.suspended"
    object_type: ClassVar[str] = "client"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.ORGANISATIONS_READ

    organisation_id: UUID
    reason: Grounds


class ClientReinstated(Event, frozen=True, kw_only=True):
    """The suspension of a client was lifted."""

    type: ClassVar[str] = "client.reinstated"
    object_type: ClassVar[str] = "client"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.ORGANISATIONS_READ

    organisation_id: UUID
    reason: Grounds


class ClientAdded(Event, frozen=True, kw_only=True):
    """An API client was made, of a person or of a service."""

    type: ClassVar[str] = "client.added"
    object_type: ClassVar[str] = "client"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.ORGANISATIONS_READ

    organisation_id: UUID
    kind: ClientKind
    person_id: UUID | None
    roles: Roles


class ClientRevoked(Event, frozen=True, kw_only=True):
    """A client can't act any more, from the next request on."""

    type: ClassVar[str] = "client.revoked"
    object_type: ClassVar[str] = "client"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.ORGANISATIONS_READ

    organisation_id: UUID
    reason: Grounds


class CredentialAdded(Event, frozen=True, kw_only=True):
    """A client was given a secret, or a public key of its own was registered; `key_id` is that key's thumbprint (RFC 7638)."""

    type: ClassVar[str] = "credential.added"
    object_type: ClassVar[str] = "credential"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.ORGANISATIONS_READ

    organisation_id: UUID
    client_id: UUID
    kind: CredentialKind
    key_id: KeyName | None
    expires_at: Instant | None


class CredentialRevoked(Event, frozen=True, kw_only=True):
    """A secret or key of a client proves nothing any more, from the next request on."""

    type: ClassVar[str] = "credential.revoked"
    object_type: ClassVar[str] = "credential"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.ORGANISATIONS_READ

    organisation_id: UUID
    client_id: UUID
    reason: Grounds

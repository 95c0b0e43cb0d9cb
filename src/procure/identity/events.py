"""What happens to members and clients, as the journal tells it. Names are personal and stand beside the entries."""

from typing import ClassVar
from uuid import UUID

from procure.journal.events import Event


class MembershipAdded(Event, frozen=True, kw_only=True):
    """A person was given roles in an organisation, for the first time or again."""

    type: ClassVar[str] = "membership.added"
    object_type: ClassVar[str] = "membership"

    organisation_id: UUID
    person_id: UUID
    roles: list[str]
    budget_holder: bool


class MembershipEnded(Event, frozen=True, kw_only=True):
    """A membership ended, and with it the person's clients in that organisation."""

    type: ClassVar[str] = "membership.ended"
    object_type: ClassVar[str] = "membership"

    organisation_id: UUID
    person_id: UUID
    revoked_client_ids: list[UUID]


class ClientAdded(Event, frozen=True, kw_only=True):
    """An API client was made, of a person or of a service."""

    type: ClassVar[str] = "client.added"
    object_type: ClassVar[str] = "client"

    organisation_id: UUID
    kind: str
    person_id: UUID | None
    roles: list[str]


class ClientRevoked(Event, frozen=True, kw_only=True):
    """A client can't act any more, from the next request on."""

    type: ClassVar[str] = "client.revoked"
    object_type: ClassVar[str] = "client"

    organisation_id: UUID
    reason: str

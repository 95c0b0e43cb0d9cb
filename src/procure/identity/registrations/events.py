"""What happens to registrations, as the journal tells it. Until one is confirmed nothing has happened."""

from typing import ClassVar
from uuid import UUID

from procure.journal.events import Event, Told
from procure.kit.scopes import Scope


class RegistrationConfirmed(Event, frozen=True, kw_only=True):
    """A supplier registered itself by a code that was mailed; the contact's name and address stand beside the entry."""

    type: ClassVar[str] = "registration.confirmed"
    object_type: ClassVar[str] = "registration"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.ORGANISATIONS_READ

    organisation_id: UUID
    membership_id: UUID
    person_id: UUID
    client_id: UUID

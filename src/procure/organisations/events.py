"""What happens to organisations, as the journal tells it."""

from typing import ClassVar

from procure.journal.events import Event, Told
from procure.kit.actor import OrganisationKind
from procure.kit.fields import Grounds, Line
from procure.kit.scopes import Scope
from procure.organisations.rules import Nation


class OrganisationRegistered(Event, frozen=True, kw_only=True):
    """A party was registered: by the operator, or a supplier by itself (`registration.confirmed`)."""

    type: ClassVar[str] = "organisation.registered"
    object_type: ClassVar[str] = "organisation"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.ORGANISATIONS_READ

    kind: OrganisationKind
    name: Line
    scheme: Line
    identifier: Line
    nation: Nation
    is_central_government: bool


class OrganisationSuspended(Event, frozen=True, kw_only=True):
    """The operator stopped everything that acts for the organisation, from the next request on."""

    type: ClassVar[str] = "organisation.suspended"
    object_type: ClassVar[str] = "organisation"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.ORGANISATIONS_READ

    reason: Grounds


class OrganisationReinstated(Event, frozen=True, kw_only=True):
    """The operator let the organisation act again."""

    type: ClassVar[str] = "organisation.reinstated"
    object_type: ClassVar[str] = "organisation"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.ORGANISATIONS_READ

    reason: Grounds

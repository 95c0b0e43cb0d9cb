"""What happens to organisations, as the journal tells it."""

from typing import ClassVar

from procure.journal.events import Event


class OrganisationRegistered(Event, frozen=True, kw_only=True):
    """A party was registered: by the operator, or a supplier by itself (`registration.confirmed`)."""

    type: ClassVar[str] = "organisation.registered"
    object_type: ClassVar[str] = "organisation"

    kind: str
    name: str
    scheme: str
    identifier: str
    nation: str
    is_central_government: bool


class OrganisationSuspended(Event, frozen=True, kw_only=True):
    """The operator stopped everything that acts for the organisation, from the next request on."""

    type: ClassVar[str] = "organisation.suspended"
    object_type: ClassVar[str] = "organisation"

    reason: str


class OrganisationReinstated(Event, frozen=True, kw_only=True):
    """The operator let the organisation act again."""

    type: ClassVar[str] = "organisation.reinstated"
    object_type: ClassVar[str] = "organisation"

    reason: str

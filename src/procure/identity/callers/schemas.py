"""What a caller is told of itself."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from procure.identity.rules import ClientKind, MembershipStatus
from procure.identity.schemas import PersonView, Roles
from procure.kit.actor import OrganisationKind
from procure.kit.fields import Line, Name
from procure.organisations.rules import OrganisationStatus


class OwnClientView(msgspec.Struct, frozen=True):
    """The API client that calls."""

    id: UUID
    name: Name
    kind: ClientKind


class OwnOrganisationView(msgspec.Struct, frozen=True):
    """An organisation that the caller acts, or may act, for."""

    id: UUID
    kind: OrganisationKind
    name: Line
    status: OrganisationStatus


class OwnMembershipView(msgspec.Struct, frozen=True, kw_only=True):
    """One of the memberships that the caller may choose from, by the organisation's id in `Procure-Organisation`."""

    id: UUID
    organisation: OwnOrganisationView
    roles: Roles
    budget_holder: bool
    status: MembershipStatus


ScopeNames = Annotated[list[Annotated[str, Meta(pattern=r"^[a-z-]+:[a-z-]+$", max_length=60)]], Meta(max_length=100)]


class MeView(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls, and for whom. `organisation` is null, and `roles` and `scopes` empty, while a person of several has not said for which.

    A service client has no person, a person who comes by a sign-on no client. `scopes` are those that count now: of a client the token's
    own that its roles still have, of a person all that the roles give.
    """

    person: PersonView | None
    client: OwnClientView | None
    organisation: OwnOrganisationView | None
    roles: Roles
    budget_holder: bool
    scopes: ScopeNames
    memberships: Annotated[list[OwnMembershipView], Meta(max_length=1000)]

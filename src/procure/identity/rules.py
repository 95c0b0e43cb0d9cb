"""What clients and memberships are, which roles an organisation of each kind can give, and who may act now."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from procure.identity.errors import (
    ClientInvalid,
    ClientNotActive,
    MembershipInvalid,
    MembershipKnown,
    MembershipNotActive,
    TokenRefused,
)
from procure.kit.actor import OrganisationKind, Role
from procure.kit.errors import Faults
from procure.organisations.errors import OrganisationIsSuspended
from procure.organisations.rules import OrganisationStatus


class ClientKind(StrEnum):
    """A *personal* client acts as one named person; a *service* client (portal, finance system) never judges."""

    PERSONAL = "personal"
    SERVICE = "service"


class ClientStatus(StrEnum):
    ACTIVE = "active"
    REVOKED = "revoked"


class MembershipStatus(StrEnum):
    ACTIVE = "active"
    ENDED = "ended"


#: A revoked client stays revoked: its secret may be known to somebody else.
CLIENT_NEXT: dict[ClientStatus, frozenset[ClientStatus]] = {
    ClientStatus.ACTIVE: frozenset({ClientStatus.REVOKED}),
    ClientStatus.REVOKED: frozenset(),
}

#: A person who comes back takes up the same membership, since four eyes and history count persons.
MEMBERSHIP_NEXT: dict[MembershipStatus, frozenset[MembershipStatus]] = {
    MembershipStatus.ACTIVE: frozenset({MembershipStatus.ENDED}),
    MembershipStatus.ENDED: frozenset({MembershipStatus.ACTIVE}),
}

ROLES_OF: dict[OrganisationKind, frozenset[Role]] = {
    OrganisationKind.BUYER: frozenset(
        {
            Role.ADMIN,
            Role.APPROVER,
            Role.AUDITOR,
            Role.EVALUATOR,
            Role.FINANCE,
            Role.OFFICER,
            Role.SERVICE_OWNER,
        }
    ),
    OrganisationKind.SUPPLIER: frozenset({Role.ADMIN, Role.BIDDER, Role.VIEWER}),
    OrganisationKind.PLATFORM: frozenset({Role.OPERATOR}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A client as it stands now, with the organisation and person it acts for. `roles` are those it may act in."""

    client_id: UUID
    secret_hash: bytes = field(repr=False)
    client_status: ClientStatus
    organisation_id: UUID
    organisation_kind: OrganisationKind
    organisation_status: OrganisationStatus
    person_id: UUID | None
    membership_status: MembershipStatus | None
    roles: frozenset[Role]
    budget_holder: bool


def check_standing(standing: Standing) -> None:
    """Who may act: an active client, of an active member where it is personal, of an organisation not suspended."""
    if standing.client_status is not ClientStatus.ACTIVE:
        raise TokenRefused
    if standing.person_id is not None and standing.membership_status is not MembershipStatus.ACTIVE:
        raise TokenRefused
    if standing.organisation_status is not OrganisationStatus.ACTIVE:
        raise OrganisationIsSuspended("Your organisation is suspended; the operator has told it why.")


def check_member(
    kind: OrganisationKind, roles: Sequence[Role], *, budget_holder: bool, person_named: bool, person_id: UUID | None
) -> None:
    """A person is named in one way, the roles are ones of this kind of organisation; raises MembershipInvalid."""
    faults = Faults()
    faults.unless(person_named != (person_id is not None), "/person", "one-of", "Give either `person` or `person_id`.")
    _check_roles(faults, kind, roles)
    faults.unless(
        not budget_holder or Role.APPROVER in roles, "/budget_holder", "not-approver", "A budget holder is an approver."
    )
    faults.raise_any(MembershipInvalid)


def check_client(
    organisation: OrganisationKind, kind: ClientKind, roles: Sequence[Role], *, person_id: UUID | None, is_member: bool
) -> None:
    """A personal client names an active member and has no roles of its own, a service client the reverse."""
    faults = Faults()
    if kind is ClientKind.PERSONAL:
        faults.unless(not roles, "/roles", "of-person", "A personal client has the roles of its person's membership.")
        if person_id is None:
            faults.add("/person_id", "required", "A personal client needs the person that it acts as.")
        else:
            faults.unless(is_member, "/person_id", "not-a-member", "The person is not an active member here.")
    else:
        faults.unless(person_id is None, "/person_id", "not-personal", "A service client acts for no person.")
        faults.unless(bool(roles), "/roles", "required", "A service client needs at least one role.")
        _check_roles(faults, organisation, roles)
    faults.raise_any(ClientInvalid)


def _check_roles(faults: Faults, kind: OrganisationKind, roles: Collection[Role]) -> None:
    for index, role in enumerate(roles):
        faults.unless(role in ROLES_OF[kind], f"/roles/{index}", "role", f"A {kind} gives no role `{role}`.")


def check_joinable(status: MembershipStatus) -> None:
    if MembershipStatus.ACTIVE not in MEMBERSHIP_NEXT[status]:
        raise MembershipKnown("The person is an active member already; end that membership to give other roles.")


def check_endable(status: MembershipStatus) -> None:
    if MembershipStatus.ENDED not in MEMBERSHIP_NEXT[status]:
        raise MembershipNotActive("The membership has ended already.")


def check_revocable(status: ClientStatus) -> None:
    if ClientStatus.REVOKED not in CLIENT_NEXT[status]:
        raise ClientNotActive("The client has been revoked already.")

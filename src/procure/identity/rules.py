"""What clients and memberships are, which roles an organisation of each kind can give, and who may act now."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from procure.identity.errors import (
    ClientInvalid,
    ClientNotActive,
    CredentialInvalid,
    CredentialKnown,
    CredentialLimitReached,
    CredentialNotActive,
    CredentialNotFound,
    InvitationInvalid,
    InvitationLimitReached,
    InvitationNotOpen,
    IsSuspended,
    MembershipInvalid,
    MembershipKnown,
    MembershipNotActive,
    PersonNotActive,
    SuspensionNotFound,
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
    SUSPENDED = "suspended"


class MembershipStatus(StrEnum):
    ACTIVE = "active"
    ENDED = "ended"
    SUSPENDED = "suspended"


class PersonStatus(StrEnum):
    """A suspended person acts nowhere, for whatever organisation and by whatever client."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class InvitationStatus(StrEnum):
    """An open one is worth nothing from its `expires_at` on."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REVOKED = "revoked"


class CredentialKind(StrEnum):
    """What a client proves with who it is: a shared secret, or a signature by a key whose public half is registered."""

    SECRET = "secret"  # noqa: S105 - a kind, not one
    KEY = "key"


class CredentialStatus(StrEnum):
    ACTIVE = "active"
    REVOKED = "revoked"


#: A revoked client stays revoked: its secret may be known to somebody else.
CLIENT_NEXT: dict[ClientStatus, frozenset[ClientStatus]] = {
    ClientStatus.ACTIVE: frozenset({ClientStatus.REVOKED, ClientStatus.SUSPENDED}),
    ClientStatus.REVOKED: frozenset(),
    ClientStatus.SUSPENDED: frozenset({ClientStatus.ACTIVE, ClientStatus.REVOKED}),
}

#: A person who comes back takes up the same membership, since four eyes and history count persons.
MEMBERSHIP_NEXT: dict[MembershipStatus, frozenset[MembershipStatus]] = {
    MembershipStatus.ACTIVE: frozenset({MembershipStatus.ENDED, MembershipStatus.SUSPENDED}),
    MembershipStatus.ENDED: frozenset({MembershipStatus.ACTIVE}),
    MembershipStatus.SUSPENDED: frozenset({MembershipStatus.ACTIVE, MembershipStatus.ENDED}),
}

PERSON_NEXT: dict[PersonStatus, frozenset[PersonStatus]] = {
    PersonStatus.ACTIVE: frozenset({PersonStatus.SUSPENDED}),
    PersonStatus.SUSPENDED: frozenset({PersonStatus.ACTIVE}),
}

#: One acceptance, and no way back: whoever should come again is invited again.
INVITATION_NEXT: dict[InvitationStatus, frozenset[InvitationStatus]] = {
    InvitationStatus.OPEN: frozenset({InvitationStatus.ACCEPTED, InvitationStatus.REVOKED}),
    InvitationStatus.ACCEPTED: frozenset(),
    InvitationStatus.REVOKED: frozenset(),
}

#: How long an invitation may last, by the machine's time as tokens do, and for how long where nobody says.
INVITATION_DAYS_MAX, INVITATION_DAYS = 30, 14
#: Of one organisation at once, expired ones aside.
INVITATIONS_OPEN_MAX = 200

#: As a client's: a credential that was given up may be somebody else's by now.
CREDENTIAL_NEXT: dict[CredentialStatus, frozenset[CredentialStatus]] = {
    CredentialStatus.ACTIVE: frozenset({CredentialStatus.REVOKED}),
    CredentialStatus.REVOKED: frozenset(),
}

#: How many a client has at once, neither revoked nor expired: two secrets, so that one can be changed for the other without a gap; keys
#: for as many instances of the same system.
LIVE_MAX: dict[CredentialKind, int] = {CredentialKind.SECRET: 2, CredentialKind.KEY: 4}

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
    """A client as it stands now, with the organisation and person it acts for. `roles` are those it may act in.

    A person who comes by a sign-on has no client; its status counts as active.
    """

    client_id: UUID | None
    client_status: ClientStatus
    organisation_id: UUID
    organisation_kind: OrganisationKind
    organisation_status: OrganisationStatus
    person_id: UUID | None
    person_status: PersonStatus | None
    membership_status: MembershipStatus | None
    roles: frozenset[Role]
    budget_holder: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key as RFC 7517 writes it, its members those of its kind alone: `crv`, `x`, `y` of a curve, `n`, `e` of RSA."""

    kty: str
    kid: str
    crv: str | None = None
    x: str | None = None
    y: str | None = None
    n: str | None = None
    e: str | None = None


def check_standing(standing: Standing) -> None:
    """Who may act: an active client, of an active member where it is personal, of an organisation not suspended.

    What is over for good is a TokenRefused, as if it had never been; what may come back says so: IsSuspended, OrganisationIsSuspended.
    """
    member = standing.membership_status
    if standing.client_status is ClientStatus.REVOKED:
        raise TokenRefused
    if standing.person_id is not None and member in (None, MembershipStatus.ENDED):
        raise TokenRefused
    if standing.client_status is ClientStatus.SUSPENDED or member is MembershipStatus.SUSPENDED:
        raise IsSuspended(
            "Your client or your membership is suspended; your organisation's administrator can tell why."
        )
    check_person(standing.person_status)
    check_organisation(standing.organisation_status)


def check_organisation(status: OrganisationStatus) -> None:
    if status is not OrganisationStatus.ACTIVE:
        raise OrganisationIsSuspended("Your organisation is suspended; the operator has told it why.")


def check_person(status: PersonStatus | None) -> None:
    if status is PersonStatus.SUSPENDED:
        raise IsSuspended("You are suspended; the operator can tell why.")


def check_member(
    kind: OrganisationKind, roles: Sequence[Role], *, budget_holder: bool, person_named: bool, person_id: UUID | None
) -> None:
    """A person is named in one way, the roles are ones of this kind of organisation; raises MembershipInvalid."""
    faults = Faults()
    faults.unless(person_named != (person_id is not None), "/person", "one-of", "Give either `person` or `person_id`.")
    _check_roles(faults, kind, roles)
    _check_budget_holder(faults, roles, budget_holder=budget_holder)
    faults.raise_any(MembershipInvalid)


def _check_budget_holder(faults: Faults, roles: Sequence[Role], *, budget_holder: bool) -> None:
    fits = not budget_holder or Role.APPROVER in roles
    faults.unless(fits, "/budget_holder", "not-approver", "A budget holder is an approver.")


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
    if status is not MembershipStatus.ENDED:
        raise MembershipKnown(f"The person is a member already ({status}); end that membership to give other roles.")


def check_endable(status: MembershipStatus) -> None:
    if MembershipStatus.ENDED not in MEMBERSHIP_NEXT[status]:
        raise MembershipNotActive("The membership has ended already.")


def check_revocable(status: ClientStatus) -> None:
    if ClientStatus.REVOKED not in CLIENT_NEXT[status]:
        raise ClientNotActive("The client has been revoked already.")


def check_suspendable(status: ClientStatus | MembershipStatus | PersonStatus) -> None:
    """Whether it is active, of whichever of the three; what is over needs no suspension."""
    match status:
        case ClientStatus():
            if status is not ClientStatus.ACTIVE:
                raise ClientNotActive(f"The client is {status}; only an active one can be suspended.")
        case MembershipStatus():
            if status is not MembershipStatus.ACTIVE:
                raise MembershipNotActive(f"The membership is {status}; only an active one can be suspended.")
        case PersonStatus():
            if status is not PersonStatus.ACTIVE:
                raise PersonNotActive("The person is suspended already.")


def check_reinstatable(status: ClientStatus | MembershipStatus | PersonStatus) -> None:
    """Whether there is a suspension to lift."""
    if status.value != PersonStatus.SUSPENDED.value:
        raise SuspensionNotFound(f"It is {status}; only what is suspended can be reinstated.")


def hash_secret(secret: str) -> bytes:
    """SHA-256 of a secret with 256 bits of its own entropy: a slow hash would add nothing but a way to load the service."""
    return hashlib.sha256(secret.encode()).digest()


def check_not_revoked(status: ClientStatus) -> None:
    """A suspended client may get credentials: whose secret is known to others is suspended, given another, and reinstated."""
    if status is ClientStatus.REVOKED:
        raise ClientNotActive("The client has been revoked: it needs no credentials any more.")


def check_room(kind: CredentialKind, live: int) -> None:
    """Whether there is room for one more; `live` counts those neither revoked nor expired."""
    if live >= LIVE_MAX[kind]:
        raise CredentialLimitReached(f"A client has at most {LIVE_MAX[kind]} {kind}s at once; revoke one first.")


def check_expiry(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        faults = Faults()
        faults.add("/expires_at", "past", "The expiry has passed already.")
        faults.raise_as(CredentialInvalid)


def check_new_key(key_id: str, known: Collection[str]) -> None:
    """`known` are the thumbprints of the client's keys, of revoked ones too: what was given up may be somebody else's by now."""
    if key_id in known:
        raise CredentialKnown("The client has this key already, or had it before it was revoked.")


def check_credential_revocable(status: CredentialStatus) -> None:
    if CredentialStatus.REVOKED not in CREDENTIAL_NEXT[status]:
        raise CredentialNotActive("It has been revoked already.")


def check_some_active(statuses: Collection[CredentialStatus]) -> None:
    """Whether there is anything that can be revoked."""
    if CredentialStatus.ACTIVE not in statuses:
        raise CredentialNotFound("The client has none that can be revoked.")


def check_invitation(
    kind: OrganisationKind,
    roles: Sequence[Role],
    *,
    budget_holder: bool,
    person_named: bool,
    person_id: UUID | None,
    is_member: bool,
    expires_at: datetime | None,
    now: datetime,
) -> datetime:
    """When it ends; raises InvitationInvalid. Of a member (`person_id`) nothing is asked: they keep the roles that they have."""
    faults = Faults()
    faults.unless(person_named != (person_id is not None), "/person", "one-of", "Give either `person` or `person_id`.")
    if person_id is None:
        faults.unless(bool(roles), "/roles", "required", "Whoever is invited needs at least one role.")
        _check_roles(faults, kind, roles)
        _check_budget_holder(faults, roles, budget_holder=budget_holder)
    else:
        faults.unless(is_member, "/person_id", "not-a-member", "The person is no member here.")
        faults.unless(not roles, "/roles", "of-membership", "A member keeps the roles of the membership.")
        faults.unless(not budget_holder, "/budget_holder", "of-membership", "A member stays what the membership says.")
    ends_at = now + timedelta(days=INVITATION_DAYS) if expires_at is None else expires_at
    faults.unless(ends_at > now, "/expires_at", "past", "The expiry has passed already.")
    at_most = f"An invitation lasts {INVITATION_DAYS_MAX} days at most."
    faults.unless(ends_at <= now + timedelta(days=INVITATION_DAYS_MAX), "/expires_at", "too-late", at_most)
    faults.raise_any(InvitationInvalid)
    return ends_at


def check_invitation_room(open_: int) -> None:
    """Whether there is room for one more; `open_` counts those neither used, revoked nor expired."""
    if open_ >= INVITATIONS_OPEN_MAX:
        raise InvitationLimitReached(f"There are {INVITATIONS_OPEN_MAX} open invitations at most; revoke one first.")


def check_open(status: InvitationStatus) -> None:
    if status is not InvitationStatus.OPEN:
        raise InvitationNotOpen(f"The invitation has been {status} already.")


def check_acceptable(status: InvitationStatus, expires_at: datetime, now: datetime) -> None:
    """Whether it can be accepted still. Who is told has its code, so nobody learns of an invitation here."""
    check_open(status)
    if now >= expires_at:
        raise InvitationNotOpen("The invitation has expired; ask for another one.")

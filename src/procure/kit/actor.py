"""Who is acting, for which organisation, with what rights: worked out once per request, passed to every verb."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from procure.kit.errors import Forbidden


class OrganisationKind(StrEnum):
    BUYER = "buyer"
    SUPPLIER = "supplier"
    PLATFORM = "platform"


class Role(StrEnum):
    """Roles of a membership; `kit.scopes` says what each may do."""

    ADMIN = "admin"
    APPROVER = "approver"
    AUDITOR = "auditor"
    BIDDER = "bidder"
    EVALUATOR = "evaluator"
    FINANCE = "finance"
    OFFICER = "officer"
    OPERATOR = "operator"
    SERVICE_OWNER = "service_owner"
    VIEWER = "viewer"


class Known(NamedTuple):
    """How a sign-on knows whoever comes by it: the issuer, and its own unchanging name of them (`sub`)."""

    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller. `person_id` is None for a service client and for the platform's own worker; judgement needs a person.

    Who comes by a sign-on has no client. They have no organisation either while they have not said for which they act, and are no
    person yet while they accept an invitation.
    """

    organisation_id: UUID | None = None
    kind: OrganisationKind | None = None
    client_id: UUID | None = None
    person_id: UUID | None = None
    roles: frozenset[Role] = frozenset()
    scopes: frozenset[str] = frozenset()
    budget_holder: bool = False
    address: str | None = None
    request_id: str | None = None
    sign_on: Known | None = None

    def has(self, role: Role) -> bool:
        return role in self.roles

    @property
    def buyer_id(self) -> UUID | None:
        return self.organisation_id if self.kind is OrganisationKind.BUYER else None

    @property
    def supplier_id(self) -> UUID | None:
        return self.organisation_id if self.kind is OrganisationKind.SUPPLIER else None


#: A reader without a token.
ANYONE = Actor()
#: The service itself, when time rather than a caller moves something (the worker's opening of a small lot).
SYSTEM = Actor(request_id="worker")


class PersonNeeded(Forbidden):
    """Judgement is a person's: approve, open, score, sign, accept, and hand out what acts as a person. A service client never does it."""

    slug, title = "person-needed", "A named person is needed"


class SamePerson(Forbidden):
    """Four eyes: who prepared a step does not approve it, whatever client or token they use."""

    slug, title = "same-person", "Another person has to do this"


def require_person(actor: Actor) -> UUID:
    """The acting person's id."""
    if actor.person_id is None:
        raise PersonNeeded("A named person has to do this; a service client can't.")
    return actor.person_id


def require_another(actor: Actor, earlier: Collection[UUID | None], said: str = "") -> UUID:
    """Four eyes, everywhere: the acting person's id, who is none of those who took the `earlier` step, whatever client they use.

    Raises PersonNeeded, SamePerson. The verbs ask by `journal.by_another`, which puts an attempt on the record.
    """
    person_id = require_person(actor)
    if person_id in earlier:
        raise SamePerson(said)
    return person_id

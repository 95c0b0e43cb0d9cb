"""How a client stands right now: one statement, one row, on the path of every request that carries a token.

It goes to the driver by `kit.driver`, and is over before the request's own session begins: through an ORM session the same
read costs several times as much.
"""

from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, Text, bindparam, cast, exists, select, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from procure.identity.models import (
    Client,
    Credential,
    Membership,
    Person,
    PersonIdentity,
    RevokedToken,
    is_live,
    is_opened,
)
from procure.identity.rules import ClientStatus, CredentialStatus, MembershipStatus, PersonStatus, PublicKey, Standing
from procure.kit.actor import OrganisationKind, Role
from procure.kit.driver import Driver
from procure.organisations.models import Organisation
from procure.organisations.rules import OrganisationStatus

_SELECT = (
    select(
        Client.status.label("client_status"),
        Client.organisation_id,
        Organisation.kind.label("organisation_kind"),
        Organisation.status.label("organisation_status"),
        Client.person_id,
        Person.status.label("person_status"),
        Client.roles,
        Membership.roles.label("member_roles"),
        Membership.status.label("membership_status"),
        Membership.budget_holder,
    )
    .join(Organisation, Organisation.id == Client.organisation_id)
    .outerjoin(Person, Person.id == Client.person_id)
    .outerjoin(
        Membership,
        (Membership.organisation_id == Client.organisation_id) & (Membership.person_id == Client.person_id),
    )
    .where(
        Client.id == bindparam("client_id", type_=Client.id.type),
        ~exists().where(RevokedToken.id == bindparam("token_id", type_=RevokedToken.id.type)),
    )
)
#: Each membership of a person that has not ended and that this sign-on opens; one row without any where there is none.
_OF_SIGN_ON = (
    select(
        Person.id.label("person_id"),
        Person.status.label("person_status"),
        Membership.organisation_id,
        Membership.roles.label("member_roles"),
        Membership.status.label("membership_status"),
        Membership.budget_holder,
        Organisation.kind.label("organisation_kind"),
        Organisation.status.label("organisation_status"),
    )
    .join(PersonIdentity, PersonIdentity.person_id == Person.id)
    .outerjoin(
        Membership,
        (Membership.person_id == Person.id) & (Membership.status != text(f"'{MembershipStatus.ENDED}'")) & is_opened(),
    )
    .outerjoin(Organisation, Organisation.id == Membership.organisation_id)
    .where(
        PersonIdentity.issuer == bindparam("issuer", type_=PersonIdentity.issuer.type),
        PersonIdentity.subject == bindparam("subject", type_=PersonIdentity.subject.type),
    )
)
_CREDENTIALS = select(
    Credential.id,
    Credential.secret_hash,
    # As text, since the driver's connections do not decode json.
    cast(Credential.public_key, Text).label("public_key"),
    Credential.last_used_on,
).where(Credential.client_id == bindparam("client_id", type_=Client.id.type), is_live())


def _compiled(statement: Select[*tuple[Any, ...]]) -> str:
    return str(statement.compile(dialect=dialect()))  # type: ignore[no-untyped-call]


_SQL, _CREDENTIALS_SQL, _OF_SIGN_ON_SQL = _compiled(_SELECT), _compiled(_CREDENTIALS), _compiled(_OF_SIGN_ON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a client may prove itself with now: the hash of a secret, or a public key."""

    id: UUID
    secret_hash: bytes | None = field(repr=False)
    public_key: PublicKey | None
    last_used_on: date | None


async def read(driver: Driver, client_id: UUID, token_id: UUID | None = None) -> Standing | None:
    """None if there is no such client, or the token by which it calls is revoked. Errors of the driver are left to `kit.problems`."""
    rows = await driver.rows(_SQL, client_id, token_id)
    return _standing(client_id, rows[0]) if rows else None


@dataclass(frozen=True, slots=True)
class SignedOn:
    """Whoever came by a sign-on, and how they stand in each organisation that it opens."""

    person_id: UUID
    person_status: PersonStatus
    standings: list[Standing]


async def of_sign_on(driver: Driver, issuer: str, subject: str) -> SignedOn | None:
    """None if nobody is known by this sign-on."""
    rows = await driver.rows(_OF_SIGN_ON_SQL, issuer, subject)
    if not rows:
        return None
    standings = [_standing_of_person(row) for row in rows if row["organisation_id"] is not None]
    return SignedOn(rows[0]["person_id"], PersonStatus(rows[0]["person_status"]), standings)


def _standing_of_person(row: Any) -> Standing:
    return Standing(
        client_id=None,
        client_status=ClientStatus.ACTIVE,
        organisation_id=row["organisation_id"],
        organisation_kind=OrganisationKind(row["organisation_kind"]),
        organisation_status=OrganisationStatus(row["organisation_status"]),
        person_id=row["person_id"],
        person_status=PersonStatus(row["person_status"]),
        membership_status=MembershipStatus(row["membership_status"]),
        roles=_roles(tuple(row["member_roles"])),
        budget_holder=row["budget_holder"],
    )


async def proofs(driver: Driver, client_id: UUID) -> list[Proof]:
    """What the client may prove itself with, for the endpoints that ask for it: no request with a token does."""
    return [
        Proof(
            id=row["id"],
            secret_hash=row["secret_hash"],
            public_key=msgspec.json.decode(row["public_key"], type=PublicKey) if row["public_key"] else None,
            last_used_on=row["last_used_on"],
        )
        for row in await driver.rows(_CREDENTIALS_SQL, client_id, CredentialStatus.ACTIVE.value)
    ]


def _standing(client_id: UUID, row: Any) -> Standing:
    member, person = row["membership_status"], row["person_status"]
    return Standing(
        client_id=client_id,
        client_status=ClientStatus(row["client_status"]),
        organisation_id=row["organisation_id"],
        organisation_kind=OrganisationKind(row["organisation_kind"]),
        organisation_status=OrganisationStatus(row["organisation_status"]),
        person_id=row["person_id"],
        person_status=PersonStatus(person) if person else None,
        membership_status=MembershipStatus(member) if member else None,
        roles=_roles(tuple(row["member_roles"] or row["roles"])),
        budget_holder=bool(row["budget_holder"]),
    )


@lru_cache(maxsize=256)
def _roles(names: tuple[str, ...]) -> frozenset[Role]:
    return frozenset(Role(name) for name in names)

"""How a client stands right now: one statement, one row, on the path of every request that carries a token.

It goes to the driver by `kit.driver`, and is over before the request's own session begins: through an ORM session the same
read costs several times as much.
"""

from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from procure.identity.models import Client, Membership
from procure.identity.rules import ClientStatus, MembershipStatus, Standing
from procure.kit.actor import OrganisationKind, Role
from procure.kit.driver import Driver
from procure.organisations.models import Organisation
from procure.organisations.rules import OrganisationStatus

_SELECT = (
    select(
        Client.secret_hash,
        Client.status.label("client_status"),
        Client.organisation_id,
        Organisation.kind.label("organisation_kind"),
        Organisation.status.label("organisation_status"),
        Client.person_id,
        Client.roles,
        Membership.roles.label("member_roles"),
        Membership.status.label("membership_status"),
        Membership.budget_holder,
    )
    .join(Organisation, Organisation.id == Client.organisation_id)
    .outerjoin(
        Membership,
        (Membership.organisation_id == Client.organisation_id) & (Membership.person_id == Client.person_id),
    )
    .where(Client.id == bindparam("client_id", type_=Client.id.type))
)
_SQL = str(_SELECT.compile(dialect=dialect()))  # type: ignore[no-untyped-call]


async def read(driver: Driver, client_id: UUID) -> Standing | None:
    """None if there is no such client. Errors of the driver are left to `kit.problems`."""
    rows = await driver.rows(_SQL, client_id)
    return _standing(client_id, rows[0]) if rows else None


def _standing(client_id: UUID, row: Any) -> Standing:
    status = row["membership_status"]
    return Standing(
        client_id=client_id,
        secret_hash=row["secret_hash"],
        client_status=ClientStatus(row["client_status"]),
        organisation_id=row["organisation_id"],
        organisation_kind=OrganisationKind(row["organisation_kind"]),
        organisation_status=OrganisationStatus(row["organisation_status"]),
        person_id=row["person_id"],
        membership_status=MembershipStatus(status) if status else None,
        roles=_roles(tuple(row["member_roles"] or row["roles"])),
        budget_holder=bool(row["budget_holder"]),
    )


@lru_cache(maxsize=256)
def _roles(names: tuple[str, ...]) -> frozenset[Role]:
    return frozenset(Role(name) for name in names)

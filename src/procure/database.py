"""What `procure db` and `make run` do to a database from outside: by the driver alone, as its owner or administrator."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from procure.kit import postgres

CONNECT_MAX_S = 10
COMMAND_MAX_S = 60


class RealDatabase(Exception):
    """Somebody procures here, so its clock may never be moved; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How a database stands. `revision` is None before the first migration; used is one in which a party is registered."""

    server: str
    database: str
    role: str
    revision: str | None
    is_sandbox: bool
    is_used: bool


def libpq_url(url: str) -> str:
    """A setting's URL as psql and the driver read it. TLS is set by PGSSLMODE in the environment, for both."""
    return url.replace("postgresql+asyncpg:", "postgresql:", 1)


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[asyncpg.Connection]:
    connection = await asyncpg.connect(libpq_url(url), timeout=CONNECT_MAX_S, command_timeout=COMMAND_MAX_S)
    try:
        yield connection
    finally:
        await connection.close()


async def initialise(
    admin_url: str, database: str, *, owner_password: str | None = None, app_password: str | None = None
) -> None:
    """Make the two roles and the owner's database, or bring what exists into that state."""
    async with connected(admin_url) as connection:
        await postgres.create_roles(
            connection, owner_password=owner_password, app_password=app_password, database=database
        )


async def condition(url: str) -> Condition:
    async with connected(url) as connection:
        migrated = await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL")
        revision = await connection.fetchval("SELECT version_num FROM alembic_version") if migrated else None
        may_move = "SELECT has_table_privilege('procure_app', to_regclass('sandbox_clock'), 'INSERT')"
        parties = await connection.fetchval("SELECT to_regclass('organisations') IS NOT NULL")
        used = "SELECT EXISTS (SELECT FROM organisations WHERE kind <> 'platform')"
        row = await connection.fetchrow("SELECT version() AS server, current_database() AS name, current_user AS role")
        return Condition(
            server=row["server"].split(" on ")[0],
            database=row["name"],
            role=row["role"],
            revision=revision,
            is_sandbox=bool(await connection.fetchval(may_move)),
            is_used=bool(parties and await connection.fetchval(used)),
        )


def check_sandbox(found: Condition) -> None:
    """Raises RealDatabase unless it is a sandbox, or so new that it may become one."""
    if found.is_used and not found.is_sandbox:
        what = f"The database {found.database} is no sandbox, and parties are registered in it."
        raise RealDatabase(f"{what} It never becomes one; give the sandbox a database of its own: `procure db init`.")


async def allow_sandbox(owner_url: str) -> None:
    """Let the service's role move this database's clock. There is no way back."""
    async with connected(owner_url) as connection:
        await connection.execute("GRANT INSERT, UPDATE ON sandbox_clock TO procure_app")

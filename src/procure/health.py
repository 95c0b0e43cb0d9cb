"""Whether the service lives, is ready, and which version it is."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, get
from msgspec import Meta
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from procure import __version__
from procure.journal import service as journal
from procure.kit.errors import Unavailable
from procure.kit.fields import Name
from procure.kit.http import Db, public
from procure.kit.problems import problems
from procure.migrations import head
from procure.sandbox import service as sandbox


class NotReady(Unavailable):
    """The service can't take requests: its database is away, not migrated, or gives it rights that it must not have."""

    slug, title = "not-ready", "Not ready"


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["alive"]


class Ready(msgspec.Struct, frozen=True):
    """Database, migrations and rights are as they have to be."""

    status: Literal["ready"]
    revision: Annotated[str, Meta(pattern=r"^[0-9a-z_]+$", max_length=100)]


class Version(msgspec.Struct, frozen=True):
    """The service's version and whether it is a sandbox."""

    version: Name
    sandbox: bool


class HealthController(Controller):
    """For load balancers and people."""

    tags = ("Service",)

    @get(
        "/livez",
        operation_id="getLiveness",
        summary="Is the process alive",
        responses=problems(),
        **public(limited=False),
    )
    async def live(self) -> Alive:
        """Answers without touching the database."""
        return Alive("alive")

    @get(
        "/readyz",
        operation_id="getReadiness",
        summary="Is the service ready",
        responses=problems(NotReady),
        **public(limited=False),
    )
    async def ready(self, db: Db, request: Request[Any, Any, Any]) -> Ready:
        """Fails when the database is away, is not at this version's migration, or would let the service alter the journal."""
        revision = await check_ready(db, sandboxed=request.app.state.settings.sandbox)
        return Ready("ready", revision)

    @get("/version", operation_id="getVersion", summary="Which version is this", responses=problems(), **public())
    async def version(self, request: Request[Any, Any, Any]) -> Version:
        """The version of this service."""
        return Version(__version__, request.app.state.settings.sandbox)


async def check_ready(db: AsyncSession, *, sandboxed: bool) -> str:
    """The database's revision; raises NotReady with what is wrong."""
    wanted = head()
    # Null where there is no such table; false where the migration that grants it has been taken back.
    known = await db.scalar(text("SELECT has_table_privilege(to_regclass('alembic_version'), 'SELECT')"))
    found: str | None = await db.scalar(text("SELECT version_num FROM alembic_version")) if known else None
    if found is None or found != wanted:
        raise NotReady(f"The database is at migration {found}, this version needs {wanted}: run `procure db migrate`.")
    if await journal.may_alter(db):
        raise NotReady("The service's database role could alter the journal: connect as procure_app.")
    if not sandboxed and await sandbox.is_sandbox(db):
        raise NotReady("This database is a sandbox's; a service without PROCURE_SANDBOX=1 does not serve from it.")
    return found

"""The map of the API: every router and setting, in one place."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ControllerRouterHandler
from sqlalchemy.ext.asyncio import AsyncEngine

from procure import docs, document
from procure.health import HealthController
from procure.identity.authentication import Authenticator
from procure.identity.controllers import ClientController, MemberController, MetadataController, TokenController
from procure.identity.signing import SigningKey
from procure.journal.service import record_refusal
from procure.kit import clock, logs
from procure.kit.db import Sessions, make_engine, make_sessions
from procure.kit.http import ApiRequest, authorise, provide_actor, provide_db, provide_page, with_request_id
from procure.kit.problems import HANDLERS
from procure.kit.reads import PooledReads, Reads, SessionReads
from procure.kit.settings import Settings
from procure.lots.controllers import LotController
from procure.organisations.controllers import OrganisationController
from procure.outcomes.controllers import OutcomeController
from procure.sandbox.controllers import SandboxController, TimeController
from procure.vault.keyring import FileKeyring
from procure.vault.keys import Vault

ROUTES: list[ControllerRouterHandler] = [
    HealthController,
    MetadataController,
    TokenController,
    OrganisationController,
    MemberController,
    ClientController,
    LotController,
    OutcomeController,
    TimeController,
    docs.asset,
    docs.openapi_json,
    docs.problem_page,
]
SANDBOX_ROUTES: list[ControllerRouterHandler] = [SandboxController]


def create_app(settings: Settings, *, sessions: Sessions | None = None, vault: Vault | None = None) -> Litestar:
    """The ASGI application. `sessions` and `vault` are given by tests that look inside one transaction."""
    logs.configure(level=settings.log_level, form=settings.log_format)
    engine = None if sessions else make_engine(settings.database_url, pool_size=settings.pool_size)
    reads: Reads = SessionReads(sessions) if sessions else PooledReads(settings.database_url, size=settings.pool_size)
    sessions = sessions or make_sessions(_given(engine))
    vault = vault or FileKeyring(settings.keys_path / "vault", vault_clock(settings, sessions))
    signing_key = SigningKey.load(settings.keys_path)
    app = Litestar(
        route_handlers=[*ROUTES, *(SANDBOX_ROUTES if settings.sandbox else [])],
        state=State(
            {
                "authenticate": Authenticator(settings, sessions, signing_key),
                "base_url": settings.base_url.rstrip("/"),
                "body_max_bytes": settings.body_max_bytes,
                "reads": reads,
                "record": record_refusal,
                "sessions": sessions,
                "settings": settings,
                "signing_key": signing_key,
                "vault": vault,
            }
        ),
        dependencies={
            "actor": Provide(provide_actor),
            "db": Provide(provide_db),
            "page": Provide(provide_page),
            "reads": Provide(provide_reads, sync_to_thread=False),
            "signing_key": Provide(provide_signing_key, sync_to_thread=False),
            "vault": Provide(provide_vault, sync_to_thread=False),
        },
        before_request=authorise,
        exception_handlers=dict(HANDLERS),
        request_class=ApiRequest,
        request_max_body_size=settings.body_max_bytes,
        openapi_config=document.config([docs.DocsPage()]),
        lifespan=[_disposing(engine, reads)] if engine else [],
        logging_config=None,
    )
    # Not a middleware: those stand behind the router, and its own 404 and 405 would have no request id.
    app.asgi_handler = with_request_id(app.asgi_handler)
    return app


def provide_reads(state: State) -> Reads:
    reads: Reads = state.reads
    return reads


def provide_vault(state: State) -> Vault:
    vault: Vault = state.vault
    return vault


def provide_signing_key(state: State) -> SigningKey:
    key: SigningKey = state.signing_key
    return key


def vault_clock(settings: Settings, sessions: Sessions) -> Callable[[], Awaitable[datetime]]:
    """The vault's own reading of the time: this machine's, or in a sandbox the sandbox's."""

    async def wall() -> datetime:
        return clock.wall_now()

    async def sandbox() -> datetime:
        async with sessions() as db:
            return await clock.now(db)

    return sandbox if settings.sandbox else wall


def _given(engine: AsyncEngine | None) -> AsyncEngine:
    assert engine is not None
    return engine


def _disposing(engine: AsyncEngine, reads: Reads) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None]:
        yield
        await reads.close()
        await engine.dispose()

    return lifespan

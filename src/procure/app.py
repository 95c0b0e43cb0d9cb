"""The map of the API: every router and setting, in one place."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ControllerRouterHandler
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from procure import docs, document
from procure.awards.controllers import AwardController
from procure.bids.controllers import BidController
from procure.bids.service import Desk
from procure.contracts.controllers import ContractController
from procure.contracts.deliverables.controllers import DeliverableController
from procure.contracts.endings.controllers import EndingController
from procure.contracts.iterations.controllers import IterationController
from procure.contracts.observations.controllers import ContractObservationController
from procure.cpv.controllers import CpvController
from procure.enquiries.controllers import EnquiryController
from procure.evaluation.controllers import EvaluationController, OpeningController, list_opened_bids
from procure.finance.controllers import FinanceController, InvoiceController
from procure.health import HealthController
from procure.identity.authentication import Authenticator
from procure.identity.callers.controllers import MeController
from procure.identity.controllers import (
    ClientController,
    KeyController,
    MemberController,
    MetadataController,
    SecretController,
    TokenController,
)
from procure.identity.failures import Failures
from procure.identity.invitations.controllers import AcceptanceController, InvitationController
from procure.identity.oauth import House
from procure.identity.registrations.controllers import RegistrationController
from procure.identity.registrations.service import Porch
from procure.identity.signing import SigningKeys
from procure.identity.suspensions.controllers import PersonController, SuspensionController
from procure.insights.actions.controllers import ActionController
from procure.insights.checks.controllers import CheckController
from procure.insights.tasks.controllers import TaskController
from procure.insights.timelines.controllers import TimelineController
from procure.journal import sealer
from procure.journal.controllers import ChangeController, JournalController
from procure.journal.service import record_refusal
from procure.journal.tail import Tail
from procure.kit import clock, logs
from procure.kit.coding import with_coding
from procure.kit.db import Sessions, make_engine, make_readers, make_sessions, transaction
from procure.kit.driver import Driver, PooledDriver, SessionDriver
from procure.kit.headers import cors, with_headers
from procure.kit.http import (
    ApiRequest,
    ApiResponse,
    authorise,
    once_of,
    provide_actor,
    provide_db,
    provide_page,
    provide_seen,
    with_options,
    with_request_id,
)
from procure.kit.intake import with_limits, with_whole_body
from procure.kit.listening import Bell, with_bell
from procure.kit.problems import HANDLERS
from procure.kit.rates import Rates, with_rates
from procure.kit.settings import Settings, SettingsFault
from procure.kit.trial import Trial
from procure.lots.controllers import LotController
from procure.mail.service import post_of
from procure.measures.controllers import MeasureController
from procure.organisations.controllers import OrganisationController
from procure.outcomes.controllers import OutcomeController
from procure.outcomes.proposals.controllers import ProposalController
from procure.policy.controllers import PolicyController, RuleController
from procure.register.controllers import RegisterController, register_page
from procure.sandbox import service as sandbox
from procure.sandbox.controllers import SandboxController, TimeController
from procure.vault.keyring import FileKeyring
from procure.vault.keys import Opener, Vault
from procure.vault.strongbox import STRONGBOX, Strongbox
from procure.vault.trial import TrialVault
from procure.webhooks.controllers import WebhookController

ROUTES: list[ControllerRouterHandler] = [
    HealthController,
    MetadataController,
    TokenController,
    OrganisationController,
    MemberController,
    ClientController,
    SecretController,
    KeyController,
    AcceptanceController,
    ActionController,
    CheckController,
    AwardController,
    BidController,
    ChangeController,
    ContractController,
    CpvController,
    DeliverableController,
    EndingController,
    EnquiryController,
    EvaluationController,
    FinanceController,
    InvitationController,
    InvoiceController,
    IterationController,
    ContractObservationController,
    JournalController,
    LotController,
    MeController,
    MeasureController,
    OpeningController,
    OutcomeController,
    ProposalController,
    PersonController,
    PolicyController,
    RegisterController,
    RegistrationController,
    RuleController,
    SuspensionController,
    TaskController,
    TimelineController,
    TimeController,
    WebhookController,
    list_opened_bids,
    docs.asset,
    docs.docs_page,
    docs.openapi_json,
    docs.problem_page,
    register_page,
]
SANDBOX_ROUTES: list[ControllerRouterHandler] = [SandboxController]


def create_app(
    settings: Settings,
    *,
    sessions: Sessions | None = None,
    readers: Sessions | None = None,
    driver: Driver | None = None,
    vault: Vault | None = None,
) -> Litestar:
    """The ASGI application. `sessions`, `readers`, `driver` and `vault` are given by tests that look inside one transaction."""
    return furnished(routed(settings), settings, sessions=sessions, readers=readers, driver=driver, vault=vault)


def routed(settings: Settings) -> Litestar:
    """All routes, and what is the same whatever they work with. It takes a quarter of a second, so tests do this once."""
    return Litestar(
        route_handlers=[*ROUTES, *(SANDBOX_ROUTES if settings.sandbox else [])],
        dependencies={
            "actor": Provide(provide_actor),
            "box": Provide(provide_box, sync_to_thread=False),
            "db": Provide(provide_db),
            "page": Provide(provide_page),
            "seen": Provide(provide_seen),
            "vault": Provide(provide_vault, sync_to_thread=False),
        },
        before_request=authorise,
        cors_config=cors(settings.origins()),
        exception_handlers=dict(HANDLERS),
        request_class=ApiRequest,
        response_class=ApiResponse,
        request_max_body_size=settings.body_max_bytes,
        openapi_config=document.config(),
        lifespan=[_running],
        logging_config=None,
    )


def furnished(
    app: Litestar,
    settings: Settings,
    *,
    sessions: Sessions | None,
    readers: Sessions | None,
    driver: Driver | None,
    vault: Vault | None,
) -> Litestar:
    """`app`, with all that its routes work with."""
    logs.configure(level=settings.log_level, form=settings.log_format)
    engine = None if sessions else make_engine(settings.database_url, pool_size=settings.pool_size)
    driver = driver or (SessionDriver.beside(sessions) if sessions else _pooled(settings))
    readers = readers or sessions or make_readers(_given(engine))
    sessions = sessions or make_sessions(_given(engine))
    vault = vault or FileKeyring(settings.keys_path / "vault", vault_clock(settings, driver))
    settings.webhooks_may_be_local()  # a fault of settings is told here
    keys = SigningKeys(settings.keys_path, settings.token_lifetime_s)
    app.state = State(
        {
            "authenticate": Authenticator(settings, driver, keys),
            "base_url": settings.base_url.rstrip("/"),
            "body_max_bytes": settings.body_max_bytes,
            "desk": Desk(driver, partial(transaction, sessions, record_refusal), vault),
            "driver": driver,
            "engine": engine,
            "oauth": House(driver, settings, keys, Failures(settings.rate_token_failures)),
            "porch": Porch(settings.registration, post_of(settings), settings.base_url.rstrip("/")),
            "readers": readers,
            "rates": (rates := Rates(settings)),
            "record": record_refusal,
            "sessions": sessions,
            "settings": settings,
            "strongbox": Strongbox(settings.keys_path / STRONGBOX),
            "tail": Tail(settings.database_url, readers, settings.rate_streams),
            "vault": vault,
        }
    )
    # Not a middleware: those stand behind the router, and its own 404 and 405 would have no request id.
    answering = with_request_id(
        with_coding(with_limits(with_rates(with_options(with_whole_body(app.asgi_handler)), rates)))
    )
    if engine:  # the connections are ours, and nobody's who looks inside one transaction
        answering = with_bell(answering, Bell(driver, sealer.ENTRIES))
    app.asgi_handler = with_headers(answering, app.cors_config, is_tls=settings.base_url.startswith("https:"))
    return app


def _pooled(settings: Settings) -> Driver:
    return PooledDriver(settings.database_url, size=settings.pool_size)


def provide_vault(request: ApiRequest, state: State) -> Opener:
    """The vault, or on trial one that keeps nothing."""
    vault: Vault = state.vault
    return TrialVault(vault) if isinstance(once_of(request), Trial) else vault


def provide_box(state: State) -> Strongbox:
    box: Strongbox = state.strongbox
    return box


def vault_clock(settings: Settings, driver: Driver) -> Callable[[], Awaitable[datetime]]:
    """The vault's own reading of the time: this machine's, or in a sandbox the sandbox's."""

    async def wall() -> datetime:
        return clock.wall_now()

    async def moved() -> datetime:
        # Not by a session: an opening holds one while the vault reads the time, and many at once would wait for each other.
        moment: datetime = (await driver.rows("SELECT app_now() AS now"))[0]["now"]
        return moment

    return moved if settings.sandbox else wall


def _given(engine: AsyncEngine | None) -> AsyncEngine:
    assert engine is not None
    return engine


@asynccontextmanager
async def _running(app: Litestar) -> AsyncGenerator[None]:
    engine: AsyncEngine | None = app.state.engine
    if engine is None:  # then nothing here is ours to close
        yield
        return
    await _refuse_a_sandboxs_database(make_sessions(engine), app.state.settings)
    yield
    await app.state.tail.close()
    await app.state.driver.close()
    await engine.dispose()


async def _refuse_a_sandboxs_database(sessions: Sessions, settings: Settings) -> None:
    """Deadlines that anybody could move forward are none. A database that is away now is met again by `/readyz`."""
    if settings.sandbox:
        return
    try:
        async with sessions() as db:
            is_sandbox = await sandbox.is_sandbox(db)
    except (OSError, DBAPIError):
        return
    if is_sandbox:
        raise SettingsFault("This database is a sandbox's: set PROCURE_SANDBOX=1, or serve from another one.")

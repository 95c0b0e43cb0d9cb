"""Real PostgreSQL for every test: one embedded cluster per run, migrated once, cloned for those that commit.

`db` and `client` work inside one outer transaction that is rolled back; `world` is a committed database of its own, for what
needs several connections: races, journal readers, refusals beside a held lock.
"""

import itertools
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import hypothesis
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool

from calls import Call
from described import client_of
from identity.issuing import AUDIENCE, SignOnServer, issuing
from procure.app import furnished, routed, vault_clock
from procure.kit.db import Sessions, make_engine, make_readers, make_sessions
from procure.kit.driver import PooledDriver, SessionDriver
from procure.kit.postgres import Embedded, Urls, remove
from procure.kit.settings import Settings
from procure.mail.service import Post
from procure.migrations import migrate
from procure.vault.keyring import FileKeyring

BASE_URL = "http://procure.test"
# No test depends on how fast the machine is.
hypothesis.settings.register_profile("procure", deadline=None)
hypothesis.settings.load_profile("procure")
#: Durability is not what these tests are about; the fault drills run with it.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


#: Files that take longest, by the beginning of their path.
LONGEST = ("tests/fuzzing/test_fuzzing", "tests/test_dev", "tests/test_authorisation", "tests/test_examples")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no process is left alone with it at the end; by files, so files stay together."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.fixture(scope="session")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Generator[Urls]:
    """A cluster of this run, its database `procure` migrated by Alembic."""
    home = tmp_path_factory.mktemp("postgres")
    embedded = Embedded(home, settings=FAST)
    urls = embedded.start()
    try:
        migrate(urls.owner)
        yield urls
    finally:
        embedded.stop()
        remove(home)


@pytest.fixture(scope="session")
async def sandboxed(urls: Urls) -> Urls:
    """The database with the clock's row writable by the service's role, as `procure db sandbox` does it."""
    engine = create_async_engine(urls.owner, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text("GRANT INSERT, UPDATE ON sandbox_clock TO procure_app"))
    await engine.dispose()
    admin = create_async_engine(urls.admin, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with admin.connect() as connection:  # now, while nobody is connected to what is copied
        await connection.execute(text("CREATE DATABASE pristine TEMPLATE procure OWNER procure_owner"))
    await admin.dispose()
    return urls


@pytest.fixture(scope="session")
async def engine(sandboxed: Urls) -> AsyncGenerator[AsyncEngine]:
    engine = make_engine(sandboxed.app, pool_size=5)
    yield engine
    await engine.dispose()


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """One connection with one outer transaction, rolled back when the test ends."""
    async with engine.connect() as connection:
        outer = await connection.begin()
        yield connection
        await outer.rollback()


@pytest.fixture
def sessions(connection: AsyncConnection) -> Sessions:
    """Sessions whose commits are savepoints of the outer transaction."""
    return async_sessionmaker(
        connection, expire_on_commit=False, autoflush=False, join_transaction_mode="create_savepoint"
    )


@pytest.fixture
async def db(sessions: Sessions) -> AsyncGenerator[AsyncSession]:
    async with sessions() as session:
        yield session


@pytest.fixture
def settings(urls: Urls, tmp_path: Path) -> Settings:
    return Settings(
        database_url=urls.app,
        keys_path=tmp_path / "keys",
        base_url=BASE_URL,
        sandbox=True,
        log_level="error",
        mail_url=f"file:{tmp_path / 'mail'}",
    )


@pytest.fixture
def vault(settings: Settings, sessions: Sessions) -> FileKeyring:
    return FileKeyring(settings.keys_path / "vault", vault_clock(settings, SessionDriver.beside(sessions)))


@pytest.fixture(scope="session")
def routes() -> Litestar:
    """The application without what it works with: its routes are registered once, which takes a quarter of a second each time."""
    return routed(Settings(database_url="", sandbox=True))


@pytest.fixture
def app(routes: Litestar, settings: Settings, sessions: Sessions, vault: FileKeyring) -> Litestar:
    return furnished(copy(routes), settings, sessions=sessions, readers=None, driver=None, vault=vault)


@pytest.fixture
async def client(app: Litestar) -> AsyncGenerator[httpx.AsyncClient]:
    """The service without a network, as anyone: no token."""
    # A real 500 must fail the test's assertion on the reply, not surface as an exception that production would not show.
    async with client_of(app) as client:
        yield client


@pytest.fixture
def call(app: Litestar, client: httpx.AsyncClient) -> Call:
    """Requests in an actor's name, inside the test's transaction."""
    return Call(client, app)


@dataclass(frozen=True)
class World:
    """A committed database of one test's own, and the service on it."""

    urls: Urls
    settings: Settings
    sessions: Sessions
    vault: FileKeyring
    app: Litestar
    client: httpx.AsyncClient
    #: Whose people are let in.
    sign_on: SignOnServer

    @property
    def call(self) -> Call:
        return Call(self.client, self.app)

    @property
    def post(self) -> Post:
        """Into a folder."""
        found: Post = self.app.state.porch.post
        return found


Worlds = Callable[[Path], AbstractAsyncContextManager[World]]
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def sign_on() -> Generator[SignOnServer]:
    """A council's sign-on, which behaves."""
    with issuing() as server:
        yield server


@asynccontextmanager
async def new_world(sandboxed: Urls, sign_on: SignOnServer, routes: Litestar, folder: Path) -> AsyncGenerator[World]:
    """Cloned from the migrated database, dropped afterwards."""
    name = f"world_{next(_numbers)}"
    admin = create_async_engine(sandboxed.admin, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with admin.connect() as connection:
        await connection.execute(
            text(f"CREATE DATABASE {name} TEMPLATE pristine OWNER procure_owner STRATEGY FILE_COPY")
        )
    urls = Urls(*(url.replace("/procure?", f"/{name}?") for url in (sandboxed.owner, sandboxed.app, sandboxed.admin)))
    engine = make_engine(urls.app, pool_size=20)
    sessions = make_sessions(engine)
    settings = Settings(
        database_url=urls.app,
        keys_path=folder / "keys",
        base_url=BASE_URL,
        sandbox=True,
        log_level="error",
        oidc_issuers=f"{sign_on.issuer} {AUDIENCE}",
        mail_url=f"file:{folder / 'mail'}",
    )
    vault = FileKeyring(settings.keys_path / "vault", vault_clock(settings, SessionDriver.beside(sessions)))
    driver = PooledDriver(urls.app, size=10)  # as it is served: what commits by itself shall do so here
    readers = make_readers(engine)
    app = furnished(copy(routes), settings, sessions=sessions, readers=readers, driver=driver, vault=vault)
    async with client_of(app) as client:
        yield World(urls, settings, sessions, vault, app, client, sign_on)
    await driver.close()
    await engine.dispose()
    async with admin.connect() as connection:
        await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    await admin.dispose()


@pytest.fixture(scope="session")
def worlds(sandboxed: Urls, sign_on: SignOnServer, routes: Litestar) -> Worlds:
    """For a world that several tests share and none alters."""
    return partial(new_world, sandboxed, sign_on, routes)


@pytest.fixture
async def world(worlds: Worlds, tmp_path: Path) -> AsyncGenerator[World]:
    async with worlds(tmp_path) as world:
        yield world

"""One service for all the kit's tests that write nothing: to build the application anew for each costs more than the test."""

from collections.abc import AsyncGenerator

import httpx
import pytest
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from conftest import BASE_URL
from described import client_of
from procure.app import create_app
from procure.kit.db import make_sessions
from procure.kit.postgres import Urls
from procure.kit.settings import Settings


@pytest.fixture(scope="session")
def service(urls: Urls, engine: AsyncEngine, tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    """The application on the run's own database."""
    settings = Settings(
        database_url=urls.app,
        keys_path=tmp_path_factory.mktemp("keys"),
        base_url=BASE_URL,
        sandbox=True,
        log_level="critical",
    )
    return create_app(settings, sessions=make_sessions(engine))


@pytest.fixture(scope="session")
async def anyone(service: Litestar) -> AsyncGenerator[httpx.AsyncClient]:
    """A client without a token."""
    async with client_of(service) as client:
        yield client

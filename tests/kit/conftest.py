"""One service for all the kit's tests that write nothing: to build the application anew for each costs more than the test."""

from collections.abc import AsyncGenerator
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncEngine

from conftest import BASE_URL
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
    transport = httpx.ASGITransport(app=cast("Any", service), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        yield client

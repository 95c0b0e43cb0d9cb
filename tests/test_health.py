"""Whether the service lives, is ready and which version it is: what load balancers and people ask."""

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from calls import ok, problem
from conftest import World
from described import client_of
from procure import __version__
from procure.app import create_app
from procure.kit.settings import Settings


async def as_owner(world: World, statement: str) -> None:
    engine = create_async_engine(world.urls.owner, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


async def test_a_migrated_database_with_the_right_role_is_ready(world: World) -> None:
    body = ok(await world.client.get("/readyz"))
    assert body["status"] == "ready"
    assert body["revision"].isdecimal()


@pytest.mark.parametrize("revision", ["0001", "9999"])
async def test_another_migration_than_this_versions_is_not_ready(world: World, revision: str) -> None:
    await as_owner(world, f"UPDATE alembic_version SET version_num = '{revision}'")
    body = problem(await world.client.get("/readyz"), 503, "not-ready")
    assert revision in body["detail"]
    assert "procure db migrate" in body["detail"]


@pytest.mark.parametrize("drop", ["DROP TABLE alembic_version", "REVOKE ALL ON alembic_version FROM procure_app"])
async def test_a_database_that_was_never_migrated_is_not_ready(world: World, drop: str) -> None:
    await as_owner(world, drop)
    problem(await world.client.get("/readyz"), 503, "not-ready")


@pytest.mark.parametrize("right", ["UPDATE", "DELETE", "TRUNCATE"])
@pytest.mark.parametrize("table", ["journal_entries", "journal_personal", "journal_hold_ends"])
async def test_a_service_that_could_alter_the_journal_is_not_ready(world: World, table: str, right: str) -> None:
    await as_owner(world, f"GRANT {right} ON {table} TO procure_app")
    body = problem(await world.client.get("/readyz"), 503, "not-ready")
    assert "journal" in body["detail"]


async def test_a_service_without_a_sandbox_does_not_serve_from_a_sandboxs_database(world: World) -> None:
    settings = Settings(database_url=world.urls.app, keys_path=world.settings.keys_path, log_level="critical")
    strict = create_app(settings, sessions=world.sessions, vault=world.vault)
    async with client_of(strict) as client:
        body = problem(await client.get("/readyz"), 503, "not-ready")
        assert "sandbox" in body["detail"]
        await as_owner(world, "REVOKE INSERT, UPDATE ON sandbox_clock FROM procure_app")
        ok(await client.get("/readyz"))
        await as_owner(world, "INSERT INTO sandbox_clock VALUES (true, interval '1 day')")
        problem(await client.get("/readyz"), 503, "not-ready")


async def test_liveness_and_version_need_no_database(world: World) -> None:
    await as_owner(world, "DROP TABLE alembic_version")
    assert ok(await world.client.get("/livez")) == {"status": "alive"}
    assert ok(await world.client.get("/version")) == {"version": __version__, "sandbox": True}


async def test_the_documentation_needs_no_internet(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text
    assert "https://" not in page.text
    for path in (
        "/assets/swagger-ui-bundle.js",
        "/assets/docs.js",
        "/assets/swagger-ui.css",
        "/assets/favicon-32x32.png",
    ):
        assert path in page.text
        reply = await client.get(path)
        assert reply.status_code == 200
        assert reply.content
        assert reply.headers["x-content-type-options"] == "nosniff"
    assert '"/openapi.json"' in (await client.get("/assets/docs.js")).text
    assert (await client.get("/openapi.json")).status_code == 200
    problem(await client.get("/assets/../app.py"), 404, "not-found")
    problem(await client.get("/assets/docs.py"), 404, "not-found")
    problem(await client.get("/assets/README.md"), 404, "not-found")

"""Every command ends with what was asked for, or with a sentence and exit code 1 or 2."""

import asyncio
import re
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg
import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from procure import database, migrations
from procure.cli import cli
from procure.kit.postgres import Urls
from procure.migrations import head, unmigrate

NOWHERE = "postgresql+asyncpg://procure_owner@127.0.0.1:1/procure"


def run(*arguments: str, **environment: str | None) -> Result:
    """In a process without any PROCURE_ setting but these."""
    bare: dict[str, str | None] = dict.fromkeys(("PROCURE_DATABASE_URL", "PROCURE_OWNER_URL", "PROCURE_ADMIN_URL"))
    return CliRunner().invoke(cli, arguments, env=bare | environment, prog_name="procure")


def sentence(result: Result, code: int) -> str:
    """What it says, which is one line and no traceback."""
    assert result.exit_code == code, result.output
    assert re.fullmatch(r"Error: .*\n", result.output), result.output
    return result.output


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No command may find this checkout's own `make run`."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def made(urls: Urls) -> Urls:
    """A database made and migrated by the commands alone."""
    made = Urls(urls.owner.replace("/procure?", "/made?"), urls.app.replace("/procure?", "/made?"), urls.admin)
    assert run("db", "init", "--database", "made", PROCURE_ADMIN_URL=urls.admin).exit_code == 0
    assert run("db", "migrate", PROCURE_OWNER_URL=made.owner).exit_code == 0
    return made


def test_help_and_version_need_no_setting_and_none_of_the_service() -> None:
    quick = "import sys, procure.cli; print([name for name in ('alembic', 'litestar', 'sqlalchemy') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", quick], capture_output=True, text=True, check=True).stdout == "[]\n"
    assert run("--version").output.startswith("procure, version ")
    for command in ("dev", "clean", "serve", "worker", "openapi", "operator", "demo", "db"):
        assert command in run("--help").output
        assert run(command, "--help").exit_code == 0
    assert "create" in run("operator", "--help").output
    assert "--count" in run("demo", "--help").output


@pytest.mark.parametrize(
    "command", [("serve",), ("worker",), ("operator", "create", "--name", "Operator"), ("db", "status"), ("db", "url")]
)
def test_a_missing_setting_is_named(command: tuple[str, ...]) -> None:
    assert re.search(r"PROCURE_(DATABASE|OWNER)_URL is not set", sentence(run(*command), 2))


def test_dev_on_a_database_of_its_own_needs_the_owner_too(elsewhere: Path) -> None:
    port = free_port()
    result = run("dev", PROCURE_DATABASE_URL=NOWHERE, PORT=port)
    assert "PROCURE_OWNER_URL is not set" in sentence(result, 2)
    result = run("dev", PROCURE_DATABASE_URL=NOWHERE, PROCURE_OWNER_URL=NOWHERE, PORT=port)
    assert "Connect call failed" in sentence(result, 1)
    assert not (elsewhere / ".procure" / "postgres").exists()


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    assert run("dev", PORT=port).exit_code == 2
    assert run("serve", "--port", port, PROCURE_DATABASE_URL=NOWHERE).exit_code == 2


def test_a_taken_port_is_told(elsewhere: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for result in (run("serve", "--port", port, PROCURE_DATABASE_URL=NOWHERE), run("dev", PORT=port)):
            assert f"Port {port} of 127.0.0.1 can't be had" in sentence(result, 1)
    assert not (elsewhere / ".procure").exists()


def test_a_database_that_is_away_is_told() -> None:
    for command in (("db", "status"), ("db", "migrate"), ("db", "sandbox"), ("db", "init")):
        result = run(*command, PROCURE_OWNER_URL=NOWHERE, PROCURE_ADMIN_URL=NOWHERE)
        assert "Connect call failed" in sentence(result, 1)
    assert "The database can't be reached" in sentence(
        run("operator", "create", "--name", "Operator", PROCURE_DATABASE_URL=NOWHERE), 1
    )


def test_a_url_that_is_none_is_told() -> None:
    assert "invalid DSN" in sentence(run("db", "status", PROCURE_OWNER_URL="localhost"), 1)


def test_a_fresh_database_is_not_ready_until_it_is_migrated(urls: Urls) -> None:
    fresh = urls.owner.replace("/procure?", "/fresh?")
    for _ in range(2):
        result = run("db", "init", "--database", "fresh", PROCURE_ADMIN_URL=urls.admin)
        assert "`procure db migrate` fills it" in result.output
    result = run("db", "status", PROCURE_OWNER_URL=fresh)
    assert result.exit_code == 1
    assert f"migration   None (this version needs {head()})" in result.output
    assert "Error: The database is not at this version's migration" in result.output


async def test_init_sets_the_passwords_that_it_is_given(urls: Urls) -> None:
    """Told to PostgreSQL as verifiers, and never printed."""
    passwords = {"owner_password": "an owner's ' password", "app_password": "another"}
    await database.initialise(urls.admin, "passwords", **passwords)
    async with database.connected(urls.admin) as connection:
        stored = await connection.fetch("SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'procure_%'")
        await connection.execute("ALTER ROLE procure_owner PASSWORD NULL; ALTER ROLE procure_app PASSWORD NULL")
        await connection.execute("DROP DATABASE passwords")
    assert [row["rolpassword"].startswith("SCRAM-SHA-256$") for row in stored] == [True, True]


def test_migrate_brings_a_database_to_this_version(made: Urls) -> None:
    result = run("db", "migrate", PROCURE_OWNER_URL=made.owner)
    assert result.output == f"The database is at migration {head()}.\n"
    result = run("db", "status", PROCURE_OWNER_URL=made.owner)
    assert (result.exit_code, "database    made as procure_owner" in result.output) == (0, True)


def test_the_service_role_may_not_migrate(made: Urls) -> None:
    unmigrate(made.owner, "-1")
    assert re.search("permission denied|must be owner", sentence(run("db", "migrate", PROCURE_OWNER_URL=made.app), 1))
    assert run("db", "migrate", PROCURE_OWNER_URL=made.owner).exit_code == 0


def test_a_database_becomes_a_sandbox_only_when_told(made: Urls) -> None:
    assert "sandbox     no" in run("db", "status", PROCURE_OWNER_URL=made.owner).output
    assert run("db", "sandbox", PROCURE_OWNER_URL=made.owner).exit_code == 0
    assert "sandbox     yes" in run("db", "status", PROCURE_OWNER_URL=made.owner).output


def test_a_database_with_parties_never_becomes_a_sandbox(urls: Urls) -> None:
    """Not by the command, and not by a `make run` whose settings name it by mistake."""
    real = Urls(*(url.replace("/procure?", "/real?") for url in (urls.owner, urls.app, urls.admin)))
    assert run("db", "init", "--database", "real", PROCURE_ADMIN_URL=urls.admin).exit_code == 0
    assert run("db", "migrate", PROCURE_OWNER_URL=real.owner).exit_code == 0
    assert run("operator", "create", "--name", "Operator", PROCURE_DATABASE_URL=real.app).exit_code == 0
    asyncio.run(register_a_party(real.owner))
    assert "is no sandbox" in sentence(run("db", "sandbox", PROCURE_OWNER_URL=real.owner), 1)
    unmigrate(real.owner, "-1")
    result = run("dev", PROCURE_OWNER_URL=real.owner, PROCURE_DATABASE_URL=real.app, PORT=free_port())
    assert "is no sandbox" in sentence(result, 1)
    status = run("db", "status", PROCURE_OWNER_URL=real.owner).output
    assert "sandbox     no" in status
    assert f"migration   {head()}" not in status


async def register_a_party(owner_url: str) -> None:
    async with database.connected(owner_url) as connection:
        await connection.execute(
            "INSERT INTO organisations (id, kind, name, scheme, identifier, nation, is_central_government, status, version)"
            " VALUES (gen_random_uuid(), 'buyer', 'A council', 'GB-LAE', 'A', 'GB-ENG', false, 'active', 1)"
        )


def test_the_first_operator_is_made_on_the_machine(made: Urls) -> None:
    result = run("operator", "create", "--name", "Operator", PROCURE_DATABASE_URL=made.app)
    assert result.exit_code == 0, result.output
    assert re.fullmatch(r"client_id: +[0-9a-f-]{36}\nclient_secret: +\S{43}\n", result.output)


async def test_url_is_what_psql_and_the_driver_take(made: Urls) -> None:
    printed = run("db", "url", "--role", "owner", PROCURE_OWNER_URL=made.owner).output.strip()
    connection = await asyncpg.connect(printed)
    assert await connection.fetchval("SELECT current_user || '@' || current_database()") == "procure_owner@made"
    await connection.close()
    assert run("db", "url", "--setting", PROCURE_DATABASE_URL=made.app).output == f"{made.app}\n"


def test_the_head_is_the_one_that_alembic_finds() -> None:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - what the function spares the service

    assert ScriptDirectory.from_config(migrations.configuration("")).get_current_head() == head()


def test_the_openapi_document_is_checked_against_the_code(elsewhere: Path) -> None:
    printed = run("openapi")
    document = msgspec.json.decode(printed.stdout_bytes)
    assert document["openapi"].startswith("3.1")
    assert "/v1/sandbox/clock" in document["paths"]
    assert "make openapi" in sentence(run("openapi", "--check"), 1)
    assert run("openapi", "--write").exit_code == 0
    assert run("openapi", "--check").exit_code == 0
    written = elsewhere / "openapi" / "procure.json"
    assert written.read_bytes() == printed.stdout_bytes
    written.write_bytes(written.read_bytes().replace(b"Outcomes first", b"Outcomes last"))
    assert "make openapi" in sentence(run("openapi", "--check"), 1)


def test_a_fault_of_our_own_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence is for what a person can mend; a bug keeps its traceback."""

    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(cli.commands, "broken", click.Command("broken", callback=broken))
    assert isinstance(run("broken").exception, ZeroDivisionError)

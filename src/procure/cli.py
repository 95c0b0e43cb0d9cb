"""`procure …`: every command. What a command needs is imported when it runs, so that help and starting children stay quick."""

import asyncio
import json
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import asyncpg
import click

from procure import __version__, children, database, dev, migrations, server
from procure.database import RealDatabase
from procure.dev import DevFault
from procure.kit import postgres
from procure.kit.postgres import PostgresFault
from procure.kit.settings import Settings, SettingsFault
from procure.server import PortTaken

DOCUMENT = Path("openapi/procure.json")
RELEASED = Path("openapi/released.json")


class Misuse(click.ClickException):
    """Not asked for rightly: exit code 2 as for click's own usage errors, where 1 means that it could not be done."""

    exit_code = 2


class Commands(click.Group):
    """A group whose commands end with a sentence where a person can do something about it, and never with a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsFault as fault:
            raise Misuse(str(fault)) from fault
        except (DevFault, PortTaken, PostgresFault, RealDatabase) as fault:
            raise click.ClickException(str(fault)) from fault
        except Exception as error:
            if not _is_outside(error):
                raise
            cause = getattr(error, "orig", error)  # without the statement that SQLAlchemy quotes
            said = str(cause).rpartition(">: ")[2] or type(cause).__name__
            raise click.ClickException(f"It can't be done: {said}") from error


class Deferred(click.Command):
    """A command, or a group of them, in another module, which is imported when it is asked for."""

    def __init__(self, name: str, target: str, help_: str) -> None:
        super().__init__(name, help=help_)
        self._target = target

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        module, _, name = self._target.partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command.make_context(*arguments, **extra)


def _is_outside(error: Exception) -> bool:
    """Whether the database or the system says no, rather than our own code being wrong."""
    wrapped = getattr(sys.modules.get("sqlalchemy.exc"), "DBAPIError", ())  # imported only by who needs it
    return isinstance(error, (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, wrapped))


def main() -> None:
    children.hold_lifeline()
    cli(prog_name="procure")


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="procure")
def cli() -> None:
    """Agile procurement: outcomes, short lots, sealed bids, contracts paid deliverable by deliverable."""


@cli.command("dev")
@click.option("--port", envvar="PORT", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Or PORT.")
def dev_(port: int) -> None:
    """Database, service, worker and seats on this machine, until Ctrl-C: `make run`."""
    dev.run(port)


@cli.command()
def clean() -> None:
    """Delete all that `procure dev` has made here: database, keys, credentials, logs."""
    dev.remove()


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
def serve(host: str, port: int) -> None:
    """The HTTP service, with its settings from PROCURE_*."""
    Settings.from_environment()  # a fault of settings is told here, in a sentence, and not by the worker process
    server.serve(host, port)


@cli.command()
def worker() -> None:
    """What time makes due: seals, openings of small lots, clearing up. As many as there are machines."""
    Settings.from_environment()  # told here, as by `serve`
    import_module("procure.worker").main()


@cli.command()
@click.option("--check", is_flag=True, help=f"Fail if {DOCUMENT} is not what the code says.")
@click.option("--write", is_flag=True, help=f"Write {DOCUMENT}.")
@click.option("--compare", is_flag=True, help=f"Fail if it breaks {RELEASED}, the last release's.")
@click.option("--release", is_flag=True, help=f"Write {RELEASED}.")
def openapi(*, check: bool, write: bool, compare: bool, release: bool) -> None:
    """The OpenAPI document, printed, checked, compared or written."""
    document = _openapi_document()
    if compare:
        _compare(document)
    elif release:
        RELEASED.write_bytes(document)
    elif write:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_bytes(document)
    elif not check:
        sys.stdout.buffer.write(document)
    elif not DOCUMENT.exists() or DOCUMENT.read_bytes() != document:
        raise click.ClickException(f"{DOCUMENT} is not what the code says: `make openapi` writes it.")


def _compare(document: bytes) -> None:
    from procure.document.breaking import breaks, is_new_line  # noqa: PLC0415

    if not RELEASED.exists():
        click.echo(f"Nothing is released yet: there is no {RELEASED} to compare with.")
        return
    old, new = json.loads(RELEASED.read_bytes()), json.loads(document)
    found = breaks(old, new)
    for said in found:
        click.echo(said)
    if found and not is_new_line(old["info"]["version"], new["info"]["version"]):
        raise click.ClickException(
            f"{len(found)} break(s) of {RELEASED}: mend them, or raise the version's first number."
        )


def _openapi_document() -> bytes:
    from procure import document  # noqa: PLC0415
    from procure.app import create_app  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as keys:  # an application makes its keys as it starts, and nothing connects
        settings = Settings(database_url="postgresql+asyncpg:///", keys_path=Path(keys), sandbox=True)
        return document.encode(document.build(create_app(settings)))


cli.add_command(
    Deferred("operator", "procure.identity.commands:operator", "Who runs the platform: the first credential.")
)
cli.add_command(
    Deferred("client", "procure.identity.commands:client", "API clients: made, given a new secret, revoked.")
)
cli.add_command(
    Deferred("person", "procure.identity.commands:person", "People's sign-ons: linked to them, and unlinked.")
)
cli.add_command(Deferred("keys", "procure.identity.commands:keys", "The keys that access tokens are signed with."))
cli.add_command(
    Deferred(
        "journal", "procure.audit:journal", "The record of all that happened: proven, exported, erased where personal."
    )
)
cli.add_command(
    Deferred(
        "webhooks",
        "procure.webhooks.commands:webhooks",
        "What organisations have brought to them: resumed after a restore.",
    )
)
cli.add_command(Deferred("demo", "procure.demo.command:demo", "Play real notices against a running sandbox."))


@cli.group()
def db() -> None:
    """The database: the one that PROCURE_DATABASE_URL and PROCURE_OWNER_URL name, or else what `procure dev` runs here."""


@db.command()
@click.option(
    "--admin-url", envvar="PROCURE_ADMIN_URL", required=True, help="Of a role that may make roles and databases."
)
@click.option("--database", "name", default="procure", show_default=True)
def init(admin_url: str, name: str) -> None:
    """Make the roles procure_owner and procure_app and their database. Can be repeated.

    Their passwords are those in PROCURE_OWNER_PASSWORD and PROCURE_APP_PASSWORD; without, the server's pg_hba.conf lets them in.
    """
    passwords = {role: os.environ.get(f"PROCURE_{role.upper()}_PASSWORD") for role in ("owner", "app")}
    asyncio.run(database.initialise(admin_url, name, owner_password=passwords["owner"], app_password=passwords["app"]))
    click.echo(f"Database {name} with roles procure_owner and procure_app is there: `procure db migrate` fills it.")


@db.command()
def migrate() -> None:
    """Bring the database up to this version of the service."""
    url = _url("owner")
    migrations.migrate(url)
    click.echo(f"The database is at migration {asyncio.run(database.condition(url)).revision}.")


@db.command()
def status() -> None:
    """How the database stands; exit code 1 unless it is at this version's migration."""
    found, wanted = asyncio.run(database.condition(_url("owner"))), migrations.head()
    click.echo(f"server      {found.server}\ndatabase    {found.database} as {found.role}")
    click.echo(
        f"migration   {found.revision} (this version needs {wanted})\nsandbox     {'yes' if found.is_sandbox else 'no'}"
    )
    if found.revision != wanted:
        raise click.ClickException("The database is not at this version's migration: `procure db migrate`.")


@db.command()
def sandbox() -> None:
    """Make this database a sandbox, whose clock PROCURE_SANDBOX=1 can move. Not one in which somebody procures already, and for good."""
    url = _url("owner")
    database.check_sandbox(asyncio.run(database.condition(url)))
    asyncio.run(database.allow_sandbox(url))
    click.echo("The database is a sandbox: a service without PROCURE_SANDBOX=1 refuses it.")


@db.command()
@click.option("--role", type=click.Choice(["owner", "app", "admin"]), default="app", show_default=True)
@click.option("--setting", is_flag=True, help="As PROCURE_DATABASE_URL wants it, not as psql does.")
def url(role: str, *, setting: bool) -> None:
    """The database's address: `psql "$(procure db url)"`."""
    found = _url(role)
    click.echo(found if setting else database.libpq_url(found))


def _url(role: str) -> str:
    name = {"owner": "PROCURE_OWNER_URL", "app": "PROCURE_DATABASE_URL", "admin": "PROCURE_ADMIN_URL"}[role]
    if (given := os.environ.get(name)) is not None:
        return given
    embedded = None if os.environ.get("PROCURE_DATABASE_URL") else postgres.running(dev.HOME)
    if embedded is None:
        raise SettingsFault(f"{name} is not set, and no database of `make run` runs in {dev.HOME.absolute()}.")
    found: str = getattr(embedded, role)
    return found

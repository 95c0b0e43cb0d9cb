"""`procure operator …`, `procure client …`, `procure keys …`: what is done on the machine itself, by whoever has its database and keys."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

import click
from sqlalchemy.ext.asyncio import AsyncSession

from procure.identity import credentials, service, sign_ons, signing
from procure.identity.errors import ClientNotFound
from procure.identity.models import Client
from procure.identity.rules import ClientKind
from procure.identity.schemas import ClientDraft, MemberDraft, NewPerson
from procure.journal.service import record_refusal
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.kit.body import convert
from procure.kit.db import make_engine, make_sessions, transaction
from procure.kit.errors import Fact
from procure.kit.problems import is_away
from procure.kit.settings import Settings
from procure.organisations import service as organisations

T = TypeVar("T")


@asynccontextmanager
async def _platform(settings: Settings, command: str) -> AsyncGenerator[tuple[AsyncSession, Actor]]:
    """One transaction, in the operator's name; the journal says by which command."""
    engine = make_engine(settings.database_url, pool_size=1)
    try:
        async with transaction(make_sessions(engine), record_refusal) as db:
            platform = await organisations.ensure_platform(db, Actor(request_id=command))
            yield (
                db,
                Actor(
                    organisation_id=platform.id,
                    kind=OrganisationKind.PLATFORM,
                    roles=frozenset({Role.OPERATOR}),
                    request_id=command,
                ),
            )
    finally:
        await engine.dispose()


async def create_operator(settings: Settings, name: str) -> tuple[UUID, str]:
    """A person with the role `operator`, and the id and secret of a personal client for them."""
    async with _platform(settings, "procure operator create") as (db, actor):
        assert actor.organisation_id is not None
        member = MemberDraft(person=convert({"name": name}, NewPerson), roles=[Role.OPERATOR])
        _, person = await service.add_member(db, actor, actor.organisation_id, member)
        draft = ClientDraft(name=name, kind=ClientKind.PERSONAL, person_id=person.id)
        client, secret = await service.add_client(db, actor, actor.organisation_id, draft)
        return client.id, secret


async def create_client(
    settings: Settings, organisation_id: UUID, name: str, roles: Sequence[str], person_id: UUID | None
) -> tuple[UUID, str]:
    """A client of the organisation: of one of its members, or a service client with `roles`."""
    kind = ClientKind.SERVICE if person_id is None else ClientKind.PERSONAL
    said = {"name": name, "kind": kind.value, "person_id": str(person_id) if person_id else None, "roles": [*roles]}
    async with _platform(settings, "procure client create") as (db, actor):
        client, secret = await service.add_client(db, actor, organisation_id, convert(said, ClientDraft))
        return client.id, secret


async def rotate_client(settings: Settings, client_id: UUID, *, at_once: bool) -> tuple[UUID, str]:
    """A new secret for the client; the one before it stays, or ends `at_once`."""
    async with _platform(settings, "procure client rotate") as (db, actor):
        organisation_id = await _organisation_of(db, client_id)
        _, secret = await credentials.rotate_secret(db, actor, organisation_id, client_id, at_once=at_once)
        return client_id, secret


async def revoke_client(settings: Settings, client_id: UUID, reason: str) -> None:
    """Stop the client for good."""
    async with _platform(settings, "procure client revoke") as (db, actor):
        await service.revoke_client(db, actor, await _organisation_of(db, client_id), client_id, reason)


async def link_person(settings: Settings, person_id: UUID, issuer: str, subject: str) -> None:
    """Let a person come by this sign-on of a configured issuer."""
    if issuer not in {one.issuer for one in settings.sign_ons()}:
        raise click.ClickException("PROCURE_OIDC_ISSUERS names no such issuer; its spelling counts, to the last slash.")
    async with _platform(settings, "procure person link") as (db, actor):
        await sign_ons.link(db, actor, person_id, issuer, subject)


async def unlink_person(settings: Settings, person_id: UUID, issuer: str, subject: str) -> None:
    """End that."""
    async with _platform(settings, "procure person unlink") as (db, actor):
        await sign_ons.unlink(db, actor, person_id, issuer, subject)


async def _organisation_of(db: AsyncSession, client_id: UUID) -> UUID:
    client = await db.get(Client, client_id)
    if client is None:
        raise ClientNotFound("There is no such client.")
    return client.organisation_id


def _run(work: Coroutine[Any, Any, T]) -> T:
    """What comes of it, or a sentence on why it can't be done."""
    try:
        return asyncio.run(work)
    except Fact as fault:
        raise click.ClickException(str(fault)) from fault
    except Exception as error:
        if is_away(error):
            raise click.ClickException(
                "The database can't be reached; is it running, at PROCURE_DATABASE_URL?"
            ) from error
        raise


def _show(client_id: UUID, secret: str) -> None:
    click.echo(f"client_id:     {client_id}\nclient_secret: {secret}")


@click.group()
def operator() -> None:
    """Who runs the platform."""


@operator.command()
@click.option("--name", required=True, help="The person's name.")
def create(name: str) -> None:
    """Make an operator and print a client id and secret for them, this once."""
    _show(*_run(create_operator(Settings.from_environment(), name)))


@click.group()
def client() -> None:
    """API clients, of whatever organisation."""


@client.command("create")
@click.option("--organisation", "organisation_id", type=click.UUID, required=True, help="Whose client it is.")
@click.option("--name", required=True, help="What people call it.")
@click.option("--role", "roles", multiple=True, help="Of a service client; can be repeated.")
@click.option("--person", "person_id", type=click.UUID, help="Of a personal client: the member that it acts as.")
def create_(organisation_id: UUID, name: str, roles: tuple[str, ...], person_id: UUID | None) -> None:
    """Make a client and print its id and secret, this once: a personal one with --person, else a service client with its roles."""
    _show(*_run(create_client(Settings.from_environment(), organisation_id, name, roles, person_id)))


@client.command("rotate")
@click.argument("client_id", type=click.UUID)
@click.option("--at-once", is_flag=True, help="Revoke the secret before it now, and not by the next rotation.")
def rotate_(client_id: UUID, *, at_once: bool) -> None:
    """Print a new secret for a client, this once. The latest before it goes on to work, so that nothing stops; older ones end."""
    _show(*_run(rotate_client(Settings.from_environment(), client_id, at_once=at_once)))


@client.command("revoke")
@click.argument("client_id", type=click.UUID)
@click.option("--reason", required=True, help="Kept in the journal, where its organisation reads it.")
def revoke_(client_id: UUID, reason: str) -> None:
    """Stop a client for good; its tokens end with the next request."""
    _run(revoke_client(Settings.from_environment(), client_id, reason))
    click.echo(f"{client_id} is revoked.")


@click.group()
def person() -> None:
    """Which sign-on (PROCURE_OIDC_ISSUERS) is whose."""


@person.command()
@click.argument("person_id", type=click.UUID)
@click.option("--issuer", required=True, help="As PROCURE_OIDC_ISSUERS spells it.")
@click.option("--subject", required=True, help="The issuer's own name of the person: `sub` of their tokens.")
def link(person_id: UUID, issuer: str, subject: str) -> None:
    """Let a person come by their organisation's own sign-on, from the next request on."""
    _run(link_person(Settings.from_environment(), person_id, issuer, subject))
    click.echo(f"{person_id} is known by that sign-on.")


@person.command()
@click.argument("person_id", type=click.UUID)
@click.option("--issuer", required=True, help="As it was linked.")
@click.option("--subject", required=True, help="As it was linked.")
def unlink(person_id: UUID, issuer: str, subject: str) -> None:
    """End that, from the next request on."""
    _run(unlink_person(Settings.from_environment(), person_id, issuer, subject))
    click.echo(f"{person_id} is not known by that sign-on any more.")


@click.group()
def keys() -> None:
    """The keys that access tokens are signed with, in the folder PROCURE_KEYS_PATH."""


@keys.command()
@click.option(
    "--at-once", is_flag=True, help="For a key that somebody else may have: end it, and every token out, now."
)
def rotate(*, at_once: bool) -> None:
    """Publish a new key, which signs ten minutes from now. Running services take it up by themselves."""
    settings = Settings.from_environment()
    try:
        new = signing.rotate(settings.keys_path, settings.token_lifetime_s, at_once=at_once)
    except signing.RotationRunning as running:
        raise click.ClickException(str(running)) from running
    click.echo(f"{new.key_id} signs {'now' if at_once else f'in {signing.AHEAD_S // 60} minutes'}.")

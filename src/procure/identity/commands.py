"""`procure operator …`: the first credential, made on the machine itself since nobody could hand it out."""

import asyncio
from uuid import UUID

import click

from procure.identity import service
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


async def create_operator(settings: Settings, name: str) -> tuple[UUID, str]:
    """A person with the role `operator`, and the id and secret of a personal client for them."""
    engine = make_engine(settings.database_url, pool_size=1)
    try:
        async with transaction(make_sessions(engine), record_refusal) as db:
            platform = await organisations.ensure_platform(db, Actor(request_id="procure operator create"))
            actor = Actor(
                organisation_id=platform.id,
                kind=OrganisationKind.PLATFORM,
                roles=frozenset({Role.OPERATOR}),
                request_id="procure operator create",
            )
            member = MemberDraft(person=convert({"name": name}, NewPerson), roles=[Role.OPERATOR])
            _, person = await service.add_member(db, actor, platform.id, member)
            draft = ClientDraft(name=name, kind=ClientKind.PERSONAL, person_id=person.id)
            client, secret = await service.add_client(db, actor, platform.id, draft)
            return client.id, secret
    finally:
        await engine.dispose()


@click.group()
def operator() -> None:
    """Who runs the platform."""


@operator.command()
@click.option("--name", required=True, help="The person's name.")
def create(name: str) -> None:
    """Make an operator and print a client id and secret for them, this once."""
    try:
        client_id, secret = asyncio.run(create_operator(Settings.from_environment(), name))
    except Fact as fault:
        raise click.ClickException(str(fault)) from fault
    except Exception as error:
        if is_away(error):
            raise click.ClickException(
                "The database can't be reached; is it running, at PROCURE_DATABASE_URL?"
            ) from error
        raise
    click.echo(f"client_id:     {client_id}\nclient_secret: {secret}")

"""`procure operator create`: the first credential of a new platform."""

import asyncio
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from calls import ok
from conftest import World
from procure.identity.commands import create_operator, operator
from procure.identity.models import Person
from procure.journal.models import JournalEntry
from procure.kit.actor import OrganisationKind, Role
from procure.kit.scopes import scopes_of
from procure.organisations.models import Organisation
from procure.organisations.schemas import OrganisationDraft


async def run(*arguments: str, **environment: str) -> Result:
    """The command in a thread of its own, since it runs its own event loop."""
    variables = {f"PROCURE_{name.upper()}": value for name, value in environment.items()}
    return await asyncio.to_thread(CliRunner().invoke, operator, arguments, env=variables)


def credentials(result: Result) -> tuple[str, str]:
    assert result.exit_code == 0, result.output
    said = dict(line.split(":", 1) for line in result.output.splitlines())
    assert set(said) == {"client_id", "client_secret"}
    return said["client_id"].strip(), said["client_secret"].strip()


async def grant(client: httpx.AsyncClient, pair: tuple[str, str]) -> dict[str, str]:
    reply = ok(await client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=pair))
    assert set(reply["scope"].split()) == scopes_of(frozenset({Role.OPERATOR}))
    return {"Authorization": f"Bearer {reply['access_token']}"}


async def test_the_printed_credential_registers_the_first_party(world: World) -> None:
    url = world.settings.database_url
    pair = credentials(await run("create", "--name", " Example Operator ", database_url=url))
    headers = await grant(world.client, pair)
    ok(await world.client.post("/v1/organisations", headers=headers, json=OrganisationDraft.EXAMPLE), 201)
    async with world.sessions() as db:
        assert list(await db.scalars(select(Person.name))) == ["Example Operator"]
        entries = (await db.scalars(select(JournalEntry).order_by(JournalEntry.id))).all()
    assert [entry.type for entry in entries] == [
        "organisation.registered",
        "membership.added",
        "client.added",
        "organisation.registered",
    ]
    assert {entry.request_id for entry in entries[:3]} == {"procure operator create"}
    assert not any("Example Operator" in entry.payload or pair[1] in entry.payload for entry in entries)


async def test_operators_made_at_once_join_one_platform(world: World) -> None:
    made = await asyncio.gather(*(create_operator(world.settings, f"Operator {number}") for number in range(4)))
    for client_id, secret in made:
        await grant(world.client, (str(client_id), secret))
    async with world.sessions() as db:
        platforms = select(Organisation).where(Organisation.kind == OrganisationKind.PLATFORM)
        assert len((await db.scalars(platforms)).all()) == 1


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\x07b"])
async def test_a_name_that_is_none_is_refused_and_nothing_is_kept(world: World, name: str) -> None:
    result = await run("create", "--name", name, database_url=world.settings.database_url)
    assert (result.exit_code, result.output.startswith("Error: ")) == (1, True)
    async with world.sessions() as db:
        assert (await db.scalars(select(Organisation))).all() == []


async def test_a_database_that_is_away_is_said_in_a_sentence(tmp_path: Path) -> None:
    result = await run(
        "create", "--name", "A", database_url=f"postgresql+asyncpg://procure_app@/procure?host={tmp_path}"
    )
    assert result.exit_code == 1
    assert result.output.startswith("Error: The database can't be reached")
    assert isinstance(result.exception, SystemExit)

"""`procure operator create`: the first credential of a new platform."""

import asyncio
from pathlib import Path
from uuid import uuid4

import click
import httpx
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from build import organisation, seat
from calls import ok
from conftest import World
from procure.identity import commands, signing
from procure.identity.commands import create_operator, operator
from procure.identity.models import Client, Credential, Person
from procure.journal.models import JournalEntry
from procure.kit.actor import OrganisationKind, Role
from procure.kit.scopes import scopes_of
from procure.organisations.models import Organisation
from procure.organisations.schemas import OrganisationDraft


async def run(*arguments: str, group: click.Group = operator, **environment: str) -> Result:
    """The command in a thread of its own, since it runs its own event loop."""
    variables = {f"PROCURE_{name.upper()}": value for name, value in environment.items()}
    return await asyncio.to_thread(CliRunner().invoke, group, arguments, env=variables)


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


# --- clients --------------------------------------------------------------------------------------------------------


async def token_status(world: World, pair: tuple[str, str]) -> int:
    reply = await world.client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=pair)
    return reply.status_code


async def test_a_client_is_made_rotated_and_revoked_by_command(world: World) -> None:
    async with world.sessions() as db:
        there = await organisation(db, OrganisationKind.BUYER, "Testshire Council")
        person = await seat(db, there, Role.OFFICER)
        await db.commit()

    async def client(*arguments: str) -> Result:
        return await run(*arguments, group=commands.client, database_url=world.settings.database_url)

    of_it = ("--organisation", str(there.id), "--name", "Finance system")
    first = credentials(await client("create", *of_it, "--role", "finance", "--role", "auditor"))
    second = credentials(await client("rotate", first[0]))
    third = credentials(await client("rotate", first[0]))
    # The one before goes on, so that nothing stops; the one before that has ended.
    assert [await token_status(world, pair) for pair in (first, second, third)] == [401, 200, 200]
    last = credentials(await client("rotate", first[0], "--at-once"))
    assert [await token_status(world, pair) for pair in (second, third, last)] == [401, 401, 200]
    result = await client("revoke", first[0], "--reason", "The system has been replaced.")
    assert (result.exit_code, result.output) == (0, f"{first[0]} is revoked.\n")
    assert await token_status(world, last) == 401
    personal = credentials(await client("create", *of_it, "--person", str(person.person_id)))
    assert await token_status(world, personal) == 200
    async with world.sessions() as db:
        entries = (await db.scalars(select(JournalEntry).order_by(JournalEntry.id))).all()
        assert (await db.scalars(select(func.count()).select_from(Credential))).one() == 5
    assert [(entry.type, entry.request_id) for entry in entries if entry.type != "organisation.registered"] == [
        ("client.added", "procure client create"),
        ("credential.added", "procure client rotate"),
        ("credential.revoked", "procure client rotate"),
        ("credential.added", "procure client rotate"),
        ("credential.revoked", "procure client rotate"),
        ("credential.revoked", "procure client rotate"),
        ("credential.added", "procure client rotate"),
        ("client.revoked", "procure client revoke"),
        ("client.added", "procure client create"),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("rotate", "0199c0de-0000-7000-8000-000000000000"),
        ("revoke", "0199c0de-0000-7000-8000-000000000000", "--reason", "x"),
        ("create", "--organisation", "0199c0de-0000-7000-8000-000000000000", "--name", "A", "--role", "finance"),
        ("create", "--organisation", "0199c0de-0000-7000-8000-000000000000", "--name", "A", "--role", "king"),
        ("create", "--organisation", "0199c0de-0000-7000-8000-000000000000", "--name", ""),
    ],
    ids=" ".join,
)
async def test_what_cannot_be_done_is_said_in_a_sentence_and_nothing_is_kept(
    world: World, arguments: tuple[str, ...]
) -> None:
    result = await run(*arguments, group=commands.client, database_url=world.settings.database_url)
    assert (result.exit_code, result.output.startswith("Error: ")) == (1, True), result.output
    async with world.sessions() as db:
        assert (await db.scalars(select(Client))).all() == []
        assert (await db.scalars(select(Organisation))).all() == []


async def test_keys_are_rotated_by_command_one_at_a_time(tmp_path: Path) -> None:
    async def keys(*arguments: str) -> Result:
        environment = {"database_url": "postgresql+asyncpg:///", "keys_path": str(tmp_path)}
        return await run("rotate", *arguments, group=commands.keys, **environment)

    first = await keys()
    assert first.exit_code == 0
    assert first.output.endswith(" signs in 10 minutes.\n")
    again = await keys()
    assert (again.exit_code, again.output.startswith("Error: A new key is published already")) == (1, True)
    at_once = await keys("--at-once")
    assert at_once.output.endswith(" signs now.\n")
    [file] = signing._names(tmp_path)
    assert file == f"token-signing.{at_once.output.split()[0]}.jwk"


# --- sign-ons -------------------------------------------------------------------------------------------------------


async def test_a_sign_on_is_linked_once_and_unlinked_by_command(world: World) -> None:
    async with world.sessions() as db:
        someone = await seat(db, await organisation(db, OrganisationKind.BUYER, "Testshire Council"), Role.OFFICER)
        await db.commit()
    issuer, url = "https://login.example/tenant", world.settings.database_url

    async def person(act: str, id_: object, *, issuer: str = issuer) -> Result:
        said = (str(id_), "--issuer", issuer, "--subject", "anna")
        return await run(
            act, *said, group=commands.person, database_url=url, oidc_issuers=f"{issuer_said} api://procure"
        )

    issuer_said = issuer
    assert (await person("link", someone.person_id)).exit_code == 0
    for refused, why in (
        (await person("link", someone.person_id), "linked already"),
        (await person("link", uuid4()), "no such person"),
        (await person("link", someone.person_id, issuer=f"{issuer}/"), "names no such issuer"),
        (await person("unlink", uuid4()), "no such person"),
    ):
        assert (refused.exit_code, why in refused.output) == (1, True), refused.output
    assert (await person("unlink", someone.person_id)).exit_code == 0
    again = await person("unlink", someone.person_id)
    assert (again.exit_code, "no such sign-on" in again.output) == (1, True)
    async with world.sessions() as db:
        entries = (await db.scalars(select(JournalEntry).where(JournalEntry.object_id == someone.person_id))).all()
    assert [entry.type for entry in entries] == ["person.linked", "person.unlinked"]
    assert not any("anna" in entry.payload for entry in entries)

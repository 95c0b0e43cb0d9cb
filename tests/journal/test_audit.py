"""`procure journal …` as whoever runs the service uses it: proof with and without an authority's roots, and erasing what is personal."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import make_url, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from build import council, operator
from calls import ok
from conftest import World
from journal.stamping import authority, stamp_latest
from journal.test_sealer import sealed, write
from journal.test_service import Whistled, whistled
from procure.audit import journal
from procure.journal.events import PUBLIC
from procure.journal.models import JournalEntry, JournalPersonal
from procure.journal.service import record
from procure.kit.actor import Actor
from procure.kit.ids import new_id

REASON = ("--reason", " At the wish of whom it is about. ")


async def run(world: World, *arguments: str, said: str | None = None, **more: str) -> Result:
    settings = {
        "database_url": world.urls.app,
        "owner_url": world.urls.owner,
        "keys_path": str(world.settings.keys_path),
        "base_url": world.settings.base_url,
        **more,
    }
    variables = {f"PROCURE_{name.upper()}": value for name, value in settings.items()}
    return await asyncio.to_thread(CliRunner().invoke, journal, arguments, input=said, env=variables)


async def personal(world: World) -> set[int]:
    """The entries of which something personal is there."""
    async with world.sessions() as db:
        return set(await db.scalars(select(JournalPersonal.entry_id)))


async def told(world: World) -> list[JournalEntry]:
    async with world.sessions() as db:
        return [*await db.scalars(select(JournalEntry).where(JournalEntry.type == "personal.erased"))]


class Scene:
    """Entries with something personal: by one person, about them, told to them, naming them; and by another."""

    def __init__(self, world: World) -> None:
        self.world, self.person, self.other = world, new_id(), new_id()
        self.entries: dict[str, int] = {}
        self.platform = Actor()

    async def act(self, name: str, by: UUID | None, event: Whistled) -> None:
        async with self.world.sessions() as db:
            await record(db, Actor(person_id=by, address="192.0.2.7"), event, PUBLIC, personal={"name": "Ann Other"})
            latest = select(JournalEntry.id).order_by(JournalEntry.id.desc()).limit(1)
            self.entries[name] = (await db.scalars(latest)).one()
            await db.commit()


@pytest.fixture
async def scene(world: World) -> Scene:
    scene = Scene(world)
    await scene.act("by them", scene.person, whistled())
    await scene.act("about them", scene.other, whistled(object_id=scene.person))
    await scene.act("that names them", scene.other, whistled(f"for {scene.person}"))
    await scene.act("by another", scene.other, whistled())
    await scene.act("by a third", None, whistled())
    async with world.sessions() as db:
        scene.platform = await operator(db)
        await db.commit()
    while await sealed(world):
        pass
    return scene


async def test_what_is_personal_of_a_person_is_erased_and_the_record_stays_whole(world: World, scene: Scene) -> None:
    before = await personal(world)
    assert set(scene.entries.values()) <= before
    result = await run(world, "erase", "--person", str(scene.person), *REASON, "--yes")
    assert result.exit_code == 0, result.output
    assert result.output == "What is personal of 3 entries has been erased.\n"
    gone = {scene.entries[name] for name in ("by them", "about them", "that names them")}
    assert before - await personal(world) == gone
    (entry,) = await told(world)
    assert (
        entry.payload
        == '{"count":3,"object_id":null,"object_version":null,"reason":"At the wish of whom it is about."}'
    )
    assert (entry.is_public, entry.request_id) == (False, "procure journal erase")
    assert entry.audience_organisations == [entry.organisation_id]

    # Again it finds nothing, and says nothing on the record.
    again = await run(world, "erase", "--person", str(scene.person), *REASON)
    assert (again.exit_code, again.output) == (0, "Nothing personal is there of these entries.\n")
    assert len(await told(world)) == 1
    while await sealed(world):
        pass
    whole = await run(world, "verify", "--quiet")
    assert whole.exit_code == 0, whole.output
    assert "of 3 what is personal is not here" in whole.output


async def test_it_is_told_to_the_operator_and_to_nobody_else(world: World, scene: Scene) -> None:
    assert (await run(world, "erase", "--person", str(scene.person), *REASON, "--yes")).exit_code == 0
    async with world.sessions() as db:
        buyer = await council(db)
        await db.commit()
    while await sealed(world):
        pass
    of = "/v1/changes?types=personal.erased"
    assert [one["data"] for one in ok(await world.call.get(scene.platform, of))["items"]] == [
        {"object_id": None, "object_version": None, "count": 3, "reason": "At the wish of whom it is about."}
    ]
    for caller in (None, buyer.officer, buyer.auditor):
        assert ok(await world.call.get(caller, of))["items"] == []


async def test_single_entries_are_named_by_their_positions_and_it_is_asked_first(world: World, scene: Scene) -> None:
    before = await personal(world)
    positions = ("--position", "4", "--position", "5", "--position", "4", "--position", "999")
    refused = await run(world, "erase", *positions, *REASON, said="n\n")
    assert (refused.exit_code, await personal(world)) == (1, before)
    assert "Erase what is personal of 2 entries for good?" in refused.output
    result = await run(world, "erase", *positions, *REASON, said="y\n")
    assert result.exit_code == 0, result.output
    assert before - await personal(world) == {scene.entries["by another"], scene.entries["by a third"]}


MISUSED: Mapping[str, tuple[str, ...]] = {
    "Say of what": REASON,
    "Missing option '--reason'": ("--position", "1"),
    "is not a valid UUID": ("--person", "Ann", *REASON),
    "is not in the range": ("--position", "0", *REASON),
    "The reason has 1 to": ("--position", "1", "--reason", " "),
}


@pytest.mark.parametrize("said", MISUSED)
async def test_what_is_not_asked_for_rightly_is_told(said: str) -> None:
    result = await asyncio.to_thread(CliRunner().invoke, journal, ("erase", *MISUSED[said]))
    assert result.exit_code == 2
    assert said in result.output


async def test_only_the_owner_erases_whatever_has_been_granted(world: World, scene: Scene) -> None:
    statement = text("DELETE FROM journal_personal")
    async with world.sessions() as db:
        with pytest.raises(DBAPIError, match="permission denied"):
            await db.execute(statement)
    as_app = await run(world, "erase", "--position", "1", *REASON, "--yes", owner_url=world.urls.app)
    assert as_app.exit_code == 1
    engine = create_async_engine(
        make_url(world.urls.admin).set(database=make_url(world.urls.app).database), poolclass=NullPool
    )
    async with engine.connect() as connection:
        await connection.execute(text("GRANT DELETE ON journal_personal TO procure_app"))
        await connection.execute(text("SET LOCAL ROLE procure_app"))
        with pytest.raises(DBAPIError, match="erased by the owner alone"):
            await connection.execute(statement)
        await connection.rollback()
    await engine.dispose()
    assert set(scene.entries.values()) <= await personal(world)


async def test_without_the_owners_address_nothing_is_erased(world: World, scene: Scene) -> None:
    result = await run(world, "erase", "--position", "1", *REASON, "--yes", owner_url="")
    assert result.exit_code != 0
    assert "PROCURE_OWNER_URL" in str(result.exception)
    assert set(scene.entries.values()) <= await personal(world)


async def test_the_proof_says_whether_the_signatures_of_stamps_were_checked(world: World, tmp_path: Path) -> None:
    async with world.sessions() as db:
        await write(db, whistled())
        await db.commit()
    await sealed(world)
    assert "time stamps" not in (await run(world, "verify", "--quiet")).output
    async with world.sessions() as db:
        await stamp_latest(db)
        await db.commit()
    right, wrong, none = tmp_path / "right.pem", tmp_path / "wrong.pem", tmp_path / "none.pem"
    right.write_bytes(authority("Another").pem + authority().pem)
    wrong.write_bytes(authority("Another").pem)
    none.write_text("no certificate")
    bundle = tmp_path / "record.gz"
    assert (await run(world, "export", str(bundle), "--quiet")).exit_code == 0
    for source in ((), ("--bundle", str(bundle))):
        said = {
            name: await run(world, "verify", "--quiet", *source, *(("--authority", str(file)) if file else ()))
            for name, file in (("without", None), ("right", right), ("wrong", wrong), ("none", none))
        }
        assert [one.exit_code for one in said.values()] == [0, 0, 1, 1]
        assert "1 time stamps (signatures not checked, for lack of --authority)" in said["without"].output
        assert "1 time stamps (signatures checked)" in said["right"].output
        assert "broken at position 1 (timestamp)" in said["wrong"].output
        assert "There are no certificates in it" in said["none"].output

"""The sealer: one order without a gap, whoever commits when; nothing skipped, nothing counted that is held, and a tree that only grows."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import make_url, select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from conftest import World
from journal.test_service import ACTOR, Whistled, whistled
from procure.journal import notes, sealer
from procure.journal.documents import COLUMNS, leaf_of
from procure.journal.events import PUBLIC
from procure.journal.models import JournalCheckpoint, JournalEntry, JournalNode, JournalPosition
from procure.journal.sealer import Sealer
from procure.journal.service import end_hold, record
from procure.kit import logs, merkle
from procure.kit.ids import new_id
from procure.vault.keyring import FileKeyring

ORIGIN = "procure.test/journal"


async def write(db: AsyncSession, *events: Whistled, hold: UUID | None = None) -> None:
    for event in events:
        await record(db, ACTOR, event, PUBLIC, hold=hold)


async def sealed(world: World, one: Sealer | None = None) -> int | None:
    async with world.sessions() as db:
        done = await (one or Sealer(world.vault, ORIGIN)).seal(db)
        await db.commit()
    return done


async def tunes(db: AsyncSession) -> list[str]:
    """What was whistled, in the order of positions."""
    entries = select(JournalEntry.payload).join(JournalPosition, JournalPosition.entry_id == JournalEntry.id)
    found = await db.scalars(entries.order_by(JournalPosition.position))
    return [one.partition('"tune":"')[2].partition('"')[0] for one in found]


async def leaves(db: AsyncSession) -> list[bytes]:
    """Recomputed from the entries, in the order of positions."""
    statement = f"SELECT {COLUMNS} FROM journal_entries JOIN journal_positions ON entry_id = id ORDER BY position"
    return [leaf_of(dict(row)) for row in (await db.execute(text(statement))).mappings()]


async def last(db: AsyncSession) -> JournalCheckpoint:
    statement = select(JournalCheckpoint).order_by(JournalCheckpoint.size.desc()).limit(1)
    return (await db.scalars(statement)).one()


async def check(world: World) -> None:
    """Positions without a gap, no entry twice, and each checkpoint the root of what was there then, signed."""
    async with world.sessions() as db:
        positions = (await db.scalars(select(JournalPosition).order_by(JournalPosition.position))).all()
        assert [one.position for one in positions] == list(range(1, len(positions) + 1))
        all_leaves = await leaves(db)
        assert [one.leaf_hash for one in positions] == [merkle.leaf_hash(leaf) for leaf in all_leaves]
        for one in await db.scalars(select(JournalCheckpoint)):
            said = notes.verify(one.note, world.vault.public_signing_key, ORIGIN)
            assert (said.size, said.root) == (one.size, one.root)
            assert one.root == merkle.root(all_leaves[: one.size])


async def test_entries_get_positions_in_the_order_of_their_effects(world: World) -> None:
    for tune in ("a", "b", "c"):
        async with world.sessions() as db:
            await write(db, whistled(tune))
            await db.commit()
    assert await sealed(world) == 3
    assert await sealed(world) == 0
    async with world.sessions() as db:
        assert await tunes(db) == ["a", "b", "c"]
        assert (await last(db)).size == 3
    await check(world)


async def test_a_transaction_that_stays_open_delays_and_is_never_skipped(world: World) -> None:
    async with world.sessions() as slow:
        await write(slow, whistled("slow"))
        async with world.sessions() as db:
            await write(db, whistled("quick"))
            await db.commit()
        assert await sealed(world) == 0
        await slow.commit()
    assert await sealed(world) == 2
    async with world.sessions() as db:
        assert await tunes(db) == ["slow", "quick"]
    await check(world)


async def test_what_was_rolled_back_leaves_no_gap(world: World) -> None:
    for tune in ("a", "never", "b"):
        async with world.sessions() as db:
            await write(db, whistled(tune))
            await (db.rollback() if tune == "never" else db.commit())
    assert await sealed(world) == 2
    async with world.sessions() as db:
        assert await tunes(db) == ["a", "b"]


async def test_what_is_held_waits_for_the_end_of_its_hold_and_no_number_tells_of_it(world: World) -> None:
    lot, other = new_id(), new_id()
    async with world.sessions() as db:
        await write(db, whistled("bid"), whistled("another bid"), hold=lot)
        await write(db, whistled("elsewhere"), hold=other)
        await write(db, whistled("open"))
        await db.commit()
    assert await sealed(world) == 1
    async with world.sessions() as db:
        await write(db, whistled("seal"))
        await end_hold(db, lot)
        await db.commit()
    assert await sealed(world) == 3
    async with world.sessions() as db:
        await write(db, whistled("late"), hold=lot)
        await db.commit()
    assert await sealed(world) == 1
    async with world.sessions() as db:
        assert await tunes(db) == ["open", "bid", "another bid", "seal", "late"]
    await check(world)


async def test_a_hold_that_ends_in_an_open_transaction_has_not_ended(world: World) -> None:
    lot = new_id()
    async with world.sessions() as slow:
        await write(slow, whistled("slow"))
        async with world.sessions() as db:
            await write(db, whistled("bid"), hold=lot)
            await db.commit()
        async with world.sessions() as db:
            await end_hold(db, lot)
            await db.commit()
        assert await sealed(world) == 0
        await slow.commit()
    assert await sealed(world) == 2
    assert await sealed(world) == 0
    await check(world)


async def test_more_than_a_batch_is_placed_in_several_and_in_one_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealer, "BATCH_MAX", 3)
    lot, one = new_id(), Sealer(world.vault, ORIGIN)
    async with world.sessions() as db:
        await write(db, *(whistled(f"held {n}") for n in range(4)), hold=lot)
        await write(db, *(whistled(str(n)) for n in range(7)))
        await db.commit()
    done = []
    while batch := await sealed(world, one):
        done.append(batch)
        async with world.sessions() as db:
            # What comes while a window is worked off waits for the next one.
            await write(db, whistled(f"meanwhile {len(done)}"))
            if len(done) == 1:
                await end_hold(db, lot)
            await (db.commit() if len(done) < 4 else db.rollback())
    assert sum(done) == 4 + 7 + 3
    async with world.sessions() as db:
        heard = await tunes(db)
        assert heard[:7] == [str(n) for n in range(7)]
        assert sorted(heard[7:]) == sorted([f"held {n}" for n in range(4)] + [f"meanwhile {n}" for n in (1, 2, 3)])
        assert (await last(db)).until is None
    await check(world)


async def test_a_look_ahead_is_forgotten_when_its_batch_was_lost_or_another_has_placed_some(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealer, "BATCH_MAX", 2)
    monkeypatch.setattr(sealer, "AHEAD_MAX", 6)
    one, another = Sealer(world.vault, ORIGIN), Sealer(world.vault, ORIGIN)
    async with world.sessions() as db:
        await write(db, *(whistled(str(n)) for n in range(15)))
        await db.commit()
    assert await sealed(world, one) == 2
    async with world.sessions() as lost:
        assert await one.seal(lost) == 2
        await lost.rollback()
    assert [await sealed(world, one), await sealed(world, another), await sealed(world, one)] == [2, 2, 2]
    while await sealed(world, one):
        pass
    async with world.sessions() as db:
        assert await tunes(db) == [str(n) for n in range(15)]
    await check(world)


async def test_one_seals_at_a_time_and_the_next_goes_on(world: World) -> None:
    async with world.sessions() as db:
        await write(db, whistled("a"))
        await db.commit()
    async with world.sessions() as first:
        assert await Sealer(world.vault, ORIGIN).seal(first) == 1
        assert await sealed(world) is None
        await first.rollback()  # as it ends when its process is killed
    assert await sealed(world) == 1
    await check(world)


async def test_writers_with_delays_and_aborts_are_all_placed_once(world: World) -> None:
    """Twelve at once, whose commits come in another order than their entries."""
    written: set[UUID] = set()

    async def writer(number: int) -> None:
        for round_ in range(8):
            async with world.sessions() as db:
                event = whistled(f"{number}.{round_}")
                await write(db, event)
                await db.execute(text("SELECT pg_sleep(:s)"), {"s": (number * 7 + round_ * 3) % 5 / 200})
                if (number + round_) % 4:
                    await db.commit()
                    assert event.object_id is not None
                    written.add(event.object_id)
                else:
                    await db.rollback()

    async def sealing(stop: asyncio.Event) -> None:
        while not stop.is_set():
            await sealed(world)

    stop = asyncio.Event()
    sealers = [asyncio.create_task(sealing(stop)) for _ in range(2)]
    await asyncio.gather(*(writer(number) for number in range(12)))
    stop.set()
    await asyncio.gather(*sealers)
    while await sealed(world):
        pass
    async with world.sessions() as db:
        placed = await db.scalars(select(JournalEntry.object_id).join(JournalPosition))
        found: Sequence[Any] = placed.all()
    assert (len(found), set(found)) == (len(written), written)
    await check(world)


async def test_after_a_restore_into_another_cluster_what_was_left_comes_first(world: World) -> None:
    lot = new_id()
    async with world.sessions() as db:
        await write(db, whistled("placed"))
        await db.commit()
    await sealed(world)
    async with world.sessions() as db:
        await write(db, whistled("held"), hold=lot)
        await write(db, whistled("left"))
        await db.commit()
    # As a restore brings it: everything so far is of a cluster that there is no more, with ids far above those of today.
    await as_of_another_cluster(world)
    async with world.sessions() as db:
        await write(db, whistled("new"))
        await db.commit()
    one = Sealer(world.vault, ORIGIN)
    assert [await sealed(world, one) for _ in range(3)] == [1, 1, 0]
    async with world.sessions() as db:
        await end_hold(db, lot)
        await db.commit()
    assert await sealed(world, one) == 1
    async with world.sessions() as db:
        assert await tunes(db) == ["placed", "left", "new", "held"]
        found = await db.scalars(select(JournalPosition.position))
        assert sorted(found) == [1, 2, 3, 4]


async def as_of_another_cluster(world: World) -> None:
    there = make_url(world.urls.admin).set(database=make_url(world.urls.app).database)
    engine = create_async_engine(there, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text("SET session_replication_role = replica"))
        for table in ("journal_entries", "journal_hold_ends"):
            await connection.execute(text(f"UPDATE {table} SET cluster = 7, xid = xid + 1000000"))
        await connection.execute(text("UPDATE journal_checkpoints SET cluster = 7, below = below + 1000000"))
    await engine.dispose()


async def test_a_long_transaction_is_told_of(
    world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sealer, "LATE_S", -1.0)
    logs.configure(level="warning", form="json")
    async with world.sessions() as slow:
        await write(slow, whistled("slow"))
        async with world.sessions() as db:
            await write(db, whistled("quick"))
            await db.commit()
        assert await sealed(world) == 0
        await slow.rollback()
    assert capfd.readouterr().err.count("stays open") == 1
    assert await sealed(world) == 1
    logs.configure(level="critical", form="json")
    assert "stays open" not in capfd.readouterr().err


async def test_nodes_are_kept_of_each_eighth_level(world: World) -> None:
    async with world.sessions() as db:
        await write(db, *(whistled(str(n)) for n in range(513)))
        await db.commit()
    await sealed(world)
    async with world.sessions() as db:
        nodes = {(one.level, one.index): one.hash for one in await db.scalars(select(JournalNode))}
        all_leaves = await leaves(db)
    assert nodes == {(8, 0): merkle.root(all_leaves[:256]), (8, 1): merkle.root(all_leaves[256:512])}


def test_a_note_is_signed_by_this_key_for_this_journal(vault: FileKeyring, tmp_path: Any) -> None:
    said = notes.Checkpoint(ORIGIN, 1042, bytes(range(32)))
    note = notes.sign(said, vault)
    assert note.startswith(f"{ORIGIN}\n1042\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n— {ORIGIN} ")
    key = vault.public_signing_key
    assert notes.verify(note, key, ORIGIN) == said
    assert notes.verify(note + "— witness.example AAAAAAAA\n", key) == said
    assert notes.read_verifier_key(notes.verifier_key(ORIGIN, key)) == (ORIGIN, key)
    text_, _, signature = note.partition("\n\n")
    other = notes.sign(said, FileKeyring(tmp_path / "other", lambda: None, create=True))  # type: ignore[arg-type, return-value]
    for bad in (
        note.replace("1042", "1043"),
        note.replace("AAEC", "BAEC"),
        note.replace(ORIGIN, "other.test/journal"),
        note.replace("\n\n", "\nspare line\n\n"),
        note.replace("1042", "01042"),
        text_ + "\n",
        text_ + "\n\n",
        other,
        f"{text_}\n\n{signature[:-10]}\n",
        "",
        "\n\n",
        "a\nb\nc\n\n— a b\n",
    ):
        with pytest.raises(notes.NoteInvalid):
            notes.verify(bad, key)
    with pytest.raises(notes.NoteInvalid, match=r"not of other\.test"):
        notes.verify(note, key, "other.test/journal")
    for bad in ("", "x", "a+b+c", notes.verifier_key(ORIGIN, key)[:-4] + "AAAA", notes.verifier_key(ORIGIN, key)[1:]):
        with pytest.raises(notes.NoteInvalid):
            notes.read_verifier_key(bad)

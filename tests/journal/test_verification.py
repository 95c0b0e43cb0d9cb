"""Proof of the whole record: true of every untouched one, and each way of tampering is named at its first place."""

import gzip
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import Certificate
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from build import (
    active_contract,
    council,
    decided_deliverable,
    published_lot,
    submitted_bid,
    supplier,
    vault_beside,
)
from conftest import World, Worlds
from journal.stamping import authority, stamp_latest
from journal.test_sealer import ORIGIN, sealed, write
from journal.test_service import whistled
from procure import evidence
from procure.evidence import VOUCHED, BundleDamaged, BundleSource, DatabaseSource
from procure.journal import notes, stamps, verification
from procure.journal.documents import hashed
from procure.journal.notes import Checkpoint
from procure.journal.verification import Break, Report
from procure.kit.merkle import Frontier
from procure.vault.keyring import FileKeyring

KINDS = frozenset(VOUCHED)


@dataclass
class Record:
    """A record with a procurement in it, sealed in several batches; and a superuser who can alter all of it, until the test ends."""

    world: World
    connection: AsyncConnection

    @property
    def key(self) -> bytes:
        return self.world.vault.public_signing_key

    @property
    def source(self) -> DatabaseSource:
        return DatabaseSource(self.connection)

    async def verify(self, *anchors: Checkpoint, roots: Sequence[Certificate] = ()) -> Report:
        return await verification.verify(self.source, self.key, vouched=KINDS, anchors=anchors, roots=roots)

    async def broken(self, *anchors: Checkpoint, roots: Sequence[Certificate] = ()) -> tuple[int | None, str]:
        with pytest.raises(Break) as caught:
            await self.verify(*anchors, roots=roots)
        return caught.value.position, caught.value.kind

    async def tamper(self, *statements: str) -> None:
        for statement in statements:
            done = await self.connection.execute(text(statement))
            assert done.rowcount != 0, f"nothing was tampered with by {statement}"

    async def one(self, statement: str) -> Any:
        return await self.connection.scalar(text(statement))

    async def checkpoints(self) -> list[Checkpoint]:
        found = await self.connection.scalars(text("SELECT note FROM journal_checkpoints ORDER BY size"))
        return [notes.verify(note, self.key, ORIGIN) for note in found]


@pytest.fixture(scope="module")
async def recorded(worlds: Worlds, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    """Outcome, lot, bids, contract, an accepted deliverable, a bid of an open lot that is held; in three batches, two of them stamped."""
    async with worlds(tmp_path_factory.mktemp("record")) as world:
        async with world.sessions() as db:
            vault = vault_beside(db, world.settings)
            buyer = await council(db)
            contract = await active_contract(db, buyer, vault)
            await db.commit()
            await sealed(world)
            await decided_deliverable(db, buyer, contract)
            await db.commit()
            await sealed(world)
            lot = await published_lot(db, buyer, vault)
            await submitted_bid(db, lot, await supplier(db, "Another supplier"), vault)
            await write(db, whistled("the last one"))
            await stamp_latest(db)  # the second
            await db.commit()
            await sealed(world)
            await stamp_latest(db)
            await db.commit()
        yield world


@pytest.fixture
async def record(recorded: World) -> AsyncGenerator[Record]:
    there = make_url(recorded.urls.admin).set(database=make_url(recorded.urls.app).database)
    engine = create_async_engine(there, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))  # past every trigger
        yield Record(recorded, connection)
        await connection.rollback()
    await engine.dispose()


async def test_an_untouched_record_is_whole(record: Record) -> None:
    report = await record.verify()
    assert (report.checkpoints, report.waiting, report.stamps) == (3, 1, 2)
    assert await record.verify(roots=[authority().root]) == report
    assert report.entries == await record.one("SELECT count(*) FROM journal_positions")
    assert report.rows >= 5
    latest = (await record.checkpoints())[-1]
    assert (report.size, report.root) == (latest.size, latest.root)


async def test_checkpoints_that_were_kept_outside_hold_for_ever(record: Record) -> None:
    kept = await record.checkpoints()
    assert len(kept) == 3
    await record.verify(*kept)
    await record.verify(*reversed(kept))
    await record.verify(Checkpoint(ORIGIN, 0, b""))


MIDDLE = "(SELECT entry_id FROM journal_positions WHERE position = 7)"
OTHER = "FROM journal_positions AS other WHERE one.position IN (7, 8) AND other.position = 15 - one.position"
FIRST_SIZE = "WHERE size = (SELECT min(size) FROM journal_checkpoints)"
STAMPED = "WHERE size = (SELECT min(size) FROM journal_timestamps)"
LAST = "(SELECT max(position) FROM journal_positions)"
ENTRY = "UPDATE journal_entries SET {} WHERE id = " + MIDDLE
#: What is done to the database, and what is told: the position (None for a business row) and the kind.
TAMPERED: dict[str, tuple[Sequence[str], int | None, str]] = {
    "payload": ([ENTRY.format("""payload = '{"tune": "another"}'""")], 7, "entry"),
    "payload, but for a space": ([ENTRY.format("payload = (payload::text || ' ')::json")], 7, "entry"),
    "time": ([ENTRY.format("at = at - interval '1 microsecond'")], 7, "entry"),
    "time of recording": ([ENTRY.format("recorded_at = recorded_at + interval '1 hour'")], 7, "entry"),
    "organisation": ([ENTRY.format("organisation_id = gen_random_uuid()")], 7, "entry"),
    "person": ([ENTRY.format("person_id = gen_random_uuid()")], 7, "entry"),
    "client": ([ENTRY.format("client_id = gen_random_uuid()")], 7, "entry"),
    "request": ([ENTRY.format("request_id = 'another'")], 7, "entry"),
    "type": ([ENTRY.format("type = 'lot.cancelled'")], 7, "entry"),
    "object": ([ENTRY.format("object_id = gen_random_uuid()")], 7, "entry"),
    "object's version": ([ENTRY.format("object_version = 77")], 7, "entry"),
    "digest": ([ENTRY.format("digest = sha256('x')")], 7, "entry"),
    "audience": ([ENTRY.format("is_public = NOT is_public")], 7, "entry"),
    "audience's roles": ([ENTRY.format("audience_roles = ARRAY['auditor']")], 7, "entry"),
    "hold": ([ENTRY.format("hold = gen_random_uuid()")], 7, "entry"),
    "entry and its hash": (
        [
            ENTRY.format("request_id = 'another'"),
            "UPDATE journal_positions SET leaf_hash = sha256('x') WHERE position = 7",
        ],
        7,
        "entry",
    ),
    "deleted in the middle": ([f"DELETE FROM journal_entries WHERE id = {MIDDLE}"], 7, "entry-missing"),
    "deleted in the middle with its position": (
        [
            f"DELETE FROM journal_entries WHERE id = {MIDDLE}",
            "DELETE FROM journal_positions WHERE position = 7",
        ],
        7,
        "gap",
    ),
    "deleted in the middle, the rest moved up": (
        [
            f"DELETE FROM journal_entries WHERE id = {MIDDLE}",
            "DELETE FROM journal_positions WHERE position = 7",
            "UPDATE journal_positions SET position = -position WHERE position > 7",
            "UPDATE journal_positions SET position = -position - 1 WHERE position < 0",
        ],
        -1,
        "root",
    ),
    "deleted at the end": ([f"DELETE FROM journal_positions WHERE position = {LAST}"], -2, "cut-off"),
    "first one deleted": (["DELETE FROM journal_positions WHERE position = 1"], 1, "gap"),
    "all deleted": (["DELETE FROM journal_positions"], 1, "cut-off"),
    "inserted at the end": (
        [
            f"CREATE TEMP TABLE copied ON COMMIT DROP AS SELECT * FROM journal_entries WHERE id = {MIDDLE}",
            "UPDATE copied SET id = 1000000",
            "INSERT INTO journal_entries OVERRIDING SYSTEM VALUE SELECT * FROM copied",
            f"INSERT INTO journal_positions SELECT {LAST} + 1, 1000000, leaf_hash FROM journal_positions WHERE position = 7",
        ],
        -3,
        "unsigned",
    ),
    "two reordered": (
        [
            "UPDATE journal_positions SET entry_id = -entry_id WHERE position IN (7, 8)",
            f"UPDATE journal_positions AS one SET entry_id = -other.entry_id, leaf_hash = other.leaf_hash {OTHER}",
        ],
        -1,
        "root",
    ),
    "personal": (
        ["UPDATE journal_personal SET data = 'other' WHERE entry_id = (SELECT min(entry_id) FROM journal_personal)"],
        -4,
        "personal",
    ),
    "checkpoint's root": (
        [f"UPDATE journal_checkpoints SET root = sha256('x') {FIRST_SIZE}"],
        -1,
        "checkpoint",
    ),
    "checkpoint's note": (
        [f"UPDATE journal_checkpoints SET note = replace(note, 'procure.test', 'procure.tost') {FIRST_SIZE}"],
        -1,
        "signature",
    ),
    "checkpoint removed at the end": (
        ["DELETE FROM journal_checkpoints WHERE size = (SELECT max(size) FROM journal_checkpoints)"],
        -5,
        "unsigned",
    ),
    "stamp moved to another checkpoint": (
        [f"UPDATE journal_timestamps SET size = (SELECT min(size) FROM journal_checkpoints) {STAMPED}"],
        -1,
        "timestamp",
    ),
    "stamps swapped": (
        [
            "CREATE TEMP TABLE copied ON COMMIT DROP AS SELECT * FROM journal_timestamps",
            "UPDATE journal_timestamps AS one SET reply = copied.reply FROM copied WHERE one.size <> copied.size",
        ],
        -6,
        "timestamp",
    ),
    "stamp of no checkpoint": ([f"UPDATE journal_timestamps SET size = 1 {STAMPED}"], 1, "timestamp"),
    "stamp beyond the end": ([f"UPDATE journal_timestamps SET size = 1000000 {STAMPED}"], 1000000, "timestamp"),
    "stamp's imprint altered": (
        [f"UPDATE journal_timestamps SET reply = set_byte(reply, 110, 255 - get_byte(reply, 110)) {STAMPED}"],
        -6,
        "timestamp",
    ),
    "stamp cut off": ([f"UPDATE journal_timestamps SET reply = substr(reply, 1, 300) {STAMPED}"], -6, "timestamp"),
    "stamp's time as it is shown": (
        [f"UPDATE journal_timestamps SET stamped_at = stamped_at - interval '1 hour' {STAMPED}"],
        -6,
        "timestamp",
    ),
    "bid's row": (
        [
            "UPDATE bids SET received_at = received_at - interval '1 hour' WHERE id = (SELECT min(id::text)::uuid FROM bids)"
        ],
        None,
        "row",
    ),
    "held bid's row": (["UPDATE bids SET sealed = 'x', digest = sha256('x') WHERE status = 'submitted'"], None, "row"),
    "contract's row": (["UPDATE contracts SET value = value + 1"], None, "row"),
    "deliverable's row": (["UPDATE contract_deliverables SET amount = amount + 1 WHERE key = 'D1'"], None, "row"),
    "award's row": (["UPDATE awards SET value = value - 1"], None, "row"),
    "bid's row removed": (["DELETE FROM bids WHERE status = 'submitted'"], None, "row-missing"),
    "bid's row put in": (
        [
            "CREATE TEMP TABLE copied AS SELECT * FROM bids LIMIT 1",
            "UPDATE copied SET id = gen_random_uuid(), supplier_id = gen_random_uuid()",
            "INSERT INTO bids SELECT * FROM copied",
        ],
        None,
        "row-unknown",
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
async def test_each_way_of_tampering_is_named_at_its_first_place(record: Record, how: str) -> None:
    statements, position, kind = TAMPERED[how]
    sizes = [one.size for one in await record.checkpoints()]
    first_personal = await record.one(
        "SELECT min(position) FROM journal_positions WHERE entry_id = (SELECT min(entry_id) FROM journal_personal)"
    )
    places = {-1: sizes[0], -2: sizes[2], -3: sizes[2] + 1, -4: first_personal, -5: sizes[1] + 1, -6: sizes[1]}
    await record.tamper(*statements)
    expected = places.get(position, position) if position is not None else None
    assert await record.broken() == (expected, kind)


async def test_whose_word_a_stamp_is_shows_the_authoritys_root(record: Record) -> None:
    _, size, last = [one.size for one in await record.checkpoints()]
    roots = [authority().root]
    await record.verify(roots=[authority("Another").root, *roots])
    assert await record.broken(roots=[authority("Another").root]) == (size, "timestamp")
    assert await record.broken(roots=[authority().certificate]) == (size, "timestamp")
    # What is signed by nobody that is trusted looks like a stamp of the note; its signature tells.
    note = await record.one(f"SELECT note FROM journal_checkpoints WHERE size = {last}")
    forged = authority("Another").reply(stamps.ask(str(note)).as_bytes())
    at = stamps.check(forged, str(note))
    await record.tamper(
        f"UPDATE journal_timestamps SET reply = '\\x{forged.hex()}', stamped_at = '{at}' WHERE size = {last}"
    )
    assert (await record.verify()).stamps == 2
    assert await record.broken(roots=roots) == (last, "timestamp")
    end = "set_byte(reply, length(reply) - 1, 255 - get_byte(reply, length(reply) - 1))"
    await record.tamper(f"UPDATE journal_timestamps SET reply = {end} {STAMPED}")
    await record.verify()
    assert await record.broken(roots=roots) == (size, "timestamp")


async def test_a_checkpoint_signed_again_by_another_key_is_not_believed(record: Record, tmp_path: Path) -> None:
    other = FileKeyring(tmp_path / "other", record.world.vault._clock)
    latest = (await record.checkpoints())[-1]
    note = notes.sign(latest, other).replace("'", "''")
    await record.tamper(f"UPDATE journal_checkpoints SET note = '{note}' WHERE size = {latest.size}")
    assert await record.broken() == (latest.size, "signature")


async def test_a_record_rewritten_with_the_key_is_given_away_by_a_checkpoint_kept_outside(record: Record) -> None:
    """Whoever has the database and the key can make everything agree, but not with what somebody else has kept."""
    kept = (await record.checkpoints())[-1]
    await record.tamper(ENTRY.format("request_id = 'another'"))
    hashes = [hashed(row) async for row in record.source.entries() if row["position"] is not None]
    await record.tamper(
        *(
            f"UPDATE journal_positions SET leaf_hash = '\\x{one.hex()}' WHERE position = {place}"
            for place, one in enumerate(hashes, start=1)
        )
    )
    for size in [one.size for one in await record.checkpoints()]:
        frontier = Frontier()
        for one in hashes[:size]:
            frontier.append(one)
        note = notes.sign(Checkpoint(ORIGIN, size, frontier.root()), record.world.vault)
        await record.tamper(
            f"UPDATE journal_checkpoints SET root = '\\x{frontier.root().hex()}', note = '{note}' WHERE size = {size}"
        )
    # So has an authority that stamped one, as long as its stamps are there.
    assert await record.broken() == ((await record.checkpoints())[1].size, "timestamp")
    await record.tamper("DELETE FROM journal_timestamps")
    await record.verify()
    assert await record.broken(kept) == (kept.size, "anchor")


async def test_an_older_copy_is_given_away_by_a_checkpoint_kept_outside(record: Record) -> None:
    _, before, kept = await record.checkpoints()
    middle = before.size
    await record.tamper(
        f"DELETE FROM journal_timestamps WHERE size > {middle}",
        f"DELETE FROM journal_checkpoints WHERE size > {middle}",
        f"DELETE FROM journal_entries WHERE id IN (SELECT entry_id FROM journal_positions WHERE position > {middle}) AND digest IS NULL",
        f"DELETE FROM journal_positions WHERE position > {middle}",
    )
    await record.verify()
    assert await record.broken(kept) == (middle + 1, "anchor")


async def test_what_is_personal_can_be_erased_without_breaking_a_proof(record: Record) -> None:
    before = (await record.verify()).erased
    await record.tamper("DELETE FROM journal_personal WHERE entry_id = (SELECT min(entry_id) FROM journal_personal)")
    assert (await record.verify()).erased == before + 1


async def test_a_bundle_proves_the_same_without_the_database(record: Record, tmp_path: Path) -> None:
    path, key = tmp_path / "bundle.gz", record.key
    mine = notes.verifier_key(ORIGIN, key)
    await evidence.export(record.source, path, mine, personal=True, tick=lambda _: None)
    report = await record.verify()
    bundle = BundleSource(path)
    assert notes.read_verifier_key(bundle.verifier_key) == (ORIGIN, key)
    assert await verification.verify(bundle, key, vouched=KINDS) == report
    assert await bundle.count() == report.entries
    roots = [authority().root]
    assert await verification.verify(bundle, key, vouched=KINDS, roots=roots) == report
    with pytest.raises(Break, match="time stamp"):
        await verification.verify(bundle, key, vouched=KINDS, roots=[authority("Another").root])
    without = tmp_path / "without.gz"
    await evidence.export(record.source, without, mine, personal=False, tick=lambda _: None)
    assert (await verification.verify(BundleSource(without), key, vouched=KINDS)).erased > report.erased
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    changed = tmp_path / "changed.gz"
    for altered, kind in (
        ([line.replace(b"the last one", b"the lost one") for line in lines], "entry"),
        ([line for line in lines if b"the last one" not in line], "cut-off"),
        ([line.replace(b'"total":"', b'"total":"9') for line in lines], "row"),
        ([re.sub(rb'"salt":"[^"]*",', b"", line) for line in lines], "personal"),
        ([re.sub(rb'"personal_hash":"[^"]*"', b'"personal_hash":null', line) for line in lines], "entry"),
        ([line.replace(b'"stamped_at":"2', b'"stamped_at":"1') for line in lines], "timestamp"),
    ):
        changed.write_bytes(gzip.compress(b"".join(altered)))
        with pytest.raises(Break) as caught:
            await verification.verify(BundleSource(changed), key, vouched=KINDS)
        assert caught.value.kind == kind
    for damaged in (
        b"",
        b"no gzip",
        path.read_bytes()[:-100],
        gzip.compress(b"{}\n"),
        gzip.compress(lines[0] + b"x\n"),
    ):
        changed.write_bytes(damaged)
        with pytest.raises(BundleDamaged):
            await verification.verify(BundleSource(changed), key, vouched=KINDS)


async def test_an_empty_record_is_whole(world: World) -> None:
    async with evidence.database(world.urls.app) as source:
        report = await verification.verify(source, world.vault.public_signing_key, vouched=KINDS)
        with pytest.raises(DBAPIError, match="read-only"):
            await source._connection.execute(text("CREATE TEMP TABLE x (y int)"))
    assert (report.entries, report.checkpoints, report.size) == (0, 0, 0)

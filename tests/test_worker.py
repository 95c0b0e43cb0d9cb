"""The worker, on a committed database: what it seals, opens and clears up, beside others like it, and through other things' trouble."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
import structlog
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from structlog.testing import capture_logs
from structlog.typing import EventDict

from build import Council, council, covered_lot, move_clock, published_lot, submitted_bid, supplier
from conftest import World
from mail.posting import silent_server
from procure import worker
from procure.app import vault_clock
from procure.bids.models import Bid, LotSeal
from procure.bids.rules import BidStatus
from procure.evaluation import opening
from procure.identity import remembered
from procure.identity.assertions import Assertion
from procure.identity.models import RevokedToken, UsedAssertion
from procure.identity.tokens import Token
from procure.journal.models import JournalEntry
from procure.kit.actor import Actor
from procure.kit.backoff import Backoff
from procure.kit.clock import wall_now
from procure.kit.db import exclude
from procure.kit.driver import SessionDriver
from procure.kit.ids import new_id
from procure.kit.postgres import Urls
from procure.kit.settings import Settings
from procure.lots.models import Lot
from procure.lots.rules import LotStatus
from procure.mail.schemas import Letter
from procure.mail.service import post_of, write
from procure.vault.errors import KeyUnknown
from procure.vault.keyring import FileKeyring

HOUR = timedelta(hours=1)


async def test_expired_assertions_and_revoked_tokens_are_forgotten(world: World) -> None:
    now = wall_now().timestamp()
    async with world.sessions() as db:
        for number in range(5):
            await remembered.use_once(db, Assertion(new_id(), "jti", now - 7200))
            await remembered.revoke_token(db, Token(new_id(), frozenset(), int(now) - 7200 * (number % 2), new_id()))
        await db.commit()
    with capture_logs() as said:
        await asyncio.gather(*(worker.forget_expired(world.sessions) for _ in range(3)))
    async with world.sessions() as db:
        left = [len((await db.scalars(select(table.id))).all()) for table in (UsedAssertion, RevokedToken)]
    assert left == [0, 3]
    assert {one["event"] for one in said} <= {"used assertions and revoked tokens pruned"}


async def small_lot(world: World, *, bidders: int = 2, buyer: Council | None = None) -> Lot:
    """Published and bid for, committed; its deadline is still to come."""
    async with world.sessions() as db:
        lot = await published_lot(db, buyer or await council(db), world.vault)
        for number in range(bidders):
            await submitted_bid(db, lot, await supplier(db, f"Bidder {number}"), world.vault)
        await db.commit()
    return lot


async def come(world: World, moment: datetime) -> None:
    async with world.sessions() as db:
        await move_clock(db, moment)
        await db.commit()


async def status_of(world: World, lot_id: UUID) -> LotStatus:
    async with world.sessions() as db:
        return (await db.scalars(select(Lot.status).where(Lot.id == lot_id))).one()


async def seal_of(world: World, lot_id: UUID) -> LotSeal | None:
    async with world.sessions() as db:
        return await db.get(LotSeal, lot_id)


async def bids_of(world: World, lot_id: UUID) -> dict[str, BidStatus]:
    async with world.sessions() as db:
        rows = await db.scalars(select(Bid).where(Bid.lot_id == lot_id))
        return {row.supplier_name or str(row.supplier_id): row.status for row in rows}


async def count(world: World, type_: str, about: UUID) -> int:
    statement = select(func.count()).where(JournalEntry.type == type_, JournalEntry.object_id == about)
    async with world.sessions() as db:
        return (await db.scalars(statement)).one()


async def as_owner(world: World, statement: str, **values: object) -> None:
    """What no part of the service can do: the database's owner at work."""
    engine = create_async_engine(world.urls.owner, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text(statement), values)
    await engine.dispose()


# --- sealing and opening --------------------------------------------------------------------------------------------


async def test_a_small_lot_is_sealed_and_opened_once_it_has_closed_and_not_a_moment_before(world: World) -> None:
    lot = await small_lot(world)
    await come(world, lot.closes_at - timedelta(seconds=30))
    assert await worker.run_once(world.sessions, world.vault)
    assert (await status_of(world, lot.id), await seal_of(world, lot.id)) == (LotStatus.PUBLISHED, None)
    await come(world, lot.closes_at)
    assert await worker.run_once(world.sessions, world.vault)
    assert await status_of(world, lot.id) is LotStatus.EVALUATING
    assert set((await bids_of(world, lot.id)).values()) == {BidStatus.OPENED}
    sealed = await seal_of(world, lot.id)
    assert sealed is not None
    assert sealed.count == 2
    assert await worker.run_once(world.sessions, world.vault)
    assert await count(world, "lot.opened", lot.id) == 1


async def test_a_lot_without_bids_ends_unsuccessful_and_its_money_returns(world: World) -> None:
    lot = await small_lot(world, bidders=0)
    await come(world, lot.closes_at)
    await worker.run_once(world.sessions, world.vault)
    assert await status_of(world, lot.id) is LotStatus.UNSUCCESSFUL
    async with world.sessions() as db:
        committed = await db.scalar(text("SELECT sum(delta) FROM outcome_ledger WHERE kind = 'committed'"))
        ended = (await db.scalars(select(Lot).where(Lot.id == lot.id))).one()
    assert (committed, ended.end_reason) == (0, opening.NO_BIDS)


async def test_a_covered_lot_is_sealed_by_the_worker_and_waits_for_two_approvers(world: World) -> None:
    async with world.sessions() as db:
        buyer = await council(db)
        lot = await covered_lot(db, buyer, world.vault)
        await submitted_bid(db, lot, await supplier(db), world.vault)
        await db.commit()
    await come(world, lot.closes_at)
    for _ in range(2):
        await worker.run_once(world.sessions, world.vault)
    sealed = await seal_of(world, lot.id)
    assert sealed is not None
    assert await status_of(world, lot.id) is LotStatus.PUBLISHED
    for approver, opens in ((buyer.approver, False), (buyer.second_approver, True)):
        async with world.sessions() as db:
            view = await opening.approve_opening(db, approver, world.vault, lot.id, sealed.root)
            await db.commit()
        assert view.is_opened == opens
    assert await status_of(world, lot.id) is LotStatus.EVALUATING


async def test_two_approvers_at_the_same_moment_open_once(world: World) -> None:
    async with world.sessions() as db:
        buyer = await council(db)
        lot = await covered_lot(db, buyer, world.vault)
        await submitted_bid(db, lot, await supplier(db), world.vault)
        await db.commit()
    await come(world, lot.closes_at)
    await worker.run_once(world.sessions, world.vault)
    sealed = await seal_of(world, lot.id)
    assert sealed is not None
    root = sealed.root

    async def approve(approver: Actor) -> bool:
        async with world.sessions() as db:
            view = await opening.approve_opening(db, approver, world.vault, lot.id, root)
            await db.commit()
            return view.is_opened

    assert sorted(await asyncio.gather(approve(buyer.approver), approve(buyer.second_approver))) == [False, True]
    assert await count(world, "lot.opened", lot.id) == 1


async def test_many_workers_at_once_make_one_seal_and_one_opening(world: World) -> None:
    lots = [await small_lot(world), await small_lot(world), await small_lot(world, bidders=0)]
    await come(world, max(lot.closes_at for lot in lots))
    others = [
        FileKeyring(
            world.settings.keys_path / "vault", vault_clock(world.settings, SessionDriver.beside(world.sessions))
        )
        for _ in range(5)
    ]
    assert all(await asyncio.gather(*(worker.run_once(world.sessions, vault) for vault in others)))
    for lot in lots:
        assert await count(world, "bids.sealed", lot.id) == 1
    assert [await count(world, "lot.opened", lot.id) for lot in lots] == [1, 1, 0]
    assert [await status_of(world, lot.id) for lot in lots] == [
        LotStatus.EVALUATING,
        LotStatus.EVALUATING,
        LotStatus.UNSUCCESSFUL,
    ]


async def test_an_unreadable_bid_is_recorded_and_never_holds_up_the_rest(world: World) -> None:
    lot = await small_lot(world, bidders=3)
    async with world.sessions() as db:
        spoilt = (await db.scalars(select(Bid.id).where(Bid.lot_id == lot.id).limit(1))).one()
    await as_owner(
        world,
        "UPDATE bids SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) WHERE id = :id",
        id=spoilt,
    )
    await come(world, lot.closes_at)
    await worker.run_once(world.sessions, world.vault)
    found = sorted((await bids_of(world, lot.id)).values())
    assert found == [BidStatus.OPENED, BidStatus.OPENED, BidStatus.UNREADABLE]
    assert await count(world, "bid.opening_failed", spoilt) == 1
    assert await status_of(world, lot.id) is LotStatus.EVALUATING


async def test_one_lots_trouble_is_nobody_elses_and_its_seal_stands(world: World) -> None:
    troubled, sound = await small_lot(world), await small_lot(world)
    share = next((world.settings.keys_path / "vault" / "custodian").glob(f"{troubled.id}.*"))
    kept = share.read_bytes()
    share.write_bytes(b"not what was written")
    await come(world, max(troubled.closes_at, sound.closes_at))
    await worker.run_once(world.sessions, world.vault)
    assert await status_of(world, sound.id) is LotStatus.EVALUATING
    assert await status_of(world, troubled.id) is LotStatus.PUBLISHED
    sealed = await seal_of(world, troubled.id)
    assert sealed is not None
    share.write_bytes(kept)  # the backup is back: the next round opens
    await worker.run_once(world.sessions, world.vault)
    assert await status_of(world, troubled.id) is LotStatus.EVALUATING
    assert await count(world, "bids.sealed", troubled.id) == 1


async def test_a_lot_in_trouble_is_met_less_and_less_often_and_the_others_in_every_round(world: World) -> None:
    troubled = await small_lot(world)
    share = next((world.settings.keys_path / "vault" / "custodian").glob(f"{troubled.id}.*"))
    kept = share.read_bytes()
    share.write_bytes(b"not what was written")
    await come(world, troubled.closes_at)
    now_s = 0.0
    backoff = Backoff(lambda: now_s)
    with heard() as said:
        for now_s in map(float, range(18)):  # noqa: B007 - the clock reads it
            await opening.seal_due(world.sessions, world.vault, backoff)
        sound = await small_lot(world)
        await come(world, sound.closes_at)
        await opening.seal_due(world.sessions, world.vault, backoff)  # while the troubled one is left alone
    failures = [entry for entry in said if entry["event"] == "sealing failed"]
    assert [entry["again_in_s"] for entry in failures] == [1, 2, 4, 8, 15]
    assert {entry["lot_id"] for entry in failures} == {str(troubled.id)}
    assert await status_of(world, sound.id) is LotStatus.EVALUATING
    share.write_bytes(kept)
    now_s = 31.0
    await opening.seal_due(world.sessions, world.vault, backoff)
    assert await status_of(world, troubled.id) is LotStatus.EVALUATING


async def test_a_key_that_is_not_due_by_the_vaults_own_clock_is_left_for_the_next_round(world: World) -> None:
    lot = await small_lot(world)

    async def behind() -> datetime:
        return lot.closes_at - timedelta(seconds=1)

    await come(world, lot.closes_at)
    await worker.run_once(world.sessions, FileKeyring(world.settings.keys_path / "vault", behind))
    assert await seal_of(world, lot.id) is not None
    assert set((await bids_of(world, lot.id)).values()) == {BidStatus.SUBMITTED}
    await worker.run_once(world.sessions, world.vault)
    assert await status_of(world, lot.id) is LotStatus.EVALUATING


async def test_bids_that_are_not_those_of_the_seal_are_not_opened_and_that_is_recorded_once(world: World) -> None:
    lot = await small_lot(world)

    async def behind() -> datetime:
        return lot.closes_at - timedelta(seconds=1)

    await come(world, lot.closes_at)
    await worker.run_once(world.sessions, FileKeyring(world.settings.keys_path / "vault", behind))
    await as_owner(
        world, "UPDATE bids SET received_at = received_at - interval '1 second' WHERE lot_id = :id", id=lot.id
    )
    for _ in range(3):
        await worker.run_once(world.sessions, world.vault)
    assert await status_of(world, lot.id) is LotStatus.PUBLISHED
    assert await count(world, "act.refused", lot.id) == 1


# --- orphan keys ----------------------------------------------------------------------------------------------------


async def test_keys_of_publications_that_never_committed_are_swept_and_no_others(world: World) -> None:
    lot = await small_lot(world)
    assert lot.key_id is not None
    later = FileKeyring(
        world.settings.keys_path / "vault",
        vault_clock(world.settings, SessionDriver.beside(world.sessions)),
        wall=lambda: wall_now() + HOUR + timedelta(seconds=1),
    )
    orphan = await world.vault.make_lot_key(new_id(), datetime(2020, 1, 1, tzinfo=UTC))
    await worker.sweep_orphan_keys(world.sessions, world.vault)
    await world.vault.delay(orphan.lot_id, orphan.key_id, datetime(2020, 1, 2, tzinfo=UTC))  # too young: still there
    await worker.sweep_orphan_keys(world.sessions, later)
    with pytest.raises(KeyUnknown):
        await world.vault.open_lot(orphan.lot_id, orphan.key_id)
    await come(world, lot.closes_at)
    await world.vault.open_lot(lot.id, lot.key_id)


async def test_a_database_without_lots_sweeps_nothing(world: World) -> None:
    orphan = await world.vault.make_lot_key(new_id(), datetime(2020, 1, 1, tzinfo=UTC))
    later = FileKeyring(
        world.settings.keys_path / "vault",
        vault_clock(world.settings, SessionDriver.beside(world.sessions)),
        wall=lambda: wall_now() + 2 * HOUR,
    )
    await worker.sweep_orphan_keys(world.sessions, later)
    await world.vault.open_lot(orphan.lot_id, orphan.key_id)


# --- jobs and rounds ------------------------------------------------------------------------------------------------


async def test_a_job_is_done_when_it_is_due_and_its_failure_is_its_own() -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("work")

    async def fail() -> None:
        done.append("fail")
        raise ValueError

    often, hourly, failing = (
        worker.Job("often", 0, work),
        worker.Job("hourly", 3600, work),
        worker.Job("failing", 9, fail),
    )
    assert [await job.run(100.0) for job in (often, hourly, failing)] == [True, True, False]
    assert [await job.run(101.0) for job in (often, hourly, failing)] == [True, True, True]
    assert done == ["work", "work", "fail", "work"]
    assert await failing.run(109.0) is False


@contextlib.asynccontextmanager
async def running(world: World, settings: Settings | None = None) -> AsyncGenerator[None]:
    """A worker at work, with short pauses; stopped at the end, within a second."""
    stop = asyncio.Event()
    settings = settings or msgspec.structs.replace(world.settings, worker_interval_s=0.05)
    working = asyncio.create_task(worker.run(settings, stop))
    try:
        yield
    finally:
        stop.set()
        started = time.monotonic()
        await asyncio.wait_for(working, 5)
        assert time.monotonic() - started < 1


@contextlib.contextmanager
def heard() -> Generator[list[EventDict]]:
    """What is logged meanwhile, however little the tests' settings let through."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(0))
    try:
        with capture_logs() as said:
            yield said
    finally:
        structlog.configure(**before)


async def until(condition: Callable[[], Awaitable[bool]], within_s: float = 15) -> None:
    async with asyncio.timeout(within_s):
        while not await condition():  # noqa: ASYNC110 - another process's or task's effect gives no event
            await asyncio.sleep(0.02)


async def test_the_running_worker_opens_what_closes_and_stops_at_once(world: World) -> None:
    lot = await small_lot(world)
    async with running(world):
        await come(world, lot.closes_at)

        async def is_open() -> bool:
            return await status_of(world, lot.id) is LotStatus.EVALUATING

        await until(is_open)


async def test_a_database_that_is_away_is_waited_for(world: World, sandboxed: Urls) -> None:
    lot = await small_lot(world)
    await come(world, lot.closes_at)
    async with world.sessions() as db:
        name = await db.scalar(select(func.current_database()))
    await world.sessions.kw["bind"].dispose()
    admin = create_async_engine(sandboxed.admin, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with admin.connect() as connection:
        await connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        with heard() as said:
            async with running(world):

                async def is_refused() -> bool:
                    return [entry["event"] for entry in said].count("database not ready") > 1

                await until(is_refused)
                await connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))

                async def is_open() -> bool:
                    return await status_of(world, lot.id) is LotStatus.EVALUATING

                await until(is_open)
                second = await small_lot(world)
                cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
                await world.sessions.kw["bind"].dispose()
                await connection.execute(text(cut), {"name": name})  # and when its connection is cut it comes back too
                await come(world, second.closes_at)

                async def is_open_too() -> bool:
                    return await status_of(world, second.id) is LotStatus.EVALUATING

                await until(is_open_too)
    await admin.dispose()


async def test_a_worker_that_waits_for_a_lock_stops_within_a_second_and_leaves_nothing_half_done(world: World) -> None:
    lot = await small_lot(world)
    await come(world, lot.closes_at)
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    async with world.sessions() as db:
        await exclude(db, lot.id)
        async with running(world):

            async def is_waiting() -> bool:
                async with world.sessions() as other:
                    return bool(await other.scalar(waiting))

            await until(is_waiting)
        await db.rollback()
    assert (await status_of(world, lot.id), await seal_of(world, lot.id)) == (LotStatus.PUBLISHED, None)


async def test_a_worker_without_sandbox_seals_nothing_in_a_sandboxs_database(world: World) -> None:
    """Its clock could have been moved by anybody: no deadline of it is one."""
    lot = await small_lot(world)
    await come(world, lot.closes_at)
    strict = msgspec.structs.replace(world.settings, sandbox=False, mail_url="", worker_interval_s=0.02)
    with heard() as said:
        async with running(world, strict):

            async def is_refused() -> bool:
                return any("sandbox's" in str(entry.get("detail")) for entry in said)

            await until(is_refused)
    assert await seal_of(world, lot.id) is None


# --- the post -------------------------------------------------------------------------------------------------------


async def test_no_deadline_waits_for_a_mail_server_that_says_nothing(world: World) -> None:
    lot = await small_lot(world)
    async with silent_server() as server:
        settings = msgspec.structs.replace(
            world.settings,
            mail_url=f"smtp+plain://127.0.0.1:{server.port}",
            mail_from="procure@council.example",
            worker_interval_s=0.05,
        )
        post = post_of(settings)
        assert post is not None
        async with world.sessions() as db:
            await write(db, post, Letter("reader@supplier.example", "A code", "It."), wall_now() + HOUR)
            await db.commit()
        async with running(world, settings):
            await asyncio.wait_for(server.met.wait(), 15)
            await come(world, lot.closes_at)

            async def is_sealed() -> bool:
                return await seal_of(world, lot.id) is not None

            await until(is_sealed)


# --- the process ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_process_says_that_it_is_ready_and_a_signal_ends_it_within_a_second(
    world: World, number: signal.Signals
) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PROCURE_")},
        "PROCURE_DATABASE_URL": world.settings.database_url,
        "PROCURE_KEYS_PATH": str(world.settings.keys_path),
        "PROCURE_SANDBOX": "true",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from procure.worker import main; main()", env=environment, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    async with asyncio.timeout(20):
        while b"worker ready" not in await process.stderr.readline():
            assert process.returncode is None
    process.send_signal(number)
    started = time.monotonic()
    assert b"worker stopped" in await asyncio.wait_for(process.stderr.readline(), 10)
    assert time.monotonic() - started < 1
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_missing_setting_is_told_in_a_sentence(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROCURE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from procure.worker import main; main()",
        env=environment,
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert said.startswith(b"PROCURE_DATABASE_URL is not set")

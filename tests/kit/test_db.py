"""The session's life, the locks, and a database that goes away."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from litestar import get
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.pool import NullPool

from build import active_outcome, council, drafted_lot, organisation
from calls import ok, problem
from conftest import BASE_URL, FAST, World
from described import client_of
from procure.app import create_app
from procure.identity.models import Membership
from procure.journal.events import PUBLIC, Refusal, Refused
from procure.journal.models import JournalEntry
from procure.journal.service import record_refusal
from procure.kit import clock
from procure.kit.actor import ANYONE, OrganisationKind
from procure.kit.db import Sessions, exclude, make_engine, make_sessions, share, transaction
from procure.kit.errors import Conflict
from procure.kit.http import Db, public
from procure.kit.ids import new_id
from procure.kit.postgres import Embedded, Urls
from procure.kit.problems import is_away
from procure.kit.settings import Settings
from procure.lots.models import Criterion, Deliverable, Lot
from procure.lots.rules import CriterionKind, LotStatus
from procure.migrations import migrate
from procure.organisations.models import Organisation
from procure.organisations.rules import OrganisationStatus
from procure.outcomes.models import Outcome


class Nope(Conflict):
    """No."""

    slug, title = "nope", "No"


async def names(sessions: Sessions) -> set[str]:
    async with sessions() as db:
        return set(await db.scalars(select(Organisation.name)))


async def keep(db: AsyncSession, name: str) -> Organisation:
    return await organisation(db, OrganisationKind.SUPPLIER, name)


# --- one unit of work -----------------------------------------------------------------------------------------------


async def test_what_was_done_is_committed_at_the_end(world: World) -> None:
    async with transaction(world.sessions, record_refusal) as db:
        await keep(db, "Done")
        assert "Done" not in await names(world.sessions)
    assert "Done" in await names(world.sessions)


async def test_whatever_is_raised_leaves_nothing_behind(world: World) -> None:
    async def fail(error: BaseException) -> None:
        async with transaction(world.sessions, record_refusal) as db:
            await keep(db, "Undone")
            raise error

    for error in (Nope(), ValueError("a bug"), asyncio.CancelledError()):
        with pytest.raises(type(error)) as caught:
            await fail(error)
        assert caught.value is error
    assert "Undone" not in await names(world.sessions)


async def test_a_failing_commit_is_an_error_and_leaves_nothing_behind(world: World) -> None:
    async def half() -> None:
        async with transaction(world.sessions, record_refusal) as db:
            await keep(db, "Undone")
            db.add(Outcome(id=new_id()))  # flushed by the commit, with half its columns missing

    with pytest.raises(DBAPIError):
        await half()
    assert "Undone" not in await names(world.sessions)


async def test_a_guarded_refusal_is_recorded_after_the_rollback_and_nothing_else_is(world: World) -> None:
    async with world.sessions() as db:
        buyer = await council(db)
        lot = await drafted_lot(db, buyer)
        officers = Membership.person_id == buyer.officer.person_id
        await db.execute(update(Membership).where(officers).values(roles=["approver", "officer"]))
        await db.commit()
    preparer = dataclasses.replace(buyer.officer, scopes=buyer.approver.scopes)
    problem(await world.call.post(preparer, f"/v1/lots/{lot.id}/publish"), 403, "same-person")
    async with world.sessions() as db:
        entries = (await db.scalars(select(JournalEntry).where(JournalEntry.type == "act.refused"))).all()
        status = await db.scalar(select(Lot.status).where(Lot.id == lot.id))
    assert [(entry.object_id, entry.person_id) for entry in entries] == [(lot.id, preparer.person_id)]
    assert "same-person" in entries[0].payload
    assert status is LotStatus.DRAFT


# --- rows -----------------------------------------------------------------------------------------------------------


async def test_structs_in_a_column_come_back_as_what_was_written(db: AsyncSession) -> None:
    lot = await drafted_lot(db, await council(db))
    await db.commit()
    db.expunge_all()
    read = await db.get_one(Lot, lot.id)
    assert read is not lot
    assert (read.deliverables, read.criteria, read.policy) == (lot.deliverables, lot.criteria, lot.policy)
    assert isinstance(read.deliverables[0], Deliverable)
    assert isinstance(read.deliverables[0].due_on, date)
    assert isinstance(read.criteria[0], Criterion)
    assert read.criteria[0].kind is CriterionKind.QUALITY
    assert isinstance(read.policy.limits.ceiling_max, Decimal)


async def test_nothing_is_loaded_in_passing(db: AsyncSession) -> None:
    outcome = await active_outcome(db, await council(db))
    await db.commit()
    db.expunge_all()
    read = await db.get_one(Outcome, outcome.id)
    with pytest.raises(InvalidRequestError, match="raise"):
        _ = read.measures


async def test_a_move_counts_a_version_and_only_goes_where_the_table_leads(db: AsyncSession) -> None:
    row = await keep(db, "Here")
    row.move_to(OrganisationStatus.SUSPENDED)
    assert (row.status, row.version) == (OrganisationStatus.SUSPENDED, 2)
    with pytest.raises(AssertionError, match="suspended"):
        row.move_to(OrganisationStatus.SUSPENDED)


async def test_a_row_that_somebody_else_removed_meanwhile_is_noticed(world: World) -> None:
    async with world.sessions() as db:
        row = await keep(db, "Gone")
        await db.commit()
        await _as_owner(world, f"DELETE FROM organisations WHERE id = '{row.id}'")
        row.name = "Still here?"
        with pytest.raises(StaleDataError):
            await db.commit()


async def _as_owner(world: World, statement: str) -> None:
    engine = create_async_engine(world.urls.owner, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


async def test_every_wait_of_a_connection_is_bounded(db: AsyncSession) -> None:
    shown = {name: await db.scalar(text(f"SHOW {name}")) for name in ("statement_timeout", "lock_timeout", "timezone")}
    assert shown == {"statement_timeout": "30s", "lock_timeout": "10s", "timezone": "UTC"}
    # Not SHOW: on a Unix socket, as here, there is nothing to keep alive, and it says so.
    kept = await db.execute(text("SELECT name, reset_val FROM pg_settings WHERE name LIKE 'tcp_keepalives_%'"))
    assert {name: int(value) for name, value in kept} == {
        "tcp_keepalives_idle": 30,
        "tcp_keepalives_interval": 10,
        "tcp_keepalives_count": 3,
    }


async def test_a_server_that_says_nothing_is_given_up_as_away(world: World) -> None:
    engine = make_engine(world.urls.app, pool_size=1, silence_s=0.1)
    async with engine.connect() as connection:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - which one it is `is_away` has to know
            await connection.execute(text("SELECT pg_sleep(20)"))
    assert is_away(caught.value)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    await engine.dispose()


# --- locks ----------------------------------------------------------------------------------------------------------


async def may_take(world: World, take: Any, lot_id: Any) -> bool:
    """Whether a second connection gets this lock at once."""
    async with world.sessions() as db:
        await db.execute(text("SET LOCAL lock_timeout = '50ms'"))
        try:
            await take(db, lot_id)
        except DBAPIError as error:
            if "lock timeout" not in str(error):
                raise
            return False
        return True


async def test_bidders_share_a_lot_and_whoever_closes_it_has_it_alone(world: World) -> None:
    lot_id, other = new_id(), new_id()
    async with world.sessions() as db:
        await share(db, lot_id)
        assert await may_take(world, share, lot_id)
        assert not await may_take(world, exclude, lot_id)
        assert await may_take(world, exclude, other)
    async with world.sessions() as db:
        await exclude(db, lot_id)
        assert not await may_take(world, share, lot_id)
        assert not await may_take(world, exclude, lot_id)
        assert await may_take(world, share, other)


async def test_a_lock_ends_with_its_transaction_however_that_ends(world: World) -> None:
    lot_id = new_id()
    for end in ("commit", "rollback"):
        async with world.sessions() as db:
            await exclude(db, lot_id)
            await getattr(db, end)()
            assert await may_take(world, exclude, lot_id)


async def test_who_waited_for_a_lock_reads_a_clock_that_is_later_than_the_holders_end(world: World) -> None:
    lot_id = new_id()
    async with world.sessions() as holder, world.sessions() as waiter:
        await exclude(holder, lot_id)
        await waiter.execute(text("SELECT 1"))  # its transaction begins before the holder's ends

        async def wait_and_read() -> Any:
            await share(waiter, lot_id)
            return await clock.now(waiter)

        reading = asyncio.create_task(wait_and_read())
        await _until_somebody_waits(world)
        last = await clock.now(holder)
        await holder.commit()
        assert await reading > last


async def _until_somebody_waits(world: World) -> None:
    async with world.sessions() as db:
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")
        await _until(lambda: db.scalar(waiting))


async def _until(asked: Callable[[], Awaitable[Any]]) -> None:
    """Ask the database until it says yes; nothing tells us when another session has come that far."""
    while not await asked():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


# --- a database that goes away --------------------------------------------------------------------------------------


@dataclass
class House:
    """A service on a cluster of its own, which a test may stop."""

    cluster: Embedded
    client: httpx.AsyncClient
    sessions: Sessions

    async def stop(self) -> None:
        await asyncio.to_thread(self.cluster.stop)

    async def start(self) -> None:
        await asyncio.to_thread(self.cluster.start)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Embedded, Urls]]:
    embedded = Embedded(tmp_path_factory.mktemp("away"), settings=FAST)
    urls = embedded.start()
    try:
        migrate(urls.owner)
        yield embedded, urls
    finally:
        embedded.stop()


stopping: list[House] = []


@get("/long", include_in_schema=False, **public())
async def long(db: Db) -> None:
    await db.execute(text("SELECT pg_sleep(20)"))


@get("/refused-while-it-stops", include_in_schema=False, **public())
async def refused_while_it_stops(db: Db) -> None:
    await db.execute(text("SELECT 1"))
    await stopping[0].stop()
    event = Refused(object_id=new_id(), act="a.test", reason="nope", about="x")
    raise Nope().recorded(Refusal(ANYONE, event, PUBLIC))


@pytest.fixture
async def house(cluster: tuple[Embedded, Urls], tmp_path: Path) -> AsyncGenerator[House]:
    embedded, urls = cluster
    settings = Settings(database_url=urls.app, keys_path=tmp_path / "keys", base_url=BASE_URL, pool_size=2)
    app = create_app(msgspec.structs.replace(settings, log_level="critical"))
    for handler in (long, refused_while_it_stops):
        app.register(handler)
    async with client_of(app) as client:
        yield House(embedded, client, app.state.sessions)
    await app.state.driver.close()
    await app.state.sessions.kw["bind"].dispose()


PATHS = ("/v1/lots", "/v1/outcomes", "/v1/time", f"/v1/lots/{new_id()}")


async def test_a_database_that_is_away_is_a_503_until_it_is_back_by_itself(house: House) -> None:
    assert [(await house.client.get(path)).status_code for path in PATHS] == [200, 200, 200, 404]
    ok(await house.client.get("/readyz"))
    await house.stop()
    for path in (*PATHS, "/readyz"):
        reply = await house.client.get(path)
        problem(reply, 503, "unavailable")
        assert int(reply.headers["retry-after"]) >= 1
    ok(await house.client.get("/livez"))
    await house.start()
    assert [(await house.client.get(path)).status_code for path in PATHS] == [200, 200, 200, 404]
    ok(await house.client.get("/readyz"))


async def test_a_database_that_came_back_unseen_costs_each_pooled_connection_at_most_one_503(house: House) -> None:
    await asyncio.gather(*(house.client.get(path) for path in PATHS * 2))
    await house.stop()
    await house.start()
    statuses = [(await house.client.get("/v1/outcomes")).status_code for _ in range(6)]
    assert set(statuses) <= {200, 503}
    assert statuses.count(503) <= 2
    assert statuses[-1] == 200


async def test_a_connection_cut_in_the_middle_of_a_request_is_a_503(
    house: House, cluster: tuple[Embedded, Urls]
) -> None:
    running = asyncio.create_task(house.client.get("/long"))
    admin = create_async_engine(cluster[1].admin, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    cut = text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'")
    async with admin.connect() as connection:
        await _until(lambda: connection.scalar(cut))
    await admin.dispose()
    problem(await running, 503, "unavailable")
    ok(await house.client.get("/v1/outcomes"))


async def test_a_refusal_that_cannot_be_recorded_is_a_503_and_not_a_500(house: House) -> None:
    stopping[:] = [house]
    reply = await house.client.get("/refused-while-it-stops")
    await house.start()
    problem(reply, 503, "unavailable")


async def test_a_service_that_started_without_its_database_serves_once_it_is_there(
    cluster: tuple[Embedded, Urls], house: House
) -> None:
    await house.stop()
    problem(await house.client.get("/v1/lots"), 503, "unavailable")
    await house.start()
    ok(await house.client.get("/v1/lots"))


async def test_a_pool_whose_connections_are_all_in_use_is_a_503(urls: Urls, settings: Settings) -> None:
    engine = create_async_engine(urls.app, pool_size=1, max_overflow=0, pool_timeout=0.1)
    app = create_app(msgspec.structs.replace(settings, log_level="critical"), sessions=make_sessions(engine))
    async with client_of(app) as client:
        async with engine.connect():
            for path in ("/v1/outcomes", "/v1/lots", "/readyz"):
                reply = await client.get(path)
                problem(reply, 503, "unavailable")
                assert reply.headers["retry-after"]
        assert (await client.get("/v1/outcomes")).status_code == 200
    await engine.dispose()

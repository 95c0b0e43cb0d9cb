"""Time stamps by an authority: asked for when one is due, checked before one is kept, and whatever it does, nobody waits for it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from calls import ok, problem
from conftest import World
from journal.stamping import authority, stamp_latest
from journal.test_sealer import sealed, write
from journal.test_service import whistled
from procure import worker
from procure.journal import stamper, stamps
from procure.journal.stamper import Authority, Stamper, stamper_of
from procure.kit.settings import Settings, SettingsFault

CHECKPOINTS = "/v1/journal/checkpoints"
HOUR_S = 3600.0


@dataclass
class Office:
    """The authority on loopback: what it was asked, and what it answers; None is nothing, until its caller goes."""

    port: int = 0
    asked: list[bytes] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    answer: Callable[[bytes], bytes | None] = lambda _: None
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/tsr"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
            query = await reader.readexactly(length)
            self.headers.append(head)
            self.asked.append(query)
            self.is_asked.set()
            said = self.answer(query)
            if said is None:
                await reader.read()
            else:
                writer.write(said)
                await writer.drain()
        writer.close()

    def behave(self, **otherwise: Any) -> None:
        self.answer = lambda query: answered(authority().reply(query, **otherwise))


def answered(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    kind = f"Content-Type: {stamps.REPLY}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    return f"HTTP/1.1 {status}\r\n{kind}".encode() + body


@asynccontextmanager
async def opened() -> AsyncGenerator[Office]:
    office, tasks = Office(), set[asyncio.Task[Any]]()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Coroutine[Any, Any, None]:
        async def serve() -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            await office.serve(reader, writer)

        return serve()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    office.port = server.sockets[0].getsockname()[1]
    office.behave()
    try:
        yield office
    finally:
        server.close()
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def office() -> AsyncGenerator[Office]:
    async with opened() as office:
        yield office


class Hands:
    """A clock that is moved."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def made(office: Office, *, roots: bool = False, timeout_s: float = 5.0, interval_s: float = HOUR_S) -> Stamper:
    known = [authority().root] if roots else []
    return Stamper(Authority(office.url, known), interval_s, timeout_s=timeout_s, clock=Hands())


async def grown(world: World, tune: str = "ä") -> int:
    """One more entry, sealed; the size of its checkpoint."""
    async with world.sessions() as db:
        await write(db, whistled(tune))
        await db.commit()
    await sealed(world)
    async with world.sessions() as db:
        return int(await db.scalar(text("SELECT max(size) FROM journal_checkpoints")) or 0)


async def kept(world: World) -> list[Any]:
    async with world.sessions() as db:
        return list(await db.execute(text("SELECT * FROM journal_timestamps ORDER BY size")))


async def test_the_latest_checkpoint_is_stamped_once_and_again_when_the_interval_is_over(
    world: World, office: Office
) -> None:
    one = made(office, roots=True)
    assert await one.stamp_due(world.sessions) is None  # there is nothing yet
    await grown(world)
    size = await grown(world)
    assert await one.stamp_due(world.sessions) == size
    (row,) = await kept(world)
    async with world.sessions() as db:
        note = await db.scalar(text("SELECT note FROM journal_checkpoints WHERE size = :size"), {"size": size})
    assert (row.size, row.authority) == (size, office.url)
    assert stamps.check(row.reply, str(note), roots=[authority().root]) == row.stamped_at
    assert abs(row.stamped_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert f"content-type: {stamps.QUERY}" in office.headers[0]

    # Neither what is stamped, nor what came a moment later.
    assert await one.stamp_due(world.sessions) is None
    later = await grown(world)
    assert await one.stamp_due(world.sessions) is None
    assert len(office.asked) == 1
    # When the interval is over, what is new; and then nothing is.
    often = made(office, interval_s=-60.0)
    assert await often.stamp_due(world.sessions) == later
    assert await often.stamp_due(world.sessions) is None
    assert len(office.asked) == 2


async def test_many_workers_have_one_stamp_made(world: World, office: Office) -> None:
    size = await grown(world)
    found = await asyncio.gather(*(made(office).stamp_due(world.sessions) for _ in range(6)))
    assert sorted(one for one in found if one is not None) == [size]
    assert (len(await kept(world)), len(office.asked)) == (1, 1)


HOSTILE: dict[str, tuple[Callable[[bytes], bytes | None], str]] = {
    "wrong nonce": (lambda query: answered(authority().reply(query, nonce=7)), "invalid"),
    "another imprint": (lambda query: answered(authority().reply(query, imprint=b"x" * 32)), "invalid"),
    "rejected": (lambda query: answered(authority().reply(query, status="rejection")), "invalid"),
    "granted otherwise": (lambda query: answered(authority().reply(query, status="granted_with_mods")), "invalid"),
    "another authority's": (lambda query: answered(authority("Another").reply(query)), "invalid"),
    "signature altered": (lambda query: answered(authority().reply(query)[:-1] + b"\0"), "invalid"),
    "a time long past": (
        lambda query: answered(authority().reply(query, at=datetime(2021, 1, 1, tzinfo=UTC))),
        "time-apart",
    ),
    "garbage": (lambda _: answered(b"<html>It works!</html>"), "invalid"),
    "nothing": (lambda _: answered(b""), "invalid"),
    "huge": (lambda query: answered(authority().reply(query) + b"\0" * 10_000_000), "too-long"),
    "bomb": (lambda _: answered(b"\x1f\x8b" + b"\0" * 100, more="Content-Encoding: gzip\r\n"), "invalid"),
    "500": (lambda _: answered(b"", "500 Oh"), "refused"),
    "redirect": (lambda _: answered(b"", "302 Found", "Location: http://127.0.0.1:1/\r\n"), "refused"),
    "no HTTP": (lambda _: b"\x30\x03\x02\x01\x00", "unreachable"),
    "cut off": (lambda query: answered(authority().reply(query))[:-20], "unreachable"),
    "closed": (lambda _: b"", "unreachable"),
    "hang": (lambda _: None, "timeout"),
}


@pytest.fixture(scope="module")
async def grown_world(worlds: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with worlds(tmp_path_factory.mktemp("stamps")) as world:
        await grown(world)
        yield world


@pytest.mark.parametrize("how", HOSTILE)
async def test_what_is_no_stamp_of_the_note_is_refused_and_nothing_is_kept(
    grown_world: World, office: Office, how: str
) -> None:
    office.answer, trouble = HOSTILE[how]
    one = made(office, roots=True, timeout_s=0.2 if how == "hang" else 5.0)
    with logged() as said:
        assert await one.stamp_due(grown_world.sessions) is None
    assert [(line["event"], line["trouble"]) for line in said] == [("no time stamp", trouble)]
    assert len(office.asked) == 1
    assert not await kept(grown_world)


async def test_without_roots_a_stamp_is_held_against_its_note_alone(world: World, office: Office) -> None:
    await grown(world)
    office.answer = lambda query: answered(authority("Another").reply(query))
    assert await made(office).stamp_due(world.sessions) is not None


def logged() -> Any:
    """Log lines at the level that a worker has."""
    structlog.reset_defaults()
    return capture_logs()


async def test_trouble_is_told_when_it_changes_and_tried_less_and_less_often(world: World, office: Office) -> None:
    await grown(world)
    hands = Hands()
    one = Stamper(Authority(office.url), HOUR_S, clock=hands)
    office.answer = lambda _: answered(b"", "500 Oh")
    with logged() as said:
        for _ in range(2000):
            await one.stamp_due(world.sessions)
            hands.now_s += 10.0
        asked = len(office.asked)
        office.answer = lambda _: answered(b"no")
        hands.now_s += stamper.PAUSE_MAX_S
        await one.stamp_due(world.sessions)
        office.behave()
        hands.now_s += stamper.PAUSE_MAX_S
        assert await one.stamp_due(world.sessions) is not None
    # 10, 20, 40 … 640 seconds, then every 900: five and a half hours.
    assert 20 < asked < 35
    told = [(line["event"], line.get("trouble")) for line in said]
    assert told == [("no time stamp", "refused"), ("no time stamp", "invalid"), ("time stamps again", None)]


async def test_an_authority_that_hangs_keeps_no_entry_waiting(world: World, office: Office) -> None:
    size = await grown(world)
    office.answer = lambda _: None
    hanging = asyncio.create_task(made(office, timeout_s=60.0).stamp_due(world.sessions))
    await office.is_asked.wait()
    assert await grown(world) == size + 1
    assert await made(office).stamp_due(world.sessions) is None  # and no other worker asks meanwhile
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    office.behave()
    assert await made(office).stamp_due(world.sessions) == size + 1


async def test_the_worker_stamps_where_an_authority_is_configured(world: World, office: Office, tmp_path: Path) -> None:
    size = await grown(world)
    (tmp_path / "roots.pem").write_bytes(authority().pem)
    settings = msgspec.structs.replace(world.settings, timestamp_url=office.url, timestamp_roots=tmp_path / "roots.pem")
    (job,) = worker.stamp_jobs(world.sessions, stamper_of(settings))
    assert await job.run(0.0)
    assert [row.size for row in await kept(world)] == [size]
    assert worker.stamp_jobs(world.sessions, stamper_of(world.settings)) == []


async def test_a_stamp_is_kept_for_good(world: World) -> None:
    await grown(world)
    async with world.sessions() as db:
        await stamp_latest(db)
        await db.commit()
    async with world.sessions() as db:
        with pytest.raises(DBAPIError, match="permission denied"):
            await db.execute(text("DELETE FROM journal_timestamps"))


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["ftp://time.example", "time.example", "https://", "http://:80/", "https://time.example/#x", "https://a:b"]
)
def test_an_address_that_is_none_is_refused(settings: Settings, url: str) -> None:
    with pytest.raises(SettingsFault, match="PROCURE_TIMESTAMP_URL"):
        stamper_of(msgspec.structs.replace(settings, timestamp_url=url))


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_roots_that_are_none_are_refused(settings: Settings, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "roots.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsFault, match="PROCURE_TIMESTAMP_ROOTS"):
        stamper_of(msgspec.structs.replace(settings, timestamp_url="https://time.example/tsr", timestamp_roots=file))


def test_what_may_be_secret_in_the_address_is_not_kept() -> None:
    assert Authority("https://me:secret@time.example:444/tsr?key=secret").name == "https://time.example:444/tsr"


# --- over HTTP ------------------------------------------------------------------------------------------------------


async def test_anybody_reads_a_stamp_and_finds_those_there_are(world: World) -> None:
    async with world.sessions() as db:
        for size in (1, 2, 3):
            await write(db, whistled())
            await db.commit()
            await sealed(world)
            if size < 3:
                assert await stamp_latest(db) == size
                await db.commit()
    size = 2
    reply = await world.call.get(None, f"{CHECKPOINTS}/{size}/timestamp")
    (_, row) = await kept(world)
    assert (reply.status_code, reply.headers["content-type"], reply.content) == (200, stamps.REPLY, row.reply)
    again = await world.client.get(f"{CHECKPOINTS}/{size}/timestamp", headers={"If-None-Match": reply.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    whole = ok(await world.call.get(None, CHECKPOINTS))["items"]
    assert [one["stamped_at"] is not None for one in whole] == [False, True, True]
    stamped = ok(await world.call.get(None, f"{CHECKPOINTS}?only=stamped&limit=1"))
    assert [one["size"] for one in stamped["items"]] == [size]
    assert stamps.check(reply.content, stamped["items"][0]["note"]) == row.stamped_at
    before = ok(await world.call.get(None, f"{CHECKPOINTS}?only=stamped&before={size}"))
    assert [one["size"] for one in before["items"]] == [size - 1]
    for other in (size + 1, size + 100, 0):
        problem(await world.call.get(None, f"{CHECKPOINTS}/{other}/timestamp"), 404, "timestamp-not-found")


async def test_the_tag_of_the_latest_checkpoint_moves_with_its_stamp(world: World) -> None:
    await grown(world)
    before = (await world.call.get(None, f"{CHECKPOINTS}/latest")).headers["etag"]
    async with world.sessions() as db:
        await stamp_latest(db)
        await db.commit()
    assert (await world.call.get(None, f"{CHECKPOINTS}/latest")).headers["etag"] != before

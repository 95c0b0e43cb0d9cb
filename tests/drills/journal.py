"""`python -m drills.journal`: the journal under writers that commit late and sealers that are killed, its feed, its streams, its proof.

Twelve writers with random delays before their commits, some of which never come; two workers, one of which is killed every few seconds
and started again; readers by list and by stream. At the end each of them has heard the same, once, in the same order, and the record
is whole. Bounded in time and count, on loopback and in an embedded PostgreSQL that is removed again. Prints one JSON document.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil
from benchmarks.__main__ import free_port, wait_for
from sqlalchemy import func, select, text

from journal.test_service import ACTOR, whistled
from procure import evidence
from procure.journal import verification
from procure.journal.events import PUBLIC
from procure.journal.models import JournalPosition
from procure.journal.sealer import ENTRIES
from procure.journal.service import record
from procure.kit.clock import wall_now
from procure.kit.db import Sessions, make_engine, make_sessions
from procure.kit.driver import PooledDriver
from procure.kit.listening import Bell
from procure.kit.postgres import Embedded, Urls, remove
from procure.migrations import migrate
from procure.vault.keyring import FileKeyring

WRITERS, ROUND_S, PAUSE_MAX_S = 12, 10.0, 0.05
ABORTED = 0.2
LISTENERS = 2000
HEARD_WITHIN_S = 30.0


@dataclass
class Written:
    """What was committed, and when, by the object's id; and what each reader has heard, in its order."""

    committed_at: dict[str, float] = field(default_factory=dict)
    heard: dict[str, list[tuple[str, float]]] = field(default_factory=dict)

    def is_waiting(self) -> bool:
        """Whether some reader has not heard all of it yet; they hear of more than what was written here."""
        return any(self.committed_at.keys() - {id_ for id_, _ in one} for one in self.heard.values())


@dataclass
class Place:
    urls: Urls
    environment: dict[str, str]
    sessions: Sessions
    driver: PooledDriver
    port: int

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def process(place: Place, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of ours, ended by its own id."""
    running = subprocess.Popen([sys.executable, "-m", "procure", *command], env={**os.environ, **place.environment})
    try:
        yield running
    finally:
        if running.poll() is None:
            running.terminate()
            running.wait(30)


async def waited(is_so: Callable[[], bool]) -> None:
    """Until it is so, or nobody needs to wait for it any more: what comes of that is judged at the end."""
    until = time.monotonic() + HEARD_WITHIN_S
    while not is_so() and time.monotonic() < until:  # noqa: ASYNC110 - other processes tell
        await asyncio.sleep(0.2)


async def write(place: Place, written: Written, until: float, pace_s: float, chance: random.Random, bell: Bell) -> None:
    while time.monotonic() < until:
        began = time.monotonic()
        event = whistled(str(chance.random()))
        async with place.sessions() as db:
            await record(db, ACTOR, event, PUBLIC)
            await asyncio.sleep(chance.random() * PAUSE_MAX_S)
            if chance.random() < ABORTED:
                await db.rollback()
            else:
                await db.commit()
                written.committed_at[str(event.object_id)] = time.monotonic()
                bell.ring()
        await asyncio.sleep(max(0.0, pace_s - (time.monotonic() - began)))


async def list_(place: Place, written: Written, stop: asyncio.Event, wait_s: int) -> None:
    """By `GET /v1/changes`: each look from where the last one came to."""
    heard: list[tuple[str, float]] = written.heard.setdefault(f"list, wait {wait_s}", [])
    after = 0
    async with httpx.AsyncClient(base_url=place.base_url, timeout=60, trust_env=False) as client:
        while not stop.is_set():
            reply = await client.get("/v1/changes", params={"after": after, "limit": 200, "wait": wait_s})
            page = reply.raise_for_status().json()
            now = time.monotonic()
            heard += [(one["object_id"], now) for one in page["items"]]
            after = page["next"]
            if page["is_caught_up"] and not wait_s:
                await asyncio.sleep(0.2)


async def stream(place: Place, written: Written, stop: asyncio.Event, name: str) -> None:
    """By server-sent events; cut off now and then, it goes on from its last id."""
    heard: list[tuple[str, float]] = written.heard.setdefault(name, [])
    last = "0"
    async with httpx.AsyncClient(base_url=place.base_url, timeout=60, trust_env=False) as client:
        while not stop.is_set():
            until = time.monotonic() + 7
            async with client.stream("GET", "/v1/changes/stream", headers={"Last-Event-ID": last}) as reply:
                async for line in reply.aiter_lines():
                    if line.startswith("data: "):
                        data = msgspec.json.decode(line.removeprefix("data: "))
                        heard.append((data["object_id"], time.monotonic()))
                        last = str(data["position"])
                    if stop.is_set() or time.monotonic() > until:
                        break


async def killing(place: Place, stop: asyncio.Event, every_s: float) -> int:
    """Workers beside the one that stays: each is killed in the middle of its work, and another started."""
    killed = 0
    while not stop.is_set():
        with process(place, "worker") as worker:
            await asyncio.sleep(every_s)
            worker.send_signal(signal.SIGKILL)
            worker.wait(10)
            killed += 1
    return killed


async def feed(place: Place, rounds: int, rate: float) -> dict[str, Any]:
    written, stop, bell = Written(), asyncio.Event(), Bell(place.driver, ENTRIES)
    readers = [
        asyncio.create_task(list_(place, written, stop, 0)),
        asyncio.create_task(list_(place, written, stop, 20)),
        *(asyncio.create_task(stream(place, written, stop, f"stream {n}")) for n in range(2)),
    ]
    killer = asyncio.create_task(killing(place, stop, rounds * ROUND_S / 20))
    for round_ in range(rounds):
        until = time.monotonic() + ROUND_S
        pace_s = WRITERS / rate * (1 - ABORTED)
        chances = [random.Random(f"{round_} {n}") for n in range(WRITERS)]
        await asyncio.gather(*(write(place, written, until, pace_s, one, bell) for one in chances))
    await waited(lambda: not written.is_waiting())
    stop.set()
    killed = await killer
    async with place.sessions() as db:  # whoever waits is woken once more
        await record(db, ACTOR, whistled("the end"), PUBLIC)
        await db.commit()
    bell.ring()
    await asyncio.wait(readers, timeout=60)
    return judged(written, killed, rounds)


def judged(written: Written, killed: int, rounds: int) -> dict[str, Any]:
    orders = {name: [id_ for id_, _ in heard if id_ in written.committed_at] for name, heard in written.heard.items()}
    reference = orders["list, wait 0"]
    lags = sorted(
        at - written.committed_at[id_] for id_, at in written.heard["stream 0"] if id_ in written.committed_at
    )
    return {
        "rounds": rounds,
        "committed": len(written.committed_at),
        "per second": round(len(written.committed_at) / (rounds * ROUND_S), 1),
        "workers killed": killed,
        "skipped": {name: len(written.committed_at.keys() - set(heard)) for name, heard in orders.items()},
        "doubled": {name: len(heard) - len(set(heard)) for name, heard in orders.items()},
        "same order": all(one == reference for one in orders.values()),
        # The longest one holds whatever a killed worker had taken up: nobody waited longer for the other to take over.
        "lag ms": {
            "p50": round(statistics.median(lags) * 1000),
            "p99": round(lags[int(len(lags) * 0.99)] * 1000),
            "max": round(lags[-1] * 1000),
        },
    }


async def listeners(place: Place, server_pid: int, count: int) -> dict[str, Any]:
    """Many who listen to one process, and what that costs in memory, at first and after a thousand changes."""
    bell, heard, listening = Bell(place.driver, ENTRIES), [0] * count, [False] * count
    async with place.sessions() as db:
        last = await db.scalar(select(func.max(JournalPosition.position)))
    before = rss_mb(server_pid)
    writers: list[asyncio.StreamWriter] = []

    async def listen(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", place.port, limit=1 << 20)
        writers.append(writer)
        writer.write(f"GET /v1/changes/stream?after={last} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        while True:
            line = await reader.readline()
            if not line:
                return
            listening[number] = True
            heard[number] += line.startswith(b"event: whistle.whistled")

    tasks = [asyncio.create_task(listen(n)) for n in range(count)]
    await waited(lambda: all(listening))
    opened = rss_mb(server_pid)
    sizes = []
    for _ in range(10):
        for _ in range(10):
            async with place.sessions() as db:
                for _ in range(10):
                    await record(db, ACTOR, whistled("x" * 300), PUBLIC)
                await db.commit()
            bell.ring()
            await asyncio.sleep(0.2)
        sizes.append(rss_mb(server_pid))
    await waited(lambda: min(heard) >= 1000)
    found = {
        "listeners": count,
        "heard": [min(heard), max(heard)],
        "memory MB": {"before": before, "listening": opened, "after each hundred": sizes},
        "connections of the database": await connections(place),
    }
    for task in tasks:
        task.cancel()
    for writer in writers:
        writer.close()
    return found


async def connections(place: Place) -> int:
    async with place.sessions() as db:
        return int(await db.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE usename = 'procure_app'")) or 0)


def rss_mb(pid: int) -> int:
    root = psutil.Process(pid)
    return int(sum(one.memory_info().rss for one in [root, *root.children(recursive=True)]) / 1e6)


async def proofs(place: Place, key: bytes, times: int) -> dict[str, Any]:
    """Verified again and again while it grows: not one false alarm."""
    alarms, report = [], verification.Report()
    for n in range(times):
        if n % 20 == 0:
            async with place.sessions() as db:
                await record(db, ACTOR, whistled(str(n)), PUBLIC)
                await db.commit()
        async with evidence.database(place.urls.app) as source:
            try:
                report = await verification.verify(source, key, vouched=frozenset(evidence.VOUCHED))
            except verification.Break as found:
                alarms.append(found.said)
    return {"verified": times, "false alarms": alarms, "entries": report.entries, "checkpoints": report.checkpoints}


@asynccontextmanager
async def place_at(urls: Urls, home: Path) -> Any:
    engine = make_engine(urls.app, pool_size=WRITERS + 4)
    driver, port = PooledDriver(urls.app, size=4), free_port()
    environment = {
        "PROCURE_DATABASE_URL": urls.app,
        "PROCURE_KEYS_PATH": str(home / "keys"),
        "PROCURE_BASE_URL": f"http://127.0.0.1:{port}",
        "PROCURE_LOG_LEVEL": "warning",
        "PROCURE_RATE_ADDRESS": "0",
        "PROCURE_RATE_STREAMS": "0",
    }
    yield Place(urls, environment, make_sessions(engine), driver, port)
    await driver.close()
    await engine.dispose()


async def run(urls: Urls, home: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    async with place_at(urls, home) as place:
        with ExitStack() as stack:
            service = stack.enter_context(process(place, "serve", "--port", str(place.port)))
            await asyncio.to_thread(wait_for, place.port, service)
            stack.enter_context(process(place, "worker"))
            key = FileKeyring(home / "keys" / "vault", _wall, create=False).public_signing_key
            return {
                "proofs": await proofs(place, key, arguments.proofs),  # first, while the journal is short
                "feed": await feed(place, arguments.rounds, arguments.rate),
                "streams": await listeners(place, service.pid, arguments.listeners),
            }


async def _wall() -> datetime:
    """No key is opened here; a keyring wants a clock all the same."""
    return wall_now()


def failures(report: dict[str, Any]) -> list[str]:
    told: list[tuple[str, Callable[[], bool]]] = [
        ("something was skipped", lambda: any(report["feed"]["skipped"].values())),
        ("something was doubled", lambda: any(report["feed"]["doubled"].values())),
        ("readers heard another order", lambda: not report["feed"]["same order"]),
        ("a listener missed something", lambda: report["streams"]["heard"] != [1000, 1000]),
        ("a proof failed", lambda: bool(report["proofs"]["false alarms"])),
    ]
    return [said for said, is_so in told if is_so()]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m drills.journal", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--rate", type=float, default=200, help="committed writes a second, together")
    parser.add_argument("--listeners", type=int, default=LISTENERS)
    parser.add_argument("--proofs", type=int, default=1000)
    arguments = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection for each listener, here and in the service
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="procure-drill-")))
        embedded = Embedded(home)
        stack.callback(remove, home)
        urls = stack.enter_context(embedded)
        migrate(urls.owner)
        report = asyncio.run(run(urls, home, arguments))
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    if found := failures(report):
        raise SystemExit("; ".join(found))


if __name__ == "__main__":
    main()

"""`python -m benchmarks.sealer`: what the sealer costs those who write, by turns with it and without it, on loopback.

Written are enquiries: their entries get positions at once (those about an open lot's bids wait for its seal, and would cost nothing
here). Told is the CPU of the service and of its own database connections per request, and how long one took; the sealer's own CPU is
told apart. Between turns what waits is placed, so that each turn with the sealer places what is written in it. About three minutes.
"""

import argparse
import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil

from benchmarks import load, world
from benchmarks.__main__ import HERE, Server, serving
from benchmarks.cpu import of_process, total
from procure.kit.ids import unordered_id
from procure.kit.postgres import Embedded, remove

QUESTION = b'{"question":"May the twenty changes come from two neighbouring districts, and who chooses them?"}'
WARM_UP, CONNECTIONS, SECONDS_MAX = 200, 8, 20
PLACED_MAX_S = 60
_WAITING = (
    "SELECT (SELECT max(id) FROM journal_entries WHERE hold IS NULL) > (SELECT max(entry_id) FROM journal_positions)"
)


@dataclass(frozen=True)
class Turn:
    """CPU in milliseconds per request, of the service with its connections, and of the sealer with its own; times in milliseconds."""

    cpu_ms: float
    p50_ms: float
    p99_ms: float
    sealer_ms: float = 0.0


async def backends(connection: asyncpg.Connection) -> set[int]:
    return {
        row["pid"] for row in await connection.fetch("SELECT pid FROM pg_stat_activity WHERE usename = 'procure_app'")
    }


async def turn(server: Server, own: set[int], others: set[int], requests: Iterator[bytes], count: int) -> Turn:
    """`own` are the processes of the database that work for the service, `others` those of the sealer and its connections."""
    before, before_others = of_process(server.pid) + total(own), total(others)
    bounded = itertools.islice(requests, count)
    result = await load.run(server.port, bounded, connections=CONNECTIONS, seconds=SECONDS_MAX, expect=201)
    if result.unexpected or not result.took:
        raise SystemExit(f"Unexpected replies: {result.unexpected or 'none at all'}")
    done = len(result.took)
    return Turn(
        cpu_ms=(of_process(server.pid) + total(own) - before) * 1000 / done,
        p50_ms=result.percentile(0.5) * 1000,
        p99_ms=result.percentile(0.99) * 1000,
        sealer_ms=(total(others) - before_others) * 1000 / done,
    )


@asynccontextmanager
async def sealing(connection: asyncpg.Connection, environment: dict[str, str]) -> AsyncGenerator[set[int]]:
    """A worker, with nothing left to place; its process and its database's. Ended by its own process id."""
    before = await backends(connection)
    process = subprocess.Popen(  # noqa: ASYNC220 - starting it takes no time of what is measured
        [sys.executable, "-m", "procure", "worker"], env={**os.environ, **environment}, cwd=HERE.parent
    )
    try:
        until = time.monotonic() + PLACED_MAX_S
        while await connection.fetchval(_WAITING) is not False:
            if time.monotonic() > until:
                raise SystemExit("What waited was not placed.")
            await asyncio.sleep(0.2)
        yield {process.pid} | (await backends(connection) - before)
        until = time.monotonic() + PLACED_MAX_S
        while await connection.fetchval(_WAITING) is not False:
            if time.monotonic() > until:
                raise SystemExit("What was written was not placed.")
            await asyncio.sleep(0.2)
    finally:
        process.terminate()
        process.wait(20)


async def compare(
    server: Server, dsn: str, environment: dict[str, str], requests: Iterator[bytes], arguments: argparse.Namespace
) -> list[tuple[Turn, Turn]]:
    connection = await asyncpg.connect(dsn)
    own_pid = {await connection.fetchval("SELECT pg_backend_pid()")}
    found = []
    async with sealing(connection, environment):
        pass  # what made the world is placed
    await load.run(server.port, itertools.islice(requests, WARM_UP), connections=CONNECTIONS, seconds=10, expect=201)
    service = await backends(connection) - own_pid
    for _ in range(arguments.rounds):
        without = await turn(server, service, set(), requests, arguments.count)
        async with sealing(connection, environment) as sealer:
            found.append((await turn(server, service, sealer, requests, arguments.count), without))
    await connection.close()
    return found


def asked(prepared: world.Prepared) -> Iterator[bytes]:
    """Each of another supplier or about another lot."""
    for caller, lot in itertools.cycle(itertools.product(prepared.tokens, prepared.lots)):
        yield load.request("POST", f"/v1/lots/{lot}/enquiries", token=caller, key=str(unordered_id()), body=QUESTION)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sealer", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="requests of one turn, at most")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="procure-sealer-")))
        embedded = Embedded(home)
        stack.callback(remove, home)
        urls = stack.enter_context(embedded)
        prepared = asyncio.run(world.prepare(urls, home, pairs=3000))
        many = {"PROCURE_RATE_CLIENT": "1000000", "PROCURE_LOG_LEVEL": "warning"}
        environment = {**prepared.service_environment, **many}
        server = stack.enter_context(serving("service", environment))
        found = asyncio.run(compare(server, world.dsn(urls.app), environment, asked(prepared), arguments))
    show(found, arguments.count)


def show(found: list[tuple[Turn, Turn]], count: int) -> None:
    cpu = sorted(one.cpu_ms / other.cpu_ms - 1 for one, other in found)
    p50 = sorted(one.p50_ms / other.p50_ms - 1 for one, other in found)
    quarter = len(cpu) // 4

    def told(values: list[float]) -> str:
        return f"{statistics.median(values):+.1%} (half of the turns between {values[quarter]:+.1%} and {values[-quarter - 1]:+.1%})"

    print(f"{len(found)} turns of {count} each, {psutil.cpu_count()} cores")
    print(f"CPU of service and its connections: {told(cpu)}\nmedian time of a request: {told(p50)}")
    middle = {name: statistics.median(getattr(one, name) for one, _ in found) for name in Turn.__dataclass_fields__}
    without = {name: statistics.median(getattr(one, name) for _, one in found) for name in Turn.__dataclass_fields__}
    print(json.dumps({"with": middle, "without": without}, default=float))


if __name__ == "__main__":
    main()

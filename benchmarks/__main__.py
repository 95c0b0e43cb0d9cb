"""`make bench`: read one published lot, list fifty, submit a sealed bid; each beside its floor, in one run, on loopback.

Prints CPU per operation of service and of PostgreSQL, rate, p50, p99 and the ratio to the floor, and writes `benchmarks/results.json`.
The ratio is of CPU, service plus PostgreSQL, since rates on a shared machine tell about its neighbours; what sealing itself costs is
measured here and subtracted from a submission.
"""

import argparse
import asyncio
import itertools
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from benchmarks import load, world
from benchmarks.cpu import of_process
from procure.kit.postgres import Embedded, remove

HERE = Path(__file__).parent
AIMS = {"read": 1.5, "list": 1.2, "submit": 2.0}
WARM_UP = 200
#: Each path is measured in rounds, service and floor by turns, and the round with the median ratio is told: neighbours come and go.
ROUNDS = 5


@dataclass(frozen=True)
class Row:
    """One path on one server. CPU in milliseconds per operation, times in milliseconds."""

    operations: int
    service_ms: float
    postgres_ms: float
    rate: float
    p50_ms: float
    p99_ms: float

    @property
    def cpu_ms(self) -> float:
        return self.service_ms + self.postgres_ms


@dataclass(frozen=True)
class Server:
    """A server process on a port of loopback."""

    port: int
    pid: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(target: str, environment: dict[str, str]) -> Iterator[Server]:
    """`python -m benchmarks.serve TARGET PORT`, ended by its own process id."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.serve", target, str(port)]
    process = subprocess.Popen(command, env={**os.environ, **environment}, cwd=HERE.parent)
    try:
        wait_for(port, process)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait(20)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"The server on port {port} did not start.")


async def measure(
    server: Server, postgres: int, requests: Iterator[bytes], arguments: argparse.Namespace, expect: int
) -> Row:
    await load.run(server.port, itertools.islice(requests, WARM_UP), connections=4, seconds=5, expect=expect)
    before = of_process(server.pid), of_process(postgres)
    bounded = itertools.islice(requests, arguments.count)
    result = await load.run(
        server.port, bounded, connections=arguments.connections, seconds=arguments.seconds, expect=expect
    )
    after = of_process(server.pid), of_process(postgres)
    if result.unexpected or not result.took:
        raise SystemExit(f"Unexpected replies: {result.unexpected or 'none at all'}")
    done = len(result.took)
    return Row(
        operations=done,
        service_ms=(after[0] - before[0]) * 1000 / done,
        postgres_ms=(after[1] - before[1]) * 1000 / done,
        rate=done / result.seconds,
        p50_ms=result.percentile(0.50) * 1000,
        p99_ms=result.percentile(0.99) * 1000,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--count", type=int, default=1500, help="operations per path, server and round, at most")
    parser.add_argument("--seconds", type=float, default=8, help="seconds per path, server and round, at most")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--paths", nargs="*", default=list(AIMS), choices=list(AIMS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="procure-bench-")))
        embedded = Embedded(home)
        stack.callback(remove, home)
        urls = stack.enter_context(embedded)
        prepared = asyncio.run(world.prepare(urls, home, pairs=(WARM_UP + arguments.count) * arguments.rounds))
        postgres = int((embedded.data / "postmaster.pid").read_text().split()[0])
        service = stack.enter_context(serving("service", prepared.service_environment))
        floor = stack.enter_context(serving("floor", prepared.floor_environment))
        report = asyncio.run(compare(service, floor, postgres, prepared, arguments))
    show(report)
    (HERE / "results.json").write_text(json.dumps(report, indent=2) + "\n")


async def compare(
    service: Server, floor: Server, postgres: int, prepared: world.Prepared, arguments: argparse.Namespace
) -> dict[str, object]:
    report: dict[str, object] = {
        "machine": {"python": platform.python_version(), "system": platform.machine(), "cores": psutil.cpu_count()},
        "seal_ms": prepared.seal_ms,
        "connections": arguments.connections,
    }
    for path in arguments.paths:
        expect = 201 if path == "submit" else 200
        ours, theirs = prepared.requests(path, "service"), prepared.requests(path, "floor")
        rounds = []
        for _ in range(arguments.rounds):
            one = await measure(service, postgres, ours, arguments, expect)
            other = await measure(floor, postgres, theirs, arguments, expect)
            sealing = prepared.seal_ms if path == "submit" else 0.0
            rounds.append(((one.cpu_ms - sealing) / other.cpu_ms, one, other))
        ratio, one, other = sorted(rounds, key=lambda found: found[0])[len(rounds) // 2]
        report[path] = {
            "service": asdict(one),
            "floor": asdict(other),
            "ratio": round(ratio, 2),
            "ratios": [round(found[0], 2) for found in rounds],
            "aim": AIMS[path],
        }
    return report


def show(report: dict[str, object]) -> None:
    print(f"sealing: {report['seal_ms']:.3f} ms of CPU, subtracted from a submission\n")
    print("path    server    ops   service ms  postgres ms    rate/s   p50 ms   p99 ms   ratio   aim")
    for path in AIMS:
        found = report.get(path)
        if not isinstance(found, dict):
            continue
        for name in ("service", "floor"):
            row = Row(**found[name])
            tail = f"{found['ratio']:>7.2f} {found['aim']:>5.1f}" if name == "service" else ""
            print(
                f"{path:<7} {name:<8} {row.operations:>5} {row.service_ms:>11.3f} {row.postgres_ms:>12.3f}"
                f" {row.rate:>9.0f} {row.p50_ms:>8.2f} {row.p99_ms:>8.2f} {tail}"
            )


if __name__ == "__main__":
    main()

"""Which HTTP server: granian as `procure serve` runs it beside uvicorn with uvloop and httptools, both with the real service.

    .venv/bin/uv pip install --python .venv/bin/python uvicorn httptools
    PYTHONPATH=tests .venv/bin/python -m benchmarks.servers

What it answered is in docs/adr/0001-http-server.md. Loopback alone, one worker each, by turns, about two minutes.
"""

import asyncio
import itertools
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import uvloop

from benchmarks import load, world
from benchmarks.__main__ import Server, free_port, wait_for
from benchmarks.cpu import of_process
from procure.kit.postgres import Embedded, remove

HERE = Path(__file__).parent
ROUNDS = 3
SECONDS = 0.8
CONNECTIONS = 16
IDLE_MAX_S = 20.0
COMMANDS = {
    "granian": "procure serve --port {port}",
    "uvicorn": "uvicorn procure.asgi:create --factory --port {port} --loop uvloop --http httptools --ws none"
    " --no-access-log --log-level error --timeout-graceful-shutdown 10",
}


@contextmanager
def serving(name: str, environment: dict[str, str]) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", *COMMANDS[name].format(port=port).split()]
    process = subprocess.Popen(command, env={**os.environ, **environment}, cwd=HERE.parent)
    try:
        wait_for(port, process)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait(20)


def rss_mb(pid: int) -> float:
    process = psutil.Process(pid)
    return float(sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])) / 1e6


def measure(server: Server, requests: Iterator[bytes]) -> dict[str, float]:
    before = of_process(server.pid)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(load.run(server.port, requests, connections=CONNECTIONS, seconds=SECONDS, expect=200))
    assert not result.unexpected, result.unexpected
    used = of_process(server.pid) - before
    done = len(result.took)
    return {
        "CPU us": used / done * 1e6,
        "per s": done / result.seconds,
        "p50 ms": result.percentile(0.5) * 1e3,
        "p99 ms": result.percentile(0.99) * 1e3,
    }


def closed_after(server: Server, sent: bytes) -> str:
    """How long a client may send no more than this."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", server.port), timeout=IDLE_MAX_S) as client:
        client.sendall(sent)
        try:
            while client.recv(4096):
                pass
        except TimeoutError:
            return f"still open after {IDLE_MAX_S:.0f} s"
    return f"closed after {time.perf_counter() - began:.0f} s"


def taken(server: Server, parts: Iterable[bytes]) -> str:
    """How much of an endless request is read, what is answered, and what it costs in memory."""
    before, sent, answer = rss_mb(server.pid), 0, b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        with suppress(OSError):
            for part in parts:
                client.sendall(part)
                sent += len(part)
        with suppress(OSError):
            answer = client.recv(4096).split(b"\r\n")[0]
    grown = rss_mb(server.pid) - before
    return f"{answer.decode() or 'nothing'}; {sent / 1e6:.1f} MB taken, memory +{grown:.0f} MB"


def endless_headers() -> Iterator[bytes]:
    yield b"GET /livez HTTP/1.1\r\nHost: x\r\n"
    yield from (b"X-%d: %s\r\n" % (number, b"a" * 100_000) for number in range(500))
    yield b"\r\n"


def endless_body() -> Iterator[bytes]:
    yield b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield from itertools.repeat(b"100000\r\n%s\r\n" % (b"a" * 0x100000), 200)
    yield b"0\r\n\r\n"


def behaviour(name: str, environment: dict[str, str]) -> dict[str, str]:
    idlers = {
        "sends nothing": b"",
        "half a header": b"GET /livez HTTP/1.1\r\nX-Half: ",
        "kept alive, idle": b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    }
    with serving(name, environment) as server, ThreadPoolExecutor(len(idlers)) as pool:
        waits = pool.map(lambda sent: closed_after(server, sent), idlers.values())
        return {
            **dict(zip(idlers, waits, strict=True)),
            "50 MB of headers": taken(server, endless_headers()),
            "200 MB body, chunked": taken(server, endless_body()),
        }


def main() -> None:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="procure-servers-")))
        stack.callback(remove, home)
        prepared = asyncio.run(world.prepare(stack.enter_context(Embedded(home)), home, pairs=1))
        environment = {**prepared.service_environment, "PROCURE_LOG_LEVEL": "warning"}
        seen: dict[tuple[str, str], list[dict[str, float]]] = {}
        for _, name in itertools.product(range(ROUNDS), COMMANDS):
            with serving(name, environment) as server:
                for path in ("livez", "read", "list"):
                    requests = (
                        itertools.repeat(load.request("GET", "/livez"))
                        if path == "livez"
                        else prepared.requests(path, "service")
                    )
                    measure(server, itertools.islice(requests, 200))
                    row = measure(server, requests) | {"RSS MB": rss_mb(server.pid)}
                    seen.setdefault((path, name), []).append(row)
        for (path, name), rounds in sorted(seen.items()):
            medians = {what: statistics.median(row[what] for row in rounds) for what in rounds[0]}
            print(f"{path:<6} {name:<8}", *(f"{what} {value:>8.2f}" for what, value in medians.items()))
        for name in COMMANDS:
            for what, told in behaviour(name, environment).items():
                print(f"{name:<8} {what:<21} {told}")


if __name__ == "__main__":
    main()

"""`procure serve`: the HTTP server, and how long a client may keep it waiting. Why granian: docs/adr/0001-http-server.md."""

import asyncio
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable
from multiprocessing.connection import wait

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

#: A connection that sends nothing, or only half of its headers, is closed after this; a kept-alive one as well.
HEADERS_MAX_S = 15
#: Beyond it granian answers 431 or 414 by itself, without a body, and closes; `kit.intake` answers below it, as a problem.
BUFFER_MAX_BYTES = 64 * 1024
#: Connections at once. Granian's own bound is 1,024, beyond which everybody waits: as many streams of changes would shut the service
#: (`journal.tail` has 5,000 at most).
CONNECTIONS_MAX = 10_000
#: Requests that are being answered when the service is told to stop get this long.
STOP_MAX_S = 10
#: Tells a worker process that it is about to be stopped, so that streams and long polls, which would go on, end before that time is up.
LET_GO = signal.SIGUSR1


class PortTaken(Exception):
    """Nothing can listen there; the message says why, and what to do."""


def check_port(host: str, port: int) -> None:
    """Raises PortTaken. Asked before anything is started: granian shares a port that another granian listens on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PortTaken(
            f"Port {port} of {host} can't be had: {reason}. `PORT={port + 1} make run`, or `--port`, takes another."
        ) from error


class _Server(MPServer):
    """Granian waits for all that is being answered, and hears of nothing that the application could do to end it."""

    def shutdown(self, exit_code: int = 0) -> None:
        for worker in multiprocessing.active_children():
            if worker.pid is not None:
                os.kill(worker.pid, LET_GO)
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]


def serve(host: str, port: int) -> None:
    """Until SIGINT or SIGTERM. One worker process: more of them go on a port of their own, behind a proxy."""
    check_port(host, port)
    _Server(
        "procure.asgi:create",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        loop=Loops.auto,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADERS_MAX_S * 1000, max_buffer_size=BUFFER_MAX_BYTES),
        websockets=False,
        backpressure=CONNECTIONS_MAX,
        log_access=False,
        log_level=LogLevels.warning,
        workers_kill_timeout=STOP_MAX_S,
    ).serve()


async def on_let_go(let_go: Callable[[], None]) -> None:
    """Call `let_go` when this worker process is told that it will be stopped."""
    asyncio.get_running_loop().add_signal_handler(LET_GO, let_go)


def end_with_parent() -> None:
    """Let this worker process stop when granian's main process is gone: killed, it could not take the worker along."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch(sentinel: int) -> None:
        wait([sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, args=(parent.sentinel,), name="parent", daemon=True).start()

"""Child processes: started together, watched, and ended together, however their parent ends.

Each is a session of its own, so that a terminal's Ctrl-C reaches the parent alone, which ends them in order. Each holds a
lifeline, a pipe whose other end only the parent has: where the parent is killed, the child reads its end and stops by itself.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

LIFELINE = "PROCURE_LIFELINE"
LOG_MAX_BYTES = 5 * 1024 * 1024
LAST_LINES = 15
LINE_MAX_BYTES = 64 * 1024
STOP_MAX_S = 15
KILL_MAX_S = 5


class Child:
    """`procure <arguments>` in a process of its own; what it says goes to a log of bounded size."""

    def __init__(self, name: str, arguments: Iterable[str], environment: Mapping[str, str], log: Path) -> None:
        self.name, self.log = name, log
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "procure", *arguments],
            env={**environment, LIFELINE: "1", "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"log of {name}", daemon=True)
        self._reader.start()

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative is the signal that ended it."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        if self.exit_code is None:
            self._process.terminate()

    def kill(self) -> None:
        """At once, with all that it started itself."""
        with suppress(ProcessLookupError, PermissionError):  # macOS refuses where only zombies are left
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(KILL_MAX_S)
        assert self._process.stdin is not None
        self._process.stdin.close()

    def said(self) -> str:
        """The last lines, complete once it has ended."""
        self._reader.join(1)
        return "\n".join(self.last_lines)

    def _read(self) -> None:
        assert self._process.stdout is not None
        log = _Log(self.log, maxBytes=LOG_MAX_BYTES, backupCount=1, encoding="utf-8")
        with self._process.stdout as stream:
            while line := stream.readline(LINE_MAX_BYTES):
                text = line.decode(errors="replace").rstrip("\n")
                self.last_lines.append(text)
                log.emit(logging.makeLogRecord({"msg": text}))
        log.close()


class _Log(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """A full disk must not end the service, nor fill the terminal."""


def stop(children: Iterable[Child], hurry: threading.Event) -> None:
    """Ask all to stop, wait, kill those that take longer than STOP_MAX_S, or all at once when `hurry` is set."""
    running = list(children)
    for child in running:
        child.ask_to_stop()
    until = time.monotonic() + STOP_MAX_S
    while any(child.exit_code is None for child in running) and time.monotonic() < until and not hurry.wait(0.02):
        pass
    for child in running:
        child.kill()


def hold_lifeline() -> None:
    """In a child: let this process stop once its parent is gone. Does nothing in a process that nobody supervises."""
    if os.environ.pop(LIFELINE, None) is None:
        return

    def watch() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()

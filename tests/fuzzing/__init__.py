"""Schemathesis against the service as it is served, with a demo marketplace in it: what its document allows and what it does not.

`make check` plays one seat with few examples (`test_fuzzing`), `python -m fuzzing` (`make drill`) every seat with many.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from procure.seats import Seat, Seats, read

HERE = Path(__file__).parent
START_MAX_S, STOP_MAX_S = 120, 60
#: Thousands of requests of one client and address.
UNLIMITED = {f"PROCURE_RATE_{name}": "off" for name in ("ADDRESS", "BIDS", "CLIENT", "REGISTRATIONS", "TOKEN_FAILURES")}


@dataclass(frozen=True)
class Played:
    """What came of a run."""

    code: int
    said: str

    @property
    def cases(self) -> int:
        found = re.search(r"(\d+) generated", self.said)
        return int(found[1]) if found else 0


@contextmanager
def served(place: Path, port: int) -> Iterator[Seats]:
    """A whole service of its own in this folder, without quotas; it ends with the block."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROCURE_")}
    log = place / "out"
    with log.open("wb") as out:
        running = subprocess.Popen(
            [sys.executable, "-m", "procure", "dev"],
            cwd=place,
            env={**environment, **UNLIMITED, "PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + START_MAX_S
        while "Ctrl-C stops" not in log.read_text():
            assert running.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        found = read(place / ".procure" / "credentials.json")
        assert found is not None
        yield found
    finally:
        running.terminate()
        running.wait(STOP_MAX_S)


def play(place: Path, seats: Seats, seat: Seat | None, *, examples: int, phases: str, max_s: int) -> Played:
    """One run as this seat, or as nobody. Ended after `max_s`, which is no success."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")),
        *("run", f"{seats.base_url}/openapi.json", "--no-color", "--max-examples", str(examples), "--phases", phases),
    ]
    if seat is not None:
        command += ["--header", f"Authorization: Bearer {token(seats, seat)}"]
    # Its hooks are a module of these tests.
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, timeout=max_s, check=False
    )
    return Played(done.returncode, done.stdout + done.stderr)


def token(seats: Seats, seat: Seat) -> str:
    form, pair = {"grant_type": "client_credentials"}, (str(seat.client_id), seat.client_secret)
    reply = httpx.post(f"{seats.base_url}/oauth/token", data=form, auth=pair, trust_env=False)
    return str(reply.raise_for_status().json()["access_token"])

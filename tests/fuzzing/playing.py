"""A whole service, and a run of Schemathesis against it as one seat."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from fuzzing import KNOWN, THINNED, TOLD
from fuzzing.market import begin, known, marketplace, values
from fuzzing.tally import Tally
from procure.kit.actor import Actor
from procure.kit.postgres import Urls
from procure.kit.settings import Settings

HERE = Path(__file__).parent
DOCUMENT: dict[str, Any] = json.loads((HERE.parents[1] / "openapi" / "procure.json").read_text())
OPERATIONS = frozenset(one["operationId"] for item in DOCUMENT["paths"].values() for one in item.values())
#: By operation, the alternatives of what it asks for.
SECURITY: dict[str, list[dict[str, list[str]]]] = {
    operation["operationId"]: operation.get("security", [])
    for item in DOCUMENT["paths"].values()
    for operation in item.values()
}
START_MAX_S, STOP_MAX_S = 120, 60
#: Thousands of requests of one client and address.
UNLIMITED = ("rate_address", "rate_bids", "rate_client", "rate_registrations", "rate_token_failures")


@dataclass(frozen=True)
class Served:
    """A service that runs, and where: its folder, its settings."""

    place: Path
    settings: Settings

    def complaints(self) -> list[str]:
        """Errors that service and worker have written down, whoever was told of them."""
        logs = (self.place / ".procure" / "logs").glob("*.log")
        # But for a line that is just being written. What was sent may hold what Unicode calls the end of a line.
        return [line for log in logs for line in log.read_text().rpartition("\n")[0].split("\n") if is_error(line)]


@dataclass(frozen=True)
class Played:
    """What came of a run."""

    code: int
    said: str
    tally: Tally
    #: Operations that this seat could have succeeded in.
    possible: frozenset[str]

    @property
    def cases(self) -> int:
        found = re.search(r"(\d+) generated", self.said)
        return int(found[1]) if found else 0


def is_error(line: str) -> bool:
    """Whatever is no entry of the log at all is one: a process that ends badly."""
    try:
        return msgspec.json.decode(line)["level"] not in {"info", "warning"}
    except (msgspec.DecodeError, KeyError, TypeError):
        return bool(line.strip())


def settings_at(place: Path, urls: Urls) -> Settings:
    """Of a sandbox at a free port, without quotas."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = Settings(
        database_url=urls.app,
        owner_url=urls.owner,
        keys_path=place / "keys",
        base_url=f"http://127.0.0.1:{port}",
        sandbox=True,
        log_level="error",
    )
    return msgspec.structs.replace(settings, **dict.fromkeys(UNLIMITED, 0))


@contextmanager
def served(place: Path, urls: Urls) -> Iterator[Served]:
    """A whole service of its own in this folder, on this database; it ends with the block."""
    settings = settings_at(place, urls)
    asyncio.run(begin(settings))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROCURE_")} | {
        "PROCURE_DATABASE_URL": urls.app,
        "PROCURE_OWNER_URL": urls.owner,
        "PROCURE_KEYS_PATH": str(settings.keys_path),
        "PORT": settings.base_url.rpartition(":")[2],
        **{f"PROCURE_{name.upper()}": "off" for name in UNLIMITED},
    }
    log = place / "out"
    with log.open("wb") as out:
        running = subprocess.Popen(
            [sys.executable, "-m", "procure", "dev"],
            cwd=place,
            env=environment,
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
        yield Served(place, settings)
        assert running.poll() is None, log.read_text()
    finally:
        running.terminate()
        running.wait(STOP_MAX_S)


def callable_by(actor: Actor | None) -> set[str]:
    """Operations that are not refused before anything is looked at, for want of a scope; to nobody, all of them.

    But for the stream: a reply that never ends is none to look at. `tests/journal` listens to it.
    """
    held = None if actor is None else set(actor.scopes)
    return {
        name
        for name, asked in SECURITY.items()
        if name != "streamChanges"
        if held is None or not asked or any(held.issuperset(chain.from_iterable(one.values())) for one in asked)
    }


async def learn(settings: Settings, seat: str) -> dict[str, Any]:
    """A new marketplace, and what this seat knows of it."""
    async with marketplace(settings) as (at, call):
        actor = at.people.get(seat)
        found = await known(at, call, actor, DOCUMENT)
        return {
            "authorization": call.headers(actor).get("Authorization"),
            "base_url": settings.base_url,
            "organisation_id": str(actor.organisation_id) if actor else None,
            "entries": found,
            "operations": sorted(callable_by(actor)),
            "values": values(at, found),
        }


def play(served: Served, seat: str, *, examples: int, phases: str, max_s: int, thinned: int = 1) -> Played:
    """One run as this seat, in a marketplace of its own, of the operations that are not closed to it. Ended after `max_s`, which is no
    success; `thinned` is of how many wrong requests of the coverage phase one is sent.
    """
    known_, told = served.place / f"{seat}.json", served.place / f"{seat}.told"
    learned = asyncio.run(learn(served.settings, seat))
    known_.write_text(json.dumps(learned))
    told.touch()
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")),
        *("run", f"{served.settings.base_url}/openapi.json", "--no-color"),
        *("--max-examples", str(examples), "--phases", phases),
    ]
    command += ["--include-operation-id-regex", f"^({'|'.join(learned['operations'])})$"]
    if learned["authorization"]:
        command += ["--header", f"Authorization: {learned['authorization']}"]
    # Its hooks are a module of these tests.
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent), KNOWN: str(known_), TOLD: str(told)}
    environment[THINNED] = str(thinned)
    done = subprocess.run(
        command, cwd=served.place, env=environment, capture_output=True, text=True, timeout=max_s, check=False
    )
    possible = {name for name, entries in learned["entries"].items() if any(entry["good"] for entry in entries)}
    tally = Tally.of(told.read_text().splitlines())
    return Played(done.returncode, done.stdout + done.stderr, tally, frozenset(possible))

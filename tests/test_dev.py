"""`make run` as its user sees it: real processes, a real database, real signals."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import httpx
import pytest

from procure.dev import NOTICES
from procure.seats import BUYER_SEATS, Seats, read
from procure.server import STOP_MAX_S

START_MAX_S = 90
END_MAX_S = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(what: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def descendants(pid: int) -> dict[int, str]:
    """Process ids, and what they run."""
    listing = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in listing.stdout.splitlines()]
    found, wanted = {}, [pid]
    while wanted:
        parent = wanted.pop()
        for own, above, command in rows:
            if int(above) == parent:
                found[int(own)] = command
                wanted.append(int(own))
    return found


def lives(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.strip().startswith("Z")


class Running:
    """One `procure dev`, and all that it started."""

    def __init__(self, place: Path, port: int) -> None:
        self.port, self._out = port, place / "out"
        with self._out.open("wb") as out:
            self.process = procure(place, "dev", port=port, out=out)
        assert until(lambda: "Ctrl-C stops" in self.said() or self.process.poll() is not None, START_MAX_S), self.said()
        self.children = descendants(self.process.pid)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def said(self) -> str:
        return self._out.read_text()

    def child(self, words: str) -> int:
        return next(pid for pid, command in self.children.items() if words in command)

    def ended(self) -> int:
        """Its exit code, once nothing of it runs any more."""
        code = self.process.wait(END_MAX_S)
        assert until(lambda: not any(map(lives, self.children)), END_MAX_S), self.children
        return code


def procure(place: Path, *arguments: str, port: int, out: BinaryIO | int = subprocess.PIPE) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROCURE_")}
    return subprocess.Popen(
        [sys.executable, "-m", "procure", *arguments],
        cwd=place,
        env={**environment, "PORT": str(port)},
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A checkout's folder, as far as `make run` is concerned; the tests below go on in it one after another."""
    place = tmp_path_factory.mktemp("run")
    yield place
    cleaning = procure(place, "clean", port=1)
    assert cleaning.communicate(timeout=END_MAX_S)[0] == ""


@pytest.fixture(scope="module")
def first(place: Path) -> Generator[Running]:
    running = Running(place, free_port())
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        running.ended()


@pytest.fixture(scope="module")
def seats(first: Running, place: Path) -> Seats:
    found = read(place / ".procure" / "credentials.json")
    assert found is not None, first.said()
    return found


def token(address: str, client_id: object, secret: str) -> httpx.Response:
    form = {"grant_type": "client_credentials"}
    return httpx.post(f"{address}/oauth/token", auth=(str(client_id), secret), data=form, trust_env=False)


def test_every_seat_of_the_job_is_told_and_works(first: Running, seats: Seats) -> None:
    told = first.said()
    assert [seat.seat for seat in seats.seats] == ["operator", *BUYER_SEATS, "bidder 1", "bidder 2", "bidder 3"]
    for seat in seats.seats:
        assert re.search(rf"^.*: {seat.seat} +{seat.client_id}  {seat.client_secret}$", told, re.MULTILINE)
        assert token(first.address, seat.client_id, seat.client_secret).status_code == 200


def test_a_supplier_portals_first_bid_takes_four_calls(first: Running, seats: Seats) -> None:
    """A token, the document, an open lot, the bid of the document's own example."""
    seat = seats.of("bidder 1")
    reply = token(first.address, seat.client_id, seat.client_secret)
    bearer = {"Authorization": f"Bearer {reply.json()['access_token']}"}
    document = httpx.get(f"{first.address}/openapi.json", trust_env=False).json()
    content = document["paths"]["/v1/lots/{lot_id}/bids"]["post"]["requestBody"]["content"]["application/json"]
    lots = httpx.get(f"{first.address}/v1/lots?status=published", headers=bearer, trust_env=False).json()["items"]
    reply = httpx.post(
        f"{first.address}/v1/lots/{lots[0]['id']}/bids",
        json=content["examples"]["example"]["value"],
        headers={**bearer, "Idempotency-Key": str(uuid4())},
        trust_env=False,
    )
    assert (reply.status_code, reply.json()["status"]) == (201, "submitted"), reply.text


def test_a_supplier_registers_itself_by_the_letter_in_the_folder(first: Running, place: Path) -> None:
    """As docs/registration.md tells it."""
    registrations, mail = f"{first.address}/v1/registrations", place / ".procure" / "mail"
    draft = {
        "name": "Example Digital Ltd",
        "identifier": {"scheme": "GB-COH", "id": "07590783"},
        "nation": "GB-ENG",
        "contact": {"name": "Example Director", "email": "director@supplier.example"},
    }
    reply = httpx.post(registrations, json=draft, trust_env=False)
    assert reply.status_code == 202, reply.text
    assert until(lambda: list(mail.glob("*.eml")) != [], 10), "the worker has sent nothing"
    (letter,) = mail.glob("*.eml")
    (code,) = re.findall(r"^ {4}([A-Za-z0-9_-]{43})$", letter.read_text(), re.MULTILINE)
    key = {"Idempotency-Key": str(uuid4())}
    confirm = f"{registrations}/{reply.json()['id']}/confirm"
    made = httpx.post(confirm, json={"code": code}, headers=key, trust_env=False).json()
    assert token(first.address, made["client_id"], made["client_secret"]).status_code == 200
    assert code not in "".join(log.read_text() for log in (place / ".procure" / "logs").iterdir())


def test_the_service_is_ready_migrated_and_a_sandbox(first: Running) -> None:
    assert httpx.get(f"{first.address}/readyz", trust_env=False).status_code == 200
    assert httpx.get(f"{first.address}/version", trust_env=False).json()["sandbox"] is True
    assert httpx.get(f"{first.address}/docs", trust_env=False).status_code == 200


def test_a_fresh_database_shows_a_small_marketplace(first: Running) -> None:
    outcomes = httpx.get(f"{first.address}/v1/register/outcomes", trust_env=False).json()["items"]
    assert len(outcomes) == NOTICES
    assert "not whole" not in first.said()


def test_credentials_and_keys_are_for_their_user_alone(seats: Seats, place: Path) -> None:
    home = place / ".procure"
    assert stat.S_IMODE((home / "credentials.json").stat().st_mode) == 0o600
    assert [stat.S_IMODE((home / name).stat().st_mode) for name in (".", "keys", "logs")] == [0o700] * 3


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_three_lines_work_when_pasted(first: Running, seats: Seats) -> None:
    lines = re.search(r"paste these:\n\n(.*)\n\n", first.said(), re.DOTALL)
    assert lines is not None
    assert len(lines[1].splitlines()) == 3
    shell = subprocess.run(["sh"], input=lines[1], capture_output=True, text=True, check=True)
    organisations, time_now = (json.JSONDecoder().raw_decode(text)[0] for text in _objects(shell.stdout))
    assert {one["name"] for one in organisations["items"]} >= {"Demo Council", "First Supplier"}
    assert time_now["ahead_seconds"] > 0  # the demo moves the clock


def _objects(text: str) -> list[str]:
    """Two JSON replies that follow each other."""
    _, end = json.JSONDecoder().raw_decode(text)
    return [text[:end], text[end:]]


def test_headers_without_end_and_a_body_cut_off_are_refused(first: Running) -> None:
    def answer(sent: bytes, *, then_end: bool) -> bytes:
        with socket.create_connection(("127.0.0.1", first.port), timeout=10) as client:
            client.sendall(sent)
            if then_end:
                client.shutdown(socket.SHUT_WR)
            return client.recv(65536)

    start = b"POST /oauth/token HTTP/1.1\r\nHost: x\r\n"
    assert answer(start + b"X-Long: " + b"a" * 100_000, then_end=False).startswith(b"HTTP/1.1 431 ")
    too_much = answer(start + b"X-Long: " + b"a" * 33_000 + b"\r\n\r\n", then_end=False)
    assert too_much.startswith(b"HTTP/1.1 431 ")
    assert b"/problems/headers-too-large" in too_much
    too_long = answer(b"GET /v1/lots?" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", then_end=False)
    assert too_long.startswith(b"HTTP/1.1 414 ")
    assert b"/problems/address-too-long" in too_long
    for cut in (b"Content-Length: 100\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc"):
        reply = answer(start + cut, then_end=True)
        assert reply.startswith(b"HTTP/1.1 400 ")
        assert b"application/problem+json" in reply
        assert b"/problems/body-cut" in reply


def test_a_second_run_beside_it_says_so_and_changes_nothing(first: Running, place: Path) -> None:
    same_port = procure(place, "dev", port=first.port)
    said, _ = same_port.communicate(timeout=END_MAX_S)
    assert (same_port.returncode, said.count("\n")) == (1, 1)
    assert f"Port {first.port} of 127.0.0.1 can't be had" in said
    assert f"PORT={first.port + 1} make run" in said
    same_place = procure(place, "dev", port=free_port())
    said, _ = same_place.communicate(timeout=END_MAX_S)
    assert (same_place.returncode, said.count("\n")) == (1, 1)
    assert "Procure runs here already" in said
    assert httpx.get(f"{first.address}/readyz", trust_env=False).status_code == 200


def test_the_data_of_a_running_one_is_not_cleaned_away(first: Running, place: Path) -> None:
    cleaning = procure(place, "clean", port=1)
    assert "Procure runs here already" in cleaning.communicate(timeout=END_MAX_S)[0]
    assert cleaning.returncode == 1
    assert httpx.get(f"{first.address}/readyz", trust_env=False).status_code == 200


def test_killed_it_takes_service_and_worker_along(first: Running) -> None:
    """PostgreSQL alone is left, for the next start to end."""
    first.process.kill()
    first.process.wait()
    ours = [pid for pid, command in first.children.items() if "-m procure" in command]
    assert len(ours) == 3  # the service's two and the worker
    assert until(lambda: not any(map(lives, ours)), END_MAX_S)
    assert lives(first.child("bin/postgres"))


def test_the_next_run_keeps_seats_and_data_and_ends_with_a_child_that_dies(seats: Seats, place: Path) -> None:
    second = Running(place, free_port())
    kept = read(place / ".procure" / "credentials.json")
    assert kept == Seats(second.address, seats.seats)
    assert token(second.address, seats.of("officer").client_id, seats.of("officer").client_secret).status_code == 200
    assert "Playing" not in second.said()
    with httpx.stream("GET", f"{second.address}/v1/changes/stream", timeout=END_MAX_S) as listening:
        heard = listening.iter_bytes()
        assert next(heard)
        os.kill(second.child("procure worker"), signal.SIGKILL)
        for _ in heard:  # to its end, which would be an error if it were cut off
            pass
    assert second.ended() == 1
    assert "Error: The worker was ended by signal 9, so everything is stopped." in second.said()


def test_lost_credentials_are_made_anew_and_two_ctrl_c_wait_for_nobody(seats: Seats, place: Path) -> None:
    (place / ".procure" / "credentials.json").write_text("{}")
    third = Running(place, free_port())
    found = read(place / ".procure" / "credentials.json")
    assert found is not None
    for before, now in zip(seats.seats[1:], found.seats[1:], strict=True):
        assert (now.seat, now.organisation_id, now.person_id) == (before.seat, before.organisation_id, before.person_id)
        assert now.client_secret != before.client_secret
    with socket.create_connection(("127.0.0.1", third.port)) as stalled:
        stalled.sendall(b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        assert stalled.send(b"grant") == 5
        began = time.monotonic()
        third.process.send_signal(signal.SIGINT)
        assert until(lambda: "Stopping" in third.said(), END_MAX_S)
        third.process.send_signal(signal.SIGINT)
        assert third.ended() == 0
    assert time.monotonic() - began < STOP_MAX_S  # which the service would give the stalled request


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP])
def test_told_to_end_while_it_starts_it_leaves_nothing(place: Path, ending: signal.Signals) -> None:
    out = place / "starting"
    inherited = signal.signal(ending, signal.SIG_DFL)  # under nohup this run ignores SIGHUP, and so would its children
    with out.open("wb") as file:
        starting = procure(place, "dev", port=free_port(), out=file)
    signal.signal(ending, inherited)
    assert until(lambda: any("procure serve" in command for command in descendants(starting.pid).values()), START_MAX_S)
    children = descendants(starting.pid)
    starting.send_signal(ending)
    assert starting.wait(END_MAX_S) == 0
    assert until(lambda: not any(map(lives, children)), END_MAX_S), children
    assert out.read_text() == "\nStopping ...\n"


def test_clean_removes_everything(seats: Seats, place: Path) -> None:
    home = place / ".procure"
    elsewhere = (home / "postgres").resolve()
    assert elsewhere.exists()
    cleaning = procure(place, "clean", port=1)
    assert cleaning.communicate(timeout=END_MAX_S)[0] == ""
    assert cleaning.returncode == 0
    assert not home.exists()
    assert not elsewhere.exists()

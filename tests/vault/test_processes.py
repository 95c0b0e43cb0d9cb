"""Threads, processes and crashes: whatever happens at once or half-way, no key is lost and none released early."""

import asyncio
import fcntl
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid5

import pytest

import procure
from procure.kit.errors import Fact
from procure.vault import files
from procure.vault.errors import KeyNotDue, KeyReleased, KeyUnknown, KeyUnreadable, VaultUnavailable
from procure.vault.keyring import FileKeyring
from vault.house import DUE, HOUR, INSTANT, LOT, NOON, OTHER_LOT, House, opens

_PROCESS = """
import asyncio, json, os, sys
from datetime import datetime, timedelta
from pathlib import Path
from traceback import walk_tb
from uuid import UUID
from procure.vault.keyring import FileKeyring

folder, now, what, *rest = sys.argv[1:]
moment = datetime.fromisoformat(now)
async def clock(): return moment
vault = lambda: FileKeyring(Path(folder), clock, wall=lambda: moment)

async def make_many(lot, count):
    ring = vault()
    keys = await asyncio.gather(*(ring.make_lot_key(UUID(lot), moment + timedelta(days=7)) for _ in range(int(count))))
    print(json.dumps({"signer": ring.signing_key_id, "keys": [key.key_id for key in keys]}))

async def delay_often(lot, key_id, first, step, count):
    ring = vault()
    for n in range(int(count)):
        await ring.delay(UUID(lot), key_id, moment + timedelta(days=8, seconds=int(first) + n * int(step)))

async def die_at(lot, replacement):
    ring, left, real = vault(), int(replacement), os.replace
    def replace(*names):
        nonlocal left
        left -= 1
        if left < 0:
            os._exit(9)
        real(*names)
    Path.replace = lambda self, target: replace(self, target)
    key = await ring.make_lot_key(UUID(lot), moment + timedelta(days=7))
    print(key.key_id)

asyncio.run({"make": make_many, "delay": delay_often, "die": die_at}[what](*rest))
"""


def start(house: House, *arguments: object) -> subprocess.Popen[str]:
    source = str(Path(procure.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-c", _PROCESS, str(house.folder), NOON.isoformat(), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": source},
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    with process:
        said, _ = process.communicate(timeout=60)
    return said


async def test_processes_that_start_together_share_one_keyring_and_lose_no_key(house: House) -> None:
    lots = [uuid5(LOT, str(n)) for n in range(3)]
    processes = [start(house, "make", lot, 12) for lot in lots]
    answers = [json.loads(finish(process)) for process in processes]
    vault = house.keyring(create=False)
    assert {answer["signer"] for answer in answers} == {vault.signing_key_id}
    house.now = DUE
    made = [(lot, key_id) for lot, answer in zip(lots, answers, strict=True) for key_id in answer["keys"]]
    assert len(set(made)) == 36
    for lot, key_id in made:
        assert (await vault.open_lot(lot, key_id)).key_id == key_id


async def test_extensions_by_processes_at_once_end_at_the_latest(house: House) -> None:
    key = await house.keyring().make_lot_key(LOT, DUE)
    processes = [start(house, "delay", LOT, key.key_id, first, 3, 40) for first in range(3)]
    assert [finish(process) for process in processes] == ["", "", ""]
    assert [process.returncode for process in processes] == [0, 0, 0]
    latest = DUE + timedelta(days=1, seconds=2 + 39 * 3)
    house.now = latest - INSTANT
    with pytest.raises(KeyNotDue) as caught:
        await house.keyring().open_lot(LOT, key.key_id)
    assert caught.value.not_before == latest


async def test_tasks_and_keyrings_of_one_process_lose_nothing(house: House) -> None:
    rings = [house.keyring() for _ in range(3)]
    shared = await rings[0].make_lot_key(LOT, DUE)
    delays = [ring.delay(LOT, shared.key_id, DUE + n * HOUR) for n in range(10) for ring in rings]
    keys = await asyncio.gather(*(ring.make_lot_key(OTHER_LOT, DUE) for ring in rings for _ in range(10)))
    await asyncio.gather(*delays)
    house.now = DUE + 9 * HOUR - INSTANT
    with pytest.raises(KeyNotDue):
        await rings[1].open_lot(LOT, shared.key_id)
    opened = await asyncio.gather(*(rings[2].open_lot(OTHER_LOT, key.key_id) for key in keys))
    assert all(opens(private, key) for private, key in zip(opened, keys, strict=True))


@pytest.mark.parametrize("written", [0, 1, 2])
async def test_a_crash_between_the_files_of_a_key_harms_no_other_and_is_swept(house: House, written: int) -> None:
    vault = house.keyring()
    sound = await vault.make_lot_key(LOT, DUE)
    before = house.files()
    process = start(house, "die", LOT, written)
    assert finish(process) == ""
    assert process.returncode == 9
    assert len(house.files()) == len(before) + written + 1
    after = house.keyring()
    new = await after.make_lot_key(LOT, DUE)
    assert await after.sweep({(LOT, sound.key_id), (LOT, new.key_id)}, HOUR) == min(written, 1)
    assert len(house.files()) == len(before) + 3
    house.now = DUE
    for key in (sound, new):
        assert opens(await after.open_lot(LOT, key.key_id), key)


async def test_half_a_key_is_no_key(house: House) -> None:
    vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE)
    house.now = DUE
    for kind in ("lots", "platform"):
        house.file(kind, key).unlink()
        with pytest.raises(KeyUnreadable):
            await vault.open_lot(LOT, key.key_id)
        with pytest.raises(KeyUnreadable):
            await vault.delay(LOT, key.key_id, DUE + HOUR)


async def test_a_lock_held_elsewhere_does_not_stop_the_event_loop(house: House) -> None:
    vault = house.keyring()
    with (house.folder / "lock").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        making = asyncio.create_task(vault.make_lot_key(LOT, DUE))
        for _ in range(1000):
            await asyncio.sleep(0)
        assert not making.done()
    key = await making
    house.now = DUE
    assert opens(await vault.open_lot(LOT, key.key_id), key)


async def test_a_lock_held_for_too_long_is_said(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = house.keyring()
    monkeypatch.setattr(files, "LOCK_WAIT_S", 0.0)
    with (house.folder / "lock").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(VaultUnavailable, match="lock"):
            await vault.make_lot_key(LOT, DUE)
    with vault._lock.held(), pytest.raises(VaultUnavailable, match="lock"):
        await vault.make_lot_key(LOT, DUE)
    assert (await vault.make_lot_key(LOT, DUE)).lot_id == LOT


async def test_a_clock_that_fails_releases_nothing_and_blocks_nobody(house: House) -> None:
    async def no_clock() -> datetime:
        raise ConnectionError

    key = await house.keyring().make_lot_key(LOT, NOON)
    with pytest.raises(ConnectionError):
        await FileKeyring(house.folder, no_clock).open_lot(LOT, key.key_id)
    assert opens(await house.keyring().open_lot(LOT, key.key_id), key)


@pytest.mark.parametrize("fact", [KeyNotDue(DUE), KeyUnknown(), KeyUnreadable(), KeyReleased(), VaultUnavailable()])
def test_what_the_vault_says_can_be_said_to_a_caller(fact: Fact) -> None:
    assert fact.status in {409, 503}
    assert fact.detail.endswith(".")

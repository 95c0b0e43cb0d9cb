"""What lies in the keyring's folder is closed to others, checked when read, and swept only when nobody needs it."""

import json
import os
from collections.abc import Callable
from datetime import timedelta

import pytest

from procure.vault import files, keyring
from procure.vault.errors import KeyNotDue, KeyUnknown, KeyUnreadable, VaultUnavailable
from vault.house import DUE, HOUR, INSTANT, LOT, NOON, OTHER_LOT, House, opens


async def test_folders_are_0700_and_files_0600_whatever_the_umask(house: House) -> None:
    before = os.umask(0)
    try:
        vault = house.keyring()
        key = await vault.make_lot_key(LOT, DUE)
        await vault.delay(LOT, key.key_id, DUE + HOUR)
        with pytest.raises(KeyNotDue):
            await vault.open_lot(LOT, key.key_id)
    finally:
        os.umask(before)
    modes = {path: path.stat().st_mode & 0o777 for path in (house.folder, *house.folder.rglob("*"))}
    assert len(modes) == 10
    assert {path for path, mode in modes.items() if mode != (0o700 if path.is_dir() else 0o600)} == set()


def test_a_folder_that_others_could_enter_is_closed(house: House) -> None:
    house.folder.mkdir(parents=True)
    house.folder.chmod(0o755)
    house.keyring()
    assert house.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["lots", "platform", "custodian"])
async def test_a_missing_file_is_named_in_a_sentence(house: House, kind: str) -> None:
    vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE)
    house.now = DUE
    house.file(kind, key).unlink()
    with pytest.raises(KeyUnreadable, match=f"{kind} .* is missing"):
        await vault.open_lot(LOT, key.key_id)


@pytest.mark.parametrize("kind", ["lots", "platform", "custodian"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:0],
        lambda whole: whole[:-1],
        lambda whole: whole + b"\x00",
        lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]),
        lambda whole: bytes(len(whole)),
    ],
    ids=["emptied", "cut", "longer", "bit", "zeroed"],
)
async def test_a_damaged_file_is_named_in_a_sentence(house: House, kind: str, damage: Callable[[bytes], bytes]) -> None:
    vault = house.keyring()
    key, sound = await vault.make_lot_key(LOT, DUE), await vault.make_lot_key(OTHER_LOT, DUE)
    house.now = DUE
    path = house.file(kind, key)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(KeyUnreadable, match=f"{kind} .* is damaged"):
        await vault.open_lot(LOT, key.key_id)
    assert opens(await vault.open_lot(OTHER_LOT, sound.key_id), sound)


@pytest.mark.parametrize("kind", ["platform", "custodian"])
async def test_a_share_of_another_key_is_noticed(house: House, kind: str) -> None:
    vault = house.keyring()
    key, other = await vault.make_lot_key(LOT, DUE), await vault.make_lot_key(OTHER_LOT, DUE)
    house.now = DUE
    house.file(kind, key).write_bytes(house.file(kind, other).read_bytes())
    with pytest.raises(KeyUnreadable, match="do not make"):
        await vault.open_lot(LOT, key.key_id)
    files.write(house.file(kind, key), bytes(31))
    with pytest.raises(KeyUnreadable, match="do not make"):
        await vault.open_lot(LOT, key.key_id)


async def test_a_record_of_another_key_is_noticed(house: House) -> None:
    """Else the record of a lot that is due would open one that is not."""
    vault = house.keyring()
    key, due = await vault.make_lot_key(LOT, DUE), await vault.make_lot_key(OTHER_LOT, NOON)
    house.file("lots", key).write_bytes(house.file("lots", due).read_bytes())
    with pytest.raises(KeyUnreadable, match="another key"):
        await vault.open_lot(LOT, key.key_id)


async def test_a_record_of_another_version_is_noticed(house: House) -> None:
    vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE)
    files.write(house.file("lots", key), json.dumps({"format": "other"}).encode())
    with pytest.raises(KeyUnreadable, match="understands"):
        await vault.open_lot(LOT, key.key_id)


async def test_an_unreadable_key_is_not_marked_as_released(house: House) -> None:
    vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE)
    house.now = DUE
    custodian = house.file("custodian", key)
    kept = custodian.read_bytes()
    custodian.unlink()
    with pytest.raises(KeyUnreadable):
        await vault.open_lot(LOT, key.key_id)
    custodian.write_bytes(kept)
    await vault.delay(LOT, key.key_id, DUE + HOUR)
    with pytest.raises(KeyNotDue):
        await vault.open_lot(LOT, key.key_id)


@pytest.mark.parametrize("key_id", ["0" * 32, "", "../../etc/passwd", "0" * 31 + "\n", "A" * 32, "x" * 10_000])
async def test_a_key_that_was_never_made_is_unknown(house: House, key_id: str) -> None:
    vault = house.keyring()
    await vault.make_lot_key(LOT, DUE)
    house.now = DUE
    with pytest.raises(KeyUnknown) as caught:
        await vault.open_lot(LOT, key_id)
    assert len(caught.value.detail) < 300
    with pytest.raises(KeyUnknown):
        await vault.delay(LOT, key_id, DUE + HOUR)


async def test_a_key_of_one_lot_is_unknown_to_another(house: House) -> None:
    vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE)
    house.now = DUE
    with pytest.raises(KeyUnknown):
        await vault.open_lot(OTHER_LOT, key.key_id)


async def test_a_damaged_clock_releases_nothing(house: House) -> None:
    vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE)
    with pytest.raises(KeyNotDue):
        await vault.open_lot(LOT, key.key_id)
    house.now = DUE
    (house.folder / "clock").write_bytes(b"2030-01-01T00:00:00+00:00")
    with pytest.raises(KeyUnreadable, match="clock"):
        await vault.open_lot(LOT, key.key_id)


def test_an_empty_folder_is_no_keyring_unless_one_is_to_be_made(house: House) -> None:
    with pytest.raises(VaultUnavailable, match="No such file"):
        house.keyring(create=False)
    house.folder.mkdir(parents=True)
    with pytest.raises(KeyUnreadable, match="mounted"):
        house.keyring(create=False)


async def test_a_lost_signing_key_is_never_replaced_in_silence(house: House) -> None:
    await house.keyring().make_lot_key(LOT, DUE)
    signing = house.folder / "platform-signing.key"
    kept = signing.read_bytes()
    signing.unlink()
    with pytest.raises(KeyUnreadable, match="no signing key"):
        house.keyring()
    signing.write_bytes(kept[:-1])
    with pytest.raises(KeyUnreadable, match=r"signing key .* is damaged"):
        house.keyring()


async def test_a_folder_that_went_away_is_said_without_a_path(house: House) -> None:
    vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE)
    house.folder.rename(house.folder.with_name("elsewhere"))
    for asked in (vault.make_lot_key(LOT, DUE), vault.delay(LOT, key.key_id, DUE), vault.open_lot(LOT, key.key_id)):
        with pytest.raises(VaultUnavailable, match="No such file") as caught:
            await asked
        assert str(house.folder) not in caught.value.detail


async def test_orphans_go_and_known_released_and_young_keys_stay(house: House) -> None:
    vault = house.keyring()
    committed, orphan, released = [await vault.make_lot_key(LOT, DUE) for _ in range(3)]
    house.now = DUE
    await vault.open_lot(LOT, released.key_id)
    house.wall = NOON + 2 * HOUR
    young = await vault.make_lot_key(OTHER_LOT, DUE)
    known = {(LOT, committed.key_id)}
    assert await vault.sweep(known, 2 * HOUR) == 0
    house.wall += INSTANT
    assert await vault.sweep(known, 2 * HOUR) == 1
    assert await vault.sweep(known, 2 * HOUR) == 0
    assert not any(orphan.key_id in path.name for path in house.files())
    with pytest.raises(KeyUnknown):
        await vault.open_lot(LOT, orphan.key_id)
    for key in (committed, released, young):
        assert opens(await vault.open_lot(key.lot_id, key.key_id), key)


async def test_the_age_of_an_orphan_is_no_matter_of_procurements_time(house: House) -> None:
    """In a sandbox a year may pass between a key and its commit."""
    vault = house.keyring()
    await vault.make_lot_key(LOT, DUE)
    house.now = NOON + timedelta(days=365)
    assert await vault.sweep(set(), HOUR) == 0


async def test_a_sweep_of_the_newest_keys_is_refused(house: House) -> None:
    with pytest.raises(ValueError, match="about to commit"):
        await house.keyring().sweep(set(), HOUR - INSTANT)


async def test_what_cannot_be_judged_is_not_swept(house: House) -> None:
    vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE)
    house.file("lots", key).write_bytes(b"damaged")
    house.wall = NOON + 100 * HOUR
    assert await vault.sweep(set(), HOUR) == 0
    assert house.file("platform", key).exists()


async def test_the_shares_of_a_known_key_outlive_the_loss_of_its_record(house: House) -> None:
    vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE)
    house.file("lots", key).unlink()
    house.wall = NOON + 100 * HOUR
    assert await vault.sweep({(LOT, key.key_id)}, HOUR) == 0
    assert house.file("platform", key).exists()
    assert house.file("custodian", key).exists()


async def test_a_sweep_is_bounded_and_the_next_one_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "SWEEP_KEYS_MAX", 2)
    vault = house.keyring()
    for _ in range(3):
        await vault.make_lot_key(LOT, DUE)
    house.wall = NOON + 2 * HOUR
    assert [await vault.sweep(set(), HOUR) for _ in range(3)] == [2, 1, 0]


async def test_a_stranger_file_is_left_alone(house: House) -> None:
    vault = house.keyring()
    stray = [house.folder / "lots" / name for name in ("README", f"{LOT}.backup", f"x.{'0' * 32}")]
    for path in stray:
        path.write_bytes(b"")
    assert await vault.sweep(set(), HOUR) == 0
    assert all(path.exists() for path in stray)

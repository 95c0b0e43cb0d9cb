"""The keyring keeps what it has promised, releases nothing early and shows no key to anyone."""

import copy
import logging
import pickle
from datetime import timedelta
from pathlib import Path
from traceback import walk_tb

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from procure.vault import files, shares
from procure.vault.errors import KeyNotDue, KeyReleased, KeyUnreadable
from procure.vault.keys import SCHEME, LotKey, Vault, fingerprint, signature_holds
from vault.house import DUE, HOUR, INSTANT, LOT, NOON, OTHER_LOT, VAULT, House, opens, zone


async def test_a_lots_key_is_signed_for_that_lot_alone(house: House) -> None:
    vault: Vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE)
    assert (key.lot_id, key.scheme, key.key_id) == (LOT, SCHEME, fingerprint(key.public_key))
    assert signature_holds(key, vault.public_signing_key)
    changed = [
        LotKey(OTHER_LOT, key.key_id, key.scheme, key.public_key, key.signature),
        LotKey(LOT, "0" * 32, key.scheme, key.public_key, key.signature),
        LotKey(LOT, key.key_id, "none", key.public_key, key.signature),
        LotKey(LOT, key.key_id, key.scheme, bytes(32), key.signature),
        LotKey(LOT, key.key_id, key.scheme, key.public_key, bytes(64)),
        LotKey(LOT, key.key_id, key.scheme, key.public_key, b"short"),
    ]
    assert not any(signature_holds(other, vault.public_signing_key) for other in changed)
    assert not signature_holds(key, X25519PrivateKey.generate().public_key().public_bytes_raw())
    assert not signature_holds(key, b"no key")


async def test_the_platform_signs_with_one_key_across_restarts(house: House) -> None:
    first, second = house.keyring(), house.keyring(create=False)
    assert first.public_signing_key == second.public_signing_key
    assert first.signing_key_id == second.signing_key_id == fingerprint(first.public_signing_key)
    Ed25519PublicKey.from_public_bytes(second.public_signing_key).verify(first.sign(b"message"), b"message")


async def test_every_publication_gets_a_key_of_its_own_and_loses_no_earlier_one(house: House) -> None:
    vault = house.keyring()
    first = await vault.make_lot_key(LOT, DUE)
    second = await vault.make_lot_key(LOT, DUE - HOUR)
    assert first.key_id != second.key_id
    house.now = DUE - INSTANT
    assert opens(await vault.open_lot(LOT, second.key_id), second)
    with pytest.raises(KeyNotDue):
        await vault.open_lot(LOT, first.key_id)
    house.now = DUE
    assert opens(await vault.open_lot(LOT, first.key_id), first)


async def test_a_released_key_can_be_had_again_by_any_process(house: House) -> None:
    key = await house.keyring().make_lot_key(LOT, DUE)
    house.now = DUE
    assert opens(await house.keyring().open_lot(LOT, key.key_id), key)
    house.now = NOON
    assert opens(await house.keyring(create=False).open_lot(LOT, key.key_id), key)
    (house.folder / "clock").unlink()
    assert opens(await house.keyring(create=False).open_lot(LOT, key.key_id), key)


# Time


async def test_a_key_is_released_at_not_before_and_not_an_instant_earlier(house: House) -> None:
    vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE)
    house.now = DUE - INSTANT
    with pytest.raises(KeyNotDue) as caught:
        await vault.open_lot(LOT, key.key_id)
    assert caught.value.not_before == DUE
    assert "2026-03-09T12:00:00+00:00" in caught.value.detail
    house.now = DUE
    assert opens(await vault.open_lot(LOT, key.key_id), key)


async def test_a_clock_that_stepped_back_opens_nothing_early(house: House) -> None:
    vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE)
    for moment in (DUE - HOUR, NOON - timedelta(days=400), DUE - INSTANT):
        house.now = moment
        with pytest.raises(KeyNotDue):
            await vault.open_lot(LOT, key.key_id)


async def test_the_vaults_time_stands_still_while_its_clock_is_behind(house: House) -> None:
    early = await house.keyring().make_lot_key(LOT, DUE)
    late = await house.keyring().make_lot_key(OTHER_LOT, DUE + HOUR)
    house.now = DUE + INSTANT
    with pytest.raises(KeyNotDue):
        await house.keyring().open_lot(OTHER_LOT, late.key_id)
    house.now = NOON
    assert opens(await house.keyring().open_lot(LOT, early.key_id), early)
    with pytest.raises(KeyNotDue):
        await house.keyring().open_lot(OTHER_LOT, late.key_id)


async def test_moments_mean_the_same_in_every_zone(house: House) -> None:
    vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE.astimezone(zone(5)))
    house.now = (DUE - INSTANT).astimezone(zone(-11))
    with pytest.raises(KeyNotDue) as caught:
        await vault.open_lot(LOT, key.key_id)
    assert caught.value.not_before == DUE
    assert "2026-03-09T12:00:00+00:00" in caught.value.detail
    house.now = DUE.astimezone(zone(-11))
    assert opens(await vault.open_lot(LOT, key.key_id), key)


async def test_a_moment_without_a_zone_is_refused(house: House) -> None:
    vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE)
    naive = DUE.replace(tzinfo=None)
    with pytest.raises(ValueError, match="offset"):
        await vault.make_lot_key(LOT, naive)
    with pytest.raises(ValueError, match="offset"):
        await vault.delay(LOT, key.key_id, naive)
    house.now = naive
    with pytest.raises(ValueError, match="offset"):
        await vault.open_lot(LOT, key.key_id)


async def test_an_extension_moves_not_before_later_and_only_later(house: House) -> None:
    vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE)
    await vault.delay(LOT, key.key_id, DUE + HOUR)
    await vault.delay(LOT, key.key_id, DUE + INSTANT)
    await vault.delay(LOT, key.key_id, NOON)
    house.now = DUE + HOUR - INSTANT
    with pytest.raises(KeyNotDue):
        await house.keyring().open_lot(LOT, key.key_id)
    house.now = DUE + HOUR
    assert opens(await house.keyring().open_lot(LOT, key.key_id), key)


async def test_a_released_key_cannot_be_delayed(house: House) -> None:
    vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE)
    house.now = DUE
    await vault.open_lot(LOT, key.key_id)
    with pytest.raises(KeyReleased):
        await vault.delay(LOT, key.key_id, DUE + HOUR)
    await vault.delay(LOT, key.key_id, DUE)


# Two locks


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_one_share_is_consistent_with_every_secret(secret: bytes, other: bytes) -> None:
    platform, custodian = shares.split(secret)
    assert shares.combine(platform, custodian) == secret
    assert shares.combine(platform, shares.combine(platform, other)) == other
    assert shares.combine(shares.combine(custodian, other), custodian) == other
    assert shares.split(secret)[0] != platform


def test_shares_of_different_lengths_are_not_combined() -> None:
    with pytest.raises(ValueError, match="zip"):
        shares.combine(bytes(32), bytes(31))


async def test_the_private_key_lies_in_no_file_and_in_no_share(house: House) -> None:
    vault = house.keyring()
    key = await vault.make_lot_key(LOT, DUE)
    house.now = DUE
    private = await vault.open_lot(LOT, key.key_id)
    secret = private.private_key.private_bytes_raw()
    assert all(secret not in path.read_bytes() for path in house.files())
    for kind in ("platform", "custodian"):
        share = files.read(house.file(kind, key))
        assert X25519PrivateKey.from_private_bytes(share).public_key().public_bytes_raw() != key.public_key


async def test_the_two_shares_lie_in_folders_of_their_own(house: House) -> None:
    key = await house.keyring().make_lot_key(LOT, DUE)
    names = {path.relative_to(house.folder).as_posix() for path in house.files()}
    name = f"{LOT}.{key.key_id}"
    assert names == {"platform-signing.key", "lock", f"lots/{name}", f"platform/{name}", f"custodian/{name}"}


async def test_nothing_shows_key_material(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vault = house.keyring()
    key, other = await vault.make_lot_key(LOT, DUE), await vault.make_lot_key(OTHER_LOT, DUE)
    house.now = DUE
    private = await vault.open_lot(LOT, key.key_id)
    held = [files.read(house.file(kind, key)) for kind in ("platform", "custodian")]
    house.file("platform", key).write_bytes(house.file("platform", other).read_bytes())
    with pytest.raises(KeyUnreadable) as caught:
        await vault.open_lot(LOT, key.key_id)
    said = caplog.text + repr(private) + str(private) + repr(vault) + repr(caught.value) + caught.value.detail
    for secret in (private.private_key.private_bytes_raw(), *held):
        assert secret.hex() not in said
        assert repr(secret)[2:-1] not in said
    for writing in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            writing(private)


@pytest.mark.parametrize("damage", ["swapped", "cut", "missing"])
async def test_a_traceback_that_prints_locals_prints_no_share(house: House, damage: str) -> None:
    vault = house.keyring()
    key, other = await vault.make_lot_key(LOT, DUE), await vault.make_lot_key(OTHER_LOT, DUE)
    house.now = DUE
    path = house.file("custodian", key)
    whole = path.read_bytes()
    held = [files.read(house.file("platform", key)), files.read(path)]
    path.unlink()
    if damage != "missing":
        path.write_bytes(whole[:-1] if damage == "cut" else house.file("custodian", other).read_bytes())
    with pytest.raises(KeyUnreadable) as caught:
        await vault.open_lot(LOT, key.key_id)
    shown = locals_of(caught.value)
    assert "FileKeyring" in shown
    assert not any(repr(share[:31])[2:-1] in shown for share in held)


def locals_of(error: BaseException | None) -> str:
    """What a log with locals would print of the vault's own frames, causes included."""
    if error is None:
        return ""
    frames = [
        frame.f_locals for frame, _ in walk_tb(error.__traceback__) if VAULT in Path(frame.f_code.co_filename).parents
    ]
    return repr(frames) + locals_of(error.__cause__ or error.__context__)

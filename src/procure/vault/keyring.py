"""The vault as a folder of files, for one machine: the default.

    platform-signing.key   the platform's Ed25519 private key
    clock                  the latest time the vault has acted on; it never acts on an earlier one
    lots/LOT.KEY           a key's record: public key, `not_before`, when made, when released; written last
    platform/LOT.KEY       the platform's share of the private key
    custodian/LOT.KEY      the custodian's

Where officers hold the second lock, only what lies in `custodian/` goes elsewhere.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Container, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from procure.kit.clock import wall_now
from procure.vault import files, shares
from procure.vault.errors import KeyNotDue, KeyReleased, KeyUnknown, KeyUnreadable, VaultUnavailable
from procure.vault.keys import SCHEME, LotKey, PrivateLotKey, fingerprint, statement

#: No publication takes this long from making its key to its commit.
SWEEP_AGE_MIN = timedelta(hours=1)
#: One sweep holds the lock; the rest is the next one's.
SWEEP_KEYS_MAX = 100

_KEY_ID = re.compile(r"[0-9a-f]{32}")


class _Record(msgspec.Struct, frozen=True):
    key: LotKey
    not_before: datetime
    made_at: datetime
    released_at: datetime | None = None


class FileKeyring:
    """A `Vault` on the local disk, shared by any number of threads and processes of one machine.

    `clock` is the vault's own reading of procurement's time: wall time, or in the sandbox the sandbox's. The age of
    orphans is a matter of the machine and read from `wall`. With `create=False` a folder without a signing key is
    refused: an unmounted disk must not be taken for a new keyring. Construction reads the disk; do it at start.
    """

    is_trial = False

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], Awaitable[datetime]],
        *,
        wall: Callable[[], datetime] = wall_now,
        create: bool = True,
    ) -> None:
        self._clock, self._wall = clock, wall
        self._signing_path, self._clock_path = folder / "platform-signing.key", folder / "clock"
        self._records, self._platform, self._custodian = folder / "lots", folder / "platform", folder / "custodian"
        self._lock = files.FolderLock(folder / "lock")
        with _disk():
            if create:
                self._make_folders(folder)
            with self._lock.held():
                self._signing_key = self._load_signing_key(create)
        self._public_signing_key = self._signing_key.public_key().public_bytes_raw()

    @property
    def public_signing_key(self) -> bytes:
        return self._public_signing_key

    @property
    def signing_key_id(self) -> str:
        return fingerprint(self._public_signing_key)

    def sign(self, message: bytes) -> bytes:
        return self._signing_key.sign(message)

    async def make_lot_key(self, lot_id: UUID, not_before: datetime) -> LotKey:
        return await asyncio.to_thread(self._make, lot_id, _utc(not_before))

    async def delay(self, lot_id: UUID, key_id: str, not_before: datetime) -> None:
        await asyncio.to_thread(self._delay, lot_id, key_id, _utc(not_before))

    async def open_lot(self, lot_id: UUID, key_id: str) -> PrivateLotKey:
        # The clock may be a database's: it is read before the lock, never while others wait for it.
        reading = _utc(await self._clock())
        return await asyncio.to_thread(self._open, lot_id, key_id, reading)

    async def sweep(self, known: Container[tuple[UUID, str]], older_than: timedelta) -> int:
        if older_than < SWEEP_AGE_MIN:
            raise ValueError(f"A key younger than {SWEEP_AGE_MIN} may belong to a publication that is about to commit.")
        return await asyncio.to_thread(self._sweep, known, older_than)

    def _make(self, lot_id: UUID, not_before: datetime) -> LotKey:
        private_key = X25519PrivateKey.generate()
        public_key = private_key.public_key().public_bytes_raw()
        key_id = fingerprint(public_key)
        signature = self.sign(statement(lot_id, key_id, SCHEME, public_key))
        key = LotKey(lot_id, key_id, SCHEME, public_key, signature)
        platform, custodian = shares.split(private_key.private_bytes_raw())
        with self._held():
            files.write(self._custodian / _name(lot_id, key_id), custodian)
            files.write(self._platform / _name(lot_id, key_id), platform)
            self._keep(_Record(key, not_before, made_at=self._wall()))
        return key

    def _delay(self, lot_id: UUID, key_id: str, not_before: datetime) -> None:
        with self._held():
            record = self._record(lot_id, key_id)
            if not_before <= record.not_before:
                return
            if record.released_at is not None:
                raise KeyReleased(f"The key of lot {lot_id} was released at {record.released_at.isoformat()}.")
            self._keep(msgspec.structs.replace(record, not_before=not_before))

    def _open(self, lot_id: UUID, key_id: str, reading: datetime) -> PrivateLotKey:
        with self._held():
            now = self._advance_clock(reading)
            record = self._record(lot_id, key_id)
            if record.released_at is None and now < record.not_before:
                raise KeyNotDue(record.not_before)
            private_key = self._private_key(record.key)
            if record.released_at is None:
                self._keep(msgspec.structs.replace(record, released_at=now))
        return PrivateLotKey(lot_id, key_id, private_key)

    def _sweep(self, known: Container[tuple[UUID, str]], older_than: timedelta) -> int:
        with self._held():
            folders = (self._records, self._platform, self._custodian)
            for folder in folders:
                files.remove_unfinished(folder)
            made_before = self._wall() - older_than
            held = {parsed for folder in folders for path in folder.iterdir() if (parsed := _parsed(path.name))}
            orphans = [at for at in held if at not in known and self._is_orphan(*at, made_before)][:SWEEP_KEYS_MAX]
            for lot_id, key_id in orphans:
                for folder in folders:
                    files.remove(folder / _name(lot_id, key_id))
        return len(orphans)

    def _is_orphan(self, lot_id: UUID, key_id: str, made_before: datetime) -> bool:
        if not (self._records / _name(lot_id, key_id)).exists():
            return True  # a crash while it was made: it was never handed to anyone
        try:
            record = self._record(lot_id, key_id)
        except KeyUnreadable:
            return False
        return record.released_at is None and record.made_at < made_before

    def _record(self, lot_id: UUID, key_id: str) -> _Record:
        if not _KEY_ID.fullmatch(key_id):
            raise KeyUnknown.of(lot_id, key_id)
        name = _name(lot_id, key_id)
        if not any((folder / name).exists() for folder in (self._records, self._platform, self._custodian)):
            raise KeyUnknown.of(lot_id, key_id)
        try:
            record = msgspec.json.decode(_read(self._records, name, "record"), type=_Record)
        except msgspec.MsgspecError as error:
            raise KeyUnreadable(f"The record of key {name} is not one that this version understands.") from error
        if (record.key.lot_id, record.key.key_id) != (lot_id, key_id):
            raise KeyUnreadable(f"The record of key {name} belongs to another key.")
        return record

    def _keep(self, record: _Record) -> None:
        files.write(self._records / _name(record.key.lot_id, record.key.key_id), msgspec.json.encode(record))

    def _private_key(self, key: LotKey) -> X25519PrivateKey:
        private_key = self._reassembled(_name(key.lot_id, key.key_id))
        if private_key is None or private_key.public_key().public_bytes_raw() != key.public_key:
            raise KeyUnreadable(f"The two shares of key {key.key_id} of lot {key.lot_id} do not make its private key.")
        return private_key

    def _reassembled(self, name: str) -> X25519PrivateKey | None:
        platform, custodian = _read(self._platform, name, "share"), _read(self._custodian, name, "share")
        if len(platform) != len(custodian) or len(platform) != 32:
            return None
        return X25519PrivateKey.from_private_bytes(shares.combine(platform, custodian))

    def _advance_clock(self, reading: datetime) -> datetime:
        """The later of this reading and every earlier one, kept before anything is decided by it."""
        if self._clock_path.exists():
            mark = datetime.fromisoformat(_read(self._clock_path.parent, self._clock_path.name, "mark").decode())
            if reading <= mark:
                return mark
        files.write(self._clock_path, reading.isoformat().encode())
        return reading

    def _make_folders(self, folder: Path) -> None:
        for each in (folder, self._records, self._platform, self._custodian):
            files.make_folder(each)

    def _load_signing_key(self, create: bool) -> Ed25519PrivateKey:
        path = self._signing_path
        if not path.exists():
            if not create or any(self._records.iterdir()):
                raise KeyUnreadable("The key vault's folder holds no signing key: is its disk mounted and complete?")
            files.write(path, Ed25519PrivateKey.generate().private_bytes_raw())
        return Ed25519PrivateKey.from_private_bytes(_read(path.parent, path.name, "signing key"))

    @contextmanager
    def _held(self) -> Iterator[None]:
        with _disk(), self._lock.held():
            yield


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise VaultUnavailable("Another process has held the key vault's lock for too long.") from error
    except OSError as error:
        raise VaultUnavailable(f"The key vault's folder cannot be used: {error.strerror or 'unknown'}.") from error


def _read(folder: Path, name: str, what: str) -> bytes:
    try:
        return files.read(folder / name)
    except FileNotFoundError as error:
        raise KeyUnreadable(f"The {folder.name} {what} of {name} is missing from the key vault.") from error
    except files.Damaged as error:
        raise KeyUnreadable(f"The {folder.name} {what} of {name} is damaged in the key vault.") from error


def _name(lot_id: UUID, key_id: str) -> str:
    return f"{lot_id}.{key_id}"


def _parsed(name: str) -> tuple[UUID, str] | None:
    lot_id, _, key_id = name.partition(".")
    try:
        return (UUID(lot_id), key_id) if _KEY_ID.fullmatch(key_id) else None
    except ValueError:
        return None


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("A moment without its offset from UTC is no moment.")
    return moment.astimezone(UTC)

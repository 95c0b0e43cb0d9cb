"""A keyring's folder and the clocks that a test moves."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

from procure.vault import files
from procure.vault.keyring import FileKeyring
from procure.vault.keys import LotKey, PrivateLotKey

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DUE = NOON + timedelta(days=7)
HOUR = timedelta(hours=1)
VAULT = Path(files.__file__).parent
INSTANT = timedelta(microseconds=1)
LOT = UUID("018f6b1c-0000-7000-8000-000000000001")
OTHER_LOT = UUID("018f6b1c-0000-7000-8000-000000000002")


@dataclass
class House:
    """A keyring's folder with the two clocks that a test moves."""

    folder: Path
    now: datetime = NOON
    wall: datetime = NOON

    async def read_clock(self) -> datetime:
        return self.now

    def keyring(self, *, create: bool = True) -> FileKeyring:
        """As another process would open it: nothing is shared but the folder."""
        return FileKeyring(self.folder, self.read_clock, wall=lambda: self.wall, create=create)

    def file(self, kind: str, key: LotKey) -> Path:
        return self.folder / kind / f"{key.lot_id}.{key.key_id}"

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())


def opens(private: PrivateLotKey, key: LotKey) -> bool:
    return private.private_key.public_key().public_bytes_raw() == key.public_key


def zone(hours: int) -> timezone:
    return timezone(timedelta(hours=hours))

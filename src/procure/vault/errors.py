"""What the vault refuses or cannot do. No text here ever holds key material or a path."""

from datetime import datetime
from typing import Self
from uuid import UUID

from procure.kit.errors import Conflict, Unavailable


class KeyNotDue(Conflict):
    """The vault's own clock has not reached the lot's `not_before`, which the fact carries."""

    slug, title = "key-not-due", "Too early to open the lot"

    def __init__(self, not_before: datetime) -> None:
        super().__init__(f"The key vault releases this lot's key at {not_before.isoformat()}, by its own clock.")
        self.not_before = not_before


class KeyReleased(Conflict):
    """Too late to delay: the key has been given out, so bids made for it may have been read."""

    slug, title = "key-released", "The lot's key has been released already"


class KeyUnknown(Unavailable):
    """The vault has never held this key, or has swept it as an orphan."""

    slug, title = "key-unknown", "The key vault does not hold this lot's key"

    @classmethod
    def of(cls, lot_id: UUID, key_id: str) -> Self:
        return cls(f"The key vault holds no key {key_id[:64]!r} of lot {lot_id}. Is it the keyring of this database?")


class KeyUnreadable(Unavailable):
    """A file of the keyring is damaged or missing: it has to come back from a backup."""

    slug, title = "key-unreadable", "A key of the key vault cannot be read"


class VaultUnavailable(Unavailable):
    """The vault as a whole cannot be reached: its folder, its disk or its lock."""

    slug, title = "vault-unavailable", "The key vault cannot be used just now"

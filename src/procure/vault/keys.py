"""What a vault is and gives out: the public key of a lot, signed, and in its time the private one."""

import hashlib
from collections.abc import Container
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NoReturn, Protocol
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

#: RFC 9180, base mode: KEM 0x0020, KDF 0x0001, AEAD 0x0002.
SCHEME = "HPKE-v1:X25519-HKDF-SHA256:HKDF-SHA256:AES-256-GCM"

_STATEMENT = b"procure/lot-key/v1\x00"


class LotKey(msgspec.Struct, frozen=True):
    """The public half, part of the published lot. `signature` is the platform's Ed25519 over `statement(…)`."""

    lot_id: UUID
    key_id: str
    scheme: str
    public_key: bytes
    signature: bytes


class PrivateLotKey:
    """The private half, once it is due. It shows itself in no text and cannot be pickled or copied."""

    __slots__ = ("key_id", "lot_id", "private_key")

    def __init__(self, lot_id: UUID, key_id: str, private_key: X25519PrivateKey) -> None:
        self.lot_id = lot_id
        self.key_id = key_id
        self.private_key = private_key

    def __repr__(self) -> str:
        return f"PrivateLotKey(lot_id={self.lot_id}, key_id={self.key_id!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A private lot key is written nowhere.")


class Opener(Protocol):
    """What publishing, extending and opening ask of a vault; on trial (`vault.trial`) nothing is kept and nothing opened."""

    is_trial: bool

    async def make_lot_key(self, lot_id: UUID, not_before: datetime) -> LotKey:
        """Make and keep a new key, durable on return: call it after validation, before the publishing commit.

        Every call makes another key and touches no earlier one, so that a retried publication can neither lose nor
        hasten the key of one that was committed; what is not committed is an orphan for `sweep`.
        """
        ...

    async def open_lot(self, lot_id: UUID, key_id: str) -> PrivateLotKey:
        """The private key, from `not_before` on. Raises KeyNotDue, KeyUnknown, KeyUnreadable."""
        ...

    async def delay(self, lot_id: UUID, key_id: str, not_before: datetime) -> None:
        """Move `not_before` later, durable on return: call it before the extension commits.

        An earlier moment changes nothing. Raises KeyReleased, KeyUnknown, KeyUnreadable.
        """
        ...


class Vault(Opener, Protocol):
    """Keeper of the lots' private keys. Implementations decide by their own clock, never by a time handed to them."""

    @property
    def public_signing_key(self) -> bytes:
        """The platform's Ed25519 public key, 32 bytes."""

    @property
    def signing_key_id(self) -> str:
        """Its fingerprint."""

    def sign(self, message: bytes) -> bytes:
        """The platform's Ed25519 signature, 64 bytes. Callers start `message` with a label of its purpose."""

    async def sweep(self, known: Container[tuple[UUID, str]], older_than: timedelta) -> int:
        """Destroy keys of publications that never committed; the number of them.

        `known` holds every (lot, key) in the database. A released key is never swept, nor one younger than
        `older_than`, which must exceed the longest time between `make_lot_key` and its commit.
        """


def fingerprint(public_key: bytes) -> str:
    """A key's id: the first 16 bytes of the SHA-256 of the public key, as 32 lower-case hexadecimal digits."""
    return hashlib.sha256(public_key).hexdigest()[:32]


def statement(lot_id: UUID, key_id: str, scheme: str, public_key: bytes) -> bytes:
    """What the platform signs about a lot's key: a label, then each field after its length in two bytes, big-endian."""
    fields = (lot_id.bytes, key_id.encode(), scheme.encode(), public_key)
    return _STATEMENT + b"".join(len(field).to_bytes(2, "big") + field for field in fields)


@lru_cache(maxsize=1024)
def signature_holds(key: LotKey, signer: bytes) -> bool:
    """Whether the Ed25519 public key `signer` signed exactly this key for exactly this lot."""
    message = statement(key.lot_id, key.key_id, key.scheme, key.public_key)
    try:
        Ed25519PublicKey.from_public_bytes(signer).verify(key.signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True

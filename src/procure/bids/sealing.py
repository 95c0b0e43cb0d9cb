"""The sealing of bids: bytes in, bytes out. `docs/sealing.md` says the same for whoever writes another client.

A sealed bid is HPKE (RFC 9180, base mode, single shot) to the lot's own public key. Nothing else in this service turns
a submitted bid into bytes that are stored, or back.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from procure.kit import merkle
from procure.kit.errors import Conflict
from procure.vault.keys import PrivateLotKey

#: Plaintext comes in multiples of this, so that a sealed bid's size says little about the bid.
STEP_BYTES = 4096
LENGTH_BYTES = 4
PLAINTEXT_BYTES_MAX = 1024 * 1024
CONTENT_BYTES_MAX = PLAINTEXT_BYTES_MAX - LENGTH_BYTES
#: What sealing adds: the encapsulated key (32) and the authentication tag (16).
OVERHEAD_BYTES = 48

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_INFO = b"procure/bid/v1\x00"
_LEAF = b"procure/seal-leaf/v1\x00"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Unreadable(Conflict):
    """A sealed bid cannot be opened. Wrong key, other place, changed bytes or padding: it is never said which."""

    slug, title = "bid-unreadable", "The sealed bid cannot be read"


@dataclass(frozen=True, slots=True)
class SealContext:
    """The one place where a sealed bid is valid; `lot_version` is the material version that the bid was made for."""

    lot_id: UUID
    lot_version: int
    supplier_id: UUID
    bid_id: UUID
    bid_version: int

    def info(self) -> bytes:
        """HPKE's `info`: a label, then fields of fixed width, so that no two contexts share their bytes."""
        lot = self.lot_id.bytes + _uint64(self.lot_version)
        return _INFO + lot + self.supplier_id.bytes + self.bid_id.bytes + _uint64(self.bid_version)


def seal(public_key: bytes, content: bytes, context: SealContext) -> bytes:
    """The encapsulated key and the ciphertext of `content`, at most `CONTENT_BYTES_MAX` of it (else ValueError)."""
    return _SUITE.encrypt(_padded(content), X25519PublicKey.from_public_bytes(public_key), context.info())


def unseal(key: PrivateLotKey, sealed: bytes, context: SealContext) -> bytes:
    """The content exactly as it was sealed, or Unreadable."""
    content = _opened(key, sealed, context)
    if content is None:
        raise Unreadable
    return content


def digest(sealed: bytes) -> bytes:
    """SHA-256 of the sealed bid: what receipt and seal vouch for."""
    return hashlib.sha256(sealed).digest()


def leaf(bid_id: UUID, bid_version: int, sealed_digest: bytes, received_at: datetime) -> bytes:
    """A bid's entry in its lot's seal; the time of receipt in whole microseconds since 1970, UTC."""
    if len(sealed_digest) != hashlib.sha256().digest_size:
        raise ValueError("The digest of a sealed bid has 32 bytes.")
    received_us = (received_at - _EPOCH) // timedelta(microseconds=1)
    return _LEAF + bid_id.bytes + _uint64(bid_version) + sealed_digest + _uint64(received_us)


def ordered(leaves: Iterable[bytes]) -> list[bytes]:
    """The leaves as they stand in the tree: by their bytes, so by bid id, which tells nothing of who came first."""
    standing = sorted(leaves)
    if len(set(standing)) != len(standing):
        raise ValueError("A bid stands in its lot's seal once.")
    return standing


def root(leaves: Iterable[bytes]) -> bytes:
    """The root that a lot's seal publishes, in whatever order they come; proofs are `kit.merkle`'s over `ordered`."""
    return merkle.root(ordered(leaves))


def _padded(content: bytes) -> bytes:
    if len(content) > CONTENT_BYTES_MAX:
        raise ValueError(f"A bid to be sealed has at most {CONTENT_BYTES_MAX} bytes.")
    return (len(content).to_bytes(LENGTH_BYTES, "big") + content).ljust(_padded_size(len(content)), b"\x00")


def _padded_size(content_size: int) -> int:
    steps = -(-(LENGTH_BYTES + content_size) // STEP_BYTES)
    return steps * STEP_BYTES


def _opened(key: PrivateLotKey, sealed: bytes, context: SealContext) -> bytes | None:
    if len(sealed) > PLAINTEXT_BYTES_MAX + OVERHEAD_BYTES:
        return None
    try:
        plaintext = _SUITE.decrypt(sealed, key.private_key, context.info())
    except InvalidTag:
        return None
    content = plaintext[LENGTH_BYTES : LENGTH_BYTES + int.from_bytes(plaintext[:LENGTH_BYTES], "big")]
    # One content has one plaintext: anything but the padding that `_padded` writes is refused.
    return content if _padded(content) == plaintext else None


def _uint64(number: int) -> bytes:
    return number.to_bytes(8, "big")

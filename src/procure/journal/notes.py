"""Checkpoints as text that anybody can check: C2SP tlog-checkpoint in a C2SP signed note, Ed25519 (RFC 8032).

    procure.example/journal
    1042
    mZk4…=                                     the tree's root, base64

    — procure.example/journal 5vQ1…=           key id and signature, base64

Spare lines of the body and signatures of others, such as witnesses, are allowed and left alone.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from procure.kit.merkle import HASH_BYTES

#: The note's type of signature: Ed25519 over the text.
_ED25519 = b"\x01"
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_KEY_ID_BYTES = 4


class Notary(Protocol):
    """Who signs: the platform's Ed25519 key (`vault.keys.Vault`)."""

    @property
    def public_signing_key(self) -> bytes: ...

    def sign(self, message: bytes) -> bytes: ...


class NoteInvalid(ValueError):
    """The text is no checkpoint, or is not signed by the key that is trusted; the message says which."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a note says: of which journal, how many entries, and the root over their leaves."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def origin_of(base_url: str) -> str:
    """The journal's name: the service's public address without its scheme, as the specification has it."""
    return base_url.partition("://")[2].rstrip("/") + "/journal"


def key_id(origin: str, public_key: bytes) -> bytes:
    """Four bytes that name a key in a note; no proof of anything."""
    return hashlib.sha256(origin.encode() + b"\n" + _ED25519 + public_key).digest()[:_KEY_ID_BYTES]


def verifier_key(origin: str, public_key: bytes) -> str:
    """The public key in the form that tools for signed notes take: name, key id, type and key."""
    return f"{origin}+{key_id(origin, public_key).hex()}+{b64encode(_ED25519 + public_key).decode()}"


def read_verifier_key(text: str) -> tuple[str, bytes]:
    """Origin and public key of what `verifier_key` writes; raises NoteInvalid."""
    origin, _, rest = text.strip().partition("+")
    named, _, encoded = rest.partition("+")
    try:
        raw = b64decode(encoded, validate=True)
    except Base64Error:
        raw = b""
    if raw[:1] != _ED25519 or len(raw) != 1 + 32 or named != key_id(origin, raw[1:]).hex():
        raise NoteInvalid("This is no Ed25519 verifier key like `procure.example/journal+1a2b3c4d+AQ…`.")
    return origin, raw[1:]


def sign(checkpoint: Checkpoint, notary: Notary) -> str:
    body = checkpoint.body()
    signature = key_id(checkpoint.origin, notary.public_signing_key) + notary.sign(body.encode())
    return f"{body}\n— {checkpoint.origin} {b64encode(signature).decode()}\n"


def verify(note: str, public_key: bytes, origin: str | None = None) -> Checkpoint:
    """The checkpoint that the key has signed, of `origin` if one is named; raises NoteInvalid."""
    text, _, signatures = note.rpartition("\n\n")
    checkpoint = _parsed(text)
    if origin is not None and checkpoint.origin != origin:
        raise NoteInvalid(f"The checkpoint is of {checkpoint.origin}, not of {origin}.")
    wanted = key_id(checkpoint.origin, public_key)
    for line in signatures.splitlines():
        mark, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        raw = _decoded(encoded)
        if mark == "—" and name == checkpoint.origin and raw[:_KEY_ID_BYTES] == wanted:
            _check(public_key, raw[_KEY_ID_BYTES:], f"{text}\n".encode())
            return checkpoint
    raise NoteInvalid("The checkpoint is not signed by this key.")


def _check(public_key: bytes, signature: bytes, message: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        raise NoteInvalid("The checkpoint's signature does not hold.") from None


def _parsed(text: str) -> Checkpoint:
    origin, _, rest = text.partition("\n")
    size, _, rest = rest.partition("\n")
    root = _decoded(rest.partition("\n")[0])
    if not origin or not _SIZE.fullmatch(size) or len(root) != HASH_BYTES:
        raise NoteInvalid("The text is no checkpoint: origin, size and root on a line each.")
    return Checkpoint(origin, int(size), root)


def _decoded(encoded: str) -> bytes:
    try:
        return b64decode(encoded, validate=True)
    except (Base64Error, ValueError):
        return b""

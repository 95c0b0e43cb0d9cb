"""Signatures after the Standard Webhooks specification (standardwebhooks.com): `v1`, HMAC-SHA256, and `v1a`, Ed25519.

What is signed is `id.timestamp.body`. While a secret follows another both sign, and the receiver takes whichever it knows.
"""

import hmac
import secrets
from base64 import b64encode
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: The specification asks for 24 to 64 bytes.
SECRET_BYTES = 32


class Scheme(StrEnum):
    """How a webhook's messages are signed: by a secret that both sides have, or by a key of which the receiver has the public half."""

    HMAC = "hmac-sha256"
    ED25519 = "ed25519"


class Made(NamedTuple):
    """A new secret, or the private half of a new key with its public half. Neither is for a log."""

    secret: bytes
    public_key: bytes | None


def make(scheme: Scheme) -> Made:
    if scheme is Scheme.HMAC:
        return Made(secrets.token_bytes(SECRET_BYTES), None)
    key = Ed25519PrivateKey.generate()
    return Made(key.private_bytes_raw(), key.public_key().public_bytes_raw())


def shown_secret(secret: bytes) -> str:
    return f"whsec_{b64encode(secret).decode()}"


def shown_key(public_key: bytes) -> str:
    return f"whpk_{b64encode(public_key).decode()}"


def headers(scheme: Scheme, keys: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a message. `timestamp` is of this attempt, seconds since 1970; `keys` are all that sign now."""
    said = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(scheme, key, said) for key in keys),
    }


def _signature(scheme: Scheme, key: bytes, said: bytes) -> str:
    if scheme is Scheme.HMAC:
        return f"v1,{b64encode(hmac.digest(key, said, 'sha256')).decode()}"
    return f"v1a,{b64encode(Ed25519PrivateKey.from_private_bytes(key).sign(said)).decode()}"

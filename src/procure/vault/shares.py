"""Two locks on one secret: either share alone is a uniformly random string and says nothing about it."""

import secrets


def split(secret: bytes) -> tuple[bytes, bytes]:
    """The platform's share and the custodian's."""
    platform = secrets.token_bytes(len(secret))
    return platform, combine(platform, secret)


def combine(platform: bytes, custodian: bytes) -> bytes:
    """The secret, by exclusive or; ValueError if the shares are of different lengths."""
    return bytes(a ^ b for a, b in zip(platform, custodian, strict=True))

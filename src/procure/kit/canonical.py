"""One canonical encoding of a document, and its digest.

JSON with sorted keys, no white space, UTF-8, amounts as strings: for the documents made here (no floats) this is the form of
RFC 8785 (JCS). Whatever is signed, hashed or compared goes through it.
"""

import hashlib

import msgspec

_encoder = msgspec.json.Encoder(order="sorted", decimal_format="string", uuid_format="canonical")


def canonical(document: object) -> bytes:
    """The canonical bytes of a Struct or of plain JSON values."""
    return _encoder.encode(document)


def digest(document: object) -> bytes:
    """SHA-256 of the canonical bytes: 32 bytes."""
    return hashlib.sha256(canonical(document)).digest()

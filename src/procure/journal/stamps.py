"""Time stamps of checkpoints (RFC 3161): what an authority is asked, and whether what it answers is a stamp of this note.

The stamp is over the whole text of the signed note, by its SHA-256: the root it holds, and so all entries up to its size, were there at
the time that the authority names. That is more than the journal's own signature says, whose maker could set back its clock.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from cryptography.x509 import Certificate, ObjectIdentifier, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimeStampRequest,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerifierBuilder,
    decode_timestamp_response,
)

#: RFC 3161, section 3.4.
QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
#: A stamp with its certificates takes three to eight thousand bytes.
REPLY_MAX = 64 * 1024
_SHA256 = ObjectIdentifier("2.16.840.1.101.3.4.2.1")


class StampInvalid(ValueError):
    """The bytes are no stamp of this note, or not one of an authority that is trusted; the message says which."""


class RootsInvalid(ValueError):
    """The file is no certificates in PEM."""


def read_roots(pem: bytes) -> list[Certificate]:
    """The certificates of a PEM file; raises RootsInvalid."""
    try:
        return load_pem_x509_certificates(pem)
    except ValueError:
        raise RootsInvalid("There are no certificates in it: PEM, as `-----BEGIN CERTIFICATE-----`.") from None


def ask(note: str) -> TimeStampRequest:
    """A request for this note, with a nonce of 64 bits, and for the authority's certificate beside its signature."""
    return TimestampRequestBuilder().data(note.encode()).hash_algorithm(HashAlgorithm.SHA256).build()


def check(reply: bytes, note: str, *, roots: Sequence[Certificate] = (), nonce: int | None = None) -> datetime:
    """The time of a TimeStampResp that stamps this note; raises StampInvalid.

    Its signature is checked where `roots` are given, as of the stamp's own time: certificates end, and what they signed before stays
    signed. `nonce` is that of the request, if this is its answer.
    """
    try:
        return _checked(decode_timestamp_response(reply), note, roots, nonce)
    except StampInvalid:
        raise
    except Exception as error:  # noqa: BLE001 - bytes of others' making: whatever the libraries say of them
        raise StampInvalid(f"It can't be read or verified: {error}.") from None


def _checked(reply: TimeStampResponse, note: str, roots: Sequence[Certificate], nonce: int | None) -> datetime:
    if reply.status != PKIStatus.GRANTED:
        raise StampInvalid(f"It was not granted (status {reply.status}).")
    said = reply.tst_info
    imprint = said.message_imprint
    if (imprint.hash_algorithm, imprint.message) != (_SHA256, hashlib.sha256(note.encode()).digest()):
        raise StampInvalid("It is a stamp of something else.")
    if nonce is not None and said.nonce != nonce:
        raise StampInvalid("It answers another request.")
    if roots:
        VerifierBuilder(roots=[*roots]).build().verify(reply, imprint.message)
    return said.gen_time

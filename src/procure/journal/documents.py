"""The leaf of an entry: the bytes whose hash stands in the public tree (RFC 9162), made so that each reader can check what they see.

What everybody in an entry's audience is shown lies open in the leaf; the rest is there as one hash. So whoever sees an entry can prove
that it stands where the journal says, without being told who acted or who else may see it; and whoever has the whole row, that nothing
of it was altered. What is hidden holds ids of 74 random bits: it can't be found by trying.
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec

from procure.kit.canonical import canonical
from procure.kit.merkle import leaf_hash


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """What of an entry is not shown to all of its audience. Hashes and digests are hexadecimal."""

    id: int
    xid: int
    cluster: int
    recorded_at: datetime
    organisation_id: UUID | None
    client_id: UUID | None
    person_id: UUID | None
    request_id: str | None
    digest: str | None
    personal_hash: str | None
    hold: UUID | None
    is_public: bool
    audience_organisations: list[UUID]
    audience_roles: list[str]
    audience_persons: list[UUID]


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """What is hashed: the entry as its audience sees it, and SHA-256 (hexadecimal) of the canonical `Apart`."""

    at: datetime
    type: str
    event_version: int
    object_type: str
    object_id: UUID | None
    object_version: int | None
    payload: msgspec.Raw
    apart: str


_APART = Apart.__struct_fields__
_HEX = frozenset({"digest", "personal_hash"})
#: The columns of a leaf, as SQL that the driver's connections answer in Python's types; `payload` is the exact text that was kept.
COLUMNS = ", ".join(
    ("at", "type", "event_version", "object_type", "object_id", "object_version", "payload::text AS payload", *_APART)
)


def leaf_of(row: Mapping[str, Any]) -> bytes:
    """The leaf's bytes, of a row of `COLUMNS`."""
    apart = Apart(**{name: _plain(name, row[name]) for name in _APART})
    return canonical(
        Leaf(
            at=row["at"],
            type=row["type"],
            event_version=row["event_version"],
            object_type=row["object_type"],
            object_id=row["object_id"],
            object_version=row["object_version"],
            payload=msgspec.Raw(row["payload"].encode()),
            apart=sha256(canonical(apart)).hexdigest(),
        )
    )


def _plain(name: str, value: Any) -> Any:
    return value.hex() if name in _HEX and value is not None else value


def hashed(row: Mapping[str, Any]) -> bytes:
    """The leaf's hash in the tree."""
    return leaf_hash(leaf_of(row))

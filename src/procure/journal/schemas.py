"""What is answered about the journal."""

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec
from msgspec import Meta

from procure.journal.models import JournalCheckpoint
from procure.kit.actor import Actor
from procure.kit.etags import tag_of
from procure.kit.fields import Instant, Version

#: A place in the one public order, from 1 on; 0 is before the first.
Place = Annotated[int, Meta(ge=0, le=2**53 - 1)]
#: A name like `lot.published`: what it is about, and what happened to it.
EventType = Annotated[str, Meta(pattern=r"^[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*$", max_length=60)]
Kind = Annotated[str, Meta(pattern=r"^[a-z]+(_[a-z]+)*$", max_length=40)]
#: 32 bytes of SHA-256, base64 as in a checkpoint.
Hash = Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]{43}=$", max_length=44)]
#: A C2SP signed note.
Note = Annotated[str, Meta(max_length=4000)]


class Doer(msgspec.Struct, frozen=True):
    """Who did it: told to their own organisation alone."""

    organisation_id: UUID | None
    client_id: UUID | None
    person_id: UUID | None
    request_id: Annotated[str, Meta(max_length=64)] | None


class ChangeView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened, as this caller may see it. `data` has the fields of its type and `event_version`.

    `by` is null where it was not your organisation.
    """

    position: Place
    at: Instant
    type: EventType
    event_version: Version
    object_type: Kind
    object_id: UUID | None
    object_version: Version | None
    data: dict[str, Any]
    by: Doer | None

    @classmethod
    def of(cls, row: Mapping[str, Any], actor: Actor) -> "ChangeView":
        is_own = actor.organisation_id is not None and row["organisation_id"] == actor.organisation_id
        # The exact text that was kept, sent as it is.
        data: Any = msgspec.Raw(row["payload"].encode())
        return cls(
            position=row["position"],
            at=row["at"],
            type=row["type"],
            event_version=row["event_version"],
            object_type=row["object_type"],
            object_id=row["object_id"],
            object_version=row["object_version"],
            data=data,
            by=Doer(row["organisation_id"], row["client_id"], row["person_id"], row["request_id"]) if is_own else None,
        )


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Changes in their order. Ask again with `after` as `next`, whatever was in this reply: there is always a next.

    `is_caught_up`: nothing that you may see lies behind, as of now.
    """

    items: Annotated[list[ChangeView], Meta(max_length=200)]
    next: Place
    is_caught_up: bool


class WebhookData(msgspec.Struct, frozen=True, kw_only=True):
    """Which change it is: whoever wants to know what it says reads it by its position; 0 of a test."""

    position: Place
    object_type: Kind
    object_id: UUID | None
    object_version: Version | None
    event_version: Version


class WebhookPayload(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook is sent of a change (Standard Webhooks): that it is there, and what it is about, but nothing of its content."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "type": "lot.published",
        "timestamp": "2026-11-24T09:00:00Z",
        "data": {
            "position": 4711,
            "object_type": "lot",
            "object_id": "0199c0de-0000-7000-8000-000000000020",
            "object_version": 3,
            "event_version": 1,
        },
    }

    type: EventType
    timestamp: Instant
    data: WebhookData


class CheckpointView(msgspec.Struct, frozen=True, kw_only=True):
    """The journal as it was: how many entries, the root of the Merkle tree over them (RFC 9162), and the note that is signed (C2SP).

    `stamped_at` is when an authority says that the note was there, where one has stamped it (RFC 3161); its stamp can be read beside it.
    """

    size: Place
    root: Hash
    made_at: Instant
    note: Note
    stamped_at: Instant | None

    @property
    def etag(self) -> str:
        return tag_of(type(self), self.size, self.note, self.stamped_at)

    @classmethod
    def of(cls, row: JournalCheckpoint, stamped_at: datetime | None) -> "CheckpointView":
        root = b64encode(row.root).decode()
        return cls(size=row.size, root=root, made_at=row.sealed_at, note=row.note, stamped_at=stamped_at)


class Checkpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first. `next` is for `before` of the next request; null on the last page."""

    items: Annotated[list[CheckpointView], Meta(max_length=200)]
    next: Place | None


class JournalKey(msgspec.Struct, frozen=True, kw_only=True):
    """By what checkpoints are checked: keep it, so that no other key can take its place."""

    origin: Annotated[str, Meta(max_length=300)]
    verifier_key: Annotated[str, Meta(max_length=400)]
    public_key: Hash


Hashes = Annotated[list[Hash], Meta(max_length=64)]


class InclusionProof(msgspec.Struct, frozen=True, kw_only=True):
    """That this entry stands at its position in the tree of `size` entries (RFC 9162, section 2.1.3): leaf index `position` - 1.

    `leaf` is the text that is hashed, after a zero byte; `hashes` are those on the way to the root that `checkpoint` signs.
    """

    position: Place
    leaf: Annotated[str, Meta(max_length=1_000_000)]
    leaf_hash: Hash
    size: Place
    hashes: Hashes
    checkpoint: Note


class ConsistencyProof(msgspec.Struct, frozen=True, kw_only=True):
    """That the tree of `to` entries begins with that of `since`, unaltered (RFC 9162, section 2.1.4)."""

    since: Place
    to: Place
    hashes: Hashes

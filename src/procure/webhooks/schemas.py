"""What is sent and answered about webhooks."""

from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from procure.journal.schemas import EventType, Kind, Place, WebhookData, WebhookPayload
from procure.kit.actor import Role
from procure.kit.etags import TaggedByContent, tag_of
from procure.kit.fields import Instant, Line, Name, Version
from procure.webhooks.models import Webhook, WebhookDelivery
from procure.webhooks.rules import ATTEMPTS_MAX, DeliveryStatus, WebhookStatus
from procure.webhooks.sending import Trouble
from procure.webhooks.signatures import Scheme, shown_key, shown_secret
from procure.webhooks.targets import URL_MAX

#: Which spellings are taken is for `targets` to say.
HookUrl = Annotated[
    str,
    Meta(
        pattern=r"^https?://\S+$",
        min_length=9,
        max_length=URL_MAX,
        description="https, a DNS name, and neither user nor fragment. A sandbox may be set to take http on loopback.",
    ),
]
Types = Annotated[
    list[EventType], Meta(min_length=1, max_length=200, description="Types of changes; null is all of them.")
]
Roles = Annotated[
    list[Role],
    Meta(
        max_length=10,
        description="As whose holder it sees: of your own roles. Without any it sees what is public, and what all of you may see.",
    ),
]
ShownSecret = Annotated[str, Meta(pattern=r"^whsec_[A-Za-z0-9+/]{43}=$", max_length=50)]
ShownKey = Annotated[str, Meta(pattern=r"^whpk_[A-Za-z0-9+/]{43}=$", max_length=49)]
MessageId = Annotated[str, Meta(pattern=r"^[a-z]+_[0-9a-f_]+$", max_length=60)]
Attempts = Annotated[int, Meta(ge=0, le=ATTEMPTS_MAX)]
HttpStatus = Annotated[int, Meta(ge=100, le=999)]


class WebhookDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A webhook to be made. `after` is the position from which it begins; without, it is sent what happens from now on."""

    EXAMPLE: ClassVar[object] = {
        "name": "Supplier portal",
        "url": "https://portal.example/hooks/procure",
        "types": ["lot.published", "award.approved"],
        "scheme": "hmac-sha256",
    }

    name: Name
    url: HookUrl
    types: Types | None = None
    roles: Roles = []
    scheme: Scheme = Scheme.HMAC
    after: Place | None = None


class WebhookPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to change; what is left out stays."""

    EXAMPLE: ClassVar[object] = {"url": "https://portal.example/hooks/v2", "types": None}

    name: Name | UnsetType = UNSET
    url: HookUrl | UnsetType = UNSET
    types: Types | UnsetType | None = UNSET
    roles: Roles | UnsetType = UNSET


class WebhookReason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why; kept in the journal, and shown."""

    EXAMPLE: ClassVar[object] = {"reason": "The portal moves to another host."}

    reason: Line


class Replay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last position that you have: all that came after it is sent once more."""

    EXAMPLE: ClassVar[object] = {"after": 0}

    after: Place


class WebhookView(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook, without its secret. `public_keys` check its signatures where they are Ed25519, the newest first.

    The secret before the present one signs too until `rotation_ends_at`. `reason` says why it is paused or disabled.
    """

    id: UUID
    organisation_id: UUID
    name: Name
    url: HookUrl
    types: Types | None
    roles: Roles
    scheme: Scheme
    public_keys: Annotated[list[ShownKey], Meta(max_length=2)]
    rotation_ends_at: Instant | None
    status: WebhookStatus
    reason: Line | None
    created_at: Instant
    version: Version

    @property
    def etag(self) -> str:
        """The secret that is shown once is none of it."""
        return tag_of(WebhookView, self.id, self.version)

    @classmethod
    def of(cls, row: Webhook) -> "WebhookView":
        return cls(
            id=row.id,
            organisation_id=row.organisation_id,
            name=row.name,
            url=row.url,
            types=row.types,
            roles=[Role(role) for role in row.roles],
            scheme=row.scheme,
            public_keys=[shown_key(one) for one in (row.public_key, row.public_key_before) if one is not None],
            rotation_ends_at=row.secret_before_ends_at,
            status=row.status,
            reason=row.reason,
            created_at=row.created_at,
            version=row.version,
        )


class NewWebhookView(WebhookView, frozen=True, kw_only=True):
    """A webhook with its new secret, which is shown this once; null where the signature needs none that you would keep."""

    secret: ShownSecret | None

    @classmethod
    def with_secret(cls, row: Webhook, secret: bytes) -> "NewWebhookView":
        shown = shown_secret(secret) if row.scheme is Scheme.HMAC else None
        return cls(**msgspec.structs.asdict(WebhookView.of(row)), secret=shown)


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One message: what it was about, and how it went. `position` is null of a test.

    `next_attempt_at` is when it is tried while it waits, unless an earlier one about the same thing waits as well. `answer` is the status
    of the latest reply, if there was one, and `trouble` why it was not taken. Instants but `at` are by the machine's time.
    """

    id: UUID
    webhook_id: UUID
    message_id: MessageId
    position: Place | None
    type: EventType
    at: Instant
    object_type: Kind
    object_id: UUID | None
    object_version: Version | None
    status: DeliveryStatus
    attempts: Attempts
    next_attempt_at: Instant | None
    attempted_at: Instant | None
    answer: HttpStatus | None
    trouble: Trouble | None
    made_at: Instant

    @classmethod
    def of(cls, row: WebhookDelivery) -> "DeliveryView":
        waits = row.status is DeliveryStatus.WAITING
        return cls(
            id=row.id,
            webhook_id=row.webhook_id,
            message_id=row.message_id,
            position=row.position,
            type=row.type,
            at=row.at,
            object_type=row.object_type,
            object_id=row.object_id,
            object_version=row.object_version,
            status=row.status,
            attempts=row.attempts,
            next_attempt_at=row.due_at if waits else None,
            attempted_at=row.attempted_at,
            answer=row.answer,
            trouble=row.trouble,
            made_at=row.created_at,
        )


class WebhookProgress(TaggedByContent, frozen=True, kw_only=True):
    """How far a webhook has come: everything up to `position` was taken in, `waiting` of it is still to be delivered.

    `dead` counts the dead letters of the log; `journal` is the journal's last position.
    """

    position: Place
    journal: Place
    waiting: Place
    dead: Place
    waiting_since: Instant | None


def body_of(row: WebhookDelivery) -> bytes:
    """The same bytes at every attempt. A test has the position 0, before the first."""
    data = WebhookData(
        position=row.position or 0,
        object_type=row.object_type,
        object_id=row.object_id,
        object_version=row.object_version,
        event_version=row.event_version,
    )
    return msgspec.json.encode(WebhookPayload(type=row.type, timestamp=row.at, data=data))

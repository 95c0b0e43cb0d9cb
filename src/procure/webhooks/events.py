"""What the journal tells of webhooks. Their addresses may hold keys, so it tells none."""

from typing import ClassVar
from uuid import UUID

from procure.journal.events import Event, Told
from procure.journal.schemas import Place
from procure.kit.fields import Line
from procure.kit.scopes import Scope
from procure.webhooks.schemas import Roles, Types


class WebhookAdded(Event, frozen=True, kw_only=True):
    """A webhook was made: from `after` on it is sent what holders of `roles` may see, of `types` if they are named."""

    type: ClassVar[str] = "webhook.added"
    object_type: ClassVar[str] = "webhook"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.WEBHOOKS_MANAGE

    organisation_id: UUID
    types: Types | None
    roles: Roles
    after: Place


class WebhookEdited(Event, frozen=True, kw_only=True):
    """A webhook's name, address, types or roles were changed."""

    type: ClassVar[str] = "webhook.edited"
    object_type: ClassVar[str] = "webhook"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.WEBHOOKS_MANAGE

    organisation_id: UUID
    types: Types | None
    roles: Roles


class WebhookSecretRotated(Event, frozen=True, kw_only=True):
    """A webhook was given a new secret; the one before it signs beside it for a day."""

    type: ClassVar[str] = "webhook.rotated"
    object_type: ClassVar[str] = "webhook"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.WEBHOOKS_MANAGE

    organisation_id: UUID


class WebhookPaused(Event, frozen=True, kw_only=True):
    """Nothing is sent to a webhook until it is resumed. Without an actor the service did it, for a copy must not send."""

    type: ClassVar[str] = "webhook.paused"
    object_type: ClassVar[str] = "webhook"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.WEBHOOKS_MANAGE

    organisation_id: UUID
    reason: Line


class WebhookResumed(Event, frozen=True, kw_only=True):
    """A paused webhook goes on from where it stood."""

    type: ClassVar[str] = "webhook.resumed"
    object_type: ClassVar[str] = "webhook"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.WEBHOOKS_MANAGE

    organisation_id: UUID


class WebhookDisabled(Event, frozen=True, kw_only=True):
    """A webhook is over: by its owner, or because its receiver answered that it is gone (410)."""

    type: ClassVar[str] = "webhook.disabled"
    object_type: ClassVar[str] = "webhook"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.WEBHOOKS_MANAGE

    organisation_id: UUID
    reason: Line


class WebhookReplayed(Event, frozen=True, kw_only=True):
    """A webhook is sent once more all that came after a position."""

    type: ClassVar[str] = "webhook.replayed"
    object_type: ClassVar[str] = "webhook"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.WEBHOOKS_MANAGE

    organisation_id: UUID
    after: Place


class WebhookTested(Event, frozen=True, kw_only=True):
    """A test message was sent to a webhook."""

    type: ClassVar[str] = "webhook.tested"
    object_type: ClassVar[str] = "webhook"
    told: ClassVar[tuple[Told, ...]] = (Told.ORGANISATION,)
    readers: ClassVar[Scope | None] = Scope.WEBHOOKS_MANAGE

    organisation_id: UUID
    delivery_id: UUID

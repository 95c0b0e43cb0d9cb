"""The verbs of an organisation's admin on its webhooks, and those of the service itself that pause and disable one."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import UNSET
from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.journal import lists as entries
from procure.journal import service as journal
from procure.journal.events import Event, types_of, within
from procure.kit import clock
from procure.kit.actor import SYSTEM, Actor, Role
from procure.kit.clock import wall_now
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.kit.ids import new_id
from procure.kit.paging import Paging, after
from procure.kit.scopes import Scope, ScopeMissing
from procure.organisations import service as organisations
from procure.vault.strongbox import Strongbox, Unreadable
from procure.webhooks import lists, rules, signatures
from procure.webhooks.errors import WebhookNotFound, WebhookSecretUnreadable
from procure.webhooks.events import (
    WebhookAdded,
    WebhookDisabled,
    WebhookEdited,
    WebhookPaused,
    WebhookReplayed,
    WebhookResumed,
    WebhookSecretRotated,
    WebhookTested,
)
from procure.webhooks.models import Webhook, WebhookCursor, WebhookDelivery
from procure.webhooks.rules import DeliveryStatus, WebhookStatus
from procure.webhooks.schemas import WebhookDraft, WebhookPatch, WebhookProgress, WebhookView

#: Why the service itself pauses or disables a webhook.
COPIED = "It was confirmed in another installation: a copy sends nothing until it is resumed here."
GONE = "Its receiver answered that it is gone (410)."
TEST_TYPE = "webhook.test"


def visible_webhooks(actor: Actor) -> Select[Webhook]:
    """An organisation's own."""
    return select(Webhook).where(Webhook.organisation_id == actor.organisation_id)


async def find_webhook(db: AsyncSession, actor: Actor, webhook_id: UUID) -> Webhook:
    return _found(await db.scalar(visible_webhooks(actor).where(Webhook.id == webhook_id)))


async def lock_webhook(db: AsyncSession, actor: Actor, webhook_id: UUID, seen: Seen = UNCONDITIONAL) -> Webhook:
    statement = visible_webhooks(actor).where(Webhook.id == webhook_id).with_for_update(key_share=True)
    webhook = _found(await db.scalar(statement.execution_options(populate_existing=True)))
    seen.check(WebhookView.of(webhook).etag)
    return webhook


def _found(webhook: Webhook | None) -> Webhook:
    if webhook is None:
        raise WebhookNotFound("Your organisation has no such webhook.")
    return webhook


async def list_webhooks(db: AsyncSession, actor: Actor, paging: Paging) -> Sequence[Webhook]:
    """Newest first, disabled ones too."""
    statement = visible_webhooks(actor)
    return (await db.scalars(after(statement, Webhook.created_at, Webhook.id, paging))).all()


async def list_deliveries(
    db: AsyncSession, actor: Actor, webhook_id: UUID, paging: Paging, status: DeliveryStatus | None = None
) -> Sequence[WebhookDelivery]:
    """The log, newest first. A webhook may hear what not every admin may: attempts that were refused, in an auditor's role."""
    webhook = await find_webhook(db, actor, webhook_id)
    is_theirs = or_(WebhookDelivery.position.is_(None), lists.visible_position(actor))
    statement = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id, is_theirs)
    if status is not None:
        statement = statement.where(WebhookDelivery.status == status)
    return (await db.scalars(after(statement, WebhookDelivery.created_at, WebhookDelivery.id, paging))).all()


async def progress_of(db: AsyncSession, actor: Actor, webhook_id: UUID) -> WebhookProgress:
    row = await lists.progress(db, (await find_webhook(db, actor, webhook_id)).id)
    return WebhookProgress(
        position=row.position,
        journal=row.journal,
        waiting=row.waiting,
        dead=row.dead,
        waiting_since=row.waiting_since,
    )


async def add(
    db: AsyncSession, actor: Actor, box: Strongbox, data: WebhookDraft, *, may_be_local: bool = False
) -> tuple[Webhook, bytes]:
    """A webhook, and its secret, to be shown this once."""
    _check(actor, data.url, data.types, data.roles, may_be_local=may_be_local)
    reached = await entries.reached(db)
    begins = reached if data.after is None else data.after
    rules.check_position(begins, reached)
    assert actor.organisation_id is not None
    await organisations.lock_organisation(db, actor, actor.organisation_id)
    rules.check_room(await _in_use(db, actor.organisation_id))
    id_, made = new_id(), signatures.make(data.scheme)
    webhook = Webhook(
        id=id_,
        organisation_id=actor.organisation_id,
        name=data.name,
        url=data.url,
        types=_unique(data.types),
        roles=_stored(data.roles),
        scheme=data.scheme,
        secret=box.seal(made.secret, id_.bytes),
        public_key=made.public_key,
        status=WebhookStatus.ACTIVE,
        instance=box.instance,
        version=1,
    )
    db.add(webhook)
    await db.flush()
    db.add(WebhookCursor(webhook_id=id_, position=begins, round=0, is_full=False))
    event = WebhookAdded(**_about(webhook), types=webhook.types, roles=_roles(webhook), after=begins)
    await _record(db, actor, webhook, event)
    return webhook, made.secret


async def _in_use(db: AsyncSession, organisation_id: UUID) -> int:
    """How many are not disabled; the organisation is locked, so that two admins at once make no more than may be."""
    statement = select(func.count()).where(
        Webhook.organisation_id == organisation_id, Webhook.status != WebhookStatus.DISABLED
    )
    return (await db.scalars(statement)).one()


async def edit(
    db: AsyncSession,
    actor: Actor,
    webhook_id: UUID,
    data: WebhookPatch,
    *,
    seen: Seen = UNCONDITIONAL,
    may_be_local: bool = False,
) -> Webhook:
    """Change where and of what it is told. Who edits holds all its roles: else it could be led to somebody who may see less."""
    webhook = await lock_webhook(db, actor, webhook_id, seen)
    rules.check_not_disabled(webhook.status)
    url = webhook.url if data.url is UNSET else data.url
    types = webhook.types if data.types is UNSET else data.types
    roles = _roles(webhook) if data.roles is UNSET else data.roles
    _check(actor, url, types, roles, may_be_local=may_be_local)
    webhook.name = webhook.name if data.name is UNSET else data.name
    webhook.url, webhook.types, webhook.roles = url, _unique(types), _stored(roles)
    webhook.touch()
    await _record(db, actor, webhook, WebhookEdited(**_about(webhook), types=webhook.types, roles=_roles(webhook)))
    return webhook


def _check(actor: Actor, url: str, types: Sequence[str] | None, roles: Sequence[Role], *, may_be_local: bool) -> None:
    """Whoever has the organisation told of something could have read it themselves."""
    if Scope.CHANGES_READ not in actor.scopes:
        raise ScopeMissing(f"A webhook is told what `{Scope.CHANGES_READ}` reads: ask for that scope too.")
    rules.check_webhook(url, types, roles, known=types_of(), held=actor.roles, may_be_local=may_be_local)


async def rotate(
    db: AsyncSession, actor: Actor, box: Strongbox, webhook_id: UUID, *, seen: Seen = UNCONDITIONAL
) -> tuple[Webhook, bytes]:
    """A new secret, to be shown this once. The one before it signs beside it for a day, the one before that no more."""
    webhook = await lock_webhook(db, actor, webhook_id, seen)
    rules.check_not_disabled(webhook.status)
    made = signatures.make(webhook.scheme)
    is_readable = _is_readable(box, webhook)
    webhook.secret_before = webhook.secret if is_readable else None
    webhook.public_key_before = webhook.public_key if is_readable else None
    webhook.secret_before_ends_at = wall_now() + rules.OVERLAP if is_readable else None
    webhook.secret, webhook.public_key = box.seal(made.secret, webhook.id.bytes), made.public_key
    webhook.touch()
    await _record(db, actor, webhook, WebhookSecretRotated(**_about(webhook)))
    return webhook, made.secret


def _is_readable(box: Strongbox, webhook: Webhook) -> bool:
    try:
        keys_of(box, webhook)
    except Unreadable:
        return False
    return True


def keys_of(box: Strongbox, webhook: Webhook) -> list[bytes]:
    """What signs now: the secret, and the one before it while that lasts. Raises Unreadable."""
    keys = [webhook.secret]
    ends_at = webhook.secret_before_ends_at
    if webhook.secret_before is not None and ends_at is not None and wall_now() < ends_at:
        keys.append(webhook.secret_before)
    return [box.open(one, webhook.id.bytes) for one in keys]


async def pause(
    db: AsyncSession, actor: Actor, webhook_id: UUID, reason: str, *, seen: Seen = UNCONDITIONAL
) -> Webhook:
    """Send nothing until it is resumed; what is on its way at this moment may still arrive."""
    webhook = await lock_webhook(db, actor, webhook_id, seen)
    rules.check_active(webhook.status)
    await _pause(db, actor, webhook, reason)
    return webhook


async def _pause(db: AsyncSession, actor: Actor, webhook: Webhook, reason: str) -> None:
    webhook.move_to(WebhookStatus.PAUSED, reason)
    await _record(db, actor, webhook, WebhookPaused(**_about(webhook), reason=reason))


async def resume(
    db: AsyncSession, actor: Actor, box: Strongbox, webhook_id: UUID, *, seen: Seen = UNCONDITIONAL
) -> Webhook:
    """Go on from where it stood, here: this installation is confirmed as the one that sends. What waits is tried at once."""
    webhook = await lock_webhook(db, actor, webhook_id, seen)
    rules.check_paused(webhook.status)
    if not _is_readable(box, webhook):
        raise WebhookSecretUnreadable(
            "Its secret was kept under other keys than this service has now: rotate it first."
        )
    await confirm(db, actor, box, webhook)
    return webhook


async def confirm(db: AsyncSession, actor: Actor, box: Strongbox, webhook: Webhook) -> None:
    """Of a paused webhook that is locked: it sends from here."""
    webhook.move_to(WebhookStatus.ACTIVE)
    webhook.instance = box.instance
    cluster: int = (await db.scalars(select(func.app_cluster()))).one()
    webhook.cluster = cluster
    await db.flush()
    await lists.hurry(db, webhook.id)
    await _record(db, actor, webhook, WebhookResumed(**_about(webhook)))


async def disable(
    db: AsyncSession, actor: Actor, webhook_id: UUID, reason: str, *, seen: Seen = UNCONDITIONAL
) -> Webhook:
    """End it for good; what waits is never sent."""
    webhook = await lock_webhook(db, actor, webhook_id, seen)
    rules.check_not_disabled(webhook.status)
    await _disable(db, actor, webhook, reason)
    return webhook


async def _disable(db: AsyncSession, actor: Actor, webhook: Webhook, reason: str) -> None:
    webhook.move_to(WebhookStatus.DISABLED, reason)
    await lists.give_up(db, webhook.id)
    await _record(db, actor, webhook, WebhookDisabled(**_about(webhook), reason=reason))


async def send_test(db: AsyncSession, actor: Actor, webhook_id: UUID, *, seen: Seen = UNCONDITIONAL) -> WebhookDelivery:
    """One message that is about the webhook itself, tried once. The worker sends it as any other."""
    webhook = await lock_webhook(db, actor, webhook_id, seen)
    rules.check_active(webhook.status)
    id_ = new_id()
    delivery = WebhookDelivery(
        id=id_,
        webhook_id=webhook.id,
        round=0,
        message_id=f"test_{id_.hex}",
        type=TEST_TYPE,
        at=await clock.now(db),
        event_version=1,
        object_type="webhook",
        object_id=webhook.id,
        object_version=webhook.version,
        status=DeliveryStatus.WAITING,
        attempts=0,
    )
    db.add(delivery)
    await db.flush()
    await lists.wake(db, webhook.id)
    await _record(db, actor, webhook, WebhookTested(**_about(webhook), delivery_id=id_))
    return delivery


async def replay(
    db: AsyncSession, actor: Actor, webhook_id: UUID, position: int, *, seen: Seen = UNCONDITIONAL
) -> Webhook:
    """Send once more what came after a position, with the ids that it had."""
    webhook = await lock_webhook(db, actor, webhook_id, seen)
    rules.check_not_disabled(webhook.status)
    rules.check_position(position, await entries.reached(db))
    await lists.rewind(db, webhook.id, position)
    webhook.touch()
    await _record(db, actor, webhook, WebhookReplayed(**_about(webhook), after=position))
    return webhook


async def pause_copies(db: AsyncSession, instance: str) -> int:
    """What was confirmed in another installation is paused here; how many that were."""
    found = await lists.copies(db, instance)
    for webhook in await db.scalars(select(Webhook).where(Webhook.id.in_(found))):
        await _pause(db, SYSTEM, webhook, COPIED)
    return len(found)


async def lock_gone(db: AsyncSession, webhook_id: UUID) -> Webhook:
    """A webhook whose receiver has answered so, locked before what is written of its messages, as its other verbs do."""
    return await db.get_one(Webhook, webhook_id, with_for_update={"key_share": True}, populate_existing=True)


async def disable_gone(db: AsyncSession, webhook: Webhook) -> None:
    """Its receiver wants no more of it (410, Standard Webhooks)."""
    if webhook.status is not WebhookStatus.DISABLED:
        await _disable(db, SYSTEM, webhook, GONE)


def _unique(types: Sequence[str] | None) -> list[str] | None:
    return sorted(set(types)) if types is not None else None


def _stored(roles: Sequence[Role]) -> list[str]:
    return sorted({role.value for role in roles})


def _roles(webhook: Webhook) -> list[Role]:
    return [Role(one) for one in webhook.roles]


def _about(webhook: Webhook) -> dict[str, Any]:
    return {
        "object_id": webhook.id,
        "object_version": webhook.version,
        "organisation_id": webhook.organisation_id,
    }


async def _record(db: AsyncSession, actor: Actor, webhook: Webhook, event: Event) -> None:
    await journal.record(db, actor, event, within(webhook.organisation_id))

"""What becomes of a webhook and of each message to it: statuses, the schedule of attempts, and what may be asked for."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from procure.kit.actor import Role
from procure.kit.errors import Faults
from procure.webhooks import targets
from procure.webhooks.errors import (
    WebhookInvalid,
    WebhookIsDisabled,
    WebhookLimitReached,
    WebhookNotActive,
    WebhookNotPaused,
)


class WebhookStatus(StrEnum):
    """A paused webhook is sent nothing, and misses nothing: it goes on from where it stood. A disabled one is over."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


class DeliveryStatus(StrEnum):
    """A message waits until it is taken; one that never was is a dead letter, and does not hold back what came after it."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


NEXT: dict[WebhookStatus, frozenset[WebhookStatus]] = {
    WebhookStatus.ACTIVE: frozenset({WebhookStatus.PAUSED, WebhookStatus.DISABLED}),
    WebhookStatus.PAUSED: frozenset({WebhookStatus.ACTIVE, WebhookStatus.DISABLED}),
    WebhookStatus.DISABLED: frozenset(),
}

DELIVERY_NEXT: dict[DeliveryStatus, frozenset[DeliveryStatus]] = {
    DeliveryStatus.WAITING: frozenset({DeliveryStatus.DELIVERED, DeliveryStatus.DEAD}),
    DeliveryStatus.DELIVERED: frozenset(),
    DeliveryStatus.DEAD: frozenset(),
}

#: From each failed attempt to the next, seconds: at once, then for three days (71.6 hours) less and less often.
RETRIES_S = (5, 30, 5 * 60, 30 * 60, *(hours * 3600 for hours in (2, 5, 10, 14, 18, 22)))
ATTEMPTS_MAX = 1 + len(RETRIES_S)
#: Each pause is this much shorter or longer by chance, so that what failed together does not come back together.
JITTER = 0.1
#: Of one organisation, disabled ones aside.
WEBHOOKS_MAX = 20
#: How long a secret that was followed by another still signs.
OVERLAP = timedelta(hours=24)
#: How long the log of deliveries is kept.
LOG_DAYS = 30


def retry_at(attempts: int, now: datetime, chance: float) -> datetime | None:
    """When to try again after so many failed attempts, or None: then it is a dead letter. `chance` is from 0 to 1."""
    if attempts >= ATTEMPTS_MAX:
        return None
    pause_s = RETRIES_S[attempts - 1] * (1 + JITTER * (2 * chance - 1))
    return now + timedelta(seconds=pause_s)


def check_webhook(
    url: str,
    types: Collection[str] | None,
    roles: Sequence[Role],
    *,
    known: Collection[str],
    held: Collection[Role],
    may_be_local: bool,
) -> None:
    """The address is one that is sent to, `known` has the types, and whoever makes it holds the roles; raises WebhookInvalid."""
    faults = Faults()
    try:
        targets.read(url, may_be_local=may_be_local)
    except targets.TargetRefused as refused:
        faults.add("/url", "url", str(refused))
    for index, type_ in enumerate(types or ()):
        faults.unless(type_ in known, f"/types/{index}", "type", f"There is no type of change `{type_}`.")
    for index, role in enumerate(roles):
        faults.unless(role in held, f"/roles/{index}", "role", f"You do not hold the role `{role}`.")
    faults.raise_any(WebhookInvalid)


def check_room(in_use: int) -> None:
    if in_use >= WEBHOOKS_MAX:
        raise WebhookLimitReached(f"An organisation has at most {WEBHOOKS_MAX} webhooks; disable one first.")


def check_active(status: WebhookStatus) -> None:
    if status is not WebhookStatus.ACTIVE:
        raise WebhookNotActive(f"The webhook is {status}; nothing is sent to it.")


def check_paused(status: WebhookStatus) -> None:
    if status is not WebhookStatus.PAUSED:
        raise WebhookNotPaused(f"The webhook is {status}; only a paused one is resumed.")


def check_not_disabled(status: WebhookStatus) -> None:
    if status is WebhookStatus.DISABLED:
        raise WebhookIsDisabled("The webhook is disabled for good; make another one.")


def check_position(after: int, reached: int) -> None:
    """Whether the journal has come that far."""
    faults = Faults()
    faults.unless(after <= reached, "/after", "position", f"The journal has {reached} entries so far.")
    faults.raise_any(WebhookInvalid)

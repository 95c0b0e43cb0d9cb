"""What is refused about webhooks."""

from procure.kit.errors import Conflict, Invalid, NotFound


class WebhookNotFound(NotFound):
    """Your organisation has no such webhook."""

    slug, title = "webhook-not-found", "Webhook not found"


class WebhookInvalid(Invalid):
    """The webhook's address, types or roles can't be taken: see `errors`."""

    slug, title = "webhook-invalid", "Webhook is not valid"


class WebhookNotActive(Conflict):
    """The webhook is paused or disabled; nothing is sent to it."""

    slug, title = "webhook-not-active", "Webhook is not active"


class WebhookNotPaused(Conflict):
    """Only what is paused can be resumed; a disabled webhook stays so, and another one takes its place."""

    slug, title = "webhook-not-paused", "Webhook is not paused"


class WebhookIsDisabled(Conflict):
    """The webhook is disabled for good."""

    slug, title = "webhook-is-disabled", "Webhook is disabled"


class WebhookLimitReached(Conflict):
    """The organisation has as many webhooks as it may; disable one that is not used."""

    slug, title = "webhook-limit-reached", "No more webhooks"


class WebhookSecretUnreadable(Conflict):
    """The service can't read the webhook's secret any more: its keys are not those under which it was kept. Rotate it first."""

    slug, title = "webhook-secret-unreadable", "Webhook secret can't be read"

"""The routes of webhooks."""

from uuid import UUID

from litestar import Controller, Response, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from procure.kit.http import ApiRequest, ApiResponse, AsSeen, Caller, Db, PageAsked, requires
from procure.kit.paging import Page, Position, page_of
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.vault.strongbox import Strongbox
from procure.webhooks import service
from procure.webhooks.errors import (
    WebhookInvalid,
    WebhookIsDisabled,
    WebhookLimitReached,
    WebhookNotActive,
    WebhookNotFound,
    WebhookNotPaused,
    WebhookSecretUnreadable,
)
from procure.webhooks.rules import DeliveryStatus
from procure.webhooks.schemas import (
    DeliveryView,
    NewWebhookView,
    Replay,
    WebhookDraft,
    WebhookPatch,
    WebhookProgress,
    WebhookReason,
    WebhookView,
)

Box = NamedDependency[Strongbox]
#: With a secret in it, which nobody on the way shall keep.
_SECRET = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class WebhookController(Controller):
    """An organisation's own, managed by its admins."""

    path = "/v1/webhooks"
    tags = ("Webhooks",)

    @get(
        "/",
        operation_id="listWebhooks",
        summary="List webhooks",
        responses=problems(),
        **requires(Scope.WEBHOOKS_MANAGE),
    )
    async def list_(self, db: Db, actor: Caller, page: PageAsked) -> Page[WebhookView]:
        """Your organisation's webhooks, newest first, disabled ones too."""
        rows = await service.list_webhooks(db, actor, page)
        return page_of(rows, page, WebhookView.of, lambda row: Position(row.created_at, row.id))

    @post(
        "/",
        operation_id="addWebhook",
        summary="Add a webhook",
        responses=problems(WebhookInvalid, WebhookLimitReached),
        **requires(Scope.WEBHOOKS_MANAGE),
    )
    async def add(
        self, request: ApiRequest, db: Db, actor: Caller, box: Box, data: JSONBody[WebhookDraft]
    ) -> Response[NewWebhookView]:
        """Have changes brought to an address of yours, signed as standardwebhooks.com says. The reply shows the secret, this once.

        Each message names one change by its position and tells no more; read the thing itself for what it is now. A message comes at least
        once, those about one thing in their order. One that is not taken (any status but 2xx, redirects too) is tried for three days;
        a 410 disables the webhook. The token needs `changes:read` too, since that is what the webhook is told.
        """
        may_be_local = request.app.state.settings.webhooks_may_be_local()
        webhook, secret = await service.add(db, actor, box, data, may_be_local=may_be_local)
        return ApiResponse(NewWebhookView.with_secret(webhook, secret), status_code=201, headers=_SECRET)

    @get(
        "/{webhook_id:uuid}",
        operation_id="getWebhook",
        summary="Read a webhook",
        responses=problems(WebhookNotFound),
        **requires(Scope.WEBHOOKS_MANAGE),
    )
    async def read(self, db: Db, actor: Caller, seen: AsSeen, webhook_id: FromPath[UUID]) -> WebhookView:
        """Without its secret, which nobody is shown again."""
        view = WebhookView.of(await service.find_webhook(db, actor, webhook_id))
        seen.check(view.etag)
        return view

    @patch(
        "/{webhook_id:uuid}",
        operation_id="editWebhook",
        summary="Edit a webhook",
        responses=problems(WebhookNotFound, WebhookInvalid, WebhookIsDisabled),
        **requires(Scope.WEBHOOKS_MANAGE, must_have_seen="webhook"),
    )
    async def edit(
        self,
        request: ApiRequest,
        db: Db,
        actor: Caller,
        seen: AsSeen,
        webhook_id: FromPath[UUID],
        data: JSONBody[WebhookPatch],
    ) -> WebhookView:
        """Change its name, address, types or roles, from the next message on. You hold all the roles that it has."""
        may_be_local = request.app.state.settings.webhooks_may_be_local()
        return WebhookView.of(await service.edit(db, actor, webhook_id, data, seen=seen, may_be_local=may_be_local))

    @get(
        "/{webhook_id:uuid}/progress",
        operation_id="getWebhookProgress",
        summary="See how far a webhook has come",
        responses=problems(WebhookNotFound),
        **requires(Scope.WEBHOOKS_MANAGE),
    )
    async def progress(self, db: Db, actor: Caller, seen: AsSeen, webhook_id: FromPath[UUID]) -> WebhookProgress:
        """Up to which position changes were taken in, and how many messages wait or are dead letters."""
        view = await service.progress_of(db, actor, webhook_id)
        seen.check(view.etag)
        return view

    @get(
        "/{webhook_id:uuid}/deliveries",
        operation_id="listWebhookDeliveries",
        summary="List a webhook's deliveries",
        responses=problems(WebhookNotFound),
        **requires(Scope.WEBHOOKS_MANAGE),
    )
    async def deliveries(
        self,
        db: Db,
        actor: Caller,
        page: PageAsked,
        webhook_id: FromPath[UUID],
        status: FromQuery[DeliveryStatus | None] = None,
    ) -> Page[DeliveryView]:
        """What was sent and what waits, newest first: how often it was tried, and what was answered. Kept for 30 days.

        What tells of changes that you may not read yourself is left out: of those that it hears by a role which you do not hold.
        """
        rows = await service.list_deliveries(db, actor, webhook_id, page, status)
        return page_of(rows, page, DeliveryView.of, lambda row: Position(row.created_at, row.id))

    @post(
        "/{webhook_id:uuid}/rotate",
        operation_id="rotateWebhookSecret",
        summary="Give a webhook a new secret",
        status_code=200,
        responses=problems(WebhookNotFound, WebhookIsDisabled),
        **requires(Scope.WEBHOOKS_MANAGE, seen="webhook"),
    )
    async def rotate(
        self, db: Db, actor: Caller, seen: AsSeen, box: Box, webhook_id: FromPath[UUID]
    ) -> Response[NewWebhookView]:
        """The reply shows it, this once. The one before it signs too for 24 hours: take either meanwhile."""
        webhook, secret = await service.rotate(db, actor, box, webhook_id, seen=seen)
        return ApiResponse(NewWebhookView.with_secret(webhook, secret), status_code=200, headers=_SECRET)

    @post(
        "/{webhook_id:uuid}/pause",
        operation_id="pauseWebhook",
        summary="Pause a webhook",
        status_code=200,
        responses=problems(WebhookNotFound, WebhookNotActive),
        **requires(Scope.WEBHOOKS_MANAGE, seen="webhook"),
    )
    async def pause(
        self, db: Db, actor: Caller, seen: AsSeen, webhook_id: FromPath[UUID], data: JSONBody[WebhookReason]
    ) -> WebhookView:
        """Nothing is sent until you resume it, and nothing is missed. The attempts of what waits are not used up meanwhile."""
        return WebhookView.of(await service.pause(db, actor, webhook_id, data.reason, seen=seen))

    @post(
        "/{webhook_id:uuid}/resume",
        operation_id="resumeWebhook",
        summary="Resume a webhook",
        status_code=200,
        responses=problems(WebhookNotFound, WebhookNotPaused, WebhookSecretUnreadable),
        **requires(Scope.WEBHOOKS_MANAGE, seen="webhook"),
    )
    async def resume(self, db: Db, actor: Caller, seen: AsSeen, box: Box, webhook_id: FromPath[UUID]) -> WebhookView:
        """It goes on from where it stood; what waits is tried at once.

        Of a service that was restored elsewhere this confirms that it sends.
        """
        return WebhookView.of(await service.resume(db, actor, box, webhook_id, seen=seen))

    @post(
        "/{webhook_id:uuid}/test",
        operation_id="testWebhook",
        summary="Send a test to a webhook",
        status_code=201,
        responses=problems(WebhookNotFound, WebhookNotActive),
        **requires(Scope.WEBHOOKS_MANAGE, seen="webhook"),
    )
    async def send_test(self, db: Db, actor: Caller, seen: AsSeen, webhook_id: FromPath[UUID]) -> DeliveryView:
        """One message of the type `webhook.test`, signed as all are, sent soon and once. The deliveries tell how it went."""
        return DeliveryView.of(await service.send_test(db, actor, webhook_id, seen=seen))

    @post(
        "/{webhook_id:uuid}/replay",
        operation_id="replayWebhook",
        summary="Send changes to a webhook once more",
        status_code=200,
        responses=problems(WebhookNotFound, WebhookInvalid, WebhookIsDisabled),
        **requires(Scope.WEBHOOKS_MANAGE, seen="webhook"),
    )
    async def replay(
        self, db: Db, actor: Caller, seen: AsSeen, webhook_id: FromPath[UUID], data: JSONBody[Replay]
    ) -> WebhookView:
        """All that came after a position, with the `webhook-id` that each had before: 0 is everything. Dead letters come again too."""
        return WebhookView.of(await service.replay(db, actor, webhook_id, data.after, seen=seen))

    @post(
        "/{webhook_id:uuid}/disable",
        operation_id="disableWebhook",
        summary="Disable a webhook",
        status_code=200,
        responses=problems(WebhookNotFound, WebhookIsDisabled),
        **requires(Scope.WEBHOOKS_MANAGE, seen="webhook"),
    )
    async def disable(
        self, db: Db, actor: Caller, seen: AsSeen, webhook_id: FromPath[UUID], data: JSONBody[WebhookReason]
    ) -> WebhookView:
        """It is over; what waits is never sent. Another one may begin at the position that this one reached."""
        return WebhookView.of(await service.disable(db, actor, webhook_id, data.reason, seen=seen))

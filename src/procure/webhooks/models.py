"""Webhooks, how far each has come, and what was sent to it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from procure.kit.db import Base, Versioned
from procure.webhooks.rules import NEXT, DeliveryStatus, WebhookStatus
from procure.webhooks.sending import Trouble
from procure.webhooks.signatures import Scheme


class Webhook(Versioned, Base):
    """An address of an organisation's own. Secrets are sealed under a key outside the database (`vault.strongbox`).

    `cluster` and `instance` are where it was last confirmed: nothing else sends to it. `secret_before` signs until it ends, by the
    machine's time.
    """

    __tablename__ = "webhooks"
    __table_args__ = (Index("ix_webhooks_organisation_id", "organisation_id", "created_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    name: Mapped[str]
    url: Mapped[str]
    types: Mapped[list[str] | None]
    roles: Mapped[list[str]]
    scheme: Mapped[Scheme]
    secret: Mapped[bytes]
    public_key: Mapped[bytes | None]
    secret_before: Mapped[bytes | None]
    public_key_before: Mapped[bytes | None]
    secret_before_ends_at: Mapped[datetime | None]
    status: Mapped[WebhookStatus] = mapped_column(default=WebhookStatus.ACTIVE)
    reason: Mapped[str | None]
    cluster: Mapped[int] = mapped_column(BigInteger, server_default=text("app_cluster()"))
    instance: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.app_now())

    def move_to(self, status: WebhookStatus, reason: str | None = None) -> None:
        assert status in NEXT[self.status], f"{self.status} -> {status}"
        self.status, self.reason = status, reason
        self.touch()


class WebhookCursor(Base):
    """How far a webhook has come in the journal, and which worker serves it now. `round` counts its replays.

    `next_at` is when something waits to be sent; a webhook that `is_full` is not handed more until some of it is gone. One whose
    receiver took nothing of what it was sent is left alone until `rests_until`.
    """

    __tablename__ = "webhook_cursors"

    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id"), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
    round: Mapped[int] = mapped_column(default=0)
    is_full: Mapped[bool] = mapped_column(default=False)
    next_at: Mapped[datetime | None]
    leased_by: Mapped[UUID | None]
    leased_until: Mapped[datetime | None]
    served_at: Mapped[datetime | None]
    rests_until: Mapped[datetime | None]


class WebhookDelivery(Base):
    """One message to a webhook: an entry of the journal, or a test, which has no position. Instants but `at` are the machine's time."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("webhook_id", "round", "position"),
        Index("ix_webhook_deliveries_log", "webhook_id", "created_at", "id"),
        Index("ix_webhook_deliveries_waiting", "webhook_id", "position", postgresql_where=text("status = 'waiting'")),
        Index("ix_webhook_deliveries_created_at", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id"))
    round: Mapped[int]
    position: Mapped[int | None] = mapped_column(BigInteger)
    message_id: Mapped[str]
    type: Mapped[str]
    at: Mapped[datetime]
    event_version: Mapped[int]
    object_type: Mapped[str]
    object_id: Mapped[UUID | None]
    object_version: Mapped[int | None]
    status: Mapped[DeliveryStatus] = mapped_column(default=DeliveryStatus.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    attempted_at: Mapped[datetime | None]
    answer: Mapped[int | None]
    trouble: Mapped[Trouble | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

"""Webhooks of an organisation's own, how far each has come in the journal, and the log of what was sent."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


SCHEME = _choice("scheme", "hmac-sha256", "ed25519")
STATUS = _choice("webhookstatus", "active", "paused", "disabled")
DELIVERY = _choice("deliverystatus", "waiting", "delivered", "dead")
TROUBLE = _choice("trouble", "no-public-address", "unreachable", "timeout", "redirected", "refused")
MOMENT, NOW = sa.DateTime(timezone=True), sa.text("clock_timestamp()")


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("scheme", SCHEME, nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.Column("secret_before", sa.LargeBinary(), nullable=True),
        sa.Column("public_key_before", sa.LargeBinary(), nullable=True),
        sa.Column("secret_before_ends_at", MOMENT, nullable=True),
        sa.Column("status", STATUS, nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("cluster", sa.BigInteger(), server_default=sa.text("app_cluster()"), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.text("app_now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_webhooks_organisation_id_organisations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index("ix_webhooks_organisation_id", "webhooks", ["organisation_id", "created_at", "id"])
    op.create_table(
        "webhook_cursors",
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("is_full", sa.Boolean(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=True),
        sa.Column("leased_by", sa.Uuid(), nullable=True),
        sa.Column("leased_until", MOMENT, nullable=True),
        sa.Column("served_at", MOMENT, nullable=True),
        sa.Column("rests_until", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_cursors_webhook_id_webhooks")),
        sa.PrimaryKeyConstraint("webhook_id", name=op.f("pk_webhook_cursors")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("event_version", sa.Integer(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=True),
        sa.Column("object_version", sa.Integer(), nullable=True),
        sa.Column("status", DELIVERY, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("attempted_at", MOMENT, nullable=True),
        sa.Column("answer", sa.Integer(), nullable=True),
        sa.Column("trouble", TROUBLE, nullable=True),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook_id_webhooks")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint(
            "webhook_id", "round", "position", name=op.f("uq_webhook_deliveries_webhook_id_round_position")
        ),
    )
    op.create_index("ix_webhook_deliveries_log", "webhook_deliveries", ["webhook_id", "created_at", "id"])
    op.create_index(
        "ix_webhook_deliveries_waiting",
        "webhook_deliveries",
        ["webhook_id", "position"],
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_index("ix_webhook_deliveries_created_at", "webhook_deliveries", ["created_at"])
    op.execute("GRANT SELECT, INSERT, UPDATE ON webhooks, webhook_cursors TO procure_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_deliveries TO procure_app")


def downgrade() -> None:
    for table in ("webhook_deliveries", "webhook_cursors", "webhooks"):
        op.drop_table(table)

"""Registrations that wait for a mailed code, and the outbox from which the worker sends."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

NATION = sa.Enum(
    *("GB-ENG", "GB-NIR", "GB-SCT", "GB-WLS"), name="nation", native_enum=False, create_constraint=True, length=32
)


def upgrade() -> None:
    op.create_table(
        "registrations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("nation", NATION, nullable=False),
        sa.Column("contact_name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("address_mark", sa.LargeBinary(), nullable=False),
        sa.Column("network_mark", sa.LargeBinary(), nullable=True),
        sa.Column("is_written_to", sa.Boolean(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registrations")),
    )
    op.create_index("ix_registrations_address_mark", "registrations", ["address_mark", "created_at"])
    op.create_index("ix_registrations_network_mark", "registrations", ["network_mark", "created_at"])
    op.create_index("ix_registrations_created_at", "registrations", ["created_at"])
    op.create_table(
        "outgoing_mails",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_mails")),
    )
    op.create_index("ix_outgoing_mails_due_at", "outgoing_mails", ["due_at"])
    # Both are written by the service and removed by the worker, which has its role, once they are over.
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON registrations, outgoing_mails TO procure_app")


def downgrade() -> None:
    op.drop_table("outgoing_mails")
    op.drop_table("registrations")

"""Lots."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.execute("CREATE SEQUENCE lot_references")
    op.create_table(
        "lots",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("outcome_id", sa.Uuid(), nullable=False),
        sa.Column("buyer_id", sa.Uuid(), nullable=False),
        sa.Column("buyer_name", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Integer(), nullable=False),
        sa.Column("follows_id", sa.Uuid(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "published",
                "closed",
                "evaluating",
                "awarded",
                "contracted",
                "unsuccessful",
                "cancelled",
                name="lotstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column(
            "phase",
            sa.Enum(
                "discover",
                "define",
                "develop",
                "deliver",
                name="phase",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "route", sa.Enum("open", name="route", native_enum=False, create_constraint=True, length=32), nullable=False
        ),
        sa.Column(
            "pricing",
            sa.Enum("fixed", name="pricing", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("brief", sa.Text(), nullable=False),
        sa.Column("deliverables", postgresql.JSONB(), nullable=False),
        sa.Column("criteria", postgresql.JSONB(), nullable=False),
        sa.Column("measure_ids", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("duration_days", sa.Integer(), nullable=False),
        sa.Column("ceiling", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("further_iterations", sa.Integer(), nullable=False),
        sa.Column("further_ceiling", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("enquiries_close_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("validity_days", sa.Integer(), nullable=False),
        sa.Column(
            "band",
            sa.Enum(
                "small", "notifiable", "covered", name="band", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("policy", postgresql.JSONB(), nullable=False),
        sa.Column("notice_id", sa.Text(), nullable=True),
        sa.Column("notice_ocid", sa.Text(), nullable=True),
        sa.Column("notice_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("key_scheme", sa.Text(), nullable=True),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.Column("key_signature", sa.LargeBinary(), nullable=True),
        sa.Column("prepared_by", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("published_by", sa.Uuid(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("publication_digest", sa.LargeBinary(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("app_now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("status <> 'closed'", name=op.f("ck_lots_closed_is_derived")),
        sa.CheckConstraint(
            "status = 'draft' OR status = 'cancelled' OR published_at IS NOT NULL", name=op.f("ck_lots_published")
        ),
        sa.CheckConstraint(
            "ceiling > 0 AND further_ceiling >= 0 AND further_iterations >= 0", name=op.f("ck_lots_amounts")
        ),
        sa.CheckConstraint("enquiries_close_at <= closes_at", name=op.f("ck_lots_calendar")),
        sa.ForeignKeyConstraint(["buyer_id"], ["organisations.id"], name=op.f("fk_lots_buyer_id_organisations")),
        sa.ForeignKeyConstraint(["follows_id"], ["lots.id"], name=op.f("fk_lots_follows_id_lots")),
        sa.ForeignKeyConstraint(["outcome_id"], ["outcomes.id"], name=op.f("fk_lots_outcome_id_outcomes")),
        sa.ForeignKeyConstraint(["published_by"], ["persons.id"], name=op.f("fk_lots_published_by_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lots")),
        sa.UniqueConstraint("outcome_id", "iteration", name=op.f("uq_lots_outcome_id_iteration")),
        sa.UniqueConstraint("reference", name=op.f("uq_lots_reference")),
    )
    op.create_index("ix_lots_buyer_id", "lots", ["buyer_id", "created_at", "id"], unique=False)
    op.create_index("ix_lots_created_at", "lots", ["created_at", "id"], unique=False)
    op.create_index("ix_lots_due", "lots", ["closes_at"], unique=False, postgresql_where="status = 'published'")
    op.execute("GRANT SELECT, INSERT, UPDATE ON lots TO procure_app")


def downgrade() -> None:
    op.drop_index("ix_lots_due", table_name="lots", postgresql_where="status = 'published'")
    op.drop_index("ix_lots_created_at", table_name="lots")
    op.drop_index("ix_lots_buyer_id", table_name="lots")
    op.drop_table("lots")
    op.execute("DROP SEQUENCE lot_references")

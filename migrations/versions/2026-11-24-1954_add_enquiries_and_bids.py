"""Enquiries and sealed bids."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "bids",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("supplier_id", sa.Uuid(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "submitted",
                "withdrawn",
                "opened",
                "unreadable",
                "awarded",
                "disqualified",
                "unsuccessful",
                "lapsed",
                name="bidstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("lot_version", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column(
            "sealing_mode",
            sa.Enum("server", name="sealingmode", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_by", sa.Uuid(), nullable=True),
        sa.Column("supplier_name", sa.Text(), nullable=True),
        sa.Column("content", postgresql.JSONB(), nullable=True),
        sa.Column("total", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("app_now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status IN ('submitted', 'withdrawn', 'unreadable')) OR content IS NOT NULL OR status = 'unsuccessful'",
            name=op.f("ck_bids_opened"),
        ),
        sa.CheckConstraint("status <> 'lapsed'", name=op.f("ck_bids_lapsed_is_derived")),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.id"], name=op.f("fk_bids_lot_id_lots")),
        sa.ForeignKeyConstraint(["submitted_by"], ["persons.id"], name=op.f("fk_bids_submitted_by_persons")),
        sa.ForeignKeyConstraint(["supplier_id"], ["organisations.id"], name=op.f("fk_bids_supplier_id_organisations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bids")),
    )
    op.create_index("ix_bids_supplier_id", "bids", ["supplier_id", "created_at", "id"], unique=False)
    op.create_index(
        "uq_bids_live", "bids", ["lot_id", "supplier_id"], unique=True, postgresql_where="status <> 'withdrawn'"
    )
    op.create_table(
        "enquiries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("supplier_id", sa.Uuid(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["answered_by"], ["persons.id"], name=op.f("fk_enquiries_answered_by_persons")),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.id"], name=op.f("fk_enquiries_lot_id_lots")),
        sa.ForeignKeyConstraint(
            ["supplier_id"], ["organisations.id"], name=op.f("fk_enquiries_supplier_id_organisations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enquiries")),
    )
    op.create_index("ix_enquiries_lot_id", "enquiries", ["lot_id", "asked_at", "id"], unique=False)
    op.create_table(
        "lot_seals",
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.id"], name=op.f("fk_lot_seals_lot_id_lots")),
        sa.PrimaryKeyConstraint("lot_id", name=op.f("pk_lot_seals")),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON bids TO procure_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON enquiries TO procure_app")
    op.execute("GRANT SELECT, INSERT ON lot_seals TO procure_app")


def downgrade() -> None:
    op.drop_table("lot_seals")
    op.drop_index("ix_enquiries_lot_id", table_name="enquiries")
    op.drop_table("enquiries")
    op.drop_index("uq_bids_live", table_name="bids", postgresql_where="status <> 'withdrawn'")
    op.drop_index("ix_bids_supplier_id", table_name="bids")
    op.drop_table("bids")

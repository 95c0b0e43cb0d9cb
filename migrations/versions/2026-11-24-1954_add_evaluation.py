"""Opening, panel, scores and ranking."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "opening_approvals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.id"], name=op.f("fk_opening_approvals_lot_id_lots")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_opening_approvals_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opening_approvals")),
    )
    op.create_index(op.f("ix_opening_approvals_lot_id"), "opening_approvals", ["lot_id"], unique=False)
    op.create_table(
        "panel_members",
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("discipline", sa.Text(), nullable=False),
        sa.Column("is_chair", sa.Boolean(), nullable=False),
        sa.Column("declared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("has_conflict", sa.Boolean(), nullable=True),
        sa.Column("declaration", sa.Text(), nullable=True),
        sa.Column("locked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.id"], name=op.f("fk_panel_members_lot_id_lots")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_panel_members_person_id_persons")),
        sa.PrimaryKeyConstraint("lot_id", "person_id", name=op.f("pk_panel_members")),
    )
    op.create_table(
        "consensus_scores",
        sa.Column("bid_id", sa.Uuid(), nullable=False),
        sa.Column("criterion_id", sa.Text(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("score BETWEEN 0 AND 5", name=op.f("ck_consensus_scores_range")),
        sa.ForeignKeyConstraint(["bid_id"], ["bids.id"], name=op.f("fk_consensus_scores_bid_id_bids")),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.id"], name=op.f("fk_consensus_scores_lot_id_lots")),
        sa.ForeignKeyConstraint(["recorded_by"], ["persons.id"], name=op.f("fk_consensus_scores_recorded_by_persons")),
        sa.PrimaryKeyConstraint("bid_id", "criterion_id", name=op.f("pk_consensus_scores")),
    )
    op.create_index(op.f("ix_consensus_scores_lot_id"), "consensus_scores", ["lot_id"], unique=False)
    op.create_table(
        "ranked_bids",
        sa.Column("bid_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("quality", sa.Numeric(precision=7, scale=4), nullable=False),
        sa.Column("price", sa.Numeric(precision=7, scale=4), nullable=False),
        sa.Column("total", sa.Numeric(precision=7, scale=4), nullable=False),
        sa.Column("ranked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["bid_id"], ["bids.id"], name=op.f("fk_ranked_bids_bid_id_bids")),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.id"], name=op.f("fk_ranked_bids_lot_id_lots")),
        sa.PrimaryKeyConstraint("bid_id", name=op.f("pk_ranked_bids")),
    )
    op.create_index(op.f("ix_ranked_bids_lot_id"), "ranked_bids", ["lot_id"], unique=False)
    op.create_table(
        "scores",
        sa.Column("bid_id", sa.Uuid(), nullable=False),
        sa.Column("criterion_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.Column("scored_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("score BETWEEN 0 AND 5", name=op.f("ck_scores_range")),
        sa.ForeignKeyConstraint(["bid_id"], ["bids.id"], name=op.f("fk_scores_bid_id_bids")),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.id"], name=op.f("fk_scores_lot_id_lots")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_scores_person_id_persons")),
        sa.PrimaryKeyConstraint("bid_id", "criterion_id", "person_id", name=op.f("pk_scores")),
    )
    op.create_index(op.f("ix_scores_lot_id"), "scores", ["lot_id"], unique=False)
    op.execute("GRANT SELECT, INSERT, UPDATE ON consensus_scores TO procure_app")
    op.execute("GRANT SELECT, INSERT ON opening_approvals TO procure_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON panel_members TO procure_app")
    op.execute("GRANT SELECT, INSERT ON ranked_bids TO procure_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON scores TO procure_app")


def downgrade() -> None:
    op.drop_index(op.f("ix_scores_lot_id"), table_name="scores")
    op.drop_table("scores")
    op.drop_index(op.f("ix_ranked_bids_lot_id"), table_name="ranked_bids")
    op.drop_table("ranked_bids")
    op.drop_index(op.f("ix_consensus_scores_lot_id"), table_name="consensus_scores")
    op.drop_table("consensus_scores")
    op.drop_table("panel_members")
    op.drop_index(op.f("ix_opening_approvals_lot_id"), table_name="opening_approvals")
    op.drop_table("opening_approvals")

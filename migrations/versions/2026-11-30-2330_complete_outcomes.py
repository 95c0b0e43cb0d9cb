"""Budget lines, review dates, evidence that can be followed, and proposals of another envelope or of an estimate that is less than it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


KIND = _choice("proposalkind", "envelope", "estimate")
STATUS = _choice("proposalstatus", "open", "approved", "refused")
MOMENT, AMOUNT = sa.DateTime(timezone=True), sa.Numeric(precision=14, scale=2)
NOTHING, NO_DATES = sa.text("'[]'"), sa.text("'{}'")


def upgrade() -> None:
    op.create_table(
        "outcome_proposals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("outcome_id", sa.Uuid(), nullable=False),
        sa.Column("kind", KIND, nullable=False),
        sa.Column("status", STATUS, nullable=False),
        sa.Column("amount", AMOUNT, nullable=False),
        sa.Column("amount_before", AMOUNT, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("budget_lines", postgresql.JSONB(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("proposed_as", sa.Text(), nullable=False),
        sa.Column("proposed_at", MOMENT, server_default=sa.text("app_now()"), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_as", sa.Text(), nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_outcome_proposals_amount")),
        sa.ForeignKeyConstraint(["outcome_id"], ["outcomes.id"], name=op.f("fk_outcome_proposals_outcome_id_outcomes")),
        sa.ForeignKeyConstraint(["proposed_by"], ["persons.id"], name=op.f("fk_outcome_proposals_proposed_by_persons")),
        sa.ForeignKeyConstraint(["decided_by"], ["persons.id"], name=op.f("fk_outcome_proposals_decided_by_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcome_proposals")),
    )
    op.create_index("ix_outcome_proposals_outcome_id", "outcome_proposals", ["outcome_id", "proposed_at", "id"])
    op.create_index(
        "uq_outcome_proposals_open",
        "outcome_proposals",
        ["outcome_id"],
        unique=True,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.add_column("outcomes", sa.Column("budget_lines", postgresql.JSONB(), server_default=NOTHING, nullable=False))
    op.add_column("outcomes", sa.Column("estimate", AMOUNT, nullable=True))
    op.add_column("outcomes", sa.Column("estimate_proposal_id", sa.Uuid(), nullable=True))
    op.create_check_constraint(op.f("ck_outcomes_estimate"), "outcomes", "estimate > 0 AND estimate < envelope")
    op.create_foreign_key(
        op.f("fk_outcomes_estimate_proposal_id_outcome_proposals"),
        "outcomes",
        "outcome_proposals",
        ["estimate_proposal_id"],
        ["id"],
    )
    op.add_column("measures", sa.Column("review_dates", sa.ARRAY(sa.Date()), server_default=NO_DATES, nullable=False))
    op.add_column("observations", sa.Column("links", postgresql.JSONB(), server_default=NOTHING, nullable=False))
    op.add_column("observations", sa.Column("deliverable", sa.Text(), nullable=True))
    op.execute("GRANT SELECT, INSERT, UPDATE ON outcome_proposals TO procure_app")


def downgrade() -> None:
    for column in ("deliverable", "links"):
        op.drop_column("observations", column)
    op.drop_column("measures", "review_dates")
    for column in ("estimate_proposal_id", "estimate", "budget_lines"):
        op.drop_column("outcomes", column)
    op.drop_table("outcome_proposals")

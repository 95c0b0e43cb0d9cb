"""Outcomes, their measures and the ledger."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.execute("CREATE SEQUENCE outcome_references")
    op.create_table(
        "outcomes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("buyer_id", sa.Uuid(), nullable=False),
        sa.Column("buyer_name", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "active",
                "achieved",
                "not_achieved",
                "abandoned",
                name="outcomestatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("beneficiaries", sa.Text(), nullable=False),
        sa.Column("options", postgresql.JSONB(), nullable=False),
        sa.Column("team", postgresql.JSONB(), nullable=False),
        sa.Column("envelope", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("cpv", sa.Text(), nullable=True),
        sa.Column("prepared_by", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("activated_by", sa.Uuid(), nullable=True),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("app_now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("envelope > 0", name=op.f("ck_outcomes_envelope")),
        sa.ForeignKeyConstraint(["activated_by"], ["persons.id"], name=op.f("fk_outcomes_activated_by_persons")),
        sa.ForeignKeyConstraint(["buyer_id"], ["organisations.id"], name=op.f("fk_outcomes_buyer_id_organisations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcomes")),
        sa.UniqueConstraint("reference", name=op.f("uq_outcomes_reference")),
    )
    op.create_index("ix_outcomes_buyer_id", "outcomes", ["buyer_id", "created_at", "id"], unique=False)
    op.create_index("ix_outcomes_created_at", "outcomes", ["created_at", "id"], unique=False)
    op.create_table(
        "measures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("outcome_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column(
            "direction",
            sa.Enum("increase", "decrease", name="direction", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("baseline_value", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("baseline_on", sa.Date(), nullable=False),
        sa.Column("target_value", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("target_on", sa.Date(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["outcome_id"], ["outcomes.id"], name=op.f("fk_measures_outcome_id_outcomes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measures")),
        sa.UniqueConstraint("outcome_id", "number", name=op.f("uq_measures_outcome_id_number")),
    )
    op.create_table(
        "outcome_ledger",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("outcome_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "committed", "accepted", "paid", name="ledgerkind", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("delta", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("app_now()"), nullable=False),
        sa.ForeignKeyConstraint(["outcome_id"], ["outcomes.id"], name=op.f("fk_outcome_ledger_outcome_id_outcomes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcome_ledger")),
    )
    op.create_index("ix_outcome_ledger_outcome_id", "outcome_ledger", ["outcome_id", "kind", "lot_id"], unique=False)
    op.create_table(
        "observations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("outcome_id", sa.Uuid(), nullable=False),
        sa.Column("measure_id", sa.Uuid(), nullable=False),
        sa.Column("value", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("observed_on", sa.Date(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("contract_id", sa.Uuid(), nullable=True),
        sa.Column("supersedes_id", sa.Uuid(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("app_now()"), nullable=False),
        sa.ForeignKeyConstraint(["measure_id"], ["measures.id"], name=op.f("fk_observations_measure_id_measures")),
        sa.ForeignKeyConstraint(["outcome_id"], ["outcomes.id"], name=op.f("fk_observations_outcome_id_outcomes")),
        sa.ForeignKeyConstraint(["recorded_by"], ["persons.id"], name=op.f("fk_observations_recorded_by_persons")),
        sa.ForeignKeyConstraint(
            ["supersedes_id"], ["observations.id"], name=op.f("fk_observations_supersedes_id_observations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observations")),
        sa.UniqueConstraint("supersedes_id", name=op.f("uq_observations_supersedes_id")),
    )
    op.create_index("ix_observations_measure_id", "observations", ["measure_id", "observed_on", "id"], unique=False)
    op.create_index(op.f("ix_observations_outcome_id"), "observations", ["outcome_id"], unique=False)
    op.execute("GRANT SELECT, INSERT, DELETE ON measures TO procure_app")
    op.execute("GRANT SELECT, INSERT ON observations TO procure_app")
    op.execute("GRANT SELECT, INSERT ON outcome_ledger TO procure_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON outcomes TO procure_app")


def downgrade() -> None:
    op.drop_index(op.f("ix_observations_outcome_id"), table_name="observations")
    op.drop_index("ix_observations_measure_id", table_name="observations")
    op.drop_table("observations")
    op.drop_index("ix_outcome_ledger_outcome_id", table_name="outcome_ledger")
    op.drop_table("outcome_ledger")
    op.drop_table("measures")
    op.drop_index("ix_outcomes_created_at", table_name="outcomes")
    op.drop_index("ix_outcomes_buyer_id", table_name="outcomes")
    op.drop_table("outcomes")
    op.execute("DROP SEQUENCE outcome_references")

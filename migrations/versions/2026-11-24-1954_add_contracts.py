"""Contracts and their deliverables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.execute("CREATE SEQUENCE contract_references")
    op.create_table(
        "contracts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("award_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("outcome_id", sa.Uuid(), nullable=False),
        sa.Column("buyer_id", sa.Uuid(), nullable=False),
        sa.Column("buyer_name", sa.Text(), nullable=False),
        sa.Column("supplier_id", sa.Uuid(), nullable=False),
        sa.Column("supplier_name", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "lapsed",
                "active",
                "completed",
                "terminated",
                name="contractstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("value", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("sign_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sign_by", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column(
            "next_step",
            sa.Enum("continue", "pivot", "stop", name="nextstep", native_enum=False, create_constraint=True, length=32),
            nullable=True,
        ),
        sa.Column("learned_by_buyer", sa.Text(), nullable=True),
        sa.Column("learned_by_supplier", sa.Text(), nullable=True),
        sa.Column("owed", postgresql.JSONB(), nullable=False),
        sa.Column("prepared_by", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("app_now()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("status <> 'lapsed'", name=op.f("ck_contracts_lapsed_is_derived")),
        sa.CheckConstraint("value > 0", name=op.f("ck_contracts_value")),
        sa.ForeignKeyConstraint(["award_id"], ["awards.id"], name=op.f("fk_contracts_award_id_awards")),
        sa.ForeignKeyConstraint(["buyer_id"], ["organisations.id"], name=op.f("fk_contracts_buyer_id_organisations")),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.id"], name=op.f("fk_contracts_lot_id_lots")),
        sa.ForeignKeyConstraint(["outcome_id"], ["outcomes.id"], name=op.f("fk_contracts_outcome_id_outcomes")),
        sa.ForeignKeyConstraint(
            ["supplier_id"], ["organisations.id"], name=op.f("fk_contracts_supplier_id_organisations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contracts")),
        sa.UniqueConstraint("reference", name=op.f("uq_contracts_reference")),
    )
    op.create_index("ix_contracts_buyer_id", "contracts", ["buyer_id", "created_at", "id"], unique=False)
    op.create_index("ix_contracts_lot_id", "contracts", ["lot_id", "number"], unique=False)
    op.create_index(
        "uq_contracts_award_id_number",
        "contracts",
        ["award_id", "number"],
        unique=True,
        postgresql_where="signed_at IS NOT NULL OR status = 'pending'",
    )
    op.create_index("ix_contracts_created_at", "contracts", ["created_at", "id"], unique=False)
    op.create_index("ix_contracts_supplier_id", "contracts", ["supplier_id", "created_at", "id"], unique=False)
    op.create_table(
        "contract_deliverables",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("acceptance_criteria", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "planned",
                "submitted",
                "accepted",
                "rejected",
                "cancelled",
                name="deliverablestatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("rounds", sa.Integer(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("review_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_contract_deliverables_amount")),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contracts.id"], name=op.f("fk_contract_deliverables_contract_id_contracts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_deliverables")),
        sa.UniqueConstraint("contract_id", "key", name=op.f("uq_contract_deliverables_contract_id_key")),
    )
    op.create_index(
        "ix_contract_deliverables_accepted",
        "contract_deliverables",
        ["accepted_at", "id"],
        unique=False,
        postgresql_where="status = 'accepted'",
    )
    op.create_table(
        "contract_signatures",
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column(
            "side",
            sa.Enum("buyer", "supplier", name="side", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contracts.id"], name=op.f("fk_contract_signatures_contract_id_contracts")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_contract_signatures_person_id_persons")),
        sa.PrimaryKeyConstraint("contract_id", "side", name=op.f("pk_contract_signatures")),
    )
    op.create_table(
        "submissions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("deliverable_id", sa.Uuid(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("links", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("submitted_by", sa.Uuid(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=True),
        sa.Column("verdicts", postgresql.JSONB(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["decided_by"], ["persons.id"], name=op.f("fk_submissions_decided_by_persons")),
        sa.ForeignKeyConstraint(
            ["deliverable_id"],
            ["contract_deliverables.id"],
            name=op.f("fk_submissions_deliverable_id_contract_deliverables"),
        ),
        sa.ForeignKeyConstraint(["submitted_by"], ["persons.id"], name=op.f("fk_submissions_submitted_by_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
        sa.UniqueConstraint("deliverable_id", "round", name=op.f("uq_submissions_deliverable_id_round")),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON contract_deliverables TO procure_app")
    op.execute("GRANT SELECT, INSERT ON contract_signatures TO procure_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON contracts TO procure_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON submissions TO procure_app")


def downgrade() -> None:
    op.drop_table("submissions")
    op.drop_table("contract_signatures")
    op.drop_index(
        "ix_contract_deliverables_accepted", table_name="contract_deliverables", postgresql_where="status = 'accepted'"
    )
    op.drop_table("contract_deliverables")
    op.drop_index("ix_contracts_supplier_id", table_name="contracts")
    op.drop_index("ix_contracts_lot_id", table_name="contracts")
    op.drop_index(
        "uq_contracts_award_id_number",
        table_name="contracts",
        postgresql_where="signed_at IS NOT NULL OR status = 'pending'",
    )
    op.drop_index("ix_contracts_created_at", table_name="contracts")
    op.drop_index("ix_contracts_buyer_id", table_name="contracts")
    op.drop_table("contracts")
    op.execute("DROP SEQUENCE contract_references")

"""What a draft gets where it says nothing, as dated rows; what a lot chooses in a word; what it was copied from, why it was cancelled."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

NAMESPACE = uuid.UUID("9a5c5a4e-8a39-4c52-9c0e-5d1f3b0f7a11")

#: The platform's. Weights as central government's guidance has them: at least a tenth for social value (PPN 06/20).
DEFAULTS = {
    "approval_working_days": 2,
    "closes_at_hour": 12,
    "enquiries_working_days": 2,
    "assessment_working_days": 5,
    "signing_working_days": 5,
    "duration_days": 28,
    "criteria": [
        {"name": "How you would work, and who would", "kind": "quality", "weight": 60, "minimum_score": 2},
        {"name": "Price", "kind": "price", "weight": 30, "minimum_score": None},
        {"name": "Social value", "kind": "social_value", "weight": 10, "minimum_score": None},
    ],
}


def choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


REMOTE = choice("remote", "remote", "hybrid", "on_site")
IP = choice("ip", "buyer_owns", "buyer_publishes", "supplier_owns_open_licence", "supplier_owns_licensed")
REASONS = choice(
    "cancelreason",
    "need_changed",
    "budget_withdrawn",
    "no_suitable_bids",
    "documents_wrong",
    "challenged",
    "other",
)
#: With a default while there are rows without; the release that is running writes lots without them until it is replaced.
COLUMNS: tuple[sa.Column[Any], ...] = (
    sa.Column("copied_from_id", sa.Uuid(), nullable=True),
    sa.Column("end_reason_code", REASONS, nullable=True),
    sa.Column("cpv", sa.Text(), nullable=True),
    sa.Column("cpv_additional", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
    sa.Column("place", postgresql.JSONB(), server_default='{"nation": "GB-ENG"}', nullable=False),
    sa.Column("skills", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
    sa.Column("remote", REMOTE, server_default="hybrid", nullable=False),
    sa.Column("ip", IP, server_default="buyer_owns", nullable=False),
    sa.Column("derived", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
)


def upgrade() -> None:
    op.create_table(
        "lot_defaults",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("defaults", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_lot_defaults_organisation_id_organisations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot_defaults")),
    )
    op.create_index(
        "uq_lot_defaults",
        "lot_defaults",
        ["organisation_id", "valid_from"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.execute("GRANT SELECT ON lot_defaults TO procure_app")
    row = f"('{uuid.uuid5(NAMESPACE, 'lot_defaults')}', NULL, '2025-02-24', '{json.dumps(DEFAULTS)}')"
    insert = "INSERT INTO lot_defaults (id, organisation_id, valid_from, defaults) VALUES "
    op.execute(insert + row)
    for column in COLUMNS:
        op.add_column("lots", column)
    op.create_foreign_key(op.f("fk_lots_copied_from_id_lots"), "lots", "lots", ["copied_from_id"], ["id"])
    op.execute(
        "UPDATE lots SET place = json_build_object('nation', nation) FROM organisations WHERE organisations.id = lots.buyer_id"
    )
    op.execute("UPDATE lots SET cpv = outcomes.cpv FROM outcomes WHERE outcomes.id = lots.outcome_id")


def downgrade() -> None:
    op.drop_constraint(op.f("fk_lots_copied_from_id_lots"), "lots", type_="foreignkey")
    for column in reversed(COLUMNS):
        op.drop_column("lots", column.name)
    op.drop_table("lot_defaults")

"""Rules are dated rows; the United Kingdom's are loaded here."""

import json
import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

NAMESPACE = uuid.UUID("9a5c5a4e-8a39-4c52-9c0e-5d1f3b0f7a11")

SMALL = {
    "window_working_days": 5,
    "window_days": 0,
    "notice_required": False,
    "openers": 0,
    "standstill_working_days": 0,
}
NOTIFIABLE = {**SMALL, "notice_required": True}
COVERED = {
    "window_working_days": 0,
    "window_days": 25,
    "notice_required": True,
    "openers": 2,
    "standstill_working_days": 8,
}

#: band, valid from, threshold including VAT (sub-central; central government), what it asks. The covered threshold changes
#: every second 1 January (schedule 1); 30,000 and 12,000 are those of regulated below-threshold procurement (section 84).
BANDS = [
    ("small", "2025-02-24", "0.00", "0.00", SMALL),
    ("notifiable", "2025-02-24", "30000.00", "12000.00", NOTIFIABLE),
    ("covered", "2025-02-24", "214904.00", "139688.00", COVERED),
    ("covered", "2026-01-01", "207720.00", "135018.00", COVERED),
]

LIMITS = {
    "duration_days_max": 84,
    "ceiling_max": "170000.00",
    "title_letters_min": 10,
    "brief_words_min": 20,
    "brief_words_max": 1500,
    "criterion_words_min": 3,
    "deliverables_max": 8,
    "panel_persons_min": 2,
    "panel_disciplines_min": 2,
    "signing_working_days": 10,
    "rework_rounds_max": 2,
    "payment_term_days": 30,
    "review_working_days": 10,
    "review_days_max": 30,
    "further_iterations_max": 3,
    "variation_percent_max": 10,
    "tender_validity_days_min": 60,
}

TERMS = """\
1. The work. The supplier delivers each deliverable of this document by its date, to its acceptance criteria.
2. Acceptance. The buyer answers each submission criterion by criterion, with reasons, within the review time. Silence accepts nothing.
3. Price. Prices are fixed and net of VAT. An accepted deliverable is payable; a valid invoice for it is paid within 30 days of receipt.
4. Stopping. The buyer may end the contract at a boundary: a deliverable accepted, rework rounds spent, or a due date passed. Accepted
work stays payable.
5. Results. What is made for the contract belongs to the buyer on acceptance; what the supplier brought stays its own, with a perpetual
licence to use it with the results. At the end the supplier hands over everything needed to go on without it.
6. Personal data. The supplier processes personal data only on documented instructions and returns or deletes it at the end.
7. Liability. Each side is liable up to 125 per cent of the contract price, without limit where the law allows no limit.
8. Insurance. The supplier keeps the insurance that the law requires for its work.
9. Tax status. The supplier engages and pays its own people.
10. Law. The law of the nation in which the buyer is established governs this contract.
"""


def upgrade() -> None:
    op.create_table(
        "policy_bands",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "band",
            sa.Enum(
                "small", "notifiable", "covered", name="band", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("threshold", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("threshold_central", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("ceremony", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_bands")),
        sa.UniqueConstraint("band", "valid_from", name=op.f("uq_policy_bands_band_valid_from")),
    )
    op.create_table(
        "policy_terms",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_policy_terms")),
    )
    op.create_table(
        "policy_vat_rates",
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("rate", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.PrimaryKeyConstraint("valid_from", name=op.f("pk_policy_vat_rates")),
    )
    op.create_table(
        "policy_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("limits", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_policy_versions_organisation_id_organisations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_versions")),
    )
    op.create_index(
        "uq_policy_versions",
        "policy_versions",
        ["organisation_id", "valid_from"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.execute("GRANT SELECT ON policy_bands TO procure_app")
    op.execute("GRANT SELECT ON policy_terms TO procure_app")
    op.execute("GRANT SELECT ON policy_vat_rates TO procure_app")
    op.execute("GRANT SELECT ON policy_versions TO procure_app")
    _load()


def _load() -> None:
    """The shipped profile: the United Kingdom's (Procurement Act 2023, in force from 24 February 2025)."""
    insert = "INSERT INTO policy_bands (id, band, valid_from, threshold, threshold_central, ceremony) VALUES "
    for band, valid_from, threshold, central, ceremony in BANDS:
        values = (
            str(uuid.uuid5(NAMESPACE, f"{band} {valid_from}")),
            band,
            valid_from,
            threshold,
            central,
            json.dumps(ceremony),
        )
        op.execute(insert + "(" + ", ".join(f"'{value}'" for value in values) + ")")
    op.execute("INSERT INTO policy_vat_rates (valid_from, rate) VALUES ('2011-01-04', 20.00)")
    limits = "INSERT INTO policy_versions (id, organisation_id, valid_from, limits) VALUES "
    row = f"('{uuid.uuid5(NAMESPACE, 'limits')}', NULL, '2025-02-24', '{json.dumps(LIMITS)}')"
    op.execute(limits + row)
    terms = "INSERT INTO policy_terms (version, valid_from, text) VALUES "
    op.execute(terms + f"('short-form-1', '2025-02-24', '{TERMS}')")


def downgrade() -> None:
    op.drop_index("uq_policy_versions", table_name="policy_versions", postgresql_nulls_not_distinct=True)
    op.drop_table("policy_versions")
    op.drop_table("policy_vat_rates")
    op.drop_table("policy_terms")
    op.drop_table("policy_bands")

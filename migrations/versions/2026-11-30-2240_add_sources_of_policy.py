"""Dated rows say whose law they are, after which source and why, and the service adds new ones; none is edited or removed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

TABLES = ("policy_bands", "policy_terms", "policy_vat_rates", "policy_versions")
JURISDICTIONS = ("GB", "GB-ENG", "GB-NIR", "GB-SCT", "GB-WLS")
ACT = "https://www.legislation.gov.uk/ukpga/2023/54"
SHIPPED = "Shipped with Procure."

#: Of the rows that are there: table, condition, citation, address.
SOURCES = [
    (
        "policy_bands",
        "band = 'small'",
        "Procurement Act 2023, Part 6: what lies below the amounts of its notices",
        f"{ACT}/part/6",
    ),
    (
        "policy_bands",
        "band = 'notifiable'",
        "Procurement Act 2023, Part 6: regulated below-threshold contracts",
        f"{ACT}/part/6",
    ),
    (
        "policy_bands",
        "band = 'covered'",
        "Procurement Act 2023, Schedule 1: threshold amounts, as they stand from that day",
        f"{ACT}/schedule/1",
    ),
    (
        "policy_vat_rates",
        "true",
        "Value Added Tax Act 1994, section 2(1), as amended by the Finance (No. 2) Act 2010, section 3",
        "https://www.legislation.gov.uk/ukpga/1994/23/section/2",
    ),
    ("policy_terms", "true", "Procure''s own short form of contract", None),
    (
        "policy_versions",
        "true",
        "Procure''s own limits for short lots; the payment term after the Procurement Act 2023, section 68",
        None,
    ),
]


def upgrade() -> None:
    jurisdiction = sa.Enum(*JURISDICTIONS, name="jurisdiction", native_enum=False, create_constraint=False, length=32)
    among = ", ".join(f"'{one}'" for one in JURISDICTIONS)
    for table in TABLES:
        op.add_column(table, sa.Column("jurisdiction", jurisdiction, nullable=False, server_default="GB"))
        op.create_check_constraint(op.f(f"ck_{table}_jurisdiction"), table, f"jurisdiction IN ({among})")
        op.add_column(table, sa.Column("source", sa.Text(), nullable=False, server_default="Not recorded"))
        op.add_column(table, sa.Column("source_url", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("reason", sa.Text(), nullable=False, server_default=SHIPPED))
        recorded_at = sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("app_now()"), nullable=False
        )
        op.add_column(table, recorded_at)
    for table in ("policy_terms", "policy_vat_rates"):
        op.add_column(table, sa.Column("id", sa.Uuid(), nullable=False, server_default=sa.text("gen_random_uuid()")))
        op.drop_constraint(op.f(f"pk_{table}"), table, type_="primary")
        op.create_primary_key(op.f(f"pk_{table}"), table, ["id"])
        op.alter_column(table, "id", server_default=None)
    op.create_unique_constraint(op.f("uq_policy_terms_version"), "policy_terms", ["version"])
    for table, which, citation, url in SOURCES:
        address = f"'{url}'" if url else "NULL"
        op.execute(f"UPDATE {table} SET source = '{citation}', source_url = {address} WHERE {which}")  # noqa: S608 - of the above
    op.execute(
        "UPDATE policy_versions SET jurisdiction = nation, source = 'Not recorded' "
        "FROM organisations WHERE organisations.id = organisation_id"
    )
    # When they were loaded is on no record; that they held from their day on is.
    for table in TABLES:
        op.execute(f"UPDATE {table} SET recorded_at = valid_from::timestamp AT TIME ZONE 'UTC'")  # noqa: S608 - of the above
    for table in TABLES:
        for column in ("jurisdiction", "source", "reason"):
            op.alter_column(table, column, server_default=None)
    # Of two rows for one day the one that was recorded later holds.
    op.drop_constraint(op.f("uq_policy_bands_band_valid_from"), "policy_bands", type_="unique")
    op.drop_index("uq_policy_versions", table_name="policy_versions", postgresql_nulls_not_distinct=True)
    op.create_index("ix_policy_versions_valid_from", "policy_versions", ["organisation_id", "valid_from"])
    op.create_index("ix_policy_versions_recorded_at", "policy_versions", ["recorded_at", "id"])
    op.execute(f"GRANT INSERT ON {', '.join(TABLES)} TO procure_app")


#: Before, a day had one row of a kind: the one that holds is kept.
KEYS = {
    "policy_bands": "band, valid_from",
    "policy_vat_rates": "valid_from",
    "policy_versions": "organisation_id, valid_from",
}


def downgrade() -> None:
    op.execute(f"REVOKE INSERT ON {', '.join(TABLES)} FROM procure_app")
    for table, key in KEYS.items():
        # A nation's own rows have no place in the release before; nor has a buyer's version that names only some limits.
        partial = "" if table != "policy_versions" else " AND organisation_id IS NULL"
        op.execute(f"DELETE FROM {table} WHERE jurisdiction <> 'GB'{partial}")  # noqa: S608 - of the above
        op.execute(
            f"DELETE FROM {table} WHERE id NOT IN (SELECT DISTINCT ON ({key}) id FROM {table} "  # noqa: S608 - of the above
            f"ORDER BY {key}, recorded_at DESC, id DESC)"
        )
    # Contracts name their terms by version: those stay to be read, and are never in force.
    op.execute("UPDATE policy_terms SET valid_from = '9999-12-31' WHERE jurisdiction <> 'GB'")
    op.execute(
        "UPDATE policy_versions SET limits = (SELECT limits FROM policy_versions AS whole WHERE whole.organisation_id IS NULL "
        "ORDER BY valid_from DESC LIMIT 1) || limits WHERE organisation_id IS NOT NULL"
    )
    op.drop_index("ix_policy_versions_recorded_at", table_name="policy_versions")
    op.drop_index("ix_policy_versions_valid_from", table_name="policy_versions")
    op.create_index(
        "uq_policy_versions",
        "policy_versions",
        ["organisation_id", "valid_from"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_unique_constraint(op.f("uq_policy_bands_band_valid_from"), "policy_bands", ["band", "valid_from"])
    op.drop_constraint(op.f("uq_policy_terms_version"), "policy_terms", type_="unique")
    for table, key in (("policy_terms", "version"), ("policy_vat_rates", "valid_from")):
        op.drop_constraint(op.f(f"pk_{table}"), table, type_="primary")
        op.create_primary_key(op.f(f"pk_{table}"), table, [key])
        op.drop_column(table, "id")
    for table in TABLES:
        op.drop_constraint(op.f(f"ck_{table}_jurisdiction"), table, type_="check")
        for column in ("recorded_at", "reason", "source_url", "source", "jurisdiction"):
            op.drop_column(table, column)

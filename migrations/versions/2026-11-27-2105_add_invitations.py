"""Invitations into an organisation; and which organisations a sign-on opens that was linked by one."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

STATUS = sa.Enum(
    "open", "accepted", "revoked", name="invitationstatus", native_enum=False, create_constraint=True, length=32
)


def upgrade() -> None:
    op.create_table(
        "invitations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("budget_holder", sa.Boolean(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", STATUS, nullable=False),
        sa.Column("accepted_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("app_now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'accepted') = (accepted_by IS NOT NULL)", name=op.f("ck_invitations_accepted_by_somebody")
        ),
        sa.CheckConstraint("(person_id IS NULL) = (name IS NOT NULL)", name=op.f("ck_invitations_person_or_name")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_invitations_organisation_id_organisations")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_invitations_person_id_persons")),
        sa.ForeignKeyConstraint(["accepted_by"], ["persons.id"], name=op.f("fk_invitations_accepted_by_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_invitations_code_hash")),
    )
    op.create_index("ix_invitations_organisation_id", "invitations", ["organisation_id", "created_at", "id"])
    op.execute("GRANT SELECT, INSERT, UPDATE ON invitations TO procure_app")
    # Null for what the operator has linked so far: it opens whatever its person belongs to.
    op.add_column("person_identities", sa.Column("organisation_ids", postgresql.ARRAY(sa.Uuid()), nullable=True))
    op.execute("GRANT UPDATE ON person_identities TO procure_app")


def downgrade() -> None:
    # Without the column a link would open every organisation of its person: those that are bound to some are undone.
    op.execute("DELETE FROM person_identities WHERE organisation_ids IS NOT NULL")
    op.execute("REVOKE UPDATE ON person_identities FROM procure_app")
    op.drop_column("person_identities", "organisation_ids")
    op.drop_table("invitations")

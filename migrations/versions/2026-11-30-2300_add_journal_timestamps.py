"""Time stamps of the journal's checkpoints by an authority; and what is personal is erased by its owner alone, whatever is granted."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "journal_timestamps",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=False),
        sa.Column("stamped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["size"], ["journal_checkpoints.size"], name=op.f("fk_journal_timestamps_size_journal_checkpoints")
        ),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_journal_timestamps")),
    )
    op.execute("GRANT SELECT, INSERT ON journal_timestamps TO procure_app")
    op.execute("""
        CREATE TRIGGER journal_timestamps_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_timestamps
        FOR EACH STATEMENT EXECUTE FUNCTION journal_is_kept()
    """)
    op.execute("""
        CREATE FUNCTION journal_is_erased_by_its_owner() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
            RAISE EXCEPTION 'what is personal is erased by the owner alone: % of %', TG_OP, TG_TABLE_NAME
              USING ERRCODE = 'insufficient_privilege';
          END IF;
          RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER journal_personal_erased BEFORE DELETE ON journal_personal
        FOR EACH STATEMENT EXECUTE FUNCTION journal_is_erased_by_its_owner()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER journal_personal_erased ON journal_personal")
    op.execute("DROP FUNCTION journal_is_erased_by_its_owner()")
    op.drop_table("journal_timestamps")

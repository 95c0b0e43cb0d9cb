"""The public order of the journal: positions, the tree over them, signed checkpoints. A second lock on what is never altered."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

#: What was written stays as it is. Of `journal_personal` rows may be removed, by the owner: that is what it is for.
KEPT = (
    "journal_entries",
    "journal_hold_ends",
    "journal_positions",
    "journal_nodes",
    "journal_checkpoints",
)


def upgrade() -> None:
    op.create_index("ix_journal_entries_order", "journal_entries", ["cluster", "xid"])
    # Holds that have ended so far come before every snapshot: the sealer has seen none.
    for column in ("xid", "cluster"):
        op.add_column("journal_hold_ends", sa.Column(column, sa.BigInteger(), nullable=True))
    op.execute("UPDATE journal_hold_ends SET xid = 0, cluster = app_cluster()")
    for column in ("xid", "cluster"):
        default = sa.text(f"app_{column}()")
        op.alter_column("journal_hold_ends", column, nullable=False, server_default=default)
    op.create_index("ix_journal_hold_ends_order", "journal_hold_ends", ["cluster", "xid"])
    op.create_table(
        "journal_positions",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entries.id"], name=op.f("fk_journal_positions_entry_id_journal_entries")
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_journal_positions")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_journal_positions_entry_id")),
    )
    op.create_table(
        "journal_nodes",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "index", name=op.f("pk_journal_nodes")),
    )
    op.create_table(
        "journal_checkpoints",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("cluster", sa.BigInteger(), nullable=False),
        sa.Column("below", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_journal_checkpoints")),
    )
    for table in ("journal_positions", "journal_nodes", "journal_checkpoints"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO procure_app")
    op.execute("""
        CREATE FUNCTION journal_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          RAISE EXCEPTION 'the journal is never altered: % of %', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
        END $$
    """)
    for table in KEPT:
        _guard(table, "UPDATE OR DELETE OR TRUNCATE")
    _guard("journal_personal", "UPDATE OR TRUNCATE")


def _guard(table: str, verbs: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_kept BEFORE {verbs} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION journal_is_kept()"
    )


def downgrade() -> None:
    for table in ("journal_checkpoints", "journal_nodes", "journal_positions"):
        op.drop_table(table)
    for table in ("journal_entries", "journal_hold_ends", "journal_personal"):
        op.execute(f"DROP TRIGGER {table}_kept ON {table}")
    op.execute("DROP FUNCTION journal_is_kept()")
    op.drop_index("ix_journal_hold_ends_order", table_name="journal_hold_ends")
    op.drop_column("journal_hold_ends", "cluster")
    op.drop_column("journal_hold_ends", "xid")
    op.drop_index("ix_journal_entries_order", table_name="journal_entries")

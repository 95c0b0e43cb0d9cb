"""Replies that are kept for their Idempotency-Key, with the effect that they tell."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "kept_replies",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_replies")),
    )
    op.create_index("ix_kept_replies_kept_at", "kept_replies", ["kept_at"], unique=False)
    # Never changed; removed after their days by the worker, which has the service's role.
    op.execute("GRANT SELECT, INSERT, DELETE ON kept_replies TO procure_app")


def downgrade() -> None:
    op.drop_index("ix_kept_replies_kept_at", table_name="kept_replies")
    op.drop_table("kept_replies")

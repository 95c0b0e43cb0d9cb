"""Enquiries are private until published: drafts, merged questions, replies to the asker alone. A lot's closing moves later."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_STATUSES = ("unanswered", "replied", "merged", "published")
_REPLIED = (
    "(reply IS NULL) = (ground IS NULL) AND (reply IS NULL) = (reply_reason IS NULL)"
    " AND (reply IS NULL) = (replied_at IS NULL) AND (status <> 'replied' OR reply IS NOT NULL)"
)
_CHECKS = {
    "drafted": "(answer IS NULL) = (wording IS NULL)",
    "published": "(status = 'published') = (published_at IS NOT NULL)",
    "published_with_answer": "published_at IS NULL OR answer IS NOT NULL",
    "merged": "(status = 'merged') = (merged_into_id IS NOT NULL)",
    "answered": "(status = 'unanswered') = (answered_at IS NULL)",
    "replied": _REPLIED,
}
_NEW = ("merged_into_id", "replied_at", "replied_by", "reply_reason", "ground", "reply", "published_at", "published_by")


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    op.add_column("lots", sa.Column("extended_at", sa.DateTime(timezone=True)))
    op.alter_column("enquiries", "answered_by", new_column_name="drafted_by")
    op.execute(
        "ALTER TABLE enquiries RENAME CONSTRAINT fk_enquiries_answered_by_persons TO fk_enquiries_drafted_by_persons"
    )
    status = _choice("enquirystatus", *_STATUSES)
    op.add_column("enquiries", sa.Column("status", status, nullable=False, server_default="unanswered"))
    op.add_column("enquiries", sa.Column("wording", sa.Text()))
    op.add_column("enquiries", sa.Column("published_by", sa.Uuid()))
    op.add_column("enquiries", sa.Column("published_at", sa.DateTime(timezone=True)))
    op.add_column("enquiries", sa.Column("reply", sa.Text()))
    op.add_column("enquiries", sa.Column("ground", _choice("ground", "about_asker", "confidential")))
    op.add_column("enquiries", sa.Column("reply_reason", sa.Text()))
    op.add_column("enquiries", sa.Column("replied_by", sa.Uuid()))
    op.add_column("enquiries", sa.Column("replied_at", sa.DateTime(timezone=True)))
    op.add_column("enquiries", sa.Column("merged_into_id", sa.Uuid()))
    # An answer was its publication.
    op.execute(
        "UPDATE enquiries SET status = 'published', wording = question, published_by = drafted_by,"
        " published_at = answered_at WHERE answered_at IS NOT NULL"
    )
    op.alter_column("enquiries", "status", server_default=None)
    for column, table in (("published_by", "persons"), ("replied_by", "persons"), ("merged_into_id", "enquiries")):
        op.create_foreign_key(op.f(f"fk_enquiries_{column}_{table}"), "enquiries", table, [column], ["id"])
    for name, condition in _CHECKS.items():
        op.create_check_constraint(op.f(f"ck_enquiries_{name}"), "enquiries", condition)
    op.create_index(
        "ix_enquiries_published",
        "enquiries",
        ["lot_id", "asked_at", "id"],
        unique=False,
        postgresql_where="published_at IS NOT NULL",
    )


def downgrade() -> None:
    """What was drafted, merged or told to the asker alone goes: before, there were public answers alone."""
    op.drop_index("ix_enquiries_published", table_name="enquiries", postgresql_where="published_at IS NOT NULL")
    for name in _CHECKS:
        op.drop_constraint(op.f(f"ck_enquiries_{name}"), "enquiries", type_="check")
    op.execute("UPDATE enquiries SET answer = NULL, drafted_by = NULL, answered_at = NULL WHERE status <> 'published'")
    op.execute("UPDATE enquiries SET answered_at = published_at WHERE status = 'published'")
    # What everybody read was the wording.
    op.execute("UPDATE enquiries SET question = wording WHERE status = 'published'")
    for column in (*_NEW, "wording", "status"):
        op.drop_column("enquiries", column)
    op.execute(
        "ALTER TABLE enquiries RENAME CONSTRAINT fk_enquiries_drafted_by_persons TO fk_enquiries_answered_by_persons"
    )
    op.alter_column("enquiries", "drafted_by", new_column_name="answered_by")
    op.drop_column("lots", "extended_at")

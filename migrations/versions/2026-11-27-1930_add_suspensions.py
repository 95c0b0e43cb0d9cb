"""Clients, memberships and persons that are suspended for a while."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

#: Table, the name of its check, what it allowed before, and what a suspended one becomes on the way back: nothing that may act.
_STATUSES = (
    ("clients", "clientstatus", ("active", "revoked"), "revoked"),
    ("memberships", "membershipstatus", ("active", "ended"), "ended"),
)


def _check(table: str, name: str, allowed: Sequence[str]) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
    listed = ", ".join(f"'{status}'" for status in allowed)
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, f"status IN ({listed})")


def upgrade() -> None:
    for table, name, before, _ in _STATUSES:
        _check(table, name, (*before, "suspended"))
    status = sa.Enum("active", "suspended", name="personstatus", native_enum=False, create_constraint=True, length=32)
    op.add_column("persons", sa.Column("status", status, nullable=False, server_default="active"))
    op.add_column("persons", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    for column in ("status", "version"):
        op.alter_column("persons", column, server_default=None)
    op.execute("GRANT UPDATE ON persons TO procure_app")


def downgrade() -> None:
    op.execute("REVOKE UPDATE ON persons FROM procure_app")
    # Their suspension can't be told any more: whoever was suspended has no membership that works.
    op.execute(
        "UPDATE memberships SET status = 'ended', version = version + 1 "
        "WHERE person_id IN (SELECT id FROM persons WHERE status = 'suspended') AND status <> 'ended'"
    )
    op.drop_column("persons", "version")
    op.drop_column("persons", "status")
    for table, name, before, instead in _STATUSES:
        rows = sa.table(table, sa.column("status", sa.Text), sa.column("version", sa.Integer))
        suspended = sa.update(rows).where(rows.c.status == "suspended")
        op.execute(suspended.values(status=instead, version=rows.c.version + 1))
        _check(table, name, before)

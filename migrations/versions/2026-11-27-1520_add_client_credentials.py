"""Secrets and public keys of clients as rows of their own, so that one follows another without a gap; tokens that end early."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

#: A client with several keeps its newest; one without a live secret gets the hash of what nobody knows.
_BACK = """
UPDATE clients SET secret_hash = coalesce(
  (SELECT secret_hash FROM client_credentials
   WHERE client_id = clients.id AND kind = 'secret' AND status = 'active' AND coalesce(expires_at > clock_timestamp(), true)
   ORDER BY created_at DESC, id DESC LIMIT 1),
  sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())))
"""


def upgrade() -> None:
    op.create_table(
        "client_credentials",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("secret", "key", name="credentialkind", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=True),
        sa.Column("public_key", postgresql.JSONB(), nullable=True),
        sa.Column("thumbprint", sa.Text(), nullable=True),
        sa.Column(
            "status",
            sa.Enum("active", "revoked", name="credentialstatus", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("app_now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'secret') = (secret_hash IS NOT NULL)", name=op.f("ck_client_credentials_secret_has_hash")
        ),
        sa.CheckConstraint("(kind = 'key') = (public_key IS NOT NULL)", name=op.f("ck_client_credentials_key_has_key")),
        sa.CheckConstraint(
            "(kind = 'key') = (thumbprint IS NOT NULL)", name=op.f("ck_client_credentials_key_has_thumbprint")
        ),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_client_credentials_client_id_clients")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_credentials")),
    )
    op.create_index(
        "ix_client_credentials_client_id", "client_credentials", ["client_id", "created_at", "id"], unique=False
    )
    for name, id_ in (("used_assertions", sa.LargeBinary()), ("revoked_tokens", sa.Uuid())):
        op.create_table(
            name,
            sa.Column("id", id_, nullable=False),
            sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
            sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        )
        op.create_index(f"ix_{name}_expires_at", name, ["expires_at"], unique=False)
        # Never changed; removed by the worker, which has the service's role, once they have expired.
        op.execute(f"GRANT SELECT, INSERT, DELETE ON {name} TO procure_app")
    op.execute(
        "INSERT INTO client_credentials (id, client_id, kind, secret_hash, status, created_at, version) "
        "SELECT gen_random_uuid(), id, 'secret', secret_hash, 'active', created_at, 1 FROM clients"
    )
    op.drop_column("clients", "secret_hash")
    op.execute("GRANT SELECT, INSERT, UPDATE ON client_credentials TO procure_app")


def downgrade() -> None:
    op.add_column("clients", sa.Column("secret_hash", sa.LargeBinary(), nullable=True))
    op.execute(_BACK)
    op.alter_column("clients", "secret_hash", nullable=False)
    for name in ("revoked_tokens", "used_assertions"):
        op.drop_index(f"ix_{name}_expires_at", table_name=name)
        op.drop_table(name)
    op.drop_index("ix_client_credentials_client_id", table_name="client_credentials")
    op.drop_table("client_credentials")

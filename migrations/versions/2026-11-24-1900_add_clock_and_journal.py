"""The clock that decides, and the spine that everything is written on, come before any other table."""

from collections.abc import Sequence

from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

#: Functions that table defaults call. Not IMMUTABLE: each call reads anew. Functions of `search_path` public only.
FUNCTIONS = """
CREATE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
  SELECT clock_timestamp() + coalesce((SELECT ahead FROM sandbox_clock), interval '0')
$$;
CREATE FUNCTION app_instant(moment timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT replace(CASE WHEN moment = date_trunc('second', moment) THEN (moment AT TIME ZONE 'UTC')::text
    ELSE rpad((moment AT TIME ZONE 'UTC')::text, 26, '0') END, ' ', 'T') || 'Z'
$$;
CREATE FUNCTION app_xid() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT pg_current_xact_id()::text::bigint
$$;
CREATE FUNCTION app_cluster() RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT system_identifier FROM pg_control_system()
$$;
"""


def upgrade() -> None:
    op.execute("GRANT USAGE ON SCHEMA public TO procure_app")
    op.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO procure_app")
    op.execute("GRANT SELECT ON alembic_version TO procure_app")
    op.execute(
        "CREATE TABLE sandbox_clock ("
        " one_row boolean NOT NULL CONSTRAINT pk_sandbox_clock PRIMARY KEY CONSTRAINT ck_sandbox_clock_one_row CHECK (one_row),"
        " ahead interval NOT NULL CONSTRAINT ck_sandbox_clock_forward CHECK (ahead >= interval '0'))"
    )
    # INSERT and UPDATE are granted by `procure db sandbox` alone: outside a sandbox nobody who serves can move the clock.
    op.execute("GRANT SELECT ON sandbox_clock TO procure_app")
    for statement in FUNCTIONS.strip().split("$$;\n"):
        op.execute(statement.removesuffix("$$;") + "$$")
    _journal()


def _journal() -> None:
    op.execute("""
        CREATE TABLE journal_entries (
          id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_journal_entries PRIMARY KEY,
          xid bigint NOT NULL DEFAULT app_xid(),
          cluster bigint NOT NULL DEFAULT app_cluster(),
          recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
          at timestamptz NOT NULL DEFAULT app_now(),
          type text NOT NULL,
          event_version integer NOT NULL,
          object_type text NOT NULL,
          object_id uuid,
          object_version integer,
          organisation_id uuid,
          client_id uuid,
          person_id uuid,
          request_id text,
          payload json NOT NULL,
          digest bytea,
          personal_hash bytea,
          hold uuid,
          is_public boolean NOT NULL,
          audience_organisations uuid[] NOT NULL,
          audience_roles text[] NOT NULL,
          audience_persons uuid[] NOT NULL
        )
    """)
    op.execute("CREATE INDEX ix_journal_entries_object ON journal_entries (object_type, object_id, id)")
    op.execute("CREATE INDEX ix_journal_entries_hold ON journal_entries (hold) WHERE hold IS NOT NULL")
    op.execute("""
        CREATE TABLE journal_personal (
          entry_id bigint NOT NULL CONSTRAINT pk_journal_personal PRIMARY KEY
            CONSTRAINT fk_journal_personal_entry_id_journal_entries REFERENCES journal_entries (id),
          salt bytea NOT NULL,
          data bytea NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE journal_hold_ends (
          hold uuid NOT NULL CONSTRAINT pk_journal_hold_ends PRIMARY KEY,
          ended_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )
    """)
    # Insert and select, nothing else: what has been written is never altered by the service.
    for table in ("journal_entries", "journal_personal", "journal_hold_ends"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO procure_app")


def downgrade() -> None:
    for table in ("journal_hold_ends", "journal_personal", "journal_entries", "sandbox_clock"):
        op.execute(f"DROP TABLE {table} CASCADE")
    for function in ("app_now()", "app_instant(timestamptz)", "app_xid()", "app_cluster()"):
        op.execute(f"DROP FUNCTION {function}")
    op.execute("REVOKE SELECT ON alembic_version FROM procure_app")
    op.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE USAGE ON SEQUENCES FROM procure_app")
    op.execute("REVOKE USAGE ON SCHEMA public FROM procure_app")

"""Migrations: up, down, up again, empty and filled; the models say the same; and the service gets no right too many."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any, cast

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from build import (
    active_contract,
    completed_contract,
    council,
    drafted_lot,
    organisation,
    published_lot,
    seat,
    submitted_bid,
    supplier,
    vault_beside,
)
from conftest import World
from procure.identity import credentials
from procure.identity import service as identity
from procure.identity.rules import ClientKind, hash_secret
from procure.identity.schemas import ClientDraft, SecretDraft
from procure.kit import clock
from procure.kit.actor import OrganisationKind, Role
from procure.kit.body import convert
from procure.kit.postgres import Urls
from procure.migrations import configuration, migrate, unmigrate
from procure.policy import service as policy
from procure.policy.schemas import BandDraft, PolicyVersionDraft
from procure.policy.working_days import local_day
from procure.tables import metadata

#: What the service's role may do, table by table. A new table is declared here, with as little as it needs.
KEPT_FOR_GOOD = {
    *("contract_signatures", "journal_checkpoints", "journal_entries", "journal_hold_ends", "journal_nodes"),
    *("journal_personal", "journal_positions", "journal_timestamps", "lot_seals", "observations"),
    *("opening_approvals", "orders", "outcome_ledger", "payments", "policy_bands", "policy_terms"),
    *("policy_vat_rates", "policy_versions", "ranked_bids"),
}
READ_ONLY = {"alembic_version", "lot_defaults", "sandbox_clock"}
CHANGED = {
    *(
        "awards",
        "bids",
        "client_credentials",
        "clients",
        "consensus_scores",
        "contract_deliverables",
        "contracts",
        "enquiries",
        "invitations",
        "invoices",
    ),
    *("lots", "memberships", "organisations", "outcome_proposals", "outcomes", "persons", "scores", "submissions"),
    *("webhook_cursors", "webhooks"),
}
REPLACED = {"kept_replies", "measures", "revoked_tokens", "used_assertions"}
CHANGED_AND_REPLACED = {"outgoing_mails", "panel_members", "person_identities", "registrations", "webhook_deliveries"}
DECLARED: list[tuple[set[str], set[str]]] = [
    (READ_ONLY, {"SELECT"}),
    (KEPT_FOR_GOOD, {"SELECT", "INSERT"}),
    (CHANGED, {"SELECT", "INSERT", "UPDATE"}),
    (REPLACED, {"SELECT", "INSERT", "DELETE"}),
    (CHANGED_AND_REPLACED, {"SELECT", "INSERT", "UPDATE", "DELETE"}),
]
REFUSED = r"permission denied|must be owner"

REVISIONS = [
    script.revision for script in reversed(list(ScriptDirectory.from_config(configuration("")).walk_revisions()))
]
_numbers = itertools.count(1)


@pytest.fixture
async def empty(urls: Urls) -> AsyncGenerator[Urls]:
    """A database of the owner's with nothing in it, as `procure db init` leaves it."""
    name = f"empty_{next(_numbers)}"
    await admin(urls, f"CREATE DATABASE {name} TEMPLATE template0 OWNER procure_owner")
    yield Urls(*(url.replace("/procure?", f"/{name}?") for url in (urls.owner, urls.app, urls.admin)))
    await admin(urls, f"DROP DATABASE {name} WITH (FORCE)")


async def admin(urls: Urls, statement: str) -> None:
    engine = create_async_engine(urls.admin, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


async def up(urls: Urls, revision: str = "head") -> None:
    await asyncio.to_thread(migrate, urls.owner, revision)


async def down(urls: Urls, revision: str) -> None:
    await asyncio.to_thread(unmigrate, urls.owner, revision)


async def ask(url: str, statement: str) -> list[Any]:
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            result = await connection.execute(text(statement))
            return list(result.all()) if result.returns_rows else []
    finally:
        await engine.dispose()


async def left(urls: Urls) -> set[str]:
    """Everything in the schema but Alembic's own table; functions, sequences and granted defaults included."""
    statement = """
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
        UNION ALL SELECT 'default rights' FROM pg_default_acl
        UNION ALL SELECT 'rights on public' FROM pg_namespace WHERE nspname = 'public' AND nspacl::text LIKE '%procure_app%'
    """
    return {row[0] for row in await ask(urls.owner, statement)} - {"alembic_version", "alembic_version_pkc"}


# --- up and down ----------------------------------------------------------------------------------------------------


async def test_down_to_the_base_leaves_nothing_and_up_again_makes_the_same(empty: Urls) -> None:
    await up(empty)
    first = await left(empty)
    await down(empty, "base")
    assert await left(empty) == set()
    await up(empty)
    assert await left(empty) == first
    assert {"lots", "bids", "journal_entries", "app_now"} <= first


async def test_each_step_goes_up_and_down_by_itself(empty: Urls) -> None:
    before = await left(empty)
    for revision, previous in zip(REVISIONS, ["base", *REVISIONS], strict=False):
        await up(empty, revision)
        after = await left(empty)
        await down(empty, previous)
        assert await left(empty) == before, revision
        await up(empty, revision)
        assert await left(empty) == after, revision
        before = after


def test_the_steps_are_one_line_each_with_a_date_and_a_reason() -> None:
    scripts = list(ScriptDirectory.from_config(configuration("")).walk_revisions())
    assert len([script for script in scripts if script.is_head]) == 1
    for script in scripts:
        assert script.doc.strip().endswith("."), script.path
        assert script.path.rpartition("/")[2][:4].isdecimal(), script.path


async def test_up_on_what_is_up_already_changes_nothing(empty: Urls) -> None:
    await up(empty)
    first = await left(empty)
    await up(empty)
    assert await left(empty) == first


async def fill(world: World) -> None:
    """Something in every table that the main job writes."""
    async with world.sessions() as db:
        buyer, vault = await council(db), vault_beside(db, world.settings)
        await completed_contract(db, buyer, await active_contract(db, buyer, vault))
        await drafted_lot(db, buyer)
        await submitted_bid(db, await published_lot(db, buyer, vault), await supplier(db), vault)
        day = str(local_day(await clock.now(db)) + timedelta(days=1))
        band: Any = {**cast("dict[str, Any]", BandDraft.EXAMPLE), "valid_from": day}
        own: Any = {**cast("dict[str, Any]", PolicyVersionDraft.EXAMPLE), "valid_from": day}
        for _ in range(2):  # of which the release before knows one
            await policy.record_band(db, buyer.approver, convert(band, BandDraft))
            await policy.record_version(db, buyer.approver, convert(own, PolicyVersionDraft))
        await db.commit()


async def test_a_filled_database_goes_one_step_down_and_up_and_keeps_the_rest(world: World) -> None:
    await fill(world)
    kept = "SELECT (SELECT count(*) FROM lots), (SELECT count(*) FROM bids), (SELECT count(*) FROM journal_entries)"
    (before,) = await ask(world.urls.owner, kept)
    assert all(count > 0 for count in before)
    await down(world.urls, "-1")
    await up(world.urls)
    assert await ask(world.urls.owner, kept) == [before]
    assert (await world.client.get("/readyz")).status_code == 200


async def test_secrets_go_down_and_up_with_their_clients(world: World) -> None:
    """What has been given up stays given up: of two secrets the newest is the one that the release before knows."""
    async with world.sessions() as db:
        there = await organisation(db, OrganisationKind.BUYER, "Testshire Council")
        admin = await seat(db, there, Role.ADMIN)
        made = [
            await identity.add_client(
                db, admin, there.id, ClientDraft(name="A", kind=ClientKind.SERVICE, roles=[Role.FINANCE])
            )
            for _ in range(3)
        ]
        (one, secret), (two, older), (three, given_up) = made
        await db.commit()
        _, newer = await credentials.add_secret(db, admin, there.id, two.id, SecretDraft())
        _, last = await credentials.rotate_secret(db, admin, there.id, three.id, at_once=True)
        await db.commit()
    await down(world.urls, "0011")
    hashes = dict(await ask(world.urls.owner, "SELECT id, secret_hash FROM clients"))
    assert [hashes[row.id] for row in (one, two, three)] == [hash_secret(text_) for text_ in (secret, newer, last)]
    assert {len(value) for value in hashes.values()} == {32}  # of clients without a secret too, which nobody knows
    await up(world.urls)
    found = [
        await world.client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=(str(row.id), text_))
        for row, text_ in ((one, secret), (two, older), (two, newer), (three, given_up), (three, last))
    ]
    assert [reply.status_code for reply in found] == [200, 401, 200, 401, 200]


async def test_a_filled_database_goes_all_the_way_down(world: World) -> None:
    await fill(world)
    await down(world.urls, "base")
    assert await left(world.urls) == set()
    assert (await world.client.get("/readyz")).status_code == 503
    await up(world.urls)
    assert (await world.client.get("/readyz")).status_code == 200


# --- models ---------------------------------------------------------------------------------------------------------


async def test_the_models_and_the_migrations_say_the_same(urls: Urls) -> None:
    def difference(connection: Connection) -> list[Any]:
        # CHECK constraints are the one thing that Alembic can't compare; the next test does.
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))

    engine = create_async_engine(urls.owner, poolclass=NullPool)
    async with engine.connect() as connection:
        found = await connection.run_sync(difference)
    await engine.dispose()
    assert not found


async def test_every_check_of_the_models_is_in_the_database(urls: Urls) -> None:
    rows = await ask(urls.owner, "SELECT conname FROM pg_constraint WHERE contype = 'c'")
    in_database = {row[0] for row in rows}
    in_models = {
        str(constraint.name)
        for table in metadata.tables.values()
        for constraint in table.constraints
        if constraint.__visit_name__ in {"check_constraint", "table_or_column_check_constraint"}
    }
    assert len(in_models) > 20
    assert in_models == {name for name in in_database if name.startswith("ck_")}


async def test_every_default_of_the_database_that_decides_is_its_clock(urls: Urls) -> None:
    statement = """
        SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND column_default LIKE '%now()%' AND column_default NOT LIKE 'app_now()%'
    """
    assert await ask(urls.owner, statement) == []


# --- rights ---------------------------------------------------------------------------------------------------------


async def rights(urls: Urls) -> dict[str, set[str]]:
    granted = (
        "SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = 'procure_app'"
    )
    found: dict[str, set[str]] = {}
    for table, right in await ask(urls.owner, granted):
        found.setdefault(table, set()).add(right)
    return found


async def test_the_service_has_the_rights_that_are_declared_and_no_others(empty: Urls) -> None:
    await up(empty)
    expected = {table: rights_ for tables, rights_ in DECLARED for table in tables}
    assert await rights(empty) == expected
    assert set(expected) == set(metadata.tables) | {"alembic_version"}


async def test_beside_tables_the_service_may_count_references_and_nothing_else(empty: Urls) -> None:
    """No right on a single column, none to pass on, none that everybody has; sequences give numbers and are never set."""
    await up(empty)
    on_columns = (
        "SELECT attrelid::regclass::text, attname FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid >= 16384"
    )
    assert await ask(empty.owner, on_columns) == []
    of_everybody = """
        SELECT table_name, grantee FROM information_schema.role_table_grants WHERE table_schema = 'public'
        AND (grantee NOT IN ('procure_owner', 'procure_app') OR (grantee = 'procure_app' AND is_grantable = 'YES'))
    """
    assert await ask(empty.owner, of_everybody) == []
    sequences = (
        "SELECT relname, relacl::text FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace"
    )
    found = dict(await ask(empty.owner, sequences))
    assert len(found) >= 3
    assert {name: acl for name, acl in found.items() if "procure_app=U/procure_owner" not in (acl or "")} == {}


@pytest.mark.parametrize("table", sorted(KEPT_FOR_GOOD))
@pytest.mark.parametrize(
    "act", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}", "DROP TABLE {}", "ALTER TABLE {} RENAME TO x"]
)
async def test_what_has_been_written_for_good_the_service_cannot_alter(empty_app: str, table: str, act: str) -> None:
    column = list(metadata.tables[table].columns)[-1].name
    with pytest.raises(ProgrammingError, match=REFUSED):
        await ask(empty_app, act.format(table, column, column))


@pytest.mark.parametrize(
    "act",
    [
        "INSERT INTO sandbox_clock VALUES (true, interval '1 day')",
        "UPDATE sandbox_clock SET ahead = interval '1 day'",
        "CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
        "CREATE TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE TEMPORARY TABLE mine (id int)",
        "SET ROLE procure_owner",
        "UPDATE alembic_version SET version_num = '0001'",
        "UPDATE policy_bands SET threshold = 0",
        "ALTER TABLE journal_entries DISABLE TRIGGER ALL",
    ],
)
async def test_outside_a_sandbox_nobody_who_serves_moves_the_clock_or_makes_the_rules(empty_app: str, act: str) -> None:
    with pytest.raises(DBAPIError, match=REFUSED):
        await ask(empty_app, act)


@pytest.fixture(scope="module")
async def empty_app(urls: Urls) -> AsyncGenerator[str]:
    """The service's URL of a migrated database that is no sandbox."""
    await admin(urls, "CREATE DATABASE no_sandbox TEMPLATE template0 OWNER procure_owner")
    await admin(urls, "REVOKE ALL ON DATABASE no_sandbox FROM PUBLIC")
    await admin(urls, "GRANT CONNECT ON DATABASE no_sandbox TO procure_app")
    of_it = Urls(*(url.replace("/procure?", "/no_sandbox?") for url in (urls.owner, urls.app, urls.admin)))
    await up(of_it)
    yield of_it.app
    await admin(urls, "DROP DATABASE no_sandbox WITH (FORCE)")

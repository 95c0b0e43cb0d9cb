"""The spine: what an entry holds, that it stands and falls with its effect, and that nobody alters it."""

import dataclasses
import hashlib
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from build import move_clock
from conftest import World
from procure.journal.events import PUBLIC, Audience, Event, Refusal, Refused, within
from procure.journal.models import JournalEntry, JournalHoldEnd, JournalPersonal
from procure.journal.service import end_hold, entry_values, may_alter, record, record_refusal, refused
from procure.kit import clock
from procure.kit.actor import ANYONE, SYSTEM, Actor, Role
from procure.kit.canonical import digest
from procure.kit.errors import Conflict
from procure.kit.ids import new_id

ACTOR = Actor(organisation_id=new_id(), client_id=new_id(), person_id=new_id(), request_id="a-request")


class Whistled(Event, frozen=True, kw_only=True):
    """Somebody whistled."""

    type: ClassVar[str] = "whistle.whistled"
    object_type: ClassVar[str] = "whistle"
    event_version: ClassVar[int] = 3

    tune: str
    amount: str = "0.00"


class Nope(Conflict):
    """No."""

    slug, title = "nope", "No"


def whistled(tune: str = "ä ☂", object_id: UUID | None = None) -> Whistled:
    return Whistled(object_id=object_id or new_id(), object_version=7, tune=tune)


async def entry_of(db: AsyncSession, event: Event) -> JournalEntry:
    return (await db.scalars(select(JournalEntry).where(JournalEntry.object_id == event.object_id))).one()


async def test_an_entry_says_who_did_what_to_which_version_for_whom_and_when(db: AsyncSession) -> None:
    event, buyer = whistled(), new_id()
    audience = Audience(organisations=(buyer,), roles=(Role.AUDITOR,), persons=(new_id(),))
    await record(db, ACTOR, event, audience, digest=digest({"a": 1}))
    entry = await entry_of(db, event)
    assert (entry.type, entry.event_version, entry.object_type) == ("whistle.whistled", 3, "whistle")
    assert (entry.object_id, entry.object_version) == (event.object_id, 7)
    assert (entry.organisation_id, entry.client_id, entry.person_id, entry.request_id) == (
        ACTOR.organisation_id,
        ACTOR.client_id,
        ACTOR.person_id,
        "a-request",
    )
    assert (entry.is_public, entry.audience_organisations, entry.audience_roles) == (False, [buyer], ["auditor"])
    assert entry.audience_persons == list(audience.persons)
    assert entry.digest == digest({"a": 1})
    assert entry.hold is None


async def test_the_payload_is_kept_as_the_exact_text_that_can_be_hashed(db: AsyncSession) -> None:
    event = whistled()
    await record(db, ACTOR, event, PUBLIC)
    kept = await db.scalar(
        text("SELECT payload::text FROM journal_entries WHERE object_id = :id"), {"id": event.object_id}
    )
    expected = f'{{"amount":"0.00","object_id":"{event.object_id}","object_version":7,"tune":"ä ☂"}}'
    assert kept == expected == entry_values(ACTOR, event, PUBLIC)["payload"]


async def test_an_entry_carries_what_puts_it_in_order_later(db: AsyncSession) -> None:
    event = whistled()
    await record(db, ACTOR, event, PUBLIC)
    entry = await entry_of(db, event)
    xid = await db.scalar(text("SELECT pg_current_xact_id()::text::bigint"))
    cluster = await db.scalar(text("SELECT system_identifier FROM pg_control_system()"))
    assert (entry.xid, entry.cluster) == (xid, cluster)


async def test_an_entry_has_procurements_time_and_the_databases_own(db: AsyncSession) -> None:
    await move_clock(db, await clock.now(db) + timedelta(days=30))
    event = whistled()
    await record(db, ACTOR, event, PUBLIC)
    entry = await entry_of(db, event)
    assert timedelta(days=29, hours=23) < entry.at - entry.recorded_at < timedelta(days=30, hours=1)


async def test_entries_of_one_transaction_are_in_the_order_of_its_acts(db: AsyncSession) -> None:
    object_id = new_id()
    for tune in ("one", "two", "three"):
        await record(db, ACTOR, whistled(tune, object_id), PUBLIC)
    ordered = select(JournalEntry.payload["tune"].as_string()).where(JournalEntry.object_id == object_id)
    assert list(await db.scalars(ordered.order_by(JournalEntry.id))) == ["one", "two", "three"]


# --- what is personal -----------------------------------------------------------------------------------------------


async def personal_of(db: AsyncSession, entry: JournalEntry) -> JournalPersonal | None:
    return await db.scalar(select(JournalPersonal).where(JournalPersonal.entry_id == entry.id))


async def test_what_is_personal_stands_beside_the_entry_under_a_salted_hash(db: AsyncSession) -> None:
    event = whistled()
    caller = dataclasses.replace(ACTOR, address="203.0.113.7")
    await record(db, caller, event, PUBLIC, personal={"name": "A person"})
    entry = await entry_of(db, event)
    beside = await personal_of(db, entry)
    assert beside is not None
    assert msgspec.json.decode(beside.data) == {"address": "203.0.113.7", "name": "A person"}
    assert entry.personal_hash == hashlib.sha256(beside.salt + beside.data).digest()
    row = await db.scalar(text("SELECT row_to_json(e)::text FROM journal_entries e WHERE id = :id"), {"id": entry.id})
    assert row is not None
    assert "203.0.113.7" not in row
    assert "A person" not in row


async def test_the_same_said_twice_has_two_hashes(db: AsyncSession) -> None:
    events = [whistled(), whistled()]
    for event in events:
        await record(db, ACTOR, event, PUBLIC, personal={"name": "A person"})
    first, second = [await entry_of(db, event) for event in events]
    assert first.personal_hash != second.personal_hash


async def test_where_nothing_is_personal_nothing_stands_beside(db: AsyncSession) -> None:
    event = whistled()
    await record(db, SYSTEM, event, PUBLIC)
    entry = await entry_of(db, event)
    assert entry.personal_hash is None
    assert await personal_of(db, entry) is None


async def test_erasing_what_is_personal_leaves_the_entry_as_it_was(world: World) -> None:
    event = whistled()
    async with world.sessions() as db:
        await record(db, ACTOR, event, PUBLIC, personal={"name": "A person"})
        await db.commit()
        before = await db.scalar(text("SELECT md5(string_agg(e::text, '|')) FROM journal_entries e"))
    async with world.sessions() as db:
        with pytest.raises(ProgrammingError, match="permission denied"):
            await db.execute(delete(JournalPersonal))
    owner = create_async_engine(world.urls.owner, poolclass=NullPool)
    async with owner.begin() as connection:
        await connection.execute(delete(JournalPersonal))
    await owner.dispose()
    async with world.sessions() as db:
        assert await db.scalar(text("SELECT md5(string_agg(e::text, '|')) FROM journal_entries e")) == before


# --- with its effect, or not at all ---------------------------------------------------------------------------------


async def count(world: World) -> int:
    async with world.sessions() as db:
        return await db.scalar(select(func.count()).select_from(JournalEntry)) or 0


async def test_an_entry_stands_and_falls_with_the_transaction_of_its_effect(world: World) -> None:
    async with world.sessions() as db:
        await record(db, ACTOR, whistled(), PUBLIC)
        await db.rollback()
        assert await count(world) == 0
        await record(db, ACTOR, whistled(), PUBLIC)
        assert await count(world) == 0
        await db.commit()
    assert await count(world) == 1


async def test_writers_do_not_wait_for_each_other(world: World) -> None:
    async with world.sessions() as first, world.sessions() as second:
        await second.execute(text("SET LOCAL lock_timeout = '50ms'"))
        object_id = new_id()
        await record(first, ACTOR, whistled("first", object_id), PUBLIC)
        await record(second, ACTOR, whistled("second", object_id), PUBLIC)
        await second.commit()
        await first.commit()
    assert await count(world) == 2


async def test_the_service_can_neither_change_nor_remove_an_entry(world: World) -> None:
    async with world.sessions() as db:
        await record(db, ACTOR, whistled(), PUBLIC)
        await db.commit()
        assert not await may_alter(db)
    for statement in (
        update(JournalEntry).values(request_id="x"),
        delete(JournalEntry),
        text("TRUNCATE journal_entries CASCADE"),
    ):
        async with world.sessions() as db:
            with pytest.raises(ProgrammingError, match=r"permission denied"):
                await db.execute(statement)
    assert await count(world) == 1


# --- holds ----------------------------------------------------------------------------------------------------------


async def test_a_held_entry_names_its_hold_and_a_hold_ends_once(db: AsyncSession) -> None:
    event, hold = whistled(), new_id()
    await record(db, ACTOR, event, PUBLIC, hold=hold)
    assert (await entry_of(db, event)).hold == hold
    await end_hold(db, hold)
    ended = await db.scalar(select(JournalHoldEnd.ended_at).where(JournalHoldEnd.hold == hold))
    await end_hold(db, hold)
    again = await db.scalars(select(JournalHoldEnd.ended_at).where(JournalHoldEnd.hold == hold))
    assert again.all() == [ended]


# --- refusals -------------------------------------------------------------------------------------------------------


async def test_a_refusal_is_carried_by_its_fact_and_written_with_act_reason_and_object(db: AsyncSession) -> None:
    about, hold = new_id(), new_id()
    fact = refused(Nope("Not today."), ACTOR, "lot.open", about, audience=within(ACTOR.organisation_id), hold=hold)
    assert isinstance(fact, Nope)
    assert fact.detail == "Not today."
    await record_refusal(db, fact.refusal)
    entry = (await db.scalars(select(JournalEntry).where(JournalEntry.object_id == about))).one()
    assert (entry.type, entry.hold, entry.person_id) == ("act.refused", hold, ACTOR.person_id)
    assert entry.audience_organisations == [ACTOR.organisation_id]
    said = msgspec.json.decode(await db.scalar(text("SELECT payload::text FROM journal_entries")) or "")
    assert (said["act"], said["reason"], said["about"]) == ("lot.open", "nope", str(about))


def test_a_refusal_is_seen_by_nobody_unless_somebody_is_named() -> None:
    event = Refused(object_id=new_id(), act="x", reason="y", about="z")
    assert Refusal(ANYONE, event).audience == Audience()


def test_within_leaves_out_who_is_nobody() -> None:
    one, two = new_id(), new_id()
    assert within(one, None, two).organisations == (one, two)
    assert not within(one).public

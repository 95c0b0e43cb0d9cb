"""What asking and answering leave behind, and that nothing of it leads back to the asker."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, council, drafted_lot, move_clock, published_enquiry, published_lot, supplier
from conftest import World
from procure.enquiries import rules
from procure.enquiries import service as enquiries
from procure.enquiries.errors import (
    AskerNotSupplier,
    EnquiriesTooMany,
    EnquiryNotDrafted,
    EnquiryNotFound,
    EnquirySettled,
)
from procure.enquiries.models import Enquiry
from procure.enquiries.rules import EnquiryStatus, Ground
from procure.enquiries.schemas import EnquiryAnswer, EnquiryDraft, EnquiryMerge, EnquiryReply
from procure.journal.models import JournalEntry
from procure.journal.service import record_refusal
from procure.kit import clock
from procure.kit.actor import ANYONE, Actor
from procure.kit.db import transaction
from procure.kit.etags import ChangedSinceRead, Seen, read_tags
from procure.kit.ids import new_id
from procure.kit.paging import Paging
from procure.lots import service as lots
from procure.lots.errors import LotNotFound, LotNotOpen
from procure.lots.models import Lot
from procure.vault.keyring import FileKeyring

QUESTION = EnquiryDraft("May the twenty changes come from two districts?")
ANSWER = EnquiryAnswer("Yes, as long as ten of them are ours.", "May the changes come from two districts?")
REPLY = EnquiryReply(
    "Your registration is complete.", Ground.ABOUT_ASKER, "It is about the asker.", informs_bidding=False
)
EVERYTHING = Paging(limit=200, after=None, path="/", query=())
TICK = timedelta(microseconds=1)


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


@pytest.fixture
async def lot(db: AsyncSession, buyer: Council, vault: FileKeyring) -> Lot:
    return await published_lot(db, buyer, vault)


@pytest.fixture
async def asker(db: AsyncSession) -> Actor:
    return await supplier(db, "The asker")


async def entry(db: AsyncSession, about: UUID, type_: str) -> JournalEntry:
    statement = select(JournalEntry).where(JournalEntry.object_id == about, JournalEntry.type == type_)
    return (await db.scalars(statement)).one()


async def test_a_question_is_stored_at_the_databases_time_and_its_entry_is_the_askers_alone(
    db: AsyncSession, lot: Lot, asker: Actor
) -> None:
    before = await clock.now(db)
    enquiry = await enquiries.ask(db, asker, lot.id, QUESTION)
    assert before <= enquiry.asked_at <= await clock.now(db)
    assert (enquiry.question, enquiry.answer, enquiry.version) == (QUESTION.question, None, 1)
    asked = await entry(db, enquiry.id, "enquiry.asked")
    assert (asked.organisation_id, asked.person_id) == (asker.organisation_id, asker.person_id)
    assert (asked.is_public, asked.audience_organisations) == (False, [asker.organisation_id])
    assert (asked.audience_roles, asked.audience_persons) == ([], [])
    assert json.loads(asked.payload)["question"] == QUESTION.question


async def test_every_act_is_told_to_whom_it_is_for_and_no_word_of_it_names_the_asker(
    db: AsyncSession, buyer: Council, lot: Lot, asker: Actor
) -> None:
    one, two, three = [await enquiries.ask(db, asker, lot.id, QUESTION) for _ in range(3)]
    await enquiries.answer(db, buyer.officer, one.id, ANSWER)
    assert (one.answer, one.wording, one.published_at, one.version) == (ANSWER.answer, ANSWER.question, None, 2)
    await enquiries.publish(db, buyer.officer, one.id)
    await enquiries.merge(db, buyer.officer, two.id, EnquiryMerge(one.id))
    await enquiries.reply(db, buyer.officer, three.id, REPLY)
    both = [lot.buyer_id, asker.organisation_id]
    for about, type_, audience, said in (
        (one, "enquiry.drafted", [lot.buyer_id], {"question": ANSWER.question, "answer": ANSWER.answer}),
        (one, "enquiry.published", None, {"question": ANSWER.question, "answer": ANSWER.answer}),
        (two, "enquiry.merged", both, {"into_id": str(one.id)}),
        (three, "enquiry.replied", both, {"answer": REPLY.answer, "ground": "about_asker", "reason": REPLY.reason}),
    ):
        recorded = await entry(db, about.id, type_)
        assert recorded.person_id == buyer.officer.person_id
        assert (recorded.is_public, recorded.audience_organisations) == (audience is None, audience or [])
        payload = json.loads(recorded.payload)
        assert {name: payload[name] for name in said} == said
        for identifying in (asker.organisation_id, asker.person_id, asker.client_id, QUESTION.question):
            assert str(identifying) not in recorded.payload


async def test_nobody_but_asker_and_buyer_sees_what_is_not_published(
    db: AsyncSession, buyer: Council, lot: Lot, asker: Actor, vault: FileKeyring
) -> None:
    shown, drafted, merged, replied, waiting = [await enquiries.ask(db, asker, lot.id, QUESTION) for _ in range(5)]
    await published_enquiry(db, buyer.officer, shown.id)
    await enquiries.answer(db, buyer.officer, drafted.id, ANSWER)
    await enquiries.merge(db, buyer.officer, merged.id, EnquiryMerge(shown.id))
    await enquiries.reply(db, buyer.officer, replied.id, REPLY)
    other = await published_lot(db, buyer, vault)
    await enquiries.ask(db, asker, other.id, QUESTION)
    everything = [waiting.id, replied.id, merged.id, drafted.id, shown.id]
    elsewhere = await council(db, name="Elsewhere Council")
    for reader, expected in (
        (ANYONE, [shown.id]),
        (await supplier(db), [shown.id]),
        (elsewhere.officer, [shown.id]),
        (elsewhere.auditor, [shown.id]),
        (buyer.designer, [shown.id]),  # who is going to score
        (buyer.officer, everything),
        (buyer.approver, everything),
        (buyer.auditor, everything),
        (asker, everything),
    ):
        _, rows = await enquiries.list_enquiries(db, reader, lot.id, EVERYTHING)
        assert [row.id for row in rows] == expected
        for id_ in everything:
            if id_ not in expected:
                with pytest.raises(EnquiryNotFound):
                    await enquiries.read(db, reader, id_)
    _, rows = await enquiries.list_enquiries(db, buyer.officer, lot.id, EVERYTHING, status=EnquiryStatus.UNANSWERED)
    assert [row.id for row in rows] == [waiting.id, drafted.id]
    assert (await enquiries.read(db, asker, drafted.id)).draft is None
    assert (await enquiries.read(db, buyer.auditor, drafted.id)).draft is not None


async def test_a_draft_takes_no_questions_and_tells_nobody_that_it_is_there(
    db: AsyncSession, buyer: Council, asker: Actor
) -> None:
    draft = await drafted_lot(db, buyer)
    for lot_id in (draft.id, uuid4()):
        with pytest.raises(LotNotFound):
            await enquiries.ask(db, asker, lot_id, QUESTION)
        with pytest.raises(LotNotFound):
            await enquiries.list_enquiries(db, ANYONE, lot_id, EVERYTHING)
    assert list((await enquiries.list_enquiries(db, buyer.officer, draft.id, EVERYTHING))[1]) == []


async def test_suppliers_ask_strictly_before_enquiries_close(db: AsyncSession, lot: Lot, asker: Actor) -> None:
    await move_clock(db, lot.enquiries_close_at)
    with pytest.raises(LotNotOpen):
        await enquiries.ask(db, asker, lot.id, QUESTION)


async def test_a_lot_that_has_ended_takes_no_questions(
    db: AsyncSession, buyer: Council, lot: Lot, asker: Actor
) -> None:
    enquiry = await enquiries.ask(db, asker, lot.id, QUESTION)
    await lots.cancel(db, buyer.approver, lot.id, "The need has gone.")
    with pytest.raises(LotNotOpen):
        await enquiries.ask(db, asker, lot.id, QUESTION)
    with pytest.raises(LotNotOpen):
        await enquiries.answer(db, buyer.officer, enquiry.id, ANSWER)
    assert len((await enquiries.list_enquiries(db, asker, lot.id, EVERYTHING))[1]) == 1


async def test_only_suppliers_ask(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    for other in (buyer.officer, ANYONE):
        with pytest.raises(AskerNotSupplier):
            await enquiries.ask(db, other, lot.id, QUESTION)


async def test_an_officer_answers_after_enquiries_have_closed_until_the_lot_does(
    db: AsyncSession, buyer: Council, lot: Lot, asker: Actor
) -> None:
    one, two = [await enquiries.ask(db, asker, lot.id, QUESTION) for _ in range(2)]
    await enquiries.answer(db, buyer.officer, two.id, ANSWER)
    await move_clock(db, lot.enquiries_close_at)
    await published_enquiry(db, buyer.officer, one.id)
    await move_clock(db, lot.closes_at)
    for late in (
        enquiries.answer(db, buyer.officer, two.id, ANSWER),
        enquiries.publish(db, buyer.officer, two.id),
        enquiries.merge(db, buyer.officer, two.id, EnquiryMerge(one.id)),
        enquiries.reply(db, buyer.officer, two.id, REPLY),
    ):
        with pytest.raises(LotNotOpen):
            await late
    assert two.status is EnquiryStatus.UNANSWERED
    assert two.published_at is None


async def test_an_answer_is_edited_until_it_is_published_and_by_the_lots_own_buyer(
    db: AsyncSession, buyer: Council, lot: Lot, asker: Actor
) -> None:
    enquiry = await enquiries.ask(db, asker, lot.id, QUESTION)
    elsewhere = await council(db, name="Elsewhere Council")
    for stranger in (elsewhere.officer, asker, ANYONE):
        for act in (enquiries.answer(db, stranger, enquiry.id, ANSWER), enquiries.publish(db, stranger, enquiry.id)):
            with pytest.raises(EnquiryNotFound):
                await act
    with pytest.raises(EnquiryNotFound):
        await enquiries.answer(db, buyer.officer, uuid4(), ANSWER)
    with pytest.raises(EnquiryNotDrafted):
        await enquiries.publish(db, buyer.officer, enquiry.id)
    await enquiries.answer(db, buyer.officer, enquiry.id, EnquiryAnswer("On second thoughts, no."))
    assert enquiry.wording == QUESTION.question
    await enquiries.answer(db, buyer.officer, enquiry.id, ANSWER)
    await enquiries.publish(db, buyer.officer, enquiry.id)
    for again in (
        enquiries.answer(db, buyer.officer, enquiry.id, ANSWER),
        enquiries.publish(db, buyer.officer, enquiry.id),
        enquiries.reply(db, buyer.officer, enquiry.id, REPLY),
    ):
        with pytest.raises(EnquirySettled):
            await again
    assert (enquiry.question, enquiry.wording, enquiry.answer) == (QUESTION.question, ANSWER.question, ANSWER.answer)


async def test_what_the_asker_alone_was_told_may_become_public_and_when_it_had_an_answer_stays(
    db: AsyncSession, buyer: Council, lot: Lot, asker: Actor
) -> None:
    enquiry = await enquiries.ask(db, asker, lot.id, QUESTION)
    told = await enquiries.reply(db, buyer.officer, enquiry.id, REPLY)
    await move_clock(db, lot.enquiries_close_at)
    await published_enquiry(db, buyer.officer, enquiry.id)
    public, own = [await enquiries.read(db, reader, enquiry.id) for reader in (ANYONE, asker)]
    assert own.answered_at == told.answered_at
    assert public.answered_at == public.published_at == own.published_at
    assert own.published_at is not None
    assert own.published_at >= lot.enquiries_close_at
    assert (public.reply, public.asked_as, public.question) == (None, None, QUESTION.question)
    assert own.reply == told.reply
    assert public.etag != own.etag


def asked_before(lot: Lot, asker: Actor, number: int) -> list[Enquiry]:
    assert asker.organisation_id is not None
    return [
        Enquiry(
            id=new_id(),
            lot_id=lot.id,
            supplier_id=asker.organisation_id,
            status=EnquiryStatus.UNANSWERED,
            question=QUESTION.question,
            asked_at=lot.enquiries_close_at - TICK * (place + 1),
            version=1,
        )
        for place in range(number)
    ]


async def test_one_supplier_asks_about_one_lot_so_often_and_no_more(
    db: AsyncSession, buyer: Council, lot: Lot, asker: Actor, vault: FileKeyring
) -> None:
    db.add_all(asked_before(lot, asker, rules.ENQUIRIES_MAX))
    await db.flush()
    with pytest.raises(EnquiriesTooMany):
        await enquiries.ask(db, asker, lot.id, QUESTION)
    await enquiries.ask(db, await supplier(db), lot.id, QUESTION)
    await enquiries.ask(db, asker, (await published_lot(db, buyer, vault)).id, QUESTION)


async def test_the_bound_holds_when_one_supplier_asks_on_many_connections_at_once(world: World) -> None:
    async with transaction(world.sessions, record_refusal) as db:
        lot = await published_lot(db, await council(db), world.vault)
        asker = await supplier(db)
        db.add_all(asked_before(lot, asker, rules.ENQUIRIES_MAX - 2))

    async def ask() -> bool:
        try:
            async with transaction(world.sessions, record_refusal) as db:
                await enquiries.ask(db, asker, lot.id, QUESTION)
        except EnquiriesTooMany:
            return False
        return True

    async with asyncio.timeout(30):
        asked = await asyncio.gather(*[ask() for _ in range(8)])
    assert sum(asked) == 2
    async with world.sessions() as db:
        assert await db.scalar(select(func.count()).select_from(Enquiry)) == rules.ENQUIRIES_MAX


async def test_of_officers_who_edit_and_publish_at_once_one_publishes_what_it_saw(world: World) -> None:
    async with transaction(world.sessions, record_refusal) as db:
        buyer = await council(db)
        lot = await published_lot(db, buyer, world.vault)
        enquiry = await enquiries.ask(db, await supplier(db), lot.id, QUESTION)
        tag = (await enquiries.answer(db, buyer.officer, enquiry.id, ANSWER)).etag
    seen = Seen(read_tags([tag]))

    async def edit(words: str) -> bool:
        try:
            async with transaction(world.sessions, record_refusal) as db:
                await enquiries.answer(db, buyer.officer, enquiry.id, EnquiryAnswer(words), seen=seen)
        except ChangedSinceRead:
            return False
        return True

    async def publish() -> bool:
        try:
            async with transaction(world.sessions, record_refusal) as db:
                await enquiries.publish(db, buyer.officer, enquiry.id, seen=seen)
        except ChangedSinceRead:
            return False
        return True

    async with asyncio.timeout(30):
        done = await asyncio.gather(publish(), edit("No."), publish(), edit("Never."), publish(), publish())
    assert sum(done) == 1
    edited = done[1] or done[3]
    async with world.sessions() as db:
        row = (await db.scalars(select(Enquiry))).one()
        assert (row.published_at is None) == edited
        assert (row.answer == ANSWER.answer) != edited
        published = select(func.count()).where(JournalEntry.type == "enquiry.published")
        assert await db.scalar(published) == (0 if edited else 1)


async def test_officers_who_publish_at_once_publish_once(world: World) -> None:
    async with transaction(world.sessions, record_refusal) as db:
        buyer = await council(db)
        lot = await published_lot(db, buyer, world.vault)
        enquiry = await enquiries.ask(db, await supplier(db), lot.id, QUESTION)
        await enquiries.answer(db, buyer.officer, enquiry.id, ANSWER)

    async def publish() -> bool:
        try:
            async with transaction(world.sessions, record_refusal) as db:
                await enquiries.publish(db, buyer.officer, enquiry.id)
        except EnquirySettled:
            return False
        return True

    async with asyncio.timeout(30):
        assert sum(await asyncio.gather(*[publish() for _ in range(6)])) == 1

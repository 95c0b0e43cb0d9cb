"""What asking and answering leave behind, and that nothing of it leads back to the asker."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, council, drafted_lot, move_clock, published_lot, supplier
from conftest import World
from procure.enquiries import rules
from procure.enquiries import service as enquiries
from procure.enquiries.errors import AskerNotSupplier, EnquiriesTooMany, EnquiryHasAnswer, EnquiryNotFound
from procure.enquiries.models import Enquiry
from procure.enquiries.schemas import EnquiryAnswer, EnquiryDraft
from procure.journal.models import JournalEntry
from procure.journal.service import record_refusal
from procure.kit import clock
from procure.kit.actor import ANYONE, Actor
from procure.kit.db import transaction
from procure.kit.ids import new_id
from procure.kit.paging import Paging
from procure.lots import service as lots
from procure.lots.errors import LotNotFound, LotNotOpen
from procure.lots.models import Lot
from procure.vault.keyring import FileKeyring

QUESTION = EnquiryDraft("May the twenty changes come from two districts?")
ANSWER = EnquiryAnswer("Yes, as long as ten of them are ours.")
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


async def test_the_answer_is_public_and_no_word_of_its_entry_names_the_asker(
    db: AsyncSession, buyer: Council, lot: Lot, asker: Actor
) -> None:
    enquiry = await enquiries.ask(db, asker, lot.id, QUESTION)
    await enquiries.answer(db, buyer.officer, enquiry.id, ANSWER)
    assert (enquiry.answer, enquiry.answered_by, enquiry.version) == (ANSWER.answer, buyer.officer.person_id, 2)
    answered = await entry(db, enquiry.id, "enquiry.answered")
    assert (answered.is_public, answered.person_id) == (True, buyer.officer.person_id)
    said = json.loads(answered.payload)
    assert (said["question"], said["answer"]) == (QUESTION.question, ANSWER.answer)
    row = await db.execute(select(JournalEntry.__table__).where(JournalEntry.id == answered.id))
    told = str(row.one())
    for identifying in (asker.organisation_id, asker.person_id, asker.client_id):
        assert str(identifying) not in told


async def test_everybody_reads_the_enquiries_of_a_published_lot(
    db: AsyncSession, buyer: Council, lot: Lot, asker: Actor, vault: FileKeyring
) -> None:
    first = await enquiries.ask(db, asker, lot.id, QUESTION)
    second = await enquiries.ask(db, await supplier(db), lot.id, QUESTION)
    other = await published_lot(db, buyer, vault)
    await enquiries.ask(db, asker, other.id, QUESTION)
    for reader in (ANYONE, buyer.officer, asker, await supplier(db)):
        rows = await enquiries.list_enquiries(db, reader, lot.id, EVERYTHING)
        assert [row.id for row in rows] == [second.id, first.id]


async def test_a_draft_takes_no_questions_and_tells_nobody_that_it_is_there(
    db: AsyncSession, buyer: Council, asker: Actor
) -> None:
    draft = await drafted_lot(db, buyer)
    for lot_id in (draft.id, uuid4()):
        with pytest.raises(LotNotFound):
            await enquiries.ask(db, asker, lot_id, QUESTION)
        with pytest.raises(LotNotFound):
            await enquiries.list_enquiries(db, ANYONE, lot_id, EVERYTHING)
    assert list(await enquiries.list_enquiries(db, buyer.officer, draft.id, EVERYTHING)) == []


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
    assert len(await enquiries.list_enquiries(db, ANYONE, lot.id, EVERYTHING)) == 1


async def test_only_suppliers_ask(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    for other in (buyer.officer, ANYONE):
        with pytest.raises(AskerNotSupplier):
            await enquiries.ask(db, other, lot.id, QUESTION)


async def test_an_officer_answers_after_enquiries_have_closed_until_the_lot_does(
    db: AsyncSession, buyer: Council, lot: Lot, asker: Actor
) -> None:
    one, two = [await enquiries.ask(db, asker, lot.id, QUESTION) for _ in range(2)]
    await move_clock(db, lot.enquiries_close_at)
    await enquiries.answer(db, buyer.officer, one.id, ANSWER)
    await move_clock(db, lot.closes_at)
    with pytest.raises(LotNotOpen):
        await enquiries.answer(db, buyer.officer, two.id, ANSWER)
    assert two.answer is None


async def test_an_answer_is_given_once_and_by_the_lots_own_buyer(
    db: AsyncSession, buyer: Council, lot: Lot, asker: Actor
) -> None:
    enquiry = await enquiries.ask(db, asker, lot.id, QUESTION)
    elsewhere = await council(db, name="Elsewhere Council")
    for stranger in (elsewhere.officer, asker, ANYONE):
        with pytest.raises(EnquiryNotFound):
            await enquiries.answer(db, stranger, enquiry.id, ANSWER)
    with pytest.raises(EnquiryNotFound):
        await enquiries.answer(db, buyer.officer, uuid4(), ANSWER)
    await enquiries.answer(db, buyer.officer, enquiry.id, ANSWER)
    with pytest.raises(EnquiryHasAnswer):
        await enquiries.answer(db, buyer.officer, enquiry.id, EnquiryAnswer("On second thoughts, no."))
    assert enquiry.answer == ANSWER.answer


def asked_before(lot: Lot, asker: Actor, number: int) -> list[Enquiry]:
    assert asker.organisation_id is not None
    return [
        Enquiry(
            id=new_id(),
            lot_id=lot.id,
            supplier_id=asker.organisation_id,
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


async def test_two_officers_answering_at_once_publish_one_answer(world: World) -> None:
    async with transaction(world.sessions, record_refusal) as db:
        buyer = await council(db)
        lot = await published_lot(db, buyer, world.vault)
        enquiry = await enquiries.ask(db, await supplier(db), lot.id, QUESTION)

    async def answer(words: str) -> str | None:
        try:
            async with transaction(world.sessions, record_refusal) as db:
                await enquiries.answer(db, buyer.officer, enquiry.id, EnquiryAnswer(words))
        except EnquiryHasAnswer:
            return None
        return words

    async with asyncio.timeout(30):
        given = await asyncio.gather(*[answer(f"Answer {number}.") for number in range(5)])
    (published,) = [words for words in given if words is not None]
    async with world.sessions() as db:
        assert await db.scalar(select(Enquiry.answer)) == published
        answered = select(func.count()).where(JournalEntry.type == "enquiry.answered")
        assert await db.scalar(answered) == 1

"""Enquiries over HTTP: asked in private, answered in public."""

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, council, move_clock, operator, published_lot, supplier
from calls import Call, ok, problem
from procure.enquiries.schemas import EnquiryAnswer, EnquiryDraft
from procure.kit.actor import Actor
from procure.lots.models import Lot
from procure.vault.keyring import FileKeyring

VIEW = {"id", "lot_id", "question", "asked_at", "answer", "answered_at", "version"}


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


@pytest.fixture
async def lot(db: AsyncSession, buyer: Council, vault: FileKeyring) -> Lot:
    lot = await published_lot(db, buyer, vault)
    await db.commit()
    return lot


@pytest.fixture
async def asker(db: AsyncSession) -> Actor:
    asker = await supplier(db, "The asker")
    await db.commit()
    return asker


async def test_a_supplier_asks_an_officer_answers_and_anyone_reads_without_learning_who_asked(
    call: Call, buyer: Council, lot: Lot, asker: Actor
) -> None:
    path = f"/v1/lots/{lot.id}/enquiries"
    asked = ok(await call.post(asker, path, EnquiryDraft.EXAMPLE), 201)
    assert set(asked) == VIEW
    assert (asked["answer"], asked["answered_at"]) == (None, None)
    assert ok(await call.get(None, path))["items"] == [asked]
    answered = ok(await call.post(buyer.officer, f"/v1/enquiries/{asked['id']}/answer", EnquiryAnswer.EXAMPLE))
    assert answered["answer"] == "Yes, as long as at least ten of them are ours."
    for reader in (None, buyer.officer, buyer.auditor, asker):
        reply = await call.get(reader, path)
        assert ok(reply)["items"] == [answered]
        for identifying in (asker.organisation_id, asker.person_id, asker.client_id, "The asker"):
            assert str(identifying) not in reply.text


async def test_who_may_ask_and_who_may_answer(
    db: AsyncSession, call: Call, buyer: Council, lot: Lot, asker: Actor
) -> None:
    platform, path = await operator(db), f"/v1/lots/{lot.id}/enquiries"
    await db.commit()
    for other in (buyer.officer, buyer.approver, buyer.auditor, platform):
        problem(await call.post(other, path, EnquiryDraft.EXAMPLE), 403, "scope-missing")
    assert (await call.post(None, path, EnquiryDraft.EXAMPLE)).status_code == 401
    answer = f"/v1/enquiries/{ok(await call.post(asker, path, EnquiryDraft.EXAMPLE), 201)['id']}/answer"
    for other in (buyer.approver, buyer.service_owner, buyer.auditor, asker, platform):
        problem(await call.post(other, answer, EnquiryAnswer.EXAMPLE), 403, "scope-missing")
    elsewhere = await council(db, name="Elsewhere Council")
    await db.commit()
    problem(await call.post(elsewhere.officer, answer, EnquiryAnswer.EXAMPLE), 404, "enquiry-not-found")
    ok(await call.post(buyer.officer, answer, EnquiryAnswer.EXAMPLE))
    problem(await call.post(buyer.officer, answer, EnquiryAnswer.EXAMPLE), 409, "enquiry-answered")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/question"),
        ({"question": "  "}, "/question"),
        ({"question": "a\x00b"}, "/question"),
        ({"question": "x" * 4001}, "/question"),
        ({"question": 1}, "/question"),
        ({"question": "Why?", "asker": "me"}, "/asker"),
    ],
)
async def test_a_question_is_text_of_a_bounded_length(
    call: Call, lot: Lot, asker: Actor, body: dict[str, object], pointer: str
) -> None:
    told = problem(await call.post(asker, f"/v1/lots/{lot.id}/enquiries", body), 422, "body-invalid")
    assert [one["pointer"] for one in told["errors"]] == [pointer]


async def test_late_questions_are_refused(db: AsyncSession, call: Call, lot: Lot, asker: Actor) -> None:
    await move_clock(db, lot.enquiries_close_at)
    await db.commit()
    problem(await call.post(asker, f"/v1/lots/{lot.id}/enquiries", EnquiryDraft.EXAMPLE), 409, "lot-not-open")


async def test_enquiries_come_in_pages(call: Call, lot: Lot, asker: Actor) -> None:
    path = f"/v1/lots/{lot.id}/enquiries"
    made = [ok(await call.post(asker, path, EnquiryDraft.EXAMPLE), 201)["id"] for _ in range(3)]
    seen: list[str] = []
    link: str | None = f"{path}?limit=2"
    while link:
        page = ok(await call.get(None, link))
        seen += [one["id"] for one in page["items"]]
        link = page["next"]
    assert seen == made[::-1]

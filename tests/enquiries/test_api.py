"""Enquiries over HTTP: asked in private, answered in public."""

from datetime import datetime

import pytest
from msgspec import to_builtins
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, council, move_clock, operator, published_lot, supplier
from calls import Call, ok, problem
from conftest import World
from journal.test_sealer import sealed
from procure.enquiries.rules import Ground
from procure.enquiries.schemas import EnquiryAnswer, EnquiryDraft, EnquiryMerge, EnquiryReply
from procure.journal.service import record_refusal
from procure.kit.actor import Actor
from procure.kit.db import transaction
from procure.lots.models import Lot
from procure.vault.keyring import FileKeyring

VIEW = {
    *("id", "lot_id", "status", "question", "asked_as", "asked_at", "answer", "answered_at", "published_at", "reply"),
    *("merged_into_id", "draft", "version"),
}


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


async def test_a_question_is_private_until_an_officer_publishes_it_in_words_that_name_nobody(
    db: AsyncSession, call: Call, buyer: Council, lot: Lot, asker: Actor
) -> None:
    rival, path = await supplier(db, "The rival"), f"/v1/lots/{lot.id}/enquiries"
    await db.commit()
    before = {reader: (await call.get(reader, path)).content for reader in (None, rival)}
    asked = ok(await call.post(asker, path, {"question": "May we, The asker, start in May?"}), 201)
    own = f"/v1/enquiries/{asked['id']}"
    assert set(asked) == VIEW
    assert (asked["status"], asked["answer"], asked["answered_at"]) == ("unanswered", None, None)
    told = {"question": "May a supplier start in May?", "answer": "Yes."}
    drafted = ok(await call.put(buyer.officer, f"{own}/answer", told))
    assert drafted["draft"] == told
    for reader in (None, rival):
        assert (await call.get(reader, path)).content == before[reader]
        assert ok(await call.get(reader, f"{path}?status=unanswered"))["items"] == []
        problem(await call.get(reader, own), 404, "enquiry-not-found")
        problem(await call.get(reader, f"{own}/actions"), 404, "enquiry-not-found")
    assert ok(await call.get(buyer.officer, path))["items"] == [drafted]
    ok(await call.post(buyer.officer, f"{own}/publish"))
    for reader in (None, rival, buyer.officer, buyer.auditor, asker):
        reply = await call.get(reader, path)
        (shown,) = ok(reply)["items"]
        assert (shown["question"], shown["answer"], shown["status"]) == (*told.values(), "published")
        one = await call.get(reader, own)
        assert ok(one) == shown
        is_party = reader not in {None, rival}
        assert shown["asked_as"] == ("May we, The asker, start in May?" if is_party else None)
        for identifying in (asker.organisation_id, asker.person_id, asker.client_id):
            assert str(identifying) not in reply.text
        assert ("The asker" in reply.text) == is_party
        again = await call("GET", reader, own, headers={"If-None-Match": one.headers["etag"]})
        assert again.status_code == 304


async def test_one_answer_for_several_and_one_for_the_asker_alone(
    db: AsyncSession, call: Call, buyer: Council, lot: Lot, asker: Actor
) -> None:
    second, path = await supplier(db, "The second"), f"/v1/lots/{lot.id}/enquiries"
    await db.commit()
    one, other, private = [
        ok(await call.post(who, path, EnquiryDraft.EXAMPLE), 201)["id"] for who in (asker, second, asker)
    ]
    at, officer = "/v1/enquiries", buyer.officer
    problem(await call.post(officer, f"{at}/{one}/publish"), 409, "enquiry-not-drafted")
    problem(await call.post(officer, f"{at}/{other}/merge", {"into_id": one}), 409, "enquiry-not-mergeable")
    ok(await call.put(officer, f"{at}/{one}/answer", EnquiryAnswer.EXAMPLE))
    ok(await call.post(officer, f"{at}/{one}/publish"))
    ok(await call.post(officer, f"{at}/{other}/merge", {"into_id": one}))
    reply: dict[str, object] = to_builtins(
        EnquiryReply("Complete.", Ground.ABOUT_ASKER, "About it.", informs_bidding=False)
    )
    problem(
        await call.post(officer, f"{at}/{private}/reply", {**reply, "informs_bidding": True}),
        409,
        "reply-informs-bidding",
    )
    missing = problem(
        await call.post(officer, f"{at}/{private}/reply", {"answer": "No.", "ground": "so"}), 422, "body-invalid"
    )
    assert {fault["pointer"] for fault in missing["errors"]} == {"/ground", "/reason", "/informs_bidding"}
    ok(await call.post(officer, f"{at}/{private}/reply", reply))
    assert [item["id"] for item in ok(await call.get(None, path))["items"]] == [one]
    merged = ok(await call.get(second, f"{at}/{other}"))
    assert (merged["status"], merged["merged_into_id"]) == ("merged", one)
    assert merged["answered_at"]
    for reader in (asker, buyer.auditor):
        told = ok(await call.get(reader, f"{at}/{private}"))["reply"]
        assert (told["answer"], told["ground"], told["reason"]) == (reply["answer"], "about_asker", reply["reason"])
    problem(await call.get(second, f"{at}/{private}"), 404, "enquiry-not-found")
    ok(await call.put(officer, f"{at}/{private}/answer", {"answer": "For all.", "question": "For whom?"}))
    ok(await call.post(officer, f"{at}/{private}/publish"))
    public = ok(await call.get(None, f"{at}/{private}"))
    assert (public["answer"], public["question"], public["reply"], public["asked_as"]) == (
        "For all.",
        "For whom?",
        None,
        None,
    )


async def test_changes_and_timeline_tell_a_rival_nothing_before_publication(world: World) -> None:
    async with transaction(world.sessions, record_refusal) as db:
        buyer, asker, rival = await council(db), await supplier(db, "The asker"), await supplier(db, "The rival")
        lot = await published_lot(db, buyer, world.vault)
    call, path = world.call, f"/v1/lots/{lot.id}/enquiries"
    id_ = ok(await call.post(asker, path, EnquiryDraft.EXAMPLE), 201)["id"]
    ok(await call.put(buyer.officer, f"/v1/enquiries/{id_}/answer", EnquiryAnswer.EXAMPLE))

    async def heard(reader: Actor | None) -> list[list[str]]:
        await sealed(world)
        found = []
        for at in (f"/v1/lots/{lot.id}/timeline", "/v1/changes?limit=200"):
            items = ok(await call.get(reader, at))["items"]
            found.append([item["type"] for item in items if item["object_id"] == id_])
        return found

    expected = {None: [], rival: [], asker: ["enquiry.asked"], buyer.officer: ["enquiry.drafted"]}
    for reader, types in expected.items():
        assert await heard(reader) == [types, types]
    ok(await call.post(buyer.officer, f"/v1/enquiries/{id_}/publish"))
    for reader, types in expected.items():
        assert await heard(reader) == [[*types, "enquiry.published"]] * 2


async def test_unanswered_ones_wait_by_when_enquiries_close_and_block_nothing(
    db: AsyncSession, call: Call, buyer: Council, lot: Lot, asker: Actor
) -> None:
    path = f"/v1/lots/{lot.id}/enquiries"
    waiting, drafted = [ok(await call.post(asker, path, EnquiryDraft.EXAMPLE), 201)["id"] for _ in range(2)]
    ok(await call.put(buyer.officer, f"/v1/enquiries/{drafted}/answer", EnquiryAnswer.EXAMPLE))

    async def tasks() -> dict[str, tuple[str, str]]:
        items = ok(await call.get(buyer.officer, "/v1/tasks"))["items"]
        return {one["path"]: (one["operation"], one["due_at"]) for one in items if "enquiries" in one["path"]}

    due = lot.enquiries_close_at.isoformat().replace("+00:00", "Z")
    expected = {
        f"/v1/enquiries/{waiting}": ("answerEnquiry", due),
        f"/v1/enquiries/{drafted}": ("publishEnquiry", due),
    }
    assert await tasks() == expected
    await move_clock(db, lot.enquiries_close_at)
    await db.commit()
    assert await tasks() == expected
    await move_clock(db, lot.closes_at)
    await db.commit()
    assert await tasks() == {}
    left = ok(await call.get(buyer.officer, f"{path}?status=unanswered"))["items"]
    assert {one["id"] for one in left} == {waiting, drafted}
    assert ok(await call.get(None, f"/v1/lots/{lot.id}"))["status"] == "closed"


async def test_late_answers_offer_once_to_move_the_closing(
    db: AsyncSession, call: Call, buyer: Council, lot: Lot, asker: Actor
) -> None:
    path = f"/v1/lots/{lot.id}/enquiries"
    waiting, shown, private = [ok(await call.post(asker, path, EnquiryDraft.EXAMPLE), 201)["id"] for _ in range(3)]
    nothing: dict[str, object] = {"lot_id": str(lot.id), "closes_at": None, "enquiries": []}
    assert ok(await call.get(buyer.approver, f"{path}/offer")) == nothing
    await move_clock(db, lot.enquiries_close_at)
    await db.commit()
    for id_ in (shown, private):
        ok(await call.put(buyer.officer, f"/v1/enquiries/{id_}/answer", EnquiryAnswer.EXAMPLE))
    ok(await call.post(buyer.officer, f"/v1/enquiries/{shown}/publish"))
    reply = EnquiryReply("Complete.", Ground.ABOUT_ASKER, "About it.", informs_bidding=False)
    ok(await call.post(buyer.officer, f"/v1/enquiries/{private}/reply", to_builtins(reply)))
    offered = ok(await call.get(buyer.approver, f"{path}/offer"))
    late = {one["id"]: one["answered_at"] is None for one in offered["enquiries"]}
    assert late == {waiting: True, shown: False}
    assert datetime.fromisoformat(offered["closes_at"]) > lot.closes_at
    for other in (asker, None):
        assert (await call.get(other, f"{path}/offer")).status_code == (404 if other else 401)
    taken = {"closes_at": offered["closes_at"], "reason": "Two answers came late."}
    assert ok(await call.post(buyer.approver, f"/v1/lots/{lot.id}/extend", taken))["closes_at"] == offered["closes_at"]
    assert ok(await call.get(buyer.approver, f"{path}/offer")) == nothing


async def test_who_may_ask_and_who_may_answer(
    db: AsyncSession, call: Call, buyer: Council, lot: Lot, asker: Actor
) -> None:
    platform, path = await operator(db), f"/v1/lots/{lot.id}/enquiries"
    await db.commit()
    for other in (buyer.officer, buyer.approver, buyer.auditor, platform):
        problem(await call.post(other, path, EnquiryDraft.EXAMPLE), 403, "scope-missing")
    assert (await call.post(None, path, EnquiryDraft.EXAMPLE)).status_code == 401
    own = f"/v1/enquiries/{ok(await call.post(asker, path, EnquiryDraft.EXAMPLE), 201)['id']}"
    for other in (buyer.approver, buyer.service_owner, buyer.auditor, asker, platform):
        problem(await call.put(other, f"{own}/answer", EnquiryAnswer.EXAMPLE), 403, "scope-missing")
        problem(await call.post(other, f"{own}/publish"), 403, "scope-missing")
    elsewhere = await council(db, name="Elsewhere Council")
    await db.commit()
    problem(await call.put(elsewhere.officer, f"{own}/answer", EnquiryAnswer.EXAMPLE), 404, "enquiry-not-found")
    problem(await call.post(elsewhere.officer, f"{own}/merge", EnquiryMerge.EXAMPLE), 404, "enquiry-not-found")
    ok(await call.put(buyer.officer, f"{own}/answer", EnquiryAnswer.EXAMPLE))
    ok(await call.post(buyer.officer, f"{own}/publish"))
    problem(await call.put(buyer.officer, f"{own}/answer", EnquiryAnswer.EXAMPLE), 409, "enquiry-settled")


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
        page = ok(await call.get(asker, link))
        seen += [one["id"] for one in page["items"]]
        link = page["next"]
    assert seen == made[::-1]

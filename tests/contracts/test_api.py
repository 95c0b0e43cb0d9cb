"""Contracts over HTTP: from the award to the lot that follows, as a portal would do it."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from build import (
    Council,
    active_contract,
    awarded_lot,
    bidder,
    completed_contract,
    completion_document,
    council,
    decided_deliverable,
    iteration_document,
    move_clock,
    pending_contract,
    supplier,
    verdict_document,
)
from calls import Call, ok, problem
from procure.contracts.models import Contract
from procure.contracts.rules import NextStep
from procure.journal.models import JournalEntry
from procure.kit import clock
from procure.policy.working_days import local_day
from procure.vault.keyring import FileKeyring

DELIVERY = {"note": "It is done.", "links": ["https://work.example/it"]}


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


@pytest.fixture
async def contract(db: AsyncSession, buyer: Council, vault: FileKeyring) -> Contract:
    contract = await active_contract(db, buyer, vault)
    await db.commit()
    return contract


async def test_a_contract_is_drawn_up_read_and_signed_by_both_sides(
    db: AsyncSession, call: Call, buyer: Council, vault: FileKeyring
) -> None:
    _, award = await awarded_lot(db, buyer, vault)
    winner = await bidder(db, award.supplier_id)
    await db.commit()
    problem(await call.post(buyer.approver, f"/v1/awards/{award.id}/contract"), 403, "scope-missing")
    drawn = ok(await call.post(buyer.officer, f"/v1/awards/{award.id}/contract"), 201)
    assert (drawn["status"], drawn["value"]["amount"], drawn["signatures"]) == ("pending", "11050.00", [])
    problem(await call.post(buyer.officer, f"/v1/awards/{award.id}/contract"), 409, "contract-drawn-up")
    path = f"/v1/contracts/{drawn['id']}"
    document = await call.get(winner, f"{path}/document")
    assert document.headers["content-type"].startswith("application/json")
    digest = hashlib.sha256(document.content).hexdigest()
    assert digest == drawn["digest"]
    problem(await call.post(buyer.officer, f"{path}/sign", {"digest": digest}), 403, "scope-missing")
    problem(await call.post(winner, f"{path}/sign", {"digest": "0" * 64}), 409, "digest-mismatch")
    assert ok(await call.post(winner, f"{path}/sign", {"digest": digest}))["status"] == "pending"
    problem(await call.post(winner, f"{path}/sign", {"digest": digest}), 409, "side-signed")
    signed = ok(await call.post(buyer.approver, f"{path}/sign", {"digest": digest}))
    assert (signed["status"], [one["side"] for one in signed["signatures"]]) == ("active", ["supplier", "buyer"])
    assert ok(await call.get(buyer.auditor, path)) == signed


async def test_four_eyes_at_signature_are_on_the_record(
    db: AsyncSession, call: Call, buyer: Council, vault: FileKeyring
) -> None:
    contract = await pending_contract(db, buyer, vault)
    contract.prepared_by = [buyer.approver.person_id or contract.id]
    await db.commit()
    body = {"digest": contract.digest.hex()}
    problem(await call.post(buyer.approver, f"/v1/contracts/{contract.id}/sign", body), 403, "same-person")
    entry = (await db.scalars(select(JournalEntry).where(JournalEntry.type == "act.refused"))).one()
    assert (entry.object_id, entry.person_id) == (contract.id, buyer.approver.person_id)
    assert entry.audience_organisations == [buyer.organisation.id]


async def test_a_contract_is_not_there_for_anybody_else(
    db: AsyncSession, call: Call, buyer: Council, contract: Contract
) -> None:
    strangers = [await supplier(db), (await council(db, name="Elsewhere Council")).auditor]
    await db.commit()
    path = f"/v1/contracts/{contract.id}"
    for stranger in strangers:
        for address in (path, f"{path}/document"):
            problem(await call.get(stranger, address), 404, "contract-not-found")
        assert ok(await call.get(stranger, "/v1/contracts"))["items"] == []
    problem(await call.get(None, path), 401, "unauthenticated")
    problem(await call.get(buyer.designer, path), 403, "scope-missing")
    bodies: dict[str, Any] = {
        "sign": {"digest": "0" * 64},
        "deliverables/D1/submit": DELIVERY,
        "retrospective": {"learned": "Nothing."},
    }
    for act, body in bodies.items():
        problem(await call.post(strangers[0], f"{path}/{act}", body), 404, "contract-not-found")


async def test_a_contract_from_delivery_to_the_next_iteration(
    db: AsyncSession, call: Call, buyer: Council, contract: Contract
) -> None:
    winner = await bidder(db, contract.supplier_id)
    await db.commit()
    path, first = f"/v1/contracts/{contract.id}", contract.deliverables[0]
    at = f"{path}/deliverables/D1"
    problem(await call.post(buyer.service_owner, f"{at}/submit", DELIVERY), 403, "scope-missing")
    problem(await call.post(winner, f"{path}/deliverables/D9/submit", DELIVERY), 404, "deliverable-not-found")
    submitted = ok(await call.post(winner, f"{at}/submit", DELIVERY))["deliverables"][0]
    assert (submitted["status"], submitted["rounds"], submitted["is_overdue"]) == ("submitted", 1, False)
    problem(await call.post(winner, f"{at}/decide", verdict_document(first)), 403, "scope-missing")
    body = problem(
        await call.post(buyer.service_owner, f"{at}/decide", {"verdicts": [{"criterion": 0, "met": False}]}),
        422,
        "verdict-invalid",
    )
    assert [fault["pointer"] for fault in body["errors"]] == ["/verdicts/0/reason", "/verdicts"]
    rejected = ok(await call.post(buyer.service_owner, f"{at}/decide", verdict_document(first, unmet=(1,))))
    assert rejected["deliverables"][0]["status"] == "rejected"
    ok(await call.post(winner, f"{at}/submit", DELIVERY))
    accepted = ok(await call.post(buyer.service_owner, f"{at}/decide", verdict_document(first)))
    assert accepted["deliverables"][0]["status"] == "accepted"
    document = await completion_document(db, contract)
    problem(await call.post(buyer.officer, f"{path}/complete", document), 409, "deliverables-open")
    await decided_deliverable(db, buyer, contract, "D2")
    await db.commit()
    ok(await call.post(winner, f"{path}/retrospective", {"learned": "Ask sooner."}))
    problem(await call.post(winner, f"{path}/complete", document), 403, "scope-missing")
    faulty = document | {"measures": document["measures"] * 2}
    body = problem(await call.post(buyer.officer, f"{path}/complete", faulty), 422, "completion-invalid")
    assert [fault["code"] for fault in body["errors"]] == ["repeated"]
    completed = ok(await call.post(buyer.officer, f"{path}/complete", document))
    assert (completed["status"], completed["next_step"]) == ("completed", "continue")
    assert (completed["learned_by_buyer"], completed["learned_by_supplier"]) == (
        "Most of it was one letter.",
        "Ask sooner.",
    )
    outcome = ok(await call.get(None, f"/v1/outcomes/{contract.outcome_id}"))
    assert (outcome["measures"][0]["latest"]["value"], outcome["ledger"]["accepted"]["amount"]) == ("11", "11050.00")
    problem(await call.post(buyer.officer, f"{path}/next-lot"), 409, "iteration-left")
    agreed = iteration_document(local_day(await clock.now(db)))
    second = ok(await call.post(buyer.officer, f"{path}/continue", agreed), 201)
    assert (second["number"], second["award_id"], second["status"]) == (2, completed["award_id"], "pending")
    again = f"/v1/contracts/{second['id']}"
    for signer in (winner, buyer.approver):
        second = ok(await call.post(signer, f"{again}/sign", {"digest": second["digest"]}))
    assert second["status"] == "active"
    found = ok(await call.get(winner, f"/v1/contracts?lot_id={contract.lot_id}&status=active"))["items"]
    assert [one["id"] for one in found] == [second["id"]]


async def test_when_no_iteration_is_left_the_next_lot_is_drafted_with_one_call(
    db: AsyncSession, call: Call, buyer: Council, contract: Contract
) -> None:
    await completed_contract(db, buyer, contract, NextStep.PIVOT)
    await db.commit()
    path = f"/v1/contracts/{contract.id}/next-lot"
    problem(await call.post(buyer.approver, path), 403, "scope-missing")
    lot = ok(await call.post(buyer.officer, path), 201)
    assert (lot["status"], lot["follows_id"], lot["iteration"]) == ("draft", str(contract.lot_id), 2)
    ok(await call.patch(buyer.officer, f"/v1/lots/{lot['id']}", {"phase": "define"}))
    problem(await call.post(buyer.officer, path), 409, "next-lot-drafted")


async def test_a_buyer_gives_up_what_was_to_continue(
    db: AsyncSession, call: Call, buyer: Council, contract: Contract
) -> None:
    await completed_contract(db, buyer, contract)
    winner = await bidder(db, contract.supplier_id)
    await db.commit()
    path, body = f"/v1/contracts/{contract.id}/next-step", {"next_step": "pivot", "reason": "Another way was found."}
    problem(await call.post(winner, path, body), 403, "scope-missing")
    for wrong in ({"next_step": "continue"}, {"next_step": "stop", "reason": ""}, {"reason": None}):
        problem(await call.post(buyer.officer, path, body | wrong), 422, "body-invalid")
    agreed = iteration_document(local_day(await clock.now(db)))
    second = ok(await call.post(buyer.officer, f"/v1/contracts/{contract.id}/continue", agreed), 201)
    again = f"/v1/contracts/{second['id']}"
    changed = ok(await call.post(buyer.service_owner, path, body))
    assert (changed["status"], changed["next_step"]) == ("completed", "pivot")
    assert ok(await call.get(winner, again))["status"] == "terminated"
    problem(await call.post(winner, f"{again}/sign", {"digest": second["digest"]}), 409, "contract-state-wrong")
    ledger = ok(await call.get(None, f"/v1/outcomes/{contract.outcome_id}"))["ledger"]
    assert ledger["committed"] == ledger["accepted"]
    ok(await call.post(buyer.officer, f"/v1/contracts/{contract.id}/next-lot"), 201)
    problem(await call.post(buyer.officer, path, body), 409, "next-step-other")


async def test_a_buyer_ends_at_a_boundary_and_not_before(
    db: AsyncSession, call: Call, buyer: Council, contract: Contract
) -> None:
    path, reason = f"/v1/contracts/{contract.id}/terminate", {"reason": "Enough was learned."}
    winner = await bidder(db, contract.supplier_id)
    await db.commit()
    problem(await call.post(buyer.approver, path, reason), 409, "not-at-boundary")
    problem(await call.post(winner, path, reason), 403, "other-side-needed")
    await move_clock(db, await clock.now(db) + timedelta(days=60))
    await db.commit()
    ended = ok(await call.post(buyer.approver, path, reason))
    assert (ended["status"], ended["end_reason"]) == ("terminated", "Enough was learned.")
    assert {one["status"] for one in ended["deliverables"]} == {"cancelled"}


@pytest.mark.parametrize(
    "link",
    [
        "http://work.example/it",
        "https://",
        "https:///it",
        "https://user@work.example/it",
        "https://work.example/a b",
        "javascript:alert(1)",
        "https://work.example/" + "x" * 2000,
    ],
)
async def test_links_are_bounded_https(db: AsyncSession, call: Call, link: str) -> None:
    winner = await supplier(db)
    await db.commit()
    path = "/v1/contracts/0199c0de-0000-7000-8000-000000000000/deliverables/D1/submit"
    body = problem(await call.post(winner, path, {"note": "Done.", "links": [link]}), 422, "body-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/links/0"]
    problem(
        await call.post(winner, path, {"note": "Done.", "links": ["https://work.example"]}), 404, "contract-not-found"
    )


@pytest.mark.parametrize(
    "body", [{}, [], None, {"digest": "é" * 64}, {"digest": "A" * 64}, {"digest": "0" * 64, "more": 1}]
)
async def test_a_bad_body_is_never_a_500(db: AsyncSession, call: Call, buyer: Council, body: object) -> None:
    await db.commit()
    path = "/v1/contracts/0199c0de-0000-7000-8000-000000000000"
    acts = {"sign": buyer.approver, "terminate": buyer.approver, "complete": buyer.officer, "continue": buyer.officer}
    for act, actor in acts.items():
        assert (await call.post(actor, f"{path}/{act}", body)).status_code in (400, 415, 422)
    assert (await call.post(buyer.service_owner, f"{path}/deliverables/D1/decide", body)).status_code in (400, 415, 422)

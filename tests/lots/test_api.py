"""Lots over HTTP."""

from sqlalchemy.ext.asyncio import AsyncSession

from build import (
    Council,
    active_outcome,
    council,
    drafted_lot,
    lot_document,
    measure_ids,
    move_clock,
    published_lot,
    seat,
    supplier,
)
from calls import Call, ok, problem
from procure.kit import clock
from procure.kit.actor import Role
from procure.vault.keyring import FileKeyring


async def test_a_lot_is_drafted_edited_and_published_by_the_right_people(db: AsyncSession, call: Call) -> None:
    buyer: Council = await council(db)
    outcome = await active_outcome(db, buyer)
    await db.commit()
    document = lot_document(outcome.id, await measure_ids(db, outcome), await clock.now(db))
    lot = ok(await call.post(buyer.officer, "/v1/lots", document), 201)
    assert lot["status"] == "draft"
    path = f"/v1/lots/{lot['id']}"
    problem(await call.get(None, path), 404, "lot-not-found")
    ok(await call.patch(buyer.officer, path, {"title": "Find out why the changes wait"}))
    problem(await call.post(buyer.officer, f"{path}/publish"), 403, "scope-missing")
    published = ok(await call.post(buyer.approver, f"{path}/publish"))
    assert published["status"] == "published"
    assert ok(await call.get(None, path)) == published


async def test_unknown_fields_and_parameters_are_named(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    lot = await drafted_lot(db, buyer)
    await db.commit()
    body = problem(await call.patch(buyer.officer, f"/v1/lots/{lot.id}", {"status": "published"}), 422, "body-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/status"]
    body = problem(await call.get(None, "/v1/lots?colour=red&limit=1"), 400, "parameters-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/colour"]


async def test_lists_are_paged_and_stay_stable(db: AsyncSession, call: Call, vault: FileKeyring) -> None:
    buyer = await council(db)
    outcome = await active_outcome(db, buyer, envelope={"amount": "24000.00", "currency": "GBP"})
    money = {"amount": "1000.00", "currency": "GBP"}
    made = [
        await published_lot(db, buyer, vault, outcome, ceiling=money, further_iterations={"count": 1, "ceiling": money})
        for _ in range(5)
    ]
    await db.commit()
    seen, path = [], "/v1/lots?limit=2"
    while path:
        page = ok(await call.get(await supplier(db), path))
        seen += [item["id"] for item in page["items"]]
        path = page["next"]
    assert seen == [str(lot.id) for lot in reversed(made)]


async def test_a_long_big_and_vague_lot_is_refused_with_every_fault_at_its_place(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    outcome = await active_outcome(db, buyer)
    await db.commit()
    document = lot_document(outcome.id, await measure_ids(db, outcome), await clock.now(db))
    document |= {"duration_days": 400, "title": "Big", "ceiling": {"amount": "5000000.00", "currency": "GBP"}}
    document["criteria"] = document["criteria"][:1]
    body = problem(await call.post(buyer.officer, "/v1/lots", document), 422, "lot-invalid")
    assert {(fault["pointer"], fault["code"]) for fault in body["errors"]} == {
        ("/duration_days", "time-box-too-long"),
        ("/title", "vague"),
        ("/ceiling/amount", "ceiling-too-high"),
        ("/criteria", "weights"),
    }


async def test_who_records_the_notice_of_a_lot_does_not_publish_it(db: AsyncSession, call: Call) -> None:
    """Its time is what the law's window is counted from: nobody states it and acts on it alone."""
    buyer = await council(db)
    both = await seat(db, buyer.organisation, Role.OFFICER, Role.APPROVER)
    lot = await drafted_lot(db, buyer)
    path = f"/v1/lots/{lot.id}"
    notice = {"id": "2026/S 000-054321", "ocid": "ocds-h6vhtk-04f1aa", "published_at": lot.created_at.isoformat()}
    ok(await call.put(both, f"{path}/notice", notice))
    problem(await call.post(both, f"{path}/publish"), 403, "same-person")
    ok(await call.post(buyer.approver, f"{path}/publish"))


async def test_a_notifiable_lot_opens_once_its_notice_is_on_record(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    outcome = await active_outcome(db, buyer, envelope={"amount": "60000.00", "currency": "GBP"})
    lot = await drafted_lot(db, buyer, outcome)
    await db.commit()
    path = f"/v1/lots/{lot.id}"
    problem(await call.post(buyer.approver, f"{path}/publish"), 409, "notice-missing")
    notice = {"id": "2026/S 000-054321", "ocid": "ocds-h6vhtk-04f1aa", "published_at": lot.created_at.isoformat()}
    shown = ok(await call.put(buyer.officer, f"{path}/notice", notice))
    assert (shown["band"], shown["notice"]["id"]) == ("notifiable", notice["id"])
    problem(await call.put(buyer.officer, f"{path}/notice", notice | {"ocid": "without a prefix"}), 422, "body-invalid")
    ok(await call.post(buyer.approver, f"{path}/publish"))


async def test_a_lot_is_cancelled_for_a_reason_that_everybody_reads(
    db: AsyncSession, call: Call, vault: FileKeyring
) -> None:
    buyer = await council(db)
    lot = await published_lot(db, buyer, vault)
    await db.commit()
    path = f"/v1/lots/{lot.id}"
    reason = {"reason_code": "need_changed", "reason": "The need has gone."}
    problem(await call.post(buyer.officer, f"{path}/cancel", reason), 403, "scope-missing")
    problem(await call.post(buyer.approver, f"{path}/cancel", reason | {"reason": " "}), 422, "body-invalid")
    ok(await call.post(buyer.approver, f"{path}/cancel", reason))
    shown = ok(await call.get(None, path))
    assert (shown["status"], shown["end_reason"]) == ("cancelled", "The need has gone.")
    assert shown["end_reason_code"] == "need_changed"
    problem(await call.post(buyer.approver, f"{path}/cancel", reason), 409, "lot-not-cancellable")


async def test_a_published_lot_shows_its_key_and_is_closed_when_its_time_has_come(
    db: AsyncSession, call: Call, vault: FileKeyring
) -> None:
    buyer = await council(db)
    lot = await published_lot(db, buyer, vault)
    await db.commit()
    path = f"/v1/lots/{lot.id}"
    shown = ok(await call.get(None, path))
    assert (shown["status"], shown["key"]["id"]) == ("published", lot.key_id)
    assert [one["id"] for one in ok(await call.get(None, "/v1/lots?status=published"))["items"]] == [str(lot.id)]
    await move_clock(db, lot.closes_at)
    await db.commit()
    assert ok(await call.get(None, path))["status"] == "closed"
    assert ok(await call.get(None, "/v1/lots?status=published"))["items"] == []
    assert [one["id"] for one in ok(await call.get(None, "/v1/lots?status=closed"))["items"]] == [str(lot.id)]


async def test_another_buyers_draft_does_not_exist(db: AsyncSession, call: Call) -> None:
    buyer, other = await council(db), await council(db, name="Elsewhere Council")
    lot = await drafted_lot(db, buyer)
    await db.commit()
    path = f"/v1/lots/{lot.id}"
    for actor in (None, other.officer, await supplier(db)):
        problem(await call.get(actor, path), 404, "lot-not-found")
    problem(await call.patch(other.officer, path, {"title": "A title of theirs"}), 404, "lot-not-found")
    problem(await call.post(other.approver, f"{path}/publish"), 404, "lot-not-found")
    theirs = {"reason_code": "other", "reason": "Theirs."}
    problem(await call.post(other.approver, f"{path}/cancel", theirs), 404, "lot-not-found")

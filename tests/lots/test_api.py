"""Lots over HTTP."""

from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, active_outcome, council, drafted_lot, lot_document, measure_ids, published_lot, supplier
from calls import Call, ok, problem
from procure.kit import clock
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

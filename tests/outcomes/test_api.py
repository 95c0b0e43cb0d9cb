"""Outcomes over HTTP."""

from sqlalchemy.ext.asyncio import AsyncSession

from build import active_outcome, council, operator, outcome_document, supplier
from calls import Call, ok, problem


async def test_an_outcome_is_written_edited_activated_observed_and_ended(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    await db.commit()
    made = ok(await call.post(buyer.officer, "/v1/outcomes", outcome_document(buyer)), 201)
    path = f"/v1/outcomes/{made['id']}"
    problem(await call.get(None, path), 404, "outcome-not-found")
    ok(await call.patch(buyer.officer, path, {"beneficiaries": "Residents and landlords"}))
    problem(await call.post(buyer.officer, f"{path}/activate"), 403, "scope-missing")
    problem(await call.post(buyer.approver, f"{path}/activate"), 403, "budget-holder-needed")
    active = ok(await call.post(buyer.budget_holder, f"{path}/activate"))
    assert active["status"] == "active"
    assert ok(await call.get(buyer.officer, path)) == active
    measure = active["measures"][0]["id"]
    observation = {"value": "10.5", "observed_on": "2026-11-01", "source": "Case system"}
    ok(await call.post(buyer.officer, f"{path}/measures/{measure}/observations", observation), 201)
    assert ok(await call.get(None, path))["measures"][0]["progress"] == "0.5000"
    assert len(ok(await call.get(None, f"{path}/observations"))["items"]) == 1
    ended = ok(await call.post(buyer.approver, f"{path}/end", {"status": "achieved", "reason": "Seen."}))
    assert ended["status"] == "achieved"


async def test_who_is_in_the_team_is_told_to_their_own_buyer_alone(db: AsyncSession, call: Call) -> None:
    buyer, other = await council(db), await council(db, name="Elsewhere Council")
    outcome, bidder = await active_outcome(db, buyer), await supplier(db)
    await db.commit()
    path = f"/v1/outcomes/{outcome.id}"
    for actor in (buyer.officer, buyer.auditor):
        team = ok(await call.get(actor, path))["team"]
        assert [(one["discipline"], one["person_id"]) for one in team] == [
            ("service design", str(buyer.designer.person_id)),
            ("engineering", str(buyer.engineer.person_id)),
        ]
    for outsider in (None, bidder, other.officer, other.auditor, await operator(db)):
        reply = await call.get(outsider, path)
        assert [(one["discipline"], one["person_id"]) for one in ok(reply)["team"]] == [
            ("service design", None),
            ("engineering", None),
        ]
        for person in (buyer.designer, buyer.engineer, buyer.officer, buyer.budget_holder):
            assert str(person.person_id) not in reply.text


async def test_every_fault_of_an_outcome_is_told_at_once(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    await db.commit()
    document = outcome_document(buyer)
    document["measures"][0]["target"] = {"value": "abc", "on": "soon"}
    document["envelope"] = {"amount": 24000, "currency": "pounds"}
    document |= {"colour": "red", "title": "  "}
    body = problem(await call.post(buyer.officer, "/v1/outcomes", document), 422, "body-invalid")
    assert {fault["pointer"] for fault in body["errors"]} == {
        "/colour",
        "/envelope/amount",
        "/envelope/currency",
        "/measures/0/target/on",
        "/measures/0/target/value",
        "/title",
    }


async def test_lists_show_drafts_to_their_own_buyer_only(db: AsyncSession, call: Call) -> None:
    buyer, other = await council(db), await council(db, name="Elsewhere Council")
    await active_outcome(db, buyer)
    await db.commit()
    ok(await call.post(buyer.officer, "/v1/outcomes", outcome_document(buyer)), 201)

    async def found(actor: object, query: str = "") -> int:
        return len(ok(await call.get(actor, f"/v1/outcomes?buyer_id={buyer.organisation.id}{query}"))["items"])  # type: ignore[arg-type]

    assert (await found(buyer.officer), await found(other.officer), await found(None)) == (2, 1, 1)
    assert await found(buyer.officer, "&status=draft") == 1

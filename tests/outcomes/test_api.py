"""Outcomes over HTTP."""

from sqlalchemy.ext.asyncio import AsyncSession

from build import active_outcome, council, measure_ids, operator, outcome_document, supplier
from calls import Call, ok, problem


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "GBP"}


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


async def test_every_rule_that_an_outcome_breaks_is_told_at_once(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    await db.commit()
    document = outcome_document(buyer)
    document["options"] = [{"title": "A long contract", "reason": "As always"}]
    document["measures"][0] |= {"review_dates": ["2026-09-30", "2100-01-01"], "direction": "increase"}
    line = {"code": "1", "cost_centre": "2", "financial_year": "2026/29", "amount": document["envelope"]}
    document |= {"statement": "Better services", "budget_lines": [line, line], "team": document["team"][:1] * 2}
    body = problem(await call.post(buyer.officer, "/v1/outcomes", document), 422, "outcome-invalid")
    assert {fault["pointer"] for fault in body["errors"]} == {
        "/budget_lines",
        "/budget_lines/0/financial_year",
        "/budget_lines/1",
        "/budget_lines/1/financial_year",
        "/measures/0/review_dates/0",
        "/measures/0/review_dates/1",
        "/measures/0/target/value",
        "/options",
        "/statement",
        "/team",
    }


async def test_where_the_money_comes_from_is_public_and_follows_the_envelope(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    await db.commit()
    line = {"code": "4120", "cost_centre": "HB", "financial_year": "2026/27", "amount": money("24000")}
    document = outcome_document(buyer, budget_lines=[line])
    made = ok(await call.post(buyer.officer, "/v1/outcomes", document), 201)
    path = f"/v1/outcomes/{made['id']}"
    more = {"envelope": money("25000.00")}
    refused = problem(await call.patch(buyer.officer, path, more), 422, "outcome-invalid")
    assert [fault["pointer"] for fault in refused["errors"]] == ["/budget_lines"]
    ok(await call.patch(buyer.officer, path, more | {"budget_lines": [line | {"amount": money("25000")}]}))
    ok(await call.post(buyer.budget_holder, f"{path}/activate"))
    (shown,) = ok(await call.get(None, path))["budget_lines"]
    assert shown == line | {"amount": money("25000.00"), "name": None}


async def test_a_measure_shows_how_it_stands_and_when_it_is_looked_at_next(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    (measure,) = outcome_document(buyer)["measures"]
    outcome = await active_outcome(db, buyer, measures=[measure | {"review_dates": ["2027-01-15"]}])
    await db.commit()
    path = f"/v1/outcomes/{outcome.id}"

    async def shown() -> tuple[str, str | None, str | None]:
        (measure,) = ok(await call.get(None, path))["measures"]
        return measure["standing"], measure["trend"], measure["next_review_on"]

    assert await shown() == ("unknown", None, "2027-01-15")
    place = f"{path}/measures/{(await measure_ids(db, outcome))[0]}/observations"
    seen = {"observed_on": "2026-10-01", "source": "Case system", "links": ["https://data.example/october"]}
    first = ok(await call.post(buyer.officer, place, seen | {"value": "10"}), 201)
    assert (first["links"], first["deliverable"]) == (seen["links"], None)
    assert await shown() == ("moving", "better", "2027-01-15")
    ok(await call.post(buyer.officer, place, seen | {"value": "25", "observed_on": "2026-10-02"}), 201)
    assert await shown() == ("worse", "worse", "2027-01-15")
    early = problem(
        await call.post(buyer.officer, place, seen | {"value": "1", "observed_on": "2026-09-29"}),
        422,
        "observation-invalid",
    )
    assert [fault["pointer"] for fault in early["errors"]] == ["/observed_on"]


async def test_lists_show_drafts_to_their_own_buyer_only(db: AsyncSession, call: Call) -> None:
    buyer, other = await council(db), await council(db, name="Elsewhere Council")
    await active_outcome(db, buyer)
    await db.commit()
    ok(await call.post(buyer.officer, "/v1/outcomes", outcome_document(buyer)), 201)

    async def found(actor: object, query: str = "") -> int:
        return len(ok(await call.get(actor, f"/v1/outcomes?buyer_id={buyer.organisation.id}{query}"))["items"])  # type: ignore[arg-type]

    assert (await found(buyer.officer), await found(other.officer), await found(None)) == (2, 1, 1)
    assert await found(buyer.officer, "&status=draft") == 1

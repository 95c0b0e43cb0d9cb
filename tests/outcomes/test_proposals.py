"""Another envelope, or an estimate that is less than it: proposed by one, decided by another, and what follows for lots."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, active_outcome, council, drafted_lot, estimate_document, seat
from calls import Call, ok, problem
from procure.journal.models import JournalEntry
from procure.kit.actor import Role
from procure.outcomes.models import Outcome
from procure.outcomes.rules import ProposalStatus

WHY = "The same team can take on changes of address."


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "GBP"}


def envelope(amount: str, **more: Any) -> dict[str, Any]:
    return {"kind": "envelope", "amount": money(amount), "reason": WHY} | more


async def at_work(db: AsyncSession, amount: str = "60000.00", **changes: Any) -> tuple[Council, Outcome, str]:
    buyer = await council(db)
    outcome = await active_outcome(db, buyer, envelope=money(amount), **changes)
    await db.commit()
    return buyer, outcome, f"/v1/outcomes/{outcome.id}"


async def approved(call: Call, buyer: Council, path: str, body: dict[str, Any]) -> dict[str, Any]:
    made = ok(await call.post(buyer.officer, f"{path}/proposals", body), 201)
    done: dict[str, Any] = ok(await call.post(buyer.budget_holder, f"{path}/proposals/{made['id']}/approve"))
    return done


async def test_an_envelope_is_raised_by_two_persons_in_public(db: AsyncSession, call: Call) -> None:
    buyer, _, path = await at_work(db)
    place, tag = f"{path}/proposals", await call.etag(None, path)
    made = ok(await call.post(buyer.officer, place, envelope("90000.00")), 201)
    assert (made["status"], made["amount_before"]["amount"], made["proposed_as"]) == ("open", "60000.00", "officer")
    shown = ok(await call.get(None, path))
    assert (shown["envelope"]["amount"], shown["open_proposal"]) == ("60000.00", made)
    problem(await call.post(buyer.officer, place, envelope("95000.00")), 409, "proposal-open")
    at = f"{place}/{made['id']}"
    problem(await call.post(buyer.approver, f"{at}/approve"), 403, "budget-holder-needed")
    problem(await call.post(buyer.officer, f"{at}/approve"), 403, "scope-missing")
    done = ok(await call.post(buyer.budget_holder, f"{at}/approve"))
    assert (done["status"], done["decided_as"]) == ("approved", "approver")
    for act, body in (("approve", None), ("refuse", {"reason": "No."})):
        problem(await call.post(buyer.budget_holder, f"{at}/{act}", body), 409, "proposal-decided")
    after = ok(await call.get(None, path))
    assert (after["envelope"]["amount"], after["open_proposal"]) == ("90000.00", None)
    assert after["ledger"]["uncommitted"]["amount"] == "90000.00"
    assert await call.etag(None, path) != tag
    reply = await call.get(None, place)
    assert ok(reply)["items"] == [done]
    for person in (buyer.officer, buyer.budget_holder):
        assert str(person.person_id) not in reply.text
    entries = await db.scalars(
        select(JournalEntry).where(JournalEntry.object_type == "proposal").order_by(JournalEntry.id)
    )
    assert [(one.type, one.is_public, one.digest is not None) for one in entries] == [
        ("proposal.opened", True, True),
        ("proposal.approved", True, True),
    ]


async def test_whoever_proposes_does_not_decide_and_is_told_of_by_what_they_know(db: AsyncSession, call: Call) -> None:
    buyer, _, path = await at_work(db)
    both = await seat(db, buyer.organisation, Role.OFFICER, Role.APPROVER, budget_holder=True)
    await db.commit()
    made = ok(await call.post(both, f"{path}/proposals", envelope("90000.00")), 201)
    for act, body in (("approve", None), ("refuse", {"reason": "No."})):
        problem(await call.post(both, f"{path}/proposals/{made['id']}/{act}", body), 403, "same-person")
    refused = list(await db.scalars(select(JournalEntry).where(JournalEntry.type == "act.refused")))
    assert len(refused) == 2
    # An approver may refuse what a budget holder alone may approve.
    done = ok(await call.post(buyer.approver, f"{path}/proposals/{made['id']}/refuse", {"reason": "Not this year."}))
    assert (done["status"], done["decision_reason"]) == ("refused", "Not this year.")
    assert ok(await call.get(None, path))["envelope"]["amount"] == "60000.00"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (envelope("60000"), {"/amount/amount"}),
        (envelope("0") | {"amount": {"amount": "0", "currency": "EUR"}}, {"/amount/amount", "/amount/currency"}),
        (estimate_document("60000.01"), {"/amount/amount"}),
        (
            estimate_document(
                "60000.01",
                budget_lines=[
                    {"code": "1", "cost_centre": "2", "financial_year": "2026", "amount": money("1.00")},
                ],
            ),
            {"/amount/amount", "/budget_lines"},
        ),
    ],
)
async def test_every_fault_of_a_proposal_is_told_at_once(
    db: AsyncSession, call: Call, body: dict[str, Any], pointers: set[str]
) -> None:
    buyer, _, path = await at_work(db)
    found = problem(await call.post(buyer.officer, f"{path}/proposals", body), 422, "proposal-invalid")
    assert {fault["pointer"] for fault in found["errors"]} == pointers


async def test_budget_lines_change_with_the_envelope(db: AsyncSession, call: Call) -> None:
    line = {"code": "4120", "cost_centre": "HB", "financial_year": "2026/27", "amount": money("60000.00"), "name": None}
    buyer, _, path = await at_work(db, budget_lines=[line])
    refused = problem(await call.post(buyer.officer, f"{path}/proposals", envelope("70000")), 422, "proposal-invalid")
    assert [fault["code"] for fault in refused["errors"]] == ["missing"]
    more = line | {"amount": money("70000.00")}
    await approved(call, buyer, path, envelope("70000.00", budget_lines=[more]))
    assert ok(await call.get(None, path))["budget_lines"] == [more]


async def test_less_than_the_envelope_is_tested_with_an_approved_reason_and_never_passed(
    db: AsyncSession, call: Call
) -> None:
    """60,000 is notifiable with VAT; 25,000 of it is small, as long as no more is committed."""
    buyer, outcome, path = await at_work(db)
    assert ok(await call.get(None, path))["estimate"]["band"] == "notifiable"
    made = ok(await call.post(buyer.officer, f"{path}/proposals", estimate_document("24999.99")), 201)
    assert ok(await call.get(None, path))["estimate"]["band"] == "notifiable", "not before it is approved"
    done = ok(await call.post(buyer.budget_holder, f"{path}/proposals/{made['id']}/approve"))
    assert ok(await call.get(None, path))["estimate"] == {
        "net": money("24999.99"),
        "gross": money("29999.99"),
        "committed_gross": money("0.00"),
        "envelope_gross": money("72000.00"),
        "vat_rate": "20.00",
        "band": "small",
        "proposal": done,
    }
    first = await drafted_lot(db, buyer, outcome)  # 22,000.00
    second = await drafted_lot(
        db, buyer, outcome, ceiling=money("3000.00"), further_iterations={"count": 0, "ceiling": money("0.00")}
    )
    await db.commit()
    published = ok(await call.post(buyer.approver, f"/v1/lots/{first.id}/publish"))
    assert published["policy"]["band"] == "small"
    told = problem(await call.post(buyer.approver, f"/v1/lots/{second.id}/publish"), 409, "estimate-exceeded")
    assert told["detail"] == (
        "The tested estimate is 24999.99 (29999.99 with VAT), of which 22000.00 (26400.00 with VAT) is committed; "
        "3000.00 (3600.00 with VAT) more would make 25000.00 (30000.00 with VAT), which is 0.01 (0.01 with VAT) too much."
    )
    acts = {
        one["operation"]: one for one in ok(await call.get(buyer.approver, f"/v1/lots/{second.id}/actions"))["items"]
    }
    assert acts["publishLot"]["because"] == ["estimate-exceeded"]
    # All of it is tested again: a draft is judged anew, and what is published keeps its rules.
    await approved(call, buyer, path, estimate_document("60000.00"))
    after = ok(await call.get(None, path))["estimate"]
    assert (after["band"], after["proposal"], after["committed_gross"]) == ("notifiable", None, money("26400.00"))
    problem(await call.post(buyer.approver, f"/v1/lots/{second.id}/publish"), 409, "notice-missing")
    assert ok(await call.get(None, f"/v1/lots/{first.id}"))["policy"]["band"] == "small"


async def test_a_raise_moves_the_band_of_drafts_and_of_nothing_that_is_published(db: AsyncSession, call: Call) -> None:
    buyer, outcome, path = await at_work(db, "24000.00")
    first = await drafted_lot(
        db, buyer, outcome, ceiling=money("5000.00"), further_iterations={"count": 0, "ceiling": money("0.00")}
    )
    second = await drafted_lot(db, buyer, outcome)
    await db.commit()
    ok(await call.post(buyer.approver, f"/v1/lots/{first.id}/publish"))
    problem(await call.post(buyer.approver, f"/v1/lots/{second.id}/publish"), 409, "envelope-exceeded")
    await approved(call, buyer, path, envelope("200000.00"))
    assert ok(await call.get(None, path))["estimate"]["band"] == "covered"
    problem(await call.post(buyer.approver, f"/v1/lots/{second.id}/publish"), 409, "notice-missing")
    bands = [ok(await call.get(buyer.officer, f"/v1/lots/{lot.id}"))["policy"]["band"] for lot in (first, second)]
    assert bands == ["small", "small"], "a draft is judged when it is edited or published"
    edited = ok(await call.patch(buyer.officer, f"/v1/lots/{second.id}", {"title": "Find out where the changes wait"}))
    assert edited["policy"]["band"] == "covered"


@pytest.mark.parametrize(
    ("body", "slug"),
    [(envelope("21999.99"), "envelope-exceeded"), (estimate_document("21999.99"), "estimate-exceeded")],
)
async def test_neither_is_put_below_what_was_committed_meanwhile(
    db: AsyncSession, call: Call, body: dict[str, Any], slug: str
) -> None:
    buyer, outcome, path = await at_work(db, "24000.00")
    lot = await drafted_lot(db, buyer, outcome)
    await db.commit()
    made = ok(await call.post(buyer.officer, f"{path}/proposals", body), 201)
    ok(await call.post(buyer.approver, f"/v1/lots/{lot.id}/publish"))
    at = f"{path}/proposals/{made['id']}"
    problem(await call.post(buyer.budget_holder, f"{at}/approve"), 409, slug)
    ok(await call.post(buyer.approver, f"{at}/refuse", {"reason": "It is committed."}))
    refused = problem(await call.post(buyer.officer, f"{path}/proposals", body), 422, "proposal-invalid")
    assert [fault["code"] for fault in refused["errors"]] == ["below-committed"]


async def test_an_estimate_ends_where_the_envelope_comes_down_to_it(db: AsyncSession, call: Call) -> None:
    buyer, _, path = await at_work(db)
    await approved(call, buyer, path, estimate_document("30000.00"))
    await approved(call, buyer, path, envelope("40000.00"))
    assert ok(await call.get(None, path))["estimate"]["net"] == money("30000.00")
    await approved(call, buyer, path, envelope("30000.00"))
    assert ok(await call.get(None, path))["estimate"]["proposal"] is None
    await approved(call, buyer, path, envelope("60000.00"))
    assert ok(await call.get(None, path))["estimate"]["net"] == money("60000.00"), "it does not come back"


async def test_only_an_active_outcome_is_changed(db: AsyncSession, call: Call) -> None:
    buyer, _, path = await at_work(db)
    made = ok(await call.post(buyer.officer, f"{path}/proposals", envelope("90000.00")), 201)
    ok(await call.post(buyer.approver, f"{path}/end", {"status": "abandoned", "reason": "The need has gone."}))
    at = f"{path}/proposals/{made['id']}"
    problem(await call.post(buyer.budget_holder, f"{at}/approve"), 409, "outcome-not-active")
    ok(await call.post(buyer.budget_holder, f"{at}/refuse", {"reason": "The need has gone."}))
    problem(await call.post(buyer.officer, f"{path}/proposals", envelope("90000.00")), 409, "outcome-not-active")
    assert ok(await call.get(None, at))["status"] == ProposalStatus.REFUSED

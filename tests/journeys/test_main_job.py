"""One procurement from the outcome to the last payment, every act an HTTP call by whoever has to do it.

Read it as the story that it is; the numbers are those of the main job in the README.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from calls import ok
from conftest import World
from journeys.cast import Registry, Seat, first_operator, move_clock
from procure import worker

GBP = "GBP"


@dataclass
class Town:
    """Everybody who takes part."""

    world: World
    operator: Seat
    officer: Seat
    approver: Seat
    second_approver: Seat
    budget_holder: Seat
    service_owner: Seat
    designer: Seat
    engineer: Seat
    finance: Seat
    finance_system: Seat
    auditor: Seat
    quick: Seat
    steady: Seat
    third: Seat

    @property
    def anyone(self) -> httpx.AsyncClient:
        return self.world.client

    async def read(self, path: str) -> Any:
        """Without a token."""
        return ok(await self.anyone.get(path))

    async def now(self) -> datetime:
        return datetime.fromisoformat((await self.read("/v1/time"))["now"])

    async def wait_until(self, moment: str | datetime) -> None:
        await move_clock(self.operator, moment)

    async def work(self) -> None:
        """A round of the worker's."""
        assert await worker.run_once(self.world.sessions, self.world.vault)


@pytest.fixture
async def town(world: World) -> Town:
    """1. The operator registers a buyer and suppliers, clients and memberships."""
    operator = await first_operator(world.client, world.settings)
    registry = Registry(world.client, operator)
    council = await registry.organisation("buyer", "Testshire Council", "TSH")
    suppliers = [
        await registry.organisation("supplier", f"Supplier {number} Ltd", f"0759078{number}") for number in (1, 2, 3)
    ]
    return Town(
        world,
        operator,
        officer=await registry.person(council, "officer"),
        approver=await registry.person(council, "approver"),
        second_approver=await registry.person(council, "approver"),
        budget_holder=await registry.person(council, "approver", budget_holder=True),
        service_owner=await registry.person(council, "service_owner"),
        designer=await registry.person(council, "evaluator"),
        engineer=await registry.person(council, "evaluator"),
        finance=await registry.person(council, "finance"),
        finance_system=await registry.service(council, "finance"),
        auditor=await registry.person(council, "auditor"),
        quick=await registry.person(suppliers[0], "bidder"),
        steady=await registry.person(suppliers[1], "bidder"),
        third=await registry.person(suppliers[2], "bidder"),
    )


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": GBP}


async def active_outcome(town: Town, envelope: str) -> dict[str, Any]:
    """2. An officer writes the outcome down; a budget holder activates it."""
    outcome = await town.officer.make(
        "/v1/outcomes",
        {
            "title": "Housing-benefit changes decided in two days",
            "statement": "A resident's housing-benefit change is decided in two days instead of nineteen.",
            "beneficiaries": "Residents who receive housing benefit",
            "options": [
                {"title": "Ourselves, with a simpler form", "reason": "Saved three days in spring", "buys": False},
                {"title": "A small team, a few weeks at a time", "reason": "The quickest way to learn", "chosen": True},
            ],
            "team": [
                {"person_id": town.designer.person_id, "discipline": "service design"},
                {"person_id": town.engineer.person_id, "discipline": "engineering"},
            ],
            "envelope": money(envelope),
            "measures": [
                {
                    "name": "Median days from change to decision",
                    "unit": "days",
                    "direction": "decrease",
                    "baseline": {"value": "19", "on": "2026-09-30"},
                    "target": {"value": "2", "on": "2027-09-30"},
                    "method": "Median of all decisions in the month, from the case system",
                }
            ],
        },
    )
    active: dict[str, Any] = await town.budget_holder.do(f"/v1/outcomes/{outcome['id']}/activate")
    return active


async def lot_document(town: Town, outcome: dict[str, Any], *, days: int, further: int = 1) -> dict[str, Any]:
    """A lot that closes `days` from now: two deliverables within four weeks."""
    closes_at = (await town.now()).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=days)
    starts_on = closes_at.date() + timedelta(days=14)
    return {
        "outcome_id": outcome["id"],
        "title": "Find out why changes wait",
        "phase": "discover",
        "brief": "Follow twenty real changes from the resident's letter to the decision, beside the officers who make them, "
        "and show where the days go.",
        "deliverables": [
            {
                "title": "A map of twenty changes",
                "due_on": str(starts_on + timedelta(days=14)),
                "acceptance_criteria": ["Twenty changes are followed", "Waiting days are shown"],
            },
            {
                "title": "Two experiments to try next",
                "due_on": str(starts_on + timedelta(days=28)),
                "acceptance_criteria": ["Each says what changes", "Officers have chosen them"],
            },
        ],
        "measure_ids": [outcome["measures"][0]["id"]],
        "starts_on": str(starts_on),
        "duration_days": 28,
        "ceiling": money("12000.00"),
        "further_iterations": {"count": further, "ceiling": money("10000.00")},
        "criteria": [
            {"name": "How you would work", "kind": "quality", "weight": 60, "minimum_score": 2},
            {"name": "Price", "kind": "price", "weight": 30},
            {"name": "Local skills", "kind": "social_value", "weight": 10},
        ],
        "enquiries_close_at": (closes_at - timedelta(days=2)).isoformat(),
        "closes_at": closes_at.isoformat(),
    }


async def published_lot(town: Town, outcome: dict[str, Any], *, days: int = 14, notice: bool = False) -> dict[str, Any]:
    """3. Drafted by the officer, its notice recorded where the band asks for one, published by an approver."""
    lot = await town.officer.make("/v1/lots", await lot_document(town, outcome, days=days))
    path = f"/v1/lots/{lot['id']}"
    await town.officer.refused(f"{path}/publish", None, "scope-missing")
    if notice:
        await town.approver.refused(f"{path}/publish", None, "notice-missing")
        await town.officer.put(f"{path}/notice", official_notice(await town.now(), "tender"))
    published: dict[str, Any] = await town.approver.do(f"{path}/publish")
    assert await town.read(path) == published
    return published


def official_notice(now: datetime, of: str) -> dict[str, str]:
    return {"id": f"2026/S 000-{of}", "ocid": f"ocds-h6vhtk-{of}", "published_at": now.isoformat()}


def bid_document(first: str, second: str, answer: str) -> dict[str, Any]:
    return {
        "prices": [
            {"deliverable_id": "D1", "price": money(first)},
            {"deliverable_id": "D2", "price": money(second)},
        ],
        "answers": [{"criterion_id": "C1", "text": answer}, {"criterion_id": "C3", "text": "Two apprentices."}],
        "team": [{"name": "A researcher of ours", "discipline": "user research"}],
    }


async def bids_in(town: Town, lot: dict[str, Any]) -> dict[str, Any]:
    """4. Three suppliers bid, one replaces its bid, one withdraws; nobody can read any of them."""
    path = f"/v1/lots/{lot['id']}/bids"
    quick = await town.quick.make(path, bid_document("6000.00", "5000.00", "We sit with the officers."))
    steady = await town.steady.make(path, bid_document("7000.00", "5000.00", "We send a questionnaire."))
    third = await town.third.make(path, bid_document("100.00", "100.00", "We are very cheap."))
    await town.quick.refused(path, bid_document("1.00", "1.00", "Twice."), "bid-exists")
    replaced = await town.quick.put(f"/v1/bids/{quick['id']}", bid_document("5800.00", "5000.00", "We sit with them."))
    assert (replaced["version"], quick["version"]) == (2, 1)
    await town.third.do(f"/v1/bids/{third['id']}/withdraw")
    own = await town.quick.get(f"/v1/bids/{quick['id']}")
    assert own["content"] is None, "what is sealed can be read by nobody, its supplier included"
    assert (await town.steady.send("GET", f"/v1/bids/{quick['id']}")).status_code == 404
    assert (await town.officer.send("GET", path)).status_code == 409
    return {"quick": replaced, "steady": steady, "third": third}


async def evaluated(town: Town, lot: dict[str, Any], bids: dict[str, Any]) -> list[dict[str, Any]]:
    """5. Interests declared, scores alone, consensus, a ranking that anybody can compute again."""
    path = f"/v1/lots/{lot['id']}"
    panel = {
        "members": [
            {"person_id": town.designer.person_id, "discipline": "service design", "is_chair": True},
            {"person_id": town.engineer.person_id, "discipline": "engineering"},
        ]
    }
    await town.officer.put(f"{path}/panel", panel)
    assert (await town.designer.send("GET", f"{path}/bids")).status_code == 409, "interests come first"
    for member in (town.designer, town.engineer):
        await member.do(f"{path}/declarations", {"has_conflict": False, "declaration": "Nothing to declare."})
    opened = await town.designer.get(f"{path}/bids")
    assert {bid["id"] for bid in opened["items"]} == {bids["quick"]["id"], bids["steady"]["id"]}
    scores = {bids["quick"]["id"]: 4, bids["steady"]["id"]: 3}
    sheet = [
        {"bid_id": bid_id, "criterion_id": criterion, "score": score, "rationale": "As it says in the answer."}
        for bid_id, score in scores.items()
        for criterion in ("C1", "C3")
    ]
    for member in (town.designer, town.engineer):
        await member.put(f"{path}/scores", {"scores": sheet})
    alone = await town.engineer.get(f"{path}/scores")
    assert {score["person_id"] for score in alone["scores"]} == {town.engineer.person_id}
    for member in (town.designer, town.engineer):
        await member.do(f"{path}/scores/lock")
    await town.designer.put(f"{path}/consensus", {"scores": sheet})
    await town.designer.do(f"{path}/conclude")
    ranking: list[dict[str, Any]] = (await town.officer.get(f"{path}/ranking"))["bids"]
    assert [row["bid_id"] for row in ranking] == [bids["quick"]["id"], bids["steady"]["id"]]
    return ranking


async def approved_award(town: Town, lot: dict[str, Any], bid_id: str) -> dict[str, Any]:
    """6a. Recommended by the officer, approved by somebody else."""
    recommendation = {"bid_id": bid_id, "reason": "First in the ranking."}
    award = await town.officer.make(f"/v1/lots/{lot['id']}/awards", recommendation)
    assert (await town.anyone.get(f"/v1/awards/{award['id']}")).status_code == 404
    return await town.approver.do(f"/v1/awards/{award['id']}/approve")  # type: ignore[no-any-return]


async def signed_contract(town: Town, contract: dict[str, Any]) -> dict[str, Any]:
    """6b. Both sides sign over the digest of one document."""
    path = f"/v1/contracts/{contract['id']}"
    digest = contract["digest"]
    await town.quick.refused(f"{path}/sign", {"digest": "0" * 64}, "digest-mismatch")
    await town.quick.do(f"{path}/sign", {"digest": digest})
    signed: dict[str, Any] = await town.second_approver.do(f"{path}/sign", {"digest": digest})
    assert signed["status"] == "active"
    return signed


async def delivered_and_paid(town: Town, contract: dict[str, Any], key: str, number: str) -> None:
    """7. Submitted, accepted criterion by criterion, invoiced for exactly that, due in thirty days, paid."""
    path = f"/v1/contracts/{contract['id']}"
    delivery = {"note": "Here it is.", "links": ["https://work.example/map"]}
    await town.quick.do(f"{path}/deliverables/{key}/submit", delivery)
    met = {"verdicts": [{"criterion": 0, "met": True}, {"criterion": 1, "met": True}]}
    after = await town.service_owner.do(f"{path}/deliverables/{key}/decide", met)
    accepted = next(one for one in after["deliverables"] if one["key"] == key)
    net = Decimal(accepted["amount"]["amount"])
    vat = (net / 5).quantize(Decimal("0.01"))
    invoice = {
        "number": number,
        "deliverable_key": key,
        "net": money(str(net)),
        "vat_rate": "20.00",
        "vat": money(str(vat)),
        "gross": money(str(net + vat)),
        "issued_on": str((await town.now()).date()),
    }
    await town.quick.refused(f"{path}/invoices", invoice | {"net": money(str(net + 1))}, "invoice-invalid")
    received = await town.quick.make(f"{path}/invoices", invoice)
    day = datetime.fromisoformat(received["received_at"]).date()
    assert date.fromisoformat(received["due_on"]) == day + timedelta(days=30)
    today = str((await town.now()).date())
    payment = {"invoice_id": received["id"], "amount": money(str(net + vat)), "paid_on": today}
    for status in (201, 200):  # the finance system may say it twice under its own number
        reply = await town.finance_system.send("PUT", f"/v1/finance/payments/P-{number}", payment)
        assert reply.status_code == status, reply.text


async def completed(town: Town, contract: dict[str, Any], outcome: dict[str, Any]) -> dict[str, Any]:
    """8. What happened to the measures, what both sides learned, and: continue."""
    path = f"/v1/contracts/{contract['id']}"
    await town.quick.do(f"{path}/retrospective", {"learned": "Sitting beside the officers was worth it."})
    report = {
        "measures": [
            {
                "measure_id": outcome["measures"][0]["id"],
                "observation": {
                    "value": "10.5",
                    "observed_on": str((await town.now()).date()),
                    "source": "Case system, monthly report",
                },
            }
        ],
        "learned": "Most of the waiting was for one letter that nobody needed.",
        "next_step": "continue",
    }
    ended: dict[str, Any] = await town.officer.do(f"{path}/complete", report)
    assert ended["status"] == "completed"
    return ended


async def test_a_small_lot_from_the_outcome_to_the_last_payment(town: Town) -> None:  # noqa: PLR0915 - a whole story
    outcome = await active_outcome(town, "24000.00")
    too_much = await lot_document(town, outcome, days=14) | {"duration_days": 365, "brief": "Do it.", "title": "It"}
    refusal = await town.officer.refused("/v1/lots", too_much, "lot-invalid")
    assert {fault["code"] for fault in refusal["errors"]} == {"time-box-too-long", "vague"}

    lot = await published_lot(town, outcome)
    path = f"/v1/lots/{lot['id']}"
    assert lot["band"] == "small"
    asked = await town.steady.make(f"{path}/enquiries", {"question": "May the changes be a neighbour's?"})
    assert "supplier" not in str(await town.read(f"{path}/enquiries")).lower()
    await town.officer.put(f"/v1/enquiries/{asked['id']}/answer", {"answer": "Ten of them at most."})
    await town.officer.do(f"/v1/enquiries/{asked['id']}/publish")
    assert (await town.read(f"{path}/enquiries"))["items"][0]["answer"] == "Ten of them at most."

    bids = await bids_in(town, lot)
    assert (await town.anyone.get(f"{path}/seal")).status_code == 404
    await town.wait_until(lot["closes_at"])
    assert (await town.read(path))["status"] == "closed", "a fact of time: no job has run"
    await town.third.refused(f"{path}/bids", bid_document("1.00", "1.00", "Late."), "lot-not-open")
    await town.work()
    assert (await town.read(f"{path}/seal"))["count"] == 2
    await evaluated(town, lot, bids)

    award = await approved_award(town, lot, bids["quick"]["id"])
    assert award["value"] == money("10800.00")
    summary = await town.steady.get(f"/v1/awards/{award['id']}/assessment")
    assert not summary["is_winner"]
    contract = await signed_contract(town, await town.officer.make(f"/v1/awards/{award['id']}/contract"))
    order = {"contract_id": contract["id"], "amount": money("10800.00"), "ordered_on": str((await town.now()).date())}
    assert (await town.finance.send("PUT", "/v1/finance/orders/PO-1", order)).status_code == 201

    unmet = {
        "verdicts": [{"criterion": 0, "met": True}, {"criterion": 1, "met": False, "reason": "Three are missing."}]
    }
    deliverable = f"/v1/contracts/{contract['id']}/deliverables/D1"
    await town.quick.do(f"{deliverable}/submit", {"note": "The map.", "links": []})
    rejected = await town.service_owner.do(f"{deliverable}/decide", unmet)
    assert rejected["deliverables"][0]["status"] == "rejected"
    await delivered_and_paid(town, contract, "D1", "INV-1")
    await delivered_and_paid(town, contract, "D2", "INV-2")
    await completed(town, contract, outcome)

    seen = await town.read(f"/v1/outcomes/{outcome['id']}")
    assert seen["measures"][0]["progress"] == "0.5000"
    assert seen["ledger"]["accepted"] == seen["ledger"]["paid"] == money("10800.00")
    assert seen["ledger"]["committed"] == money("20800.00"), "one announced iteration is still open"

    starts_on = (await town.now()).date() + timedelta(days=7)
    further = {
        "starts_on": str(starts_on),
        "duration_days": 28,
        "deliverables": [
            {
                "title": "One experiment, run",
                "due_on": str(starts_on + timedelta(days=21)),
                "acceptance_criteria": ["Thirty changes went through it", "Waiting days are shown"],
                "price": money("9500.00"),
            }
        ],
    }
    second = await signed_contract(town, await town.officer.make(f"/v1/contracts/{contract['id']}/continue", further))
    assert (second["number"], second["award_id"]) == (2, award["id"])
    await delivered_and_paid(town, second, "D1", "INV-3")
    await completed(town, second, outcome)
    following = await town.officer.make(f"/v1/contracts/{second['id']}/next-lot")
    assert (following["status"], following["follows_id"], following["iteration"]) == ("draft", lot["id"], 2)

    seen = await town.read(f"/v1/outcomes/{outcome['id']}")
    assert seen["ledger"]["committed"] == seen["ledger"]["paid"] == money("20300.00")
    payables = (await town.finance.get("/v1/finance/payables"))["items"]
    assert sum(Decimal(row["net"]["amount"]) for row in payables) == Decimal("20300.00")
    csv = await town.finance.send("GET", "/v1/finance/payables.csv")
    assert len(csv.text.splitlines()) == 1 + 3
    for noun in ("outcomes", "lots", "awards", "contracts"):
        assert (await town.read(f"/v1/register/{noun}"))["items"], noun


async def test_a_covered_lot_has_its_notices_two_openers_and_a_standstill(town: Town) -> None:
    outcome = await active_outcome(town, "180000.00")
    lot = await published_lot(town, outcome, days=30, notice=True)
    path = f"/v1/lots/{lot['id']}"
    assert lot["band"] == "covered"
    bids = await bids_in(town, lot)
    await town.approver.refused(f"{path}/open", {"root": "0" * 64}, "lot-not-closed")
    await town.wait_until(lot["closes_at"])
    await town.work()
    seal = await town.read(f"{path}/seal")
    assert (seal["count"], (await town.read(path))["status"]) == (2, "closed")
    first = await town.approver.do(f"{path}/open", {"root": seal["root"]})
    again = await town.approver.do(f"{path}/open", {"root": seal["root"]})
    assert (first["is_opened"], again["is_opened"]) == (False, False), "one person counts once"
    assert (await town.second_approver.do(f"{path}/open", {"root": seal["root"]}))["is_opened"]
    await evaluated(town, lot, bids)

    award = await approved_award(town, lot, bids["quick"]["id"])
    await town.officer.refused(f"/v1/awards/{award['id']}/contract", None, "award-notice-missing")
    award = await town.officer.put(f"/v1/awards/{award['id']}/notice", official_notice(await town.now(), "award"))
    contract = await town.officer.make(f"/v1/awards/{award['id']}/contract")
    await town.quick.refused(
        f"/v1/contracts/{contract['id']}/sign", {"digest": contract["digest"]}, "standstill-running"
    )
    await town.wait_until(award["standstill_ends_at"])
    await signed_contract(town, contract)
    assert (await town.read(path))["status"] == "contracted"

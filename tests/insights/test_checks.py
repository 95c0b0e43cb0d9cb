"""A draft's checks: what blocks is what publishing refuses, and nothing else; the warnings see what they say they see."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from build import (
    Council,
    active_contract,
    active_outcome,
    council,
    drafted_lot,
    move_clock,
    outcome_document,
    published_lot,
    supplier,
)
from calls import Call, ok, problem
from lots.test_rules import OFFER, policy
from procure.insights.checks.rules import Draft, PastLot, Won, is_observable, vague_words, warnings
from procure.kit import clock
from procure.kit.body import convert
from procure.lots import service as lots
from procure.lots.content import Offer
from procure.lots.defaults import Defaults
from procure.lots.models import Lot
from procure.lots.rules import CriterionKind, Phase
from procure.lots.schemas import Notice
from procure.outcomes import service as outcomes
from procure.outcomes.schemas import EndDecision, OutcomeDraft
from procure.vault.keyring import FileKeyring

Made = Callable[[AsyncSession, Council, FileKeyring], Awaitable[Lot]]


async def checks(call: Call, actor: Any, lot: Lot) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = ok(await call.get(actor, f"/v1/lots/{lot.id}/checks"))["items"]
    return items


# --- publish succeeds, if and only if nothing blocks ----------------------------------------------------------------


async def whole(db: AsyncSession, buyer: Council, _: FileKeyring) -> Lot:
    return await drafted_lot(db, buyer)


async def of_a_draft(db: AsyncSession, buyer: Council, _: FileKeyring) -> Lot:
    outcome = await outcomes.draft(db, buyer.officer, convert(outcome_document(buyer), OutcomeDraft))
    return await drafted_lot(db, buyer, outcome)


async def of_an_ended_one(db: AsyncSession, buyer: Council, _: FileKeyring) -> Lot:
    lot = await drafted_lot(db, buyer)
    await outcomes.end(
        db, buyer.approver, lot.outcome_id, convert({"status": "abandoned", "reason": "No."}, EndDecision)
    )
    return lot


async def without_notice(db: AsyncSession, buyer: Council, _: FileKeyring) -> Lot:
    return await drafted_lot(
        db, buyer, await active_outcome(db, buyer, envelope={"amount": "60000.00", "currency": "GBP"})
    )


async def with_notice(db: AsyncSession, buyer: Council, vault: FileKeyring) -> Lot:
    lot = await without_notice(db, buyer, vault)
    return await lots.record_notice(db, buyer.officer, lot.id, Notice("1", "ocds-h6vhtk-1", await clock.now(db)))


async def too_dear(db: AsyncSession, buyer: Council, _: FileKeyring) -> Lot:
    return await drafted_lot(
        db, buyer, await active_outcome(db, buyer, envelope={"amount": "21999.99", "currency": "GBP"})
    )


async def just_enough(db: AsyncSession, buyer: Council, _: FileKeyring) -> Lot:
    return await drafted_lot(
        db, buyer, await active_outcome(db, buyer, envelope={"amount": "22000.00", "currency": "GBP"})
    )


async def beside_another(db: AsyncSession, buyer: Council, vault: FileKeyring) -> Lot:
    lot = await published_lot(db, buyer, vault)
    return await drafted_lot(db, buyer, await outcomes.lock_for_ledger(db, lot.outcome_id))


async def late(db: AsyncSession, buyer: Council, _: FileKeyring) -> Lot:
    lot = await drafted_lot(db, buyer)
    await move_clock(db, lot.closes_at - timedelta(hours=1))
    return lot


async def all_but_late(db: AsyncSession, buyer: Council, _: FileKeyring) -> Lot:
    lot = await drafted_lot(db, buyer)
    await move_clock(db, lot.created_at + timedelta(hours=1))
    return lot


def altered(**columns: Any) -> Made:
    """As if it had been drafted under other rules."""

    async def made(db: AsyncSession, buyer: Council, _: FileKeyring) -> Lot:
        lot = await drafted_lot(db, buyer)
        await db.execute(update(Lot).where(Lot.id == lot.id).values(columns))
        await db.refresh(lot)
        return lot

    return made


DRAFTS: dict[str, tuple[Made, set[tuple[str, str | None]]]] = {
    "whole": (whole, set()),
    "with its notice": (with_notice, set()),
    "of exactly what is left": (just_enough, set()),
    "an hour later": (all_but_late, set()),
    "of an outcome that is a draft": (of_a_draft, {("outcome-not-active", None)}),
    "of an outcome that has ended": (of_an_ended_one, {("outcome-not-active", None)}),
    "without its notice": (without_notice, {("notice-missing", "/notice")}),
    "too dear by a hundredth": (too_dear, {("envelope-exceeded", "/ceiling")}),
    "beside one that has the envelope": (beside_another, {("envelope-exceeded", "/ceiling")}),
    "an hour before its close": (
        late,
        {("window-too-short", "/closes_at"), ("window-too-short", "/enquiries_close_at")},
    ),
    "too long": (altered(duration_days=85), {("time-box-too-long", "/duration_days")}),
    "of measures that are gone": (altered(measure_ids=[uuid4()]), {("unknown", "/measure_ids/0")}),
    "vague twice": (altered(title="Big", brief="Short."), {("vague", "/title"), ("vague", "/brief")}),
}


@pytest.mark.parametrize("kind", DRAFTS)
async def test_publishing_succeeds_if_and_only_if_nothing_blocks(
    kind: str, db: AsyncSession, connection: AsyncConnection, call: Call, vault: FileKeyring
) -> None:
    buyer = await council(db)
    make, expected = DRAFTS[kind]
    lot = await make(db, buyer, vault)
    await db.commit()
    found = await checks(call, buyer.approver, lot)
    blocking = {(one["code"], one["pointer"]) for one in found if one["level"] == "blocks"}
    assert blocking == expected
    # Who prepared it is told of that beside everything else.
    of_preparer = {
        (one["code"], one["pointer"]) for one in await checks(call, buyer.officer, lot) if one["level"] == "blocks"
    }
    assert of_preparer - blocking == {("same-person", None)}
    reply = await call.post(buyer.approver, f"/v1/lots/{lot.id}/publish")
    assert reply.is_success is not bool(blocking), reply.text
    if blocking:
        body = reply.json()
        told = {fault["code"] for fault in body.get("errors", [])} or {body["type"].rpartition("/")[2]}
        assert told <= {code for code, _ in blocking}
        assert all(any(one["said"] in reply.text for one in found if one["code"] == code) for code in told)
    else:
        assert await checks(call, buyer.officer, lot) == []


async def test_the_checks_are_for_the_buyers_own_people(db: AsyncSession, call: Call, vault: FileKeyring) -> None:
    buyer, other = await council(db), await council(db, name="Elsewhere Council")
    draft, published = await drafted_lot(db, buyer), await published_lot(db, buyer, vault)
    gone = await lots.withdraw(db, buyer.officer, (await drafted_lot(db, buyer)).id)
    stranger = await supplier(db)
    await db.commit()
    for lot in (draft, published):
        for actor in (other.officer, stranger):
            problem(await call.get(actor, f"/v1/lots/{lot.id}/checks"), 404, "lot-not-found")
    problem(await call.get(None, f"/v1/lots/{draft.id}/checks"), 401, "unauthenticated")
    problem(await call.get(buyer.finance, f"/v1/lots/{draft.id}/checks"), 403, "scope-missing")
    for lot in (published, gone):
        assert ok(await call.get(buyer.auditor, f"/v1/lots/{lot.id}/checks")) == {"items": [], "derived": []}


async def test_the_past_is_read_from_the_buyers_own_lots_and_contracts(
    db: AsyncSession, call: Call, vault: FileKeyring
) -> None:
    buyer = await council(db)
    room: dict[str, Any] = {"envelope": {"amount": "24000.00", "currency": "GBP"}}
    contracts = [
        await active_contract(
            db, buyer, vault, await active_outcome(db, buyer, **room), totals=("9000.00",), quality=(4,)
        )
        for _ in range(3)
    ]
    await db.execute(
        update(type(contracts[0]))
        .where(type(contracts[0]).buyer_id == buyer.organisation.id)
        .values(supplier_id=contracts[0].supplier_id, supplier_name=contracts[0].supplier_name)
    )
    lot = await drafted_lot(db, buyer, ceiling={"amount": "2000.00", "currency": "GBP"})
    of_another = await drafted_lot(db, await council(db, name="Elsewhere Council"))
    await db.commit()
    found = {one["code"]: one for one in await checks(call, buyer.approver, lot)}
    evidence = {one["name"]: one["value"] for one in found["ceiling-far"]["evidence"]}
    assert evidence["median"] == "12000.00"
    assert (evidence["lots"], evidence["ceiling"]) == ("3", "2000.00")
    assert found["same-supplier"]["said"].startswith(f"{contracts[0].supplier_name} won the last 3 lots of yours")
    assert of_another.buyer_id != lot.buyer_id


# --- the warnings, by their rules -----------------------------------------------------------------------------------

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)  # a Tuesday
SUPPLIERS = [uuid4(), uuid4()]
OUTCOME = uuid4()
QUIET = replace(
    OFFER,
    cpv="72221000",
    starts_on=date(2027, 1, 4),
    closes_at=datetime(2026, 12, 8, 12, tzinfo=UTC),
    enquiries_close_at=datetime(2026, 12, 4, 12, tzinfo=UTC),
    deliverables=[("A map", date(2027, 1, 20), ["Twenty changes are followed"])],
)


def codes(
    phase: Phase = Phase.DISCOVER, *, past: Any = (), won: Any = (), **changes: Any
) -> list[tuple[str, str | None]]:
    offer: Offer = replace(QUIET, **changes)
    draft = Draft(
        offer=offer,
        phase=phase,
        outcome_id=OUTCOME,
        policy=policy(),
        defaults=Defaults(),
        now=NOW,
        past=past,
        won=won,
    )
    return [(one.code, one.pointer) for one in warnings(draft)]


def closing(day: int, hour: int, minute: int = 0, month: int = 12) -> dict[str, Any]:
    moment = datetime(2026, month, day, hour, minute, tzinfo=UTC)
    return {"closes_at": moment, "starts_on": date(2027, 3, 1)}


def pasts(*ceilings: int, cpv: str | None = "72000000", phase: Phase = Phase.DISCOVER) -> list[PastLot]:
    return [PastLot(ceiling=Decimal(one), cpv=cpv, phase=phase) for one in ceilings]


def wins(*suppliers: int, outcome: Any = OUTCOME) -> list[Won]:
    return [
        Won(lot=f"LOT-{n}", outcome_id=outcome, supplier_id=SUPPLIERS[which], supplier=f"S{which}")
        for n, which in enumerate(suppliers)
    ]


def pieces(number: int, text: str = "Twenty changes are followed") -> list[tuple[str, date, list[str]]]:
    return [("A map", date(2027, 1, 20), [text])] * number


FAR = [("ceiling-far", "/ceiling/amount")]
SAME = [("same-supplier", None)]
HOLIDAY, NIGHT, BREAK = ("closes-on-holiday", "closes-at-night", "closes-before-break")


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"cpv": None}, [("cpv-missing", "/cpv")]),
        ({"brief": "word " * 1349}, []),
        ({"brief": "word " * 1350}, [("brief-near-cap", "/brief")]),
        ({"brief": "变更" * 1350}, [("brief-near-cap", "/brief")]),
        ({"brief": "word " * 1501}, []),  # blocks instead
        ({"deliverables": pieces(1, "It is user-friendly")}, [("untestable", "/deliverables/0/acceptance_criteria/0")]),
        ({"duration_days": 43}, [("long-for-phase", "/duration_days")]),
        ({"duration_days": 43, "phase": Phase.DELIVER}, []),
        ({"deliverables": pieces(5)}, [("many-deliverables", "/deliverables")]),
        ({"deliverables": pieces(5), "phase": Phase.DEVELOP}, []),
        (
            {"deliverables": pieces(1, "The form is shown to residents"), "phase": Phase.DELIVER},
            [("not-measurable", "/deliverables/0/acceptance_criteria")],
        ),
        ({"deliverables": pieces(1, "The form is shown to residents")}, []),
        (closing(8, 9), []),
        (closing(8, 8, 59), [(NIGHT, "/closes_at")]),
        (closing(8, 17), []),
        (closing(8, 17, 1), [(NIGHT, "/closes_at")]),
        (closing(12, 12), [(HOLIDAY, "/closes_at")]),
        (closing(25, 12), [(HOLIDAY, "/closes_at")]),
        (closing(24, 16), [(BREAK, "/closes_at")]),
        (closing(24, 15, 59), []),
        (closing(4, 16, 30), []),  # a weekend is no break
        (closing(30, 12, month=11), []),  # Monday: four working days for one deliverable
        (closing(27, 12, month=11), [("window-short", "/closes_at")]),
        (closing(2, 12) | {"deliverables": pieces(4)}, [("window-short", "/closes_at")]),
        (closing(3, 12) | {"deliverables": pieces(4)}, []),
        ({"starts_on": date(2026, 12, 22)}, [("starts-early", "/starts_on")]),
        ({"starts_on": date(2026, 12, 23)}, []),
        ({"past": pasts(1, 1)}, []),
        ({"past": pasts(5999, 5999, 5999)}, FAR),
        ({"past": pasts(6000, 6000, 6000)}, []),
        ({"past": pasts(24000, 24000, 24000)}, []),
        ({"past": pasts(24001, 24001, 24001)}, FAR),
        ({"past": pasts(1, 12000, 99999)}, []),
        ({"past": pasts(1, 1, 1, cpv="79000000", phase=Phase.DELIVER)}, []),  # nothing alike
        ({"past": pasts(1, 1, 1, phase=Phase.DELIVER)}, FAR),  # the division
        ({"past": pasts(1, 1, 1, cpv=None)}, FAR),  # the phase
        ({"past": [*pasts(1, 1, 1, phase=Phase.DELIVER), *pasts(12000, 12000, 12000)]}, []),  # both before one
        ({"won": wins(0, 0)}, []),
        ({"won": wins(0, 0, 0)}, SAME),
        ({"won": wins(0, 0, 1, 0)}, []),
        ({"won": wins(1, outcome=None) + wins(0, 0, 0)}, SAME),
        ({"won": wins(0, 0, 0, outcome=None)}, SAME),
        ({"won": wins(1) + wins(0, 0, 0, outcome=None)}, []),
    ],
)
def test_each_warning_at_its_edge(changes: dict[str, Any], found: list[tuple[str, str | None]]) -> None:
    assert codes(**changes) == found


@pytest.mark.parametrize(
    ("criterion", "taste"),
    [
        ("The page is good and user-friendly", ["good", "user-friendly"]),
        ("Reports are sent as appropriate", ["appropriate"]),
        ("Support is given where possible", ["where possible"]),
        ("Everything works properly, quickly and so on", ["properly", "quickly", "and so on"]),
        ("Twenty changes are followed to their decision", []),
        ("Goods are counted", []),
    ],
)
def test_words_of_taste_are_named(criterion: str, taste: list[str]) -> None:
    assert vague_words(criterion) == taste


@pytest.mark.parametrize(
    ("criterion", "observable"),
    [
        ("Twenty changes are followed to their decision", True),
        ("Waiting days are shown for each", True),
        ("Officers have chosen them", True),
        ("99.5 % of requests within a second", True),
        ("The page passes the accessibility audit", True),
        ("The quality of the software", False),
        ("An understanding of the need", False),
        ("Mae pob newid yn cael ei ddilyn", True),  # Welsh: only its words of taste are not known
        ("Είκοσι αλλαγές", True),
    ],
)
def test_what_can_be_seen_or_counted_is_known_by_its_words(criterion: str, observable: bool) -> None:
    assert is_observable(criterion) is observable


def test_a_criterion_of_bids_is_not_judged_here() -> None:
    assert codes(criteria=[("Good value", CriterionKind.QUALITY, 100)]) == []

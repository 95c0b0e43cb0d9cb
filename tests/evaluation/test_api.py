"""Opening and evaluation over HTTP."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from build import (
    Council,
    council,
    covered_lot,
    move_clock,
    opened_lot,
    panel_document,
    published_lot,
    score_document,
    seat,
    seated_panel,
    submitted_bid,
    supplier,
)
from calls import Call, ok, problem
from procure.bids import service as bids
from procure.bids.models import Bid
from procure.evaluation import opening
from procure.identity.rules import ROLES_OF
from procure.journal.models import JournalEntry
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.kit.scopes import ROLE_SCOPES
from procure.organisations.models import Organisation
from procure.vault.keyring import FileKeyring

FREE = {"has_conflict": False, "declaration": "None."}
TOTALS = ("11050.00", "9000.00")


async def evaluating(db: AsyncSession, vault: FileKeyring) -> tuple[Council, str, dict[str, Any]]:
    """A council, the path of its opened lot, and a sheet for both bids."""
    buyer = await council(db)
    lot = await opened_lot(db, buyer, vault, totals=TOTALS)
    by_total = {f"{bid.total:f}": bid for bid in await bids.opened_bids(db, lot.id)}
    await db.commit()
    return buyer, f"/v1/lots/{lot.id}", score_document(lot, [by_total[total] for total in TOTALS])


async def test_a_panel_declares_reads_scores_locks_agrees_and_ranks(
    db: AsyncSession, call: Call, vault: FileKeyring
) -> None:
    buyer, path, sheet = await evaluating(db, vault)
    panel = ok(await call.put(buyer.officer, f"{path}/panel", panel_document(buyer)))
    assert [one["has_conflict"] for one in panel["members"]] == [None, None]
    members = (buyer.designer, buyer.engineer)
    for member in members:
        problem(await call.get(member, f"{path}/bids"), 409, "interests-not-declared")
        ok(await call.post(member, f"{path}/declarations", FREE))
        page = ok(await call.get(member, f"{path}/bids"))
        assert sorted(one["content"]["total"]["amount"] for one in page["items"]) == sorted(TOTALS)
    for member in members:
        assert len(ok(await call.put(member, f"{path}/scores", sheet))["scores"]) == 4
        problem(await call.put(buyer.designer, f"{path}/consensus", sheet), 409, "scores-not-locked")
        ok(await call.post(member, f"{path}/scores/lock"))
    assert ok(await call.get(buyer.designer, f"{path}/panel"))["is_complete"]
    assert len(ok(await call.get(buyer.officer, f"{path}/scores"))["scores"]) == 8
    problem(await call.get(buyer.approver, f"{path}/ranking"), 404, "ranking-not-found")
    ok(await call.put(buyer.designer, f"{path}/consensus", sheet))
    ranking = ok(await call.post(buyer.designer, f"{path}/conclude"))
    assert [(one["rank"], one["total"]) for one in ranking["bids"]] == [(1, "80.4344"), (2, "72.0000")]
    assert ok(await call.get(buyer.approver, f"{path}/ranking")) == ranking
    assert ranking["root"] == ok(await call.get(None, f"{path}/seal"))["root"]
    assert ok(await call.get(None, path))["status"] == "evaluating"


async def test_opened_bids_come_in_pages_in_an_order_that_tells_nothing(
    db: AsyncSession, call: Call, vault: FileKeyring
) -> None:
    buyer = await council(db)
    lot = await opened_lot(db, buyer, vault, totals=("9000.00", "9001.00", "9002.00", "9003.00", "9004.00"))
    await db.commit()
    seen: list[str] = []
    path: str | None = f"/v1/lots/{lot.id}/bids?limit=2"
    while path:
        page = ok(await call.get(buyer.officer, path))
        seen += [one["id"] for one in page["items"]]
        path = page["next"]
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)


async def test_all_faults_of_a_panel_and_of_scores_are_told_at_once(
    db: AsyncSession, call: Call, vault: FileKeyring
) -> None:
    buyer, path, sheet = await evaluating(db, vault)
    one = {"person_id": str(buyer.officer.person_id), "discipline": "procurement"}
    body = problem(await call.put(buyer.officer, f"{path}/panel", {"members": [one]}), 422, "panel-invalid")
    assert {error["code"] for error in body["errors"]} == {
        "not-an-evaluator",
        "too-few-persons",
        "too-few-disciplines",
        "chair",
    }
    ok(await call.put(buyer.officer, f"{path}/panel", panel_document(buyer)))
    ok(await call.post(buyer.designer, f"{path}/declarations", FREE))
    entry = sheet["scores"][0]
    wrong = {"scores": [{**entry, "score": 6}, {**entry, "score": 2.5}, {**entry, "rationale": " "}, {"score": 1}]}
    body = problem(await call.put(buyer.designer, f"{path}/scores", wrong), 422, "body-invalid")
    assert {error["pointer"] for error in body["errors"]} == {
        "/scores/0/score",
        "/scores/1/score",
        "/scores/2/rationale",
        "/scores/3/bid_id",
        "/scores/3/criterion_id",
        "/scores/3/rationale",
    }
    body = problem(await call.post(buyer.designer, f"{path}/scores/lock"), 409, "scores-incomplete")
    assert len(body["errors"]) == 4


async def test_each_seat_may_do_what_is_its_own(db: AsyncSession, call: Call, vault: FileKeyring) -> None:
    buyer, path, sheet = await evaluating(db, vault)
    stranger, elsewhere = await supplier(db), await council(db, name="Elsewhere Council")
    outsider = await seat(db, buyer.organisation, Role.EVALUATOR)
    await db.commit()
    ok(await call.put(buyer.officer, f"{path}/panel", panel_document(buyer)))
    problem(await call.put(buyer.approver, f"{path}/panel", panel_document(buyer)), 403, "scope-missing")
    problem(await call.put(elsewhere.officer, f"{path}/panel", panel_document(buyer)), 404, "lot-not-found")
    problem(await call.put(buyer.officer, f"{path}/scores", sheet), 403, "scope-missing")
    problem(await call.put(outsider, f"{path}/scores", sheet), 403, "not-on-panel")
    problem(await call.put(elsewhere.designer, f"{path}/scores", sheet), 404, "lot-not-found")
    for reader, status, slug in (
        (None, 401, "unauthenticated"),
        (stranger, 404, "lot-not-found"),
        (elsewhere.officer, 404, "lot-not-found"),
        (outsider, 403, "not-on-panel"),
        (buyer.approver, 403, "not-on-panel"),
        (buyer.finance, 403, "scope-missing"),
    ):
        problem(await call.get(reader, f"{path}/bids"), status, slug)
    ok(await call.get(buyer.officer, f"{path}/bids"))
    for reader in (buyer.officer, buyer.auditor, buyer.approver, buyer.designer):
        ok(await call.get(reader, f"{path}/panel"))


async def covered_and_sealed(db: AsyncSession, vault: FileKeyring) -> tuple[Council, str, Actor]:
    buyer = await council(db)
    lot = await covered_lot(db, buyer, vault)
    bidder = await supplier(db)
    await submitted_bid(db, lot, bidder, vault)
    await move_clock(db, lot.closes_at)
    await opening.seal(db, lot.id)
    await db.commit()
    return buyer, f"/v1/lots/{lot.id}", bidder


async def test_two_approvers_open_a_covered_lot(db: AsyncSession, call: Call, vault: FileKeyring) -> None:
    buyer, path, _ = await covered_and_sealed(db, vault)
    root = ok(await call.get(None, f"{path}/seal"))["root"]
    body = problem(await call.post(buyer.approver, f"{path}/open", {"root": "nothing"}), 422, "body-invalid")
    assert [error["pointer"] for error in body["errors"]] == ["/root"]
    problem(await call.post(buyer.officer, f"{path}/open", {"root": root}), 403, "scope-missing")
    for _ in range(2):
        first = ok(await call.post(buyer.approver, f"{path}/open", {"root": root}))
        assert (first["is_opened"], first["approved_by"]) == (False, [str(buyer.approver.person_id)])
    opened = ok(await call.post(buyer.second_approver, f"{path}/open", {"root": root}))
    assert opened["is_opened"]
    problem(await call.post(buyer.budget_holder, f"{path}/open", {"root": root}), 409, "lot-state-wrong")
    assert ok(await call.get(None, path))["status"] == "evaluating"


async def test_refused_openings_and_readings_are_on_the_record(
    db: AsyncSession, call: Call, vault: FileKeyring
) -> None:
    buyer, path, _ = await covered_and_sealed(db, vault)
    problem(await call.post(buyer.approver, f"{path}/open", {"root": "0" * 64}), 409, "root-mismatch")
    problem(await call.get(buyer.auditor, f"{path}/bids"), 409, "bids-not-opened")
    statement = select(JournalEntry).where(JournalEntry.type == "act.refused").order_by(JournalEntry.id)
    entries = (await db.scalars(statement)).all()
    assert [entry.person_id for entry in entries] == [buyer.approver.person_id, buyer.auditor.person_id]
    assert ['"act":"lot.open"' in entries[0].payload, '"act":"bids.read"' in entries[1].payload] == [True, True]


async def test_nobody_evaluates_a_lot_that_is_still_open(db: AsyncSession, call: Call, vault: FileKeyring) -> None:
    buyer = await council(db)
    lot = await published_lot(db, buyer, vault)
    bid = await submitted_bid(db, lot, await supplier(db), vault)
    await seated_panel(db, buyer, lot)
    await db.commit()
    path, sheet = f"/v1/lots/{lot.id}", score_document(lot, [bid], (5,))
    problem(await call.get(buyer.designer, f"{path}/bids"), 409, "bids-not-opened")
    problem(await call.put(buyer.designer, f"{path}/scores", sheet), 409, "lot-state-wrong")
    problem(await call.post(buyer.designer, f"{path}/scores/lock"), 409, "lot-state-wrong")
    problem(await call.put(buyer.designer, f"{path}/consensus", sheet), 409, "lot-state-wrong")
    problem(await call.post(buyer.designer, f"{path}/conclude"), 409, "lot-state-wrong")


async def test_an_evaluation_is_not_a_suppliers_to_read(db: AsyncSession, call: Call, vault: FileKeyring) -> None:
    """Neither before nor after the award; not even a bidder of the lot, whose own assessment comes with the award."""
    _, path, _ = await evaluating(db, vault)
    lot_id = UUID(path.rpartition("/")[2])
    supplier_id = (await db.scalars(select(Bid.supplier_id).where(Bid.lot_id == lot_id).limit(1))).one()
    party = await db.get_one(Organisation, supplier_id)
    readers = [await seat(db, party, role) for role in sorted(ROLES_OF[OrganisationKind.SUPPLIER])]
    await db.commit()
    for reader in readers:
        for name in ("panel", "scores", "ranking"):
            problem(await call.get(reader, f"{path}/{name}"), 403, "scope-missing")


def test_no_role_of_a_supplier_has_a_scope_of_evaluations() -> None:
    held = {scope for role in ROLES_OF[OrganisationKind.SUPPLIER] for scope in ROLE_SCOPES[role]}
    assert not [scope for scope in held if scope.startswith("evaluations:")]

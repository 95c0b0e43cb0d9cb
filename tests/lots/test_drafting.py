"""What a draft gets where it says nothing, from which lots it may be copied, and how it is taken back."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from build import (
    Council,
    active_outcome,
    awarded_lot,
    council,
    drafted_lot,
    evaluated_lot,
    measure_ids,
    move_clock,
    outcome_document,
    published_lot,
)
from calls import Call, ok, problem
from conftest import World
from procure.journal.models import JournalEntry
from procure.kit import clock
from procure.kit.actor import PersonNeeded, SamePerson
from procure.kit.body import convert
from procure.kit.ids import new_id
from procure.lots import defaults, drafting, rules
from procure.lots import service as lots
from procure.lots.defaults import CriterionTemplate, Defaults
from procure.lots.errors import LotInvalid, LotNotDraft, LotNotFound
from procure.lots.models import Deliverable, Lot
from procure.lots.rules import CancelReason, LotStatus
from procure.lots.schemas import CONTENT, LotCopy, LotDraft, LotPatch
from procure.outcomes import service as outcomes
from procure.outcomes.errors import OutcomeNotActive
from procure.outcomes.models import Outcome
from procure.outcomes.rules import OutcomeStatus, title_of
from procure.outcomes.schemas import EndDecision
from procure.policy.working_days import local_day
from procure.vault.keyring import FileKeyring

WORK = [{"title": "A map of twenty changes", "acceptance_criteria": ["Twenty changes are followed to their decision"]}]
LITTLE: dict[str, Any] = {
    "title": "Find out why changes wait",
    "brief": "Follow twenty real changes from the resident's letter to the decision, with the officers, and show where all the days go.",
    "ceiling": {"amount": "9000.00", "currency": "GBP"},
    "deliverables": WORK,
}


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


async def drafted(db: AsyncSession, buyer: Council, **changes: Any) -> Lot:
    return await lots.draft(db, buyer.officer, convert(LITTLE | changes, LotDraft))


async def revised(db: AsyncSession, buyer: Council, lot: Lot, **changes: Any) -> Lot:
    return await lots.revise(db, buyer.officer, lot.id, convert(changes, LotPatch))


async def test_what_is_left_out_policy_works_out(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    outcome = await active_outcome(db, buyer)
    lot = await drafted(db, buyer, outcome_id=str(outcome.id))
    assert set(lot.derived) == set(CONTENT) - {"title", "brief", "ceiling", "deliverables"}
    assert (lot.phase, lot.duration_days, lot.validity_days, lot.further_iterations) == ("discover", 28, 60, 0)
    assert lot.measure_ids == await measure_ids(db, outcome)
    assert [(one.id, one.kind, one.weight) for one in lot.criteria] == [
        ("C1", "quality", 60),
        ("C2", "price", 30),
        ("C3", "social_value", 10),
    ]
    assert (lot.cpv, lot.cpv_additional, lot.skills) == ("72200000", [], [])
    assert (lot.place.nation, lot.place.region, lot.remote, lot.ip) == ("GB-ENG", None, "hybrid", "buyer_owns")
    assert await clock.now(db) < lot.enquiries_close_at < lot.closes_at
    assert lot.deliverables[0].due_on <= lot.offer.ends_on
    assert (await lots.publish(db, buyer.approver, vault, lot.id)).status is LotStatus.PUBLISHED


async def test_null_is_as_if_it_were_left_out(db: AsyncSession, buyer: Council) -> None:
    outcome = await active_outcome(db, buyer)
    empty = dict.fromkeys(set(CONTENT) - LITTLE.keys())
    lot = await drafted(db, buyer, outcome_id=str(outcome.id), **empty)
    assert set(lot.derived) == set(empty)
    with pytest.raises(Exception, match="does not fit"):
        await drafted(db, buyer, outcome_id=str(outcome.id), title=None)


async def test_what_policy_worked_out_follows_what_is_edited(db: AsyncSession, buyer: Council) -> None:
    lot = await drafted(db, buyer, outcome_id=str((await active_outcome(db, buyer)).id))

    def end() -> date:
        return defaults.due_on(lot.starts_on, lot.duration_days, lot.policy.nation)

    closed, started = lot.closes_at, lot.starts_on
    later = closed + timedelta(days=7)
    await revised(db, buyer, lot, closes_at=later.isoformat())
    assert lot.enquiries_close_at > closed - timedelta(days=1)
    assert (lot.closes_at, lot.deliverables[0].due_on) == (later, end())
    assert lot.starts_on > started
    assert "closes_at" not in lot.derived
    starts_on = lot.starts_on + timedelta(days=30)
    await revised(db, buyer, lot, starts_on=str(starts_on), duration_days=7)
    assert lot.starts_on == starts_on
    assert starts_on <= lot.deliverables[0].due_on == end() <= starts_on + timedelta(days=7)
    # A date that somebody gave stays, and is judged.
    day = str(starts_on + timedelta(days=3))
    await revised(db, buyer, lot, deliverables=[WORK[0] | {"due_on": day}])
    await revised(db, buyer, lot, duration_days=14)
    assert str(lot.deliverables[0].due_on) == day
    await revised(db, buyer, lot, closes_at=None, starts_on=None, duration_days=None, deliverables=WORK)
    assert (lot.closes_at, lot.starts_on, lot.deliverables[0].due_on) == (closed, started, end())
    assert {"closes_at", "starts_on", "duration_days"} <= set(lot.derived)


async def test_a_draft_that_has_waited_gets_a_calendar_from_today_with_any_edit(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot = await drafted(db, buyer, outcome_id=str((await active_outcome(db, buyer)).id))
    given = await drafted_lot(db, buyer)
    await move_clock(db, max(lot.closes_at, given.closes_at) + timedelta(days=1))
    await revised(db, buyer, lot, title="Find out where changes wait")
    assert (await lots.publish(db, buyer.approver, vault, lot.id)).status is LotStatus.PUBLISHED
    # One whose dates were given keeps them; its title can be edited all the same.
    closes_at = given.closes_at
    await revised(db, buyer, given, title="Find out where changes wait")
    assert given.closes_at == closes_at


async def test_a_buyers_own_defaults_go_before_the_platforms(world: World) -> None:
    own = Defaults(duration_days=14, criteria=(CriterionTemplate(name="All of it", kind="quality", weight=100),))
    async with world.sessions() as db:
        buyer = await council(db)
        outcome = await active_outcome(db, buyer)
        await db.commit()
        today = local_day(await clock.now(db))
    owner = create_async_engine(world.urls.owner, poolclass=NullPool)
    async with owner.begin() as connection:  # as a migration loads it
        for days, row in ((-9, Defaults(duration_days=7)), (0, own), (1, Defaults(duration_days=21))):
            of = {"id": new_id(), "of": buyer.organisation.id, "day": today + timedelta(days=days)}
            said = {"defaults": msgspec.json.encode(row).decode()}
            await connection.execute(text("INSERT INTO lot_defaults VALUES (:id, :of, :day, :defaults)"), of | said)
    await owner.dispose()
    async with world.sessions() as db:
        lot = await drafted(db, buyer, outcome_id=str(outcome.id))
        assert (lot.duration_days, [one.name for one in lot.criteria]) == (14, ["All of it"])
        other = await council(db, name="Elsewhere Council")
        assert await drafting.defaults_of(db, other.organisation.id, today) == Defaults()


async def test_a_need_is_written_down_with_its_first_lot(db: AsyncSession, buyer: Council, call: Call) -> None:
    await db.commit()
    need = outcome_document(buyer)
    lot = ok(await call.post(buyer.officer, "/v1/lots", LITTLE | {"outcome": need}), 201)
    outcome = ok(await call.get(buyer.officer, f"/v1/outcomes/{lot['outcome_id']}"))
    assert (outcome["status"], lot["status"]) == ("draft", "draft")
    assert lot["measure_ids"] == [one["id"] for one in outcome["measures"]]
    path = f"/v1/lots/{lot['id']}"
    problem(await call.post(buyer.approver, f"{path}/publish"), 409, "outcome-not-active")
    # The measures of a draft are written anew with an edit; the lot's own follow with the next one.
    ok(await call.patch(buyer.officer, f"/v1/outcomes/{outcome['id']}", {"measures": need["measures"]}))
    ok(await call.post(buyer.budget_holder, f"/v1/outcomes/{outcome['id']}/activate"))
    body = problem(await call.post(buyer.approver, f"{path}/publish"), 422, "lot-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/measure_ids/0"]
    ok(await call.patch(buyer.officer, path, {"measure_ids": None}))
    ok(await call.post(buyer.approver, f"{path}/publish"))


async def test_a_need_that_is_refused_leaves_nothing_and_its_faults_stand_beside_the_lots(
    db: AsyncSession, buyer: Council, call: Call
) -> None:
    await db.commit()
    need = outcome_document(buyer, envelope={"amount": "0", "currency": "GBP"}, statement="Too short")
    body = await call.post(buyer.officer, "/v1/lots", LITTLE | {"outcome": need, "title": "Big", "skills": ["A", "a"]})
    found = {fault["pointer"] for fault in problem(body, 422, "lot-invalid")["errors"]}
    assert found == {"/outcome/envelope/amount", "/outcome/statement", "/title", "/skills/1"}
    assert await db.scalar(select(Outcome.id).where(Outcome.buyer_id == buyer.organisation.id)) is None
    # Who may draft lots, and no outcomes, is told so.
    refused = await call.post(buyer.service_owner, "/v1/lots", LITTLE | {"outcome": outcome_document(buyer)})
    problem(refused, 403, "scope-missing")


async def test_a_lot_is_under_one_outcome_that_has_not_ended(db: AsyncSession, buyer: Council, call: Call) -> None:
    outcome = await active_outcome(db, buyer)
    await db.commit()
    for both, pointer in (
        ({}, "/outcome_id"),
        ({"outcome_id": str(outcome.id), "outcome": outcome_document(buyer)}, "/outcome"),
    ):
        body = problem(await call.post(buyer.officer, "/v1/lots", LITTLE | both | {"title": "Big"}), 422, "lot-invalid")
        assert [fault["pointer"] for fault in body["errors"]] == [pointer, "/title"]
    problem(await call.post(buyer.officer, "/v1/lots", LITTLE | {"outcome_id": str(uuid4())}), 404, "outcome-not-found")
    other = await council(db, name="Elsewhere Council")
    foreign = await active_outcome(db, other)
    await outcomes.end(db, buyer.approver, outcome.id, convert({"status": "abandoned", "reason": "No."}, EndDecision))
    await db.commit()
    for outcome_id, told in ((outcome.id, (409, "outcome-not-active")), (foreign.id, (404, "outcome-not-found"))):
        problem(await call.post(buyer.officer, "/v1/lots", LITTLE | {"outcome_id": str(outcome_id)}), *told)


@pytest.mark.parametrize(
    ("statement", "title"),
    [
        ("A change is decided in two days. It was nineteen.", "A change is decided in two days"),
        ("A change is decided in two days", "A change is decided in two days"),
        ("First line\nand another one follows here", "First line"),
        ("Is it decided in 2.5 days? Yes.", "Is it decided in 2.5 days?"),
        ("word " * 100, "word " * 22 + "word …"),
        ("x" * 400, "x" * 120),
        ("变更在两天内决定。以前是十九天。", "变更在两天内决定"),
    ],
)
def test_an_outcome_without_a_title_is_called_by_its_first_sentence(statement: str, title: str) -> None:
    assert title_of(statement.strip()) == title


# --- copies ---------------------------------------------------------------------------------------------------------


async def test_any_earlier_lot_of_the_buyer_is_a_template(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    region = {"nation": "GB-ENG", "region": "TLI", "locality": "Town Hall"}
    source = await published_lot(
        db,
        buyer,
        vault,
        skills=["Research"],
        place=region,
        ip="supplier_owns_licensed",
        remote="remote",
        validity_days=70,
    )
    await lots.cancel(db, buyer.approver, source.id, "The need has gone.", CancelReason.NEED_CHANGED)
    await move_clock(db, source.closes_at + timedelta(days=90))
    made = await lots.copy(db, buyer.officer, source.id, LotCopy())
    moved = {"deliverables", "closes_at", "enquiries_close_at", "starts_on"}
    for name in set(CONTENT) - moved:
        assert getattr(made, name) == getattr(source, name), name
    assert (made.copied_from_id, made.follows_id, made.status) == (source.id, None, LotStatus.DRAFT)
    assert made.iteration == source.iteration + 1
    assert drafting.due_days(made) == drafting.due_days(source)
    assert set(made.derived) == {"closes_at", "enquiries_close_at", "starts_on"}
    assert made.closes_at > await clock.now(db)
    assert (await lots.publish(db, buyer.approver, vault, made.id)).status is LotStatus.PUBLISHED


async def test_a_copy_goes_to_another_outcome_of_the_buyer_and_to_no_one_elses(
    db: AsyncSession, buyer: Council, call: Call
) -> None:
    source = await drafted_lot(db, buyer)
    other, stranger = await active_outcome(db, buyer), await council(db, name="Elsewhere Council")
    theirs = await active_outcome(db, stranger)
    await db.commit()
    path = f"/v1/lots/{source.id}/copy"
    made = ok(await call.post(buyer.officer, path, {"outcome_id": str(other.id), "title": "Another title for it"}), 201)
    assert (made["outcome_id"], made["title"], made["iteration"]) == (str(other.id), "Another title for it", 1)
    assert made["measure_ids"] == [str(one) for one in await measure_ids(db, other)]
    assert made["copied_from_id"] == str(source.id)
    problem(await call.post(buyer.officer, path, {"outcome_id": str(theirs.id)}), 404, "outcome-not-found")
    problem(await call.post(stranger.officer, path, {}), 404, "lot-not-found")
    problem(await call.post(buyer.officer, path, {}, headers={"If-Match": '"another"'}), 412, "changed-since-read")
    ended = convert({"status": "abandoned", "reason": "No."}, EndDecision)
    await outcomes.end(db, buyer.approver, source.outcome_id, ended)
    await db.commit()
    problem(await call.post(buyer.officer, path, {}), 409, "outcome-not-active")


async def test_a_copy_is_judged_by_the_rules_of_today(db: AsyncSession, buyer: Council) -> None:
    source = await drafted_lot(db, buyer)
    long = [Deliverable(f"D{n}", "A", source.starts_on, ["It is done well"]) for n in range(1, 10)]
    await db.execute(update(Lot).where(Lot.id == source.id).values(deliverables=long, duration_days=85))
    await db.refresh(source)
    with pytest.raises(LotInvalid) as caught:
        await lots.copy(db, buyer.officer, source.id, LotCopy())
    assert [fault.pointer for fault in caught.value.faults] == ["/duration_days", "/deliverables"]


# --- taking back ----------------------------------------------------------------------------------------------------


async def test_a_draft_is_withdrawn_by_whoever_prepares_lots(
    db: AsyncSession, buyer: Council, call: Call, vault: FileKeyring
) -> None:
    first, second, published = [await drafted_lot(db, buyer) for _ in range(2)] + [
        await published_lot(db, buyer, vault)
    ]
    await db.commit()
    shown = ok(await call.post(buyer.officer, f"/v1/lots/{first.id}/withdraw", {"reason": "Drafted twice."}))
    assert (shown["status"], shown["end_reason"], shown["end_reason_code"]) == ("cancelled", "Drafted twice.", None)
    assert ok(await call.post(buyer.officer, f"/v1/lots/{second.id}/withdraw", {}))["end_reason"] is None
    problem(await call.post(buyer.officer, f"/v1/lots/{first.id}/withdraw", {}), 409, "lot-not-draft")
    problem(await call.post(buyer.officer, f"/v1/lots/{published.id}/withdraw", {}), 409, "lot-not-draft")
    problem(await call.get(None, f"/v1/lots/{first.id}"), 404, "lot-not-found")
    entry = (await db.scalars(select(JournalEntry).where(JournalEntry.type == "lot.withdrawn").limit(1))).one()
    assert (entry.is_public, entry.audience_organisations) == (False, [buyer.organisation.id])
    with pytest.raises(LotNotDraft):
        await lots.publish(db, buyer.approver, vault, first.id)
    with pytest.raises(LotNotFound):
        await lots.withdraw(db, (await council(db, name="Elsewhere Council")).officer, published.id)


@pytest.mark.parametrize("status", [one for one in LotStatus if one in rules.CANCEL_REASONS])
@pytest.mark.parametrize("reason", CancelReason)
def test_every_reason_against_every_state(status: LotStatus, reason: CancelReason) -> None:
    """Written out here, not taken from the rule."""
    refused = {
        LotStatus.DRAFT: {"no_suitable_bids", "challenged"},
        LotStatus.PUBLISHED: {"no_suitable_bids"},
        LotStatus.CLOSED: {"no_suitable_bids"},
        LotStatus.EVALUATING: set(),
        LotStatus.AWARDED: {"no_suitable_bids"},
    }
    if reason.value not in refused[status]:
        rules.check_cancel_reason(status, reason)
        return
    with pytest.raises(LotInvalid) as caught:
        rules.check_cancel_reason(status, reason)
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/reason_code", "not-in-this-state")]


def test_whatever_can_be_cancelled_has_its_reasons() -> None:
    stored = {status for status, following in rules.NEXT.items() if LotStatus.CANCELLED in following}
    assert set(rules.CANCEL_REASONS) == stored | {LotStatus.CLOSED}


async def test_the_reason_is_told_with_its_code_in_each_state(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    draft, published = await drafted_lot(db, buyer), await published_lot(db, buyer, vault)
    with pytest.raises(LotInvalid):
        await lots.cancel(db, buyer.approver, published.id, "None fits.", CancelReason.NO_SUITABLE_BIDS)
    await move_clock(db, published.closes_at)
    with pytest.raises(LotInvalid):  # closed, and nobody has read a bid
        await lots.cancel(db, buyer.approver, published.id, "None fits.", CancelReason.NO_SUITABLE_BIDS)
    evaluating, (awarded, _) = await evaluated_lot(db, buyer, vault), await awarded_lot(db, buyer, vault)
    for lot, code in (
        (draft, CancelReason.DOCUMENTS_WRONG),
        (published, CancelReason.CHALLENGED),
        (evaluating, CancelReason.NO_SUITABLE_BIDS),
        (awarded, CancelReason.BUDGET_WITHDRAWN),
    ):
        await lots.cancel(db, buyer.approver, lot.id, "As the code says.", code)
        ended = select(JournalEntry).where(JournalEntry.type == "lot.cancelled", JournalEntry.object_id == lot.id)
        entry = (await db.scalars(ended)).one()
        assert f'"reason_code":"{code}"' in entry.payload
        assert entry.is_public is (lot is not draft)
        assert (lot.end_reason_code, lot.end_reason) == (code, "As the code says.")


async def test_it_takes_no_second_person_to_withdraw_and_one_to_cancel(db: AsyncSession, buyer: Council) -> None:
    lot = await drafted_lot(db, buyer)
    with pytest.raises((SamePerson, PersonNeeded)):
        await lots.cancel(db, buyer.officer, lot.id, "Mine.")
    await lots.withdraw(db, buyer.officer, lot.id)
    assert lot.status is LotStatus.CANCELLED
    assert Decimal((await outcomes.ledger(db, await db.get_one(Outcome, lot.outcome_id))).committed.amount) == 0


def test_an_outcome_that_has_ended_takes_no_lot() -> None:
    for status in OutcomeStatus:
        if status in ("draft", "active"):
            rules.check_outcome_open(status)
        else:
            with pytest.raises(OutcomeNotActive):
                rules.check_outcome_open(status)

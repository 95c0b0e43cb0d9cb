"""What an outcome's verbs leave behind, its ledger, and the envelope under real concurrency."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, active_outcome, council, drafted_lot, move_clock, outcome_document, supplier
from conftest import World
from procure.journal.models import JournalEntry
from procure.journal.service import record_refusal
from procure.kit import clock
from procure.kit.actor import ANYONE, PersonNeeded, SamePerson
from procure.kit.body import convert
from procure.kit.db import transaction
from procure.kit.ids import new_id
from procure.lots import service as lots
from procure.outcomes import service as outcomes
from procure.outcomes.errors import (
    BudgetHolderNeeded,
    EnvelopeExceeded,
    MeasureNotFound,
    ObservationInvalid,
    OutcomeInvalid,
    OutcomeNotActive,
    OutcomeNotDraft,
    OutcomeNotFound,
    OutcomeStillCommitted,
)
from procure.outcomes.models import Outcome
from procure.outcomes.rules import LedgerKind, OutcomeStatus
from procure.outcomes.schemas import EndDecision, ObservationDraft, OutcomeDraft, OutcomePatch


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


async def draft(db: AsyncSession, buyer: Council, **changes: object) -> Outcome:
    return await outcomes.draft(db, buyer.officer, convert(outcome_document(buyer, **changes), OutcomeDraft))


async def seen(db: AsyncSession, value: str, **more: object) -> ObservationDraft:
    today = (await clock.now(db)).date()
    return convert({"value": value, "observed_on": str(today), "source": "Case system"} | more, ObservationDraft)


async def test_a_draft_is_its_buyers_own_and_an_active_outcome_everybodys(db: AsyncSession, buyer: Council) -> None:
    outcome = await draft(db, buyer)
    other = await council(db, name="Elsewhere Council")
    for stranger in (ANYONE, other.officer, await supplier(db)):
        with pytest.raises(OutcomeNotFound):
            await outcomes.find_outcome(db, stranger, outcome.id)
    await outcomes.activate(db, buyer.budget_holder, outcome.id)
    assert (await outcomes.find_outcome(db, ANYONE, outcome.id)).id == outcome.id
    with pytest.raises(OutcomeNotFound):
        await outcomes.observe(db, other.officer, outcome.id, outcome.measures[0].id, await seen(db, "9"))


async def test_activation_needs_a_budget_holder_who_did_not_write_it(db: AsyncSession, buyer: Council) -> None:
    outcome = await draft(db, buyer)
    with pytest.raises(BudgetHolderNeeded):
        await outcomes.activate(db, buyer.approver, outcome.id)
    await outcomes.revise(db, buyer.budget_holder, outcome.id, OutcomePatch(beneficiaries="Everybody"))
    with pytest.raises(SamePerson) as caught:
        await outcomes.activate(db, buyer.budget_holder, outcome.id)
    assert caught.value.refusal is not None
    with pytest.raises(PersonNeeded):
        await outcomes.activate(db, replace(buyer.budget_holder, person_id=None), outcome.id)


async def test_an_active_outcome_is_not_edited_any_more(db: AsyncSession, buyer: Council) -> None:
    outcome = await active_outcome(db, buyer)
    with pytest.raises(OutcomeNotDraft):
        await outcomes.revise(db, buyer.officer, outcome.id, OutcomePatch(title="Another"))
    with pytest.raises(OutcomeNotDraft):
        await outcomes.activate(db, buyer.budget_holder, outcome.id)


async def test_measures_are_replaced_whole_while_a_draft(db: AsyncSession, buyer: Council) -> None:
    outcome = await draft(db, buyer)
    measure = outcome_document(buyer)["measures"][0]
    patch = convert({"measures": [measure | {"name": "A"}, measure | {"name": "B"}]}, OutcomePatch)
    await outcomes.revise(db, buyer.officer, outcome.id, patch)
    assert [one.name for one in (await outcomes.view(db, buyer.officer, outcome)).measures] == ["A", "B"]
    backwards = {"measures": [measure | {"direction": "increase"}]}
    with pytest.raises(OutcomeInvalid):
        await outcomes.revise(db, buyer.officer, outcome.id, convert(backwards, OutcomePatch))


async def test_observations_are_superseded_once_and_never_edited(db: AsyncSession, buyer: Council) -> None:
    outcome = await active_outcome(db, buyer)
    measure_id = (await outcomes.view(db, buyer.officer, outcome)).measures[0].id
    wrong = await outcomes.observe(db, buyer.officer, outcome.id, measure_id, await seen(db, "1"))
    mended = await seen(db, "10.5", supersedes_id=str(wrong.id))
    await outcomes.observe(db, buyer.officer, outcome.id, measure_id, mended)
    measure = (await outcomes.view(db, buyer.officer, outcome)).measures[0]
    assert (measure.progress, measure.latest and measure.latest.value) == ("0.5000", "10.5")
    with pytest.raises(ObservationInvalid):
        await outcomes.observe(db, buyer.officer, outcome.id, measure_id, mended)
    with pytest.raises(ObservationInvalid):
        await outcomes.observe(db, buyer.officer, outcome.id, measure_id, await seen(db, "1", observed_on="2040-01-01"))
    with pytest.raises(MeasureNotFound):
        await outcomes.observe(db, buyer.officer, outcome.id, new_id(), await seen(db, "1"))
    with pytest.raises(ProgrammingError, match="permission denied"):
        await db.execute(text("UPDATE observations SET value = 2"))


async def test_the_latest_observation_is_the_one_of_the_latest_day(db: AsyncSession, buyer: Council) -> None:
    outcome = await active_outcome(db, buyer)
    measure_id = (await outcomes.view(db, buyer.officer, outcome)).measures[0].id
    await outcomes.observe(db, buyer.officer, outcome.id, measure_id, await seen(db, "8"))
    earlier = await seen(db, "15", observed_on="2026-10-01")
    await outcomes.observe(db, buyer.officer, outcome.id, measure_id, earlier)
    latest = (await outcomes.view(db, buyer.officer, outcome)).measures[0].latest
    assert latest is not None
    assert latest.value == "8"


@pytest.mark.parametrize("status", [OutcomeStatus.ACHIEVED, OutcomeStatus.NOT_ACHIEVED, OutcomeStatus.ABANDONED])
async def test_an_approver_says_how_it_ended(db: AsyncSession, buyer: Council, status: OutcomeStatus) -> None:
    outcome = await active_outcome(db, buyer)
    await outcomes.end(db, buyer.approver, outcome.id, EndDecision(status, "So it was seen."))
    assert (outcome.status, outcome.end_reason) == (status, "So it was seen.")
    with pytest.raises(OutcomeNotActive):
        await drafted_lot(db, buyer, outcome)
    with pytest.raises(OutcomeNotActive):
        await outcomes.end(db, buyer.approver, outcome.id, EndDecision(status, "Again."))


async def test_a_draft_can_only_be_abandoned(db: AsyncSession, buyer: Council) -> None:
    outcome = await draft(db, buyer)
    with pytest.raises(OutcomeNotActive):
        await outcomes.end(db, buyer.approver, outcome.id, EndDecision(OutcomeStatus.ACHIEVED, "No."))
    with pytest.raises(OutcomeInvalid):
        await outcomes.end(db, buyer.approver, outcome.id, EndDecision(OutcomeStatus.ACTIVE, "No."))
    await outcomes.end(db, buyer.approver, outcome.id, EndDecision(OutcomeStatus.ABANDONED, "The need has gone."))
    entry = (await db.scalars(select(JournalEntry).where(JournalEntry.type == "outcome.ended"))).one()
    assert not entry.is_public, "what was never public is not made so by its end"


async def test_what_was_never_active_is_not_observed(db: AsyncSession, buyer: Council) -> None:
    outcome = await draft(db, buyer)
    measure_id, observation = outcome.measures[0].id, await seen(db, "9")
    with pytest.raises(OutcomeNotActive):
        await outcomes.observe(db, buyer.officer, outcome.id, measure_id, observation)
    await outcomes.end(db, buyer.approver, outcome.id, EndDecision(OutcomeStatus.ABANDONED, "The need has gone."))
    with pytest.raises(OutcomeNotActive):
        await outcomes.observe(db, buyer.officer, outcome.id, measure_id, observation)


@pytest.mark.parametrize("status", [OutcomeStatus.ACHIEVED, OutcomeStatus.NOT_ACHIEVED, OutcomeStatus.ABANDONED])
async def test_what_was_active_is_observed_after_its_end(
    db: AsyncSession, buyer: Council, status: OutcomeStatus
) -> None:
    outcome = await active_outcome(db, buyer)
    measure_id = (await outcomes.view(db, buyer.officer, outcome)).measures[0].id
    await outcomes.end(db, buyer.approver, outcome.id, EndDecision(status, "So it was seen."))
    await outcomes.observe(db, buyer.officer, outcome.id, measure_id, await seen(db, "2"))
    assert (await outcomes.view(db, buyer.officer, outcome)).measures[0].progress == "1.0000"
    assert outcome.status is status


async def test_nothing_more_is_committed_of_an_outcome_that_has_ended(db: AsyncSession, buyer: Council) -> None:
    outcome, lot_id = await active_outcome(db, buyer), new_id()
    await outcomes.commit_to(db, outcome, lot_id, Decimal("100.00"), "signed")
    await outcomes.add_spend(db, outcome.id, lot_id, LedgerKind.ACCEPTED, Decimal("100.00"), "accepted")
    await outcomes.end(db, buyer.approver, outcome.id, EndDecision(OutcomeStatus.ACHIEVED, "Seen."))
    await outcomes.commit_to(db, outcome, lot_id, Decimal("100.00"), "as before")
    for lot, amount in ((lot_id, "100.01"), (new_id(), "0.01")):
        with pytest.raises(OutcomeNotActive):
            await outcomes.commit_to(db, outcome, lot, Decimal(amount), "more")
    await outcomes.commit_to(db, outcome, lot_id, Decimal("99.99"), "less")
    assert (await outcomes.ledger(db, outcome)).committed.amount == "99.99"


async def test_what_one_lot_leaves_open_another_does_not_make_good(db: AsyncSession, buyer: Council) -> None:
    outcome, first, second = await active_outcome(db, buyer), new_id(), new_id()
    await outcomes.commit_to(db, outcome, first, Decimal("100.00"), "published")
    await outcomes.add_spend(db, outcome.id, second, LedgerKind.ACCEPTED, Decimal("100.00"), "accepted")
    await outcomes.add_spend(db, outcome.id, first, LedgerKind.PAID, Decimal("100.00"), "paid is not accepted")
    with pytest.raises(OutcomeStillCommitted):
        await outcomes.end(db, buyer.approver, outcome.id, EndDecision(OutcomeStatus.ABANDONED, "No."))


async def test_the_ledger_holds_what_each_lot_commits_and_no_more(db: AsyncSession, buyer: Council) -> None:
    outcome = await active_outcome(db, buyer)  # 24,000.00
    first, second = new_id(), new_id()
    await outcomes.commit_to(db, outcome, first, Decimal("20000.00"), "published")
    with pytest.raises(EnvelopeExceeded):
        await outcomes.commit_to(db, outcome, second, Decimal("4000.01"), "published")
    await outcomes.commit_to(db, outcome, first, Decimal("10000.00"), "signed")
    await outcomes.commit_to(db, outcome, second, Decimal("14000.00"), "published")
    await outcomes.add_spend(db, outcome.id, first, LedgerKind.ACCEPTED, Decimal("9999.99"), "accepted")
    await outcomes.add_spend(db, outcome.id, first, LedgerKind.PAID, Decimal("0.01"), "paid")
    ledger = await outcomes.ledger(db, outcome)
    assert (ledger.committed.amount, ledger.uncommitted.amount) == ("24000.00", "0.00")
    assert (ledger.accepted.amount, ledger.paid.amount) == ("9999.99", "0.01")


async def test_lots_published_at_once_never_commit_more_than_the_envelope(world: World) -> None:
    async with world.sessions() as db:
        buyer = await council(db)
        outcome = await active_outcome(db, buyer)  # 24,000.00
        money = {"amount": "2500.00", "currency": "GBP"}
        drafted = [
            await drafted_lot(db, buyer, outcome, ceiling=money, further_iterations={"count": 1, "ceiling": money})
            for _ in range(10)
        ]
        await db.commit()

    async def publish(lot_id: object) -> bool:
        try:
            async with transaction(world.sessions, record_refusal) as db:
                await lots.publish(db, buyer.approver, world.vault, lot_id)  # type: ignore[arg-type]
        except EnvelopeExceeded:
            return False
        return True

    published = await asyncio.gather(*(publish(lot.id) for lot in drafted))
    async with world.sessions() as db:
        ledger = await outcomes.ledger(db, outcome)
    assert sum(published) == 4
    assert ledger.committed.amount == "20000.00"


async def test_an_observation_may_be_of_a_day_that_the_sandbox_has_reached(db: AsyncSession, buyer: Council) -> None:
    outcome = await active_outcome(db, buyer)
    measure_id = (await outcomes.view(db, buyer.officer, outcome)).measures[0].id
    later = (await clock.now(db)).replace(year=2028)
    await move_clock(db, later)
    observation = await outcomes.observe(db, buyer.officer, outcome.id, measure_id, await seen(db, "3"))
    assert observation.observed_on == later.date()

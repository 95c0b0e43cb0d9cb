"""Terminating, looking back, completing. The lot's commitment follows what was accepted and what is still open."""

from datetime import UTC
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from procure.contracts import rules as contract_rules
from procure.contracts import service as contracts
from procure.contracts.endings import rules
from procure.contracts.endings.events import ContractCompleted, ContractTerminated, RetrospectiveGiven
from procure.contracts.endings.rules import Report, Work
from procure.contracts.endings.schemas import Completion, MeasureReport
from procure.contracts.models import Contract, OwedObservation
from procure.contracts.rules import ContractStatus, DeliverableStatus, NextStep, Side
from procure.journal.events import PUBLIC
from procure.kit import clock
from procure.kit.actor import Actor, require_person
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.kit.money import Money
from procure.outcomes import rules as outcome_rules
from procure.outcomes import service as outcomes
from procure.outcomes.schemas import ObservationDraft
from procure.policy.working_days import local_day


async def terminate(
    db: AsyncSession, actor: Actor, contract_id: UUID, reason: str, *, seen: Seen = UNCONDITIONAL
) -> Contract:
    """The buyer ends for convenience at a boundary: what was accepted stays payable, the rest returns to the envelope."""
    outcome, lot, contract = await contracts.lock_with_lot(db, actor, contract_id)
    await contracts.check_seen(db, seen, contract)
    contract_rules.check_side(contracts.side_of(actor, contract), Side.BUYER)
    _check_other_person(actor, contract)
    contract_rules.check_status(contract.status, ContractStatus.ACTIVE)
    now = await clock.now(db)
    works = [Work(status=one.status, rounds=one.rounds, due_on=one.due_on) for one in contract.deliverables]
    rules.check_boundary(works, lot.policy.limits.rework_rounds_max, local_day(now))
    cancelled = _cancel_rest(contract)
    contract.move_to(ContractStatus.TERMINATED)
    contract.ended_at, contract.end_reason = now, reason
    event = ContractTerminated(
        object_id=contract.id,
        object_version=contract.version,
        reason=reason,
        accepted=Money.of(contracts.accepted(contract), contract.currency),
        cancelled=cancelled,
    )
    await contracts.record(db, actor, event, PUBLIC, contract)
    await contracts.commit(db, outcome, lot, "contract.terminated")
    return contract


def _check_other_person(actor: Actor, contract: Contract) -> None:
    said = "Whoever drew the contract up can't end it."
    contracts.by_another(actor, contract.prepared_by, said, "contract.terminate", contract)


def _cancel_rest(contract: Contract) -> list[str]:
    """The keys of the deliverables that will not be delivered."""
    rest = [one for one in contract.deliverables if one.status is not DeliverableStatus.ACCEPTED]
    for deliverable in rest:
        deliverable.move_to(DeliverableStatus.CANCELLED)
    return [deliverable.key for deliverable in rest]


async def look_back(
    db: AsyncSession, actor: Actor, contract_id: UUID, learned: str, *, seen: Seen = UNCONDITIONAL
) -> Contract:
    """The supplier says what it learned, while the contract runs or once after its end."""
    found = await contracts.find_contract(db, actor, contract_id)
    contract = await contracts.lock_contract(db, found.id)
    await contracts.check_seen(db, seen, contract)
    contract_rules.check_side(contracts.side_of(actor, contract), Side.SUPPLIER)
    signed = (ContractStatus.ACTIVE, ContractStatus.COMPLETED, ContractStatus.TERMINATED)
    contract_rules.check_status(contract.status, *signed)
    rules.check_retrospective(contract.status, given=contract.learned_by_supplier is not None)
    contract.learned_by_supplier = learned
    contract.touch()
    event = RetrospectiveGiven(object_id=contract.id, object_version=contract.version, learned=learned)
    await contracts.record(db, actor, event, contracts.parties(contract), contract)
    return contract


async def complete(
    db: AsyncSession, actor: Actor, contract_id: UUID, data: Completion, *, seen: Seen = UNCONDITIONAL
) -> Contract:
    """Observe each measure that the lot aimed at, say what was learned, and decide: continue, pivot or stop.

    Of an outcome that has ended nothing more is bought, so that `stop` is all that is left there.
    """
    outcome, lot, contract = await contracts.lock_with_lot(db, actor, contract_id)
    await contracts.check_seen(db, seen, contract)
    contract_rules.check_side(contracts.side_of(actor, contract), Side.BUYER)
    # To continue, to pivot or to stop is judgement, as changing that later is.
    require_person(actor)
    contract_rules.check_status(contract.status, ContractStatus.ACTIVE)
    rules.check_settled([one.status for one in contract.deliverables])
    if data.next_step is not NextStep.STOP:
        outcome_rules.check_active(outcome.status)
    now = await clock.now(db)
    rules.check_reports(lot.measure_ids, [_report(one) for one in data.measures], now.astimezone(UTC).date())
    contract.move_to(ContractStatus.COMPLETED)
    contract.ended_at, contract.learned_by_buyer, contract.next_step = now, data.learned, data.next_step
    contract.owed = [OwedObservation(one.measure_id, one.owed_on) for one in data.measures if one.owed_on]
    event = ContractCompleted(
        object_id=contract.id,
        object_version=contract.version,
        accepted=Money.of(contracts.accepted(contract), contract.currency),
        next_step=data.next_step,
        owed=contract.owed,
    )
    await contracts.record(db, actor, event, PUBLIC, contract)
    await _observe(db, actor, contract, data.measures)
    await contracts.commit(db, outcome, lot, f"contract.completed: {data.next_step}")
    return contract


def _report(given: MeasureReport) -> Report:
    observed_on = given.observation.observed_on if given.observation else None
    return Report(measure_id=given.measure_id, observed_on=observed_on, owed_on=given.owed_on)


async def _observe(db: AsyncSession, actor: Actor, contract: Contract, reports: list[MeasureReport]) -> None:
    for report in reports:
        if seen := report.observation:
            draft = ObservationDraft(
                value=seen.value, observed_on=seen.observed_on, source=seen.source, evidence=seen.evidence
            )
            outcome_id, measure_id = contract.outcome_id, report.measure_id
            await outcomes.observe(db, actor, outcome_id, measure_id, draft, contract_id=contract.id)

"""Handing in and judging. Both take the contract's lock, so of two verdicts at once one finds the deliverable decided."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.contracts import rules as contract_rules
from procure.contracts import service as contracts
from procure.contracts.deliverables import rules
from procure.contracts.deliverables.errors import DeliverableNotFound
from procure.contracts.deliverables.events import DeliverableAccepted, DeliverableRejected, DeliverableSubmitted
from procure.contracts.deliverables.schemas import Delivery, Verdict
from procure.contracts.models import Contract, ContractDeliverable, CriterionVerdict, Submission, facts
from procure.contracts.rules import ContractStatus, DeliverableStatus, Side
from procure.journal.events import PUBLIC
from procure.kit import clock
from procure.kit.actor import Actor, require_person
from procure.kit.canonical import digest
from procure.kit.ids import new_id
from procure.kit.money import Money
from procure.lots.models import Lot
from procure.outcomes import service as outcomes
from procure.outcomes.rules import LedgerKind
from procure.policy.rules import Policy


async def _lock(
    db: AsyncSession, actor: Actor, contract_id: UUID, key: str, needed: Side
) -> tuple[Policy, Contract, ContractDeliverable]:
    """A deliverable of a contract in force, under the contract's lock; the policy is its lot's, which never changes now."""
    found = await contracts.find_contract(db, actor, contract_id)
    contract = await contracts.lock_contract(db, found.id)
    contract_rules.check_side(contracts.side_of(actor, contract), needed)
    deliverable = next((one for one in contract.deliverables if one.key == key), None)
    if deliverable is None:
        raise DeliverableNotFound(f"{contract.reference} has no such deliverable.")
    contract_rules.check_status(contract.status, ContractStatus.ACTIVE)
    return (await db.get_one(Lot, contract.lot_id)).policy, contract, deliverable


async def submit(db: AsyncSession, actor: Actor, contract_id: UUID, key: str, data: Delivery) -> Contract:
    """The supplier hands a deliverable in, or again after a rejection; the review time runs from now."""
    policy, contract, deliverable = await _lock(db, actor, contract_id, key, Side.SUPPLIER)
    rules.check_submittable(deliverable.status, deliverable.rounds, policy.limits.rework_rounds_max)
    now = await clock.now(db)
    deliverable.move_to(DeliverableStatus.SUBMITTED)
    deliverable.rounds += 1
    deliverable.submitted_at, deliverable.review_by = now, policy.review_by(now).astimezone(UTC)
    contract.touch()
    submission = _submission(actor, deliverable, data, now)
    db.add(submission)
    event = DeliverableSubmitted(
        object_id=contract.id,
        object_version=contract.version,
        deliverable_id=deliverable.id,
        key=key,
        round=deliverable.rounds,
        submission_digest=digest(facts(submission)).hex(),
    )
    await contracts.record(db, actor, event, contracts.parties(contract), contract)
    return contract


def _submission(actor: Actor, deliverable: ContractDeliverable, data: Delivery, now: datetime) -> Submission:
    return Submission(
        id=new_id(),
        deliverable_id=deliverable.id,
        round=deliverable.rounds,
        note=data.note,
        links=data.links,
        submitted_by=actor.person_id,
        submitted_at=now,
        accepted=None,
        verdicts=None,
        decided_by=None,
        decided_at=None,
    )


async def decide(db: AsyncSession, actor: Actor, contract_id: UUID, key: str, data: Verdict) -> Contract:
    """The service owner judges each criterion. All met: accepted, and its price payable; else rejected, to be mended."""
    _, contract, deliverable = await _lock(db, actor, contract_id, key, Side.BUYER)
    require_person(actor)
    rules.check_decidable(deliverable.status)
    answers = [(one.criterion, one.met, one.reason) for one in data.verdicts]
    rules.check_verdicts(answers, len(deliverable.acceptance_criteria))
    submission = await _latest(db, deliverable)
    _check_other_person(actor, contract, submission)
    submission.verdicts = [CriterionVerdict(one.criterion, one.met, one.reason, one.evidence) for one in data.verdicts]
    submission.decided_by, submission.decided_at = actor.person_id, await clock.now(db)
    submission.accepted = rules.is_accepted(answers)
    contract.touch()
    if submission.accepted:
        await _accept(db, actor, contract, deliverable, submission)
    else:
        await _reject(db, actor, contract, deliverable, submission)
    return contract


async def _latest(db: AsyncSession, deliverable: ContractDeliverable) -> Submission:
    statement = select(Submission).where(
        Submission.deliverable_id == deliverable.id, Submission.round == deliverable.rounds
    )
    return (await db.scalars(statement.execution_options(populate_existing=True))).one()


def _check_other_person(actor: Actor, contract: Contract, submission: Submission) -> None:
    """One person may hold a seat on both sides, and still never judges their own work."""
    said = "Whoever handed it in can't judge it."
    contracts.by_another(actor, [submission.submitted_by], said, "deliverable.decide", contract)


async def _accept(
    db: AsyncSession, actor: Actor, contract: Contract, deliverable: ContractDeliverable, submission: Submission
) -> None:
    deliverable.move_to(DeliverableStatus.ACCEPTED)
    deliverable.accepted_at = submission.decided_at
    event = DeliverableAccepted(
        object_id=contract.id,
        object_version=contract.version,
        deliverable_id=deliverable.id,
        key=deliverable.key,
        round=submission.round,
        amount=Money.of(deliverable.amount, contract.currency),
        submission_digest=digest(facts(submission)).hex(),
    )
    await contracts.record(db, actor, event, PUBLIC, contract)
    reason = f"{contract.reference} {deliverable.key} accepted"
    await outcomes.add_spend(db, contract.outcome_id, contract.lot_id, LedgerKind.ACCEPTED, deliverable.amount, reason)


async def _reject(
    db: AsyncSession, actor: Actor, contract: Contract, deliverable: ContractDeliverable, submission: Submission
) -> None:
    deliverable.move_to(DeliverableStatus.REJECTED)
    event = DeliverableRejected(
        object_id=contract.id,
        object_version=contract.version,
        deliverable_id=deliverable.id,
        key=deliverable.key,
        round=submission.round,
        unmet=[one.criterion for one in submission.verdicts or [] if not one.met],
        submission_digest=digest(facts(submission)).hex(),
    )
    await contracts.record(db, actor, event, contracts.parties(contract), contract)

"""Taking up an announced iteration without a new competition, giving it up, and drafting the lot that follows."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.awards import service as awards
from procure.contracts import rules as contract_rules
from procure.contracts import service as contracts
from procure.contracts.documents import AgreedDeliverable
from procure.contracts.iterations import rules
from procure.contracts.iterations.events import ContractDropped, NextStepChanged
from procure.contracts.iterations.rules import Agreed
from procure.contracts.iterations.schemas import Iteration, IterationDeliverable, NextStepChange
from procure.contracts.models import Contract
from procure.contracts.rules import ContractStatus, NextStep, Side
from procure.journal.events import PUBLIC
from procure.kit import clock
from procure.kit.actor import Actor, require_person
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.kit.money import Money
from procure.lots import service as lots
from procure.lots.models import Criterion, Deliverable, Lot
from procure.lots.rules import LotStatus
from procure.lots.schemas import CriterionDraft, DeliverableDraft, FurtherIterations, LotDraft
from procure.outcomes import rules as outcome_rules
from procure.policy.service import policy_for
from procure.policy.working_days import local_day


async def continue_(
    db: AsyncSession, actor: Actor, contract_id: UUID, data: Iteration, *, seen: Seen = UNCONDITIONAL
) -> Contract:
    """Draw up the next announced iteration, as agreed with the supplier; both sides sign it as they signed the first."""
    outcome, lot, contract = await contracts.lock_with_lot(db, actor, contract_id)
    await contracts.check_seen(db, seen, contract)
    contract_rules.check_side(contracts.side_of(actor, contract), Side.BUYER)
    contract_rules.check_status(contract.status, ContractStatus.COMPLETED)
    rules.check_continuable(contract.next_step, contract.number, lot.further_iterations)
    outcome_rules.check_active(outcome.status)
    award = await awards.get_approved(db, contract.award_id)
    now = await clock.now(db)
    await _drop_unsigned(db, actor, contract, now, "Set aside for another contract of the same iteration.")
    limits = lot.policy.limits
    rules.check_agreed(_agreed(data), limits, lot.further_ceiling, lot.currency, local_day(now))
    return await contracts.new_contract(
        db,
        actor,
        (outcome, lot, award),
        _work(data.deliverables),
        starts_on=data.starts_on,
        days=data.duration_days,
        sign_from=now,
        sign_by=lot.policy.sign_by(now),
        now=now,
        follows=contract,
    )


def _agreed(data: Iteration) -> Agreed:
    return Agreed(
        starts_on=data.starts_on,
        duration_days=data.duration_days,
        deliverables=[
            (one.due_on, one.acceptance_criteria, one.price.value, one.price.currency) for one in data.deliverables
        ],
    )


def _work(deliverables: Sequence[IterationDeliverable]) -> list[AgreedDeliverable]:
    return [
        AgreedDeliverable(
            key=f"D{number}",
            title=one.title,
            due_on=one.due_on,
            acceptance_criteria=one.acceptance_criteria,
            amount=Decimal(f"{one.price.value:.2f}"),
        )
        for number, one in enumerate(deliverables, start=1)
    ]


async def _drop_unsigned(db: AsyncSession, actor: Actor, contract: Contract, now: datetime, reason: str) -> None:
    """A mistake in a contract that nobody signed, or a date that was missed, must not cost the iteration, nor hold it."""
    other_id = await db.scalar(following(contract).with_only_columns(Contract.id))
    if other_id is None:
        return
    other = await contracts.lock_contract(db, other_id)
    await check_not_taken(db, other, now)
    other.move_to(ContractStatus.TERMINATED)
    other.ended_at, other.end_reason = now, reason
    event = ContractDropped(object_id=other.id, object_version=other.version, reason=reason)
    await contracts.record(db, actor, event, contracts.parties(other), other)


def following(contract: Contract) -> Select[Contract]:
    """The contract of the iteration after this one, if it is drawn up."""
    return select(Contract).where(
        Contract.award_id == contract.award_id,
        Contract.number == contract.number + 1,
        # As in the table's unique index: one that was signed counts however it ended.
        or_(Contract.signed_at.is_not(None), Contract.status == ContractStatus.PENDING),
    )


async def check_not_taken(db: AsyncSession, other: Contract, now: datetime) -> None:
    """Whether a contract for the same iteration may take the place of this one."""
    signatures = await contracts.signatures_of(db, other.id)
    rules.check_not_taken(other.status, signatures=len(signatures), has_lapsed=now >= other.sign_by)


async def change_next_step(
    db: AsyncSession, actor: Actor, contract_id: UUID, data: NextStepChange, *, seen: Seen = UNCONDITIONAL
) -> Contract:
    """Let go of what a completed contract was to go on with: what the lot commits for it returns to the envelope.

    Also under an outcome that has ended, since nothing is taken up by it.
    """
    outcome, lot, contract = await contracts.lock_with_lot(db, actor, contract_id)
    await contracts.check_seen(db, seen, contract)
    contract_rules.check_side(contracts.side_of(actor, contract), Side.BUYER)
    require_person(actor)
    contract_rules.check_status(contract.status, ContractStatus.COMPLETED)
    before, after = contract.next_step, NextStep(data.next_step)
    rules.check_lets_go(before, after)
    if after is NextStep.STOP:
        rules.check_none_follows(await follower_of(db, lot.id))
    await _drop_unsigned(db, actor, contract, await clock.now(db), "The iteration was given up.")
    contract.next_step = after
    contract.touch()
    await contracts.record(db, actor, _changed(contract, before, data), PUBLIC, contract)
    await contracts.commit(db, outcome, lot, f"contract.next_step_changed: {after}")
    return contract


def _changed(contract: Contract, before: NextStep | None, data: NextStepChange) -> NextStepChanged:
    assert before is not None
    return NextStepChanged(
        object_id=contract.id,
        object_version=contract.version,
        previous_step=before,
        next_step=NextStep(data.next_step),
        reason=data.reason,
    )


async def draft_next_lot(db: AsyncSession, actor: Actor, contract_id: UUID, *, seen: Seen = UNCONDITIONAL) -> Lot:
    """Draft the lot that follows: the same work with its calendar moved, for the officer to edit by what was learned."""
    outcome, lot, contract = await contracts.lock_with_lot(db, actor, contract_id)
    await contracts.check_seen(db, seen, contract)
    contract_rules.check_side(contracts.side_of(actor, contract), Side.BUYER)
    contract_rules.check_status(contract.status, ContractStatus.COMPLETED)
    rules.check_next_lot(contract.next_step, contract.number, lot.further_iterations)
    rules.check_none_follows(await follower_of(db, lot.id))
    now = await clock.now(db)
    policy = await policy_for(db, lot.buyer_id, outcome.tested, now)
    days = rules.move_days(policy, lot.enquiries_close_at, lot.closes_at, now)
    return await lots.draft(db, actor, _next_draft(lot, days))


async def follower_of(db: AsyncSession, lot_id: UUID) -> str | None:
    """The reference of a lot that was drafted to follow this one, if there is one that stands."""
    following = select(Lot.reference).where(Lot.follows_id == lot_id, Lot.status != LotStatus.CANCELLED)
    return await db.scalar(following.limit(1))


def _next_draft(lot: Lot, days: int) -> LotDraft:
    """Every field of a draft is the lot's own, a field added later as well, but for those that move or are held in another form."""
    other: dict[str, Any] = {
        "follows_id": lot.id,
        "outcome": None,
        "starts_on": lot.starts_on + timedelta(days=days),
        "enquiries_close_at": rules.moved(lot.enquiries_close_at, days),
        "closes_at": rules.moved(lot.closes_at, days),
        "deliverables": [_deliverable(one, days) for one in lot.deliverables],
        "criteria": [_criterion(one) for one in lot.criteria],
        "ceiling": Money.of(lot.ceiling, lot.currency),
        "further_iterations": FurtherIterations(lot.further_iterations, Money.of(lot.further_ceiling, lot.currency)),
    }
    same: dict[str, Any] = {name: getattr(lot, name) for name in LotDraft.__struct_fields__ if name not in other}
    return LotDraft(**same, **other)


def _deliverable(one: Deliverable, days: int) -> DeliverableDraft:
    return DeliverableDraft(one.title, one.acceptance_criteria, one.due_on + timedelta(days=days))


def _criterion(one: Criterion) -> CriterionDraft:
    return CriterionDraft(one.name, one.kind, one.weight, one.minimum_score)

"""Proposing another envelope or estimate, and deciding it, under the outcome's lock: what is committed always has room."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.journal import service as journal
from procure.journal.events import PUBLIC, Event, auditors
from procure.kit import clock
from procure.kit.actor import Actor, require_person
from procure.kit.canonical import digest
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.kit.ids import new_id
from procure.kit.money import Money
from procure.kit.paging import Paging, after
from procure.outcomes import drafts
from procure.outcomes import rules as outcome_rules
from procure.outcomes import service as outcomes
from procure.outcomes.models import Outcome, Proposal, facts
from procure.outcomes.proposals import rules
from procure.outcomes.proposals.errors import ProposalNotFound
from procure.outcomes.proposals.events import ProposalApproved, ProposalOpened, ProposalRefused
from procure.outcomes.proposals.schemas import ProposalDraft
from procure.outcomes.rules import ProposalKind, ProposalStatus
from procure.outcomes.schemas import ProposalView


async def list_proposals(db: AsyncSession, actor: Actor, outcome_id: UUID, paging: Paging) -> Sequence[Proposal]:
    """Newest first."""
    await outcomes.find_outcome(db, actor, outcome_id)
    statement = select(Proposal).where(Proposal.outcome_id == outcome_id)
    return (await db.scalars(after(statement, Proposal.proposed_at, Proposal.id, paging))).all()


async def find_proposal(db: AsyncSession, actor: Actor, outcome_id: UUID, proposal_id: UUID) -> Proposal:
    await outcomes.find_outcome(db, actor, outcome_id)
    return _found(await db.scalar(_of(outcome_id, proposal_id)))


def _of(outcome_id: UUID, proposal_id: UUID) -> Select[Proposal]:
    return select(Proposal).where(Proposal.id == proposal_id, Proposal.outcome_id == outcome_id)


def _found(row: Proposal | None) -> Proposal:
    if row is None:
        raise ProposalNotFound("The outcome has no such proposal.")
    return row


def check_seen(seen: Seen, row: Proposal) -> None:
    """What is decided is what was seen: the proposal, found for a read or as its lock has found it."""
    if seen:
        seen.check(ProposalView.of(row).etag)


async def propose(
    db: AsyncSession, actor: Actor, outcome_id: UUID, data: ProposalDraft, *, seen: Seen = UNCONDITIONAL
) -> Proposal:
    """Propose another envelope, or to test less than all of it: an officer, with a reason. Nothing changes until it is approved."""
    outcome = await outcomes.lock_outcome(db, actor, outcome_id)
    await outcomes.check_seen(db, actor, seen, outcome)
    person_id = require_person(actor)
    outcome_rules.check_active(outcome.status)
    rules.check_none_open(is_open=await outcomes.find_open_proposal(db, outcome.id) is not None)
    now = await clock.now(db)
    lines = drafts.budget_lines(data.budget_lines)
    room = await outcomes.room_of(db, outcome)
    rules.check_proposal(
        data.kind,
        data.amount.value,
        data.amount.currency,
        room,
        drafts.shares(lines),
        outcome_currency=outcome.currency,
        has_lines=bool(outcome.budget_lines),
    )
    row = Proposal(
        id=new_id(),
        outcome_id=outcome.id,
        kind=data.kind,
        status=ProposalStatus.OPEN,
        amount=data.amount.value,
        amount_before=outcome.envelope if data.kind is ProposalKind.ENVELOPE else outcome.tested,
        currency=outcome.currency,
        budget_lines=lines,
        reason=data.reason,
        proposed_by=person_id,
        proposed_as=_as(outcome, person_id, "officer"),
        proposed_at=now,
        version=1,
    )
    db.add(row)
    outcome.touch()
    await _record(db, actor, row, ProposalOpened.of(row))
    return row


def _as(outcome: Outcome, person_id: UUID, role: str) -> str:
    """How the person is told of in public: by what they know, where they are of the team, else by their role. Never by name."""
    return next((one.discipline for one in outcome.team if one.person_id == person_id), role)


async def approve(
    db: AsyncSession, actor: Actor, outcome_id: UUID, proposal_id: UUID, *, seen: Seen = UNCONDITIONAL
) -> Proposal:
    """Put it into force: a budget-holding approver who did not propose it. Lots that are published keep what they were published under."""
    outcome, row = await _lock(db, actor, outcome_id, proposal_id, seen)
    require_person(actor)
    outcome_rules.check_budget_holder(holds_budget=actor.budget_holder)
    person_id = _another(actor, outcome, row, "proposal.approve")
    rules.check_open(row.status)
    outcome_rules.check_active(outcome.status)
    room = await outcomes.room_of(db, outcome)
    room.check_holds(row.kind, row.amount)
    await _decide(db, outcome, row, ProposalStatus.APPROVED, person_id)
    if row.kind is ProposalKind.ENVELOPE:
        outcome.envelope = row.amount
        outcome.budget_lines = row.budget_lines or outcome.budget_lines
    else:
        outcome.estimate, outcome.estimate_proposal_id = row.amount, row.id
    if outcome.estimate is not None and outcome.estimate >= outcome.envelope:
        # All of it is tested again.
        outcome.estimate, outcome.estimate_proposal_id = None, None
    event = ProposalApproved(
        object_id=row.id,
        object_version=row.version,
        outcome_id=outcome.id,
        kind=row.kind,
        amount=Money.of(row.amount, row.currency),
        amount_before=Money.of(row.amount_before, row.currency),
        decided_as=row.decided_as or "",
    )
    await _record(db, actor, row, event)
    return row


async def refuse(
    db: AsyncSession, actor: Actor, outcome_id: UUID, proposal_id: UUID, reason: str, *, seen: Seen = UNCONDITIONAL
) -> Proposal:
    """Leave things as they are, with a reason: an approver who did not propose it."""
    outcome, row = await _lock(db, actor, outcome_id, proposal_id, seen)
    person_id = _another(actor, outcome, row, "proposal.refuse")
    rules.check_open(row.status)
    await _decide(db, outcome, row, ProposalStatus.REFUSED, person_id)
    row.decision_reason = reason
    event = ProposalRefused(
        object_id=row.id,
        object_version=row.version,
        outcome_id=outcome.id,
        kind=row.kind,
        reason=reason,
        decided_as=row.decided_as or "",
    )
    await _record(db, actor, row, event)
    return row


async def _lock(
    db: AsyncSession, actor: Actor, outcome_id: UUID, proposal_id: UUID, seen: Seen
) -> tuple[Outcome, Proposal]:
    outcome = await outcomes.lock_outcome(db, actor, outcome_id)
    locking = _of(outcome.id, proposal_id).with_for_update(key_share=True)
    row = _found(await db.scalar(locking.execution_options(populate_existing=True)))
    check_seen(seen, row)
    return outcome, row


def _another(actor: Actor, outcome: Outcome, row: Proposal, act: str) -> UUID:
    said, audience = "Whoever made the proposal can't decide it.", auditors(outcome.buyer_id)
    return journal.by_another(actor, [row.proposed_by], said, act=act, about=row.id, audience=audience)


async def _decide(db: AsyncSession, outcome: Outcome, row: Proposal, status: ProposalStatus, person_id: UUID) -> None:
    row.move_to(status)
    row.decided_by, row.decided_at = person_id, await clock.now(db)
    row.decided_as = _as(outcome, person_id, "approver")
    outcome.touch()


async def _record(db: AsyncSession, actor: Actor, row: Proposal, event: Event) -> None:
    await db.flush()
    await journal.record(db, actor, event, PUBLIC, digest=digest(facts(row)))

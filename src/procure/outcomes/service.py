"""The officer's and budget holder's verbs on outcomes, and the ledger that lots and contracts write."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Select, case, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from procure.cpv import service as cpv
from procure.journal import service as journal
from procure.journal.events import PUBLIC, Audience, auditors, within
from procure.kit import clock
from procure.kit.actor import Actor, require_person
from procure.kit.body import given
from procure.kit.errors import Faults
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.kit.ids import new_id
from procure.kit.money import Money
from procure.kit.paging import Paging, after
from procure.organisations.models import Organisation
from procure.outcomes import drafts, lists, rules
from procure.outcomes.errors import (
    MeasureNotFound,
    ObservationInvalid,
    OutcomeInvalid,
    OutcomeNotFound,
)
from procure.outcomes.events import (
    MeasureObserved,
    OutcomeActivated,
    OutcomeDrafted,
    OutcomeEnded,
    OutcomeRevised,
)
from procure.outcomes.models import (
    LedgerEntry,
    Measure,
    Observation,
    Outcome,
    Proposal,
    TeamMember,
    reference_numbers,
)
from procure.outcomes.rules import LedgerKind, OutcomeStatus, ProposalStatus, Room
from procure.outcomes.schemas import (
    EndDecision,
    LedgerView,
    ObservationDraft,
    OutcomeDraft,
    OutcomePatch,
    OutcomeView,
    SiblingsView,
    SiblingView,
)
from procure.policy.service import vat_rate
from procure.policy.working_days import local_day


def visible_outcomes(actor: Actor) -> Select[Outcome]:
    """What this caller may see: its own organisation's, and everybody's once active."""
    open_to_all = Outcome.activated_at.is_not(None)
    own = Outcome.buyer_id == actor.buyer_id if actor.buyer_id else None
    return select(Outcome).where(open_to_all if own is None else or_(open_to_all, own))


def own_outcomes(actor: Actor) -> Select[Outcome]:
    """What this caller's organisation may act on."""
    return select(Outcome).where(Outcome.buyer_id == actor.buyer_id)


async def find_outcome(db: AsyncSession, actor: Actor, outcome_id: UUID) -> Outcome:
    statement = visible_outcomes(actor).where(Outcome.id == outcome_id).options(selectinload(Outcome.measures))
    return _found(await db.scalar(statement))


async def list_outcomes(
    db: AsyncSession, actor: Actor, paging: Paging, *, buyer_id: UUID | None, status: OutcomeStatus | None
) -> Sequence[Outcome]:
    """Newest first."""
    statement = visible_outcomes(actor)
    if buyer_id:
        statement = statement.where(Outcome.buyer_id == buyer_id)
    if status:
        statement = statement.where(Outcome.status == status)
    return (await db.scalars(after(statement, Outcome.created_at, Outcome.id, paging))).all()


async def lock_outcome(db: AsyncSession, actor: Actor, outcome_id: UUID) -> Outcome:
    """The caller's own outcome, locked; read clock and sums after this."""
    return _found(await db.scalar(_locking(own_outcomes(actor).where(Outcome.id == outcome_id))))


async def lock_for_ledger(db: AsyncSession, outcome_id: UUID) -> Outcome:
    """Any outcome, locked, for a verb of a later step that has checked its own right to act."""
    return _found(await db.scalar(_locking(select(Outcome).where(Outcome.id == outcome_id))))


def _locking(statement: Select[Outcome]) -> Select[Outcome]:
    # populate_existing: a locking select on an object already loaded would give its old values.
    return statement.with_for_update(key_share=True).execution_options(populate_existing=True)


def _found(outcome: Outcome | None) -> Outcome:
    if outcome is None:
        raise OutcomeNotFound("There is no such outcome, or it is not yours to see.")
    return outcome


async def check_seen(db: AsyncSession, actor: Actor, seen: Seen, outcome: Outcome) -> None:
    """What is approved or edited is what was seen: the outcome, found for a read or as its lock has found it.

    Raises ChangedSinceRead, and of a read NotModified.
    """
    if seen:
        seen.check(OutcomeView.tag_for(outcome, await lists.figures_of(db, outcome), actor))


async def draft(db: AsyncSession, actor: Actor, data: OutcomeDraft) -> Outcome:
    """Write an outcome down. Nothing is committed until a budget holder activates it."""
    drafts.check(
        data.envelope,
        [member.discipline for member in data.team],
        data.statement,
        data.measures,
        data.cpv,
        options=data.options,
        budget_lines=data.budget_lines,
    )
    buyer = await db.get_one(Organisation, actor.organisation_id)
    now = await clock.now(db)
    number = await db.scalar(reference_numbers)
    outcome = Outcome(
        id=new_id(),
        reference=f"OUT-{now.year}-{number:06d}",
        buyer_id=buyer.id,
        buyer_name=buyer.name,
        title=data.title or rules.title_of(data.statement),
        statement=data.statement,
        beneficiaries=data.beneficiaries,
        options=drafts.options_of(data.options),
        team=[TeamMember(one.person_id, one.discipline) for one in data.team],
        envelope=data.envelope.value,
        currency=data.envelope.currency,
        budget_lines=drafts.budget_lines(data.budget_lines),
        cpv=cpv.canonical(data.cpv) if data.cpv else None,
        prepared_by=[actor.person_id] if actor.person_id else [],
        created_at=now,
        version=1,
    )
    outcome.measures = drafts.measures_of(outcome.id, data.measures)
    db.add(outcome)
    event = OutcomeDrafted(
        object_id=outcome.id,
        object_version=1,
        reference=outcome.reference,
        title=outcome.title,
        envelope=data.envelope.amount,
        currency=outcome.currency,
    )
    await journal.record(db, actor, event, within(buyer.id))
    return outcome


async def revise(
    db: AsyncSession, actor: Actor, outcome_id: UUID, patch: OutcomePatch, *, seen: Seen = UNCONDITIONAL
) -> Outcome:
    """Edit a draft; whoever edits it has prepared it, and can't activate it."""
    outcome = await lock_outcome(db, actor, outcome_id)
    await check_seen(db, actor, seen, outcome)
    rules.check_draft(outcome.status)
    changes = given(patch)
    measures = changes.pop("measures", None)
    for name, value in drafts.columns(changes).items():
        setattr(outcome, name, value)
    disciplines = [member.discipline for member in outcome.team]
    drafts.check(
        Money.of(outcome.envelope, outcome.currency),
        disciplines,
        outcome.statement,
        measures or [],
        changes.get("cpv"),
        options=outcome.options,
        budget_lines=outcome.budget_lines,
    )
    if measures is not None:
        await db.execute(delete(Measure).where(Measure.outcome_id == outcome.id))
        db.add_all(drafts.measures_of(outcome.id, measures))
    if actor.person_id and actor.person_id not in outcome.prepared_by:
        outcome.prepared_by = [*outcome.prepared_by, actor.person_id]
    outcome.touch()
    fields = sorted([*changes, *(["measures"] if measures is not None else [])])
    event = OutcomeRevised(object_id=outcome.id, object_version=outcome.version, fields=fields)
    await journal.record(db, actor, event, within(outcome.buyer_id))
    return outcome


async def activate(db: AsyncSession, actor: Actor, outcome_id: UUID, *, seen: Seen = UNCONDITIONAL) -> Outcome:
    """Put the envelope into force: a budget-holding approver, who did not prepare it."""
    outcome = await lock_outcome(db, actor, outcome_id)
    await check_seen(db, actor, seen, outcome)
    require_person(actor)
    rules.check_budget_holder(holds_budget=actor.budget_holder)
    said, audience = "Whoever wrote the outcome can't activate it.", auditors(outcome.buyer_id)
    person_id = journal.by_another(
        actor, outcome.prepared_by, said, act="outcome.activate", about=outcome.id, audience=audience
    )
    rules.check_draft(outcome.status)
    now = await clock.now(db)
    outcome.move_to(OutcomeStatus.ACTIVE)
    outcome.activated_by, outcome.activated_at = person_id, now
    event = OutcomeActivated(
        object_id=outcome.id,
        object_version=outcome.version,
        reference=outcome.reference,
        title=outcome.title,
        statement=outcome.statement,
        envelope=f"{outcome.envelope:f}",
        currency=outcome.currency,
    )
    await journal.record(db, actor, event, PUBLIC)
    return outcome


async def end(
    db: AsyncSession, actor: Actor, outcome_id: UUID, data: EndDecision, *, seen: Seen = UNCONDITIONAL
) -> Outcome:
    """An approver says how it ended, once no lot commits more than was accepted; a contract may still be completed with `stop`."""
    outcome = await lock_outcome(db, actor, outcome_id)
    await check_seen(db, actor, seen, outcome)
    require_person(actor)
    if data.status not in rules.ENDED:
        faults = Faults()
        faults.add("/status", "not-an-end", "An outcome ends achieved, not_achieved or abandoned.")
        faults.raise_any(OutcomeInvalid)
    if data.status is not OutcomeStatus.ABANDONED:
        rules.check_active(outcome.status)
    rules.check_endable(outcome.status)
    rules.check_settled(await unsettled(db, outcome.id))
    outcome.move_to(data.status)
    outcome.ended_at, outcome.end_reason = await clock.now(db), data.reason
    event = OutcomeEnded(
        object_id=outcome.id, object_version=outcome.version, status=outcome.status, reason=data.reason
    )
    await journal.record(db, actor, event, _audience(outcome))
    return outcome


async def unsettled(db: AsyncSession, outcome_id: UUID) -> Sequence[Decimal]:
    """What each lot commits, less its accepted work."""
    sign = case((LedgerEntry.kind == LedgerKind.COMMITTED, 1), (LedgerEntry.kind == LedgerKind.ACCEPTED, -1), else_=0)
    by_lot = select(func.sum(sign * LedgerEntry.delta)).where(LedgerEntry.outcome_id == outcome_id)
    return (await db.scalars(by_lot.group_by(LedgerEntry.lot_id))).all()


def _audience(outcome: Outcome) -> Audience:
    """Public once it was active; a draft is its buyer's own."""
    return PUBLIC if outcome.activated_at else within(outcome.buyer_id)


async def observe(
    db: AsyncSession,
    actor: Actor,
    outcome_id: UUID,
    measure_id: UUID,
    data: ObservationDraft,
    *,
    contract_id: UUID | None = None,
    deliverable: str | None = None,
) -> Observation:
    """Add what a measure was seen to be. Observations are never edited; a wrong one is superseded, once.

    `contract_id` and its `deliverable` are those of a later step, which has found them to be under this outcome.
    """
    outcome = await lock_outcome(db, actor, outcome_id)
    rules.check_observable(was_active=outcome.activated_at is not None)
    measure = await db.scalar(select(Measure).where(Measure.id == measure_id, Measure.outcome_id == outcome.id))
    if measure is None:
        raise MeasureNotFound("The outcome has no such measure.")
    await _check_observation(db, measure, data, (await clock.now(db)).date())
    observation = Observation(
        id=new_id(),
        outcome_id=outcome.id,
        measure_id=measure.id,
        value=Decimal(data.value),
        observed_on=data.observed_on,
        source=data.source,
        evidence=data.evidence,
        links=data.links,
        contract_id=contract_id,
        deliverable=deliverable,
        supersedes_id=data.supersedes_id,
        recorded_by=actor.person_id,
        recorded_at=await clock.now(db),
    )
    db.add(observation)
    outcome.touch()
    event = MeasureObserved(
        object_id=outcome.id,
        object_version=outcome.version,
        measure_id=measure.id,
        observation_id=observation.id,
        value=data.value,
        observed_on=data.observed_on,
        contract_id=contract_id,
        deliverable=deliverable,
        supersedes_id=data.supersedes_id,
    )
    await journal.record(db, actor, event, PUBLIC)
    return observation


async def _check_observation(db: AsyncSession, measure: Measure, data: ObservationDraft, today: Any) -> None:
    faults = Faults()
    faults.unless(data.observed_on <= today, "/observed_on", "in-future", "An observation can't be of a day to come.")
    faults.unless(
        data.observed_on >= measure.baseline_on,
        "/observed_on",
        "before-baseline",
        "What was seen before the baseline's day says nothing of the change.",
    )
    if data.supersedes_id:
        statement = select(Observation.id).where(
            Observation.id == data.supersedes_id, Observation.measure_id == measure.id
        )
        known = await db.scalar(statement)
        again = await db.scalar(select(Observation.id).where(Observation.supersedes_id == data.supersedes_id))
        faults.unless(known is not None, "/supersedes_id", "unknown", "There is no such observation of this measure.")
        faults.unless(again is None, "/supersedes_id", "superseded", "That observation has been superseded already.")
    faults.raise_any(ObservationInvalid)


async def list_observations(db: AsyncSession, actor: Actor, outcome_id: UUID, paging: Paging) -> Sequence[Observation]:
    await find_outcome(db, actor, outcome_id)
    statement = select(Observation).where(Observation.outcome_id == outcome_id)
    return (await db.scalars(after(statement, Observation.recorded_at, Observation.id, paging))).all()


async def view(db: AsyncSession, actor: Actor, outcome: Outcome) -> OutcomeView:
    """The whole outcome: measures with progress, and the ledger's sums; the buyer's own people see who is in the team."""
    await db.flush()
    measures = await lists.measures_of(db, [outcome.id])
    figures = await lists.figures_of(db, outcome)
    return OutcomeView.of(outcome, measures[outcome.id], figures, await find_open_proposal(db, outcome.id), actor)


async def find_open_proposal(db: AsyncSession, outcome_id: UUID) -> Proposal | None:
    statement = select(Proposal).where(Proposal.outcome_id == outcome_id, Proposal.status == ProposalStatus.OPEN)
    found: Proposal | None = await db.scalar(statement)
    return found


async def siblings(db: AsyncSession, outcome: Outcome) -> SiblingsView:
    """Whether other outcomes of its buyer may be the same need, and what all of them come to."""
    await db.flush()
    return (await lists.figures_of(db, outcome)).siblings


async def list_siblings(
    db: AsyncSession, actor: Actor, outcome_id: UUID, paging: Paging
) -> list[tuple[SiblingView, datetime]]:
    outcome = await find_outcome(db, actor, outcome_id)
    return await lists.list_siblings(db, outcome, paging)


async def ledger(db: AsyncSession, outcome: Outcome) -> LedgerView:
    return lists.ledger_of(outcome, await lists.sums_of(db, [outcome.id]))


async def commit_to(db: AsyncSession, outcome: Outcome, lot_id: UUID, amount: Decimal, reason: str) -> None:
    """Set what a lot commits of a *locked* outcome's envelope to `amount` (net).

    More than before needs an active outcome with room for it: raises OutcomeNotActive, EnvelopeExceeded, EstimateExceeded.
    Less is always taken.
    """
    so_far = await committed_by(db, outcome.id, lot_id)
    delta = amount - so_far
    if delta == 0:
        return
    if delta > 0:
        rules.check_active(outcome.status)
        (await room_of(db, outcome)).check(delta)
    await _move(db, outcome.id, lot_id, LedgerKind.COMMITTED, delta, reason)


async def committed_by(db: AsyncSession, outcome_id: UUID, lot_id: UUID) -> Decimal:
    """What this lot commits of its outcome's envelope (net)."""
    await db.flush()
    whole = select(func.coalesce(func.sum(LedgerEntry.delta), 0)).where(
        LedgerEntry.outcome_id == outcome_id, LedgerEntry.kind == LedgerKind.COMMITTED, LedgerEntry.lot_id == lot_id
    )
    return (await db.scalars(whole)).one()


async def room_of(db: AsyncSession, outcome: Outcome) -> Room:
    """What may be committed of an outcome, and what is; true as long as it is locked."""
    await db.flush()
    committed = (await lists.sums_of(db, [outcome.id])).get((outcome.id, LedgerKind.COMMITTED), Decimal(0))
    rate = await vat_rate(db, local_day(await clock.now(db)))
    return Room(envelope=outcome.envelope, estimate=outcome.estimate, committed=committed, vat_rate=rate)


async def add_spend(
    db: AsyncSession, outcome_id: UUID, lot_id: UUID, kind: LedgerKind, delta: Decimal, reason: str
) -> None:
    """Add accepted or paid work (net) to the ledger; a negative amount takes some back."""
    assert kind is not LedgerKind.COMMITTED, "commitments go through commit_to"
    await _move(db, outcome_id, lot_id, kind, delta, reason)


async def _move(
    db: AsyncSession, outcome_id: UUID, lot_id: UUID, kind: LedgerKind, delta: Decimal, reason: str
) -> None:
    db.add(LedgerEntry(id=new_id(), outcome_id=outcome_id, lot_id=lot_id, kind=kind, delta=delta, reason=reason))
    await db.flush()

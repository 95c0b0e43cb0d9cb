"""The officer's and approver's verbs on lots, and those by which later steps move one on.

Each verb is one transaction that reads like the policy: lock, read the clock, judge, change, record.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple, NoReturn
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.cpv import service as cpv
from procure.journal import service as journal
from procure.journal.events import PUBLIC, Audience, auditors, within
from procure.kit import clock
from procure.kit.actor import Actor
from procure.kit.body import given
from procure.kit.canonical import digest
from procure.kit.db import exclude
from procure.kit.errors import Faults
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.kit.ids import new_id
from procure.kit.scopes import Scope, ScopeMissing
from procure.lots import drafting, rules
from procure.lots.content import check_new_dates, content_faults
from procure.lots.errors import LotInvalid, LotNotDraft, LotNotFound
from procure.lots.events import (
    LotCancelled,
    LotDrafted,
    LotMoved,
    LotNoticeRecorded,
    LotPublished,
    LotRevised,
    LotWithdrawn,
)
from procure.lots.models import Lot, reference_numbers
from procure.lots.rules import CancelReason, LotStatus
from procure.lots.schemas import LotCopy, LotDraft, LotPatch, LotView, Notice
from procure.outcomes import rules as outcome_rules
from procure.outcomes import service as outcomes
from procure.outcomes.errors import OutcomeInvalid
from procure.outcomes.models import Measure, Outcome
from procure.policy.rules import Policy
from procure.policy.service import policy_for
from procure.vault.keys import LotKey, Opener

#: Of a lot, until when its suppliers have for what.
DATES = frozenset({"closes_at", "enquiries_close_at"})


def visible_lots(actor: Actor) -> Select[Lot]:
    """What this caller may see: its own organisation's, and everybody's once published."""
    published = Lot.published_at.is_not(None)
    return select(Lot).where(or_(published, Lot.buyer_id == actor.buyer_id) if actor.buyer_id else published)


def own_lots(actor: Actor) -> Select[Lot]:
    """What this caller's organisation may act on."""
    return select(Lot).where(Lot.buyer_id == actor.buyer_id)


async def find_lot(db: AsyncSession, actor: Actor, lot_id: UUID) -> Lot:
    return _found(await db.scalar(visible_lots(actor).where(Lot.id == lot_id)))


async def find_own_lot(db: AsyncSession, actor: Actor, lot_id: UUID) -> Lot:
    return _found(await db.scalar(own_lots(actor).where(Lot.id == lot_id)))


async def lock_with_outcome(db: AsyncSession, actor: Actor, lot_id: UUID) -> tuple[Outcome, Lot]:
    """The caller's own lot and its outcome, locked in the order of the house; read clock and sums after this."""
    lot = await find_own_lot(db, actor, lot_id)
    outcome = await outcomes.lock_for_ledger(db, lot.outcome_id)
    return outcome, await lock_lot(db, lot.id)


async def check_seen(db: AsyncSession, seen: Seen, lot: Lot) -> None:
    """What is approved or edited is what was seen: the lot as its lock has found it; raises ChangedSinceRead."""
    if seen:
        seen.check(LotView.tag_at(lot, await clock.now(db)))


async def lock_lot(db: AsyncSession, lot_id: UUID) -> Lot:
    """Any lot, locked against bids and other verbs, for a step that has checked its own right to act."""
    await exclude(db, lot_id)
    statement = select(Lot).where(Lot.id == lot_id).with_for_update(key_share=True)
    # populate_existing: a locking select on an object already loaded would give its old values.
    return _found(await db.scalar(statement.execution_options(populate_existing=True)))


def _found(lot: Lot | None) -> Lot:
    if lot is None:
        raise LotNotFound("There is no such lot, or it is not yours to see.")
    return lot


async def draft(db: AsyncSession, actor: Actor, data: LotDraft) -> Lot:
    """Draft the next lot of an outcome that has not ended, or of a need that is written down with it, judged by the policy in force now."""
    faults = Faults()
    outcome = await _outcome_of(db, actor, data, faults)
    now = await clock.now(db)
    if outcome is None:
        await _refuse_all(db, actor, data, now, faults)
    said = drafting.said_in(data)
    drafting.check_one_currency(faults, data.further_iterations, data.ceiling.currency)
    ground = await drafting.ground_under(db, outcome, now)
    own = {"follows_id": data.follows_id, "route": data.route, "pricing": data.pricing}
    return await _draft(db, actor, outcome, drafting.work_out(said, ground) | own, faults, written=said, now=now)


async def _outcome_of(db: AsyncSession, actor: Actor, data: LotDraft, faults: Faults) -> Outcome | None:
    """The lot's outcome, locked; none if a fault says why."""
    if data.outcome_id is not None and data.outcome is None:
        outcome = await outcomes.lock_outcome(db, actor, data.outcome_id)
        rules.check_outcome_open(outcome.status)
        return outcome
    if data.outcome is None:
        faults.add("/outcome_id", "required", "Say under which outcome it is, or write the need down in `outcome`.")
        return None
    if Scope.OUTCOMES_WRITE not in actor.scopes:
        raise ScopeMissing(f"Writing an outcome down with its lot needs the scope {Scope.OUTCOMES_WRITE} too.")
    if data.outcome_id is not None:
        faults.add(
            "/outcome", "one-of", "It is under `outcome_id`, or under the need in `outcome`: give one of the two."
        )
        return None
    try:
        return await outcomes.draft(db, actor, data.outcome)
    except OutcomeInvalid as fact:
        for fault in fact.faults:
            faults.add(f"/outcome{fault.pointer}", fault.code, fault.message)
        return None


async def _refuse_all(db: AsyncSession, actor: Actor, data: LotDraft, now: datetime, faults: Faults) -> NoReturn:
    """The faults of the outcome, and those of the lot's own content as well."""
    assert actor.organisation_id is not None
    ground = await drafting.ground_without(db, actor.organisation_id, data, now)
    drafting.check_one_currency(faults, data.further_iterations, data.ceiling.currency)
    lot = Lot(**drafting.work_out(drafting.said_in(data), ground))
    faults.found += content_faults(lot.offer, ground.policy.limits).found
    _check_codes(faults, lot)
    faults.raise_as(LotInvalid)


async def copy(db: AsyncSession, actor: Actor, lot_id: UUID, data: LotCopy, *, seen: Seen = UNCONDITIONAL) -> Lot:
    """Draft a lot with the content of an earlier one of the buyer, under the same outcome or another one of the buyer."""
    source = await find_own_lot(db, actor, lot_id)
    await check_seen(db, seen, source)
    outcome = await outcomes.lock_outcome(db, actor, data.outcome_id or source.outcome_id)
    rules.check_outcome_open(outcome.status)
    now = await clock.now(db)
    said = drafting.copied(source, same_outcome=outcome.id == source.outcome_id)
    said["title"] = data.title or source.title
    made = drafting.work_out(said, await drafting.ground_under(db, outcome, now), drafting.due_days(source))
    own = {"copied_from_id": source.id, "route": source.route, "pricing": source.pricing}
    return await _draft(db, actor, outcome, made | own, Faults(), written={}, now=now)


async def _draft(
    db: AsyncSession,
    actor: Actor,
    outcome: Outcome,
    made: Mapping[str, Any],
    faults: Faults,
    *,
    written: Mapping[str, Any],
    now: datetime,
) -> Lot:
    """The lot of these columns, judged and recorded; `written` are the fields that somebody has just given."""
    so_far = await db.scalar(select(func.count()).select_from(Lot).where(Lot.outcome_id == outcome.id))
    lot = Lot(
        **made,
        id=new_id(),
        reference=f"LOT-{now.year}-{await db.scalar(reference_numbers):06d}",
        outcome_id=outcome.id,
        buyer_id=outcome.buyer_id,
        buyer_name=outcome.buyer_name,
        iteration=(so_far or 0) + 1,
        status=LotStatus.DRAFT,
        prepared_by=[actor.person_id] if actor.person_id else [],
        created_at=now,
        version=1,
    )
    await _judge(db, lot, lot.policy, written, faults, now)
    db.add(lot)
    event = LotDrafted(
        object_id=lot.id,
        object_version=1,
        reference=lot.reference,
        outcome_id=outcome.id,
        title=lot.title,
        copied_from_id=lot.copied_from_id,
    )
    await journal.record(db, actor, event, within(lot.buyer_id))
    return lot


async def _judge(
    db: AsyncSession, lot: Lot, policy: Policy, written: Mapping[str, Any], faults: Faults, now: datetime
) -> None:
    """Raises LotInvalid with every fault, of these and of the content."""
    given_now = [name for name, value in written.items() if value is not None]
    check_new_dates(faults, given_now, closes_at=lot.closes_at, enquiries_close_at=lot.enquiries_close_at, now=now)
    faults.found += (await faults_of(db, lot, policy)).found
    faults.raise_any(LotInvalid)


async def faults_of(db: AsyncSession, lot: Lot, policy: Policy) -> Faults:
    """What of a draft is not as the policy has it, or names what there is not: measures of another outcome, a lot that it can't follow."""
    faults = content_faults(lot.offer, policy.limits)
    _check_codes(faults, lot)
    measures = set(await db.scalars(select(Measure.id).where(Measure.outcome_id == lot.outcome_id)))
    for index, measure_id in enumerate(lot.measure_ids):
        faults.unless(measure_id in measures, f"/measure_ids/{index}", "unknown", "The outcome has no such measure.")
    if lot.follows_id:
        before = await db.scalar(select(Lot.id).where(Lot.id == lot.follows_id, Lot.outcome_id == lot.outcome_id))
        faults.unless(before is not None, "/follows_id", "unknown", "The outcome has no such lot.")
    return faults


def _check_codes(faults: Faults, lot: Lot) -> None:
    codes = {"/cpv": lot.cpv, **{f"/cpv_additional/{place}": code for place, code in enumerate(lot.cpv_additional)}}
    for pointer, code in codes.items():
        if code and not cpv.is_known(code):
            faults.add(pointer, "unknown-cpv", cpv.said_unknown(code))


def _check_draft(actor: Actor, lot: Lot, changes: Mapping[str, Any]) -> None:
    """Bidders rely on the dates of a published lot: who tries to move them is on the record."""
    try:
        rules.check_draft(lot.status)
    except LotNotDraft as fact:
        if DATES.isdisjoint(changes):
            raise
        raise journal.refused(fact, actor, "lot.change_dates", lot.id, audience=auditors(lot.buyer_id)) from None


async def revise(db: AsyncSession, actor: Actor, lot_id: UUID, patch: LotPatch, *, seen: Seen = UNCONDITIONAL) -> Lot:
    """Edit a draft; whoever edits it has prepared it, and can't publish it."""
    outcome, lot = await lock_with_outcome(db, actor, lot_id)
    await check_seen(db, seen, lot)
    changes = given(patch)
    _check_draft(actor, lot, changes)
    now = await clock.now(db)
    faults = Faults()
    made = drafting.work_out(drafting.said_of(lot) | changes, await drafting.ground_under(db, outcome, now))
    for name, value in made.items():
        setattr(lot, name, value)
    drafting.check_one_currency(faults, changes.get("further_iterations"), lot.currency)
    await _judge(db, lot, lot.policy, changes, faults, now)
    _prepare(actor, lot)
    event = LotRevised(object_id=lot.id, object_version=lot.version, fields=sorted(changes))
    await journal.record(db, actor, event, within(lot.buyer_id))
    return lot


def _prepare(actor: Actor, lot: Lot) -> None:
    """The lot is another than it was, and the caller one of those who prepared it."""
    if actor.person_id and actor.person_id not in lot.prepared_by:
        lot.prepared_by = [*lot.prepared_by, actor.person_id]
    lot.touch()


async def record_notice(
    db: AsyncSession, actor: Actor, lot_id: UUID, data: Notice, *, seen: Seen = UNCONDITIONAL
) -> Lot:
    """Record the official notice's references; the clocks of the law run from its time, and so whoever tells it has prepared the lot."""
    _, lot = await lock_with_outcome(db, actor, lot_id)
    await check_seen(db, seen, lot)
    rules.check_draft(lot.status)
    rules.check_notice(data.published_at, await clock.now(db))
    published_at = data.published_at.astimezone(UTC)
    lot.notice_id, lot.notice_ocid, lot.notice_at = data.id, data.ocid, published_at
    _prepare(actor, lot)
    event = LotNoticeRecorded(
        object_id=lot.id,
        object_version=lot.version,
        notice_id=data.id,
        ocid=data.ocid,
        published_at=published_at,
    )
    await journal.record(db, actor, event, within(lot.buyer_id))
    return lot


class Condition(NamedTuple):
    """Something that publishing asks: raises what stands in the way. `pointer`: the field that it is about."""

    pointer: str | None
    check: Callable[[], None]


async def conditions(
    db: AsyncSession, outcome: Outcome, lot: Lot, policy: Policy, now: datetime
) -> Sequence[Condition]:
    """What publishing asks of a draft and its outcome, in this order; the checks of a draft ask all of it."""
    faults = await faults_of(db, lot, policy)
    room = await outcomes.room_of(db, outcome)
    more = lot.estimate - await outcomes.committed_by(db, outcome.id, lot.id)
    return (
        Condition(None, partial(outcome_rules.check_active, outcome.status)),
        Condition(None, partial(faults.raise_any, LotInvalid)),
        Condition("/notice", partial(rules.check_notice_recorded, policy, lot.notice_at)),
        Condition("/closes_at", partial(rules.check_window, policy, lot.closes_at, lot.notice_at, now)),
        Condition("/enquiries_close_at", partial(rules.check_enquiry_window, lot.enquiries_close_at, now)),
        Condition("/ceiling", partial(room.check, more)),
    )


async def publish(db: AsyncSession, actor: Actor, vault: Opener, lot_id: UUID, *, seen: Seen = UNCONDITIONAL) -> Lot:
    """Open the lot to everybody: an approver who did not prepare it. Commits its estimate and makes its key."""
    outcome, lot = await lock_with_outcome(db, actor, lot_id)
    await check_seen(db, seen, lot)
    check_other_person(actor, lot, "lot.publish")
    rules.check_draft(lot.status)
    now = await clock.now(db)
    policy = await policy_for(db, outcome.buyer_id, outcome.tested, now)
    for condition in await conditions(db, outcome, lot, policy, now):
        condition.check()
    lot.policy, lot.band = policy, policy.band
    await outcomes.commit_to(db, outcome, lot.id, lot.estimate, "lot.published")
    # Last before the commit: everything else has been checked, and a key whose commit fails is swept.
    _take_key(lot, await vault.make_lot_key(lot.id, lot.closes_at))
    lot.move_to(LotStatus.PUBLISHED)
    lot.published_by, lot.published_at = actor.person_id, now
    event = LotPublished.of(lot)
    lot.publication_digest = digest(event)
    await journal.record(db, actor, event, PUBLIC)
    return lot


def check_other_person(actor: Actor, lot: Lot, act: str) -> None:
    """Four eyes, on the record when it is tried."""
    said = "Whoever prepared the lot can't approve it."
    journal.by_another(actor, lot.prepared_by, said, act=act, about=lot.id, audience=auditors(lot.buyer_id))


def _take_key(lot: Lot, key: LotKey) -> None:
    lot.key_id, lot.key_scheme = key.key_id, key.scheme
    lot.public_key, lot.key_signature = key.public_key, key.signature


async def withdraw(
    db: AsyncSession, actor: Actor, lot_id: UUID, reason: str | None = None, *, seen: Seen = UNCONDITIONAL
) -> Lot:
    """Take a draft back: nobody has seen it, so it takes no second person. It has committed nothing."""
    outcome, lot = await lock_with_outcome(db, actor, lot_id)
    await check_seen(db, seen, lot)
    rules.check_draft(lot.status)
    await _end(db, outcome, lot, LotStatus.CANCELLED, reason)
    event = LotWithdrawn(object_id=lot.id, object_version=lot.version, reason=reason)
    await journal.record(db, actor, event, within(lot.buyer_id))
    return lot


async def cancel(
    db: AsyncSession,
    actor: Actor,
    lot_id: UUID,
    reason: str,
    code: CancelReason = CancelReason.OTHER,
    *,
    seen: Seen = UNCONDITIONAL,
) -> Lot:
    """End the lot without a contract: an approver, any time before signature. Its commitment returns to the envelope."""
    outcome, lot = await lock_with_outcome(db, actor, lot_id)
    await check_seen(db, seen, lot)
    check_other_person(actor, lot, "lot.cancel")
    rules.check_cancellable(lot.status)
    rules.check_cancel_reason(rules.status_at(lot.status, lot.closes_at, await clock.now(db)), code)
    await _end(db, outcome, lot, LotStatus.CANCELLED, reason)
    lot.end_reason_code = code
    event = LotCancelled(object_id=lot.id, object_version=lot.version, reason_code=code, reason=reason)
    await journal.record(db, actor, event, _audience(lot))
    return lot


def _audience(lot: Lot) -> Audience:
    """Public once it was published; a draft is its buyer's own."""
    return PUBLIC if lot.published_at else within(lot.buyer_id)


async def _end(db: AsyncSession, outcome: Outcome, lot: Lot, status: LotStatus, reason: str | None) -> None:
    lot.move_to(status)
    lot.ended_at, lot.end_reason = await clock.now(db), reason
    await outcomes.commit_to(db, outcome, lot.id, Decimal(0), f"lot.{status.value}")
    await journal.end_hold(db, lot.id)


# The verbs by which later steps move a lot that they have locked (`lock_for_step`).


async def lock_for_step(db: AsyncSession, lot_id: UUID) -> tuple[Outcome, Lot]:
    """Outcome and lot, locked in order, for a later step that has checked its own right to act."""
    outcome_id = await db.scalar(select(Lot.outcome_id).where(Lot.id == lot_id))
    if outcome_id is None:
        raise LotNotFound("There is no such lot, or it is not yours to see.")
    return await outcomes.lock_for_ledger(db, outcome_id), await lock_lot(db, lot_id)


async def mark_evaluating(db: AsyncSession, actor: Actor, lot: Lot, reason: str) -> None:
    """The bids have been opened, or an award was undone before signature."""
    await _move(db, actor, lot, LotStatus.EVALUATING, reason)


async def mark_awarded(db: AsyncSession, actor: Actor, lot: Lot, reason: str) -> None:
    """An award has been approved."""
    await _move(db, actor, lot, LotStatus.AWARDED, reason)


async def mark_contracted(db: AsyncSession, actor: Actor, lot: Lot, reason: str) -> None:
    """The first contract under the lot has been signed by both sides."""
    await _move(db, actor, lot, LotStatus.CONTRACTED, reason)


async def mark_unsuccessful(db: AsyncSession, actor: Actor, outcome: Outcome, lot: Lot, reason: str) -> None:
    """No bid came, none is valid, or none is awarded. The commitment returns to the envelope."""
    await _end(db, outcome, lot, LotStatus.UNSUCCESSFUL, reason)
    await _record_move(db, actor, lot, reason)


async def _move(db: AsyncSession, actor: Actor, lot: Lot, status: LotStatus, reason: str) -> None:
    if status not in rules.NEXT[lot.status]:
        rules.refuse_move(lot.status, status)
    lot.move_to(status)
    await _record_move(db, actor, lot, reason)


async def _record_move(db: AsyncSession, actor: Actor, lot: Lot, reason: str) -> None:
    event = LotMoved(object_id=lot.id, object_version=lot.version, status=lot.status, reason=reason)
    await journal.record(db, actor, event, PUBLIC)

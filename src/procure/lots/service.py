"""The officer's and approver's verbs on lots, and those by which later steps move one on.

Each verb is one transaction that reads like the policy: lock, read the clock, judge, change, record.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

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
from procure.lots import rules
from procure.lots.errors import LotInvalid, LotNotDraft, LotNotFound
from procure.lots.events import LotCancelled, LotDrafted, LotMoved, LotNoticeRecorded, LotPublished, LotRevised
from procure.lots.models import Criterion, Deliverable, Lot, reference_numbers
from procure.lots.rules import LotStatus
from procure.lots.schemas import (
    CriterionDraft,
    DeliverableDraft,
    FurtherIterations,
    LotDraft,
    LotPatch,
    LotView,
    Notice,
)
from procure.outcomes import rules as outcome_rules
from procure.outcomes import service as outcomes
from procure.outcomes.models import Measure, Outcome
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
    """Draft the next lot of an active outcome, judged by the policy in force now."""
    outcome = await outcomes.lock_outcome(db, actor, data.outcome_id)
    outcome_rules.check_active(outcome.status)
    now = await clock.now(db)
    _check_one_currency(data.further_iterations, data.ceiling.currency)
    lot = await _new_lot(db, actor, outcome, data, now)
    rules.check_content(lot.offer, lot.policy.limits)
    await _check_references(db, outcome, lot)
    db.add(lot)
    event = LotDrafted(
        object_id=lot.id, object_version=1, reference=lot.reference, outcome_id=outcome.id, title=lot.title
    )
    await journal.record(db, actor, event, within(lot.buyer_id))
    return lot


async def _new_lot(db: AsyncSession, actor: Actor, outcome: Outcome, data: LotDraft, now: datetime) -> Lot:
    policy = await policy_for(db, outcome.buyer_id, outcome.envelope, now)
    number = await db.scalar(reference_numbers)
    so_far = await db.scalar(select(func.count()).select_from(Lot).where(Lot.outcome_id == outcome.id))
    return Lot(
        id=new_id(),
        reference=f"LOT-{now.year}-{number:06d}",
        outcome_id=outcome.id,
        buyer_id=outcome.buyer_id,
        buyer_name=outcome.buyer_name,
        iteration=(so_far or 0) + 1,
        follows_id=data.follows_id,
        status=LotStatus.DRAFT,
        phase=data.phase,
        route=data.route,
        pricing=data.pricing,
        **_columns({name: getattr(data, name) for name in LotPatch.__struct_fields__ if name != "phase"}),
        band=policy.band,
        policy=policy,
        prepared_by=[actor.person_id] if actor.person_id else [],
        created_at=now,
        version=1,
    )


def _check_one_currency(further: FurtherIterations | None, currency: str) -> None:
    """The row has one currency for all of its amounts; an amount in another one is refused, never relabelled."""
    if further is not None and further.ceiling.currency != currency:
        faults = Faults()
        at = "/further_iterations/ceiling/currency"
        faults.add(at, "currency", f"All amounts of a lot are in one currency, here {currency}.")
        faults.raise_any(LotInvalid)


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    """A draft's or patch's fields as the row holds them."""
    # In UTC, as they are read back: a reply has the bytes of the read that has its tag.
    columns: dict[str, Any] = {
        name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in values.items()
    }
    if "deliverables" in columns:
        columns["deliverables"] = _deliverables(columns["deliverables"])
    if "criteria" in columns:
        columns["criteria"] = _criteria(columns["criteria"])
    if "ceiling" in columns:
        columns["currency"] = columns["ceiling"].currency
        columns["ceiling"] = columns["ceiling"].value
    if "further_iterations" in columns:
        further = columns.pop("further_iterations")
        columns.update(further_iterations=further.count, further_ceiling=further.ceiling.value)
    return columns


def _deliverables(drafts: Sequence[DeliverableDraft]) -> list[Deliverable]:
    return [
        Deliverable(f"D{number}", one.title, one.due_on, one.acceptance_criteria)
        for number, one in enumerate(drafts, start=1)
    ]


def _criteria(drafts: Sequence[CriterionDraft]) -> list[Criterion]:
    return [
        Criterion(f"C{number}", one.name, one.kind, one.weight, one.minimum_score)
        for number, one in enumerate(drafts, start=1)
    ]


def _check_draft(actor: Actor, lot: Lot, changes: Mapping[str, Any]) -> None:
    """Bidders rely on the dates of a published lot: who tries to move them is on the record."""
    try:
        rules.check_draft(lot.status)
    except LotNotDraft as fact:
        if DATES.isdisjoint(changes):
            raise
        raise journal.refused(fact, actor, "lot.change_dates", lot.id, audience=auditors(lot.buyer_id)) from None


async def _check_references(db: AsyncSession, outcome: Outcome, lot: Lot) -> None:
    """The measures are the outcome's, and the lot that this one follows is one of the same outcome."""
    faults = Faults()
    measures = set(await db.scalars(select(Measure.id).where(Measure.outcome_id == outcome.id)))
    for index, measure_id in enumerate(lot.measure_ids):
        faults.unless(measure_id in measures, f"/measure_ids/{index}", "unknown", "The outcome has no such measure.")
    if lot.follows_id:
        before = await db.scalar(select(Lot.id).where(Lot.id == lot.follows_id, Lot.outcome_id == outcome.id))
        faults.unless(before is not None, "/follows_id", "unknown", "The outcome has no such lot.")
    faults.raise_any(LotInvalid)


async def revise(db: AsyncSession, actor: Actor, lot_id: UUID, patch: LotPatch, *, seen: Seen = UNCONDITIONAL) -> Lot:
    """Edit a draft; whoever edits it has prepared it, and can't publish it."""
    outcome, lot = await lock_with_outcome(db, actor, lot_id)
    await check_seen(db, seen, lot)
    changes = given(patch)
    _check_draft(actor, lot, changes)
    for name, value in _columns(changes).items():
        setattr(lot, name, value)
    _check_one_currency(changes.get("further_iterations"), lot.currency)
    await _judge(db, outcome, lot, await clock.now(db))
    await _check_references(db, outcome, lot)
    _prepare(actor, lot)
    event = LotRevised(object_id=lot.id, object_version=lot.version, fields=sorted(changes))
    await journal.record(db, actor, event, within(lot.buyer_id))
    return lot


def _prepare(actor: Actor, lot: Lot) -> None:
    """The lot is another than it was, and the caller one of those who prepared it."""
    if actor.person_id and actor.person_id not in lot.prepared_by:
        lot.prepared_by = [*lot.prepared_by, actor.person_id]
    lot.touch()


async def _judge(db: AsyncSession, outcome: Outcome, lot: Lot, now: datetime) -> None:
    """Put the policy of today on a draft, and judge its content by it."""
    lot.policy = await policy_for(db, outcome.buyer_id, outcome.envelope, now)
    lot.band = lot.policy.band
    rules.check_content(lot.offer, lot.policy.limits)


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


async def publish(db: AsyncSession, actor: Actor, vault: Opener, lot_id: UUID, *, seen: Seen = UNCONDITIONAL) -> Lot:
    """Open the lot to everybody: an approver who did not prepare it. Commits its estimate and makes its key."""
    outcome, lot = await lock_with_outcome(db, actor, lot_id)
    await check_seen(db, seen, lot)
    check_other_person(actor, lot, "lot.publish")
    rules.check_draft(lot.status)
    outcome_rules.check_active(outcome.status)
    now = await clock.now(db)
    await _judge(db, outcome, lot, now)
    rules.check_publishable(
        lot.policy,
        closes_at=lot.closes_at,
        enquiries_close_at=lot.enquiries_close_at,
        notice_at=lot.notice_at,
        now=now,
    )
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


async def cancel(db: AsyncSession, actor: Actor, lot_id: UUID, reason: str, *, seen: Seen = UNCONDITIONAL) -> Lot:
    """End the lot without a contract: an approver, any time before signature. Its commitment returns to the envelope."""
    outcome, lot = await lock_with_outcome(db, actor, lot_id)
    await check_seen(db, seen, lot)
    check_other_person(actor, lot, "lot.cancel")
    rules.check_cancellable(lot.status)
    await _end(db, outcome, lot, LotStatus.CANCELLED, reason)
    event = LotCancelled(object_id=lot.id, object_version=lot.version, reason=reason)
    await journal.record(db, actor, event, _audience(lot))
    return lot


def _audience(lot: Lot) -> Audience:
    """Public once it was published; a draft is its buyer's own."""
    return PUBLIC if lot.published_at else within(lot.buyer_id)


async def _end(db: AsyncSession, outcome: Outcome, lot: Lot, status: LotStatus, reason: str) -> None:
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

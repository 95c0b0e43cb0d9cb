"""Recommend, approve, wait: the officer's and approver's verbs on awards, and what bidders are told of their own bid."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.awards import rules
from procure.awards.errors import AssessmentNotFound, AwardNotFound
from procure.awards.events import (
    AwardApproved,
    AwardNoticeRecorded,
    AwardRecommended,
    AwardRefused,
    AwardWithdrawn,
)
from procure.awards.models import Award, facts, reference_numbers
from procure.awards.rules import AwardStatus
from procure.awards.schemas import AssessmentView, AwardView, Recommendation
from procure.bids import rules as bid_rules
from procure.bids import service as bids
from procure.bids.models import Bid
from procure.evaluation import service as evaluation
from procure.evaluation.models import Consensus, RankedBid
from procure.journal import service as journal
from procure.journal.events import PUBLIC, Audience, Event, auditors, within
from procure.kit import clock
from procure.kit.actor import Actor, require_person
from procure.kit.canonical import digest
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.kit.ids import new_id
from procure.kit.money import Money
from procure.kit.paging import Paging, after
from procure.lots import rules as lot_rules
from procure.lots import service as lots
from procure.lots.models import Lot
from procure.lots.rules import LotStatus
from procure.lots.schemas import Notice
from procure.outcomes.models import Outcome


def visible_awards(actor: Actor) -> Select[Award]:
    """What this caller may see: its own organisation's, and everybody's once approved."""
    public = Award.status.in_(rules.PUBLIC)
    return select(Award).where(or_(public, Award.buyer_id == actor.buyer_id) if actor.buyer_id else public)


def own_awards(actor: Actor) -> Select[Award]:
    """What this caller's organisation may act on."""
    return select(Award).where(Award.buyer_id == actor.buyer_id)


async def find_award(db: AsyncSession, actor: Actor, award_id: UUID) -> Award:
    return _found(await db.scalar(visible_awards(actor).where(Award.id == award_id)))


async def find_own_award(db: AsyncSession, actor: Actor, award_id: UUID) -> Award:
    return _found(await db.scalar(own_awards(actor).where(Award.id == award_id)))


async def get_approved(db: AsyncSession, award_id: UUID) -> Award:
    """The award, if it still stands, for a later step that holds its lot's lock (`lots.lock_for_step`)."""
    award = _found(await db.scalar(_fresh(select(Award).where(Award.id == award_id))))
    rules.check_approved(award.status)
    return award


async def list_awards(
    db: AsyncSession,
    actor: Actor,
    paging: Paging,
    *,
    status: AwardStatus | None = None,
    lot_id: UUID | None = None,
    buyer_id: UUID | None = None,
    supplier_id: UUID | None = None,
) -> Sequence[tuple[Award, Lot]]:
    """With their lots, newest first."""
    statement = visible_awards(actor)
    if status:
        statement = statement.where(Award.status == status)
    if lot_id:
        statement = statement.where(Award.lot_id == lot_id)
    if buyer_id:
        statement = statement.where(Award.buyer_id == buyer_id)
    if supplier_id:
        statement = statement.where(Award.supplier_id == supplier_id)
    with_lots = statement.join(Lot, Lot.id == Award.lot_id).add_columns(Lot)
    rows = await db.execute(after(with_lots, Award.created_at, Award.id, paging))
    return [(award, lot) for award, lot in rows]


async def view(db: AsyncSession, actor: Actor, award: Award) -> AwardView:
    """The award with its lot; the buyer's own people see its internals too."""
    return AwardView.of(award, await db.get_one(Lot, award.lot_id), actor)


async def check_seen(db: AsyncSession, actor: Actor, seen: Seen, award: Award) -> None:
    """What is approved is what was seen: the award, found for a read or as its lot's lock has found it.

    Raises ChangedSinceRead, and of a read NotModified.
    """
    if seen:
        seen.check(AwardView.tag_for(award, await db.get_one(Lot, award.lot_id), actor))


def _found(award: Award | None) -> Award:
    if award is None:
        raise AwardNotFound("There is no such award, or it is not yours to see.")
    return award


def _fresh(statement: Select[Award]) -> Select[Award]:
    # Read after the lot's lock, an object loaded before it would give its old values.
    return statement.execution_options(populate_existing=True)


async def _lock(db: AsyncSession, actor: Actor, award_id: UUID) -> tuple[Lot, Award]:
    """The caller's own award under its lot's lock."""
    award = await find_own_award(db, actor, award_id)
    _, lot = await lots.lock_for_step(db, award.lot_id)
    return lot, _found(await db.scalar(_fresh(select(Award).where(Award.id == award_id))))


async def recommend(
    db: AsyncSession, actor: Actor, lot_id: UUID, data: Recommendation, *, seen: Seen = UNCONDITIONAL
) -> Award:
    """Say which bid should win: the best ranked, or the next one when each better award was refused or withdrawn."""
    person_id = require_person(actor)
    _, lot = await lots.lock_with_outcome(db, actor, lot_id)
    await lots.check_seen(db, seen, lot)
    _check_no_bidder(actor, lot, await bids.handed_in_by(db, lot.id), "award.recommend", lot.id)
    lot_rules.check_status(lot.status, LotStatus.EVALUATING)
    before = await awards_of(db, lot.id)
    rules.check_none_live([award.status for award in before])
    running = await running_of(db, lot.id)
    rules.check_next_in_rank(data.bid_id, list(running), [(one.bid_id, one.status) for one in before])
    bid = running[data.bid_id]
    check_valid(bid, lot, await clock.now(db))
    award = await _new_award(db, person_id, lot, bid, data.reason)
    db.add(award)
    await _record(db, actor, _recommended(award), within(lot.buyer_id), award)
    return award


def _check_no_bidder(actor: Actor, lot: Lot, bidders: Sequence[UUID], act: str, about: UUID) -> None:
    said = "Whoever handed in a bid of the lot can't judge its bids."
    journal.by_another(actor, bidders, said, act=act, about=about, audience=auditors(lot.buyer_id))


async def awards_of(db: AsyncSession, lot_id: UUID) -> Sequence[Award]:
    """Every award that was ever recommended for the lot, as the rows are now."""
    return (await db.scalars(_fresh(select(Award).where(Award.lot_id == lot_id)))).all()


async def running_of(db: AsyncSession, lot_id: UUID) -> dict[UUID, Bid]:
    """The bids that may win, best ranked first; those below a minimum, or disqualified since, are not among them."""
    opened = {bid.id: bid for bid in await bids.opened_bids(db, lot_id)}
    ranking = await evaluation.ranking_of(db, lot_id)
    rules.check_concluded(is_concluded=bool(ranking))
    return {one.bid_id: opened[one.bid_id] for one in ranking if one.rank is not None and one.bid_id in opened}


def check_valid(bid: Bid, lot: Lot, now: datetime) -> None:
    """Whether the bid still binds its supplier."""
    rules.check_valid(bid_rules.status_at(bid.status, lot.status, lot.closes_at, lot.validity_days, now))


async def _new_award(db: AsyncSession, person_id: UUID, lot: Lot, bid: Bid, reason: str) -> Award:
    assert bid.total is not None
    assert bid.supplier_name is not None
    now = await clock.now(db)
    number = await db.scalar(reference_numbers)
    return Award(
        id=new_id(),
        reference=f"AWD-{now.year}-{number:06d}",
        lot_id=lot.id,
        bid_id=bid.id,
        buyer_id=lot.buyer_id,
        supplier_id=bid.supplier_id,
        supplier_name=bid.supplier_name,
        value=bid.total,
        currency=lot.currency,
        status=AwardStatus.RECOMMENDED,
        reason=reason,
        recommended_by=person_id,
        created_at=now,
        version=1,
    )


def _recommended(award: Award) -> AwardRecommended:
    return AwardRecommended(
        object_id=award.id,
        object_version=award.version,
        reference=award.reference,
        lot_id=award.lot_id,
        bid_id=award.bid_id,
        supplier_id=award.supplier_id,
        value=Money.of(award.value, award.currency),
        reason=award.reason,
    )


async def approve(db: AsyncSession, actor: Actor, award_id: UUID, *, seen: Seen = UNCONDITIONAL) -> Award:
    """Another person agrees. The lot is awarded; where the band asks for no notice, the contract may be signed at once."""
    lot, award = await _lock(db, actor, award_id)
    await check_seen(db, actor, seen, award)
    await _check_other_person(db, actor, lot, award, "award.approve")
    rules.check_recommended(award.status)
    lot_rules.check_status(lot.status, LotStatus.EVALUATING)
    bid, now = await bids.get_bid(db, award.bid_id), await clock.now(db)
    check_valid(bid, lot, now)
    award.move_to(AwardStatus.APPROVED)
    award.decided_by, award.decided_at = actor.person_id, now
    award.standstill_ends_at = rules.standstill_end(lot.policy, now, None)
    await _record(db, actor, AwardApproved.of(award), PUBLIC, award)
    await bids.mark_awarded(db, actor, bid)
    await lots.mark_awarded(db, actor, lot, f"{award.reference} approved")
    return award


async def _check_other_person(db: AsyncSession, actor: Actor, lot: Lot, award: Award, act: str) -> None:
    said = "Whoever recommended the award can't decide on it."
    journal.by_another(actor, [award.recommended_by], said, act=act, about=award.id, audience=auditors(award.buyer_id))
    _check_no_bidder(actor, lot, await bids.handed_in_by(db, lot.id), act, award.id)


async def refuse(db: AsyncSession, actor: Actor, award_id: UUID, reason: str, *, seen: Seen = UNCONDITIONAL) -> Award:
    """Another person does not agree; the officer recommends again."""
    lot, award = await _lock(db, actor, award_id)
    await check_seen(db, actor, seen, award)
    await _check_other_person(db, actor, lot, award, "award.refuse")
    rules.check_recommended(award.status)
    award.move_to(AwardStatus.REFUSED)
    award.decided_by, award.decided_at, award.decision_reason = actor.person_id, await clock.now(db), reason
    event = AwardRefused(object_id=award.id, object_version=award.version, reason=reason)
    await _record(db, actor, event, within(lot.buyer_id), award)
    return award


async def record_notice(
    db: AsyncSession, actor: Actor, award_id: UUID, data: Notice, *, seen: Seen = UNCONDITIONAL
) -> Award:
    """Record the award notice's references, or correct them until signature; the standstill runs from its time."""
    lot, award = await _lock(db, actor, award_id)
    await check_seen(db, actor, seen, award)
    rules.check_approved(award.status)
    lot_rules.check_status(lot.status, LotStatus.AWARDED)
    assert award.decided_at is not None
    published_at = data.published_at.astimezone(UTC)
    rules.check_notice(published_at, award.decided_at, await clock.now(db))
    award.notice_id, award.notice_ocid, award.notice_at = data.id, data.ocid, published_at
    ends_at = rules.standstill_end(lot.policy, award.decided_at, published_at)
    award.standstill_ends_at = ends_at.astimezone(UTC) if ends_at else None
    award.touch()
    event = AwardNoticeRecorded(
        object_id=award.id,
        object_version=award.version,
        notice_id=data.id,
        ocid=data.ocid,
        published_at=published_at,
        standstill_ends_at=award.standstill_ends_at,
    )
    await _record(db, actor, event, PUBLIC, award)
    return award


async def withdraw(db: AsyncSession, actor: Actor, award_id: UUID, reason: str, *, seen: Seen = UNCONDITIONAL) -> Award:
    """Take an approved award back before signature: the lot is evaluated again, and the next in rank can be recommended."""
    lot, award = await _lock(db, actor, award_id)
    await check_seen(db, actor, seen, award)
    await _check_other_person(db, actor, lot, award, "award.withdraw")
    rules.check_approved(award.status)
    lot_rules.check_status(lot.status, LotStatus.AWARDED)
    award.move_to(AwardStatus.WITHDRAWN)
    award.withdrawn_reason = reason
    event = AwardWithdrawn(object_id=award.id, object_version=award.version, reason=reason)
    await _record(db, actor, event, PUBLIC, award)
    await bids.mark_opened(db, actor, await bids.get_bid(db, award.bid_id))
    await lots.mark_evaluating(db, actor, lot, f"{award.reference} withdrawn: {reason}")
    return award


async def no_award(db: AsyncSession, actor: Actor, lot_id: UUID, reason: str, *, seen: Seen = UNCONDITIONAL) -> Lot:
    """End an evaluated lot without an award, because no bid is valid or none is wanted; its commitment returns."""
    outcome, lot = await lots.lock_with_outcome(db, actor, lot_id)
    await lots.check_seen(db, seen, lot)
    _check_not_preparer(actor, lot)
    lot_rules.check_status(lot.status, LotStatus.EVALUATING)
    rules.check_none_live([award.status for award in await awards_of(db, lot.id)])
    await _end_without(db, actor, outcome, lot, reason)
    return lot


def _check_not_preparer(actor: Actor, lot: Lot) -> None:
    said, audience = "Whoever prepared the lot can't end it.", auditors(lot.buyer_id)
    journal.by_another(actor, lot.prepared_by, said, act="award.none", about=lot.id, audience=audience)


async def _end_without(db: AsyncSession, actor: Actor, outcome: Outcome, lot: Lot, reason: str) -> None:
    await lots.mark_unsuccessful(db, actor, outcome, lot, reason)
    await bids.mark_unsuccessful(db, actor, lot.id)


async def _record(db: AsyncSession, actor: Actor, event: Event, audience: Audience, award: Award) -> None:
    await journal.record(db, actor, event, audience, digest=digest(facts(award)))


async def assessment(db: AsyncSession, actor: Actor, award_id: UUID) -> AssessmentView:
    """A bidder's own assessment summary, once the award is approved; of others only the winner's totals."""
    award = await find_award(db, actor, award_id)
    rules.check_approved(award.status)
    lot = await db.get_one(Lot, award.lot_id)
    statement = select(RankedBid, Bid.supplier_id).join(Bid, Bid.id == RankedBid.bid_id)
    ranked = (await db.execute(statement.where(RankedBid.lot_id == lot.id))).all()
    own = next((one for one, supplier_id in ranked if supplier_id == actor.supplier_id), None)
    if own is None:
        raise AssessmentNotFound("Your organisation has no bid that was assessed for this award.")
    winner = next(one for one, _ in ranked if one.bid_id == award.bid_id)
    agreed = (await db.scalars(select(Consensus).where(Consensus.bid_id == own.bid_id))).all()
    return AssessmentView.of(award, lot, own, winner, agreed)

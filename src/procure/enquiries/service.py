"""The supplier's question, and the officer's answer: to everybody, or, where it helps nobody to bid, to the asker alone."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.enquiries import rules
from procure.enquiries.errors import EnquiryNotFound, EnquiryNotMergeable
from procure.enquiries.events import EnquiryAsked, EnquiryDrafted, EnquiryMerged, EnquiryPublished, EnquiryReplied
from procure.enquiries.models import Enquiry
from procure.enquiries.rules import EnquiryStatus
from procure.enquiries.schemas import (
    EnquiryAnswer,
    EnquiryDraft,
    EnquiryMerge,
    EnquiryReply,
    EnquiryView,
    LateEnquiry,
    OfferView,
)
from procure.journal import service as journal
from procure.journal.events import PUBLIC, within
from procure.kit import clock
from procure.kit.actor import Actor
from procure.kit.db import exclude, share
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.kit.ids import new_id
from procure.kit.paging import Paging, after
from procure.kit.scopes import Scope
from procure.lots import rules as lot_rules
from procure.lots import service as lots
from procure.lots.errors import LotNotFound
from procure.lots.models import Lot
from procure.lots.rules import LotStatus


def visible_enquiries(actor: Actor) -> Select[Enquiry]:
    """What this caller may see: what is published of every lot that it may see, and all that it asked or that its own lots were asked."""
    seen = lots.visible_lots(actor).with_only_columns(Lot.id)
    known: list[ColumnElement[bool]] = [Enquiry.published_at.is_not(None)]
    if Scope.ENQUIRIES_READ in actor.scopes:
        if actor.supplier_id:
            known.append(Enquiry.supplier_id == actor.supplier_id)
        if actor.buyer_id:
            known.append(Enquiry.lot_id.in_(lots.own_lots(actor).with_only_columns(Lot.id)))
    return select(Enquiry).where(Enquiry.lot_id.in_(seen), or_(*known))


def own_enquiries(actor: Actor) -> Select[Enquiry]:
    """What this caller's organisation may answer: the enquiries about its own lots."""
    own = lots.own_lots(actor).with_only_columns(Lot.id)
    return select(Enquiry).where(Enquiry.lot_id.in_(own))


def view(actor: Actor, enquiry: Enquiry, buyer_id: UUID) -> EnquiryView:
    """The enquiry as this caller sees it, of whose lot that is the buyer."""
    reads = Scope.ENQUIRIES_READ in actor.scopes
    return EnquiryView.of(
        enquiry,
        is_asker=reads and enquiry.supplier_id == actor.supplier_id,
        is_buyer=reads and buyer_id == actor.buyer_id,
    )


async def find_enquiry(db: AsyncSession, actor: Actor, enquiry_id: UUID) -> tuple[Enquiry, Lot]:
    """The enquiry and its lot, if this caller may see it: raises EnquiryNotFound."""
    enquiry = await db.scalar(visible_enquiries(actor).where(Enquiry.id == enquiry_id))
    if enquiry is None:
        raise EnquiryNotFound("There is no such enquiry, or it is not yours to see.")
    return enquiry, await lots.find_lot(db, actor, enquiry.lot_id)


async def read(db: AsyncSession, actor: Actor, enquiry_id: UUID, *, seen: Seen = UNCONDITIONAL) -> EnquiryView:
    enquiry, lot = await find_enquiry(db, actor, enquiry_id)
    shown = view(actor, enquiry, lot.buyer_id)
    seen.check(shown.etag)
    return shown


async def list_enquiries(
    db: AsyncSession, actor: Actor, lot_id: UUID, paging: Paging, *, status: EnquiryStatus | None = None
) -> tuple[Lot, Sequence[Enquiry]]:
    """The lot, and what the caller may see of its enquiries, newest first."""
    lot = await lots.find_lot(db, actor, lot_id)
    statement = visible_enquiries(actor).where(Enquiry.lot_id == lot_id)
    if status is not None:
        statement = statement.where(Enquiry.status == status)
    return lot, (await db.scalars(after(statement, Enquiry.asked_at, Enquiry.id, paging))).all()


async def offer(db: AsyncSession, actor: Actor, lot_id: UUID) -> OfferView:
    """Whether the lot's closing may be moved for late answers, to when, and for which: once, while it is open. Nothing is moved by it."""
    lot = await lots.find_own_lot(db, actor, lot_id)
    now = await clock.now(db)
    late: list[rules.Late] = []
    if lot_rules.status_at(lot.status, lot.closes_at, now) is LotStatus.PUBLISHED and lot.extended_at is None:
        # What its asker alone was told informs no bid.
        public_at = func.coalesce(Enquiry.published_at, Enquiry.answered_at)
        asked = select(Enquiry.id, public_at).where(Enquiry.lot_id == lot.id, Enquiry.status != EnquiryStatus.REPLIED)
        rows = (await db.execute(asked.order_by(Enquiry.asked_at, Enquiry.id))).all()
        late = [
            rules.Late(id_, at) for id_, at in rows if rules.is_late(at, lot.enquiries_close_at, lot.closes_at, now)
        ]
    closes_at = rules.offered_close(
        late,
        enquiries_close_at=lot.enquiries_close_at,
        closes_at=lot.closes_at,
        starts_on=lot.starts_on,
        nation=lot.policy.nation,
        now=now,
    )
    return OfferView(lot.id, closes_at, [LateEnquiry(one.id, one.answered_at) for one in late])


async def ask(db: AsyncSession, actor: Actor, lot_id: UUID, data: EnquiryDraft) -> Enquiry:
    """Ask about a published lot, before its enquiries close by the database's clock."""
    supplier_id = rules.check_asker(actor.supplier_id)
    await share(db, lot_id)
    await exclude(db, rules.counting_key(lot_id, supplier_id))
    lot = await _find_lot(db, actor, lot_id)
    now = await clock.now(db)
    lot_rules.check_enquiries_open(lot.status, lot.enquiries_close_at, now)
    rules.check_number(await count_of(db, lot.id, supplier_id))
    enquiry = Enquiry(
        id=new_id(),
        lot_id=lot.id,
        supplier_id=supplier_id,
        status=EnquiryStatus.UNANSWERED,
        question=data.question,
        asked_at=now,
        version=1,
    )
    db.add(enquiry)
    event = EnquiryAsked(object_id=enquiry.id, object_version=1, lot_id=lot.id, question=enquiry.question)
    await journal.record(db, actor, event, within(supplier_id))
    return enquiry


async def _find_lot(db: AsyncSession, actor: Actor, lot_id: UUID) -> Lot:
    """The lot as it is now that its lock is shared, whatever this session has read of it before."""
    statement = lots.visible_lots(actor).where(Lot.id == lot_id)
    lot = await db.scalar(statement.execution_options(populate_existing=True))
    if lot is None:
        raise LotNotFound("There is no such lot, or it is not yours to see.")
    return lot


async def count_of(db: AsyncSession, lot_id: UUID, supplier_id: UUID) -> int:
    """How many enquiries this supplier has asked about the lot."""
    statement = select(func.count()).where(Enquiry.lot_id == lot_id, Enquiry.supplier_id == supplier_id)
    return await db.scalar(statement) or 0


async def answer(
    db: AsyncSession, actor: Actor, enquiry_id: UUID, data: EnquiryAnswer, *, seen: Seen = UNCONDITIONAL
) -> EnquiryView:
    """Write, or edit, what is to be published; nobody but the buyer reads it before."""
    enquiry, lot, _ = await _lock_open(db, actor, enquiry_id, seen)
    rules.check_draftable(enquiry.status)
    enquiry.wording, enquiry.answer, enquiry.drafted_by = (
        data.question or enquiry.question,
        data.answer,
        actor.person_id,
    )
    enquiry.touch()
    event = EnquiryDrafted(
        object_id=enquiry.id,
        object_version=enquiry.version,
        lot_id=enquiry.lot_id,
        question=enquiry.wording,
        answer=enquiry.answer,
    )
    await journal.record(db, actor, event, within(lot.buyer_id))
    return EnquiryView.of(enquiry, is_buyer=True)


async def publish(db: AsyncSession, actor: Actor, enquiry_id: UUID, *, seen: Seen = UNCONDITIONAL) -> EnquiryView:
    """Tell everybody question and answer, as they were drafted and from here on stay; also what its asker alone was told before."""
    enquiry, _, now = await _lock_open(db, actor, enquiry_id, seen)
    rules.check_next(enquiry.status, EnquiryStatus.PUBLISHED)
    rules.check_drafted(enquiry.answer)
    assert enquiry.wording is not None
    assert enquiry.answer is not None
    enquiry.published_by, enquiry.published_at = actor.person_id, now
    enquiry.move_to(EnquiryStatus.PUBLISHED, now)
    event = EnquiryPublished(
        object_id=enquiry.id,
        object_version=enquiry.version,
        lot_id=enquiry.lot_id,
        question=enquiry.wording,
        answer=enquiry.answer,
    )
    await journal.record(db, actor, event, PUBLIC)
    return EnquiryView.of(enquiry, is_buyer=True)


async def merge(
    db: AsyncSession, actor: Actor, enquiry_id: UUID, data: EnquiryMerge, *, seen: Seen = UNCONDITIONAL
) -> EnquiryView:
    """Answer a question with the published answer of another; in public the two are one."""
    enquiry, lot, now = await _lock_open(db, actor, enquiry_id, seen)
    rules.check_next(enquiry.status, EnquiryStatus.MERGED)
    # What is published stays so: it needs no lock.
    into = await db.scalar(own_enquiries(actor).where(Enquiry.id == data.into_id))
    if into is None:
        raise EnquiryNotMergeable("`into_id` names no enquiry of yours to answer.")
    rules.check_merge(enquiry.id, enquiry.lot_id, into.id, into.lot_id, into.status)
    enquiry.merged_into_id = into.id
    enquiry.move_to(EnquiryStatus.MERGED, now)
    event = EnquiryMerged(object_id=enquiry.id, object_version=enquiry.version, lot_id=enquiry.lot_id, into_id=into.id)
    await journal.record(db, actor, event, within(lot.buyer_id, enquiry.supplier_id))
    return EnquiryView.of(enquiry, is_buyer=True)


async def reply(
    db: AsyncSession, actor: Actor, enquiry_id: UUID, data: EnquiryReply, *, seen: Seen = UNCONDITIONAL
) -> EnquiryView:
    """Answer the asker alone, once: about itself or confidential, and nothing that informs a bid. It may be published later."""
    enquiry, lot, now = await _lock_open(db, actor, enquiry_id, seen)
    rules.check_next(enquiry.status, EnquiryStatus.REPLIED)
    rules.check_reply(informs_bidding=data.informs_bidding)
    enquiry.reply, enquiry.ground, enquiry.reply_reason = data.answer, data.ground, data.reason
    enquiry.replied_by, enquiry.replied_at = actor.person_id, now
    enquiry.move_to(EnquiryStatus.REPLIED, now)
    event = EnquiryReplied(
        object_id=enquiry.id,
        object_version=enquiry.version,
        lot_id=enquiry.lot_id,
        answer=data.answer,
        ground=data.ground,
        reason=data.reason,
    )
    await journal.record(db, actor, event, within(lot.buyer_id, enquiry.supplier_id))
    return EnquiryView.of(enquiry, is_buyer=True)


async def _lock_open(db: AsyncSession, actor: Actor, enquiry_id: UUID, seen: Seen) -> tuple[Enquiry, Lot, datetime]:
    """An enquiry about the caller's own lot, locked as it was seen, its lot, and the time: strictly before the lot closes."""
    enquiry = await _lock_own(db, actor, enquiry_id)
    seen.check(EnquiryView.of(enquiry, is_buyer=True).etag)
    lot = await _find_lot(db, actor, enquiry.lot_id)
    now = await clock.now(db)
    lot_rules.check_open(lot.status, lot.closes_at, now)
    return enquiry, lot, now


async def _lock_own(db: AsyncSession, actor: Actor, enquiry_id: UUID) -> Enquiry:
    """An enquiry about the caller's own lot: the lot's lock shared, then the enquiry's own."""
    own = own_enquiries(actor).where(Enquiry.id == enquiry_id)
    lot_id = await db.scalar(own.with_only_columns(Enquiry.lot_id))
    if lot_id is None:
        raise EnquiryNotFound("There is no such enquiry, or its lot is not yours to answer for.")
    await share(db, lot_id)
    locking = select(Enquiry).where(Enquiry.id == enquiry_id).with_for_update(key_share=True)
    return (await db.scalars(locking.execution_options(populate_existing=True))).one()

"""The supplier's question and the officer's answer."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.enquiries import rules
from procure.enquiries.errors import EnquiryNotFound
from procure.enquiries.events import EnquiryAnswered, EnquiryAsked
from procure.enquiries.models import Enquiry
from procure.enquiries.schemas import EnquiryAnswer, EnquiryDraft
from procure.journal import service as journal
from procure.journal.events import PUBLIC, within
from procure.kit import clock
from procure.kit.actor import Actor
from procure.kit.db import exclude, share
from procure.kit.ids import new_id
from procure.kit.paging import Paging, after
from procure.lots import rules as lot_rules
from procure.lots import service as lots
from procure.lots.errors import LotNotFound
from procure.lots.models import Lot


def visible_enquiries(actor: Actor) -> Select[Enquiry]:
    """What this caller may see: the enquiries of every lot that it may see, whoever asked them."""
    seen = lots.visible_lots(actor).with_only_columns(Lot.id)
    return select(Enquiry).where(Enquiry.lot_id.in_(seen))


def own_enquiries(actor: Actor) -> Select[Enquiry]:
    """What this caller's organisation may answer: the enquiries about its own lots."""
    own = lots.own_lots(actor).with_only_columns(Lot.id)
    return select(Enquiry).where(Enquiry.lot_id.in_(own))


async def list_enquiries(db: AsyncSession, actor: Actor, lot_id: UUID, paging: Paging) -> Sequence[Enquiry]:
    """Newest first."""
    await lots.find_lot(db, actor, lot_id)
    statement = visible_enquiries(actor).where(Enquiry.lot_id == lot_id)
    return (await db.scalars(after(statement, Enquiry.asked_at, Enquiry.id, paging))).all()


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
        id=new_id(), lot_id=lot.id, supplier_id=supplier_id, question=data.question, asked_at=now, version=1
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


async def answer(db: AsyncSession, actor: Actor, enquiry_id: UUID, data: EnquiryAnswer) -> Enquiry:
    """Answer for everybody, once, also after enquiries have closed, as long as the lot is open."""
    enquiry = await _lock_own(db, actor, enquiry_id)
    lot = await _find_lot(db, actor, enquiry.lot_id)
    now = await clock.now(db)
    lot_rules.check_open(lot.status, lot.closes_at, now)
    rules.check_unanswered(enquiry.answered_at)
    enquiry.answer, enquiry.answered_by, enquiry.answered_at = data.answer, actor.person_id, now
    enquiry.touch()
    event = EnquiryAnswered(
        object_id=enquiry.id,
        object_version=enquiry.version,
        lot_id=enquiry.lot_id,
        question=enquiry.question,
        answer=data.answer,
    )
    await journal.record(db, actor, event, PUBLIC)
    return enquiry


async def _lock_own(db: AsyncSession, actor: Actor, enquiry_id: UUID) -> Enquiry:
    """An enquiry about the caller's own lot: the lot's lock shared, then the enquiry's own."""
    own = own_enquiries(actor).where(Enquiry.id == enquiry_id)
    lot_id = await db.scalar(own.with_only_columns(Enquiry.lot_id))
    if lot_id is None:
        raise EnquiryNotFound("There is no such enquiry, or its lot is not yours to answer for.")
    await share(db, lot_id)
    locking = select(Enquiry).where(Enquiry.id == enquiry_id).with_for_update(key_share=True)
    return (await db.scalars(locking.execution_options(populate_existing=True))).one()

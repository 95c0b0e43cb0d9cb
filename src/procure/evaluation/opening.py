"""The seal at the deadline, the opening after it, and who reads a bid then (docs/rules.md, rules b, d, e, f and i).

The seal is time's: the worker publishes it for every lot that has closed. What a small lot needs beyond it the worker does at
once; a covered one waits for two approvers. Each lot is sealed and opened in transactions of its own, so that a seal stands
whatever the key vault says, and one lot's trouble is nobody else's.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Integer, or_, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from procure.bids import service as bids
from procure.bids.models import Bid, LotSeal
from procure.bids.rules import BidStatus
from procure.evaluation import rules
from procure.evaluation.errors import BidsNotOpened, NotOnPanel
from procure.evaluation.events import LotOpened, OpeningApproved
from procure.evaluation.models import OpeningApproval, PanelMember
from procure.evaluation.schemas import OpeningView
from procure.journal import service as journal
from procure.journal.events import Refusal, Refused, auditors, within
from procure.journal.models import JournalEntry
from procure.kit import clock
from procure.kit.actor import SYSTEM, Actor, Role, require_person
from procure.kit.backoff import Backoff
from procure.kit.clock import app_now
from procure.kit.db import Sessions, transaction
from procure.kit.errors import Fact
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.kit.ids import new_id
from procure.kit.paging import Paging, after
from procure.lots import rules as lot_rules
from procure.lots import service as lots
from procure.lots.models import Lot
from procure.lots.rules import LotStatus
from procure.vault.errors import KeyNotDue
from procure.vault.keys import Opener

log = structlog.get_logger(__name__)
NO_BIDS = "No bid was received by the deadline."


async def seal_due(sessions: Sessions, vault: Opener, backoff: Backoff) -> None:
    """Seal every lot that has closed, and open those that nobody has to approve. Run it as often and as many times as you like.

    A lot that failed is left alone for a while, longer each time.
    """
    for lot_id in backoff.ready(await _due(sessions)):
        try:
            await _seal_and_open(sessions, vault, lot_id)
        except KeyNotDue:  # the vault's own clock is behind
            log.info("key not due", lot_id=str(lot_id), again_in_s=backoff.failed(lot_id))
        except Exception:  # one lot's trouble must not hold up the others
            log.exception("sealing failed", lot_id=str(lot_id), again_in_s=backoff.failed(lot_id))
        else:
            backoff.succeeded(lot_id)


async def _due(sessions: Sessions) -> Sequence[UUID]:
    """Lots past their deadline without a seal, or with one and to be opened by the service; the longest due first."""
    openers = type_coerce(Lot.policy, JSONB)["ceremony"]["openers"].astext.cast(Integer)
    is_sealed = select(LotSeal).where(LotSeal.lot_id == Lot.id).exists()
    statement = (
        select(Lot.id)
        # The second is `lot_rules.has_closed`.
        .where(Lot.status == LotStatus.PUBLISHED, Lot.closes_at <= app_now(), or_(~is_sealed, openers == 0))
        .order_by(Lot.closes_at, Lot.id)
    )
    async with transaction(sessions, journal.record_refusal) as db:
        return (await db.scalars(statement)).all()


async def _seal_and_open(sessions: Sessions, vault: Opener, lot_id: UUID) -> None:
    async with transaction(sessions, _record_first) as db:
        await seal(db, lot_id)
    async with transaction(sessions, _record_first) as db:
        await open_at_seal(db, vault, lot_id)


async def _record_first(db: AsyncSession, refusal: object) -> None:
    """A refusal that the worker meets again in every round is on the record once."""
    assert isinstance(refusal, Refusal)
    about = (JournalEntry.object_type == Refused.object_type, JournalEntry.object_id == refusal.event.object_id)
    if not await db.scalar(
        select(JournalEntry.id).where(*about, JournalEntry.request_id == SYSTEM.request_id).limit(1)
    ):
        await journal.record_refusal(db, refusal)


async def seal(db: AsyncSession, lot_id: UUID) -> None:
    """Commit to a closed lot's bids, once; a lot without any ends here."""
    outcome, lot = await lots.lock_for_step(db, lot_id)
    now = await clock.now(db)
    if not _has_closed(lot, now) or await bids.find_seal(db, lot.id):
        return  # somebody was faster, or moved the deadline
    sealed = await bids.seal_lot(db, SYSTEM, lot, now)
    if sealed.count == 0:
        await lots.mark_unsuccessful(db, SYSTEM, outcome, lot, NO_BIDS)


async def open_at_seal(db: AsyncSession, vault: Opener, lot_id: UUID) -> None:
    """Open a sealed lot of a band that asks for no approver."""
    lot = await lots.lock_lot(db, lot_id)
    sealed = await bids.find_seal(db, lot.id)
    if sealed and lot.policy.ceremony.openers == 0 and _has_closed(lot, await clock.now(db)):
        await _open(db, SYSTEM, vault, lot, sealed, [])


def _has_closed(lot: Lot, now: datetime) -> bool:
    return lot_rules.status_at(lot.status, lot.closes_at, now) is LotStatus.CLOSED


async def approve_opening(
    db: AsyncSession, actor: Actor, vault: Opener, lot_id: UUID, root: bytes, *, seen: Seen = UNCONDITIONAL
) -> OpeningView:
    """Consent to open, naming the seal's root; the consent that makes up the band's number of persons opens the lot.

    Whatever refuses it is on the record: who tried to open which lot, and when.
    """
    lot = await lots.lock_lot(db, (await lots.find_own_lot(db, actor, lot_id)).id)
    now = await clock.now(db)
    sealed = await bids.find_seal(db, lot.id)
    try:
        person_id = require_person(actor)
        await lots.check_seen(db, seen, lot)
        lot_rules.check_closed(lot.status, lot.closes_at, now)
        rules.check_opened_by_approvers(lot.policy.ceremony.openers)
        rules.check_root(root, sealed.root if sealed else None)
    except Fact as fact:
        raise journal.refused(fact, actor, "lot.open", lot.id, audience=auditors(lot.buyer_id)) from None
    assert sealed is not None
    db.add(OpeningApproval(id=new_id(), lot_id=lot.id, person_id=person_id, root=root, approved_at=now))
    event = OpeningApproved(object_id=lot.id, object_version=lot.version, root=root.hex())
    await journal.record(db, actor, event, within(lot.buyer_id))
    openers = rules.openers_at(await _approvals(db, lot.id), now)
    if is_opened := len(openers) >= lot.policy.ceremony.openers:
        try:
            await _open(db, actor, vault, lot, sealed, openers)
        except KeyNotDue as fact:
            raise journal.refused(fact, actor, "vault.release", lot.id, audience=auditors(lot.buyer_id)) from None
    return OpeningView(
        lot_id=lot.id,
        root=root.hex(),
        openers_needed=lot.policy.ceremony.openers,
        approved_by=openers,
        is_opened=is_opened,
    )


async def _approvals(db: AsyncSession, lot_id: UUID) -> list[tuple[UUID, datetime]]:
    statement = select(OpeningApproval.person_id, OpeningApproval.approved_at).where(OpeningApproval.lot_id == lot_id)
    return [(person_id, approved_at) for person_id, approved_at in await db.execute(statement)]


async def _open(db: AsyncSession, actor: Actor, vault: Opener, lot: Lot, sealed: LotSeal, openers: list[UUID]) -> None:
    """Open a locked lot. Its bidders all get the opening record, those whose bid could not be read as well.

    Not on trial: nobody opens a bid without a trail.
    """
    if vault.is_trial:
        return
    assert lot.key_id is not None
    key = await vault.open_lot(lot.id, lot.key_id)
    now = await clock.now(db)
    found = await bids.open_bids(db, actor, lot, key, now)
    reason = "Opened by approvers." if openers else "Opened at the seal."
    await lots.mark_evaluating(db, actor, lot, reason)
    event = LotOpened(
        object_id=lot.id,
        object_version=lot.version,
        root=sealed.root.hex(),
        approvals=len(openers),
        sealed=sealed.count,
        opened=sum(bid.status is BidStatus.OPENED for bid in found),
        unreadable=sum(bid.status is BidStatus.UNREADABLE for bid in found),
        opened_at=now,
    )
    await journal.record(db, actor, event, within(lot.buyer_id, *(bid.supplier_id for bid in found)))


async def list_bids(db: AsyncSession, actor: Actor, lot_id: UUID, paging: Paging) -> tuple[Lot, Sequence[Bid]]:
    """The opened bids of the caller's own lot, in the order of their ids, which tells nothing.

    For members of its panel without a conflict, its officer and auditor. Every attempt of somebody else's is on the record.
    """
    lot = await lots.find_own_lot(db, actor, lot_id)
    try:
        await _check_reader(db, actor, lot)
    except Fact as fact:
        raise journal.refused(fact, actor, "bids.read", lot.id, audience=auditors(lot.buyer_id)) from None
    statement = select(Bid).join(Lot, Lot.id == Bid.lot_id).where(_opened_of(lot))
    return lot, (await db.scalars(after(statement, Lot.closes_at, Bid.id, paging))).all()


def _opened_of(lot: Lot) -> ColumnElement[bool]:
    """The bids that were opened, whatever became of them since, and those that could not be read: the opening names them all."""
    return (Bid.lot_id == lot.id) & Bid.supplier_name.is_not(None)


async def _check_reader(db: AsyncSession, actor: Actor, lot: Lot) -> None:
    member = await db.scalar(
        select(PanelMember).where(PanelMember.lot_id == lot.id, PanelMember.person_id == actor.person_id)
    )
    if member is not None:
        rules.check_takes_part(member.seat)  # an officer who sits on the panel declares like the others
    elif not (actor.has(Role.OFFICER) or actor.has(Role.AUDITOR)):
        raise NotOnPanel("Only the panel of the lot, its officer and auditor read its bids.")
    if not await db.scalar(select(Bid.id).where(_opened_of(lot)).limit(1)):
        raise BidsNotOpened("No bid of this lot has been opened.")

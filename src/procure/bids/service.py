"""The supplier's verbs on its bids, the seal and the opening, and the verbs by which later steps move a bid.

The rules a-i that this package holds are those of docs/rules.md. Until the seal nothing about a lot's bids leaves this package but to
their own supplier: entries are held with the lot's id, and what is not yours is not there.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.bids import rules, sealing, statements
from procure.bids.errors import (
    BidChanged,
    BidExists,
    BidInvalid,
    BidNotFound,
    LotKeyRefused,
    ReceiptUnknown,
    SealBroken,
    SealNotFound,
)
from procure.bids.events import (
    BidMoved,
    BidOpened,
    BidOpeningFailed,
    BidsSealed,
    BidWithdrawn,
)
from procure.bids.models import Bid, BidContent, LotSeal, SealedBid, facts
from procure.bids.rules import BidStatus, SealingMode
from procure.bids.schemas import BidDraft, BidReceipt, BidView, given
from procure.bids.statements import PublishedLot, asked_of
from procure.journal import service as journal
from procure.journal.events import PUBLIC, auditors, within
from procure.kit import body, clock
from procure.kit.actor import Actor, Role
from procure.kit.canonical import canonical, digest
from procure.kit.db import Work, share
from procure.kit.driver import DRIVER_ERRORS, CommitUnknown, Driver
from procure.kit.errors import Fact
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.kit.idempotency import KeyedRequest
from procure.kit.ids import unordered_id
from procure.kit.paging import Paging, after
from procure.kit.trial import Trial
from procure.lots import service as lots
from procure.lots.errors import LotNotFound, LotNotOpen
from procure.lots.models import Lot
from procure.lots.rules import has_closed
from procure.organisations.models import Organisation
from procure.vault.keys import PrivateLotKey, Vault, signature_holds

#: A submission is judged again if its lot changed under it, once.
ATTEMPTS_MAX = 2


def visible_bids(actor: Actor) -> Select[Bid]:
    """What this caller may see here: its own supplier's. Who reads opened bids of others is evaluation's to say (rules d and f)."""
    return select(Bid).where(Bid.supplier_id == actor.supplier_id)


async def find_bid(db: AsyncSession, actor: Actor, bid_id: UUID, act: str = "bid.read") -> Bid:
    """The caller's own bid. Reaching for somebody else's is answered as if it did not exist, and recorded (rule g)."""
    bid = await db.scalar(visible_bids(actor).where(Bid.id == bid_id))
    if bid is not None:
        return bid
    fact = BidNotFound("There is no such bid, or it is not yours to see.")
    foreign = (await db.execute(_buyers().where(Bid.id == bid_id))).one_or_none()
    if foreign is None:
        raise fact
    raise journal.refused(fact, actor, act, bid_id, audience=auditors(foreign.buyer_id), hold=foreign.lot_id)


def _buyers() -> Select[UUID, UUID]:
    return select(Bid.lot_id, Lot.buyer_id).join(Lot, Lot.id == Bid.lot_id)


async def list_bids(db: AsyncSession, actor: Actor, paging: Paging, *, lot_id: UUID | None = None) -> Sequence[Bid]:
    """The caller's own, newest first."""
    statement = visible_bids(actor)
    if lot_id:
        statement = statement.where(Bid.lot_id == lot_id)
    return (await db.scalars(after(statement, Bid.created_at, Bid.id, paging))).all()


async def views(db: AsyncSession, rows: Sequence[Bid]) -> list[BidView]:
    """The bids as they are now: a bid lapses with its lot and its validity."""
    columns = (Lot.id, Lot.status, Lot.closes_at, Lot.validity_days, Lot.currency)
    found = await db.execute(select(*columns).where(Lot.id.in_({row.lot_id for row in rows})))
    of_lot = {lot.id: lot for lot in found}
    now = await clock.now(db)
    shown = []
    for row in rows:
        lot = of_lot[row.lot_id]
        status = rules.status_at(row.status, lot.status, lot.closes_at, lot.validity_days, now)
        shown.append(BidView.of(row, status, lot.currency))
    return shown


async def check_seen(db: AsyncSession, seen: Seen, bid: Bid) -> None:
    """What is replaced or withdrawn is what was seen; raises ChangedSinceRead, and of a read NotModified."""
    if seen:
        seen.check((await views(db, [bid]))[0].etag)


# Submitting. The usual path is one unit of the driver; a session is opened only to read a lot anew or to say what was wrong.


@dataclass(frozen=True, slots=True)
class Desk:
    """Where bids are handed in: what stores them, what explains and records a refusal, and whose lot keys are trusted.

    `once` is the request's key; every session that is opened here begins with it, so that a bid which was received is answered with
    its receipt, whatever has become of its lot since.
    """

    driver: Driver
    work: Work
    vault: Vault
    once: KeyedRequest | Trial | None = None

    def session(self) -> AbstractAsyncContextManager[AsyncSession]:
        return self.work(self.once)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Which version of which bid a submission is to become, and the act by whose name it is recorded."""

    act: str
    lot_id: UUID
    supplier_id: UUID
    bid_id: UUID
    version: int


async def submit(desk: Desk, actor: Actor, lot_id: UUID, data: BidDraft) -> BidReceipt:
    """Seal and store a bid before the lot closes by the database's clock, read after the lot's lock (rules a and h)."""
    supplier_id = rules.check_bidder(actor.supplier_id)
    place = _Place(act="bid.submit", lot_id=lot_id, supplier_id=supplier_id, bid_id=unordered_id(), version=1)
    return await _receive(desk, actor, place, data)


async def replace(desk: Desk, actor: Actor, bid_id: UUID, data: BidDraft, *, seen: Seen = UNCONDITIONAL) -> BidReceipt:
    """Put a new version in the place of the caller's own, under the same rules; the earlier one can't come back."""
    async with desk.session() as db:
        before = await find_bid(db, actor, bid_id, "bid.replace")
        await check_seen(db, seen, before)  # the version that is stored is the next one of what was seen, or none
    place = _Place(
        act="bid.replace",
        lot_id=before.lot_id,
        supplier_id=before.supplier_id,
        bid_id=before.id,
        version=before.version + 1,
    )
    return await _receive(desk, actor, place, data)


async def _receive(desk: Desk, actor: Actor, place: _Place, data: BidDraft) -> BidReceipt:
    for _ in range(ATTEMPTS_MAX):
        lot = await _judged(desk, actor, place, data)
        bid = _sealed(actor, lot, place, data.content())
        try:
            received_at = await statements.store(desk.driver, actor, bid, desk.once)
        except statements.NotInTime:
            async with desk.session():
                fact = LotNotOpen("The lot closed while the bid was being stored.")
                raise _late(actor, place, lot.buyer_id, fact) from None
        except CommitUnknown:
            received_at = await _found_again(desk, bid)
        if received_at is not None:
            return BidReceipt.of(bid, BidStatus.SUBMITTED, received_at)
        async with desk.session() as db:
            await _explain(db, actor, place)
    raise BidChanged("The lot changed while the bid was received; read it again.")


async def _found_again(desk: Desk, bid: SealedBid) -> datetime:
    """When it was received, though the database's word of it was lost: a supplier told to try again might do so too late."""
    try:
        received_at = await statements.find_received(desk.driver, bid)
    except DRIVER_ERRORS:
        received_at = None
    if received_at is None:
        at = f"GET /v1/bids?lot_id={bid.lot_id}"
        raise ReceiptUnknown(
            "The database was cut off: the bid may have been received. Send it again with the same Idempotency-Key, which"
            f" tells, or look at {at}."
        )
    return received_at


async def _judged(desk: Desk, actor: Actor, place: _Place, data: BidDraft) -> PublishedLot:
    """The lot, if its key is the platform's and the bid gives what it asks. A late bid is told so, whatever is in it."""
    lot = statements.kept(place.lot_id) or await _read(desk, place.lot_id)
    if has_closed(lot.closes_at, clock.wall_now()):
        # Most probably late. The database says so, not this machine, and without the lock that a seal or opening may hold.
        async with desk.session() as db:
            await _check_taking(db, actor, place)
    if not signature_holds(lot.key, desk.vault.public_signing_key):
        statements.forget(lot.id)
        async with desk.session():
            fact = LotKeyRefused("The lot's key is not signed by this platform; nothing is sealed to it.")
            raise journal.refused(fact, actor, place.act, lot.id, audience=auditors(lot.buyer_id), hold=lot.id)
    try:
        rules.check_content(lot.asked, data.given())
    except BidInvalid:
        async with desk.session() as db:
            await _check_taking(db, actor, place)
        raise
    return lot


async def _read(desk: Desk, lot_id: UUID) -> PublishedLot:
    async with desk.session() as db:
        lot = await statements.find_published(db, lot_id)
    if lot is None:
        raise LotNotFound("There is no such lot, or it is not yours to see.")
    return lot


def _sealed(actor: Actor, lot: PublishedLot, place: _Place, content: BidContent) -> SealedBid:
    """This version, its content unreadable from here on; when it is received, the database will say."""
    context = sealing.SealContext(lot.id, lot.version, place.supplier_id, place.bid_id, place.version)
    sealed = sealing.seal(lot.key.public_key, canonical(content), context)
    return SealedBid(
        id=place.bid_id,
        lot_id=lot.id,
        supplier_id=place.supplier_id,
        version=place.version,
        lot_version=lot.version,
        key_id=lot.key.key_id,
        sealing_mode=SealingMode.SERVER,
        sealed=sealed,
        digest=sealing.digest(sealed),
        submitted_by=actor.person_id,
    )


async def _explain(db: AsyncSession, actor: Actor, place: _Place) -> None:
    """Say which condition did not hold; returns if only the lot is another than was remembered, so that it is judged anew."""
    statements.forget(place.lot_id)
    await _check_taking(db, actor, place)
    if place.version == 1:
        await _check_no_other(db, place)
        return
    status, version = (await db.execute(select(Bid.status, Bid.version).where(Bid.id == place.bid_id))).one()
    rules.check_submitted(status)
    if version != place.version - 1:
        raise BidChanged(f"The bid is at version {version} already; read it again.")


async def _check_no_other(db: AsyncSession, place: _Place) -> None:
    live = (Bid.lot_id == place.lot_id, Bid.supplier_id == place.supplier_id, Bid.status != BidStatus.WITHDRAWN)
    other = await db.scalar(select(Bid.id).where(*live))
    if other is not None:
        raise BidExists(f"You have a bid for this lot, {other}: replace it with PUT /v1/bids/{other}, or withdraw it.")


async def _check_taking(db: AsyncSession, actor: Actor, place: _Place) -> None:
    """Whether the lot takes bids now; what comes late is refused, and that is recorded (rules g and h)."""
    seal = select(LotSeal.lot_id).where(LotSeal.lot_id == Lot.id).exists()
    columns = (Lot.status, Lot.closes_at, Lot.buyer_id, seal.label("is_sealed"))
    seen = lots.visible_lots(actor).where(Lot.id == place.lot_id)
    lot = (await db.execute(seen.with_only_columns(*columns))).one()
    now = await clock.now(db)
    try:
        rules.check_taking(lot.status, lot.closes_at, now, is_sealed=lot.is_sealed)
    except LotNotOpen as fact:
        raise _late(actor, place, lot.buyer_id, fact) from None


def _late(actor: Actor, place: _Place, buyer_id: UUID, fact: Fact) -> Fact:
    about = place.lot_id if place.act == "bid.submit" else place.bid_id
    watching = within(place.supplier_id, buyer_id, roles=(Role.AUDITOR, Role.BIDDER, Role.VIEWER))
    return journal.refused(fact, actor, place.act, about, audience=watching, hold=place.lot_id, kept=True)


async def withdraw(db: AsyncSession, actor: Actor, bid_id: UUID, *, seen: Seen = UNCONDITIONAL) -> Bid:
    """Take the caller's own bid back before the lot closes. Its row stays as a trail, outside the seal; another may follow."""
    own = await find_bid(db, actor, bid_id, "bid.withdraw")
    await share(db, own.lot_id)
    bid = (await _lock(db, select(Bid).where(Bid.id == own.id)))[0]
    await check_seen(db, seen, bid)
    place = _Place(
        act="bid.withdraw", lot_id=bid.lot_id, supplier_id=bid.supplier_id, bid_id=bid.id, version=bid.version
    )
    await _check_taking(db, actor, place)
    rules.check_submitted(bid.status)
    bid.move_to(BidStatus.WITHDRAWN)
    event = BidWithdrawn(object_id=bid.id, object_version=bid.version, lot_id=bid.lot_id)
    audience = within(bid.supplier_id)
    await journal.record(db, actor, event, audience, hold=bid.lot_id, digest=digest(facts(bid)))
    return bid


async def _lock(db: AsyncSession, statement: Select[Bid]) -> Sequence[Bid]:
    """The bids, locked after their lot, in the order of their ids, which tells nothing of who came first."""
    locking = statement.order_by(Bid.id).with_for_update(key_share=True)
    # populate_existing: a locking select on an object already loaded would give its old values.
    return (await db.scalars(locking.execution_options(populate_existing=True))).all()


# The seal and the opening, of a lot that the caller has locked.


async def find_seal(db: AsyncSession, lot_id: UUID) -> LotSeal | None:
    return await db.scalar(select(LotSeal).where(LotSeal.lot_id == lot_id))


async def find_visible_seal(db: AsyncSession, actor: Actor, lot_id: UUID) -> LotSeal:
    """The seal of a lot that the caller may see."""
    lot = await lots.find_lot(db, actor, lot_id)
    seal = await find_seal(db, lot.id)
    if seal is None:
        raise SealNotFound("The lot has no seal: its bids are committed to once it has closed.")
    return seal


async def seal_lot(db: AsyncSession, actor: Actor, lot: Lot, now: datetime) -> LotSeal:
    """Commit to all of a closed lot's bids, in public: their count and root (rule i). Ends the hold on their entries."""
    before = await find_seal(db, lot.id)
    rules.check_sealable(lot.status, lot.closes_at, now, is_sealed=before is not None)
    leaves = await _leaves(db, lot.id)
    seal = LotSeal(lot_id=lot.id, count=len(leaves), root=sealing.root(leaves), sealed_at=now)
    db.add(seal)
    event = BidsSealed(object_id=lot.id, object_version=1, count=seal.count, root=seal.root.hex(), sealed_at=now)
    await journal.record(db, actor, event, PUBLIC, digest=digest(event))
    await journal.end_hold(db, lot.id)
    return seal


async def _leaves(db: AsyncSession, lot_id: UUID) -> list[bytes]:
    """One leaf for each bid that was not withdrawn, whatever has become of it since."""
    columns = (Bid.id, Bid.version, Bid.digest, Bid.received_at)
    rows = await db.execute(select(*columns).where(Bid.lot_id == lot_id, Bid.status != BidStatus.WITHDRAWN))
    return [sealing.leaf(row.id, row.version, row.digest, row.received_at) for row in rows]


async def open_bids(db: AsyncSession, actor: Actor, lot: Lot, key: PrivateLotKey, now: datetime) -> list[Bid]:
    """Open every bid of the seal (rules b and e). One that can't be read is recorded and never holds up the rest."""
    seal = await find_seal(db, lot.id)
    rules.check_openable(lot.closes_at, now, is_sealed=seal is not None)
    leaves = await _leaves(db, lot.id)
    if seal is None or (seal.count, seal.root) != (len(leaves), sealing.root(leaves)):
        fact = SealBroken("The stored bids are not those that the lot's seal committed to; none is opened.")
        raise journal.refused(fact, actor, "bids.open", lot.id, audience=auditors(lot.buyer_id))
    bids = await _lock(db, select(Bid).where(Bid.lot_id == lot.id, Bid.status == BidStatus.SUBMITTED))
    names = await _names(db, [bid.supplier_id for bid in bids])
    for bid in bids:
        bid.supplier_name = names[bid.supplier_id]
        await _open(db, actor, lot, key, bid, now)
    return list(bids)


async def _names(db: AsyncSession, supplier_ids: Iterable[UUID]) -> dict[UUID, str]:
    statement = select(Organisation.id, Organisation.name).where(Organisation.id.in_(supplier_ids))
    return {row.id: row.name for row in await db.execute(statement)}


async def _open(db: AsyncSession, actor: Actor, lot: Lot, key: PrivateLotKey, bid: Bid, now: datetime) -> None:
    audience = within(lot.buyer_id, bid.supplier_id)
    try:
        content = _content(lot, key, bid)
    except Fact as fact:
        bid.move_to(BidStatus.UNREADABLE)
        bid.end_reason = fact.slug
        await journal.record(db, actor, BidOpeningFailed.of(bid, fact.slug), audience, digest=digest(facts(bid)))
        return
    bid.move_to(BidStatus.OPENED)
    bid.content, bid.total, bid.opened_at = content, content.total, now
    await journal.record(db, actor, BidOpened.of(bid), audience, digest=digest(facts(bid)))


def _content(lot: Lot, key: PrivateLotKey, bid: Bid) -> BidContent:
    """What was sealed, read as a body and judged as at its submission, since whoever reached the row may have put anything there.

    What the service sealed it had read before: a rule of text made stricter since then must not take anybody's bid away.
    """
    if sealing.digest(bid.sealed) != bid.digest:
        raise sealing.Unreadable
    context = sealing.SealContext(bid.lot_id, bid.lot_version, bid.supplier_id, bid.id, bid.version)
    is_judged = bid.sealing_mode is SealingMode.SERVER
    content = body.read(sealing.unseal(key, bid.sealed, context), BidContent, is_judged=is_judged)
    rules.check_content(
        asked_of(lot.deliverables, lot.criteria, lot.ceiling, lot.currency), given(content, lot.currency)
    )
    return content


async def opened_bids(db: AsyncSession, lot_id: UUID) -> list[Bid]:
    """The bids that stand: opened, and not disqualified or ended since. By id."""
    standing = Bid.status.in_((BidStatus.OPENED, BidStatus.AWARDED))
    return list(await db.scalars(select(Bid).where(Bid.lot_id == lot_id, standing).order_by(Bid.id)))


async def handed_in_by(db: AsyncSession, lot_id: UUID) -> list[UUID]:
    """The persons who handed in what the lot's opening has named: with a seat on the buyer's side too, they judge none of it."""
    opened = Bid.lot_id == lot_id, Bid.supplier_name.is_not(None)
    persons = await db.scalars(select(Bid.submitted_by).where(*opened).order_by(Bid.id))
    return [person_id for person_id in persons if person_id is not None]


async def get_bid(db: AsyncSession, bid_id: UUID) -> Bid:
    """Any bid, for a later step that has checked its own right to act and has locked the lot."""
    bid = await db.scalar(select(Bid).where(Bid.id == bid_id))
    if bid is None:
        raise BidNotFound("There is no such bid, or it is not yours to see.")
    return bid


# The verbs by which later steps move a bid; they have locked its lot.


async def mark_awarded(db: AsyncSession, actor: Actor, bid: Bid) -> None:
    """Its award has been approved."""
    await _move(db, actor, bid, BidStatus.AWARDED)


async def mark_opened(db: AsyncSession, actor: Actor, bid: Bid) -> None:
    """Its award was undone before signature: it stands as one of the opened ones again."""
    await _move(db, actor, bid, BidStatus.OPENED)


async def mark_unsuccessful(db: AsyncSession, actor: Actor, lot_id: UUID, *, except_bid_id: UUID | None = None) -> None:
    """Another bid's contract has been signed, or the lot has ended: every bid that still stood, but for the winner's."""
    standing = Bid.status.in_((BidStatus.SUBMITTED, BidStatus.OPENED, BidStatus.AWARDED))
    for bid in await _lock(db, select(Bid).where(Bid.lot_id == lot_id, standing, Bid.id != except_bid_id)):
        await _move(db, actor, bid, BidStatus.UNSUCCESSFUL)


async def _move(db: AsyncSession, actor: Actor, bid: Bid, status: BidStatus) -> None:
    rules.check_move(bid.status, status)
    bid.move_to(status)
    buyer_id = (await db.execute(_buyers().where(Bid.id == bid.id))).one().buyer_id
    # Who bid for a lot that ended unopened stays between the platform and that supplier.
    audience = within(buyer_id, bid.supplier_id) if bid.opened_at else within(bid.supplier_id)
    await journal.record(db, actor, BidMoved.of(bid), audience, digest=digest(facts(bid)))

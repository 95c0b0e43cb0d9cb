"""Rules b, d, e and f: who opens a lot, when, and who reads a bid then; every attempt of anybody else's is on the record."""

import json
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from build import (
    Council,
    council,
    covered_lot,
    move_clock,
    opened_lot,
    panel_document,
    published_lot,
    seat,
    seated_panel,
    submitted_bid,
    supplier,
)
from procure.bids import service as bids
from procure.bids.models import Bid, LotSeal
from procure.bids.rules import BidStatus
from procure.evaluation import opening
from procure.evaluation import service as evaluation
from procure.evaluation.errors import (
    BidsNotOpened,
    InterestsNotDeclared,
    LotNotSealed,
    MemberRecused,
    NotOnPanel,
    OpenedByWorker,
    RootMismatch,
)
from procure.evaluation.schemas import Declaration, PanelDraft
from procure.journal.events import Refusal
from procure.journal.models import JournalEntry
from procure.kit import clock
from procure.kit.actor import ANYONE, Actor, PersonNeeded, Role
from procure.kit.body import convert
from procure.kit.errors import Fact
from procure.kit.etags import ChangedSinceRead, Seen, Tags
from procure.kit.paging import Paging
from procure.lots import service as lots
from procure.lots.errors import LotNotClosed, LotNotFound, LotStateWrong
from procure.lots.models import Lot
from procure.lots.rules import LotStatus
from procure.lots.schemas import LotView
from procure.vault.keyring import FileKeyring

ALL = Paging(limit=50, after=None, path="/", query=())


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


async def entry(db: AsyncSession, type_: str) -> JournalEntry:
    return (await db.scalars(select(JournalEntry).where(JournalEntry.type == type_))).one()


async def seal_of(db: AsyncSession, lot: Lot) -> LotSeal:
    """The lot's seal, its time having come, as the worker makes it."""
    if await clock.now(db) < lot.closes_at:
        await move_clock(db, lot.closes_at)
    await opening.seal(db, lot.id)
    found = await bids.find_seal(db, lot.id)
    assert found is not None
    return found


def refusal_in(fact: Fact) -> tuple[str, str]:
    """Act and reason of the refusal that a fact carries."""
    assert isinstance(fact.refusal, Refusal)
    return fact.refusal.event.act, fact.refusal.event.reason


# --- seal -----------------------------------------------------------------------------------------------------------


async def test_before_its_deadline_no_lot_is_sealed(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    lot = await published_lot(db, buyer, vault)
    await submitted_bid(db, lot, await supplier(db), vault)
    await opening.seal(db, lot.id)
    await opening.open_at_seal(db, vault, lot.id)
    assert await bids.find_seal(db, lot.id) is None
    assert lot.status is LotStatus.PUBLISHED


async def test_a_lot_without_bids_ends_with_its_seal(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    lot = await published_lot(db, buyer, vault)
    sealed = await seal_of(db, lot)
    assert (sealed.count, lot.status, lot.end_reason) == (0, LotStatus.UNSUCCESSFUL, opening.NO_BIDS)
    await opening.open_at_seal(db, vault, lot.id)
    assert (await entry(db, "bids.sealed")).is_public


async def test_sealing_twice_changes_nothing(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    lot = await published_lot(db, buyer, vault)
    await submitted_bid(db, lot, await supplier(db), vault)
    first = await seal_of(db, lot)
    await opening.seal(db, lot.id)
    assert (await bids.find_seal(db, lot.id)) == first
    await entry(db, "bids.sealed")


# --- the service opens a small lot ----------------------------------------------------------------------------------


async def test_a_small_lot_is_opened_at_its_seal_and_every_bidder_gets_the_opening_record(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot = await opened_lot(db, buyer, vault)
    opened = await bids.opened_bids(db, lot.id)
    assert (lot.status, [bid.status for bid in opened]) == (LotStatus.EVALUATING, [BidStatus.OPENED] * 2)
    record = await entry(db, "lot.opened")
    assert set(record.audience_organisations) == {lot.buyer_id, *(bid.supplier_id for bid in opened)}
    said = json.loads(record.payload)
    sealed = await bids.find_seal(db, lot.id)
    assert sealed is not None
    assert (said["root"], said["approvals"]) == (sealed.root.hex(), 0)
    assert (said["sealed"], said["opened"], said["unreadable"]) == (2, 2, 0)
    await opening.open_at_seal(db, vault, lot.id)  # again: nothing to do
    await entry(db, "lot.opened")


async def test_nobody_opens_a_small_lot_by_hand(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    lot = await published_lot(db, buyer, vault)
    await submitted_bid(db, lot, await supplier(db), vault)
    sealed = await seal_of(db, lot)
    with pytest.raises(OpenedByWorker) as caught:
        await opening.approve_opening(db, buyer.approver, vault, lot.id, sealed.root)
    assert refusal_in(caught.value) == ("lot.open", "opened-by-worker")


# --- two approvers open a covered lot -------------------------------------------------------------------------------


@pytest.fixture
async def covered(db: AsyncSession, buyer: Council, vault: FileKeyring) -> Lot:
    lot = await covered_lot(db, buyer, vault)
    for name in ("First", "Second"):
        await submitted_bid(db, lot, await supplier(db, name), vault)
    return lot


async def test_two_approvers_naming_the_root_open_a_covered_lot(
    db: AsyncSession, buyer: Council, vault: FileKeyring, covered: Lot
) -> None:
    sealed = await seal_of(db, covered)
    await opening.open_at_seal(db, vault, covered.id)
    assert covered.status is LotStatus.PUBLISHED, "the service does not open it"
    first = await opening.approve_opening(db, buyer.approver, vault, covered.id, sealed.root)
    assert (first.is_opened, first.approved_by) == (False, [buyer.approver.person_id])
    assert await bids.opened_bids(db, covered.id) == []
    second = await opening.approve_opening(db, buyer.second_approver, vault, covered.id, sealed.root)
    assert (second.is_opened, second.openers_needed) == (True, 2)
    assert second.approved_by == [buyer.approver.person_id, buyer.second_approver.person_id]
    assert (covered.status, len(await bids.opened_bids(db, covered.id))) == (LotStatus.EVALUATING, 2)
    record = await entry(db, "lot.opened")
    assert record.person_id == buyer.second_approver.person_id
    assert '"approvals":2' in record.payload
    for approver in (buyer.approver, buyer.second_approver):
        assert str(approver.person_id) not in record.payload, "its bidders read it"
    with pytest.raises(LotStateWrong):
        await opening.approve_opening(db, buyer.budget_holder, vault, covered.id, sealed.root)


async def test_one_person_with_two_tokens_counts_once(
    db: AsyncSession, buyer: Council, vault: FileKeyring, covered: Lot
) -> None:
    sealed = await seal_of(db, covered)
    for client in (None, UUID(int=7)):
        twice = with_client(buyer.approver, client)
        view = await opening.approve_opening(db, twice, vault, covered.id, sealed.root)
        assert (view.is_opened, view.approved_by) == (False, [buyer.approver.person_id])


def with_client(actor: Actor, client_id: UUID | None) -> Actor:
    return Actor(
        organisation_id=actor.organisation_id,
        kind=actor.kind,
        client_id=client_id,
        person_id=actor.person_id,
        roles=actor.roles,
    )


async def test_an_approval_lapses_after_15_minutes(
    db: AsyncSession, buyer: Council, vault: FileKeyring, covered: Lot
) -> None:
    sealed = await seal_of(db, covered)
    await opening.approve_opening(db, buyer.approver, vault, covered.id, sealed.root)
    await move_clock(db, await clock.now(db) + timedelta(minutes=15, seconds=1))
    late = await opening.approve_opening(db, buyer.second_approver, vault, covered.id, sealed.root)
    assert (late.is_opened, late.approved_by) == (False, [buyer.second_approver.person_id])
    await move_clock(db, await clock.now(db) + timedelta(minutes=14))
    again = await opening.approve_opening(db, buyer.approver, vault, covered.id, sealed.root)
    assert again.is_opened


async def test_before_the_deadline_an_opening_is_refused_and_recorded(
    db: AsyncSession, buyer: Council, vault: FileKeyring, covered: Lot
) -> None:
    await move_clock(db, covered.closes_at - timedelta(minutes=1))
    with pytest.raises(LotNotClosed) as caught:
        await opening.approve_opening(db, buyer.approver, vault, covered.id, bytes(32))
    assert refusal_in(caught.value) == ("lot.open", "lot-not-closed")


async def test_an_opening_of_what_was_not_seen_is_refused_and_recorded(
    db: AsyncSession, buyer: Council, vault: FileKeyring, covered: Lot
) -> None:
    sealed = await seal_of(db, covered)
    before = Seen(Tags(frozenset({LotView.tag(covered.id, covered.version, LotStatus.PUBLISHED)})))
    with pytest.raises(ChangedSinceRead) as caught:
        await opening.approve_opening(db, buyer.approver, vault, covered.id, sealed.root, seen=before)
    assert refusal_in(caught.value) == ("lot.open", "changed-since-read")
    closed = Seen(Tags(frozenset({LotView.tag(covered.id, covered.version, LotStatus.CLOSED)})))
    await opening.approve_opening(db, buyer.approver, vault, covered.id, sealed.root, seen=closed)


async def test_an_opening_waits_for_the_seal_and_names_its_root(
    db: AsyncSession, buyer: Council, vault: FileKeyring, covered: Lot
) -> None:
    await move_clock(db, covered.closes_at)
    with pytest.raises(LotNotSealed):
        await opening.approve_opening(db, buyer.approver, vault, covered.id, bytes(32))
    await seal_of(db, covered)
    with pytest.raises(RootMismatch) as caught:
        await opening.approve_opening(db, buyer.approver, vault, covered.id, bytes(32))
    assert refusal_in(caught.value) == ("lot.open", "root-mismatch")


async def test_a_service_client_and_another_buyer_open_nothing(
    db: AsyncSession, buyer: Council, vault: FileKeyring, covered: Lot
) -> None:
    sealed = await seal_of(db, covered)
    portal = Actor(organisation_id=buyer.organisation.id, kind=buyer.organisation.kind, client_id=UUID(int=8))
    with pytest.raises(PersonNeeded) as caught:
        await opening.approve_opening(db, portal, vault, covered.id, sealed.root)
    assert refusal_in(caught.value) == ("lot.open", "person-needed")
    elsewhere = await council(db, name="Elsewhere Council")
    for stranger in (elsewhere.approver, await supplier(db), ANYONE):
        with pytest.raises(LotNotFound):
            await opening.approve_opening(db, stranger, vault, covered.id, sealed.root)


# --- reading opened bids --------------------------------------------------------------------------------------------


async def refused_reading(db: AsyncSession, reader: Actor, lot: Lot) -> type[Fact]:
    with pytest.raises(Fact) as caught:
        await opening.list_bids(db, reader, lot.id, ALL)
    assert refusal_in(caught.value) == ("bids.read", caught.value.slug)
    return type(caught.value)


async def test_before_the_opening_nobody_reads_a_bid(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    lot = await published_lot(db, buyer, vault)
    await submitted_bid(db, lot, await supplier(db), vault)
    await seated_panel(db, buyer, lot)
    for moment in (lot.closes_at - timedelta(seconds=1), lot.closes_at):
        await move_clock(db, moment)
        for reader in (buyer.officer, buyer.auditor, buyer.designer):
            assert await refused_reading(db, reader, lot) is BidsNotOpened
    await opening.seal(db, lot.id)
    assert await refused_reading(db, buyer.officer, lot) is BidsNotOpened


async def test_after_it_panel_officer_and_auditor_read_and_nobody_else(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot = await opened_lot(db, buyer, vault)
    await evaluation.set_panel(db, buyer.officer, lot.id, convert(panel_document(buyer), PanelDraft))
    assert await refused_reading(db, buyer.designer, lot) is InterestsNotDeclared
    await evaluation.declare(db, buyer.designer, lot.id, Declaration(False, "None."))
    await evaluation.declare(db, buyer.engineer, lot.id, Declaration(True, "My sister works for one of them."))
    for reader in (buyer.designer, buyer.officer, buyer.auditor):
        _, rows = await opening.list_bids(db, reader, lot.id, ALL)
        assert sorted(f"{bid.total:f}" for bid in rows) == ["11050.00", "9000.00"]
    assert await refused_reading(db, buyer.engineer, lot) is MemberRecused
    outsider = await seat(db, buyer.organisation, Role.EVALUATOR)
    for refused in (outsider, buyer.approver, buyer.service_owner, buyer.finance):
        assert await refused_reading(db, refused, lot) is NotOnPanel
    elsewhere = await council(db, name="Elsewhere Council")
    for stranger in (elsewhere.officer, await supplier(db), ANYONE):
        with pytest.raises(LotNotFound):
            await opening.list_bids(db, stranger, lot.id, ALL)


async def test_an_officer_on_the_panel_declares_before_reading_like_the_others(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot = await opened_lot(db, buyer, vault)
    both = await seat(db, buyer.organisation, Role.EVALUATOR, Role.OFFICER)
    document = panel_document(buyer)
    document["members"][1]["person_id"] = str(both.person_id)
    await evaluation.set_panel(db, buyer.officer, lot.id, convert(document, PanelDraft))
    assert await refused_reading(db, both, lot) is InterestsNotDeclared


async def test_what_was_opened_stays_readable_after_the_lot_has_ended(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot = await opened_lot(db, buyer, vault)
    await lots.cancel(db, buyer.approver, lot.id, "The need has gone.")
    await bids.mark_unsuccessful(db, buyer.approver, lot.id)
    _, rows = await opening.list_bids(db, buyer.auditor, lot.id, ALL)
    assert [bid.status for bid in rows] == [BidStatus.UNSUCCESSFUL] * 2
    assert all(bid.content for bid in rows)


async def test_a_lot_that_ended_sealed_shows_none_of_its_bids(
    db: AsyncSession, buyer: Council, vault: FileKeyring, covered: Lot
) -> None:
    await seal_of(db, covered)
    await lots.cancel(db, buyer.approver, covered.id, "The need has gone.")
    await bids.mark_unsuccessful(db, buyer.approver, covered.id)
    assert await refused_reading(db, buyer.auditor, covered) is BidsNotOpened


async def test_a_bid_that_cannot_be_read_is_listed_without_content(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot = await published_lot(db, buyer, vault)
    spoilt = await submitted_bid(db, lot, await supplier(db, "Spoilt"), vault)
    await submitted_bid(db, lot, await supplier(db, "Sound"), vault)
    spoilt_bytes = spoilt.sealed[:-1] + bytes([spoilt.sealed[-1] ^ 1])
    await db.execute(update(Bid).where(Bid.id == spoilt.id).values(sealed=spoilt_bytes))
    await seal_of(db, lot)
    await opening.open_at_seal(db, vault, lot.id)
    _, rows = await opening.list_bids(db, buyer.officer, lot.id, ALL)
    assert {bid.supplier_name: (bid.status, bid.content is None) for bid in rows} == {
        "Sound": (BidStatus.OPENED, False),
        "Spoilt": (BidStatus.UNREADABLE, True),
    }

"""What a bid's verbs leave in the database: sealed bytes and a held entry together, or nothing; and who finds what."""

import asyncio
import hashlib
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import event, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bids.rows import entries, refusal, stored
from build import (
    Council,
    bid_document,
    bid_draft,
    desk,
    drafted_lot,
    move_clock,
    opened_bids,
    operator,
    published_lot,
    replaced_bid,
    sealed_lot,
    submitted_bid,
    supplier,
)
from procure.bids import sealing
from procure.bids import service as bids
from procure.bids.errors import (
    BidderNotSupplier,
    BidExists,
    BidInvalid,
    BidNotFound,
    BidStateWrong,
    LotKeyRefused,
)
from procure.bids.models import Bid, facts
from procure.bids.rules import BidStatus
from procure.bids.schemas import BidDraft
from procure.journal.events import Audience
from procure.journal.models import JournalEntry, JournalHoldEnd, JournalPersonal
from procure.kit import body, clock
from procure.kit.actor import ANYONE, Actor, Role
from procure.kit.canonical import digest
from procure.kit.paging import Paging
from procure.lots import service as lots
from procure.lots.errors import LotNotFound, LotNotOpen
from procure.lots.models import Lot
from procure.vault.errors import KeyNotDue
from procure.vault.keyring import FileKeyring

TICK = timedelta(microseconds=1)


# Submitting.


async def test_a_submitted_bid_is_stored_sealed_and_its_content_nowhere(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    bid = await stored(db, (await submitted_bid(db, lot, bidder, vault)).id)
    assert (bid.lot_id, bid.supplier_id, bid.status, bid.version) == (
        lot.id,
        bidder.organisation_id,
        BidStatus.SUBMITTED,
        1,
    )
    assert (bid.lot_version, bid.key_id, bid.submitted_by) == (lot.version, lot.key_id, bidder.person_id)
    assert bid.digest == hashlib.sha256(bid.sealed).digest()
    assert (len(bid.sealed) - sealing.OVERHEAD_BYTES) % sealing.STEP_BYTES == 0
    assert (bid.content, bid.total, bid.supplier_name, bid.opened_at) == (None, None, None, None)
    assert bid.id.version == 4


async def test_rule_a_the_time_of_receipt_is_the_databases_to_the_microsecond_in_row_and_entry(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    before = await clock.now(db)
    told = await submitted_bid(db, lot, bidder, vault)
    after = await clock.now(db)
    bid = await stored(db, told.id)
    assert before <= bid.received_at <= after
    assert told.received_at == bid.received_at == bid.created_at
    (entry,) = await entries(db, bid.id)
    assert (entry.type, entry.at) == ("bid.submitted", bid.received_at)
    said = json.loads(entry.payload)
    assert datetime.fromisoformat(said["received_at"]) == bid.received_at
    assert (said["digest"], said["lot_version"]) == (bid.digest.hex(), lot.version)


async def test_rule_g_the_entry_vouches_for_the_whole_row(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    bid = await stored(db, (await submitted_bid(db, lot, bidder, vault)).id)
    (entry,) = await entries(db, bid.id)
    assert entry.digest == digest(facts(bid))
    bid.received_at -= TICK
    assert entry.digest != digest(facts(bid))


#: Who of an organisation reads bids.
READERS = ["approver", "auditor", "bidder", "evaluator", "officer", "viewer"]


async def test_until_the_seal_the_entry_is_its_suppliers_alone_and_held(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    bid = await submitted_bid(db, lot, bidder, vault)
    await replaced_bid(db, bid, lot, bidder, vault)
    await bids.withdraw(db, bidder, bid.id)
    told = await entries(db, bid.id)
    assert [entry.type for entry in told] == ["bid.submitted", "bid.replaced", "bid.withdrawn"]
    for entry in told:
        assert (entry.hold, entry.is_public) == (lot.id, False)
        assert entry.audience_organisations == [bidder.organisation_id]
        assert (entry.audience_roles, entry.audience_persons) == (READERS, [])
    assert await db.scalar(select(JournalHoldEnd).where(JournalHoldEnd.hold == lot.id)) is None


async def test_the_entry_has_every_column_that_the_journal_itself_would_write(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    acting = replace(bidder, address="192.0.2.7")
    bid = await submitted_bid(db, lot, acting, vault)
    await bids.withdraw(db, acting, bid.id)
    submitted, withdrawn = await entries(db, bid.id)
    of_the_act = {"id", "recorded_at", "at", "type", "payload", "digest", "personal_hash"}
    for column in set(JournalEntry.__table__.columns.keys()) - of_the_act:
        assert getattr(submitted, column) == getattr(withdrawn, column), column
    for entry in (submitted, withdrawn):
        apart = await db.get_one(JournalPersonal, entry.id)
        assert json.loads(apart.data) == {"address": "192.0.2.7"}
        assert entry.personal_hash == hashlib.sha256(apart.salt + apart.data).digest()


async def test_what_is_personal_is_kept_apart_only_where_there_is_something(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    (entry,) = await entries(db, (await submitted_bid(db, lot, bidder, vault)).id)
    assert entry.personal_hash is None
    assert await db.get(JournalPersonal, entry.id) is None


async def test_a_submission_is_the_lock_and_one_statement(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    await submitted_bid(db, lot, await supplier(db), vault)  # the first reads what the lot asks
    said: list[str] = []
    connection = await db.connection()

    @event.listens_for(connection.sync_connection, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(statement)

    driver: Any = (await connection.get_raw_connection()).driver_connection
    with driver.query_logger(lambda query: said.append(query.query)):
        await bids.submit(desk(db, vault), bidder, lot.id, bid_draft(lot))
        await asyncio.sleep(0)  # the driver tells its loggers in the next turn of the loop
    inside = [one for one in said if "SAVEPOINT" not in one]
    assert ["pg_advisory_xact_lock_shared" in one for one in inside] == [True, False], said
    assert "INSERT INTO bids" in inside[1]
    assert "INSERT INTO journal_entries" in inside[1]


async def test_a_service_client_submits_for_its_supplier(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    bid = await submitted_bid(db, lot, replace(bidder, person_id=None), vault)
    assert (await stored(db, bid.id)).submitted_by is None


async def test_one_live_bid_per_supplier_and_lot(db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring) -> None:
    bid = await submitted_bid(db, lot, bidder, vault)
    with pytest.raises(BidExists, match=str(bid.id)):
        await submitted_bid(db, lot, bidder, vault)
    assert (await submitted_bid(db, lot, await supplier(db), vault)).id != bid.id
    assert [entry.type for entry in await entries(db, bid.id)] == ["bid.submitted"]


async def test_only_suppliers_bid_and_only_for_lots_that_are_there(
    db: AsyncSession, buyer: Council, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    for other in (buyer.officer, ANYONE, await operator(db)):
        with pytest.raises(BidderNotSupplier):
            await submitted_bid(db, lot, other, vault)
    draft = await drafted_lot(db, buyer)
    for lot_id in (draft.id, uuid4()):
        with pytest.raises(LotNotFound):
            await bids.submit(desk(db, vault), bidder, lot_id, bid_draft(lot))


async def test_all_faults_of_a_bid_are_told_at_once(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    document = bid_document(lot, total="12000.01")
    document["answers"].pop()
    document["team"] = []
    with pytest.raises(BidInvalid) as caught:
        await bids.submit(desk(db, vault), bidder, lot.id, body.convert(document, BidDraft))
    assert [fault.pointer for fault in caught.value.faults] == ["/prices", "/answers", "/team"]
    assert caught.value.refusal is None


async def test_rule_h_a_bid_at_closes_at_is_refused_and_that_is_recorded(
    db: AsyncSession, buyer: Council, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    await move_clock(db, lot.closes_at)
    with pytest.raises(LotNotOpen, match="The lot is closed") as caught:
        await submitted_bid(db, lot, bidder, vault)
    carried = refusal(caught.value)
    assert (carried.event.act, carried.event.reason, carried.event.object_id) == ("bid.submit", "lot-not-open", lot.id)
    assert carried.hold == lot.id
    roles = (Role.AUDITOR, Role.BIDDER, Role.VIEWER)
    assert bidder.organisation_id is not None
    assert carried.audience == Audience(organisations=(bidder.organisation_id, buyer.organisation.id), roles=roles)


async def test_rule_h_a_late_bid_is_told_that_it_is_late_whatever_is_in_it(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    await move_clock(db, lot.closes_at)
    with pytest.raises(LotNotOpen) as caught:
        await bids.submit(desk(db, vault), bidder, lot.id, bid_draft(lot, total="999999.00"))
    assert refusal(caught.value).event.act == "bid.submit"


async def test_rules_g_and_h_replacing_and_withdrawing_late_is_refused_and_recorded(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    bid = await submitted_bid(db, lot, bidder, vault)
    await move_clock(db, lot.closes_at)
    with pytest.raises(LotNotOpen) as replaced:
        await replaced_bid(db, bid, lot, bidder, vault)
    with pytest.raises(LotNotOpen) as withdrawn:
        await bids.withdraw(db, bidder, bid.id)
    for caught, act in ((replaced, "bid.replace"), (withdrawn, "bid.withdraw")):
        carried = refusal(caught.value)
        assert (carried.event.act, carried.event.object_id, carried.hold) == (act, bid.id, lot.id)
    assert (await stored(db, bid.id)).status is BidStatus.SUBMITTED


async def test_a_cancelled_lot_takes_no_bids(
    db: AsyncSession, buyer: Council, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    await lots.cancel(db, buyer.approver, lot.id, "The need has gone.")
    with pytest.raises(LotNotOpen):
        await submitted_bid(db, lot, bidder, vault)


async def test_rule_h_a_sealed_lot_takes_no_bid_even_if_the_clock_steps_back(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    await sealed_lot(db, lot)
    await db.execute(text("UPDATE sandbox_clock SET ahead = interval '0'"))
    assert await clock.now(db) < lot.closes_at
    with pytest.raises(LotNotOpen, match="sealed") as caught:
        await submitted_bid(db, lot, bidder, vault)
    assert refusal(caught.value).event.act == "bid.submit"


async def test_nothing_is_sealed_to_a_key_that_the_platform_did_not_sign(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    theirs = X25519PrivateKey.generate().public_key().public_bytes_raw()
    await db.execute(text("UPDATE lots SET public_key = :key WHERE id = :id"), {"key": theirs, "id": lot.id})
    with pytest.raises(LotKeyRefused) as caught:
        await submitted_bid(db, lot, bidder, vault)
    assert refusal(caught.value).audience.roles == (Role.AUDITOR,)
    assert await db.scalar(select(Bid).where(Bid.lot_id == lot.id)) is None


async def test_a_bid_is_judged_by_the_lot_as_it_is_now(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    await submitted_bid(db, lot, await supplier(db), vault)  # from here on the lot is remembered
    await db.execute(text("UPDATE lots SET version = version + 1, ceiling = 11000 WHERE id = :id"), {"id": lot.id})
    with pytest.raises(BidInvalid, match="see `errors`") as caught:
        await submitted_bid(db, lot, bidder, vault, total="11050.00")
    assert caught.value.faults[0].code == "over-ceiling"
    bid = await submitted_bid(db, lot, bidder, vault, total="11000.00")
    assert bid.lot_version == lot.version + 1


# Replacing and withdrawing.


async def test_a_replacement_is_a_new_version_with_its_own_receipt(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    bid = await submitted_bid(db, lot, bidder, vault)
    first = facts(bid)
    again = await replaced_bid(db, bid, lot, bidder, vault)
    row = await stored(db, bid.id)
    assert facts(row) == facts(again)
    assert (row.version, row.status) == (2, BidStatus.SUBMITTED)
    assert facts(row).received_at > first.received_at
    assert facts(row).digest != first.digest
    assert row.created_at < row.received_at
    last = (await entries(db, bid.id))[-1]
    assert (last.type, last.object_version, last.digest) == ("bid.replaced", 2, digest(facts(row)))


async def test_a_withdrawn_bid_leaves_room_for_another_and_stays_as_a_trail(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    first = await submitted_bid(db, lot, bidder, vault)
    withdrawn = await bids.withdraw(db, bidder, first.id)
    assert (withdrawn.status, withdrawn.version) == (BidStatus.WITHDRAWN, 1)
    second = await submitted_bid(db, lot, bidder, vault)
    assert second.id != first.id
    trail = await stored(db, first.id)
    assert (trail.status, trail.digest) == (BidStatus.WITHDRAWN, first.digest)
    assert (await entries(db, first.id))[-1].digest == digest(facts(trail))
    for act in (bids.withdraw(db, bidder, first.id), replaced_bid(db, first, lot, bidder, vault)):
        with pytest.raises(BidStateWrong):
            await act


# Who sees what.


async def test_rules_d_and_g_reaching_for_anothers_bid_finds_nothing_and_is_recorded_for_auditors_alone(
    db: AsyncSession, buyer: Council, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    bid = await submitted_bid(db, lot, bidder, vault)
    rival = await supplier(db, "A rival")
    curious = [rival, buyer.officer, buyer.approver, buyer.designer, buyer.auditor, await operator(db)]
    for actor in curious:
        with pytest.raises(BidNotFound) as caught:
            await bids.find_bid(db, actor, bid.id)
        carried = refusal(caught.value)
        assert (carried.actor, carried.event.act, carried.event.object_id) == (actor, "bid.read", bid.id)
        assert carried.audience == Audience(organisations=(buyer.organisation.id,), roles=(Role.AUDITOR,))
        assert carried.hold == lot.id
    for act, name in (
        (replaced_bid(db, bid, lot, rival, vault), "bid.replace"),
        (bids.withdraw(db, rival, bid.id), "bid.withdraw"),
    ):
        with pytest.raises(BidNotFound) as caught:
            await act
        assert refusal(caught.value).event.act == name


async def test_a_bid_that_is_not_there_is_answered_in_the_same_words(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    bid = await submitted_bid(db, lot, bidder, vault)
    with pytest.raises(BidNotFound) as absent:
        await bids.find_bid(db, bidder, uuid4())
    with pytest.raises(BidNotFound) as foreign:
        await bids.find_bid(db, await supplier(db), bid.id)
    assert absent.value.refusal is None
    assert absent.value.detail == foreign.value.detail


async def test_rule_b_the_vault_gives_nobody_the_key_before_closes_at(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    await submitted_bid(db, lot, bidder, vault)
    assert lot.key_id is not None
    await move_clock(db, lot.closes_at - timedelta(seconds=5))
    with pytest.raises(KeyNotDue):
        await vault.open_lot(lot.id, lot.key_id)


async def test_its_own_supplier_reads_what_it_bid_only_once_it_is_opened(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    bid = await submitted_bid(db, lot, bidder, vault)
    (view,) = await bids.views(db, [await bids.find_bid(db, bidder, bid.id)])
    assert (view.content, view.opened_at) == (None, None)
    await sealed_lot(db, lot)
    await opened_bids(db, lot, vault)
    (view,) = await bids.views(db, [await bids.find_bid(db, bidder, bid.id)])
    assert view.content is not None
    assert (view.status, view.content.total.amount) == (BidStatus.OPENED, "11050.00")


async def test_a_bid_lapses_with_its_lot(
    db: AsyncSession, buyer: Council, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    bid = await submitted_bid(db, lot, bidder, vault)
    await lots.cancel(db, buyer.approver, lot.id, "The need has gone.")
    (view,) = await bids.views(db, [bid])
    assert (view.status, bid.status) == (BidStatus.LAPSED, BidStatus.SUBMITTED)


async def test_own_bids_are_listed_newest_first_and_nobody_elses(
    db: AsyncSession, buyer: Council, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    other_lot = await published_lot(db, buyer, vault)
    first = await submitted_bid(db, lot, bidder, vault)
    second = await submitted_bid(db, other_lot, bidder, vault)
    await submitted_bid(db, lot, await supplier(db), vault)
    everything = Paging(limit=10, after=None, path="/", query=())
    assert [bid.id for bid in await bids.list_bids(db, bidder, everything)] == [second.id, first.id]
    assert [bid.id for bid in await bids.list_bids(db, bidder, everything, lot_id=lot.id)] == [first.id]
    for other in (buyer.officer, buyer.auditor, ANYONE):
        assert await bids.list_bids(db, other, everything) == []

"""The seal that commits to all bids at the deadline, their opening, and what later steps make of them."""

import hashlib
import json
from datetime import timedelta
from functools import partial
from typing import Any
from unicodedata import normalize
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from bids.rows import entries, refusal, stored
from build import (
    Council,
    bid_draft,
    desk,
    drafted_lot,
    move_clock,
    opened_bids,
    sealed_lot,
    submitted_bid,
    supplier,
)
from procure.bids import sealing
from procure.bids import service as bids
from procure.bids.errors import (
    BidNotFound,
    BidsNotSealed,
    BidStateWrong,
    LotSealed,
    SealBroken,
    SealNotFound,
)
from procure.bids.models import Bid, BidContent, facts
from procure.bids.rules import BidStatus
from procure.bids.schemas import BidDraft
from procure.journal.models import JournalHoldEnd
from procure.kit import body, merkle
from procure.kit.actor import ANYONE, SYSTEM, Actor
from procure.kit.canonical import canonical, digest
from procure.kit.seen import unseen
from procure.lots import service as lots
from procure.lots.errors import LotNotClosed, LotNotFound, LotStateWrong
from procure.lots.models import Lot
from procure.vault.keyring import FileKeyring

TICK = timedelta(microseconds=1)


# The seal.


async def test_rule_i_the_seal_commits_in_public_to_every_bid_that_stands(
    db: AsyncSession, lot: Lot, vault: FileKeyring
) -> None:
    standing = [await submitted_bid(db, lot, await supplier(db), vault) for _ in range(3)]
    gone = await supplier(db)
    await bids.withdraw(db, gone, (await submitted_bid(db, lot, gone, vault)).id)
    seal = await sealed_lot(db, lot)
    leaves = sorted(sealing.leaf(bid.id, bid.version, bid.digest, bid.received_at) for bid in standing)
    assert (seal.count, seal.root) == (3, merkle.root(leaves))
    assert await bids.find_seal(db, lot.id) is seal
    proof = merkle.inclusion_proof(leaves, 1)
    assert merkle.verify_inclusion(leaves[1], 1, seal.count, proof, seal.root)
    entry = (await entries(db, lot.id))[-1]
    assert (entry.type, entry.is_public, entry.hold) == ("bids.sealed", True, None)
    said = json.loads(entry.payload)
    assert (said["count"], said["root"]) == (3, seal.root.hex())
    assert await db.get(JournalHoldEnd, lot.id) is not None


async def test_a_lot_without_bids_is_sealed_as_empty(db: AsyncSession, lot: Lot) -> None:
    seal = await sealed_lot(db, lot)
    assert (seal.count, seal.root) == (0, hashlib.sha256(b"").digest())


async def test_a_lot_is_sealed_once_and_never_early(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    with pytest.raises(LotNotClosed):
        await bids.seal_lot(db, SYSTEM, lot, lot.closes_at - TICK)
    with pytest.raises(SealNotFound):
        await bids.find_visible_seal(db, ANYONE, lot.id)
    await sealed_lot(db, lot)
    with pytest.raises(LotSealed):
        await bids.seal_lot(db, SYSTEM, lot, lot.closes_at)
    assert (await bids.find_visible_seal(db, ANYONE, lot.id)).count == 0
    draft = await drafted_lot(db, buyer)
    with pytest.raises(LotStateWrong):
        await bids.seal_lot(db, SYSTEM, draft, draft.closes_at)
    with pytest.raises(LotNotFound):
        await bids.find_visible_seal(db, ANYONE, draft.id)


# The opening.


async def test_opening_gives_back_exactly_what_was_bid(
    db: AsyncSession, buyer: Council, lot: Lot, vault: FileKeyring
) -> None:
    bidders = [await supplier(db, name) for name in ("First & Co", "Sécond Ltd")]
    drafts = [bid_draft(lot, total=total, text=f"Wir sitzen „{total}“.") for total in ("900.10", "11999.99")]
    made = [await bids.submit(desk(db, vault), one, lot.id, draft) for one, draft in zip(bidders, drafts, strict=True)]
    await sealed_lot(db, lot)
    opened = await opened_bids(db, lot, vault)
    assert [bid.id for bid in opened] == sorted(bid.id for bid in made)
    for bid, draft, name in zip(made, drafts, ("First & Co", "Sécond Ltd"), strict=True):
        row = await stored(db, bid.id)
        assert (row.status, row.content, row.supplier_name) == (BidStatus.OPENED, draft.content(), name)
        assert row.content is not None
        assert row.total == row.content.total
        assert row.opened_at is not None
        assert row.opened_at >= lot.closes_at
        entry = (await entries(db, bid.id))[-1]
        assert (entry.type, entry.digest) == ("bid.opened", digest(facts(row)))
        assert entry.audience_organisations == [buyer.organisation.id, row.supplier_id]
    assert [bid.id for bid in await bids.opened_bids(db, lot.id)] == sorted(bid.id for bid in made)


async def test_rule_d_no_entry_tells_what_an_opened_bid_says(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    bid = await submitted_bid(db, lot, bidder, vault, total="7319.42", text="Canary")
    await sealed_lot(db, lot)
    await opened_bids(db, lot, vault)
    for entry in await entries(db, bid.id):
        assert "7319" not in entry.payload
        assert "Canary" not in entry.payload


async def test_rules_b_and_e_nothing_is_opened_before_the_seal(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    bid = await submitted_bid(db, lot, bidder, vault)
    await move_clock(db, lot.closes_at)
    with pytest.raises(BidsNotSealed):
        await opened_bids(db, lot, vault)
    assert (await stored(db, bid.id)).content is None


def plaintext(**changes: Any) -> bytes:
    content = {
        "prices": [{"deliverable_id": "D1", "amount": "100.00"}, {"deliverable_id": "D2", "amount": "100.00"}],
        "answers": [{"criterion_id": "C1", "text": "Yes."}, {"criterion_id": "C3", "text": "Yes."}],
        "team": [{"name": "A", "discipline": "B"}],
    }
    return canonical(content | changes)


async def put_in_place(db: AsyncSession, lot: Lot, bid: Bid, content: bytes | None) -> None:
    """What a client that seals for itself could hand in; None: bytes that open for nobody."""
    assert lot.public_key is not None
    context = sealing.SealContext(lot.id, bid.lot_version, bid.supplier_id, bid.id, bid.version + (content is None))
    sealed = sealing.seal(lot.public_key, content or b"", context)
    statement = text("UPDATE bids SET sealed = :sealed, digest = :digest WHERE id = :id")
    await db.execute(statement, {"sealed": sealed, "digest": sealing.digest(sealed), "id": bid.id})
    db.expunge(bid)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "bid-unreadable"),
        (b"not json", "body-malformed"),
        (b"\xff\xfe", "body-malformed"),
        (b"[" * 100_000, "body-malformed"),
        (b'{"team": [], "team": []}', None),
        (plaintext(team="nobody"), "body-invalid"),
        (plaintext(answers=[{"criterion_id": "C1", "text": "a\x00b"}]), "body-invalid"),
        (plaintext(answers=[]), "bid-invalid"),
        (plaintext(prices=[{"deliverable_id": "D1", "amount": "1E+999999"}]), "bid-invalid"),
        (plaintext(prices=[{"deliverable_id": "D1", "amount": "NaN"}]), "bid-invalid"),
        (plaintext(), ""),
        (
            plaintext(
                answers=[{"criterion_id": id_, "text": "taken\u2800 by the rules of its day"} for id_ in ("C1", "C3")]
            ),
            "",
        ),
    ],
)
async def test_a_bid_that_cannot_be_read_is_recorded_and_never_holds_up_the_rest(
    db: AsyncSession, buyer: Council, lot: Lot, vault: FileKeyring, content: bytes | None, reason: str | None
) -> None:
    odd = await submitted_bid(db, lot, await supplier(db, "Odd Ltd"), vault)
    good = [await submitted_bid(db, lot, await supplier(db), vault) for _ in range(2)]
    await put_in_place(db, lot, odd, content)
    await sealed_lot(db, lot)
    await opened_bids(db, lot, vault)
    row = await stored(db, odd.id)
    entry = (await entries(db, odd.id))[-1]
    if reason == "":  # the controls: well-formed content opens
        assert (row.status, entry.type) == (BidStatus.OPENED, "bid.opened")
    else:
        assert (row.status, entry.type) == (BidStatus.UNREADABLE, "bid.opening_failed")
        assert (row.content, row.total, row.supplier_name) == (None, None, "Odd Ltd")
        assert reason is None or row.end_reason == json.loads(entry.payload)["reason"] == reason
        assert entry.audience_organisations == [buyer.organisation.id, row.supplier_id]
    assert entry.digest == digest(facts(row))
    for bid in good:
        assert (await stored(db, bid.id)).status is BidStatus.OPENED


async def test_rule_i_bids_that_are_not_those_of_the_seal_are_not_opened_and_that_is_recorded(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    bid = await submitted_bid(db, lot, bidder, vault)
    await sealed_lot(db, lot)
    for change in (
        "UPDATE bids SET received_at = received_at - interval '1 microsecond' WHERE id = :id",
        "UPDATE bids SET digest = sha256('another') WHERE id = :id",
        "UPDATE bids SET version = 2 WHERE id = :id",
        "UPDATE bids SET status = 'withdrawn' WHERE id = :id",
    ):
        async with db.begin_nested() as savepoint:
            await db.execute(text(change), {"id": bid.id})
            with pytest.raises(SealBroken) as caught:
                await opened_bids(db, lot, vault)
            assert refusal(caught.value).event.act == "bids.open"
            await savepoint.rollback()
    assert [one.status for one in await opened_bids(db, lot, vault)] == [BidStatus.OPENED]


async def test_rule_i_another_bid_sealed_in_its_place_is_unreadable(
    db: AsyncSession, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    """Anybody can seal to a public key: what tells the swap is the digest that the seal committed to."""
    bid = await submitted_bid(db, lot, bidder, vault)
    await sealed_lot(db, lot)
    committed = bid.digest
    await put_in_place(db, lot, bid, plaintext())
    await db.execute(text("UPDATE bids SET digest = :digest WHERE id = :id"), {"digest": committed, "id": bid.id})
    await opened_bids(db, lot, vault)
    row = await stored(db, bid.id)
    assert (row.status, row.end_reason) == (BidStatus.UNREADABLE, "bid-unreadable")


CHARACTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cf"]).filter(lambda one: unseen(one) is None)
texts = st.text(CHARACTERS, min_size=1, max_size=200).map(partial(normalize, "NFC")).filter(str.strip)


@given(texts, texts, texts, st.integers(1, 10**13))
def test_any_draft_that_is_taken_opens_as_what_was_sealed(answer: str, name: str, discipline: str, pence: int) -> None:
    draft = body.convert(
        {
            "prices": [
                {"deliverable_id": "D1", "price": {"amount": f"{pence // 100}.{pence % 100:02}", "currency": "GBP"}}
            ],
            "answers": [{"criterion_id": "C1", "text": answer}],
            "team": [{"name": name[:100].strip() or "A", "discipline": discipline[:100].strip() or "B"}],
        },
        BidDraft,
    )
    assert body.read(canonical(draft.content()), BidContent) == draft.content()


# Later steps.


async def test_later_steps_move_a_bid_and_each_move_is_recorded(
    db: AsyncSession, buyer: Council, lot: Lot, vault: FileKeyring
) -> None:
    made = [await submitted_bid(db, lot, await supplier(db), vault) for _ in range(3)]
    await sealed_lot(db, lot)
    winner, second, third = await opened_bids(db, lot, vault)
    await bids.mark_awarded(db, buyer.approver, winner)
    await bids.mark_opened(db, buyer.approver, winner)
    await bids.mark_awarded(db, buyer.approver, second)
    with pytest.raises(BidStateWrong):
        await bids.mark_awarded(db, buyer.approver, second)
    assert {bid.id for bid in await bids.opened_bids(db, lot.id)} == {bid.id for bid in made}
    await bids.mark_unsuccessful(db, buyer.approver, lot.id, except_bid_id=second.id)
    statuses = {bid.id: bid.status for bid in (winner, second, third)}
    assert statuses == {
        winner.id: BidStatus.UNSUCCESSFUL,
        second.id: BidStatus.AWARDED,
        third.id: BidStatus.UNSUCCESSFUL,
    }
    moves = (await entries(db, winner.id))[-3:]
    assert [json.loads(entry.payload)["status"] for entry in moves] == ["awarded", "opened", "unsuccessful"]
    assert moves[-1].audience_organisations == [buyer.organisation.id, winner.supplier_id]
    assert moves[-1].digest == digest(facts(await stored(db, winner.id)))
    await bids.mark_unsuccessful(db, buyer.approver, lot.id)
    assert (await stored(db, second.id)).status is BidStatus.UNSUCCESSFUL
    assert await bids.opened_bids(db, lot.id) == []


async def test_who_bid_for_a_lot_that_ended_unopened_stays_untold(
    db: AsyncSession, buyer: Council, lot: Lot, bidder: Actor, vault: FileKeyring
) -> None:
    bid = await submitted_bid(db, lot, bidder, vault)
    await lots.cancel(db, buyer.approver, lot.id, "The need has gone.")
    await bids.mark_unsuccessful(db, buyer.approver, lot.id)
    entry = (await entries(db, bid.id))[-1]
    assert (entry.type, entry.audience_organisations) == ("bid.moved", [bidder.organisation_id])
    assert (await stored(db, bid.id)).status is BidStatus.UNSUCCESSFUL
    with pytest.raises(BidNotFound):
        await bids.get_bid(db, uuid4())

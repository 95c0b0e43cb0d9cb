"""What PostgreSQL builds is what Python would have answered, field by field, in every state of a lot."""

from typing import Any

import msgspec
import pytest
from cachetools import LRUCache
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, council, drafted_lot, move_clock, published_lot
from procure.kit import clock
from procure.kit.actor import ANYONE
from procure.kit.db import Sessions
from procure.kit.driver import SessionDriver
from procure.kit.paging import Page, Paging
from procure.lots import projections
from procure.lots import service as lots
from procure.lots.errors import LotNotFound
from procure.lots.models import Lot
from procure.lots.rules import LotStatus, Phase
from procure.lots.schemas import LotSummary, LotView
from procure.vault.keyring import FileKeyring


@pytest.fixture
def driver(sessions: Sessions) -> SessionDriver:
    return SessionDriver.beside(sessions)


def paging(limit: int = 50) -> Paging:
    return Paging(limit=limit, after=None, path="/v1/lots", query=())


async def both(db: AsyncSession, driver: SessionDriver, buyer: Council, lot: Lot) -> None:
    """One lot, in its present state, read and listed both ways."""
    await db.commit()
    now = await clock.now(db)
    read, etag = await projections.read_lot(driver, buyer.officer, lot.id)
    assert msgspec.json.decode(read, type=LotView) == LotView.of(lot, now)
    assert etag == LotView.of(lot, now).etag
    assert set(msgspec.json.decode(read)) == set(msgspec.to_builtins(LotView.of(lot, now)))
    listed = await projections.list_lots(driver, buyer.officer, paging())
    assert msgspec.json.decode(listed, type=Page[LotSummary]).items == [LotSummary.of(lot, now)]


async def test_a_draft(db: AsyncSession, driver: SessionDriver) -> None:
    buyer = await council(db)
    await both(db, driver, buyer, await drafted_lot(db, buyer))


async def test_a_published_then_closed_then_cancelled_lot(
    db: AsyncSession, driver: SessionDriver, vault: FileKeyring
) -> None:
    buyer = await council(db, central=True)  # 24,000.00 is notifiable there, so that the notice is in the view
    lot = await published_lot(db, buyer, vault)
    assert lot.notice_at is not None
    await both(db, driver, buyer, lot)
    await move_clock(db, lot.closes_at)
    await both(db, driver, buyer, lot)
    lot = await lots.cancel(db, buyer.approver, lot.id, 'The "need" has gone: ümlaut, \\ and \n line.')
    await both(db, driver, buyer, lot)


async def test_what_is_kept_is_never_older_than_the_row_whoever_wrote_it(
    db: AsyncSession, driver: SessionDriver, vault: FileKeyring
) -> None:
    lot = await published_lot(db, await council(db), vault)
    await db.commit()
    assert b"A title of the owner's" not in (await projections.read_lot(driver, ANYONE, lot.id))[0]
    for title in ("A title of the owner's", "And another"):  # without a new version, twice in one transaction
        await db.execute(text("UPDATE lots SET title = :title WHERE id = :id"), {"title": title, "id": lot.id})
        assert title.encode() in (await projections.read_lot(driver, ANYONE, lot.id))[0]


async def test_a_draft_that_its_buyer_has_read_stays_unseen_by_others(db: AsyncSession, driver: SessionDriver) -> None:
    buyer = await council(db)
    lot = await drafted_lot(db, buyer)
    await db.commit()
    await projections.read_lot(driver, buyer.officer, lot.id)
    with pytest.raises(LotNotFound):
        await projections.read_lot(driver, ANYONE, lot.id)


async def test_what_is_kept_is_bounded_and_holds_one_state_of_a_lot(
    db: AsyncSession, driver: SessionDriver, vault: FileKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer = await council(db)
    first, second = await drafted_lot(db, buyer), await drafted_lot(db, buyer)
    await db.commit()
    size = len((await projections.read_lot(driver, buyer.officer, first.id))[0])
    monkeypatch.setattr(projections, "_kept", LRUCache(1.5 * size, getsizeof=projections.size))
    for lot in (first, first, second):
        body, _ = await projections.read_lot(driver, buyer.officer, lot.id)
        assert [kept.body for kept in projections._kept.values()] == [body]
        await db.execute(text("UPDATE lots SET title = title || '.' WHERE id = :id"), {"id": lot.id})


async def test_instants_are_answered_in_utc_with_a_z(
    db: AsyncSession, driver: SessionDriver, vault: FileKeyring
) -> None:
    buyer = await council(db)
    lot = await published_lot(db, buyer, vault)
    await db.commit()
    body = msgspec.json.decode((await projections.read_lot(driver, ANYONE, lot.id))[0])
    assert body["closes_at"] == lot.closes_at.isoformat().replace("+00:00", "Z")
    assert all(body[name].endswith("Z") for name in ("published_at", "created_at", "enquiries_close_at"))


async def test_filters_choose_by_the_status_of_now(db: AsyncSession, driver: SessionDriver, vault: FileKeyring) -> None:
    buyer = await council(db)
    lot = await published_lot(db, buyer, vault)
    await db.commit()

    async def found(**wanted: Any) -> bool:
        body = await projections.list_lots(driver, ANYONE, paging(), **wanted)
        return [item["id"] for item in msgspec.json.decode(body)["items"]] == [str(lot.id)]

    assert await found(
        status=LotStatus.PUBLISHED, phase=Phase.DISCOVER, outcome_id=lot.outcome_id, buyer_id=lot.buyer_id
    )
    assert not await found(status=LotStatus.CLOSED)
    assert not await found(phase=Phase.DELIVER)
    await move_clock(db, lot.closes_at)
    await db.commit()
    assert await found(status=LotStatus.CLOSED)
    assert not await found(status=LotStatus.PUBLISHED)

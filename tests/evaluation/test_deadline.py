"""One deadline: whoever compares `now` with `closes_at`, in Python, in SQL or in the vault, finds what `has_closed` finds."""

import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import DateTime, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from build import council, published_lot
from procure.bids import rules as bid_rules
from procure.bids import statements
from procure.evaluation import opening
from procure.kit.db import Sessions
from procure.kit.errors import Fact
from procure.lots import models, projections, rules
from procure.lots.models import Lot
from procure.lots.rules import LotStatus
from procure.vault.errors import KeyNotDue
from procure.vault.keyring import FileKeyring

TICK = timedelta(microseconds=1)
MOMENTS = {"before": (-TICK, False), "at": (timedelta(), True), "after": (TICK, True)}
moments = pytest.mark.parametrize(("by", "is_closed"), MOMENTS.values(), ids=MOMENTS)


@pytest.fixture
async def lot(db: AsyncSession, vault: FileKeyring) -> Lot:
    lot = await published_lot(db, await council(db), vault)
    await db.commit()
    return lot


def holds(check: Callable[..., object], *values: Any, **named: Any) -> bool:
    try:
        check(*values, **named)
    except Fact:
        return False
    return True


@moments
async def test_in_python(lot: Lot, by: timedelta, is_closed: bool) -> None:
    closes_at, now = lot.closes_at, lot.closes_at + by
    at = (LotStatus.PUBLISHED, closes_at, now)
    assert rules.has_closed(closes_at, now) == is_closed
    assert (rules.status_at(*at) is LotStatus.CLOSED) == is_closed
    assert holds(rules.check_open, *at) != is_closed
    assert holds(rules.check_closed, *at) == is_closed
    assert holds(bid_rules.check_taking, *at, is_sealed=False) != is_closed
    assert holds(bid_rules.check_sealable, *at, is_sealed=False) == is_closed
    assert holds(bid_rules.check_openable, closes_at, now, is_sealed=True) == is_closed
    assert opening._has_closed(lot, now) == is_closed


@moments
async def test_in_the_status_that_is_selected(
    db: AsyncSession, lot: Lot, monkeypatch: pytest.MonkeyPatch, by: timedelta, is_closed: bool
) -> None:
    moment = lot.closes_at + by
    monkeypatch.setattr(models, "app_now", lambda: literal(moment, DateTime(timezone=True)))
    assert (await db.scalar(select(models.status_now()).where(Lot.id == lot.id)) == "closed") == is_closed


@moments
async def test_in_the_status_of_the_hot_reads(db: AsyncSession, lot: Lot, by: timedelta, is_closed: bool) -> None:
    statement = (
        f"SELECT {projections._STATUS} FROM lots, (SELECT CAST(:now AS timestamptz) AS now) AS clock WHERE id = :id"
    )
    found = await db.scalar(text(statement), {"now": lot.closes_at + by, "id": lot.id})
    assert (found == "closed") == is_closed


@moments
async def test_among_the_lots_that_the_worker_seals(
    sessions: Sessions, lot: Lot, monkeypatch: pytest.MonkeyPatch, by: timedelta, is_closed: bool
) -> None:
    moment = lot.closes_at + by
    monkeypatch.setattr(opening, "app_now", lambda: literal(moment, DateTime(timezone=True)))
    assert (lot.id in await opening._due(sessions)) == is_closed


def _at_moment(sql: str) -> str:
    assert "app_now()" in sql
    return sql.replace("app_now()", "CAST(:moment AS timestamptz)")


@moments
async def test_where_a_bid_is_stored(db: AsyncSession, lot: Lot, by: timedelta, is_closed: bool) -> None:
    sql = _at_moment(statements._OPEN_LOT) + " SELECT count(*) FROM lot"
    values = {"moment": lot.closes_at + by, "lot_id": lot.id, "lot_version": lot.version, "key_id": lot.key_id}
    assert (await db.scalar(text(sql), values) == 0) == is_closed


@moments
async def test_where_a_bid_that_waited_is_stored_late(
    db: AsyncSession, lot: Lot, by: timedelta, is_closed: bool
) -> None:
    found = re.search(r"SELECT bid\.received_at, (.+) AS in_time ", statements._RECORD)
    assert found
    sql = f"SELECT {_at_moment(found[1])} FROM lots AS lot WHERE id = :id"
    assert await db.scalar(text(sql), {"moment": lot.closes_at + by, "id": lot.id}) is not is_closed


@moments
async def test_in_the_vault(lot: Lot, vault: FileKeyring, tmp_path: Path, by: timedelta, is_closed: bool) -> None:
    """By a comparison of its own, since it knows no lots."""

    async def moment() -> datetime:
        return lot.closes_at + by

    async def opens(opening_: Awaitable[object]) -> bool:
        try:
            await opening_
        except KeyNotDue:
            return False
        return True

    assert lot.key_id is not None
    keyring = FileKeyring(tmp_path / "keys" / "vault", moment)
    assert await opens(keyring.open_lot(lot.id, lot.key_id)) == is_closed


def test_nobody_else_compares_the_two() -> None:
    """A new comparison belongs to the list above."""
    source = Path(rules.__file__).parents[1]
    compared = re.compile(r"(?:now(?:\(\))?\s*(?:<|>)=?\s*[\w.]*\bcloses_at)|(?:\bcloses_at\s*(?:<|>)=?\s*[\w.]*now)")
    found = {str(path.relative_to(source)): len(compared.findall(path.read_text())) for path in source.rglob("*.py")}
    assert {path: count for path, count in found.items() if count} == {
        "bids/statements.py": 3,  # once in its comment
        "evaluation/opening.py": 1,
        "lots/models.py": 1,
        "lots/projections.py": 1,
        "lots/rules.py": 1,
    }

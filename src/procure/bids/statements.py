"""The hot path of a submission: one statement that judges, stores and records, and what a lot asks, kept in memory.

A deadline brings its bids at once, so a submission is one unit of the driver (`kit.driver`): the lot's lock shared, then one
statement. The second is a later statement than the lock, so its snapshot and its clock are newer than whatever the lock had to
wait for. A session would cost more than both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from cachetools import LRUCache
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.ext.asyncio import AsyncSession

from procure.bids.events import BidReplaced, BidSubmitted
from procure.bids.models import BidFacts, SealedBid
from procure.bids.rules import Asked, BidStatus
from procure.bids.schemas import BidReceipt
from procure.journal import service as journal
from procure.journal.events import within
from procure.kit.actor import Actor
from procure.kit.canonical import canonical
from procure.kit.db import sharing
from procure.kit.driver import Driver
from procure.kit.idempotency import IS_FREE, KeyedRequest
from procure.kit.trial import Trial
from procure.lots.models import Criterion, Deliverable, Lot
from procure.lots.rules import CriterionKind
from procure.vault.keys import LotKey

_DIALECT = dialect()  # type: ignore[no-untyped-call]

#: Lots whose published part is kept; one that is pushed out is read again, no more.
KEPT_MAX = 1024

#: Stands in payload and facts where only the database knows the moment; `models.instant` is the same form in Python.
RECEIVED_AT = "@received_at@"

# `clock.now < lots.closes_at` is the opposite of `lots.rules.has_closed`.
_OPEN_LOT = """
WITH clock AS MATERIALIZED (
  SELECT app_now() AS now
), lot AS MATERIALIZED (
  SELECT lots.closes_at, clock.now, to_char(clock.now AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS instant
  FROM lots CROSS JOIN clock
  WHERE lots.id = :lot_id AND lots.version = :lot_version AND lots.key_id = :key_id
    AND lots.status = 'published' AND clock.now < lots.closes_at
    AND NOT EXISTS (SELECT FROM lot_seals WHERE lot_seals.lot_id = lots.id)
)"""

_INSERT = """, bid AS (
  INSERT INTO bids (id, lot_id, supplier_id, status, lot_version, key_id, sealing_mode, sealed, digest, received_at,
    submitted_by, created_at, version)
  SELECT :bid_id, :lot_id, :supplier_id, 'submitted', :lot_version, :key_id, :sealing_mode, :sealed, :digest, lot.now,
    :submitted_by, lot.now, :version
  FROM lot
  WHERE {is_free}
  ON CONFLICT (lot_id, supplier_id) WHERE status <> 'withdrawn' DO NOTHING
  RETURNING received_at
)"""

_UPDATE = """, bid AS (
  UPDATE bids SET lot_version = :lot_version, key_id = :key_id, sealing_mode = :sealing_mode, sealed = :sealed,
    digest = :digest, received_at = lot.now, submitted_by = :submitted_by, version = :version
  FROM lot
  WHERE bids.id = :bid_id AND bids.lot_id = :lot_id AND bids.supplier_id = :supplier_id
    AND bids.status = 'submitted' AND bids.version = :version - 1
    AND {is_free}
  RETURNING bids.received_at
)"""

# `in_time`: the insert may have waited for another transaction of the same supplier; what is stored after the deadline is late (the
# opposite of `lots.rules.has_closed`).
_RECORD = """, entry AS (
  INSERT INTO journal_entries (at, type, event_version, object_type, object_id, object_version, organisation_id, client_id,
    person_id, request_id, payload, digest, personal_hash, hold, is_public, audience_organisations, audience_roles,
    audience_persons)
  SELECT lot.now, :entry_type, :entry_event_version, :entry_object_type, :entry_object_id, :entry_object_version,
    :entry_organisation_id, :entry_client_id, :entry_person_id, :entry_request_id,
    CAST(replace(:entry_payload, :marker, lot.instant) AS json),
    sha256(convert_to(replace(:facts, :marker, lot.instant), 'UTF8')),
    :personal_hash, :entry_hold, :entry_is_public, :entry_audience_organisations, :entry_audience_roles,
    :entry_audience_persons
  FROM bid CROSS JOIN lot
  RETURNING id
), apart AS (
  INSERT INTO journal_personal (entry_id, salt, data)
  SELECT entry.id, :personal_salt, :personal_data FROM entry WHERE CAST(:personal_salt AS bytea) IS NOT NULL
)
SELECT bid.received_at, app_now() < lot.closes_at AS in_time FROM bid CROSS JOIN lot"""


class _Statement:
    """SQL with named values, as the driver takes it: `$1`, `$2` and the values in that order."""

    def __init__(self, sql: str) -> None:
        compiled = text(sql).compile(dialect=_DIALECT)
        self.sql = compiled.string
        self._names = compiled.positiontup or ()

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        return [values[name] for name in self._names]


_FIRST = _Statement(_OPEN_LOT + _INSERT.format(is_free=IS_FREE) + _RECORD)
_LATER = _Statement(_OPEN_LOT + _UPDATE.format(is_free=IS_FREE) + _RECORD)
_RECEIVED = "SELECT received_at FROM bids WHERE id = $1 AND version = $2 AND digest = $3"


class NotInTime(Exception):
    """The lot closed while the statement waited for another transaction of the same supplier; nothing was stored."""


async def store(
    driver: Driver, actor: Actor, bid: SealedBid, once: KeyedRequest | Trial | None = None
) -> datetime | None:
    """Store this version, its journal entry and its key's reply, all or nothing: only while the lot is open, as it was read, and unsealed.

    Version 1 is inserted unless the supplier has a live bid; a later one takes the place of the version before it. The time of
    receipt, or None if one of the conditions does not hold; raises NotInTime, and CommitUnknown (`kit.driver`).
    """
    statement = _FIRST if bid.version == 1 else _LATER
    arguments = statement.arguments({**_values(actor, bid), "once_id": once.id if once else None})
    first, last = (once.claim(), once.keeping) if once else ("", str)
    async with driver.unit(first + sharing(bid.lot_id), of=bid.lot_id, last=last) as unit:
        row = await unit.fetchrow(statement.sql, *arguments)
        if row is not None and not row["in_time"]:
            raise NotInTime
        if row is not None and once is not None:
            once.answer(BidReceipt.of(bid, BidStatus.SUBMITTED, row["received_at"]))
    return row["received_at"] if row is not None else None


async def find_received(driver: Driver, bid: SealedBid) -> datetime | None:
    """When this very version was received, if it was stored. None says nothing of a COMMIT that is still under way."""
    rows = await driver.rows(_RECEIVED, bid.id, bid.version, bid.digest)
    return rows[0]["received_at"] if rows else None


def _values(actor: Actor, bid: SealedBid) -> dict[str, Any]:
    """The row, its entry (the supplier's alone, held until the seal), and what of it is personal."""
    entry = journal.entry_values(actor, _event(bid), within(bid.supplier_id), hold=bid.lot_id)
    salt, data, hashed = journal.personal_values(actor) or (None, None, None)
    return {
        "bid_id": bid.id,
        "lot_id": bid.lot_id,
        "supplier_id": bid.supplier_id,
        "lot_version": bid.lot_version,
        "key_id": bid.key_id,
        "sealing_mode": bid.sealing_mode,
        "sealed": bid.sealed,
        "digest": bid.digest,
        "submitted_by": bid.submitted_by,
        "version": bid.version,
        "facts": canonical(_facts(bid)).decode(),
        "marker": RECEIVED_AT,
        "personal_salt": salt,
        "personal_data": data,
        "personal_hash": hashed,
        **{f"entry_{name}": value for name, value in entry.items()},
    }


def _facts(bid: SealedBid) -> BidFacts:
    return BidFacts(
        id=bid.id,
        lot_id=bid.lot_id,
        supplier_id=bid.supplier_id,
        status=BidStatus.SUBMITTED,
        version=bid.version,
        lot_version=bid.lot_version,
        key_id=bid.key_id,
        sealing_mode=bid.sealing_mode,
        digest=bid.digest.hex(),
        received_at=RECEIVED_AT,
        submitted_by=bid.submitted_by,
    )


def _event(bid: SealedBid) -> BidSubmitted | BidReplaced:
    return (BidSubmitted if bid.version == 1 else BidReplaced)(
        object_id=bid.id,
        object_version=bid.version,
        lot_id=bid.lot_id,
        lot_version=bid.lot_version,
        digest=bid.digest.hex(),
        received_at=RECEIVED_AT,
        sealing_mode=bid.sealing_mode,
    )


@dataclass(frozen=True, slots=True)
class PublishedLot:
    """What of a published lot a bid is judged by and sealed to. It does not change within one version of the lot."""

    id: UUID
    version: int
    buyer_id: UUID
    closes_at: datetime
    asked: Asked
    key: LotKey


_kept: LRUCache[UUID, PublishedLot] = LRUCache(KEPT_MAX)


def kept(lot_id: UUID) -> PublishedLot | None:
    """The lot from memory, if it is there; `store` checks that this version is the current one."""
    return _kept.get(lot_id)


async def find_published(db: AsyncSession, lot_id: UUID) -> PublishedLot | None:
    """The lot if it has been published; remembered from here on."""
    lot = await _read(db, lot_id)
    if lot is not None:
        _kept[lot_id] = lot
    return lot


def forget(lot_id: UUID) -> None:
    """Read this lot again the next time."""
    _kept.pop(lot_id, None)


async def _read(db: AsyncSession, lot_id: UUID) -> PublishedLot | None:
    columns = (
        Lot.version,
        Lot.buyer_id,
        Lot.closes_at,
        Lot.deliverables,
        Lot.criteria,
        Lot.ceiling,
        Lot.currency,
        Lot.key_id,
        Lot.key_scheme,
        Lot.public_key,
        Lot.key_signature,
    )
    row = (await db.execute(select(*columns).where(Lot.id == lot_id, Lot.published_at.is_not(None)))).one_or_none()
    if row is None or row.key_id is None:
        return None
    key = LotKey(lot_id, row.key_id, row.key_scheme, row.public_key, row.key_signature)
    asked = asked_of(row.deliverables, row.criteria, row.ceiling, row.currency)
    return PublishedLot(lot_id, row.version, row.buyer_id, row.closes_at, asked, key)


def asked_of(
    deliverables: Sequence[Deliverable], criteria: Sequence[Criterion], ceiling: Decimal, currency: str
) -> Asked:
    """What a lot asks of a bid."""
    return Asked(
        deliverable_ids=tuple(one.id for one in deliverables),
        criterion_ids=tuple(one.id for one in criteria if one.kind is not CriterionKind.PRICE),
        ceiling=ceiling,
        currency=currency,
    )

"""The SQL of timelines: which entries are about a thing and its children. Each says itself who may see it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from procure.journal.documents import COLUMNS
from procure.journal.lists import VISIBLE, reached, seer
from procure.kit.actor import Actor

#: A thing and what belongs to it, as entries name them. A lot's bids are gone through once their hold has ended: how long the reply
#: takes would count them before. So it would the enquiries that are not published: they are gone through for asker and buyer alone.
_OUTCOME = """
SELECT 'outcome' AS kind, CAST(:id AS uuid) AS about
UNION ALL SELECT 'proposal', id FROM outcome_proposals WHERE outcome_id = :id
UNION ALL SELECT 'lot', id FROM lots WHERE outcome_id = :id
UNION ALL SELECT 'award', awards.id FROM awards JOIN lots ON lots.id = awards.lot_id WHERE lots.outcome_id = :id
UNION ALL SELECT 'contract', contracts.id FROM contracts JOIN lots ON lots.id = contracts.lot_id WHERE lots.outcome_id = :id"""
_LOT = """
SELECT 'lot' AS kind, CAST(:id AS uuid) AS about
UNION ALL SELECT 'lot_seal', CAST(:id AS uuid)
UNION ALL SELECT 'enquiry', id FROM enquiries WHERE lot_id = :id AND published_at IS NOT NULL
UNION ALL SELECT 'enquiry', id FROM enquiries WHERE lot_id = :id AND published_at IS NULL AND (supplier_id = CAST(:organisation AS uuid)
  OR EXISTS (SELECT FROM lots WHERE lots.id = lot_id AND buyer_id = CAST(:organisation AS uuid)))
UNION ALL SELECT 'bid', id FROM bids WHERE lot_id = :id AND EXISTS (SELECT FROM journal_hold_ends WHERE hold = :id)
UNION ALL SELECT 'award', id FROM awards WHERE lot_id = :id
UNION ALL SELECT 'contract', id FROM contracts WHERE lot_id = :id"""
_BID = """
SELECT 'bid' AS kind, CAST(:id AS uuid) AS about
UNION ALL SELECT 'award', awards.id FROM awards JOIN bids ON bids.id = bid_id AND bids.lot_id = awards.lot_id WHERE bids.id = :id"""
_CONTRACT = """
SELECT 'contract' AS kind, CAST(:id AS uuid) AS about
UNION ALL SELECT 'order', id FROM orders WHERE contract_id = :id
UNION ALL SELECT 'invoice', id FROM invoices WHERE contract_id = :id
UNION ALL SELECT 'payment', id FROM payments WHERE contract_id = :id"""


def _timeline(things: str) -> TextClause:
    """By `ix_journal_entries_object`: what was refused on a thing stands under its id as well."""
    return text(f"""
WITH things AS ({things}),
about AS (SELECT kind, about FROM things UNION ALL SELECT 'refusal', about FROM things)
SELECT position, {COLUMNS} FROM about
JOIN journal_entries ON object_type = about.kind AND object_id = about.about
JOIN journal_positions ON entry_id = journal_entries.id
WHERE position > :after AND position <= :beyond AND {VISIBLE}
ORDER BY position LIMIT :limit
""")  # noqa: S608 - SQL of our own


OUTCOME, LOT, BID, CONTRACT = _timeline(_OUTCOME), _timeline(_LOT), _timeline(_BID), _timeline(_CONTRACT)


async def changes(
    db: AsyncSession, actor: Actor, timeline: TextClause, id_: UUID, after: int, limit: int
) -> tuple[list[Mapping[str, Any]], int]:
    """What the caller may see of it beyond `after`, and where the next look begins."""
    beyond = await reached(db)
    found = await db.execute(timeline, {"id": id_, "after": after, "beyond": beyond, "limit": limit, **seer(actor)})
    rows: list[Mapping[str, Any]] = [dict(row) for row in found.mappings()]
    return rows, rows[-1]["position"] if len(rows) == limit else max(beyond, after)

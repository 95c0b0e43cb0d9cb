"""Each thing's own part of the journal, for whoever may read the thing."""

from uuid import UUID

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncSession

from procure.bids import service as bids
from procure.contracts import service as contracts
from procure.insights.timelines import lists
from procure.journal.schemas import Changes, ChangeView
from procure.kit.actor import Actor
from procure.lots import service as lots
from procure.outcomes import service as outcomes


async def of_outcome(db: AsyncSession, actor: Actor, outcome_id: UUID, after: int, limit: int) -> Changes:
    outcome = await outcomes.find_outcome(db, actor, outcome_id)
    return await _changes(db, actor, lists.OUTCOME, outcome.id, after, limit)


async def of_lot(db: AsyncSession, actor: Actor, lot_id: UUID, after: int, limit: int) -> Changes:
    lot = await lots.find_lot(db, actor, lot_id)
    return await _changes(db, actor, lists.LOT, lot.id, after, limit)


async def of_bid(db: AsyncSession, actor: Actor, bid_id: UUID, after: int, limit: int) -> Changes:
    bid = await bids.find_bid(db, actor, bid_id)
    return await _changes(db, actor, lists.BID, bid.id, after, limit)


async def of_contract(db: AsyncSession, actor: Actor, contract_id: UUID, after: int, limit: int) -> Changes:
    contract = await contracts.find_contract(db, actor, contract_id)
    return await _changes(db, actor, lists.CONTRACT, contract.id, after, limit)


async def _changes(db: AsyncSession, actor: Actor, timeline: TextClause, id_: UUID, after: int, limit: int) -> Changes:
    rows, next_ = await lists.changes(db, actor, timeline, id_, after, limit)
    return Changes(
        items=[ChangeView.of(row, actor) for row in rows],
        next=next_,
        is_caught_up=len(rows) < limit,
    )

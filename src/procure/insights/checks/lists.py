"""What a draft is compared with: the lots that its buyer has published, and those that were contracted."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.contracts.models import Contract
from procure.insights.checks.rules import PastLot, Won
from procure.lots.models import Lot

#: How far back it is looked.
PAST_MAX, WON_MAX = 200, 50


async def past_lots(db: AsyncSession, buyer_id: UUID) -> Sequence[PastLot]:
    statement = (
        select(Lot.ceiling, Lot.cpv, Lot.phase)
        .where(Lot.buyer_id == buyer_id, Lot.published_at.is_not(None))
        .order_by(Lot.created_at.desc(), Lot.id.desc())
        .limit(PAST_MAX)
    )
    return [PastLot(ceiling=ceiling, cpv=cpv, phase=phase) for ceiling, cpv, phase in await db.execute(statement)]


async def won_lots(db: AsyncSession, buyer_id: UUID) -> Sequence[Won]:
    """By their first contracts, newest first; a further iteration is no further win."""
    statement = (
        select(Lot.reference, Contract.outcome_id, Contract.supplier_id, Contract.supplier_name)
        .join(Lot, Lot.id == Contract.lot_id)
        .where(Contract.buyer_id == buyer_id, Contract.signed_at.is_not(None), Contract.number == 1)
        .order_by(Contract.created_at.desc(), Contract.id.desc())
        .limit(WON_MAX)
    )
    return [
        Won(lot=lot, outcome_id=outcome_id, supplier_id=supplier_id, supplier=supplier)
        for lot, outcome_id, supplier_id, supplier in await db.execute(statement)
    ]

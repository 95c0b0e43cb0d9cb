"""What anyone may see, whoever asks: every list here is read as a caller without a token would read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from procure.awards import service as awards
from procure.awards.models import Award
from procure.awards.rules import AwardStatus
from procure.contracts.models import Contract
from procure.contracts.rules import ContractStatus
from procure.contracts.service import public_contracts
from procure.kit import clock
from procure.kit.actor import ANYONE
from procure.kit.paging import Paging, after
from procure.lots.models import Lot, status_now
from procure.lots.rules import LotStatus
from procure.lots.service import visible_lots
from procure.outcomes import lists as outcome_lists
from procure.outcomes import service as outcomes
from procure.outcomes.rules import OutcomeStatus
from procure.register.schemas import ContractEntry, OutcomeEntry

FRONT_PAGE_ROWS = 10
_FRONT = Paging(limit=FRONT_PAGE_ROWS, after=None, path="/register", query=())


@dataclass(frozen=True, slots=True)
class FrontPage:
    """What the page shows: the latest of each, and the lots that close soonest."""

    outcomes: Sequence[OutcomeEntry]
    open_lots: Sequence[Lot]
    awards: Sequence[tuple[Award, Lot]]
    contracts: Sequence[ContractEntry]
    now: datetime


async def front_page(db: AsyncSession) -> FrontPage:
    return FrontPage(
        outcomes=(await list_outcomes(db, _FRONT))[:FRONT_PAGE_ROWS],
        open_lots=await _closing_soonest(db),
        awards=(await list_awards(db, _FRONT, status=AwardStatus.APPROVED))[:FRONT_PAGE_ROWS],
        contracts=(await list_contracts(db, _FRONT))[:FRONT_PAGE_ROWS],
        now=await clock.now(db),
    )


async def _closing_soonest(db: AsyncSession) -> Sequence[Lot]:
    statement = visible_lots(ANYONE).where(status_now() == LotStatus.PUBLISHED.value)
    return (await db.scalars(statement.order_by(Lot.closes_at, Lot.id).limit(2 * FRONT_PAGE_ROWS))).all()


async def list_outcomes(
    db: AsyncSession, paging: Paging, *, buyer_id: UUID | None = None, status: OutcomeStatus | None = None
) -> Sequence[OutcomeEntry]:
    """Outcomes that were activated, newest first, each with its progress and spend; four statements for a whole page."""
    rows = await outcomes.list_outcomes(db, ANYONE, paging, buyer_id=buyer_id, status=status)
    ids = [row.id for row in rows]
    measures = await outcome_lists.measures_of(db, ids)
    sums = await outcome_lists.sums_of(db, ids)
    return [OutcomeEntry.of(row, measures[row.id], outcome_lists.ledger_of(row, sums)) for row in rows]


async def list_awards(
    db: AsyncSession,
    paging: Paging,
    *,
    buyer_id: UUID | None = None,
    supplier_id: UUID | None = None,
    status: AwardStatus | None = None,
) -> Sequence[tuple[Award, Lot]]:
    """Awards that were approved, withdrawn since or not, newest first, with their lots."""
    return await awards.list_awards(db, ANYONE, paging, buyer_id=buyer_id, supplier_id=supplier_id, status=status)


async def list_contracts(
    db: AsyncSession,
    paging: Paging,
    *,
    buyer_id: UUID | None = None,
    supplier_id: UUID | None = None,
    outcome_id: UUID | None = None,
    status: ContractStatus | None = None,
) -> Sequence[ContractEntry]:
    """Contracts that both sides have signed, running or ended, newest first."""
    statement = public_contracts().options(selectinload(Contract.deliverables))
    filters = (
        (Contract.buyer_id, buyer_id),
        (Contract.supplier_id, supplier_id),
        (Contract.outcome_id, outcome_id),
        (Contract.status, status),
    )
    for column, wanted in filters:
        if wanted is not None:
            statement = statement.where(column == wanted)
    rows = await db.scalars(after(statement, Contract.created_at, Contract.id, paging))
    return [ContractEntry.of(row) for row in rows]

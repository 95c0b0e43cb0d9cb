"""The SQL by which outcomes are read: what was last seen of their measures, and the sums of their ledger; one outcome's or a page's."""

from collections import defaultdict
from collections.abc import Collection
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from procure.kit.money import Money
from procure.outcomes.models import LedgerEntry, Measure, Observation, Outcome
from procure.outcomes.rules import LedgerKind
from procure.outcomes.schemas import LedgerView, MeasureView

ZERO = Decimal(0)


async def measures_of(db: AsyncSession, outcome_ids: Collection[UUID]) -> dict[UUID, list[MeasureView]]:
    """By outcome, each measure with what was last seen of it."""
    seen = await _last_two(db, outcome_ids)
    rows = select(Measure).where(Measure.outcome_id.in_(outcome_ids)).order_by(Measure.outcome_id, Measure.number)
    found: dict[UUID, list[MeasureView]] = defaultdict(list)
    for row in await db.scalars(rows):
        latest, before = (*seen[row.id], None, None)[:2]
        found[row.outcome_id].append(MeasureView.of(row, latest, before))
    return found


async def _last_two(db: AsyncSession, outcome_ids: Collection[UUID]) -> dict[UUID, list[Observation]]:
    """By measure, of what no other observation supersedes the last seen, and what was seen before it."""
    of_these = Observation.outcome_id.in_(outcome_ids)
    superseded = select(Observation.supersedes_id).where(of_these, Observation.supersedes_id.is_not(None))
    latest_first = Observation.observed_on.desc(), Observation.id.desc()
    place = func.row_number().over(partition_by=Observation.measure_id, order_by=latest_first).label("place")
    placed = select(Observation, place).where(of_these, Observation.id.not_in(superseded)).subquery()
    row = aliased(Observation, placed)
    found: dict[UUID, list[Observation]] = defaultdict(list)
    for one in await db.scalars(select(row).where(placed.c.place <= 2).order_by(row.measure_id, placed.c.place)):
        found[one.measure_id].append(one)
    return found


async def sums_of(db: AsyncSession, outcome_ids: Collection[UUID]) -> dict[tuple[UUID, LedgerKind], Decimal]:
    """What each outcome's ledger comes to, by kind (net)."""
    key = (LedgerEntry.outcome_id, LedgerEntry.kind)
    statement = select(*key, func.sum(LedgerEntry.delta)).where(LedgerEntry.outcome_id.in_(outcome_ids)).group_by(*key)
    return {(outcome_id, kind): amount for outcome_id, kind, amount in await db.execute(statement)}


def ledger_of(row: Outcome, sums: dict[tuple[UUID, LedgerKind], Decimal]) -> LedgerView:
    """One outcome's of those sums."""
    committed, accepted, paid = (
        sums.get((row.id, kind), ZERO) for kind in (LedgerKind.COMMITTED, LedgerKind.ACCEPTED, LedgerKind.PAID)
    )
    return LedgerView(
        committed=Money.of(committed, row.currency),
        accepted=Money.of(accepted, row.currency),
        paid=Money.of(paid, row.currency),
        uncommitted=Money.of(row.envelope - committed, row.currency),
    )

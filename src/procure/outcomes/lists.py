"""The SQL by which outcomes are read: what was last seen of their measures, their ledger, and which may be one need."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Select, SQLColumnExpression, case, cast, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from procure.kit import clock
from procure.kit.money import AMOUNT_MAX, Money, gross
from procure.kit.paging import Paging, after
from procure.outcomes.models import LedgerEntry, Measure, Observation, Outcome, Proposal
from procure.outcomes.rules import LedgerKind
from procure.outcomes.schemas import (
    EstimateView,
    Figures,
    LedgerView,
    MeasureView,
    ProposalView,
    SiblingsView,
    SiblingView,
)
from procure.policy.errors import NoPolicyInForce
from procure.policy.rules import Band
from procure.policy.service import bands_for
from procure.policy.working_days import ZONE, local_day

ZERO = Decimal(0)
#: Digits of a CPV code that name its group (Regulation (EC) 213/2008).
GROUP = 3


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


async def figures_of(db: AsyncSession, row: Outcome) -> Figures:
    """What is shown of an outcome beside its row, as it is now."""
    now = await clock.now(db)
    ledger = ledger_of(row, await sums_of(db, [row.id]))
    siblings = await _siblings(db, row, local_day(now))
    count, beside = await _counted(db, siblings) if siblings is not None else (0, ZERO)
    own = row.tested
    together = beside + _value(row, ledger)
    rate, bands = await _bands(db, row, [own, together], now)

    def with_vat(net: Decimal) -> Money | None:
        return _with_vat(net, rate, row.currency)

    tested = await db.get(Proposal, row.estimate_proposal_id) if row.estimate_proposal_id else None
    return Figures(
        ledger=ledger,
        estimate=EstimateView(
            net=Money.of(own, row.currency),
            gross=with_vat(own),
            committed_gross=with_vat(ledger.committed.value),
            envelope_gross=with_vat(row.envelope),
            vat_rate=f"{rate:f}" if rate is not None else None,
            band=bands[0],
            proposal=ProposalView.of(tested) if tested else None,
        ),
        siblings=SiblingsView(
            count=count, net=_amount(together, row.currency), gross=with_vat(together), band=bands[1]
        ),
    )


def _with_vat(net: Decimal, rate: Decimal | None, currency: str) -> Money | None:
    return _amount(gross(net, rate), currency) if rate is not None else None


def _amount(amount: Decimal, currency: str) -> Money | None:
    """None beyond what an amount can be: what can be read is read all the same."""
    return Money.of(amount, currency) if amount <= AMOUNT_MAX else None


async def _counted(db: AsyncSession, siblings: Select[Any]) -> tuple[int, Decimal]:
    found = siblings.subquery()
    sums = select(func.count(), func.coalesce(func.sum(found.c.value), 0)).select_from(found)
    count, value = (await db.execute(sums)).one()
    return count, value


def _value(row: Outcome, ledger: LedgerView) -> Decimal:
    """What an outcome could come to, or came to."""
    return ledger.committed.value if row.ended_at else row.envelope


async def _bands(
    db: AsyncSession, row: Outcome, estimates: Sequence[Decimal], now: datetime
) -> tuple[Decimal | None, Sequence[Band | None]]:
    """The rate of VAT and each estimate's band; None while no policy is in force: what is there can be read all the same."""
    try:
        return await bands_for(db, row.buyer_id, estimates, now)
    except NoPolicyInForce:
        return None, [None] * len(estimates)


def _day(at: SQLColumnExpression[Any]) -> SQLColumnExpression[Any]:
    """`policy.working_days.local_day`."""
    return cast(func.timezone(str(ZONE), at), Date)


async def _siblings(db: AsyncSession, row: Outcome, today: date) -> Select[Any] | None:
    """Other outcomes of the buyer that were put into force, of the same CPV group, that run or ran at the same time."""
    if row.cpv is None:
        return None
    last = await db.scalar(select(func.max(Measure.target_on)).where(Measure.outcome_id == row.id))
    starts_on = local_day(row.activated_at) if row.activated_at else today
    ends_on = local_day(row.ended_at) if row.ended_at else max(today, last or today)
    target = select(func.max(Measure.target_on)).where(Measure.outcome_id == Outcome.id).correlate(Outcome)
    committed = select(func.coalesce(func.sum(LedgerEntry.delta), 0)).where(
        LedgerEntry.outcome_id == Outcome.id, LedgerEntry.kind == LedgerKind.COMMITTED
    )
    value = case((Outcome.ended_at.is_(None), Outcome.envelope), else_=committed.correlate(Outcome).scalar_subquery())
    starts = _day(Outcome.activated_at)
    ends = func.coalesce(_day(Outcome.ended_at), func.greatest(target.scalar_subquery(), literal(today, Date)))
    columns: tuple[SQLColumnExpression[Any], ...] = (
        *(Outcome.id, Outcome.reference, Outcome.title, Outcome.status, Outcome.cpv, Outcome.currency),
        *(Outcome.created_at, starts.label("starts_on"), ends.label("ends_on"), value.label("value")),
    )
    return select(*columns).where(
        Outcome.buyer_id == row.buyer_id,
        Outcome.id != row.id,
        Outcome.activated_at.is_not(None),
        func.left(Outcome.cpv, GROUP) == row.cpv[:GROUP],
        starts <= ends_on,
        ends >= starts_on,
        # What has ended and bought nothing adds nothing.
        value > 0,
    )


async def list_siblings(db: AsyncSession, row: Outcome, paging: Paging) -> list[tuple[SiblingView, datetime]]:
    """Newest first, each with when it was written down, and what it comes to with this one."""
    now = await clock.now(db)
    statement = await _siblings(db, row, local_day(now))
    if statement is None:
        return []
    found = (await db.execute(after(statement, Outcome.created_at, Outcome.id, paging))).all()
    own = _value(row, ledger_of(row, await sums_of(db, [row.id])))
    rate, bands = await _bands(db, row, [own + one.value for one in found], now)
    return [
        (
            SiblingView(
                id=one.id,
                reference=one.reference,
                title=one.title,
                status=one.status,
                cpv=one.cpv,
                starts_on=one.starts_on,
                ends_on=one.ends_on,
                value=Money.of(one.value, one.currency),
                together_gross=_with_vat(own + one.value, rate, row.currency),
                band=band,
            ),
            one.created_at,
        )
        for one, band in zip(found, bands, strict=True)
    ]

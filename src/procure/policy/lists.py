"""The SQL of dated rows: which holds on a day, and all of them."""

from collections.abc import Sequence
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from procure.kit.paging import Paging, after
from procure.policy.models import BandVersion, Dated, PolicyVersion, Terms, VatRate, latest
from procure.policy.rules import Jurisdiction

D = TypeVar("D", bound=Dated)


def _holding(kind: type[D], on: date, jurisdiction: Jurisdiction) -> Select[D]:
    """Rows that may hold on a day, the one that does first: the nation's own before the country's."""
    own = kind.jurisdiction == jurisdiction
    statement = select(kind).where(or_(own, kind.jurisdiction == jurisdiction.above), kind.valid_from <= on)
    return statement.order_by(own.desc(), *latest(kind))


async def vat_rate(db: AsyncSession, on: date, jurisdiction: Jurisdiction) -> VatRate | None:
    return await db.scalar(_holding(VatRate, on, jurisdiction).limit(1))


async def terms(db: AsyncSession, on: date, jurisdiction: Jurisdiction) -> Terms | None:
    return await db.scalar(_holding(Terms, on, jurisdiction).limit(1))


async def platform_limits(db: AsyncSession, on: date, jurisdiction: Jurisdiction) -> PolicyVersion | None:
    statement = _holding(PolicyVersion, on, jurisdiction).where(PolicyVersion.organisation_id.is_(None))
    return await db.scalar(statement.limit(1))


async def own_limits(db: AsyncSession, on: date, buyer_id: UUID) -> PolicyVersion | None:
    """A buyer's own version; it has one or none, wherever it is established."""
    version = PolicyVersion
    statement = select(version).where(version.organisation_id == buyer_id, version.valid_from <= on)
    return await db.scalar(statement.order_by(*latest(version)).limit(1))


async def bands(db: AsyncSession, on: date, jurisdiction: Jurisdiction) -> Sequence[BandVersion]:
    """Each band's row in force."""
    statement = _holding(BandVersion, on, jurisdiction).order_by(None)
    own = BandVersion.jurisdiction == jurisdiction
    statement = statement.order_by(BandVersion.band, own.desc(), *latest(BandVersion))
    return (await db.scalars(statement.ext(distinct_on(BandVersion.band)))).all()


async def page_of_rows(
    db: AsyncSession, kind: type[D], paging: Paging, *conditions: Any, same: Sequence[str] = ()
) -> Sequence[tuple[D, UUID | None]]:
    """All rows of a kind, coming ones too, those recorded last first; each with the row that was recorded later for the same day.

    `same`: by which columns rows are of one kind, beside their jurisdiction.
    """
    later: Any = aliased(kind)
    is_same = [getattr(later, name).is_not_distinct_from(getattr(kind, name)) for name in same]
    superseding = (
        select(later.id)
        .where(
            later.jurisdiction == kind.jurisdiction,
            later.valid_from == kind.valid_from,
            *is_same,
            func.row(later.recorded_at, later.id) > func.row(kind.recorded_at, kind.id),
        )
        .order_by(*latest(later))
        .limit(1)
        .scalar_subquery()
    )
    statement = select(kind, superseding.label("superseded_by")).where(*conditions)
    rows = await db.execute(after(statement, kind.recorded_at, kind.id, paging))
    return [(row[0], row[1]) for row in rows]

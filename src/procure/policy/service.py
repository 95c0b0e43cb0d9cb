"""Which rules hold for a buyer's outcome on a day."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.kit.money import gross
from procure.organisations.models import Organisation
from procure.policy.errors import NoPolicyInForce
from procure.policy.models import BandVersion, PolicyVersion, Terms, VatRate
from procure.policy.rules import Band, BandRow, Limits, Policy, band_of
from procure.policy.working_days import local_day

T = TypeVar("T")


async def policy_for(db: AsyncSession, buyer_id: UUID, estimate_net: Decimal, now: datetime) -> Policy:
    """The policy of a buyer's outcome whose estimate is `estimate_net` (its envelope), as in force at `now`."""
    on = local_day(now)
    buyer = _in_force(await db.get(Organisation, buyer_id))
    rate = await vat_rate(db, on)
    estimate = gross(estimate_net, rate)
    row = band_of(await _bands(db, on), estimate, is_central_government=buyer.is_central_government)
    return Policy(
        band=row.band,
        estimate_gross=estimate,
        vat_rate=rate,
        nation=buyer.nation,
        terms_version=(await _terms_in_force(db, on)).version,
        limits=await _limits(db, buyer_id, on),
        ceremony=row.ceremony,
    )


async def bands_for(
    db: AsyncSession, buyer_id: UUID, estimates_net: Sequence[Decimal], now: datetime
) -> tuple[Decimal, list[Band]]:
    """The rate of VAT in force, in percent, and the band that each of these estimates of a buyer's (net) reaches."""
    on = local_day(now)
    buyer = _in_force(await db.get(Organisation, buyer_id))
    rate, rows = await vat_rate(db, on), await _bands(db, on)
    is_central = buyer.is_central_government
    return rate, [band_of(rows, gross(net, rate), is_central_government=is_central).band for net in estimates_net]


async def vat_rate(db: AsyncSession, on: date) -> Decimal:
    """The standard rate in percent."""
    statement = select(VatRate.rate).where(VatRate.valid_from <= on).order_by(VatRate.valid_from.desc()).limit(1)
    return _in_force(await db.scalar(statement))


async def terms_text(db: AsyncSession, version: str) -> str:
    return (await db.get_one(Terms, version)).text


async def _terms_in_force(db: AsyncSession, on: date) -> Terms:
    statement = (
        select(Terms).where(Terms.valid_from <= on).order_by(Terms.valid_from.desc(), Terms.version.desc()).limit(1)
    )
    return _in_force(await db.scalar(statement))


async def _limits(db: AsyncSession, buyer_id: UUID, on: date) -> Limits:
    """The buyer's own version if it has one, else the platform's."""
    version = PolicyVersion
    statement = (
        select(version.limits)
        .where(version.valid_from <= on, or_(version.organisation_id == buyer_id, version.organisation_id.is_(None)))
        .order_by(version.organisation_id.is_(None), version.valid_from.desc())
        .limit(1)
    )
    return _in_force(await db.scalar(statement))


async def _bands(db: AsyncSession, on: date) -> list[BandRow]:
    """Each band's row in force."""
    newest = select(BandVersion.band, func.max(BandVersion.valid_from).label("valid_from")).where(
        BandVersion.valid_from <= on
    )
    latest = newest.group_by(BandVersion.band).subquery()
    statement = select(BandVersion).join(
        latest, (BandVersion.band == latest.c.band) & (BandVersion.valid_from == latest.c.valid_from)
    )
    return [
        BandRow(
            band=Band(row.band),
            threshold=row.threshold,
            threshold_central=row.threshold_central,
            ceremony=row.ceremony,
        )
        for row in await db.scalars(statement)
    ]


def _in_force(found: T | None) -> T:
    if found is None:
        raise NoPolicyInForce("No policy is in force for this buyer today; the operator has to load one.")
    return found

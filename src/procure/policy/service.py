"""Which rules hold for a buyer's outcome on a day, and the verbs by which the operator and a buyer record new ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from procure.journal import service as journal
from procure.journal.events import PUBLIC, Event
from procure.kit import clock
from procure.kit.actor import Actor, OrganisationKind, require_person
from procure.kit.errors import Faults
from procure.kit.ids import new_id
from procure.kit.money import gross
from procure.kit.paging import Paging
from procure.organisations.models import Organisation
from procure.organisations.rules import Nation
from procure.organisations.schemas import Party
from procure.policy import explanations, lists, rules
from procure.policy.errors import NoPolicyInForce, PolicyInvalid, PolicyNotFound, TermsNotFound, TermsVersionTaken
from procure.policy.events import (
    BandRecorded,
    PlatformLimitsRecorded,
    PolicyVersionRecorded,
    TermsRecorded,
    VatRateRecorded,
)
from procure.policy.models import BandVersion, Dated, PolicyVersion, Terms, VatRate
from procure.policy.rules import Band, BandRow, Ceremony, Jurisdiction, Limits, Policy, band_of, jurisdiction_of
from procure.policy.schemas import (
    BandDraft,
    BandView,
    LimitView,
    PlatformLimitsDraft,
    PolicyVersionDraft,
    PolicyView,
    Source,
    TermsDraft,
    TermsSummary,
    VatRateDraft,
    VatRateView,
    limit_values,
    values_of,
)
from procure.policy.working_days import local_day

T = TypeVar("T")
D = TypeVar("D", bound=Dated)
Rule = BandDraft | VatRateDraft | TermsDraft | PlatformLimitsDraft | PolicyVersionDraft


async def policy_for(db: AsyncSession, buyer_id: UUID, estimate_net: Decimal, now: datetime) -> Policy:
    """The policy of a buyer's outcome whose estimate is `estimate_net` (its envelope), as in force at `now`."""
    on = local_day(now)
    buyer = _in_force(await db.get(Organisation, buyer_id))
    jurisdiction = jurisdiction_of(Nation(buyer.nation))
    rate = _in_force(await lists.vat_rate(db, on, jurisdiction)).rate
    estimate = gross(estimate_net, rate)
    rows = [_band_row(row) for row in await lists.bands(db, on, jurisdiction)]
    row = band_of(rows, estimate, is_central_government=buyer.is_central_government)
    return Policy(
        band=row.band,
        estimate_gross=estimate,
        vat_rate=rate,
        nation=buyer.nation,
        terms_version=_in_force(await lists.terms(db, on, jurisdiction)).version,
        limits=(await _limits(db, on, jurisdiction, buyer_id)).holding,
        ceremony=row.ceremony,
    )


async def bands_for(
    db: AsyncSession, buyer_id: UUID, estimates_net: Sequence[Decimal], now: datetime
) -> tuple[Decimal, list[Band]]:
    """The rate of VAT in force, in percent, and the band that each of these estimates of a buyer's (net) reaches."""
    on = local_day(now)
    buyer = _in_force(await db.get(Organisation, buyer_id))
    jurisdiction, is_central = jurisdiction_of(Nation(buyer.nation)), buyer.is_central_government
    rate = _in_force(await lists.vat_rate(db, on, jurisdiction)).rate
    rows = [_band_row(row) for row in await lists.bands(db, on, jurisdiction)]
    return rate, [band_of(rows, gross(net, rate), is_central_government=is_central).band for net in estimates_net]


async def vat_rate(db: AsyncSession, on: date) -> Decimal:
    """The standard rate in percent; it is the same in the whole country."""
    return _in_force(await lists.vat_rate(db, on, Jurisdiction.UNITED_KINGDOM)).rate


async def terms_text(db: AsyncSession, version: str) -> str:
    return (await find_terms(db, version)).text


async def find_terms(db: AsyncSession, version: str) -> Terms:
    """The terms of this version, in force or not: contracts go by what was once in force, and what is to come is known before."""
    found = await db.scalar(select(Terms).where(Terms.version == version))
    if found is None:
        raise TermsNotFound("There are no terms of this version.")
    return found


@dataclass(frozen=True, slots=True)
class _InForce:
    """The platform's limits and the buyer's own, if it has any, as they are on a day."""

    platform: PolicyVersion
    own: PolicyVersion | None

    @property
    def whole(self) -> Limits:
        # What a new release limits besides, has its default until a row says otherwise.
        return limits_of(self.platform.limits)

    @property
    def holding(self) -> Limits:
        return rules.narrowed(self.whole, self.own.limits) if self.own else self.whole


def limits_of(values: Mapping[str, Any]) -> Limits:
    """Which of them are amounts has been for the draft to say."""
    return Limits(**values)


async def _limits(db: AsyncSession, on: date, jurisdiction: Jurisdiction, buyer_id: UUID | None) -> _InForce:
    platform = _in_force(await lists.platform_limits(db, on, jurisdiction))
    return _InForce(platform, await lists.own_limits(db, on, buyer_id) if buyer_id else None)


def _band_row(row: BandVersion) -> BandRow:
    return BandRow(
        band=Band(row.band), threshold=row.threshold, threshold_central=row.threshold_central, ceremony=row.ceremony
    )


def _in_force(found: T | None) -> T:
    if found is None:
        raise NoPolicyInForce("No policy is in force for this buyer today; the operator has to load one.")
    return found


# What is read.


async def policy_on(
    db: AsyncSession, *, on: date | None, jurisdiction: Jurisdiction | None = None, buyer_id: UUID | None = None
) -> PolicyView:
    """Everything that holds on a day (today), with its reasons: of a buyer, or of a jurisdiction (the United Kingdom)."""
    day = on or local_day(await clock.now(db))
    buyer = await _buyer(db, buyer_id) if buyer_id else None
    whose = jurisdiction_of(Nation(buyer.nation)) if buyer else jurisdiction or Jurisdiction.UNITED_KINGDOM
    try:
        limits = await _limits(db, day, whose, buyer_id)
        vat = _in_force(await lists.vat_rate(db, day, whose))
        terms = _in_force(await lists.terms(db, day, whose))
    except NoPolicyInForce:
        raise PolicyNotFound(f"No policy is on record for {day}.") from None
    return PolicyView(
        on=day,
        jurisdiction=whose,
        buyer=Party(buyer.id, buyer.name) if buyer else None,
        is_central_government=buyer.is_central_government if buyer else None,
        limits=[_limit(name, limits) for name in explanations.LIMITS],
        bands=sorted(
            (BandView.of(row) for row in await lists.bands(db, day, whose)), key=lambda one: list(Band).index(one.band)
        ),
        vat=VatRateView.of(vat),
        terms=TermsSummary.of(terms),
    )


async def _buyer(db: AsyncSession, buyer_id: UUID) -> Organisation:
    buyer = await db.get(Organisation, buyer_id)
    if buyer is None or buyer.kind is not OrganisationKind.BUYER:
        raise PolicyNotFound("There is no such buyer.")
    return buyer


def _limit(name: str, limits: _InForce) -> LimitView:
    explanation, value = explanations.LIMITS[name], getattr(limits.holding, name)
    platform, own = getattr(limits.whole, name), limits.own.limits.get(name) if limits.own else None
    row = limits.own if limits.own and own is not None and value != platform else limits.platform
    return LimitView(
        name=name,
        bound=explanation.bound,
        value=explanations.plain(value),
        unit=explanation.unit,
        words=explanations.in_words(name, value),
        platform=explanations.plain(platform),
        own=explanations.plain(own) if own is not None else None,
        valid_from=row.valid_from,
        source=Source(row.source, row.source_url),
    )


async def list_bands(db: AsyncSession, paging: Paging) -> Sequence[tuple[BandVersion, UUID | None]]:
    return await lists.page_of_rows(db, BandVersion, paging, same=["band"])


async def list_vat_rates(db: AsyncSession, paging: Paging) -> Sequence[tuple[VatRate, UUID | None]]:
    return await lists.page_of_rows(db, VatRate, paging)


async def list_terms(db: AsyncSession, paging: Paging) -> Sequence[tuple[Terms, UUID | None]]:
    return await lists.page_of_rows(db, Terms, paging)


async def list_platform_limits(db: AsyncSession, paging: Paging) -> Sequence[tuple[PolicyVersion, UUID | None]]:
    is_platforms = PolicyVersion.organisation_id.is_(None)
    return await lists.page_of_rows(db, PolicyVersion, paging, is_platforms, same=["organisation_id"])


async def list_versions(
    db: AsyncSession, paging: Paging, *, buyer_id: UUID | None
) -> Sequence[tuple[PolicyVersion, UUID | None]]:
    """Of one buyer, or of all."""
    owner = PolicyVersion.organisation_id
    which = owner == buyer_id if buyer_id else owner.is_not(None)
    return await lists.page_of_rows(db, PolicyVersion, paging, which, same=["organisation_id"])


# What is recorded. Each is a new row from a later day on: a lot is judged by the day of its publication, and keeps what it was judged by.


async def record_band(db: AsyncSession, actor: Actor, data: BandDraft) -> BandVersion:
    """From which value, with VAT, a band holds, and what it asks, from a day on."""
    ceremony = Ceremony(**{name: getattr(data.ceremony, name) for name in data.ceremony.__struct_fields__})
    faults = await _faults(db, data.valid_from)
    for name in ("threshold", "threshold_central"):
        currency = getattr(data, name).currency
        faults.unless(currency == "GBP", f"/{name}/currency", "currency", "The only currency here is GBP.")
    rules.check_ceremony(faults, ceremony)
    new = BandRow(
        band=data.band,
        threshold=data.threshold.value,
        threshold_central=data.threshold_central.value,
        ceremony=ceremony,
    )
    others = [_band_row(row) for row in await lists.bands(db, data.valid_from, data.jurisdiction)]
    rules.check_bands(faults, [*others, new], data.band)
    faults.raise_any(PolicyInvalid)
    row = BandVersion(
        **await _dated(db, data, data.jurisdiction),
        band=data.band,
        threshold=new.threshold,
        threshold_central=new.threshold_central,
        ceremony=ceremony,
    )
    event = BandRecorded(
        object_id=row.id,
        jurisdiction=row.jurisdiction,
        valid_from=row.valid_from,
        band=data.band,
        threshold=data.threshold.amount,
        threshold_central=data.threshold_central.amount,
        ceremony=data.ceremony,
        source=data.source,
        reason=row.reason,
    )
    return await _record(db, actor, row, event)


async def record_vat_rate(db: AsyncSession, actor: Actor, data: VatRateDraft) -> VatRate:
    """The standard rate from a day on."""
    (await _faults(db, data.valid_from)).raise_any(PolicyInvalid)
    row = VatRate(
        **await _dated(db, data, Jurisdiction.UNITED_KINGDOM),
        rate=Decimal(data.rate),
    )
    event = VatRateRecorded(
        object_id=row.id,
        jurisdiction=row.jurisdiction,
        valid_from=row.valid_from,
        rate=data.rate,
        source=data.source,
        reason=row.reason,
    )
    return await _record(db, actor, row, event)


async def record_terms(db: AsyncSession, actor: Actor, data: TermsDraft) -> Terms:
    """A version of the short form from a day on; its name is taken once and for all."""
    (await _faults(db, data.valid_from)).raise_any(PolicyInvalid)
    # One statement, so that of two at once exactly one has the name.
    values = await _dated(db, data, data.jurisdiction) | {"version": data.version, "text": data.text}
    statement = insert(Terms).values(values).on_conflict_do_nothing(index_elements=["version"]).returning(Terms)
    row = await db.scalar(statement)
    if row is None:
        raise TermsVersionTaken(f"There are terms {data.version} already; give these another version.")
    event = TermsRecorded(
        object_id=row.id,
        jurisdiction=row.jurisdiction,
        valid_from=row.valid_from,
        version=row.version,
        source=data.source,
        reason=row.reason,
    )
    await journal.record(db, actor, event, PUBLIC)
    return row


async def record_limits(db: AsyncSession, actor: Actor, data: PlatformLimitsDraft) -> PolicyVersion:
    """The platform's limits from a day on. A buyer's own that are wider then hold no more."""
    limits = values_of(data.limits)
    faults = await _faults(db, data.valid_from)
    rules.check_limits(faults, limits_of(limits))
    faults.raise_any(PolicyInvalid)
    row = PolicyVersion(
        **await _dated(db, data, data.jurisdiction),
        organisation_id=None,
        limits=limits,
    )
    event = PlatformLimitsRecorded(
        object_id=row.id,
        jurisdiction=row.jurisdiction,
        valid_from=row.valid_from,
        limits=limit_values(limits),
        source=data.source,
        reason=row.reason,
    )
    return await _record(db, actor, row, event)


async def record_version(db: AsyncSession, actor: Actor, data: PolicyVersionDraft) -> PolicyVersion:
    """A buyer's own limits from a day on, inside the platform's of that day: its approver's judgement, and so a person's."""
    require_person(actor)
    buyer = await db.get_one(Organisation, actor.organisation_id)
    jurisdiction, own = jurisdiction_of(Nation(buyer.nation)), values_of(data.limits)
    faults, today = await _faults(db, data.valid_from), local_day(await clock.now(db))
    # A day that is over is a fault by itself: what is wrong beside it is told by the limits of today.
    rules.check_own(faults, own, (await _limits(db, max(data.valid_from, today), jurisdiction, None)).whole)
    faults.raise_any(PolicyInvalid)
    row = PolicyVersion(
        **await _dated(db, data, jurisdiction),
        organisation_id=buyer.id,
        limits=own,
    )
    event = PolicyVersionRecorded(
        object_id=row.id,
        buyer_id=buyer.id,
        valid_from=row.valid_from,
        limits=limit_values(own),
        source=data.source,
        reason=row.reason,
    )
    return await _record(db, actor, row, event)


async def _faults(db: AsyncSession, valid_from: date) -> Faults:
    """Those of the day, to which others are added."""
    faults = Faults()
    rules.check_day(faults, valid_from, local_day(await clock.now(db)))
    return faults


async def _dated(db: AsyncSession, data: Rule, jurisdiction: Jurisdiction) -> dict[str, Any]:
    """The columns that every dated row has."""
    return {
        "id": new_id(),
        "jurisdiction": jurisdiction,
        "valid_from": data.valid_from,
        "source": data.source.citation,
        "source_url": data.source.url,
        "reason": data.reason,
        "recorded_at": await clock.now(db),
    }


async def _record(db: AsyncSession, actor: Actor, row: D, event: Event) -> D:
    db.add(row)
    await journal.record(db, actor, event, PUBLIC)
    return row

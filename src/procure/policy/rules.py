"""Limits, bands and what they ask, as plain values; the shipped rows are the United Kingdom's.

Thresholds compare with the *estimated value including VAT* of the whole outcome, the most it could come to, from the first lot
on (Procurement Act 2023, schedule 3): splitting a need into lots never lowers the band.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any

from procure.kit.errors import Faults
from procure.organisations.rules import Nation
from procure.policy import explanations, working_days
from procure.policy.errors import NoPolicyInForce
from procure.policy.explanations import Bound, Value


class Jurisdiction(StrEnum):
    """Whose law a dated row is: the United Kingdom's, or one of its nations' (ISO 3166). The nation's own goes before."""

    UNITED_KINGDOM = "GB"
    ENGLAND = "GB-ENG"
    NORTHERN_IRELAND = "GB-NIR"
    SCOTLAND = "GB-SCT"
    WALES = "GB-WLS"

    @property
    def above(self) -> "Jurisdiction":
        """Whose rows hold where it has none of its own."""
        return Jurisdiction(self.value[:2])


def jurisdiction_of(nation: Nation) -> Jurisdiction:
    return Jurisdiction(nation.value)


class Band(StrEnum):
    SMALL = "small"
    NOTIFIABLE = "notifiable"
    COVERED = "covered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a buyer's lots may be at most. Amounts are net; `_days` are calendar days unless named working days."""

    duration_days_max: int = 84
    ceiling_max: Decimal = Decimal("170000.00")
    title_letters_min: int = 10
    brief_words_min: int = 20
    brief_words_max: int = 1500
    criterion_words_min: int = 3
    deliverables_max: int = 8
    panel_persons_min: int = 2
    panel_disciplines_min: int = 2
    signing_working_days: int = 10
    rework_rounds_max: int = 2
    payment_term_days: int = 30
    review_working_days: int = 10
    review_days_max: int = 30
    further_iterations_max: int = 3
    variation_percent_max: int = 10
    tender_validity_days_min: int = 60


LIMIT_NAMES = tuple(one.name for one in fields(Limits))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceremony:
    """What a band asks. `openers` 0 means that the worker opens at the seal."""

    window_working_days: int = 0
    window_days: int = 0
    notice_required: bool = False
    openers: int = 0
    standstill_working_days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BandRow:
    """One dated row: from which gross value the band holds."""

    band: Band
    threshold: Decimal
    threshold_central: Decimal
    ceremony: Ceremony


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that was in force for one lot; frozen into it at publication."""

    band: Band
    estimate_gross: Decimal
    vat_rate: Decimal
    nation: Nation
    terms_version: str
    limits: Limits
    ceremony: Ceremony

    def earliest_close(self, published_at: datetime) -> datetime:
        """The first instant at which a competition that opens at `published_at` may close."""
        ceremony = self.ceremony
        if ceremony.window_days:
            return working_days.period_of_days(published_at, ceremony.window_days)
        return working_days.period_of_working_days(published_at, ceremony.window_working_days, self.nation)

    def standstill_end(self, notice_at: datetime) -> datetime:
        return working_days.standstill_end(notice_at, self.ceremony.standstill_working_days, self.nation)

    def sign_by(self, start: datetime) -> datetime:
        return working_days.period_of_working_days(start, self.limits.signing_working_days, self.nation)

    def review_by(self, submitted_at: datetime) -> datetime:
        """When an unanswered delivery becomes overdue: the working days of the policy, at most its calendar days."""
        by_working_days = working_days.period_of_working_days(
            submitted_at, self.limits.review_working_days, self.nation
        )
        return min(by_working_days, working_days.period_of_days(submitted_at, self.limits.review_days_max))


def narrowed(platform: Limits, own: Mapping[str, Value]) -> Limits:
    """What holds for a buyer: of each limit the narrower, whichever of the two became so later."""
    changes: dict[str, Any] = {name: narrower(name, getattr(platform, name), value) for name, value in own.items()}
    return replace(platform, **changes)


def narrower(name: str, one: Value, other: Value) -> Value:
    """Of two values of a limit, the one that allows less."""
    return min(one, other) if explanations.LIMITS[name].bound is Bound.MOST else max(one, other)


def check_own(faults: Faults, own: Mapping[str, Value], platform: Limits) -> None:
    """A buyer's own limits lie inside the platform's of that day: what is at most may only be lowered, what is at least only raised."""
    for name, value in own.items():
        allowed, bound = getattr(platform, name), explanations.LIMITS[name].bound
        faults.unless(
            narrower(name, value, allowed) == value,
            f"/limits/{name}",
            "outside-the-platforms",
            f"The platform's limit is {explanations.plain(allowed)} at {bound}; a buyer may only "
            f"{'lower' if bound is Bound.MOST else 'raise'} it.",
        )
    check_limits(faults, narrowed(platform, own), given=own)


def check_limits(faults: Faults, limits: Limits, given: Collection[str] = LIMIT_NAMES) -> None:
    """Limits don't contradict each other; the fault stands at one that was `given`."""
    at = "brief_words_max" if "brief_words_max" in given else "brief_words_min"
    faults.unless(
        limits.brief_words_min <= limits.brief_words_max,
        f"/limits/{at}",
        "contradiction",
        f"A brief could not have at least {limits.brief_words_min} and at most {limits.brief_words_max} words.",
    )


def check_day(faults: Faults, valid_from: date, today: date) -> None:
    """A row begins after today: what was published this morning and what is published this afternoon are judged by the same rules."""
    faults.unless(
        valid_from > today,
        "/valid_from",
        "not-after-today",
        f"A rule holds from tomorrow ({today:%Y-%m-%d} is today) at the earliest; what has held so far is never changed.",
    )


def check_ceremony(faults: Faults, ceremony: Ceremony) -> None:
    faults.unless(
        (ceremony.window_days > 0) is not (ceremony.window_working_days > 0),
        "/ceremony/window_days",
        "one-window",
        "The window is counted in days or in working days: give one of the two.",
    )


def check_bands(faults: Faults, rows: Iterable[BandRow], band: Band) -> None:
    """The bands as they would be with the new row of `band`: the lowest begins at nothing, and each is dearer than the one before."""
    by_band = {row.band: row for row in rows}
    ordered = [by_band[one] for one in Band if one in by_band]
    for name in ("threshold", "threshold_central"):
        values: list[Decimal] = [getattr(row, name) for row in ordered]
        faults.unless(
            values[0] == 0 if ordered[0].band is Band.SMALL else True,
            f"/{name}/amount",
            "lowest-band",
            "The lowest band begins at nothing, so that every value is in one.",
        )
        faults.unless(
            all(one < other for one, other in pairwise(values)),
            f"/{name}/amount",
            "out-of-order",
            f"On that day the thresholds would be {', '.join(f'{value:.2f}' for value in values)}, in the order of the bands"
            f" ({', '.join(row.band for row in ordered)}); with {band} like this they don't rise.",
        )


def band_of(rows: list[BandRow], estimate_gross: Decimal, *, is_central_government: bool) -> BandRow:
    """The highest band whose threshold the estimate reaches."""

    def threshold(row: BandRow) -> Decimal:
        return row.threshold_central if is_central_government else row.threshold

    reached = [row for row in rows if threshold(row) <= estimate_gross]
    if not reached:
        raise NoPolicyInForce("No band is in force for this value; the operator has to load one.")
    return max(reached, key=threshold)

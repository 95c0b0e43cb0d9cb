"""Limits, bands and what they ask, as plain values; the shipped rows are the United Kingdom's.

Thresholds compare with the *estimated value including VAT* of the whole outcome, the most it could come to, from the first lot
on (Procurement Act 2023, schedule 3): splitting a need into lots never lowers the band.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from procure.organisations.rules import Nation
from procure.policy import working_days
from procure.policy.errors import NoPolicyInForce


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


def band_of(rows: list[BandRow], estimate_gross: Decimal, *, is_central_government: bool) -> BandRow:
    """The highest band whose threshold the estimate reaches."""

    def threshold(row: BandRow) -> Decimal:
        return row.threshold_central if is_central_government else row.threshold

    reached = [row for row in rows if threshold(row) <= estimate_gross]
    if not reached:
        raise NoPolicyInForce("No band is in force for this value; the operator has to load one.")
    return max(reached, key=threshold)

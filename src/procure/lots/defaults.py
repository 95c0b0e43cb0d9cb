"""What a draft gets where it says nothing: the calendar in working days, the criteria, the time-box. Pure; the numbers are dated rows.

The calendar is one that can be kept: the approver has some days to publish, the band its whole window, the panel its days, the band its
standstill, and both sides their days to sign, before work starts. All in working days of the buyer's nation and its own time zone.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from procure.organisations.rules import Nation
from procure.policy.rules import Limits, Policy
from procure.policy.working_days import ZONE, add_working_days, is_working_day, local_day


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionTemplate:
    """A criterion of the template. `kind` is a CriterionKind."""

    name: str
    kind: str
    weight: int
    minimum_score: int | None = None


#: The template for whoever has loaded no other: most for the work, a third for its price, a tenth for social value (PPN 06/20).
CRITERIA = (
    CriterionTemplate(name="How you would work, and who would", kind="quality", weight=60, minimum_score=2),
    CriterionTemplate(name="Price", kind="price", weight=30),
    CriterionTemplate(name="Social value", kind="social_value", weight=10),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """A dated row: the platform's, or a buyer's own. `_working_days` are counted, the day they begin on is not."""

    approval_working_days: int = 2
    closes_at_hour: int = 12
    enquiries_working_days: int = 2
    assessment_working_days: int = 5
    signing_working_days: int = 5
    duration_days: int = 28
    criteria: tuple[CriterionTemplate, ...] = CRITERIA


def closes_at(policy: Policy, defaults: Defaults, now: datetime) -> datetime:
    """At the hour on the first working day after the window, which begins on the last day that the approver is given to publish."""
    published_on = add_working_days(local_day(now), defaults.approval_working_days, policy.nation)
    last = datetime.combine(published_on, time(23, 59), ZONE)
    # The window ends with a midnight, whose day is the first that does not count any more.
    return _at(_working_day_from(local_day(policy.earliest_close(last)), policy.nation), defaults)


def enquiries_close_at(policy: Policy, defaults: Defaults, closes_at: datetime, now: datetime) -> datetime:
    """Some working days before the lot closes, at the hour; with it where that would leave nobody a day to ask."""
    day = subtract_working_days(local_day(closes_at), defaults.enquiries_working_days, policy.nation)
    moment = min(_at(day, defaults), closes_at)
    return moment if local_day(moment) > local_day(now) else closes_at


def starts_on(policy: Policy, defaults: Defaults, closes_at: datetime) -> date:
    """The first working day on which a contract can be expected: scored, the standstill over, signed by both sides."""
    days = (
        defaults.assessment_working_days
        + policy.ceremony.standstill_working_days
        + min(defaults.signing_working_days, policy.limits.signing_working_days)
    )
    return add_working_days(local_day(closes_at), days + 1, policy.nation)


def duration_days(defaults: Defaults, limits: Limits) -> int:
    return min(defaults.duration_days, limits.duration_days_max)


def due_on(starts_on: date, duration_days: int, nation: Nation) -> date:
    """The last working day of the time-box; its last day where it has none."""
    ends_on = starts_on + timedelta(days=duration_days)
    days = (ends_on - timedelta(days=back) for back in range(duration_days + 1))
    return next((day for day in days if is_working_day(day, nation)), ends_on)


def subtract_working_days(day: date, count: int, nation: Nation) -> date:
    """The `count`-th working day before `day`, which itself is not counted."""
    while count > 0:
        day -= timedelta(days=1)
        count -= is_working_day(day, nation)
    return day


def _working_day_from(day: date, nation: Nation) -> date:
    while not is_working_day(day, nation):
        day += timedelta(days=1)
    return day


def _at(day: date, defaults: Defaults) -> datetime:
    return datetime.combine(day, time(defaults.closes_at_hour), ZONE)

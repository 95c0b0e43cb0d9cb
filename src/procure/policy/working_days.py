"""Working days and periods, by nation, in the jurisdiction's own time zone.

A day is a working day unless it is a Saturday, a Sunday or a bank holiday of that part of the United Kingdom (Procurement Act
2023, section 123). A period of days ends with the last moment of its last day, given here as the midnight that follows.
"""

from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays

from procure.organisations.rules import Nation

ZONE = ZoneInfo("Europe/London")
_SUBDIVISIONS = {
    Nation.ENGLAND: "ENG",
    Nation.NORTHERN_IRELAND: "NIR",
    Nation.SCOTLAND: "SCT",
    Nation.WALES: "WLS",
}


@cache
def _bank_holidays(nation: Nation, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("GB", subdiv=_SUBDIVISIONS[nation], years=year, language="en_GB"))


def is_working_day(day: date, nation: Nation) -> bool:
    return day.weekday() < 5 and day not in _bank_holidays(nation, day.year)


def local_day(moment: datetime) -> date:
    """The calendar day on which `moment` falls where the buyer is."""
    return moment.astimezone(ZONE).date()


def midnight_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min, ZONE)


def add_working_days(day: date, count: int, nation: Nation) -> date:
    """The `count`-th working day after `day`, which itself is not counted."""
    while count > 0:
        day += timedelta(days=1)
        count -= is_working_day(day, nation)
    return day


def period_of_working_days(start: datetime, count: int, nation: Nation) -> datetime:
    """When `count` working days after the day of `start` are over; the day of `start` is not counted."""
    return midnight_after(add_working_days(local_day(start), count, nation))


def standstill_end(notice_at: datetime, count: int, nation: Nation) -> datetime:
    """When a standstill of `count` working days *beginning with* the notice's day is over (Procurement Act 2023, s. 51(2))."""
    if count == 0:
        return notice_at
    day = local_day(notice_at)
    return midnight_after(add_working_days(day, count - is_working_day(day, nation), nation))


def period_of_days(start: datetime, days: int) -> datetime:
    """When `days` calendar days after the day of `start` are over."""
    return midnight_after(local_day(start) + timedelta(days=days))

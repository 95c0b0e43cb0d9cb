"""Working days by nation, and where periods end."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procure.organisations.rules import Nation
from procure.policy.working_days import (
    ZONE,
    add_working_days,
    is_working_day,
    local_day,
    midnight_after,
    period_of_days,
    period_of_working_days,
    standstill_end,
)

N = Nation
ALL = list(Nation)


@pytest.mark.parametrize(
    ("day", "off_in"),
    [
        (date(2026, 12, 25), set(ALL)),
        (date(2026, 12, 28), set(ALL)),  # Boxing Day 2026 is a Saturday: the Monday is given instead
        (date(2027, 1, 1), set(ALL)),
        (date(2026, 4, 3), set(ALL)),  # Good Friday
        (date(2026, 4, 6), {N.ENGLAND, N.WALES, N.NORTHERN_IRELAND}),  # Easter Monday is none in Scotland
        (date(2026, 1, 2), {N.SCOTLAND}),
        (date(2026, 11, 30), {N.SCOTLAND}),
        (date(2026, 3, 17), {N.NORTHERN_IRELAND}),
        (date(2026, 7, 13), {N.NORTHERN_IRELAND}),  # the twelfth is a Sunday
        (date(2026, 8, 3), {N.SCOTLAND}),
        (date(2026, 8, 31), {N.ENGLAND, N.WALES, N.NORTHERN_IRELAND}),
        (date(2026, 11, 24), set()),
    ],
)
def test_a_bank_holiday_is_one_where_it_is_kept(day: date, off_in: set[Nation]) -> None:
    assert {nation for nation in ALL if not is_working_day(day, nation)} == off_in


@pytest.mark.parametrize("nation", ALL)
def test_no_weekend_is_worked(nation: Nation) -> None:
    assert not is_working_day(date(2026, 11, 28), nation)
    assert not is_working_day(date(2026, 11, 29), nation)


def test_five_working_days_over_christmas() -> None:
    wednesday = date(2026, 12, 23)
    assert add_working_days(wednesday, 5, N.ENGLAND) == date(2027, 1, 4)
    assert add_working_days(wednesday, 6, N.ENGLAND) == date(2027, 1, 5)
    new_year_2028 = date(2027, 12, 31)
    assert add_working_days(new_year_2028, 1, N.ENGLAND) == date(2028, 1, 4)  # the 3rd stands for Saturday the 1st
    assert add_working_days(new_year_2028, 1, N.SCOTLAND) == date(2028, 1, 5)  # and the 4th for Sunday the 2nd


def test_a_day_belongs_to_the_buyers_calendar_not_to_utc() -> None:
    late = datetime(2026, 7, 1, 23, 30, tzinfo=UTC)  # half past midnight in London
    assert local_day(late) == date(2026, 7, 2)
    assert midnight_after(date(2026, 7, 2)) == datetime(2026, 7, 2, 23, tzinfo=UTC)
    assert midnight_after(date(2026, 12, 2)) == datetime(2026, 12, 3, 0, tzinfo=UTC)


def test_a_period_keeps_its_midnight_when_the_clocks_change() -> None:
    published = datetime(2026, 10, 20, 9, tzinfo=UTC)  # summer time ends on 25 October
    assert period_of_days(published, 10).astimezone(ZONE) == datetime(2026, 10, 31, 0, tzinfo=ZONE)
    assert period_of_days(published, 10) == datetime(2026, 10, 31, 0, tzinfo=UTC)


def test_a_standstill_begins_with_the_day_of_its_notice() -> None:
    monday_night = datetime(2026, 11, 2, 23, 59, tzinfo=UTC)
    assert standstill_end(monday_night, 8, N.ENGLAND) == midnight_after(date(2026, 11, 11))
    saturday = datetime(2026, 11, 7, 10, tzinfo=UTC)
    assert standstill_end(saturday, 8, N.ENGLAND) == midnight_after(date(2026, 11, 18))


def test_no_standstill_ends_at_once() -> None:
    moment = datetime(2026, 11, 2, 12, tzinfo=UTC)
    assert standstill_end(moment, 0, N.ENGLAND) == moment


moments = st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


@given(moment=moments, count=st.integers(1, 40), nation=st.sampled_from(ALL))
def test_a_period_of_working_days_holds_exactly_as_many(moment: datetime, count: int, nation: Nation) -> None:
    end = period_of_working_days(moment, count, nation)
    first, last = local_day(moment) + timedelta(days=1), local_day(end) - timedelta(days=1)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    assert sum(is_working_day(day, nation) for day in days) == count
    assert is_working_day(last, nation)


@given(moment=moments, count=st.integers(1, 20), nation=st.sampled_from(ALL))
def test_a_standstill_is_never_longer_than_counting_from_the_next_day(
    moment: datetime, count: int, nation: Nation
) -> None:
    shorter, longer = standstill_end(moment, count, nation), period_of_working_days(moment, count, nation)
    assert shorter <= longer
    assert (shorter == longer) == (not is_working_day(local_day(moment), nation))

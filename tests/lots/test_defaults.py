"""The calendar that a draft gets where it says nothing can be kept, from any day on, in every nation and band."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest

from procure.lots import defaults, rules
from procure.lots.defaults import Defaults
from procure.lots.rules import CriterionKind, Region
from procure.organisations.rules import Nation
from procure.policy.rules import Band, Ceremony, Limits, Policy
from procure.policy.working_days import ZONE, add_working_days, is_working_day, local_day

OF = Defaults()
SMALL = Ceremony(window_working_days=5)
COVERED = Ceremony(window_days=25, notice_required=True, openers=2, standstill_working_days=8)
NONE = Ceremony()


def policy(ceremony: Ceremony, nation: Nation) -> Policy:
    return Policy(
        band=Band.SMALL,
        estimate_gross=Decimal(1),
        vat_rate=Decimal(20),
        nation=nation,
        terms_version="1",
        limits=Limits(),
        ceremony=ceremony,
    )


@pytest.mark.parametrize("nation", [Nation.ENGLAND, Nation.SCOTLAND, Nation.NORTHERN_IRELAND])
@pytest.mark.parametrize("ceremony", [SMALL, COVERED, NONE])
def test_the_calendar_of_a_draft_can_be_kept(ceremony: Ceremony, nation: Nation) -> None:
    """On each day of two years, at an hour before and one after noon and one by midnight, over every change of the clocks."""
    rule = policy(ceremony, nation)
    first = datetime(2026, 11, 30, 0, 30, tzinfo=UTC)
    for now in (first + timedelta(days=day, hours=hour) for day in range(0, 730, 2) for hour in (0, 11, 23)):
        closes_at = defaults.closes_at(rule, OF, now)
        asked_until = defaults.enquiries_close_at(rule, OF, closes_at, now)
        starts_on = defaults.starts_on(rule, OF, closes_at)
        assert closes_at.astimezone(ZONE).time() == time(12)
        assert is_working_day(local_day(closes_at), nation)
        # Published at the last moment that the approver is given.
        last = datetime.combine(add_working_days(local_day(now), 2, nation), time(23, 59, 59), ZONE)
        for published_at in (now, last):
            rules.check_publishable(
                rule, closes_at=closes_at, enquiries_close_at=closes_at, notice_at=published_at, now=published_at
            )
        assert now < asked_until <= closes_at
        if ceremony is not NONE:
            assert asked_until > last or ceremony.window_working_days, "somebody may ask after it was published"
            assert asked_until.astimezone(ZONE).time() == time(12)
            assert is_working_day(local_day(asked_until), nation)
        assert is_working_day(starts_on, nation)
        assert rule.standstill_end(closes_at).date() < starts_on
        due_on = defaults.due_on(starts_on, 28, nation)
        assert is_working_day(due_on, nation)
        assert starts_on <= due_on <= starts_on + timedelta(days=28)


def test_a_closing_that_is_given_moves_what_is_reckoned_from_it() -> None:
    rule = policy(SMALL, Nation.ENGLAND)
    now = datetime(2026, 12, 1, 9, tzinfo=UTC)
    soon = now + timedelta(hours=5)
    assert defaults.enquiries_close_at(rule, OF, soon, now) == soon
    monday = datetime(2026, 12, 14, 17, tzinfo=UTC)
    assert defaults.enquiries_close_at(rule, OF, monday, now) == datetime(2026, 12, 10, 12, tzinfo=UTC)
    assert defaults.starts_on(rule, OF, monday) == date(2026, 12, 31)  # eleven working days, Christmas between


def test_what_a_buyer_has_narrowed_is_kept() -> None:
    assert defaults.duration_days(OF, Limits(duration_days_max=14)) == 14
    assert defaults.due_on(date(2026, 12, 25), 1, Nation.ENGLAND) == date(2026, 12, 26)  # no working day in it
    far = policy(SMALL, Nation.ENGLAND)
    for year in (1900, 2199):
        assert defaults.starts_on(far, OF, datetime(year, 12, 31, 12, tzinfo=UTC)).year == year + 1
        defaults.enquiries_close_at(far, OF, datetime(year, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))


def test_the_template_of_criteria_is_one_that_the_rules_take() -> None:
    assert sum(one.weight for one in OF.criteria) == 100
    assert {CriterionKind(one.kind) for one in OF.criteria} == set(CriterionKind)


def test_each_region_lies_in_one_nation() -> None:
    for region in Region:
        assert [rules.lies_in(region, nation) for nation in Nation].count(True) == 1, region
    assert [rules.region_of(nation) for nation in (Nation.ENGLAND, Nation.WALES)] == [None, Region.WALES]

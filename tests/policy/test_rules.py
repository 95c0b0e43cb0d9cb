"""Bands at their edges, and what a policy works out."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procure.kit.errors import Faults
from procure.organisations.rules import Nation
from procure.policy.errors import NoPolicyInForce
from procure.policy.explanations import LIMITS, Bound, Value
from procure.policy.rules import (
    Band,
    BandRow,
    Ceremony,
    Jurisdiction,
    Limits,
    Policy,
    band_of,
    check_bands,
    check_ceremony,
    check_day,
    check_own,
    jurisdiction_of,
    narrowed,
)
from procure.policy.working_days import midnight_after

ROWS = [
    BandRow(band=band, threshold=Decimal(own), threshold_central=Decimal(central), ceremony=Ceremony())
    for band, own, central in [
        (Band.COVERED, "207720.00", "135018.00"),
        (Band.SMALL, "0.00", "0.00"),
        (Band.NOTIFIABLE, "30000.00", "12000.00"),
    ]
]


@pytest.mark.parametrize(
    ("gross", "is_central", "band"),
    [
        ("0.01", False, Band.SMALL),
        ("29999.99", False, Band.SMALL),
        ("30000.00", False, Band.NOTIFIABLE),
        ("207719.99", False, Band.NOTIFIABLE),
        ("207720.00", False, Band.COVERED),
        ("11999.99", True, Band.SMALL),
        ("12000.00", True, Band.NOTIFIABLE),
        ("135017.99", True, Band.NOTIFIABLE),
        ("135018.00", True, Band.COVERED),
    ],
)
def test_a_threshold_is_reached_at_its_own_value(gross: str, is_central: bool, band: Band) -> None:
    assert band_of(ROWS, Decimal(gross), is_central_government=is_central).band is band


def test_without_a_row_nothing_can_be_judged() -> None:
    with pytest.raises(NoPolicyInForce):
        band_of(ROWS[:1], Decimal(1), is_central_government=False)


def policy(**ceremony: Any) -> Policy:
    return Policy(
        band=Band.COVERED,
        estimate_gross=Decimal(1),
        vat_rate=Decimal(20),
        nation=Nation.ENGLAND,
        terms_version="short-form-1",
        limits=Limits(),
        ceremony=Ceremony(**ceremony),
    )


MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)


def test_a_window_is_counted_in_days_where_the_band_says_days() -> None:
    assert policy(window_days=25).earliest_close(MONDAY) == midnight_after(date(2026, 11, 27))
    assert policy(window_working_days=5).earliest_close(MONDAY) == midnight_after(date(2026, 11, 9))


def test_standstill_and_signing_date() -> None:
    covered = policy(standstill_working_days=8)
    assert covered.standstill_end(MONDAY) == midnight_after(date(2026, 11, 11))
    assert covered.sign_by(MONDAY) == midnight_after(date(2026, 11, 16))


def test_a_review_takes_ten_working_days_and_never_more_than_thirty_days() -> None:
    assert policy().review_by(MONDAY) == midnight_after(date(2026, 11, 16))
    slow = Policy(**{**_fields(policy()), "limits": Limits(review_working_days=40)})  # type: ignore[arg-type]
    assert slow.review_by(MONDAY) == midnight_after(date(2026, 12, 2))


def _fields(chosen: Policy) -> dict[str, object]:
    return {name: getattr(chosen, name) for name in chosen.__dataclass_fields__}


# --- limits of a buyer's own ------------------------------------------------------------------------------------------

VALUES: dict[str, st.SearchStrategy[Any]] = {
    name: st.decimals(1, 900_000, places=2) if isinstance(getattr(Limits(), name), Decimal) else st.integers(1, 3000)
    for name in LIMITS
}
whole = st.fixed_dictionaries(VALUES).map(lambda values: Limits(**values))
some = st.fixed_dictionaries({}, optional=VALUES)


@given(platform=whole, own=some)
def test_of_two_limits_the_narrower_holds_whichever_became_so_later(platform: Limits, own: dict[str, Value]) -> None:
    holding = narrowed(platform, own)
    for name, explanation in LIMITS.items():
        held, allowed = getattr(holding, name), getattr(platform, name)
        wanted = own.get(name, allowed)
        assert held in {allowed, wanted}
        if explanation.bound is Bound.MOST:
            assert held <= allowed
            assert held <= wanted
        else:
            assert held >= allowed
            assert held >= wanted
    assert narrowed(holding, own) == holding
    assert narrowed(platform, {}) == platform


@given(platform=whole, own=some)
def test_a_buyers_limits_are_taken_if_they_change_only_towards_the_narrower(
    platform: Limits, own: dict[str, Value]
) -> None:
    faults = Faults()
    check_own(faults, own, platform)
    wider = {one.pointer for one in faults.found if one.code == "outside-the-platforms"}
    assert wider == {f"/limits/{name}" for name in own if getattr(narrowed(platform, own), name) != own[name]}


def test_everything_that_is_wrong_with_a_buyers_limits_is_told_at_once() -> None:
    own: dict[str, Value] = {
        "duration_days_max": 85,
        "ceiling_max": Decimal("170000.01"),
        "panel_persons_min": 1,
        "brief_words_min": 30,
        "brief_words_max": 20,
        "deliverables_max": 8,
    }
    faults = Faults()
    check_own(faults, own, Limits())
    assert {(one.pointer, one.code) for one in faults.found} == {
        ("/limits/duration_days_max", "outside-the-platforms"),
        ("/limits/ceiling_max", "outside-the-platforms"),
        ("/limits/panel_persons_min", "outside-the-platforms"),
        ("/limits/brief_words_max", "contradiction"),
    }
    assert "170000.00 at most; a buyer may only lower it" in " ".join(one.message for one in faults.found)


# --- rows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "codes"), [(1, []), (0, ["not-after-today"]), (-400, ["not-after-today"])])
def test_a_row_begins_after_today(day: int, codes: list[str]) -> None:
    faults = Faults()
    check_day(faults, date(2026, 12, 31) + timedelta(days=day), date(2026, 12, 31))
    assert [one.code for one in faults.found] == codes


@pytest.mark.parametrize(
    ("band", "threshold", "central", "pointers"),
    [
        (Band.COVERED, "210000", "136000", set()),
        (Band.NOTIFIABLE, "207719.99", "12000", set()),
        (Band.NOTIFIABLE, "207720", "12000", {"/threshold/amount"}),
        (Band.COVERED, "30000", "12000", {"/threshold/amount", "/threshold_central/amount"}),
        (Band.SMALL, "1", "0", {"/threshold/amount"}),
        (Band.SMALL, "30000", "12000", {"/threshold/amount", "/threshold_central/amount"}),
        (Band.SMALL, "0", "0", set()),
    ],
)
def test_thresholds_rise_from_nothing_in_the_order_of_the_bands(
    band: Band, threshold: str, central: str, pointers: set[str]
) -> None:
    new = BandRow(
        band=band, threshold=Decimal(threshold), threshold_central=Decimal(central), ceremony=Ceremony(window_days=5)
    )
    faults = Faults()
    check_bands(faults, [*ROWS, new], band)
    assert {one.pointer for one in faults.found} == pointers


@pytest.mark.parametrize(("days", "working", "is_one"), [(25, 0, True), (0, 5, True), (0, 0, False), (25, 5, False)])
def test_a_window_is_counted_one_way(days: int, working: int, is_one: bool) -> None:
    faults = Faults()
    check_ceremony(faults, Ceremony(window_days=days, window_working_days=working))
    assert (not faults.found) is is_one


@pytest.mark.parametrize("jurisdiction", Jurisdiction)
def test_above_each_nation_is_the_country(jurisdiction: Jurisdiction) -> None:
    assert jurisdiction.above is Jurisdiction.UNITED_KINGDOM
    assert {jurisdiction_of(nation) for nation in Nation} == set(Jurisdiction) - {Jurisdiction.UNITED_KINGDOM}

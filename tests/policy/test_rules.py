"""Bands at their edges, and what a policy works out."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from procure.organisations.rules import Nation
from procure.policy.errors import NoPolicyInForce
from procure.policy.rules import Band, BandRow, Ceremony, Limits, Policy, band_of
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

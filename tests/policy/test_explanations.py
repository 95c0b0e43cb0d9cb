"""Everything that limits somebody says so in words."""

import re
from dataclasses import asdict, fields
from decimal import Decimal
from itertools import product

import pytest

from procure.policy import explanations
from procure.policy.explanations import LIMITS, Bound
from procure.policy.rules import Ceremony, Limits


def test_every_limit_has_its_words_and_nothing_else_has() -> None:
    assert list(LIMITS) == [one.name for one in fields(Limits)]


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_says_its_value_what_it_means_and_why(name: str) -> None:
    value = getattr(Limits(), name)
    told = explanations.in_words(name, value)
    assert re.search(rf"\b{re.escape(explanations.plain(value))}\b", told)
    assert "{" not in told
    assert len(told.split()) > 12, "no reason has room in so few words"
    assert len(told) <= 300
    assert told.endswith(".")
    assert not name.endswith("_max") or LIMITS[name].bound is Bound.MOST
    assert not name.endswith("_min") or LIMITS[name].bound is Bound.LEAST


def test_values_are_written_as_numbers_or_with_their_hundredths() -> None:
    assert [explanations.plain(value) for value in (84, Decimal(170000), Decimal("0.5"))] == ["84", "170000.00", "0.50"]


@pytest.mark.parametrize(
    ("days", "working_days", "notice", "openers"), list(product((0, 25), (0, 5), (True, False), (0, 2)))
)
def test_each_part_of_a_ceremony_has_its_sentence(days: int, working_days: int, notice: bool, openers: int) -> None:
    ceremony = Ceremony(
        window_days=days,
        window_working_days=working_days,
        notice_required=notice,
        openers=openers,
        standstill_working_days=8,
    )
    window, told_notice, opening, standstill = explanations.ceremony_in_words(**asdict(ceremony))
    assert f"{days} days" in window if days else f"{working_days} working days" in window
    assert told_notice.startswith("No ") is not notice
    assert ("2 different approvers" in opening) is (openers == 2)
    assert "8 working days of standstill" in standstill

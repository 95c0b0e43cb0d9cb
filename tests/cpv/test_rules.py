"""How codes hang together, and what is found first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procure.cpv import rules
from procure.cpv.rules import asked, entry_of, parent_of, rank, stem


@pytest.mark.parametrize(
    ("code", "digits", "parent"),
    [
        ("72000000", "72", None),
        ("72200000", "722", "72000000"),
        ("72212000", "72212", "72210000"),
        ("30192121", "30192121", "30192100"),  # 30192120 is not in the list
        ("03000000", "03", None),
        ("10000000", "10", None),
    ],
)
def test_a_code_belongs_to_the_next_one_above_that_there_is(code: str, digits: str, parent: str | None) -> None:
    known = {"72000000", "72200000", "72210000", "72212000", "30192100", "30192000", "30000000"}
    assert (stem(code), parent_of(code, known)) == (digits, parent)


LINES = [
    "15331425-2\tTomato purée",
    "45000000-7\tConstruction work",
    "45214210-5\tPrimary school construction work",
    "72000000-5\tIT services: consulting, software development, Internet and support",
    "72200000-7\tSoftware programming and consultancy services",
    "72260000-5\tSoftware-related services",
    "72262000-9\tSoftware development services",
]
ENTRIES = [entry_of(line) for line in LINES]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("72200000", ["72200000"]),
        ("72200000-7", ["72200000"]),
        ("72200000-8", []),
        ("726", []),
        ("7226", ["72260000", "72262000"]),
        ("72", ["72000000", "72200000", "72260000", "72262000"]),
        ("software development", ["72000000", "72262000", "72200000", "72260000"]),
        ("DEVELOP soft", ["72000000", "72262000", "72200000", "72260000"]),
        ("puree", ["15331425"]),
        ("purée of tomato", ["15331425"]),
        ("school construction", ["45214210", "45000000"]),
        ("and", ["72000000", "72200000"]),
        ("submarine", []),
        ("!?", []),
    ],
)
def test_the_best_is_found_first(text: str, codes: list[str]) -> None:
    found = [(place, one.code) for one in ENTRIES if (place := rank(one, asked(text))) is not None]
    assert [code for _, code in sorted(found)] == codes


@given(text=st.text(max_size=100))
def test_nothing_that_is_asked_breaks_the_search(text: str) -> None:
    found = [place for one in ENTRIES if (place := rank(one, asked(text))) is not None]
    assert len(sorted(found)) <= len(ENTRIES)


def test_codes_share_digits_from_the_left() -> None:
    assert [rules.shared_digits("72200000", other) for other in ("72200000", "72210000", "45000000")] == [8, 3, 0]

"""The list itself: whole, in order, and as the Regulation has it."""

import pytest

from procure.cpv import rules, service
from procure.cpv.errors import CpvNotFound

#: Some that are known from elsewhere, those whose check digit follows no rule among them.
KNOWN = {
    "03000000-1": "Agricultural, farming, fishing, forestry and related products",
    "03111100-3": "Soya beans",
    "03300000-2": "Farming, hunting and fishing products",
    "38942000-7": "Alpha beta counters",
    "45000000-7": "Construction work",
    "48000000-8": "Software package and information systems",
    "72000000-5": "IT services: consulting, software development, Internet and support",
    "72200000-7": "Software programming and consultancy services",
    "79000000-4": "Business services: law, marketing, consulting, recruitment, printing and security",
    "98910000-5": "Services specific to international organisations and bodies",
}


def test_the_list_is_whole() -> None:
    book = service._book()
    assert len(book) == 9454
    assert list(book) == sorted(book)
    assert all(len(code) == 8 and code.isdigit() and len(one.check_digit) == 1 for code, one in book.items())
    assert all(0 < len(one.name) <= 300 and one.name == one.name.strip() for one in book.values())
    assert {f"{one.code}-{one.check_digit}": one.name for one in book.values()}.items() >= KNOWN.items()


def test_the_list_hangs_together() -> None:
    book, below = service._book(), service._below()
    assert len(below[None]) == 45
    assert all(code.endswith("000000") for code in below[None])
    assert sum(map(len, below.values())) == len(book)
    assert max(map(len, below.values())) <= 100
    assert all(rules.is_under(code, above) for above, codes in below.items() if above for code in codes)


@pytest.mark.parametrize(
    ("written", "code"),
    [("72200000", "72200000"), ("72200000-7", "72200000"), ("72200000-8", None), ("72299999", None), ("x", None)],
)
def test_a_code_is_known_with_or_without_its_check_digit(written: str, code: str | None) -> None:
    assert (service.canonical(written), service.is_known(written)) == (code, code is not None)


def test_near_what_there_is_not_is_what_shares_most_of_it() -> None:
    assert [one.code for one in service.nearest("72219999")] == ["72210000", "72211000", "72212000"]
    assert len(service.nearest("99999999")) == 3


def test_a_code_is_shown_between_what_is_above_and_below() -> None:
    view = service.find("72212000-4")
    assert (view.level, [one.code for one in view.parents]) == (4, ["72000000", "72200000", "72210000"])
    assert {"72212100", "72212900"} <= {one.code for one in view.children}
    with pytest.raises(CpvNotFound):
        service.find("72212000-5")


def test_search_stays_within_a_code_and_counts_what_it_leaves_out() -> None:
    found = service.search("software", under="72000000-5", limit=2)
    assert len(found.items) == 2
    assert found.found > 50
    assert all(one.code.startswith("72") for one in found.items)
    assert found.items[0].code == "72000000"
    divisions = service.search(" ", under=None, limit=200)
    assert (divisions.found, divisions.items[0].code) == (45, "03000000")
    assert [one.code for one in service.search("", under="72000000", limit=3).items] == [
        "72100000",
        "72200000",
        "72300000",
    ]

"""Text of real notices becomes fit to read, and none takes long."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from procure.demo import cleaning
from procure.kit.body import convert
from procure.outcomes.schemas import EndDecision


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("St Bede&apos;s &amp; others", "St Bede's & others"),
        ("<p>Two <b>lots</b></p><script>alert(1)</script>", "Two lots alert(1)"),
        ("&lt;b&gt;bold&lt;/b&gt;", "bold"),
        ("fewer than <25 days, more than >3", "fewer than <25 days, more than >3"),
        ("the first.rnrnThe second", "the first.\nThe second"),
        ("cover rn      The Requirement", "cover\nThe Requirement"),
        ("a modern return", "a modern return"),
        ("circa \u00c2\u00a3131,000", "circa £131,000"),
        ("to:\u00e2\u20ac\u00a2tChildren", "to:• Children"),
        ("Châteauroux, Zoë, Ångström", "Châteauroux, Zoë, Ångström"),
        ("nul\x00 and \ud800 and \u202e", "nul and and"),
        ("  a \t b\r\n\n c ", "a b\nc"),
        ("write to jo.bloggs+x@example.org now", "write to [email] now"),
        ("call 01632 960123 or +44 1632 960123", "call [phone] or [phone]"),
        ("QIP131 0900 2025-03-11 on 01-02-2024", "QIP131 0900 2025-03-11 on 01-02-2024"),
        (None, ""),
        (["a"], ""),
    ],
)
def test_text_is_fit_to_read(raw: object, clean: str) -> None:
    assert cleaning.text(raw) == clean


@given(st.text(st.characters(), max_size=400))
@example("\ufa2a and \U000e0041\U0001fffe, \u0645\U000e0042\u200d")
def test_whatever_is_cleaned_the_service_takes(raw: str) -> None:
    said = cleaning.text(raw)
    assert cleaning.text(said).strip() == cleaning.text(said)
    if said:
        assert convert({"status": "achieved", "reason": said}, EndDecision).reason == said


@given(st.text(max_size=400), st.integers(2, 50))
def test_a_cut_text_is_as_short_as_asked_and_begins_alike(said: str, length: int) -> None:
    cut = cleaning.cut(said, length)
    assert len(cut) <= length
    assert cut == said or said.startswith(cut.removesuffix("…"))


def test_a_line_has_no_breaks_and_ends_between_words() -> None:
    assert cleaning.line("one\ntwo three four", 12) == "one two…"
    assert cleaning.line("x" * 50, 10) == "x" * 9 + "…"


@pytest.mark.parametrize("piece", ["a@", "<", "<a", "rn", "0 ", "\u00c2", "&", "&#", "a.", "\n ", "+44 "])
def test_no_text_takes_long(piece: str) -> None:
    started = time.process_time()
    cleaning.text(piece * 100_000)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("https://www.contractsfinder.service.gov.uk/Notice/1", True),
        ("http://example.org", True),
        ("http://Contract Finder", False),
        ("javascript:alert(1)", False),
        ("https://example.org/\nX", False),
        ("https://example.org/" + "x" * 600, False),
        (7, False),
    ],
)
def test_only_web_addresses_are_shown(raw: object, *, shown: bool) -> None:
    assert cleaning.url(raw) == (raw if shown else None)

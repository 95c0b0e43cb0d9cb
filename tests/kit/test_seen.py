"""What shows nothing is refused wherever it stands; what makes other characters what they are is taken there, and there alone."""

import itertools
import unicodedata

import pytest

from procure.kit.seen import CONTROL, MARKS_MAX, is_overmarked, unseen

DIRECTION = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
BLANK = "\u115f\u1160\u2800\u3164\uffa0"
NO_WIDTH = (
    "\u00ad\u034f\u17b4\u17b5\u180e\u200b\u2060\u2064\u206f\ufeff\ufff9\ufffb\U0001bca0\U0001d173\U000e0001\U000e0fff"
)
ELSE = "\u2028\u2029\ue000\uf8ff\ufffc\ufdd0\ufdef\ufffe\uffff\U0001fffe\U000effff\U000f0000\U0010fffd\U0010ffff"
JOINERS, SELECTORS, TAGS = "\u200c\u200d", "\u180b\u180f\ufe00\ufe0e\ufe0f\U000e0100\U000e01ef", "\U000e0041\U000e007f"
PLACES = ["{}admin", "ad{}min", "admin{}", "\u3000{}.", "1 {} 2", "\u0430{}", "\u03b1{}", "\u2013{}"]


def codes(text: str) -> str:
    return " ".join(f"{ord(one):04X}" for one in text)


@pytest.mark.parametrize("place", PLACES, ids=codes)
@pytest.mark.parametrize("hidden", DIRECTION + BLANK + NO_WIDTH + ELSE + JOINERS + SELECTORS + TAGS, ids=codes)
def test_what_no_reader_sees_is_found(hidden: str, place: str) -> None:
    assert unseen(place.format(hidden)) == hidden


SEEN = {
    "a word of Persian": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "a half form of Hindi": "\u0915\u094d\u200d\u0937",
    "a vowel of Mongolian": "\u1820\u180b",
    "a variant of an ideograph": "\u845b\U000e0100",
    "the flags of England, Scotland and Wales": " ".join(
        f"\U0001f3f4{''.join(chr(0xE0000 + ord(letter)) for letter in region)}\U000e007f"
        for region in ("gbeng", "gbsct", "gbwls")
    ),
    "a heart on fire": "\u2764\ufe0f\u200d\U0001f525",
    "a scientist with a tone of skin": "\U0001f469\U0001f3fd\u200d\U0001f52c",
    "a keycap": "#\ufe0f\u20e3",
    "a sign as emoji": "\u00a9\ufe0f",
    "prices and dashes": "\u2013 \u00a3100.00 \u201creally\u201d \u2026 \u20ac5",
    "right to left": "\u05e9\u05dc\u05d5\u05dd",
}


@pytest.mark.parametrize("name", SEEN)
def test_what_makes_others_what_they_are_is_taken(name: str) -> None:
    assert unseen(SEEN[name]) is None
    assert unseen(unicodedata.normalize("NFC", SEEN[name])) is None


@pytest.mark.parametrize("hidden", ["\u200d", "\u200c", "\U000e0067", "\U000e007f", "\u2060"], ids=codes)
def test_what_is_taken_does_not_open_a_door_for_what_follows_it(hidden: str) -> None:
    for name, text in SEEN.items():
        assert unseen(f"{text} {hidden}") == hidden, name
    assert unseen(f"{SEEN['a word of Persian']}\u200c{hidden}") == hidden


@pytest.mark.parametrize("region", ["gb", "gbengx", "usca", ""])
def test_tags_hide_nothing_behind_another_flag(region: str) -> None:
    tags = "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\U000e007f"
    assert unseen(f"\U0001f3f4{tags}") == tags[0]


def is_selector(one: str) -> bool:
    return unicodedata.name(one, "").startswith(("VARIATION SELECTOR", "MONGOLIAN FREE VARIATION"))


def test_text_of_this_world_passes() -> None:
    """Every letter, mark, number and sign that Python knows, but for those named above."""
    blank = {*BLANK, *NO_WIDTH, *ELSE}
    seen = (one for one in map(chr, range(0x110000)) if one.isprintable() and one not in blank and not is_selector(one))
    assert [one for one in seen if unseen(one) or CONTROL.search(one)] == []


def test_controls_are_found_and_lines_and_tabs_are_none() -> None:
    rows = itertools.chain(range(0x20), range(0x7F, 0xA0))
    assert {chr(at) for at in rows if not CONTROL.search(chr(at))} == {"\t", "\n", "\r"}


def test_marks_are_counted_as_they_are_once_taken_apart() -> None:
    """Every character that comes apart into nothing but marks is one: else a run of it would be sorted unseen."""
    marks = [chr(at) for at in range(0x110000) if unicodedata.combining(unicodedata.normalize("NFD", chr(at))[0])]
    assert len(marks) > 900
    assert [one for one in marks if not is_overmarked(f"a{one * (MARKS_MAX + 1)}")] == []
    assert [one for one in marks if is_overmarked(f"a{one * MARKS_MAX}b{one}")] == []
    assert not is_overmarked("\u0905\u0902" * 1000 + "e" * 1000 + "\u4e00" * 1000)

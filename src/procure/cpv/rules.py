"""How codes hang together, and which fits best what somebody looks for; over plain values.

The first two digits name the division, each further one up to the eighth a finer level; zeros fill up what is not used.
"""

import re
import unicodedata
from collections.abc import Container
from typing import NamedTuple

DIVISION_DIGITS, DIGITS = 2, 8
#: Of what is looked for; further ones are passed over.
WORDS_MAX = 10
#: Words that say nothing of what is bought; looked for where nothing else is.
_EMPTY = frozenset({"a", "an", "and", "by", "for", "from", "in", "of", "on", "or", "other", "the", "to", "with"})
_WORD = re.compile(r"[^\W_]+")
_CODE = re.compile(r"([0-9]{1,8})(?:-([0-9]))?")


class Entry(NamedTuple):
    """A code with its check digit, its name, and the name's words as they are compared, each between spaces."""

    code: str
    check_digit: str
    name: str
    words: str


def entry_of(line: str) -> Entry:
    """From a line of the code list: `03111100-3`, a tab, the name."""
    full, _, name = line.partition("\t")
    code, _, check_digit = full.partition("-")
    return Entry(code, check_digit, name, f" {' '.join(words_of(name))} ")


def words_of(text: str) -> tuple[str, ...]:
    """Words in lower case, without their accents: who looks for `puree` finds `purée`."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return tuple(_WORD.findall("".join(one for one in plain if not unicodedata.combining(one))))


def stem(code: str) -> str:
    """The digits that say something: at least the division's two."""
    return code[:DIVISION_DIGITS] + code[DIVISION_DIGITS:].rstrip("0")


def parent_of(code: str, known: Container[str]) -> str | None:
    """The next code above that there is; some levels are left out. None above a division."""
    digits = stem(code)
    for length in range(len(digits) - 1, DIVISION_DIGITS - 1, -1):
        above = digits[:length].ljust(DIGITS, "0")
        if above != code and above in known:
            return above
    return None


def is_under(code: str, above: str) -> bool:
    """Whether a code is this one, or one below it."""
    return code.startswith(stem(above))


class Asked(NamedTuple):
    """What somebody looks for: the beginning of a code, perhaps with its check digit, or words, each after a space."""

    digits: str
    check_digit: str | None
    words: tuple[str, ...]


def asked(text: str) -> Asked:
    found = _CODE.fullmatch(text.strip())
    if found:
        return Asked(found[1], found[2], ())
    words = words_of(text)[:WORDS_MAX]
    telling = [word for word in words if word not in _EMPTY] or words
    return Asked("", None, tuple(f" {word}" for word in telling))


def rank(entry: Entry, wanted: Asked) -> tuple[object, ...] | None:
    """By what findings are sorted, the best first; None for what is none.

    The very code first; then names with all words, more of them whole before fewer; then the higher and the shorter.
    """
    if wanted.digits:
        is_it = entry.code == wanted.digits.ljust(DIGITS, "0")
        if wanted.check_digit is not None and not (is_it and entry.check_digit == wanted.check_digit):
            return None
        return (not is_it, len(stem(entry.code)), entry.code) if is_it or entry.code.startswith(wanted.digits) else None
    begun = [one for one in wanted.words if one in entry.words]
    if not begun:
        return None
    whole = sum(f"{one} " in entry.words for one in begun)
    return -len(begun), -whole, len(stem(entry.code)), entry.words.count(" "), entry.code


def shared_digits(code: str, other: str) -> int:
    """How many digits two codes have in common from the left."""
    return next((at for at, (one, two) in enumerate(zip(code, other, strict=False)) if one != two), DIGITS)

"""Text of real notices made fit to read: HTML, lost line breaks, wrong encodings, contact details, control characters."""

import html
import re
from unicodedata import normalize

from procure.kit.seen import CONTROL, UNSEEN

TEXT_MAX = 20_000

_TAG = re.compile(r"</?[A-Za-z!][^<>]{0,2000}>")
# What the service refuses, and the joiners and odd line breaks that it takes in their place.
_UNPRINTABLE = re.compile(rf"[\x0b-\x1f\u200c\u200d]|{CONTROL.pattern}|{UNSEEN.pattern}")
_MOJIBAKE = re.compile(r"[\u00c2-\u00f4][^\x00-\x7f]{1,3}")
# Contracts Finder has turned CR LF into the letters `rn` (and a tab into `t`): told from words by what stands around them.
_LOST_BREAK = re.compile(r"(?:rn){2,}|rn(?= {6})|(?<=[.:;,)])rn(?=\S)")
_LOST_TAB = re.compile("(?<=\N{BULLET})t(?=[A-Z0-9])")
# Bounded on both sides of the @: two greedy runs without a bound take quadratic time on a hostile text.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_PHONE = re.compile(r"(?<![\w/.-])(?:\+44|\(?0)[\d() -]{8,16}\d(?![\w/-])")
_SPACES = re.compile(r"[^\S\n]+")
_BREAKS = re.compile(r" ?\n[ \n]*")


def text(value: object) -> str:
    """Plain text with single spaces and line breaks, no markup and nobody's contact details; empty if `value` is no text."""
    if not isinstance(value, str):
        return ""
    said = html.unescape(value[:TEXT_MAX])
    said = _MOJIBAKE.sub(_decoded, said)
    said = _LOST_TAB.sub(" ", _LOST_BREAK.sub("\n", said))
    said = _UNPRINTABLE.sub(" ", _TAG.sub(" ", said))
    said = _PHONE.sub(_hidden, _EMAIL.sub("[email]", said))
    return normalize("NFC", _BREAKS.sub("\n", _SPACES.sub(" ", said))).strip()


def line(value: object, length: int = 300) -> str:
    """As `text`, on one line of at most `length` characters."""
    return cut(text(value).replace("\n", " "), length)


def cut(said: str, length: int) -> str:
    """At most `length` characters, ended between words where there are words."""
    if len(said) <= length:
        return said
    head = said[: length - 1]
    whole, space, _ = head.rpartition(" ")
    return (whole if space and len(whole) > length // 2 else head).rstrip(" ,;:-") + "\N{HORIZONTAL ELLIPSIS}"


def url(value: object) -> str | None:
    """A web address that can be shown, or None: some notices write `http://Contract Finder`."""
    if isinstance(value, str) and re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?", value):
        return value if len(value) <= 500 else None
    return None


def _decoded(found: re.Match[str]) -> str:
    """UTF-8 that somebody read as Windows-1252, read again; as it stands where it was none."""
    try:
        return found[0].encode("cp1252").decode("utf-8")
    except UnicodeError:
        return found[0]


def _hidden(found: re.Match[str]) -> str:
    """A telephone number has ten digits or eleven (twelve with its country's); a date has fewer, a date after a time more."""
    digits = sum(letter.isdigit() for letter in found[0])
    return "[phone]" if digits in ((12,) if found[0].startswith("+") else (10, 11)) else found[0]

"""The code list: read once, when it is first asked for, and kept."""

from functools import cache
from heapq import nsmallest
from importlib.resources import files
from operator import itemgetter

from procure.cpv import rules
from procure.cpv.errors import CpvNotFound
from procure.cpv.rules import Entry
from procure.cpv.schemas import CpvCode, CpvFindings, CpvView

NEAREST = 3


@cache
def _book() -> dict[str, Entry]:
    """By code, in the order of the list; about three megabytes."""
    text = files("procure.cpv").joinpath("data/cpv-2008.tsv").read_text(encoding="utf-8")
    return {entry.code: entry for entry in map(rules.entry_of, text.splitlines())}


@cache
def _below() -> dict[str | None, list[str]]:
    """By code, those right below it; by None the divisions."""
    book = _book()
    found: dict[str | None, list[str]] = {}
    for code in book:
        found.setdefault(rules.parent_of(code, book), []).append(code)
    return found


def canonical(written: str) -> str | None:
    """The eight digits of a code, given with or without its check digit; None if there is no such code."""
    code, _, check_digit = written.partition("-")
    entry = _book().get(code)
    return code if entry is not None and check_digit in {"", entry.check_digit} else None


def is_known(code: str) -> bool:
    """Whether the list has this code: eight digits, or those and the check digit."""
    return canonical(code) is not None


def name_of(code: str) -> str:
    return _book()[code].name


def nearest(written: str) -> list[CpvCode]:
    """Of a code that there is not: those above it and beside, which share the most digits with it, the more general first."""
    code = written.partition("-")[0]
    shared = sorted(_book(), key=lambda one: (-rules.shared_digits(code, one), len(rules.stem(one)), one))
    return [CpvCode.of(_book()[one]) for one in shared[:NEAREST]]


def said_unknown(written: str) -> str:
    """What to tell who gave a code that there is not."""
    near = ", ".join(f"{one.written} ({one.name})" for one in nearest(written))
    return f"There is no CPV code {written}; near it are {near}. `GET /v1/cpv` finds others."


def find(written: str) -> CpvView:
    """The code with those above and below; raises CpvNotFound."""
    code = canonical(written)
    if code is None:
        raise CpvNotFound(f"There is no code {written[:20]} in the Common Procurement Vocabulary of 2008.")
    book, above = _book(), []
    parent = rules.parent_of(code, book)
    while parent is not None:
        above.append(CpvCode.of(book[parent]))
        parent = rules.parent_of(parent, book)
    one = CpvCode.of(book[code])
    return CpvView(
        code=one.code,
        written=one.written,
        name=one.name,
        level=one.level,
        parents=above[::-1],
        children=[CpvCode.of(book[below]) for below in _below().get(code, [])],
    )


def search(text: str, *, under: str | None, limit: int) -> CpvFindings:
    """Codes by words or by the beginning of a code, within another one; without any text those right below it, or the divisions."""
    book = _book()
    above = find(under).code if under else None
    if not text.strip():
        codes = _below().get(above, [])
        return CpvFindings(items=[CpvCode.of(book[code]) for code in codes[:limit]], found=len(codes))
    wanted = rules.asked(text)
    ranked = [
        (place, entry)
        for entry in book.values()
        if (above is None or rules.is_under(entry.code, above)) and (place := rules.rank(entry, wanted)) is not None
    ]
    best = nsmallest(limit, ranked, key=itemgetter(0))
    return CpvFindings(items=[CpvCode.of(entry) for _, entry in best], found=len(ranked))

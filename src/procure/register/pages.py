"""The register as one HTML page. Whatever is not markup made by `tag` is escaped; there is no other way to make markup.

No script and no asset of anyone's: the policy sent with the page allows its own style, by hash, and nothing else.
"""

from base64 import b64encode
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from html import escape

from procure.awards.models import Award
from procure.kit.money import Money
from procure.lots.models import Lot
from procure.outcomes.schemas import MeasureView
from procure.policy.working_days import ZONE
from procure.register.schemas import ContractEntry, OutcomeEntry
from procure.register.service import FrontPage

STYLE = """\
:root { color-scheme: light dark; --ink: #14213d; --paper: #fff; --line: #c8ced8; --soft: #55607a; --accent: #0b5cad; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ecf4; --paper: #10151f; --line: #3a4456; --soft: #a3aec2; --accent: #7db7f5; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 70rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.9rem; }
h2 { margin: 3rem 0 .5rem; font-size: 1.35rem; }
a { color: var(--accent); }
p, small { color: var(--soft); }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .6rem .75rem .6rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { font-weight: 600; }
td.sum { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
th.sum { text-align: right; }
small { display: block; }
progress { width: 8rem; accent-color: var(--accent); }
"""
_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
OWN_STYLE = f"style-src 'sha256-{_HASH}'"
_VOID = frozenset({"meta"})


class Html(str):
    """Markup; made by `tag` alone."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: str) -> Html:
    """An element; children that are not Html are escaped, None is left out. `class_` is class, `aria_label` aria-label."""
    said = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{said}>")
    inner = "".join(child if isinstance(child, Html) else escape(str(child)) for child in children if child is not None)
    return Html(f"<{name}{said}>{inner}</{name}>")


def front(page: FrontPage) -> str:
    sections = (
        _section("Outcomes", "outcomes", _OUTCOMES, (_outcome(entry) for entry in page.outcomes)),
        _section("Open lots", "lots?status=published", _LOTS, (_lot(lot) for lot in page.open_lots)),
        _section("Latest awards", "awards", _AWARDS, (_award(award, lot) for award, lot in page.awards)),
        _section("Latest contracts", "contracts", _CONTRACTS, (_contract(entry) for entry in page.contracts)),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", "Contract register - Procure"),
        tag("style", Html(STYLE)),
    )
    intro = tag("p", "Public money: the changes that are wanted, how far they have come, and what was bought for them.")
    as_of = tag("p", "As of ", _instant(page.now), ". Amounts are net of VAT.")
    body = tag("body", tag("header", tag("h1", "Contract register"), intro, as_of), tag("main", *sections))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


_OUTCOMES = ("Outcome", "Buyer", "Progress", "Envelope", "Committed", "Accepted", "Paid")
_LOTS = ("Lot", "Buyer", "Phase", "Ceiling", "Closes")
_AWARDS = ("Award", "Buyer", "Supplier", "Value", "Decided")
_CONTRACTS = ("Contract", "Buyer", "Supplier", "Value", "Deliverables", "Learned", "Next step")
_SUMS = frozenset({"Envelope", "Committed", "Accepted", "Paid", "Ceiling", "Value"})


def _section(title: str, address: str, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Html:
    found = [tag("tr", *(_cell(column, value) for column, value in zip(columns, row, strict=True))) for row in rows]
    heads = (tag("th", column, scope="col", class_="sum" if column in _SUMS else "text") for column in columns)
    table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *found))
    anchor = title.lower().replace(" ", "-")
    return tag(
        "section",
        tag("h2", title, id=anchor),
        tag("div", table, class_="scroll") if found else tag("p", "None yet."),
        tag("p", tag("a", "All of them, as JSON", href=f"/v1/register/{address}")),
        aria_labelledby=anchor,
    )


def _cell(column: str, value: object) -> Html:
    return tag("td", value, class_="sum" if column in _SUMS else "text")


def _outcome(entry: OutcomeEntry) -> tuple[object, ...]:
    sums = (entry.envelope, entry.ledger.committed, entry.ledger.accepted, entry.ledger.paid)
    named = _named(entry.title, f"{entry.reference}, {_words(entry.status)}", f"/v1/outcomes/{entry.id}")
    progress = tag("div", *(_measure(measure) for measure in entry.measures))
    return (named, entry.buyer.name, progress, *(_money(amount) for amount in sums))


def _measure(measure: MeasureView) -> Html:
    """A bar from the baseline to the target, and in words what it can't show: nothing seen, or worse than before."""
    if measure.progress is None or measure.latest is None:
        return tag("div", measure.name, tag("small", "not observed yet"))
    progress = Decimal(measure.progress)
    seen = f"{measure.latest.value} {measure.unit} on {_day(measure.latest.on)}, target {measure.target.value}"
    said = f"{progress * 100:.0f} %" if progress >= 0 else "worse than before"
    shown = min(max(progress, Decimal(0)), Decimal(1))
    bar = tag("progress", said, max="1", value=f"{shown:f}", aria_label=measure.name)
    return tag("div", measure.name, tag("div", bar, " ", said), tag("small", seen))


def _lot(lot: Lot) -> tuple[object, ...]:
    named = _named(lot.title, lot.reference, f"/v1/lots/{lot.id}")
    return (named, lot.buyer_name, lot.phase, _money(Money.of(lot.ceiling, lot.currency)), _instant(lot.closes_at))


def _award(award: Award, lot: Lot) -> tuple[object, ...]:
    named = _named(lot.title, award.reference, f"/v1/awards/{award.id}")
    decided = _instant(award.decided_at) if award.decided_at else None
    return (named, lot.buyer_name, award.supplier_name, _money(Money.of(award.value, award.currency)), decided)


def _contract(entry: ContractEntry) -> tuple[object, ...]:
    when = f"{_day(entry.starts_on)} to {_day(entry.ends_on)}, {_words(entry.status)}"
    works = (tag("div", one.title, tag("small", _words(one.status))) for one in entry.deliverables)
    learned = (text for text in (entry.learned_by_buyer, entry.learned_by_supplier) if text)
    return (
        tag("div", entry.reference, tag("small", when)),
        entry.buyer.name,
        entry.supplier.name,
        _money(entry.value),
        tag("div", *works),
        tag("div", *(tag("div", text) for text in learned)),
        entry.next_step,
    )


def _named(title: str, below: str, href: str) -> Html:
    return tag("div", tag("a", title, href=href), tag("small", below))


def _words(status: str) -> str:
    return status.replace("_", " ")


def _money(money: Money) -> str:
    amount = f"{money.value:,.2f}"
    return f"£{amount}" if money.currency == "GBP" else f"{amount} {money.currency}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _instant(moment: datetime) -> Html:
    local = moment.astimezone(ZONE)
    return tag("time", f"{_day(local)}, {local:%H:%M}", datetime=moment.isoformat())

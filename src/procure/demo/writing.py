"""The documents of a play, as its people send them. Each says which notice it replays, and that the rest is made up."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from procure.demo import cleaning
from procure.demo.documents import Document
from procure.demo.notices import Notice
from procure.demo.plan import SCORE_MIN, BidPlan, LotPlan, Piece, Plan
from procure.demo.timetable import Timetable

MADE_UP = (
    "The buyer, the suppliers, the value and the quoted text are those of a real notice (Contains public sector information licensed under "
    "the Open Government Licence v3.0, where it is one of Contracts Finder). Everything else - this statement, its measures, the people, "
    "lots, bids, scores, contracts and dates - is made up by `procure demo` and never happened."
)
_AIMS = {
    "discover": "find out what is needed most, with the people who need it, before anything large is bought",
    "define": "choose between the ways that were found, and try the most promising one on a small scale",
    "develop": "make the first part that people can use, and show it to them",
    "deliver": "put into daily use what has been made, and hand it over",
}
_TITLES = ("What was found, shown to the team", "A first part in use", "The whole in use and handed over")


def money(amount: Decimal) -> Document:
    return {"amount": f"{amount:.2f}", "currency": "GBP"}


def source(notice: Notice) -> str:
    """Which notice it is, and where it can be read."""
    where = f", {notice.url}" if notice.url else ""
    return f"notice {notice.release_id or 'without an id'} of {notice.date or 'no date'}, ocid {notice.ocid}{where}"


def outcome(plan: Plan, team: Sequence[tuple[str, str]], today: date) -> Document:
    """The outcome as its officer writes it; `team` is persons' ids and disciplines."""
    notice = plan.notice
    document: Document = {
        "title": notice.title,
        "statement": _statement(notice),
        "beneficiaries": cleaning.cut(
            f"Those whom {notice.buyer.name} serves (made up; it replays {notice.ocid})", 300
        ),
        "options": _options(notice),
        "team": [{"person_id": person, "discipline": discipline} for person, discipline in team],
        "envelope": money(plan.envelope),
        "measures": [_measure(today)],
    }
    return document | ({"cpv": notice.cpv} if notice.cpv else {})


def _statement(notice: Notice) -> str:
    suppliers = ", ".join(supplier.name for supplier in notice.suppliers)
    more = notice.suppliers_named - len(notice.suppliers)
    said = f"What {notice.buyer.name} wanted with “{notice.title}” is in use and does what it is for, bought in small steps."
    replayed = (
        f"This replays {source(notice)}: {suppliers}{f' and {more} more' if more else ''}, {notice.value:.2f} GBP."
    )
    quoted = f"The notice says: “{notice.description}”" if notice.description else "The notice says no more."
    return cleaning.cut(f"{said}\n\n{replayed}\n\n{MADE_UP}\n\n{quoted}", 4000)


def _options(notice: Notice) -> list[Document]:
    as_bought = f"How the notice has it ({notice.ocid}); put here for comparison, the reasons are made up"
    return [
        {"title": "One contract for all of it", "reason": as_bought, "chosen": False},
        {"title": "Ourselves, without buying anything", "reason": "Made up: too few people at hand", "buys": False},
        {
            "title": "Short lots, one after the other",
            "reason": "Made up: what is learned decides what comes next",
            "chosen": True,
        },
    ]


def _measure(today: date) -> Document:
    return {
        "name": "Share of what was wanted that is in use",
        "unit": "percent",
        "direction": "increase",
        "baseline": {"value": "0", "on": str(today - timedelta(days=30))},
        "target": {"value": "100", "on": str(today + timedelta(days=730))},
        "method": "Made up: counted by the team at the end of each contract",
    }


def lot(plan: Plan, lot: LotPlan, outcome_id: str, measure_ids: Sequence[str], when: Timetable) -> Document:
    """The lot as its officer drafts it."""
    further = {"count": lot.further_iterations, "ceiling": money(lot.further_ceiling)}
    return {
        "outcome_id": outcome_id,
        "title": lot_title(plan, lot),
        "phase": lot.phase.value,
        "brief": _brief(plan, lot),
        "measure_ids": list(measure_ids),
        "duration_days": lot.duration_days,
        "ceiling": money(lot.ceiling),
        "further_iterations": further,
        "criteria": CRITERIA,
        "route": "open",
        **calendar(lot.pieces, when),
    }


CRITERIA = [
    {"name": "How you would work", "kind": "quality", "weight": 50, "minimum_score": SCORE_MIN},
    {"name": "Price", "kind": "price", "weight": 40},
    {"name": "Local skills", "kind": "social_value", "weight": 10},
]


def lot_title(plan: Plan, lot: LotPlan) -> str:
    return f"{cleaning.cut(plan.notice.title, 120)}: {lot.phase.value}, lot {lot.number}"


def _brief(plan: Plan, lot: LotPlan) -> str:
    aim = f"In {lot.duration_days} days, {_AIMS[lot.phase.value]}. Work with the team in the open, show what there is every week."
    about = f"It is about “{plan.notice.title}”."
    return f"{aim}\n\n{about} This replays {source(plan.notice)}.\n\n{MADE_UP}"


def calendar(pieces: Sequence[Piece], when: Timetable) -> Document:
    """The part of a lot that moves with its band."""
    return {
        "starts_on": str(when.starts_on),
        "enquiries_close_at": when.enquiries_close_at.isoformat(),
        "closes_at": when.closes_at.isoformat(),
        "deliverables": deliverables(when.due_dates(pieces)),
    }


def deliverables(due: Sequence[date]) -> list[Document]:
    titles = _TITLES[len(_TITLES) - len(due) :]
    return [
        {
            "title": title,
            "due_on": str(day),
            "acceptance_criteria": ["The team has seen it at work", "What is still missing is written down"],
        }
        for title, day in zip(titles, due, strict=True)
    ]


def bid(lot: Document, bid: BidPlan, prices: Sequence[Decimal]) -> Document:
    """A bid on the lot as the service answered it."""
    answered = [one["id"] for one in lot["criteria"] if one["kind"] != "price"]
    text = f"Made up for {bid.bidder.name}: a small team that shows its work every week, and hands it over at the end."
    return {
        "prices": [
            {"deliverable_id": one["id"], "price": money(price)}
            for one, price in zip(lot["deliverables"], prices, strict=True)
        ],
        "answers": [{"criterion_id": one, "text": text} for one in answered],
        "team": [
            {"name": "A made-up lead", "discipline": "delivery"},
            {"name": "A made-up colleague", "discipline": "engineering"},
        ],
    }

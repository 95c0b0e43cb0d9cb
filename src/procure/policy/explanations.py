"""What each limit and each part of a ceremony means, in words, and which way a buyer may move a limit: one table for all readers.

A limit that is added to `rules.Limits` is added here: a test fails until it has its words.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

Value = int | Decimal


class Bound(StrEnum):
    """Which way a limit bounds: what is asked for may be at most this, or at least this. A buyer's own is lower, or higher."""

    MOST = "most"
    LEAST = "least"


@dataclass(frozen=True, slots=True)
class Explanation:
    """`words` say what the limit means and why it is there, with the value in the place of `{value}`."""

    bound: Bound
    unit: str
    words: str


#: By the names of `rules.Limits`, in their order.
LIMITS: dict[str, Explanation] = {
    "duration_days_max": Explanation(
        Bound.MOST,
        "days",
        "A lot's work takes at most {value} days, so that something is delivered and looked at before more is bought.",
    ),
    "ceiling_max": Explanation(
        Bound.MOST,
        "GBP, net",
        "A lot costs at most {value} pounds net, and each further iteration too: a mistake stays as small as that.",
    ),
    "title_letters_min": Explanation(
        Bound.LEAST,
        "characters",
        "A title has at least {value} characters, to say what is bought to whoever reads it in a list.",
    ),
    "brief_words_min": Explanation(
        Bound.LEAST, "words", "A brief has at least {value} words: with fewer nobody could tell what to offer."
    ),
    "brief_words_max": Explanation(
        Bound.MOST,
        "words",
        "A brief has at most {value} words: a small firm can read it in one sitting, and what is longer is a specification.",
    ),
    "criterion_words_min": Explanation(
        Bound.LEAST,
        "words",
        "What a deliverable is accepted by is said in at least {value} words, so that both sides know when it is done.",
    ),
    "deliverables_max": Explanation(
        Bound.MOST,
        "deliverables",
        "A lot has at most {value} deliverables: a handful can be looked after, a catalogue can't.",
    ),
    "panel_persons_min": Explanation(
        Bound.LEAST,
        "persons",
        "At least {value} persons score the bids, so that no one alone decides who is paid with public money.",
    ),
    "panel_disciplines_min": Explanation(
        Bound.LEAST,
        "disciplines",
        "The panel has at least {value} disciplines, so that those who build, use and pay for the work judge it together.",
    ),
    "signing_working_days": Explanation(
        Bound.MOST,
        "working days",
        "Both sides sign within {value} working days; after that the award has lapsed and the next in rank can be asked.",
    ),
    "rework_rounds_max": Explanation(
        Bound.MOST,
        "rounds",
        "A rejected deliverable may be handed in again {value} times at most; then either side may end the contract.",
    ),
    "payment_term_days": Explanation(
        Bound.MOST,
        "days",
        "A valid invoice is paid within {value} days of its receipt; the law implies 30 (Procurement Act 2023, section 68).",
    ),
    "review_working_days": Explanation(
        Bound.MOST,
        "working days",
        "The buyer answers a delivery within {value} working days; silence accepts nothing and is shown as overdue.",
    ),
    "review_days_max": Explanation(
        Bound.MOST,
        "days",
        "However many holidays there are, a delivery is answered within {value} calendar days, since the supplier waits for its money.",
    ),
    "further_iterations_max": Explanation(
        Bound.MOST,
        "iterations",
        "A lot announces at most {value} further iterations with its winner: going on is easy, and still ends in a new competition.",
    ),
    "variation_percent_max": Explanation(
        Bound.MOST,
        "percent",
        "A contract may grow by at most {value} per cent of its value by variations: what is more is another need.",
    ),
    "tender_validity_days_min": Explanation(
        Bound.LEAST,
        "days",
        "Bids stay valid for at least {value} days, so that there is time to score, to award and to sign.",
    ),
}


def in_words(name: str, value: Value) -> str:
    """The sentence of one limit with its value."""
    return LIMITS[name].words.format(value=plain(value))


def plain(value: Value) -> str:
    """A limit's value as it is written: a whole number, or an amount with its hundredths."""
    return f"{value:.2f}" if isinstance(value, Decimal) else str(value)


def ceremony_in_words(
    *, window_working_days: int, window_days: int, notice_required: bool, openers: int, standstill_working_days: int
) -> list[str]:
    """What a band asks, a sentence for each part of its ceremony."""
    return [
        _window(window_working_days, window_days),
        "The lot opens to everybody once the references of the official notice are recorded."
        if notice_required
        else "No official notice is asked for.",
        f"After the deadline {openers} different approvers open the bids together."
        if openers
        else "The service itself opens the bids when the deadline has passed.",
        f"Between the notice of the award and the signature lie {standstill_working_days} working days of standstill, "
        "which nobody can waive."
        if standstill_working_days
        else "The contract may be signed as soon as the award is approved.",
    ]


def _window(working_days: int, days: int) -> str:
    if days:
        return (
            f"Suppliers have at least {days} days to bid, counted from the official notice or the publication, "
            "whichever is later."
        )
    return f"Suppliers have at least {working_days} working days to bid, by the bank holidays of the buyer's nation."

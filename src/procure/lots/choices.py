"""What a lot chooses in a word instead of pages of terms, and what each choice means; what each phase expects. All of it plain data.

`GET /v1/lots/choices` answers the whole of it, the contract's document takes the sentences of what was chosen over, and the checks of a
draft compare it with what its phase expects.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from procure.lots.rules import CancelReason, Ip, Phase, Region, Remote

#: Names as the Office for National Statistics has them.
REGIONS: Mapping[Region, str] = {
    Region.NORTH_EAST: "North East (England)",
    Region.NORTH_WEST: "North West (England)",
    Region.YORKSHIRE: "Yorkshire and The Humber",
    Region.EAST_MIDLANDS: "East Midlands (England)",
    Region.WEST_MIDLANDS: "West Midlands (England)",
    Region.EAST: "East (England)",
    Region.LONDON: "London",
    Region.SOUTH_EAST: "South East (England)",
    Region.SOUTH_WEST: "South West (England)",
    Region.WALES: "Wales",
    Region.SCOTLAND: "Scotland",
    Region.NORTHERN_IRELAND: "Northern Ireland",
}
REMOTE: Mapping[Remote, str] = {
    Remote.REMOTE: "The supplier works from wherever it likes; both sides meet by video, and nobody has to travel.",
    Remote.HYBRID: "The supplier works from wherever it likes, and comes to the place of the lot when the work needs people in one room.",
    Remote.ON_SITE: "The supplier works at the place of the lot, on most days of the work.",
}

IP: Mapping[Ip, str] = {
    Ip.BUYER_OWNS: (
        "What is made belongs to the buyer on acceptance. What the supplier brought stays its own, with a perpetual licence to use it "
        "with what was made."
    ),
    Ip.BUYER_PUBLISHES: (
        "What is made belongs to the buyer on acceptance, and the buyer publishes it under an open licence, so that others need not buy "
        "it again. What the supplier brought stays its own, under a licence that allows that."
    ),
    Ip.SUPPLIER_OWNS_OPEN_LICENCE: (
        "What is made stays the supplier's, which publishes it under an open licence on acceptance: the buyer and everybody else may use "
        "and change it for good."
    ),
    Ip.SUPPLIER_OWNS_LICENSED: (
        "What is made stays the supplier's. The buyer has a perpetual, irrevocable licence without further payment to use and change it, "
        "and to have others do so for it."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a phase expects of a lot. A draft that is otherwise is warned, not refused."""

    said: str
    days_usual_max: int
    deliverables_usual_max: int
    #: Whether each deliverable is expected to have an acceptance criterion with a number or a date in it.
    measurable: bool


PHASES: Mapping[Phase, Expectation] = {
    Phase.DISCOVER: Expectation(
        said=(
            "Find out what the need is, with those who have it. Short; deliverables are findings, and the end may be that nothing is to "
            "be bought."
        ),
        days_usual_max=42,
        deliverables_usual_max=4,
        measurable=False,
    ),
    Phase.DEFINE: Expectation(
        said="Choose the problem that is worth solving and the way to try first. Short; deliverables are choices and small experiments.",
        days_usual_max=42,
        deliverables_usual_max=4,
        measurable=False,
    ),
    Phase.DEVELOP: Expectation(
        said="Make the first part that people can use, and show it to them. Each deliverable is accepted by something that can be counted.",
        days_usual_max=84,
        deliverables_usual_max=6,
        measurable=True,
    ),
    Phase.DELIVER: Expectation(
        said="Put into daily use what has been made, and hand it over. Each deliverable is accepted by something that can be counted.",
        days_usual_max=84,
        deliverables_usual_max=8,
        measurable=True,
    ),
}

CANCEL: Mapping[CancelReason, str] = {
    CancelReason.NEED_CHANGED: "The need has gone, or is another one than the lot describes.",
    CancelReason.BUDGET_WITHDRAWN: "The money for it is not there any more.",
    CancelReason.NO_SUITABLE_BIDS: "The bids were read, and none does what is needed. Only while they are being evaluated.",
    CancelReason.DOCUMENTS_WRONG: "The lot says something wrong that can't be mended while it is open.",
    CancelReason.CHALLENGED: "A challenge, of a court or an authority, ends it. Not of a draft, which nobody has seen.",
    CancelReason.OTHER: "Something else, which the words say.",
}

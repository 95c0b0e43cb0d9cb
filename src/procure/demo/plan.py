"""What is played of a notice: its value as lots inside the policy's caps, who bids, what is tried in vain, and how it ends.

Pure and decided by the notice and its number alone, so that a run can be repeated and explained.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from math import ceil

from procure.demo.notices import Notice
from procure.demo.parties import Party
from procure.demo.values import LIMITS
from procure.kit.money import CENT
from procure.lots.rules import Phase
from procure.organisations.rules import Nation

RIVAL = Party("A made-up rival of the demonstration", "XX-DEMO", "rival", Nation.ENGLAND, is_central_government=False)
BIDS_MAX = 4
BOXES_MIN = 3
SCORE_MIN = 2


class End(StrEnum):
    """How a play ends."""

    COMPLETED = "completed"
    CONTINUED = "continued"
    UNFINISHED = "unfinished"
    NO_BIDS = "no-bids"
    REWORKED = "reworked"
    STOPPED = "stopped"
    PIVOTED = "pivoted"
    CANCELLED = "cancelled"
    UNAWARDED = "unawarded"
    REAWARDED = "reawarded"


class Dare(StrEnum):
    """What somebody tries although the rules forbid it; each is refused, and counted."""

    LONG_LOT = "draft a lot of a year"
    SHORT_WINDOW = "publish with too short a window"
    OWN_LOT = "publish what one has prepared"
    NO_NOTICE = "publish without the official notice"
    EARLY_OPENING = "open before the deadline"
    BID_ABOVE_CEILING = "bid above the ceiling"
    SECOND_BID = "bid twice"
    LATE_BID = "bid after the deadline"
    PEEKING = "read the bids before they are opened"
    OWN_AWARD = "approve what one has recommended"
    EARLY_SIGNATURE = "sign within the standstill"
    OTHER_DOCUMENT = "sign another document"
    STRANGER = "read a contract of others"
    EARLY_STOP = "stop where there is no boundary"
    EARLY_INVOICE = "invoice work that is not accepted"
    OVERPAYMENT = "pay more than is due"


#: The problem that each of them meets.
REFUSED_AS = {
    Dare.LONG_LOT: "lot-invalid",
    Dare.SHORT_WINDOW: "window-too-short",
    Dare.OWN_LOT: "same-person",
    Dare.NO_NOTICE: "notice-missing",
    Dare.EARLY_OPENING: "lot-not-closed",
    Dare.BID_ABOVE_CEILING: "bid-invalid",
    Dare.SECOND_BID: "bid-exists",
    Dare.LATE_BID: "lot-not-open",
    Dare.PEEKING: "bids-not-opened",
    Dare.OWN_AWARD: "same-person",
    Dare.EARLY_SIGNATURE: "standstill-running",
    Dare.OTHER_DOCUMENT: "digest-mismatch",
    Dare.STRANGER: "contract-not-found",
    Dare.EARLY_STOP: "not-at-boundary",
    Dare.EARLY_INVOICE: "deliverable-not-accepted",
    Dare.OVERPAYMENT: "payment-exceeds-invoice",
}
#: Eleven, so that ends and sizes (five in turn) meet in every combination. The first four are what `make run` seeds with.
ENDS = (
    End.COMPLETED,
    End.CONTINUED,
    End.UNFINISHED,
    End.NO_BIDS,
    End.REWORKED,
    End.STOPPED,
    End.PIVOTED,
    End.CANCELLED,
    End.COMPLETED,
    End.UNAWARDED,
    End.REAWARDED,
)
PHASES = (Phase.DISCOVER, Phase.DEFINE, Phase.DEVELOP, Phase.DELIVER)


@dataclass(frozen=True, slots=True)
class Piece:
    """A deliverable: what it may cost (net), and when it is due, in days from the start."""

    amount: Decimal
    due_after_days: int


@dataclass(frozen=True, slots=True)
class BidPlan:
    """A bid: its price in percent of the ceiling, and what the panel thinks of it (0 to 5)."""

    bidder: Party
    percent: int
    score: int

    def prices(self, pieces: Sequence[Piece]) -> list[Decimal]:
        """What each deliverable costs in this bid: whole pence, never nothing."""
        return [max(CENT, (piece.amount * self.percent / 100).quantize(CENT)) for piece in pieces]


@dataclass(frozen=True, slots=True, kw_only=True)
class LotPlan:
    """One lot: a time-box of so many days, and announced further ones with the same team."""

    number: int
    phase: Phase
    duration_days: int
    ceiling: Decimal
    further_iterations: int
    further_ceiling: Decimal
    bids: tuple[BidPlan, ...]

    @property
    def estimate(self) -> Decimal:
        return self.ceiling + self.further_iterations * self.further_ceiling

    @property
    def pieces(self) -> tuple[Piece, ...]:
        return pieces(self.ceiling, self.duration_days)

    @property
    def further_pieces(self) -> tuple[Piece, ...]:
        return pieces(self.further_ceiling, self.duration_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole play. `lots` spend the envelope to the penny; how many of them are bought is the end's to say."""

    number: int
    notice: Notice
    end: End
    lots: tuple[LotPlan, ...]
    dares: frozenset[Dare]

    @property
    def envelope(self) -> Decimal:
        return self.notice.value


class Size(StrEnum):
    """The band that a value probably falls into; which one it is, the service says."""

    SMALL = "small"
    NOTIFIABLE = "notifiable"
    COVERED = "covered"


#: Three small ones in five: what the marketplace is for. The rest asks for notices, standstill and two openers.
TURNS = (Size.SMALL, Size.COVERED, Size.NOTIFIABLE, Size.SMALL, Size.SMALL)


def size_of(notice: Notice) -> Size:
    """By the thresholds of 2026, net; only the choice of notices depends on it."""
    central = notice.buyer.is_central_government
    if notice.value < (10_000 if central else 25_000):
        return Size.SMALL
    return Size.NOTIFIABLE if notice.value < (112_515 if central else 173_100) else Size.COVERED


def choose(notices: Sequence[Notice], count: int) -> list[Notice]:
    """At most `count` notices, in the file's order within a size, sizes in turn; a size that has run out leaves its turns to the rest."""
    waiting = {size: deque(notice for notice in notices if size_of(notice) is size) for size in Size}
    chosen: list[Notice] = []
    while len(chosen) < min(count, len(notices)):
        wanted = TURNS[len(chosen) % len(TURNS)]
        queue = waiting[wanted] or next(queue for queue in waiting.values() if queue)
        chosen.append(queue.popleft())
    return chosen


def plan_of(notice: Notice, number: int) -> Plan:
    """How the notice is played when it is the `number`-th of the run, from 0."""
    end = ENDS[number % len(ENDS)]
    dares = frozenset(dare for place, dare in enumerate(Dare) if (number + place) % 3 == 0)
    return Plan(number=number, notice=notice, end=end, lots=_lots(notice, end), dares=dares)


def _lots(notice: Notice, end: End) -> tuple[LotPlan, ...]:
    boxes, lots = split(notice.value), list[LotPlan]()
    base = boxes[-1]
    while boxes:
        # Two time-boxes to find out whether it is the right team, then as many as the policy lets a lot announce.
        size = min(len(boxes), 1 + (LIMITS.further_iterations_max if lots else 1))
        first, boxes = boxes[0], boxes[size:]
        lots.append(_lot(notice, end, len(lots), first, size - 1, base))
    return tuple(lots)


def _lot(notice: Notice, end: End, number: int, first: Decimal, further: int, base: Decimal) -> LotPlan:
    return LotPlan(
        number=number + 1,
        phase=PHASES[min(number, len(PHASES) - 1)],
        duration_days=_days(first),
        ceiling=first,
        further_iterations=further,
        further_ceiling=base if further else Decimal("0.00"),
        bids=_bids(notice, end, number),
    )


def split(value: Decimal) -> list[Decimal]:
    """The value as time-boxes, all alike but for the pence that do not divide, which the first carries; their sum is the value."""
    count = max(BOXES_MIN, ceil(value / LIMITS.ceiling_max))
    base = (value / count).quantize(CENT, rounding="ROUND_DOWN")
    first = value - base * (count - 1)
    if first <= LIMITS.ceiling_max:
        return [first] + [base] * (count - 1)
    base = (value / (count + 1)).quantize(CENT, rounding="ROUND_DOWN")
    return [value - base * count] + [base] * count


def _days(amount: Decimal) -> int:
    """A bigger box takes longer, up to what the policy lets one take."""
    return 28 if amount < 20_000 else 56 if amount < 80_000 else LIMITS.duration_days_max


def pieces(amount: Decimal, days: int) -> tuple[Piece, ...]:
    """A time-box's deliverables: two, or three where there is room; what they may cost sums to `amount`."""
    count = 2 if days <= 28 else 3
    base = (amount / count).quantize(CENT, rounding="ROUND_DOWN")
    amounts = [base] * (count - 1) + [amount - base * (count - 1)]
    return tuple(Piece(one, days * place // count) for place, one in enumerate(amounts, start=1))


def _bids(notice: Notice, end: End, number: int) -> tuple[BidPlan, ...]:
    """Nobody where no bid is to come; else the suppliers of the notice, another one ahead in each lot, and a made-up rival."""
    if end is End.NO_BIDS:
        return ()
    ahead = number % len(notice.suppliers)
    bidders = [*notice.suppliers[ahead:], *notice.suppliers[:ahead]]
    bidders = [*bidders, RIVAL][:BIDS_MAX]
    best = SCORE_MIN - 1 if end is End.UNAWARDED else 5
    return tuple(BidPlan(one, 95 + place, max(best - place, 1)) for place, one in enumerate(bidders))

"""A bid's statuses and what may follow what; what a bid has to give; predicates over plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from procure.bids.errors import BidderNotSupplier, BidInvalid, BidsNotSealed, BidStateWrong, LotSealed
from procure.kit.errors import Faults
from procure.kit.money import AMOUNT_MAX, total
from procure.lots import rules as lot_rules
from procure.lots.errors import LotNotClosed, LotNotOpen
from procure.lots.rules import LotStatus
from procure.policy.working_days import period_of_days


class BidStatus(StrEnum):
    SUBMITTED = "submitted"
    WITHDRAWN = "withdrawn"
    OPENED = "opened"
    UNREADABLE = "unreadable"
    AWARDED = "awarded"
    DISQUALIFIED = "disqualified"
    UNSUCCESSFUL = "unsuccessful"
    LAPSED = "lapsed"


class SealingMode(StrEnum):
    """Who sealed: `server` in memory before anything was stored, or (to come) `client`, the portal itself."""

    SERVER = "server"


#: `unsuccessful` from `submitted`: a lot that was cancelled before its bids were opened.
#: `lapsed` is missing on purpose: it is a fact of time and of the lot, and is stored nowhere, see `status_at`.
NEXT: dict[BidStatus, frozenset[BidStatus]] = {
    BidStatus.SUBMITTED: frozenset(
        {BidStatus.WITHDRAWN, BidStatus.OPENED, BidStatus.UNREADABLE, BidStatus.UNSUCCESSFUL}
    ),
    BidStatus.WITHDRAWN: frozenset(),
    BidStatus.OPENED: frozenset({BidStatus.AWARDED, BidStatus.DISQUALIFIED, BidStatus.UNSUCCESSFUL}),
    BidStatus.UNREADABLE: frozenset(),
    BidStatus.AWARDED: frozenset({BidStatus.OPENED, BidStatus.UNSUCCESSFUL}),
    BidStatus.DISQUALIFIED: frozenset(),
    BidStatus.UNSUCCESSFUL: frozenset(),
}

#: Statuses from which the end of the lot or of the bid's validity lets a bid lapse.
_MAY_LAPSE = frozenset({BidStatus.SUBMITTED, BidStatus.OPENED})
_LOT_ENDED = frozenset({LotStatus.UNSUCCESSFUL, LotStatus.CANCELLED})
_CENT_PLACES = -2


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a lot asks of a bid: a price for each deliverable, an answer to each criterion named here. `ceiling` is net."""

    deliverable_ids: tuple[str, ...]
    criterion_ids: tuple[str, ...]
    ceiling: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a bid gives, as plain values: (deliverable, net amount, currency), (criterion, text), and how many of a team."""

    prices: Sequence[tuple[str, Decimal, str]]
    answers: Sequence[tuple[str, str]]
    team_size: int


def check_bidder(supplier_id: UUID | None) -> UUID:
    """The bidding supplier's id."""
    if supplier_id is None:
        raise BidderNotSupplier("A bid is made for a supplier organisation.")
    return supplier_id


def status_at(
    status: BidStatus, lot_status: LotStatus, closes_at: datetime, validity_days: int, now: datetime
) -> BidStatus:
    """The status as it is at `now`: a bid lapses with its lot, and when the days are over for which it stays valid."""
    if status in _MAY_LAPSE and (lot_status in _LOT_ENDED or now >= period_of_days(closes_at, validity_days)):
        return BidStatus.LAPSED
    return status


def check_content(asked: Asked, given: Given) -> None:
    """Everything that the lot asks, each exactly once, and nothing else; raises BidInvalid with every fault."""
    faults = Faults()
    _check_prices(faults, asked, given.prices)
    _check_answers(faults, asked, given.answers)
    faults.unless(given.team_size > 0, "/team", "required", "Name the people who would do the work.")
    faults.raise_any(BidInvalid, "The bid does not give what the lot asks: see `errors`.")


def _check_prices(faults: Faults, asked: Asked, prices: Sequence[tuple[str, Decimal, str]]) -> None:
    _check_each_once(
        faults, "/prices", "deliverable_id", "deliverable", asked.deliverable_ids, [name for name, _, _ in prices]
    )
    for index, (_, amount, currency) in enumerate(prices):
        _check_price(faults, f"/prices/{index}/price", amount, currency, asked.currency)
    amounts = [amount for _, amount, _ in prices if _is_amount(amount)]
    faults.unless(
        total(amounts) <= asked.ceiling,
        "/prices",
        "over-ceiling",
        f"The prices sum to {total(amounts):f}; the lot's ceiling is {asked.ceiling:f} net.",
    )


def _check_price(faults: Faults, at: str, amount: Decimal, currency: str, wanted: str) -> None:
    faults.unless(currency == wanted, f"{at}/currency", "currency", f"The lot is priced in {wanted}.")
    if not _is_amount(amount):
        faults.add(f"{at}/amount", "not-an-amount", "A price is a plain decimal number of at most twelve digits.")
        return
    exponent = amount.as_tuple().exponent
    places_fit = isinstance(exponent, int) and exponent >= _CENT_PLACES
    faults.unless(places_fit, f"{at}/amount", "places", "A price has at most two places.")
    faults.unless(amount > 0, f"{at}/amount", "price-zero", "Every price is more than nothing.")


def _is_amount(amount: Decimal) -> bool:
    """A number that money can be. The body's pattern lets nothing else in; what was sealed elsewhere may be anything."""
    return amount.is_finite() and abs(amount) <= AMOUNT_MAX


def _check_answers(faults: Faults, asked: Asked, answers: Sequence[tuple[str, str]]) -> None:
    _check_each_once(
        faults, "/answers", "criterion_id", "criterion", asked.criterion_ids, [name for name, _ in answers]
    )
    for index, (_, text) in enumerate(answers):
        faults.unless(bool(text.strip()), f"/answers/{index}/text", "empty", "An answer says something.")


def _check_each_once(
    faults: Faults, at: str, field: str, noun: str, wanted: Sequence[str], names: Sequence[str]
) -> None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        pointer = f"{at}/{index}/{field}"
        faults.unless(name in wanted, pointer, "unknown", f"The lot asks nothing about a {noun} of this id.")
        faults.unless(name not in seen, pointer, "repeated", f"Each {noun} is given once.")
        seen.add(name)
    for name in wanted:
        faults.unless(name in seen, at, "missing", f"The {noun} {name} is missing.")


def check_taking(status: LotStatus, closes_at: datetime, now: datetime, *, is_sealed: bool) -> None:
    """Whether the lot takes bids: strictly before `closes_at` (docs/rules.md, rule h), and never once it has been sealed."""
    lot_rules.check_open(status, closes_at, now)
    if is_sealed:  # the clock may have stepped back since, at a failover; the seal is final
        raise LotNotOpen("The lot's bids have been sealed; it takes no more.")


def check_sealable(status: LotStatus, closes_at: datetime, now: datetime, *, is_sealed: bool) -> None:
    """At or after `closes_at`, and once (docs/rules.md, rules b and i)."""
    if is_sealed:
        raise LotSealed("The lot's bids are committed to already.")
    lot_rules.check_closed(status, closes_at, now)


def check_openable(closes_at: datetime, now: datetime, *, is_sealed: bool) -> None:
    """After `closes_at` and after the seal, whoever opens (docs/rules.md, rules b and e)."""
    if not lot_rules.has_closed(closes_at, now):
        raise LotNotClosed("Nobody opens a bid before the lot closes.")
    if not is_sealed:
        raise BidsNotSealed("The lot's bids have to be committed to before one of them is opened.")


def check_submitted(status: BidStatus) -> None:
    if status is not BidStatus.SUBMITTED:
        raise BidStateWrong(f"The bid is {status}; only a submitted one can be replaced or withdrawn.")


def check_move(status: BidStatus, wanted: BidStatus) -> None:
    if wanted not in NEXT[status]:
        raise BidStateWrong(f"The bid is {status}; it can't become {wanted}.")

"""Points and ranking: pure, exact, and the same for whoever works them out again.

A bid's points on a criterion of quality or social value are weight * score / 5; on price, weight * lowest price / price. The
lowest price is looked for among the bids still in the running, those that reach every minimum score: a bid that nobody may choose
must not push down the price points of one that may be. A bid below a minimum keeps its points for quality and social value, gets
none for price and no rank.

Points have four places; what lies between is rounded half up, criterion by criterion, so that a total is the sum of what is shown.
The ranking goes by total, then points of quality criteria, then the lower price, then a draw that nobody can steer: ascending
SHA-256(root of the lot's published seal ‖ bid id), 32 and 16 bytes.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from procure.lots.rules import CriterionKind

SCORE_MAX = 5
PLACES = 4


@dataclass(frozen=True, slots=True)
class Weighting:
    """A criterion as it counts. `minimum` is a score, or none."""

    id: str
    kind: CriterionKind
    weight: int
    minimum: int | None = None


@dataclass(frozen=True, slots=True)
class Contender:
    """A bid to be ranked: its price (net, above zero) and its agreed score on each criterion but price."""

    bid_id: UUID
    price: Decimal
    scores: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A bid's points out of 100, and its rank from 1, or None below a minimum score."""

    bid_id: UUID
    rank: int | None
    quality: Decimal
    social_value: Decimal
    price: Decimal

    @property
    def total(self) -> Decimal:
        return self.quality + self.social_value + self.price


def rank(criteria: Sequence[Weighting], contenders: Iterable[Contender], root: bytes) -> list[Place]:
    """Every contender's place, best first, those below a minimum last. Whatever order they come in, the places are the same."""
    drawn = sorted(contenders, key=lambda one: draw(root, one.bid_id))
    running = [one for one in drawn if reaches_minimums(criteria, one)]
    lowest = min((one.price for one in running), default=None)
    # Sorting is stable: where all else is equal, the draw's order stays.
    best = sorted(running, key=lambda one: _merit(criteria, one, lowest))
    places = [_place(criteria, one, number, lowest) for number, one in enumerate(best, start=1)]
    ranked = {one.bid_id for one in best}
    return places + [_place(criteria, one, None, None) for one in drawn if one.bid_id not in ranked]


def draw(root: bytes, bid_id: UUID) -> bytes:
    """A bid's lot in the draw; the lowest goes first."""
    return hashlib.sha256(root + bid_id.bytes).digest()


def reaches_minimums(criteria: Sequence[Weighting], contender: Contender) -> bool:
    return all(
        one.minimum is None or contender.scores[one.id] >= one.minimum for one in criteria if is_scored(one.kind)
    )


def is_scored(kind: CriterionKind) -> bool:
    """Whether the panel scores it; price is worked out."""
    return kind is not CriterionKind.PRICE


def score_points(score: int, weight: int) -> Decimal:
    """`weight` * `score` / 5."""
    assert 0 <= score <= SCORE_MAX, score
    return _rounded(Fraction(score * weight, SCORE_MAX))


def price_points(lowest: Decimal, price: Decimal, weight: int) -> Decimal:
    """`weight` * `lowest` / `price`."""
    assert 0 < lowest <= price, f"{lowest} of {price}"
    return _rounded(Fraction(lowest) / Fraction(price) * weight)


def written(points: Decimal) -> str:
    """Points as they are told: always with their four places."""
    return f"{points:.{PLACES}f}"


def _rounded(points: Fraction) -> Decimal:
    """Half up, by whole numbers: no decimal context can change it."""
    return Decimal(math.floor(points * 10**PLACES + Fraction(1, 2))).scaleb(-PLACES)


def _merit(criteria: Sequence[Weighting], one: Contender, lowest: Decimal | None) -> tuple[Decimal, Decimal, Decimal]:
    place = _place(criteria, one, None, lowest)
    return -place.total, -place.quality, one.price


def _place(criteria: Sequence[Weighting], one: Contender, number: int | None, lowest: Decimal | None) -> Place:
    return Place(
        bid_id=one.bid_id,
        rank=number,
        quality=_scored(criteria, one, CriterionKind.QUALITY),
        social_value=_scored(criteria, one, CriterionKind.SOCIAL_VALUE),
        price=_priced(criteria, one, lowest),
    )


def _scored(criteria: Sequence[Weighting], one: Contender, kind: CriterionKind) -> Decimal:
    points = (score_points(one.scores[each.id], each.weight) for each in criteria if each.kind is kind)
    return sum(points, Decimal("0.0000"))


def _priced(criteria: Sequence[Weighting], one: Contender, lowest: Decimal | None) -> Decimal:
    weights = [each.weight for each in criteria if each.kind is CriterionKind.PRICE]
    if lowest is None or not weights:
        return Decimal("0.0000")
    return price_points(lowest, one.price, sum(weights))

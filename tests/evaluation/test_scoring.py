"""Points and ranking: exact, the same for everybody, and never against the cheaper bid."""

import hashlib
from dataclasses import replace
from decimal import Decimal, localcontext
from itertools import pairwise, permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procure.evaluation.scoring import (
    Contender,
    Place,
    Weighting,
    draw,
    price_points,
    rank,
    reaches_minimums,
    score_points,
    written,
)
from procure.lots.rules import CriterionKind

K = CriterionKind
ROOT = bytes(range(32))
CRITERIA = [
    Weighting("C1", K.QUALITY, 60, minimum=2),
    Weighting("C2", K.PRICE, 30),
    Weighting("C3", K.SOCIAL_VALUE, 10),
]


def bid(number: int, price: str, quality: int = 3, social: int = 3) -> Contender:
    return Contender(UUID(int=number), Decimal(price), {"C1": quality, "C3": social})


def by_id(places: list[Place]) -> dict[int, Place]:
    return {place.bid_id.int: place for place in places}


# --- points ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("score", "points"), [(0, "0"), (1, "2.6"), (2, "5.2"), (3, "7.8"), (4, "10.4"), (5, "13")])
def test_a_score_earns_its_fifths_of_the_weight(score: int, points: str) -> None:
    assert score_points(score, 13) == Decimal(points)


def test_the_lowest_price_earns_the_whole_weight_and_twice_the_price_half_of_it() -> None:
    assert price_points(Decimal(5000), Decimal(5000), 30) == 30
    assert price_points(Decimal(5000), Decimal(10000), 30) == 15


@pytest.mark.parametrize(
    ("lowest", "price", "weight", "points"),
    [
        ("1", "3", 1, "0.3333"),
        ("2", "3", 1, "0.6667"),
        ("1", "20000", 1, "0.0001"),  # half a step goes up
        ("3", "20000", 1, "0.0002"),  # half-even would say 0.0002 too …
        ("5", "20000", 1, "0.0003"),  # … and 0.0002 here
        ("1", "20000.01", 1, "0.0000"),
    ],
)
def test_points_have_four_places_and_halves_go_up(lowest: str, price: str, weight: int, points: str) -> None:
    assert written(price_points(Decimal(lowest), Decimal(price), weight)) == points


def test_no_decimal_context_changes_the_points() -> None:
    usual = price_points(Decimal("123456789.01"), Decimal("999999999.99"), 37)
    with localcontext() as context:
        context.prec = 6
        assert price_points(Decimal("123456789.01"), Decimal("999999999.99"), 37) == usual == Decimal("4.5679")


def test_points_are_told_with_all_their_places() -> None:
    assert written(Decimal(15)) == "15.0000"


# --- ranking --------------------------------------------------------------------------------------------------------


def test_the_worked_example() -> None:
    """Three bids as the guide has them: quality, price and social value, summed and in order."""
    places = rank(CRITERIA, [bid(1, "10000.00", 4, 2), bid(2, "8000.00", 3, 5), bid(3, "12000.00", 5, 3)], ROOT)
    told = [
        (one.bid_id.int, one.rank, *map(written, (one.quality, one.price, one.social_value, one.total)))
        for one in places
    ]
    assert told == [
        (3, 1, "60.0000", "20.0000", "6.0000", "86.0000"),
        (1, 2, "48.0000", "24.0000", "4.0000", "76.0000"),  # equal totals: quality decides
        (2, 3, "36.0000", "30.0000", "10.0000", "76.0000"),
    ]


def test_below_a_minimum_score_a_bid_has_no_rank_no_price_points_and_comes_last() -> None:
    places = rank(CRITERIA, [bid(1, "100.00", quality=1, social=5), bid(2, "9000.00", quality=2, social=0)], ROOT)
    first, last = places
    assert (first.bid_id.int, first.rank) == (2, 1)
    assert (last.bid_id.int, last.rank, last.price) == (1, None, Decimal(0))
    assert (last.quality, last.social_value) == (Decimal(12), Decimal(10))


def test_the_lowest_price_is_that_of_a_bid_still_in_the_running() -> None:
    """A bid that nobody may choose must not push down the price points of one that may be."""
    places = by_id(rank(CRITERIA, [bid(1, "100.00", quality=1), bid(2, "9000.00"), bid(3, "18000.00")], ROOT))
    assert (places[2].price, places[3].price) == (Decimal(30), Decimal(15))


def test_the_minimum_itself_is_enough() -> None:
    assert reaches_minimums(CRITERIA, bid(1, "1", quality=2))
    assert not reaches_minimums(CRITERIA, bid(1, "1", quality=1))


def test_a_minimum_on_price_means_nothing_since_nobody_scores_it() -> None:
    criteria = [Weighting("C1", K.QUALITY, 70), Weighting("C2", K.PRICE, 30, minimum=5)]
    assert rank(criteria, [bid(1, "10.00", quality=0)], ROOT)[0].rank == 1


def test_equal_totals_and_quality_go_by_the_lower_price() -> None:
    criteria = [Weighting("C1", K.QUALITY, 90), Weighting("C3", K.SOCIAL_VALUE, 10)]
    places = rank(criteria, [bid(1, "9000.00"), bid(2, "8999.99")], ROOT)
    assert [place.bid_id.int for place in places] == [2, 1]
    assert places[0].total == places[1].total
    assert places[0].price == 0


def test_what_is_equal_altogether_is_drawn_by_the_root() -> None:
    bids = [bid(number, "5000.00") for number in range(1, 6)]
    drawn = sorted(bids, key=lambda one: hashlib.sha256(ROOT + one.bid_id.bytes).digest())
    assert [place.bid_id for place in rank(CRITERIA, bids, ROOT)] == [one.bid_id for one in drawn]
    assert [place.rank for place in rank(CRITERIA, bids, ROOT)] == [1, 2, 3, 4, 5]
    orders = {tuple(place.bid_id for place in rank(CRITERIA, bids, bytes([n]) * 32)) for n in range(16)}
    assert len(orders) > 8, "another root is another draw"


def test_nothing_ranks_nothing() -> None:
    assert rank(CRITERIA, [], ROOT) == []


def test_all_below_their_minimums_are_told_and_none_is_ranked() -> None:
    places = rank(CRITERIA, [bid(1, "10.00", quality=1), bid(2, "20.00", quality=0)], ROOT)
    assert [place.rank for place in places] == [None, None]


# --- properties -----------------------------------------------------------------------------------------------------

Competition = tuple[list[Weighting], list[Contender], bytes]
prices = st.decimals(min_value="0.01", max_value="999999999999.99", places=2)
scores = st.integers(0, 5)


@st.composite
def criteria_lists(draw_: st.DrawFn) -> list[Weighting]:
    """One quality criterion at least, one price at most, weights that sum to 100."""
    kinds = [K.QUALITY, *draw_(st.lists(st.sampled_from([K.QUALITY, K.SOCIAL_VALUE]), max_size=4))]
    kinds += draw_(st.sampled_from([[], [K.PRICE]]))
    cuts = draw_(st.lists(st.integers(1, 99), min_size=len(kinds) - 1, max_size=len(kinds) - 1, unique=True))
    edges = [0, *sorted(cuts), 100]
    weights = [after - before for before, after in pairwise(edges)]
    minimums = st.none() | st.integers(1, 5)
    return [
        Weighting(f"C{number}", kind, weight, draw_(minimums))
        for number, (kind, weight) in enumerate(zip(kinds, weights, strict=True), start=1)
    ]


@st.composite
def competitions(draw_: st.DrawFn) -> Competition:
    criteria = draw_(criteria_lists())
    ids = draw_(st.lists(st.uuids(version=4), min_size=1, max_size=6, unique=True))
    few_prices = st.sampled_from(draw_(st.lists(prices, min_size=1, max_size=3)))  # so that ties happen
    contenders = [Contender(one, draw_(few_prices), {each.id: draw_(scores) for each in criteria}) for one in ids]
    return criteria, contenders, draw_(st.binary(min_size=32, max_size=32))


@given(competitions())
def test_the_order_in_which_bids_come_in_changes_nothing(competition: Competition) -> None:
    criteria, contenders, root = competition
    expected = rank(criteria, contenders, root)
    for order in list(permutations(contenders))[:24]:
        assert rank(criteria, order, root) == expected


@given(competitions())
def test_points_lie_between_nothing_and_100_and_ranks_count_from_1(competition: Competition) -> None:
    criteria, contenders, root = competition
    places = rank(criteria, contenders, root)
    assert all(0 <= place.total <= 100 for place in places)
    assert {place.bid_id for place in places} == {one.bid_id for one in contenders}
    ranked = [place for place in places if place.rank is not None]
    assert [place.rank for place in places] == [*range(1, len(ranked) + 1), *[None] * (len(places) - len(ranked))]
    keys = [(place.total, place.quality) for place in ranked]
    assert keys == sorted(keys, reverse=True)


@given(competitions())
def test_whoever_has_no_rank_missed_a_minimum_and_the_cheapest_in_the_running_has_all_price_points(
    competition: Competition,
) -> None:
    criteria, contenders, root = competition
    places = {place.bid_id: place for place in rank(criteria, contenders, root)}
    for one in contenders:
        assert (places[one.bid_id].rank is None) == (not reaches_minimums(criteria, one))
    running = [one for one in contenders if reaches_minimums(criteria, one)]
    if running:
        cheapest = min(running, key=lambda one: one.price)
        assert places[cheapest.bid_id].price == sum(each.weight for each in criteria if each.kind is K.PRICE)


@given(competitions(), prices, st.integers(0, 5))
def test_a_lower_price_never_worsens_a_place_nor_lowers_a_total(
    competition: Competition, lower: Decimal, at: int
) -> None:
    criteria, contenders, root = competition
    chosen = contenders[at % len(contenders)]
    cheaper = replace(chosen, price=min(chosen.price, lower))
    before = {place.bid_id: place for place in rank(criteria, contenders, root)}[chosen.bid_id]
    others = [one for one in contenders if one is not chosen]
    after = {place.bid_id: place for place in rank(criteria, [cheaper, *others], root)}[chosen.bid_id]
    assert after.total >= before.total
    assert (after.rank is None) == (before.rank is None)
    assert before.rank is None or after.rank is None or after.rank <= before.rank


@given(competitions(), st.integers(0, 5), st.integers(0, 5))
def test_a_better_score_never_worsens_a_place(competition: Competition, at: int, where: int) -> None:
    criteria, contenders, root = competition
    chosen, criterion = contenders[at % len(contenders)], criteria[where % len(criteria)]
    better = replace(chosen, scores={**chosen.scores, criterion.id: 5})
    others = [one for one in contenders if one is not chosen]
    before = {place.bid_id: place for place in rank(criteria, contenders, root)}[chosen.bid_id]
    after = {place.bid_id: place for place in rank(criteria, [better, *others], root)}[chosen.bid_id]
    assert before.rank is None or (after.rank is not None and after.rank <= before.rank)


@given(st.lists(st.uuids(version=4), min_size=2, max_size=6, unique=True), prices, st.binary(min_size=32, max_size=32))
def test_a_tie_is_broken_the_same_by_anyone_who_knows_the_root(ids: list[UUID], price: Decimal, root: bytes) -> None:
    tied = [Contender(one, price, {"C1": 3, "C3": 3}) for one in ids]
    assert [place.bid_id for place in rank(CRITERIA, tied, root)] == sorted(ids, key=lambda one: draw(root, one))

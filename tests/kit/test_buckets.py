"""What a token bucket gives, held to a plain count of the same; and that memory and debt are bounded."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procure.kit.buckets import Buckets, Quota

WAITS = st.lists(st.fractions(min_value=0, max_value=90, max_denominator=8), max_size=80)


@given(quota=st.integers(1, 40), waits=WAITS)
def test_it_gives_what_an_exact_count_gives(quota: int, waits: list[Fraction]) -> None:
    """The model keeps units, exactly, where the bucket keeps one float."""
    window_s = 60
    buckets, units, now = Buckets(quota, window_s), Fraction(quota), Fraction(0)
    for wait in waits:
        now += wait
        units = min(units + wait * quota / window_s, Fraction(quota))
        given_ = units >= 1
        units -= given_
        taken = buckets.take("key", float(now))
        assert (taken.wait_s == 0) == given_
        assert taken.left == math.floor(units)
        if not given_:
            assert taken.wait_s == max(math.ceil((1 - units) * window_s / quota), 1)


@given(quota=st.integers(1, 40), waits=WAITS)
def test_whoever_waits_as_told_is_given(quota: int, waits: list[Fraction]) -> None:
    buckets, now = Buckets(quota, 60), 1e6
    for wait in waits:
        now += float(wait)
        taken = buckets.take("key", now)
        if taken.wait_s:
            now += taken.wait_s
            assert buckets.take("key", now).wait_s == 0


@given(quota=st.integers(1, 40), waits=WAITS, span=st.integers(1, 600))
def test_no_span_of_time_has_more_than_a_burst_and_what_it_refills(
    quota: int, waits: list[Fraction], span: int
) -> None:
    buckets, now, given_at = Buckets(quota, 60), Fraction(0), list[Fraction]()
    for wait in waits:
        now += wait / 50
        if not buckets.take("key", float(now)).wait_s:
            given_at.append(now)
    for start in given_at:
        within = [at for at in given_at if start <= at < start + span]
        assert len(within) <= quota + span * Fraction(quota, 60) + 1


def test_no_second_is_added_by_rounding() -> None:
    buckets = Buckets(1, 60)
    assert buckets.take("key", 83.8) == Quota(0, 60, 0)
    assert buckets.take("key", 83.8) == Quota(0, 60, 60)


def test_looking_takes_nothing_and_one_key_says_nothing_of_another() -> None:
    buckets = Buckets(2, 60)
    assert buckets.take("a", 0.0) == Quota(1, 30, 0)
    assert [buckets.look("a", 0.0) for _ in range(5)] == [Quota(1, 30, 0)] * 5
    assert buckets.take("a", 0.0) == Quota(0, 30, 0)
    assert buckets.take("a", 0.0) == Quota(0, 30, 30)
    assert buckets.look("b", 0.0) == Quota(2, 0, 0)


def test_as_many_keys_as_there_are_bots_take_no_more_memory() -> None:
    buckets = Buckets(1, 60, keys_max=100)
    for bot in range(10_000):
        buckets.take(bot, float(bot) / 1000)
    assert len(buckets) == 100
    assert buckets.take(9_999, 10.0).wait_s > 0, "the last ones are remembered"
    assert buckets.take(0, 10.0).wait_s == 0, "who was forgotten has a full bucket"


def test_who_asks_on_is_not_the_one_that_is_forgotten() -> None:
    buckets = Buckets(1, 60, keys_max=2)
    for key in ("a", "b", "a", "c"):
        buckets.charge(key, 0.0)
    assert [buckets.look(key, 0.0).wait_s > 0 for key in ("a", "b", "c")] == [True, False, True]


@pytest.mark.parametrize("charges", [10, 1000])
def test_debt_lengthens_the_wait_by_no_more_than_a_window(charges: int) -> None:
    buckets = Buckets(5, 60)
    for _ in range(charges):
        buckets.charge("key", 0.0)
    assert buckets.look("key", 0.0).wait_s == 72
    assert buckets.look("key", 72.0).wait_s == 0

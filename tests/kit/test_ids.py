"""Identifiers: most rise with time, those of bids tell nothing."""

import time
from uuid import RFC_4122, UUID

from procure.kit.ids import new_id, unordered_id


def milliseconds_of(id_: UUID) -> int:
    return id_.int >> 80


def test_a_new_id_is_a_uuid_of_version_7_that_carries_its_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    id_ = new_id()
    assert before <= milliseconds_of(id_) <= time.time_ns() // 1_000_000
    assert (id_.version, id_.variant) == (7, RFC_4122)


def test_ids_of_later_milliseconds_are_greater() -> None:
    made = [new_id() for _ in range(20_000)]
    stamps = [milliseconds_of(id_) for id_ in made]
    assert stamps == sorted(stamps)
    by_value = sorted(made)
    assert [milliseconds_of(id_) for id_ in by_value] == stamps
    assert len(set(made)) == len(made)


def test_what_is_below_the_millisecond_is_random() -> None:
    tails = {new_id().int & ((1 << 62) - 1) for _ in range(1000)}
    assert len(tails) == 1000
    ones = sum(tail.bit_count() for tail in tails) / 1000
    assert 29 < ones < 33


def test_the_id_of_a_bid_says_nothing_of_its_time() -> None:
    made = [unordered_id() for _ in range(1000)]
    assert {(id_.version, id_.variant) for id_ in made} == {(4, RFC_4122)}
    assert made != sorted(made)

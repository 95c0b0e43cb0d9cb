"""One clock for many plays: it moves when all of them wait, and no play loses time to another."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from procure.demo.clock import SharedClock

START = datetime(2026, 11, 24, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


class Time:
    """A clock that remembers how it was moved."""

    def __init__(self) -> None:
        self.now = START
        self.moves: list[datetime] = []
        self.reads = 0
        self.clock = SharedClock(self.read, self.move)

    async def read(self) -> datetime:
        self.reads += 1
        return self.now

    async def move(self, moment: datetime) -> None:
        await asyncio.sleep(0)
        assert moment >= self.now, "a clock only goes forward"
        self.now = moment
        self.moves.append(moment)


async def test_time_goes_to_the_earliest_wait_and_wakes_all_that_are_due() -> None:
    time, seen = Time(), []

    async def play(name: str, *days: int) -> None:
        for number in days:
            await time.clock.until(day(number))
            seen.append((name, number, time.now))

    await time.clock.perform(play("a", 2, 5), play("b", 1, 2, 9), play("c", 5))
    assert time.moves == [day(number) for number in (1, 2, 5, 9)]
    assert [(name, number) for name, number, _ in seen] == [("b", 1), ("a", 2), ("b", 2), ("c", 5), ("a", 5), ("b", 9)]
    assert all(now == day(number) for _, number, now in seen)


async def test_time_stands_still_while_a_play_has_something_to_do() -> None:
    time, busy = Time(), asyncio.Event()

    async def works() -> None:
        await busy.wait()
        assert time.now == START
        await time.clock.until(day(1))

    async def waits() -> None:
        asyncio.get_running_loop().call_later(0.02, busy.set)
        await time.clock.until(day(3))
        assert time.now == day(3)

    await time.clock.perform(works(), waits())
    assert time.moves == [day(1), day(3)]


async def test_a_wait_for_what_has_passed_is_over_at_once() -> None:
    time = Time()

    async def play() -> datetime:
        await time.clock.until(day(2))
        time.now = day(4)  # somebody else has moved it
        return time.now

    assert await time.clock.perform(play()) == [day(4)]


async def test_a_clock_that_cannot_be_moved_is_told_to_every_play() -> None:
    class Stuck(Exception):
        pass

    async def move(_moment: datetime) -> None:
        raise Stuck

    clock, told = SharedClock(Time().read, move), []

    async def play(number: int) -> None:
        try:
            await clock.until(day(number))
        except Stuck:
            told.append(number)

    await clock.perform(play(1), play(2))
    assert told == [1, 2]


async def test_a_play_that_fails_ends_the_others_and_moves_nothing() -> None:
    time = Time()

    async def fails() -> None:
        await asyncio.sleep(0)
        raise RuntimeError

    with pytest.raises(ExceptionGroup) as caught:
        await time.clock.perform(time.clock.until(day(1)), time.clock.until(day(2)), fails())
    assert caught.group_contains(RuntimeError)
    await asyncio.sleep(0.01)
    assert time.moves == []


async def test_time_is_read_again_once_it_was_moved_and_not_for_every_question() -> None:
    time = Time()

    async def play() -> None:
        first = await time.clock.now()
        assert START <= first <= await time.clock.now() < START + timedelta(seconds=1)
        assert time.reads == 1
        await time.clock.until(day(1))
        assert day(1) <= await time.clock.now() < day(1) + timedelta(seconds=1)
        assert time.reads == 2

    await time.clock.perform(play())


async def test_no_plays_are_over_at_once() -> None:
    assert await Time().clock.perform() == []

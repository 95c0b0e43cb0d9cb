"""So many at once, the others in line, in their order; and nothing is left behind."""

import asyncio

import pytest

from procure.kit.turns import Turns


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_more_than_so_many_wait_in_their_order_and_nobody_elses_do() -> None:
    turns, entered = Turns(2), list[int]()

    async def come(number: int) -> None:
        await turns.enter("a")
        entered.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(come(number))
        await settle()
        assert entered == [0, 1]
        await asyncio.wait_for(turns.enter("b"), 1)
        for left in range(1, 4):
            turns.leave("a")
            await settle()
            assert entered == list(range(2 + left))
    turns.leave("a")
    turns.leave("a")
    turns.leave("b")
    assert len(turns) == 0


async def test_who_gives_up_waiting_takes_no_turn() -> None:
    turns = Turns(1)
    await turns.enter("a")
    waiting = asyncio.create_task(turns.enter("a"))
    await settle()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    turns.leave("a")
    assert len(turns) == 0
    await asyncio.wait_for(turns.enter("a"), 1)

"""Edits and approvals at once, each with the tag of what was read: what is done is done on top of what was seen, or not at all."""

import asyncio
from collections import Counter
from typing import Any

import httpx

from build import Council, active_outcome, council, drafted_lot, outcome_document
from calls import ok, problem
from conftest import World
from procure.lots.models import Lot

ROUNDS, AT_ONCE = 5, 50


async def drafted(world: World) -> tuple[Council, Lot, str]:
    async with world.sessions() as db:
        buyer = await council(db)
        lot = await drafted_lot(db, buyer, await active_outcome(db, buyer))
        await db.commit()
    return buyer, lot, f"/v1/lots/{lot.id}"


def counted(replies: list[httpx.Response]) -> Counter[int]:
    for reply in replies:
        if reply.status_code == 412:
            problem(reply, 412, "changed-since-read")
    return Counter(reply.status_code for reply in replies)


def title(number: int) -> dict[str, Any]:
    return {"title": f"Find out why the changes wait, take {number}"}


async def test_of_two_edits_of_one_version_one_is_done(world: World) -> None:
    buyer, _, path = await drafted(world)
    for _ in range(ROUNDS):
        tag = await world.call.etag(buyer.officer, path)
        edits = [world.call.patch(one, path, title(n), seen=tag) for n, one in enumerate((buyer.officer,) * 2)]
        replies = await asyncio.gather(*edits)
        assert counted(replies) == {200: 1, 412: 1}
        done = next(reply for reply in replies if reply.status_code == 200)
        after = await world.call.get(buyer.officer, path)
        assert (after.json(), after.headers["etag"].replace("+gzip", "")) == (done.json(), done.headers["etag"])


async def test_of_fifty_edits_of_one_version_one_is_done(world: World) -> None:
    buyer, lot, path = await drafted(world)
    tag = await world.call.etag(buyer.officer, path)
    edits = [world.call.patch(buyer.officer, path, title(number), seen=tag) for number in range(AT_ONCE)]
    replies = await asyncio.gather(*edits)
    assert counted(replies) == {200: 1, 412: AT_ONCE - 1}
    assert ok(await world.call.get(buyer.officer, path))["version"] == lot.version + 1


async def test_nobody_publishes_what_was_edited_since_it_was_read(world: World) -> None:
    published = 0
    for _ in range(ROUNDS):
        buyer, lot, path = await drafted(world)
        tag = await world.call.etag(buyer.approver, path)
        acts = [
            world.call.patch(buyer.officer, path, title(1), seen=tag),
            world.call.post(buyer.approver, f"{path}/publish", seen=tag),
        ]
        replies = await asyncio.gather(*acts)
        # Who comes second finds another version, whatever the rules would say of it.
        assert counted(replies) == {200: 1, 412: 1}
        after = ok(await world.call.get(buyer.officer, path))
        assert (after["status"], after["title"] == lot.title) in {("published", True), ("draft", False)}
        published += after["status"] == "published"
    assert 0 <= published <= ROUNDS


async def test_nobody_puts_an_envelope_into_force_that_was_changed_since_it_was_read(world: World) -> None:
    async with world.sessions() as db:
        buyer = await council(db)
        await db.commit()
    for _ in range(ROUNDS):
        made = ok(await world.call.post(buyer.officer, "/v1/outcomes", outcome_document(buyer)), 201)
        path = f"/v1/outcomes/{made['id']}"
        tag = await world.call.etag(buyer.budget_holder, path)
        more = {"envelope": {"amount": "999999.00", "currency": "GBP"}}
        acts = [
            world.call.patch(buyer.officer, path, more, seen=tag),
            world.call.post(buyer.budget_holder, f"{path}/activate", seen=tag),
        ]
        assert counted(await asyncio.gather(*acts)) == {200: 1, 412: 1}
        after = ok(await world.call.get(buyer.officer, path))
        assert (after["status"], after["envelope"]["amount"] == "999999.00") in {("active", False), ("draft", True)}


async def test_one_key_sent_again_is_answered_whatever_has_changed_since(world: World) -> None:
    """A retry says what the first request said; its tag is an old one by then."""
    buyer, _, path = await drafted(world)
    tag, key = await world.call.etag(buyer.officer, path), "a key of sixteen or more".replace(" ", "-")
    first = await world.call.patch(buyer.officer, path, title(1), seen=tag, key=key)
    ok(await world.call.patch(buyer.officer, path, title(2)))
    again = await world.call.patch(buyer.officer, path, title(1), seen=tag, key=key)
    assert (again.status_code, again.content, again.headers["etag"]) == (200, first.content, first.headers["etag"])
    assert again.headers["idempotency-replayed"] == "true"
    problem(await world.call.patch(buyer.officer, path, title(1), seen=tag), 412, "changed-since-read")


async def test_a_refused_condition_leaves_its_key_free(world: World) -> None:
    buyer, _, path = await drafted(world)
    key = "another-key-of-sixteen-or-more"
    problem(await world.call.patch(buyer.officer, path, title(1), seen='"old"', key=key), 412, "changed-since-read")
    ok(await world.call.patch(buyer.officer, path, title(1), key=key))

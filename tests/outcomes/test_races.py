"""Two acts at once on one envelope, on connections of their own: what is committed never passes it, whoever comes first.

`RACES=500` in the environment plays as many rounds of each; the default is what everybody's day has time for.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from sqlalchemy import func, select

from build import Council, active_outcome, council, drafted_lot, estimate_document
from calls import ok, problem
from conftest import World
from procure.journal.models import JournalEntry
from procure.lots.models import Lot
from procure.outcomes.models import LedgerEntry, Outcome
from procure.outcomes.rules import LedgerKind

ROUNDS = int(os.environ.get("RACES", "6"))
#: Rounds between two looks at the whole record.
WAVES, AT_ONCE = max(2, ROUNDS // 20), 12


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "GBP"}


NO_FURTHER = {"count": 0, "ceiling": money("0.00")}


@dataclass
class Round:
    """An outcome of 12,000.00 with two drafts of 10,000.00 each: one of them fits."""

    buyer: Council
    outcome: Outcome
    lots: list[Lot]

    @property
    def path(self) -> str:
        return f"/v1/outcomes/{self.outcome.id}"


async def begun(world: World, buyer: Council | None = None, *, lots: int = 2, ceiling: str = "10000.00") -> Round:
    async with world.sessions() as db:
        buyer = buyer or await council(db)
        outcome = await active_outcome(db, buyer, envelope=money("12000.00"), cpv=None)
        changes: dict[str, Any] = {"ceiling": money(ceiling), "further_iterations": NO_FURTHER}
        drafts = [await drafted_lot(db, buyer, outcome, **changes) for _ in range(lots)]
        await db.commit()
    return Round(buyer, outcome, drafts)


async def proposed(world: World, at: Round, body: dict[str, Any]) -> str:
    made = ok(await world.call.post(at.buyer.officer, f"{at.path}/proposals", body), 201)
    return f"{at.path}/proposals/{made['id']}"


async def publishing(world: World, at: Round, lot: Lot) -> Any:
    """What the approver sends who has read it."""
    path = f"/v1/lots/{lot.id}"
    tag = await world.call.etag(at.buyer.approver, path)
    return world.call.post(at.buyer.approver, f"{path}/publish", seen=tag)


async def approving(world: World, at: Round, path: str) -> Any:
    tag = await world.call.etag(at.buyer.budget_holder, path)
    return world.call.post(at.buyer.budget_holder, f"{path}/approve", seen=tag)


async def committed(world: World, outcome_id: UUID) -> Decimal:
    of_outcome = LedgerEntry.outcome_id == outcome_id, LedgerEntry.kind == LedgerKind.COMMITTED
    async with world.sessions() as db:
        return Decimal(await db.scalar(select(func.coalesce(func.sum(LedgerEntry.delta), 0)).where(*of_outcome)) or 0)


def told(replies: Sequence[httpx.Response]) -> list[str]:
    """Each reply's status, and the problem that it tells."""
    for reply in replies:
        assert reply.status_code < 500, reply.text
    return sorted(
        str(one.status_code) if one.is_success else f"{one.status_code} {one.json()['type'].rpartition('/')[2]}"
        for one in replies
    )


async def test_of_two_lots_against_one_envelope_one_is_published(world: World) -> None:
    at = await begun(world)
    first = 0
    for _ in range(ROUNDS):
        at = await begun(world, at.buyer)
        replies = await asyncio.gather(*[await publishing(world, at, lot) for lot in at.lots])
        assert told(replies) == ["200", "409 envelope-exceeded"]
        assert await committed(world, at.outcome.id) == Decimal("10000.00")
        first += replies[0].status_code == 200
    assert 0 <= first <= ROUNDS


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"kind": "envelope", "amount": money("9999.99"), "reason": "Less will do."}, "envelope-exceeded"),
        (estimate_document("9999.99"), "estimate-exceeded"),
    ],
)
async def test_a_lot_is_published_or_its_room_is_taken_away_never_both(
    world: World, body: dict[str, Any], refused: str
) -> None:
    at = await begun(world)
    for _ in range(ROUNDS):
        at = await begun(world, at.buyer, lots=1)
        proposal = await proposed(world, at, body)
        acts = [await publishing(world, at, at.lots[0]), await approving(world, at, proposal)]
        replies = await asyncio.gather(*acts)
        assert told(replies) == ["200", f"409 {refused}"]
        limit = Decimal("12000.00") if replies[0].is_success else Decimal("9999.99")
        assert await committed(world, at.outcome.id) <= limit


async def test_a_raise_is_taken_with_whichever_lots_it_makes_room_for(world: World) -> None:
    at = await begun(world)
    for _ in range(ROUNDS):
        at = await begun(world, at.buyer)
        body = {"kind": "envelope", "amount": money("20000.00"), "reason": "Both are needed."}
        acts = [await approving(world, at, await proposed(world, at, body))]
        acts += [await publishing(world, at, lot) for lot in at.lots]
        raised, *replies = await asyncio.gather(*acts)
        assert raised.status_code == 200
        assert told(replies) in (["200", "200"], ["200", "409 envelope-exceeded"])
        assert await committed(world, at.outcome.id) == 10000 * sum(one.is_success for one in replies)


async def test_of_two_proposals_one_waits_and_of_two_decisions_one_is_taken(world: World) -> None:
    at = await begun(world)
    for _ in range(ROUNDS):
        at = await begun(world, at.buyer, lots=0)
        bodies = [
            {"kind": "envelope", "amount": money(amount), "reason": "More."} for amount in ("20000.00", "30000.00")
        ]
        place = f"{at.path}/proposals"
        replies = await asyncio.gather(*[world.call.post(at.buyer.officer, place, body) for body in bodies])
        assert told(replies) == ["201", "409 proposal-open"]
        made = next(reply.json() for reply in replies if reply.is_success)
        path = f"{place}/{made['id']}"
        tag = await world.call.etag(at.buyer.approver, path)
        refusal = world.call.post(at.buyer.approver, f"{path}/refuse", {"reason": "No."}, seen=tag)
        decided = await asyncio.gather(await approving(world, at, path), refusal)
        assert told(decided) == ["200", "412 changed-since-read"]
        shown = ok(await world.call.get(None, at.path))
        amount = made["amount"]["amount"] if decided[0].is_success else "12000.00"
        assert (shown["envelope"]["amount"], shown["open_proposal"]) == (amount, None)


async def test_whatever_runs_at_once_no_moment_of_the_record_commits_more_than_there_is(world: World) -> None:
    """Publishing, cancelling, raising and lowering in any order: each moment is looked at, by the entries in their order."""
    chance = random.Random(20261130)
    at = await begun(world, lots=WAVES * AT_ONCE // 2, ceiling="3000.00")
    drafts, seen = list(at.lots), Counter[str]()
    published: list[str] = []
    for _ in range(WAVES):
        acts: list[Any] = []
        for _ in range(AT_ONCE):
            if drafts and chance.random() < 0.6:
                acts.append(await publishing(world, at, drafts.pop()))
            elif published:
                lot = published.pop(chance.randrange(len(published)))
                cancel = f"/v1/lots/{lot}/cancel"
                acts.append(
                    world.call.post(
                        at.buyer.second_approver,
                        cancel,
                        {"reason_code": "need_changed", "reason": "The need has gone."},
                    )
                )
        kind = chance.choice(["envelope", "estimate"])
        amount = money(f"{chance.randrange(6000, 16000 if kind == 'envelope' else 10000)}.00")
        place, body = f"{at.path}/proposals", {"kind": kind, "amount": amount, "reason": "As it is now."}
        made = await world.call.post(at.buyer.officer, place, body)
        if made.is_success:
            acts.insert(chance.randrange(len(acts) + 1), await approving(world, at, f"{place}/{made.json()['id']}"))
        replies = await asyncio.gather(*acts)
        seen.update(told(replies))
        if made.is_success:
            last = {"reason": "There is no room."}
            await world.call.post(at.buyer.approver, f"{place}/{made.json()['id']}/refuse", last)
        published += [
            reply.json()["id"] for reply in replies if reply.is_success and reply.json().get("status") == "published"
        ]
    assert await moments(world, at) > WAVES
    assert seen.keys() <= {"200", "409 envelope-exceeded", "409 estimate-exceeded"}
    assert len(seen) > 1, "nobody was ever in another's way"


async def moments(world: World, at: Round) -> int:
    """Every state that the record has gone through, each of them held to its limits; the last is the ledger's own."""
    envelope, estimate, total, checked = Decimal("12000.00"), None, Decimal(0), 0
    types = "lot.published", "lot.cancelled", "proposal.approved"
    async with world.sessions() as db:
        found = select(JournalEntry).where(JournalEntry.type.in_(types)).order_by(JournalEntry.id)
        entries = list(await db.scalars(found))
    for entry in entries:
        match entry.type:
            case "lot.published":
                total += Decimal("3000.00")
            case "lot.cancelled":
                total -= Decimal("3000.00")
            case _:
                said = msgspec.json.decode(entry.payload)
                amount = Decimal(said["amount"]["amount"])
                if said["kind"] == "envelope":
                    envelope = amount
                else:
                    estimate = amount
                estimate = estimate if estimate is not None and estimate < envelope else None
        assert total <= (envelope if estimate is None else estimate), (checked, entry.type)
        checked += 1
    assert await committed(world, at.outcome.id) == total
    return checked


async def test_a_race_is_told_in_words_that_can_be_acted_on(world: World) -> None:
    at = await begun(world)
    replies = await asyncio.gather(*[await publishing(world, at, lot) for lot in at.lots])
    refused = next(reply for reply in replies if not reply.is_success)
    body = problem(refused, 409, "envelope-exceeded")
    assert body["detail"] == (
        "The envelope is 12000.00 (14400.00 with VAT), of which 10000.00 (12000.00 with VAT) is committed; "
        "10000.00 (12000.00 with VAT) more would make 20000.00 (24000.00 with VAT), "
        "which is 8000.00 (9600.00 with VAT) too much."
    )

"""A draft's checks: what publishing itself would raise, and the warnings beside it. Nothing is locked and nothing is changed."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from procure.insights.checks import lists
from procure.insights.checks.rules import Draft, Finding, Level, warnings
from procure.kit import clock
from procure.kit.actor import Actor, require_another
from procure.kit.errors import Fact
from procure.lots import drafting
from procure.lots import service as lots
from procure.lots.models import Lot
from procure.lots.rules import LotStatus
from procure.outcomes.models import Outcome
from procure.policy.errors import NoPolicyInForce
from procure.policy.rules import Policy
from procure.policy.service import policy_for
from procure.policy.working_days import local_day


async def of_lot(db: AsyncSession, actor: Actor, lot_id: UUID) -> tuple[Lot, list[Finding]]:
    """The buyer's own lot, and what is to be said of it while it is a draft."""
    lot = await lots.find_own_lot(db, actor, lot_id)
    if lot.status is not LotStatus.DRAFT:
        return lot, []
    now = await clock.now(db)
    outcome = await db.get_one(Outcome, lot.outcome_id)
    found = list(_raised(None, partial(_check_other_person, actor, lot)))
    try:
        policy = await policy_for(db, outcome.buyer_id, outcome.tested, now)
    except NoPolicyInForce as fact:
        return lot, [*found, *_findings(None, fact)]
    for pointer, check in await lots.conditions(db, outcome, lot, policy, now):
        found += _raised(pointer, check)
    return lot, found + warnings(await _draft(db, lot, policy, now))


def _check_other_person(actor: Actor, lot: Lot) -> None:
    """Only of a person who prepared it: whoever can't publish at all has another to do it anyway."""
    if actor.person_id is not None:
        require_another(
            actor, lot.prepared_by, "Whoever prepared the lot can't approve it: another person publishes it."
        )


def _raised(pointer: str | None, check: Callable[[], None]) -> Iterator[Finding]:
    try:
        check()
    except Fact as fact:
        yield from _findings(pointer, fact)


def _findings(pointer: str | None, fact: Fact) -> Iterator[Finding]:
    """Each fault at its own place; a fact without any as a whole."""
    for fault in fact.faults:
        yield Finding(level=Level.BLOCKS, code=fault.code, pointer=fault.pointer, said=fault.message)
    if not fact.faults:
        yield Finding(level=Level.BLOCKS, code=fact.slug, pointer=pointer, said=fact.detail)


async def _draft(db: AsyncSession, lot: Lot, policy: Policy, now: datetime) -> Draft:
    return Draft(
        offer=lot.offer,
        phase=lot.phase,
        outcome_id=lot.outcome_id,
        policy=policy,
        defaults=await drafting.defaults_of(db, lot.buyer_id, local_day(now)),
        now=now,
        past=await lists.past_lots(db, lot.buyer_id),
        won=await lists.won_lots(db, lot.buyer_id),
    )

"""What stands in an act's way, from the predicates that its verb itself asks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from procure.kit.actor import ANYONE, Actor
from procure.kit.errors import Fact, Unauthenticated
from procure.kit.scopes import Scope, ScopeMissing

#: One of the predicates that a verb asks, with what it asks of: returns, or raises the fact that the verb would raise.
Condition = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Act:
    """An operation on a resource and its conditions, in stages as its verb asks them: a later one presupposes those before it.

    The first is whether the resource is the caller's to act on. `about` tells apart several acts of one operation, by a deliverable's
    key. What only a body could get wrong is no condition.
    """

    operation: str
    stages: Sequence[Sequence[Condition]]
    about: str | None = None
    #: The values of the path's parameters beyond the resource's own.
    path: dict[str, str] = field(default_factory=dict)


def because(act: Act, scope: Scope, actor: Actor) -> list[str]:
    """The slugs of every fact in the way, at the first stage that has any; empty if the act is allowed. `scope` is its route's."""
    if actor == ANYONE:
        return [Unauthenticated.slug]
    if scope not in actor.scopes:
        return [ScopeMissing.slug]
    for stage in act.stages:
        if found := [slug for condition in stage if (slug := _refusal(condition))]:
            return list(dict.fromkeys(found))
    return []


def _refusal(condition: Condition) -> str | None:
    try:
        condition()
    except Fact as fact:
        return fact.slug
    return None

"""What an entry says: a typed, versioned event, and who may see it."""

from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

import msgspec

from procure.kit.actor import Actor, Role


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all events. A subclass is named in the past tense and says its `type`; its fields are the payload.

    `object_id` and `object_version` name the row that the entry is about and its version after the effect. `event_version` is raised by
    one when a field changes its meaning (docs/rules.md, "The record").
    """

    type: ClassVar[str]
    object_type: ClassVar[str]
    event_version: ClassVar[int] = 1

    object_id: UUID | None
    object_version: int | None = None


def types_of(base: type[Event] = Event) -> frozenset[str]:
    """Every type of change that there is in this process."""
    own = {base.__dict__["type"]} if "type" in base.__dict__ else set()
    return frozenset(own).union(*(types_of(one) for one in base.__subclasses__()))


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may ever read the entry, fixed when it is recorded; later disclosure is a new entry.

    `organisations` each see it whole, or only their holders of one of `roles` where that is not empty; `persons` see it wherever
    they act. The acting organisation's auditor sees everything of the buyer, refusals included.
    """

    public: bool = False
    organisations: tuple[UUID, ...] = ()
    roles: tuple[Role, ...] = ()
    persons: tuple[UUID, ...] = ()


PUBLIC = Audience(public=True)


def within(*organisations: UUID | None, roles: tuple[Role, ...] = ()) -> Audience:
    """Seen by the named organisations alone; None is left out."""
    return Audience(organisations=tuple(one for one in organisations if one is not None), roles=roles)


class Refused(Event, frozen=True, kw_only=True):
    """A guarded act was tried and refused (docs/rules.md, rule g: refused *and* recorded)."""

    type: ClassVar[str] = "act.refused"
    object_type: ClassVar[str] = "refusal"

    act: str
    reason: str
    about: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an exception carries to `provide_db`: the entry to write once the refused act is rolled back."""

    actor: Actor
    event: Refused
    audience: Audience = field(default_factory=Audience)
    hold: UUID | None = None

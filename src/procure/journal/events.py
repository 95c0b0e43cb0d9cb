"""What an entry says: a typed, versioned event, and who may see it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import Meta

from procure.kit.actor import Actor, Role
from procure.kit.fields import Count, Paragraph, Slug, Version
from procure.kit.scopes import Scope


class Told(StrEnum):
    """To whom a type of event is told, in words."""

    EVERYBODY = "everybody"
    BUYER = "the buyer"
    SUPPLIER = "the supplier"
    PARTIES = "the buyer and the supplier"
    ORGANISATION = "the organisation, and the operator who acted on it"
    OPERATOR = "the operator"
    PERSON = "the person alone, wherever they act"
    AUDITORS = "the buyer's auditors"
    BIDDER = "the supplier who was late"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all events. A subclass is named in the past tense and says its `type`; its fields are the payload.

    `object_id` and `object_version` name the row that the entry is about and its version after the effect. `event_version` is raised by
    one when a field changes its meaning (docs/rules.md, "The record").

    `told` says to whom, for the catalogue. Of the people of an organisation that is told, those are whose roles have the scope `readers`:
    the one by which they read the object itself. None: whoever acts for the organisation.
    """

    type: ClassVar[str]
    object_type: ClassVar[str]
    event_version: ClassVar[int] = 1
    told: ClassVar[tuple[Told, ...]]
    readers: ClassVar[Scope | None] = None

    object_id: UUID | None
    object_version: Version | None = None


def catalogue(base: type[Event] = Event) -> list[type[Event]]:
    """Every type of event that there is in this process, by its name."""
    own = [base] if "type" in base.__dict__ else []
    found = own + [one for each in base.__subclasses__() for one in catalogue(each)]
    return sorted(found, key=lambda one: one.type)


def types_of() -> frozenset[str]:
    """Every type of change that there is in this process."""
    return frozenset(one.type for one in catalogue())


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may ever read the entry, fixed when it is recorded; later disclosure is a new entry.

    `organisations` each see it by their holders of one of `roles`; where that is empty, by those who read such events (`Event.readers`).
    `persons` see it wherever they act. The acting organisation's auditor sees everything of the buyer, refusals included.
    """

    public: bool = False
    organisations: tuple[UUID, ...] = ()
    roles: tuple[Role, ...] = ()
    persons: tuple[UUID, ...] = ()


PUBLIC = Audience(public=True)


def within(*organisations: UUID | None, roles: tuple[Role, ...] = ()) -> Audience:
    """Seen by the named organisations alone; None is left out."""
    return Audience(organisations=tuple(one for one in organisations if one is not None), roles=roles)


def auditors(buyer_id: UUID) -> Audience:
    """Seen by the buyer's auditors: who tried what is not their colleagues' to know."""
    return within(buyer_id, roles=(Role.AUDITOR,))


class Refused(Event, frozen=True, kw_only=True):
    """A guarded act was tried and refused: `reason` is the problem that was answered, `about` what it was tried on (rule g)."""

    type: ClassVar[str] = "act.refused"
    object_type: ClassVar[str] = "refusal"
    told: ClassVar[tuple[Told, ...]] = (Told.AUDITORS, Told.BIDDER)

    act: Annotated[str, Meta(pattern=r"^[a-z_]+\.[a-z_]+$", max_length=60)]
    reason: Slug
    about: Annotated[str, Meta(pattern=r"^[0-9a-f-]{36}$", max_length=36)]


class PersonalErased(Event, frozen=True, kw_only=True):
    """What was personal of entries has been erased by whoever runs the platform: of how many, and why. The entries themselves stay."""

    type: ClassVar[str] = "personal.erased"
    object_type: ClassVar[str] = "journal"
    told: ClassVar[tuple[Told, ...]] = (Told.OPERATOR,)

    count: Count
    reason: Paragraph


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an exception carries to `provide_db`: the entry to write once the refused act is rolled back."""

    actor: Actor
    event: Refused
    audience: Audience = field(default_factory=Audience)
    hold: UUID | None = None

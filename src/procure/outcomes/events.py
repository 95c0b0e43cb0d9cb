"""What happens to outcomes, as the journal tells it."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from procure.journal.events import Event, Told
from procure.kit.fields import Amount, Currency, FieldNames, Grounds, ItemKey, Line, Markdown, Quantity, Reference
from procure.outcomes.rules import OutcomeStatus


class OutcomeDrafted(Event, frozen=True, kw_only=True):
    """An officer wrote an outcome down."""

    type: ClassVar[str] = "outcome.drafted"
    object_type: ClassVar[str] = "outcome"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER,)

    reference: Reference
    title: Line
    envelope: Amount
    currency: Currency


class OutcomeRevised(Event, frozen=True, kw_only=True):
    """A draft of an outcome was edited: which fields, not what they say."""

    type: ClassVar[str] = "outcome.revised"
    object_type: ClassVar[str] = "outcome"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER,)

    fields: FieldNames


class OutcomeActivated(Event, frozen=True, kw_only=True):
    """A budget holder put the outcome and its envelope into force."""

    type: ClassVar[str] = "outcome.activated"
    object_type: ClassVar[str] = "outcome"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    reference: Reference
    title: Line
    statement: Markdown
    envelope: Amount
    currency: Currency


class OutcomeEnded(Event, frozen=True, kw_only=True):
    """An approver said how the outcome ended."""

    type: ClassVar[str] = "outcome.ended"
    object_type: ClassVar[str] = "outcome"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER, Told.EVERYBODY)

    status: OutcomeStatus
    reason: Grounds


class MeasureObserved(Event, frozen=True, kw_only=True):
    """A measure was observed; the object is the outcome."""

    type: ClassVar[str] = "outcome.measure_observed"
    object_type: ClassVar[str] = "outcome"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    measure_id: UUID
    observation_id: UUID
    value: Quantity
    observed_on: date
    contract_id: UUID | None
    deliverable: ItemKey | None
    supersedes_id: UUID | None

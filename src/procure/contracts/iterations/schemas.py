"""What is sent to go on with the same team, or not to."""

from datetime import date
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from procure.kit.fields import Line, Paragraph
from procure.kit.money import Money
from procure.lots.schemas import Days


class IterationDeliverable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A deliverable agreed with the supplier, with its price (net). It gets its key (D1, D2 …) from its place."""

    title: Line
    due_on: date
    acceptance_criteria: Annotated[list[Line], Meta(min_length=1, max_length=20)]
    price: Money


class Iteration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A further time-box with the same team, inside what the lot's notice announced."""

    EXAMPLE: ClassVar[object] = {
        "starts_on": "2027-01-25",
        "duration_days": 28,
        "deliverables": [
            {
                "title": "One experiment, run with real changes",
                "due_on": "2027-02-19",
                "acceptance_criteria": ["Thirty changes went through it", "Waiting days are shown beside last year's"],
                "price": {"amount": "9500.00", "currency": "GBP"},
            }
        ],
    }

    starts_on: date
    duration_days: Days
    deliverables: Annotated[list[IterationDeliverable], Meta(min_length=1, max_length=100)]


class NextStepChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a completed contract is followed by instead, and why; published."""

    EXAMPLE: ClassVar[object] = {
        "next_step": "stop",
        "reason": "The team that ran the service has been moved elsewhere.",
    }

    next_step: Literal["pivot", "stop"]
    reason: Paragraph

"""What is sent at the end of a contract; the contract is answered."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import Meta

from procure.contracts.rules import NextStep
from procure.kit.fields import Line, Paragraph, Quantity


class Termination(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the buyer ends the contract here; published."""

    EXAMPLE: ClassVar[object] = {"reason": "The first deliverable showed that the form itself can go."}

    reason: Paragraph


class Retrospective(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the supplier learned; both sides read it."""

    EXAMPLE: ClassVar[object] = {"learned": "Sitting beside the officers for a week was worth more than any interview."}

    learned: Paragraph


class ObservationGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the measure was seen to be."""

    value: Quantity
    observed_on: date
    source: Line
    evidence: Paragraph | None = None


class MeasureReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One measure that the lot aimed at: its observation, or the day on which the outcome owes it."""

    measure_id: UUID
    observation: ObservationGiven | None = None
    owed_on: date | None = None


class Completion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the work did to each measure, what the buyer learned, and whether to continue, pivot or stop."""

    EXAMPLE: ClassVar[object] = {
        "measures": [
            {
                "measure_id": "0199c0de-0000-7000-8000-000000000011",
                "observation": {
                    "value": "11",
                    "observed_on": "2027-01-15",
                    "source": "Case system, monthly report",
                    "evidence": "Median of 1,204 decisions",
                },
            }
        ],
        "learned": "Most of the waiting was for one letter that nobody needed.",
        "next_step": "continue",
    }

    measures: Annotated[list[MeasureReport], Meta(min_length=1, max_length=20)]
    learned: Paragraph
    next_step: NextStep

"""What is sent of an observation under a contract; `outcomes.schemas` has what is answered."""

from typing import ClassVar
from uuid import UUID

from procure.kit.fields import ItemKey
from procure.outcomes.schemas import ObservationDraft


class ContractObservation(ObservationDraft, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a measure of the contract's outcome was seen to be; `deliverable` is the one that it is put down to, if it is one alone."""

    EXAMPLE: ClassVar[object] = {
        "measure_id": "0199c0de-0000-7000-8000-000000000011",
        "deliverable": "D1",
        "value": "15",
        "observed_on": "2026-12-29",
        "source": "Case system, weekly report",
        "evidence": "212 decisions in the week after the first experiment",
        "links": ["https://data.council.example/housing-benefit/2026-52"],
    }

    measure_id: UUID
    deliverable: ItemKey | None = None

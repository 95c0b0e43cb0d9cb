"""How contracts end, as the journal tells it."""

from typing import ClassVar

from procure.contracts.models import OwedObservation
from procure.journal.events import Event
from procure.kit.money import Money


class ContractTerminated(Event, frozen=True, kw_only=True):
    """The buyer ended the contract for convenience; what was accepted stays payable."""

    type: ClassVar[str] = "contract.terminated"
    object_type: ClassVar[str] = "contract"

    reason: str
    accepted: Money
    cancelled: list[str]


class RetrospectiveGiven(Event, frozen=True, kw_only=True):
    """The supplier told what it learned; for both sides."""

    type: ClassVar[str] = "contract.retrospective_given"
    object_type: ClassVar[str] = "contract"

    learned: str


class ContractCompleted(Event, frozen=True, kw_only=True):
    """Everything is delivered; the buyer decided to continue, pivot or stop."""

    type: ClassVar[str] = "contract.completed"
    object_type: ClassVar[str] = "contract"

    accepted: Money
    next_step: str
    owed: list[OwedObservation]

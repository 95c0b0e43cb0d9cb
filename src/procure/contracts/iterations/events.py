"""Going on, as the journal tells it; what is drawn up or drafted has an entry of its own."""

from typing import ClassVar

from procure.contracts.rules import NextStep
from procure.journal.events import Event, Told
from procure.kit.fields import Grounds
from procure.kit.scopes import Scope


class ContractDropped(Event, frozen=True, kw_only=True):
    """A contract that not both sides had signed gave way to another for the same iteration, or the iteration was given up."""

    type: ClassVar[str] = "contract.dropped"
    object_type: ClassVar[str] = "contract"
    told: ClassVar[tuple[Told, ...]] = (Told.PARTIES,)
    readers: ClassVar[Scope | None] = Scope.CONTRACTS_READ

    reason: Grounds


class NextStepChanged(Event, frozen=True, kw_only=True):
    """The buyer gave up what a completed contract was to go on with."""

    type: ClassVar[str] = "contract.next_step_changed"
    object_type: ClassVar[str] = "contract"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    previous_step: NextStep
    next_step: NextStep
    reason: Grounds

"""How contracts end, as the journal tells it."""

from typing import ClassVar

from procure.contracts.models import OwedObservation
from procure.contracts.rules import NextStep
from procure.journal.events import Event, Told
from procure.kit.fields import Everything, Grounds, ItemKey, Markdown
from procure.kit.money import Money
from procure.kit.scopes import Scope


class ContractTerminated(Event, frozen=True, kw_only=True):
    """The buyer ended the contract for convenience; what was accepted stays payable."""

    type: ClassVar[str] = "contract.terminated"
    object_type: ClassVar[str] = "contract"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    reason: Grounds
    accepted: Money
    cancelled: Everything[ItemKey]


class RetrospectiveGiven(Event, frozen=True, kw_only=True):
    """The supplier told what it learned; for both sides."""

    type: ClassVar[str] = "contract.retrospective_given"
    object_type: ClassVar[str] = "contract"
    told: ClassVar[tuple[Told, ...]] = (Told.PARTIES,)
    readers: ClassVar[Scope | None] = Scope.CONTRACTS_READ

    learned: Markdown


class ContractCompleted(Event, frozen=True, kw_only=True):
    """Everything is delivered; the buyer decided to continue, pivot or stop."""

    type: ClassVar[str] = "contract.completed"
    object_type: ClassVar[str] = "contract"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    accepted: Money
    next_step: NextStep
    owed: Everything[OwedObservation]

"""Going on, as the journal tells it; what is drawn up or drafted has an entry of its own."""

from typing import ClassVar

from procure.journal.events import Event


class ContractReplaced(Event, frozen=True, kw_only=True):
    """A contract that not both sides had signed gave way to another for the same iteration."""

    type: ClassVar[str] = "contract.replaced"
    object_type: ClassVar[str] = "contract"

    reason: str

"""What happens to the sandbox's clock."""

from typing import ClassVar

from procure.journal.events import Event, Told
from procure.kit.fields import Instant


class ClockMoved(Event, frozen=True, kw_only=True):
    """The sandbox's clock was moved forward."""

    type: ClassVar[str] = "sandbox.clock_moved"
    object_type: ClassVar[str] = "clock"
    told: ClassVar[tuple[Told, ...]] = (Told.OPERATOR,)

    to: Instant

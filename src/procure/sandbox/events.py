"""What happens to the sandbox's clock."""

from datetime import datetime
from typing import ClassVar

from procure.journal.events import Event


class ClockMoved(Event, frozen=True, kw_only=True):
    """The sandbox's clock was moved forward."""

    type: ClassVar[str] = "sandbox.clock_moved"
    object_type: ClassVar[str] = "clock"

    to: datetime

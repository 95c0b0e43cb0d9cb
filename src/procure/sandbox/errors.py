"""Facts of the sandbox."""

from procure.kit.errors import Conflict


class ClockBackwards(Conflict):
    """The sandbox's clock only moves forward."""

    slug, title = "clock-backwards", "Clock can't move backwards"

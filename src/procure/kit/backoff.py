"""What fails again and again is tried less and less often, so that it neither floods the log nor takes the others' time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

#: The longest is what a seal may be late by after its trouble has passed.
PAUSE_MIN_S, PAUSE_MAX_S = 1.0, 15.0


class _Pause(NamedTuple):
    seconds: float
    until_s: float


@dataclass(slots=True)
class Backoff:
    """One job's subjects that failed, in this process's memory: each is left alone for `min_s`, then twice as long each time."""

    clock: Callable[[], float] = time.monotonic
    min_s: float = PAUSE_MIN_S
    max_s: float = PAUSE_MAX_S
    _pauses: dict[UUID, _Pause] = field(default_factory=dict)

    def ready(self, subjects: Sequence[UUID]) -> list[UUID]:
        """Those of `subjects`, which are all there are, that are not being left alone. What is no subject any more is forgotten."""
        now_s = self.clock()
        self._pauses = {one: self._pauses[one] for one in subjects if one in self._pauses}
        return [one for one in subjects if one not in self._pauses or self._pauses[one].until_s <= now_s]

    def failed(self, subject: UUID) -> float:
        """The seconds for which it is left alone now."""
        before = self._pauses.get(subject)
        seconds = min(2 * before.seconds, self.max_s) if before else self.min_s
        self._pauses[subject] = _Pause(seconds, self.clock() + seconds)
        return seconds

    def succeeded(self, subject: UUID) -> None:
        self._pauses.pop(subject, None)

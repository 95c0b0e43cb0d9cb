"""Token buckets: how much each key may still use of a quota that fills up again all the time. Pure, and bounded in memory.

A bucket is one number, the moment at which it will be full again (the generic cell rate algorithm, ITU-T I.371): so a step costs the
same however often it is asked, and a full bucket needs no memory at all. Beyond `keys_max` the one that was longest not asked for is
forgotten, which makes it full: who comes with many keys gains what many keys have anyway, and nobody else loses anything.
"""

import math
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

KEYS_MAX = 16_384
#: Of one unit; what adding floats may lose.
_ROUNDING = 1e-6


class Quota(NamedTuple):
    """What a key has left: units now, the seconds in which it has no more than those, and how long to wait if it has none (else 0)."""

    left: int
    within_s: int
    wait_s: int


class Buckets:
    """One bucket of `quota` units for each key, filling evenly over `window_s` seconds. `now` is in seconds and never goes back."""

    def __init__(self, quota: int, window_s: int, *, keys_max: int = KEYS_MAX) -> None:
        assert quota > 0
        self.quota, self.window_s, self._keys_max = quota, window_s, keys_max
        self._unit_s = window_s / quota
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def look(self, key: Hashable, now: float) -> Quota:
        """What the key has left."""
        return self._quota(max(self._full_at.get(key, now) - now, 0.0))

    def take(self, key: Hashable, now: float) -> Quota:
        """Use one unit, if there is one: `wait_s` is 0 then, and `left` is what remains after it."""
        missing_s = max(self._full_at.get(key, now) - now, 0.0)
        if missing_s + self._unit_s > self.window_s + _ROUNDING * self._unit_s:
            return self._quota(missing_s)
        self._keep(key, now + missing_s + self._unit_s)
        return self._quota(missing_s + self._unit_s)._replace(wait_s=0)

    def charge(self, key: Hashable, now: float) -> None:
        """Use one unit, if there is one or not; what is owed stays below one more window."""
        missing_s = max(self._full_at.get(key, now) - now, 0.0)
        self._keep(key, now + min(missing_s + self._unit_s, 2.0 * self.window_s))

    def _keep(self, key: Hashable, full_at: float) -> None:
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._keys_max:
            self._full_at.popitem(last=False)

    def _quota(self, missing_s: float) -> Quota:
        left = int((self.window_s - missing_s) / self._unit_s + _ROUNDING)
        if left > 0:
            return Quota(left, self._whole(missing_s), 0)
        wait_s = max(self._whole(missing_s + self._unit_s - self.window_s), 1)
        return Quota(0, wait_s, wait_s)

    def _whole(self, seconds: float) -> int:
        """Rounded up, but for what adding floats has put on top: half of what `take` forgives, so that whoever waits so long is given."""
        return math.ceil(seconds - 0.5 * _ROUNDING * self._unit_s)

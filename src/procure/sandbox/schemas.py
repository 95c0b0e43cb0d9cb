"""What is sent and answered about the clock."""

from datetime import datetime, timedelta
from typing import ClassVar

import msgspec

from procure.kit.fields import Instant


class ClockMove(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Move the clock to an instant, at or after the present one."""

    EXAMPLE: ClassVar[object] = {"to": "2026-12-10T12:00:00Z"}

    to: Instant


class ClockView(msgspec.Struct, frozen=True):
    """Procurement's time now, UTC, and how many seconds of it the sandbox has added (0 outside a sandbox)."""

    now: Instant
    ahead_seconds: float

    @classmethod
    def of(cls, now: datetime, ahead: timedelta) -> "ClockView":
        return cls(now, ahead.total_seconds())

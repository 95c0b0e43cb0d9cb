"""One row, or none: how far the sandbox's clock runs ahead of the database's. `app_now()` adds it."""

from datetime import timedelta

from sqlalchemy import Boolean, CheckConstraint, Interval
from sqlalchemy.orm import Mapped, mapped_column

from procure.kit.db import Base


class SandboxClock(Base):
    """The offset; it only grows."""

    __tablename__ = "sandbox_clock"
    __table_args__ = (
        CheckConstraint("one_row", name="one_row"),
        CheckConstraint("ahead >= interval '0'", name="forward"),
    )

    one_row: Mapped[bool] = mapped_column(Boolean, primary_key=True, default=True)
    ahead: Mapped[timedelta] = mapped_column(Interval)

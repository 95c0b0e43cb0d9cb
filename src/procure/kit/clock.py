"""The clock that decides is the database's, through one SQL function, read *after* the lock it has to be newer than.

`app_now()` is `clock_timestamp()` (not the transaction's start) plus the sandbox's offset, which is nothing outside a sandbox.
"""

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

#: The same reading as an expression, for statements that compare with it.
app_now = func.app_now

_NOW = select(app_now())


async def now(db: AsyncSession) -> datetime:
    """Procurement's time, UTC, to the microsecond."""
    moment: datetime = (await db.execute(_NOW)).scalar_one()
    return moment.astimezone(UTC)


def wall_now() -> datetime:
    """This machine's time, UTC: for tokens and logs, never for a rule of procurement."""
    return datetime.now(UTC)

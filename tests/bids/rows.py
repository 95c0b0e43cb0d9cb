"""What is in the database about a bid, and what a refusal carries."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.bids import service as bids
from procure.bids.models import Bid
from procure.journal.events import Refusal
from procure.journal.models import JournalEntry
from procure.kit.errors import Fact


async def entries(db: AsyncSession, about: UUID) -> list[JournalEntry]:
    statement = select(JournalEntry).where(JournalEntry.object_id == about).order_by(JournalEntry.id)
    return list(await db.scalars(statement))


async def stored(db: AsyncSession, bid_id: UUID) -> Bid:
    """The row as it is in the database, whatever this session remembers."""
    db.expunge_all()
    return await bids.get_bid(db, bid_id)


def refusal(fact: Fact) -> Refusal:
    assert isinstance(fact.refusal, Refusal), "the refusal is not recorded"
    return fact.refusal

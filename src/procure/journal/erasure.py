"""Erasing what is personal of entries, by the database's owner: the entries stay and every proof holds; that it was done is an entry."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from procure.journal.events import Audience, PersonalErased
from procure.journal.service import record
from procure.kit.actor import Actor

# By somebody or about them: the entry names them as its doer, its object, one of its audience, or within what it says.
_CHOSEN = """(
  SELECT entry.id FROM journal_entries AS entry
  WHERE entry.person_id = CAST(:person AS uuid) OR entry.object_id = CAST(:person AS uuid)
    OR CAST(:person AS uuid) = ANY (entry.audience_persons)
    OR strpos(CAST(entry.payload AS text), CAST(CAST(:person AS uuid) AS text)) > 0
  UNION ALL SELECT entry_id FROM journal_positions WHERE position = ANY (CAST(:positions AS bigint[]))
)"""
_COUNT = text(f"SELECT count(*) FROM journal_personal WHERE entry_id IN {_CHOSEN}")  # noqa: S608 - SQL of our own
_ERASE = text(f"DELETE FROM journal_personal WHERE entry_id IN {_CHOSEN}")  # noqa: S608 - SQL of our own


@dataclass(frozen=True, slots=True)
class Chosen:
    """Whose entries are meant, by them or about them; and which others, by their positions."""

    person_id: UUID | None = None
    positions: Collection[int] = ()

    def values(self) -> dict[str, object]:
        return {"person": self.person_id, "positions": [*self.positions]}


async def count(db: AsyncSession, chosen: Chosen) -> int:
    """Of how many of these entries something personal is still there."""
    return int(await db.scalar(_COUNT, chosen.values()) or 0)


async def erase(db: AsyncSession, actor: Actor, chosen: Chosen, reason: str, audience: Audience) -> int:
    """Erase what is personal of them and record that; of how many entries that was. Again, it finds nothing and records nothing."""
    erased = int((await db.execute(_ERASE, chosen.values())).rowcount)  # type: ignore[attr-defined]
    if erased:
        await record(db, actor, PersonalErased(object_id=None, count=erased, reason=reason), audience)
    return erased

"""The SQL of the journal's readers: what a caller may see, in the order of positions."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from procure.journal.documents import COLUMNS
from procure.kit.actor import Actor, Role
from procure.kit.scopes import Scope

#: Positions that one look goes through at most: whoever may see little is answered in bounded time, with how far the look has come.
LOOK_MAX: Final = 20_000

# The audience that the entry was recorded with; an auditor sees all that their organisation did, refusals included.
VISIBLE = """(is_public
  OR (CAST(:organisation AS uuid) = ANY (audience_organisations)
    AND (audience_roles = '{}' OR audience_roles && CAST(:roles AS text[])))
  OR CAST(:person AS uuid) = ANY (audience_persons)
  OR (:is_auditor AND organisation_id = CAST(:organisation AS uuid)))"""
_CHANGES = text(f"""
SELECT position, {COLUMNS} FROM journal_positions JOIN journal_entries ON id = entry_id
WHERE position > :after AND position <= :beyond AND {VISIBLE}
  AND (CAST(:types AS text[]) IS NULL OR type = ANY (CAST(:types AS text[])))
ORDER BY position LIMIT :limit
""")  # noqa: S608 - SQL of our own
_ONE = text(f"""
SELECT position, {COLUMNS} FROM journal_positions JOIN journal_entries ON id = entry_id
WHERE position = :position AND {VISIBLE}
""")  # noqa: S608 - SQL of our own
_REACHED = text("SELECT coalesce(max(position), 0) FROM journal_positions")


def seer(actor: Actor) -> dict[str, Any]:
    """Whom `VISIBLE` asks about. A token without the scope reads what anyone may."""
    if Scope.CHANGES_READ not in actor.scopes:
        return {"organisation": None, "person": None, "roles": [], "is_auditor": False}
    return {
        "organisation": actor.organisation_id,
        "person": actor.person_id,
        "roles": [role.value for role in actor.roles],
        "is_auditor": actor.has(Role.AUDITOR),
    }


def may_see(actor: Actor, row: Mapping[str, Any]) -> bool:
    """As `VISIBLE`, of a row that is there already."""
    if row["is_public"]:
        return True
    if Scope.CHANGES_READ not in actor.scopes:
        return False
    roles = row["audience_roles"]
    is_theirs = actor.organisation_id in row["audience_organisations"] and (
        not roles or any(role.value in roles for role in actor.roles)
    )
    is_audited = actor.has(Role.AUDITOR) and row["organisation_id"] == actor.organisation_id
    return is_theirs or is_audited or (actor.person_id is not None and actor.person_id in row["audience_persons"])


async def reached(db: AsyncSession) -> int:
    """The last position; 0 where there is none yet."""
    return int(await db.scalar(_REACHED) or 0)


async def changes(
    db: AsyncSession, actor: Actor, after: int, limit: int, types: Collection[str] | None = None
) -> tuple[list[Mapping[str, Any]], int]:
    """What the caller may see beyond `after`, and up to where that was looked for: there the next look begins."""
    last = await reached(db)
    beyond = min(last, after + LOOK_MAX)
    values = {"after": after, "beyond": beyond, "limit": limit, "types": list(types) if types is not None else None}
    found = await db.execute(_CHANGES, {**values, **seer(actor)})
    rows: list[Mapping[str, Any]] = [dict(row) for row in found.mappings()]
    return rows, rows[-1]["position"] if len(rows) == limit else max(beyond, after)


async def entry_at(db: AsyncSession, actor: Actor, position: int) -> Mapping[str, Any] | None:
    """The one entry, if it is there and the caller's to see."""
    row = (await db.execute(_ONE, {"position": position, **seer(actor)})).mappings().one_or_none()
    return dict(row) if row is not None else None

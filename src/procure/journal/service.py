"""Writing entries: `record` in the effect's own transaction, `record_refusal` right after a rollback. Nobody else writes any."""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, literal, select, type_coerce
from sqlalchemy import types as sql
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncSession

from procure.journal.events import Audience, Event, Refusal, Refused
from procure.journal.models import JournalEntry, JournalHoldEnd, JournalPersonal
from procure.kit.actor import Actor, Role, SamePerson, require_another
from procure.kit.canonical import canonical
from procure.kit.errors import Fact
from procure.kit.scopes import roles_with

SALT_BYTES = 16


def entry_values(
    actor: Actor, event: Event, audience: Audience, *, hold: UUID | None = None, digest: bytes | None = None
) -> dict[str, Any]:
    """The columns of one entry, for `record` and for the one hot path that writes its entry in the statement of its effect."""
    return {
        "type": event.type,
        "event_version": event.event_version,
        "object_type": event.object_type,
        "object_id": event.object_id,
        "object_version": event.object_version,
        "organisation_id": actor.organisation_id,
        "client_id": actor.client_id,
        "person_id": actor.person_id,
        "request_id": actor.request_id,
        "payload": canonical(event).decode(),
        "digest": digest,
        "hold": hold,
        "is_public": audience.public,
        "audience_organisations": list(audience.organisations),
        "audience_roles": [role.value for role in _roles(event, audience)],
        "audience_persons": list(audience.persons),
    }


def _roles(event: Event, audience: Audience) -> Sequence[Role]:
    """Whoever may not read a thing is not told what happens to it either."""
    if audience.roles or not audience.organisations or event.readers is None:
        return audience.roles
    return roles_with(event.readers)


def personal_values(actor: Actor, personal: dict[str, str] | None = None) -> tuple[bytes, bytes, bytes] | None:
    """(salt, data, hash) of what is personal about an act: the caller's address, and what the verb adds; None if nothing is."""
    said = {**({"address": actor.address} if actor.address else {}), **(personal or {})}
    if not said:
        return None
    salt, data = secrets.token_bytes(SALT_BYTES), canonical(said)
    return salt, data, hashlib.sha256(salt + data).digest()


async def record(
    db: AsyncSession,
    actor: Actor,
    event: Event,
    audience: Audience,
    *,
    hold: UUID | None = None,
    digest: bytes | None = None,
    personal: dict[str, str] | None = None,
) -> None:
    """Write one entry, in one statement, without a lock.

    `digest` is the SHA-256 of the business row's canonical form where money, bids or contracts change. `personal` is kept apart,
    under a salted hash, so that it can be erased.
    """
    await db.flush()
    values = entry_values(actor, event, audience, hold=hold, digest=digest)
    apart = personal_values(actor, personal)
    if apart is None:
        await db.execute(insert(JournalEntry).values(**values))
        return
    salt, data, hashed = apart
    entry = insert(JournalEntry).values(**values, personal_hash=hashed).returning(JournalEntry.id).cte("entry")
    bytes_ = sql.LargeBinary()
    beside = select(entry.c.id, literal(salt, bytes_), literal(data, bytes_))
    await db.execute(insert(JournalPersonal).from_select(["entry_id", "salt", "data"], beside))


async def end_hold(db: AsyncSession, hold: UUID) -> None:
    """Let the held entries take their place in the public order. Ending twice changes nothing."""
    await db.execute(pg_insert(JournalHoldEnd).values(hold=hold).on_conflict_do_nothing())


def refused(
    fact: Fact,
    actor: Actor,
    act: str,
    about: UUID,
    *,
    audience: Audience,
    hold: UUID | None = None,
    kept: bool = False,
) -> Fact:
    """`fact`, carrying the entry that says this guarded act was tried; raise what comes back. `kept`: see `Fact.recorded`."""
    event = Refused(object_id=about, act=act, reason=fact.slug, about=str(about))
    return fact.recorded(Refusal(actor, event, audience, hold), kept=kept)


def by_another(
    actor: Actor, earlier: Collection[UUID | None], said: str, *, act: str, about: UUID, audience: Audience
) -> UUID:
    """`require_another`, with an attempt of one of the `earlier` persons on the record."""
    try:
        return require_another(actor, earlier, said)
    except SamePerson as fact:
        raise refused(fact, actor, act, about, audience=audience) from None


async def record_refusal(db: AsyncSession, refusal: object) -> None:
    """The recorder that `provide_db` is given."""
    assert isinstance(refusal, Refusal)
    await record(db, refusal.actor, refusal.event, refusal.audience, hold=refusal.hold)


async def may_alter(db: AsyncSession) -> bool:
    """Whether the connected role could update, delete or truncate the journal: `/readyz` fails if so."""
    tables = [JournalEntry.__tablename__, JournalPersonal.__tablename__, JournalHoldEnd.__tablename__]
    rights = [
        func.has_table_privilege(type_coerce(table, sql.Text), type_coerce(right, sql.Text))
        for table in tables
        for right in ("UPDATE", "DELETE", "TRUNCATE")
    ]
    return any((await db.execute(select(*rights))).one())

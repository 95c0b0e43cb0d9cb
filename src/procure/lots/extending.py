"""Moving a published lot's closing later, before it has come: never earlier, and by another person than who prepared the lot."""

from datetime import UTC
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from procure.journal import service as journal
from procure.journal.events import PUBLIC
from procure.kit import clock
from procure.kit.actor import Actor
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.lots import rules, service
from procure.lots.events import LotExtended
from procure.lots.models import Lot
from procure.lots.schemas import Extension
from procure.vault.keys import Opener


async def extend(
    db: AsyncSession, actor: Actor, vault: Opener, lot_id: UUID, data: Extension, *, seen: Seen = UNCONDITIONAL
) -> Lot:
    """Put a later `closes_at` into force. Bids that were received stay as they are; the vault keeps the lot's key until then.

    The vault is told before the commit: should that fail, the key opens no earlier than it would have, and whoever extends again, or
    waits for the later moment, opens the lot.
    """
    _, lot = await service.lock_with_outcome(db, actor, lot_id)
    await service.check_seen(db, seen, lot)
    service.check_other_person(actor, lot, "lot.extend")
    now = await clock.now(db)
    rules.check_open(lot.status, lot.closes_at, now)
    before, closes_at = lot.closes_at, data.closes_at.astimezone(UTC)
    rules.check_extension(before, closes_at, lot.starts_on)
    assert lot.key_id is not None
    await vault.delay(lot.id, lot.key_id, closes_at)
    lot.closes_at, lot.extended_at = closes_at, now
    lot.touch()
    event = LotExtended(
        object_id=lot.id, object_version=lot.version, before=before, closes_at=closes_at, reason=data.reason
    )
    await journal.record(db, actor, event, PUBLIC)
    return lot

"""Writing letters into the outbox, in the transaction of what they tell of."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import CursorResult, text
from sqlalchemy.ext.asyncio import AsyncSession

from procure.kit.ids import new_id
from procure.kit.settings import MailRoute, Settings
from procure.mail.models import OutgoingMail
from procure.mail.schemas import Letter
from procure.vault.strongbox import STRONGBOX, Strongbox

#: Rows that one transaction of pruning removes at most.
PRUNE_BATCH = 1000
_PRUNE = text("""
DELETE FROM outgoing_mails WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM outgoing_mails WHERE until <= clock_timestamp() LIMIT :batch FOR UPDATE SKIP LOCKED
))""")


@dataclass(frozen=True, slots=True)
class Post:
    """By which way letters go out, and where they wait: a code in the outbox would else let in whoever reads it there."""

    route: MailRoute
    box: Strongbox


def post_of(settings: Settings) -> Post | None:
    """None where the settings name no way. Raises SettingsFault for one that can't be used."""
    route = settings.mail_route()
    return None if route is None else Post(route, Strongbox(settings.keys_path / STRONGBOX))


async def write(db: AsyncSession, post: Post, letter: Letter, until: datetime) -> None:
    """Have the letter sent once this transaction is committed; given up from `until` on, by the machine's time."""
    id_ = new_id()
    sealed = post.box.seal(msgspec.msgpack.encode(letter), id_.bytes)
    db.add(OutgoingMail(id=id_, sealed=sealed, attempts=0, until=until))
    await db.flush()


def opened(post: Post, id_: UUID, sealed: bytes) -> Letter:
    """Raises Unreadable: sealed elsewhere, or as another letter."""
    return msgspec.msgpack.decode(post.box.open(sealed, id_.bytes), type=Letter)


async def prune(db: AsyncSession) -> int:
    """Remove one batch of those that were given up; how many rows that were."""
    done = await db.execute(_PRUNE, {"batch": PRUNE_BATCH})
    assert isinstance(done, CursorResult)
    return done.rowcount

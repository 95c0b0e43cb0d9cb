"""What is remembered until it has expired: assertions that were used (RFC 7523, section 3), access tokens that were revoked (RFC 7009).

Both by the database, so that every process knows of it from the next request on. Expiry is wall time, as tokens' is.
"""

import hashlib
from datetime import UTC, datetime, timedelta

from sqlalchemy import CursorResult, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from procure.identity.assertions import Assertion
from procure.identity.models import RevokedToken, UsedAssertion
from procure.identity.tokens import Token

#: Rows that one transaction of pruning removes at most, of each table.
PRUNE_BATCH = 1000
#: How long a row outlives what it tells of: whoever judges that by another clock, some minutes behind, has to find it still.
_GRACE = timedelta(hours=1)
_PRUNE = {
    table: text(f"""
DELETE FROM {table} WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM {table} WHERE expires_at < clock_timestamp() - CAST(:grace AS interval) ORDER BY expires_at LIMIT :batch
))""")  # noqa: S608 - the two tables' own names
    for table in (UsedAssertion.__tablename__, RevokedToken.__tablename__)
}


async def use_once(db: AsyncSession, assertion: Assertion) -> bool:
    """Whether nobody has used this assertion before, in whatever process; whoever is second waits for the first to commit."""
    # A hash: the rows shall tell nobody whose assertions were used in the hours before a deadline.
    # JSON may hold half of a surrogate pair, which is a `jti` like another.
    id_ = hashlib.sha256(f"{assertion.client_id} {assertion.jti}".encode(errors="surrogatepass")).digest()
    expires_at = datetime.fromtimestamp(assertion.until, UTC)
    statement = insert(UsedAssertion).values(id=id_, expires_at=expires_at).on_conflict_do_nothing()
    return await db.scalar(statement.returning(UsedAssertion.id)) is not None


async def revoke_token(db: AsyncSession, token: Token) -> None:
    """Refuse the token from the next request on. Can be repeated."""
    expires_at = datetime.fromtimestamp(token.expires_at, UTC)
    await db.execute(insert(RevokedToken).values(id=token.id, expires_at=expires_at).on_conflict_do_nothing())


async def prune(db: AsyncSession) -> int:
    """Remove one batch of each that has expired; how many rows the larger of them had."""
    counts = []
    for statement in _PRUNE.values():
        done = await db.execute(statement, {"batch": PRUNE_BATCH, "grace": _GRACE})
        assert isinstance(done, CursorResult)
        counts.append(done.rowcount)
    return max(counts)

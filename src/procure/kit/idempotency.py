"""One effect for one key: a request's `Idempotency-Key`, and the first reply, kept with its effect and given again.

After draft-ietf-httpapi-idempotency-key-header. Nothing of the key, the request or the reply can be read from what is stored: the
reply is encrypted under a secret made of the key, which only the client has, and bound to the request. So a reply may hold what is
shown once, and a row tells nobody whose it is, what was asked or that it was a bid. A key that can be guessed undoes that.

The order of things: the key's advisory lock, tried and never waited for; then, in a later statement, whether a reply is kept; then the
effect; then its reply, encoded; then COMMIT. A reply that was not kept has no effect, and an effect that stands has its reply.
"""

import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from litestar import Request, Response
from litestar.response.base import ASGIResponse
from sqlalchemy import CursorResult, DateTime, Index, LargeBinary, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from procure.kit.db import Base
from procure.kit.errors import Conflict, Invalid, Malformed

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
#: Characters of a key. Below 16 it could be guessed: 16 of hexadecimal are 64 bits, a UUID's 36 are 122.
KEY_MIN, KEY_MAX = 16, 255
KEPT_DAYS = 30
#: Rows that one transaction of pruning removes at most.
PRUNE_BATCH = 1000
_NONCE_BYTES = 12
#: Visible ASCII, bare or as a String of RFC 9651, section 3.3.3: the draft has the quotes, most clients do not.
_BARE = re.compile(r"[!#-~][!-~]*")
_QUOTED = re.compile(r'"((?:[!#-\[\]-~]|\\["\\])*)"')


class Key(StrEnum):
    """What an operation makes of the header."""

    REQUIRED = "required"
    HONOURED = "honoured"
    IGNORED = "ignored"


class IdempotencyKeyMissing(Malformed):
    """This operation is done once for each Idempotency-Key, and the request has none."""

    slug, title = "idempotency-key-missing", "Idempotency-Key missing"


class IdempotencyKeyInvalid(Malformed):
    """The Idempotency-Key is not one value of 16 to 255 visible ASCII characters."""

    slug, title = "idempotency-key-invalid", "Idempotency-Key is not valid"


class IdempotencyKeyReused(Invalid):
    """The Idempotency-Key was used for another request: another operation, address or body. Take a new key for each act."""

    slug, title = "idempotency-key-reused", "Idempotency-Key used for another request"


class IdempotencyKeyBusy(Conflict):
    """A request with this Idempotency-Key is still running; send it again in a moment, with the same key."""

    slug, title, retry_after_s = "idempotency-key-busy", "Request with this key still running", 1


class KeptReply(Base):
    """The reply to one key, unreadable but to who sends the key again. `kept_at` is the machine's time, not procurement's."""

    __tablename__ = "kept_replies"
    __table_args__ = (Index("ix_kept_replies_kept_at", "kept_at"),)

    id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    sealed: Mapped[bytes]
    kept_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Reply(msgspec.Struct, frozen=True, array_like=True):
    """A reply as it was sent, but for what belongs to each request: its id, and the headers that every reply has."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Answered(Exception):
    """Ends a request with a reply that is made already: one kept before, or a refusal that has just been kept."""

    def __init__(self, reply: Reply, *, is_replay: bool) -> None:
        super().__init__(reply.status)
        self.reply, self.is_replay = reply, is_replay


def read_key(values: Sequence[str]) -> bytes | None:
    """The one key among a request's headers of that name, without the quotes of a String; None if there is none."""
    if not values:
        return None
    if len(values) > 1:
        raise IdempotencyKeyInvalid("`Idempotency-Key` is given once.")
    value = values[0].strip(" \t")
    quoted = _QUOTED.fullmatch(value)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else value
    if not (quoted or _BARE.fullmatch(value)) or not KEY_MIN <= len(key) <= KEY_MAX:
        raise IdempotencyKeyInvalid(
            f"`Idempotency-Key` has {KEY_MIN} to {KEY_MAX} visible ASCII characters; a new UUID for each act is best."
        )
    return key.encode("ascii")


_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock)")
_FIND = text("SELECT sealed FROM kept_replies WHERE id = :id")
_KEEP = text("INSERT INTO kept_replies (id, sealed, kept_at) VALUES (:id, :sealed, clock_timestamp())")
_PRUNE = text("""
DELETE FROM kept_replies WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM kept_replies WHERE kept_at < clock_timestamp() - make_interval(days => :days) ORDER BY kept_at LIMIT :batch
))""")

#: For a unit of the driver: `KeyedRequest.claim` at its beginning, this as one of its conditions, `keeping` with its COMMIT. What the
#: lock said can't be answered to a statement without values, so it is left where the next one finds it, until the transaction ends.
IS_FREE = """coalesce(current_setting('procure.key_is_free', true), '') <> 'false'
    AND NOT EXISTS (SELECT FROM kept_replies WHERE kept_replies.id = CAST(:once_id AS bytea))"""


@dataclass(slots=True, eq=False)
class KeyedRequest:
    """A request with a key: what its row is found by, and the secret that its reply is sealed with.

    `said` is everything that has to be the same for the same key; `encode` makes the reply of a verb's result or of a fact. It knows the
    request, which knows this, and is let go with the reply: garbage in circles costs a bid more than its key does.
    """

    id: bytes
    _secret: bytes
    _said: bytes
    _encode: Callable[[object], ASGIResponse] | None
    reply: ASGIResponse | None = None
    records: ClassVar[bool] = True

    @classmethod
    def of(cls, key: bytes, owner: str, said: bytes, encode: Callable[[object], ASGIResponse]) -> "KeyedRequest":
        """`owner` is whose keys these are: two clients may use the same one."""
        return cls(_made(key, "id", owner), _made(key, "secret", owner), said, encode)

    @property
    def lock(self) -> int:
        """The advisory lock's key: below zero, where no lot's is (`kit.db.share`)."""
        return -1 - (int.from_bytes(self.id[:8], "big") >> 1)

    async def begin(self, db: AsyncSession) -> None:
        """Nobody else runs this key until the transaction ends, and nobody has before; raises IdempotencyKeyBusy, Answered."""
        if not await db.scalar(_LOCK, {"lock": self.lock}):
            raise IdempotencyKeyBusy("A request with this key is still running; send it again in a moment.")
        sealed = await db.scalar(_FIND, {"id": self.id})
        if sealed is not None:
            raise Answered(self._opened(sealed), is_replay=True)

    def claim(self) -> str:
        """The lock as a statement without values, for a unit of the driver to begin with."""
        return f"SELECT set_config('procure.key_is_free', pg_try_advisory_xact_lock({self.lock})::text, true); "

    def answer(self, result: object) -> None:
        """Encode the reply now, once; what is sent later is this."""
        assert self._encode is not None
        self.replied(self._encode(result))

    def replied(self, reply: ASGIResponse) -> ASGIResponse:
        """Remember the reply."""
        self.reply, self._encode = reply, None
        return reply

    def keeping(self) -> str:
        """`keep` as one statement without values, for a unit of the driver to end with: hexadecimal is all that it holds."""
        if self.reply is None:
            return ""
        row = f"'\\x{self.id.hex()}', '\\x{self.sealed().hex()}', clock_timestamp()"
        return f"INSERT INTO kept_replies (id, sealed, kept_at) VALUES ({row})"  # noqa: S608 - nothing but hexadecimal

    async def keep(self, db: AsyncSession) -> None:
        """Store the reply, if there is one, in the transaction of what it tells."""
        if self.reply is not None:
            await db.flush()
            await db.execute(_KEEP, {"id": self.id, "sealed": self.sealed()})

    def refused(self) -> Answered:
        """The refusal that `answer` has made a reply of."""
        return Answered(self._as_sent(), is_replay=False)

    def sealed(self) -> bytes:
        """The reply as it is stored: nonce and AES-256-GCM, the request as what is bound to it."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self._secret).encrypt(nonce, msgspec.msgpack.encode(self._as_sent()), self._said)

    def _opened(self, sealed: bytes) -> Reply:
        try:
            plain = AESGCM(self._secret).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._said)
        except InvalidTag:
            raise IdempotencyKeyReused(
                "This key was used for another request: another operation, address or body."
            ) from None
        return msgspec.msgpack.decode(plain, type=Reply)

    def _as_sent(self) -> Reply:
        assert self.reply is not None
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.reply.encode_headers()]
        return Reply(self.reply.status_code, headers, self.reply.body)


def _made(key: bytes, purpose: str, owner: str) -> bytes:
    """32 bytes that tell nothing of the key, nor of each other (HMAC-SHA256, RFC 2104)."""
    return hmac.digest(key, f"procure idempotency {purpose} {owner}".encode(), "sha256")


class Replay(Response[bytes]):
    """A kept reply, sent as it is."""

    def __init__(self, answered: Answered) -> None:
        super().__init__(answered.reply.body, status_code=answered.reply.status)
        self._answered = answered

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **_: Any) -> ASGIResponse:  # noqa: ARG002 - Litestar's signature
        reply, is_replay = self._answered.reply, self._answered.is_replay
        headers = [*reply.headers, (REPLAYED.lower(), "true")] if is_replay else reply.headers
        return ASGIResponse(body=reply.body, status_code=reply.status, headers=headers)


async def prune(db: AsyncSession) -> int:
    """Remove one batch of what has been kept for its days; how many rows that were."""
    done = await db.execute(_PRUNE, {"batch": PRUNE_BATCH, "days": KEPT_DAYS})
    assert isinstance(done, CursorResult)
    return done.rowcount

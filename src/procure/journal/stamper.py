"""The stamper: has an authority say when the latest checkpoint was there (RFC 3161), where one is configured.

Any worker does it, one at a time under an advisory lock, at most once in an interval and never twice for one checkpoint. It has nothing
to do with the sealer: its transaction has written nothing while the authority is asked, so that no entry waits for its end. An
authority that is away or answers nonsense is told of when that changes, asked less and less often, and delays nobody.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import httpx
import structlog
from cryptography.x509 import Certificate
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from procure.journal import stamps
from procure.journal.sealer import LOCK_KEY
from procure.journal.service import record_refusal
from procure.journal.stamps import QUERY, REPLY, REPLY_MAX, RootsInvalid, StampInvalid
from procure.kit.backoff import Backoff
from procure.kit.clock import wall_now
from procure.kit.db import Sessions, transaction
from procure.kit.settings import Settings, SettingsFault

log = structlog.get_logger(__name__)

#: How often there is a look whether a stamp is due.
LOOK_S = 10.0
#: From the look-up of the authority's name to the last byte of its answer.
TIMEOUT_S = 10.0
#: How long an authority that failed is left alone, at first and at last.
PAUSE_MIN_S, PAUSE_MAX_S = 10.0, 900.0
#: How far an authority's clock and ours may be apart (RFC 3161, section 2.2: the answer is held against the time here).
APART_MAX = timedelta(minutes=5)
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})
#: What the back-off is about: there is one authority.
_AUTHORITY = UUID(int=0)

_LOCK = text(f"SELECT pg_try_advisory_xact_lock({LOCK_KEY - 1})")
_DUE = text("""
SELECT size, note FROM journal_checkpoints
WHERE size = (SELECT max(size) FROM journal_checkpoints) AND NOT EXISTS (
  SELECT FROM journal_timestamps AS stamp
  WHERE stamp.size = (SELECT max(size) FROM journal_timestamps)
    AND (stamp.size = journal_checkpoints.size OR stamp.stamped_at > clock_timestamp() - make_interval(secs => :interval))
)
""")
_KEEP = text("""
INSERT INTO journal_timestamps (size, reply, stamped_at, authority) VALUES (:size, :reply, :stamped_at, :authority)
""")


class Trouble(StrEnum):
    """Why there is no stamp."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    TOO_LONG = "too-long"
    INVALID = "invalid"
    TIME_APART = "time-apart"


class Unstamped(Exception):
    """The authority gave no stamp that is kept."""

    def __init__(self, trouble: Trouble, said: str = "") -> None:
        super().__init__(said or trouble.value)
        self.trouble, self.said = trouble, said


@dataclass(frozen=True, slots=True)
class Authority:
    """Who stamps. `roots` are the certificates that its own are issued under; without them its signatures are not checked here."""

    url: str
    roots: Sequence[Certificate] = ()

    @property
    def name(self) -> str:
        """Its address without what may be secret: user, password, query."""
        url = httpx.URL(self.url)
        return str(url.copy_with(username=None, password=None, query=None, fragment=None))


class Stamper:
    """One worker's. What it remembers spares an authority that is in trouble, and the log."""

    def __init__(
        self,
        authority: Authority,
        interval_s: float,
        *,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._authority, self._interval_s, self._timeout_s = authority, interval_s, timeout_s
        self._backoff = Backoff(clock, min_s=PAUSE_MIN_S, max_s=PAUSE_MAX_S)
        self._trouble: Trouble | None = None

    async def stamp_due(self, sessions: Sessions) -> int | None:
        """Have the latest checkpoint stamped, if that is due; the size that was stamped, None without one."""
        if not self._backoff.ready([_AUTHORITY]):
            return None
        async with transaction(sessions, record_refusal) as db:
            if not await db.scalar(_LOCK):
                return None
            due = (await db.execute(_DUE, {"interval": self._interval_s})).one_or_none()
            if due is None:
                return None
            try:
                reply, stamped_at = await self._stamp(due.note)
            except Unstamped as error:
                self._failed(error)
                return None
            await self._keep(db, due.size, reply, stamped_at)
        self._succeeded(due.size)
        return int(due.size)

    async def _stamp(self, note: str) -> tuple[bytes, datetime]:
        """A stamp of the note, checked; raises Unstamped."""
        asked = stamps.ask(note)
        reply = await _sent(self._authority.url, asked.as_bytes(), self._timeout_s)
        try:
            stamped_at = stamps.check(reply, note, roots=self._authority.roots, nonce=asked.nonce)
        except StampInvalid as error:
            raise Unstamped(Trouble.INVALID, str(error)) from None
        if abs(stamped_at - wall_now()) > APART_MAX:
            raise Unstamped(Trouble.TIME_APART, f"It says {stamped_at.isoformat()}.")
        return reply, stamped_at

    async def _keep(self, db: AsyncSession, size: int, reply: bytes, stamped_at: datetime) -> None:
        values = {"size": size, "reply": reply, "stamped_at": stamped_at, "authority": self._authority.name}
        await db.execute(_KEEP, values)

    def _failed(self, error: Unstamped) -> None:
        self._backoff.failed(_AUTHORITY)
        if error.trouble is not self._trouble:
            log.warning(
                "no time stamp", authority=self._authority.name, trouble=error.trouble.value, detail=error.said or None
            )
        self._trouble = error.trouble

    def _succeeded(self, size: int) -> None:
        self._backoff.succeeded(_AUTHORITY)
        if self._trouble is not None:
            log.info("time stamps again", authority=self._authority.name, size=size)
        self._trouble = None


async def _sent(url: str, query: bytes, timeout_s: float) -> bytes:
    """What the authority answers to the query, over HTTP as RFC 3161, section 3.4, has it; raises Unstamped."""
    is_here = httpx.URL(url).host in _HERE
    headers = {"Content-Type": QUERY, "Accept": REPLY, "Accept-Encoding": "identity"}
    try:
        # A client for each stamp, an hour apart: nothing is held open. No redirect is followed.
        async with (
            asyncio.timeout(timeout_s),
            httpx.AsyncClient(timeout=timeout_s, trust_env=not is_here) as client,
            client.stream("POST", url, headers=headers, content=query) as reply,
        ):
            return await _read(reply)
    except (TimeoutError, httpx.TimeoutException):
        raise Unstamped(Trouble.TIMEOUT) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise Unstamped(Trouble.UNREACHABLE, type(error).__name__) from None


async def _read(reply: httpx.Response) -> bytes:
    """At most `REPLY_MAX` bytes of a 200, in no content coding, which could blow them up."""
    if reply.status_code != httpx.codes.OK:
        raise Unstamped(Trouble.REFUSED, f"It answers {reply.status_code}.")
    body = b""
    async for part in reply.aiter_raw():
        body += part
        if len(body) > REPLY_MAX:
            raise Unstamped(Trouble.TOO_LONG)
    return body


def stamper_of(settings: Settings) -> Stamper | None:
    """The stamper of the settings; None where no authority is configured. Raises SettingsFault."""
    url = settings.timestamp_authority()
    if url is None:
        return None
    roots: list[Certificate] = []
    if settings.timestamp_roots is not None:
        try:
            roots = stamps.read_roots(settings.timestamp_roots.read_bytes())
        except (OSError, RootsInvalid) as error:
            raise SettingsFault(f"PROCURE_TIMESTAMP_ROOTS can't be used: {error}") from None
    return Stamper(Authority(url, roots), settings.timestamp_interval_s)

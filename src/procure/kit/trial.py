"""`?validate_only=true`: a write that runs to its very end and is rolled back there, so that a client learns what would happen.

It is the same code on the same path, under the same locks, with every deferred constraint forced; only the commit is missing. Nothing
is kept: no row, no entry in the journal, not even of a refusal, no reply for a key. What acts outside the database stands behind one
port, and a trial gets one that keeps nothing (`vault.trial`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from litestar.response.base import ASGIResponse
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from procure.kit.idempotency import Answered, Reply

PARAMETER = "validate_only"
#: On the reply to a trial that went well, which otherwise looks as if it had been done.
VALIDATED = "Validated-Only"


@dataclass(slots=True, eq=False)
class Trial:
    """A request whose effect is not wanted: a unit of work that ends it where it would commit (`kit.db.Once`)."""

    _encode: Callable[[object], ASGIResponse]
    reply: ASGIResponse | None = None
    records: ClassVar[bool] = False
    id: ClassVar[None] = None

    async def begin(self, db: AsyncSession) -> None:
        """There is no key to take."""

    def claim(self) -> str:
        """Nor here."""
        return ""

    def answer(self, result: object) -> None:
        """Encode the reply that would have been sent."""
        self.reply = self._encode(result)

    def replied(self, reply: ASGIResponse) -> ASGIResponse:
        """Remember the reply."""
        self.reply = reply
        return reply

    async def keep(self, db: AsyncSession) -> None:
        """Where a session would commit: let the database say what it still has to say, then end. One that only read has no reply."""
        if self.reply is None:
            return
        await db.flush()
        await db.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        raise self._ended()

    def keeping(self) -> str:
        """Where a unit of the driver would commit; without a reply it has written nothing. No constraint there is deferred."""
        if self.reply is None:
            return ""
        raise self._ended()

    def refused(self) -> Exception:
        """Refusals of a trial are kept nowhere."""
        raise AssertionError("a trial records nothing")

    def _ended(self) -> Answered:
        assert self.reply is not None
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.reply.encode_headers()]
        headers.append((VALIDATED.lower(), "true"))
        return Answered(Reply(self.reply.status_code, headers, self.reply.body), is_replay=False)

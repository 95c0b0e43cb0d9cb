"""The courier: brings to each webhook what the journal holds for it, at least once, and in order for each object.

Any number of workers have one. A webhook is one worker's at a time, by a lease in its cursor's row that another takes over when it has
run out; within it there is one task, which does a round at a time: take in what is new, send what is due, write down what came of it.
A crash between the last two sends once more. No database connection is held while something is sent, a round is bounded in messages
and time, and an attempt in time and bytes: a receiver that hangs has nobody waiting but itself.
"""

import asyncio
import random
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from procure.journal import lists as entries
from procure.journal.sealer import POSITIONS
from procure.journal.service import record_refusal
from procure.kit.actor import Actor, Role
from procure.kit.clock import wall_now
from procure.kit.db import Sessions, transaction
from procure.kit.ids import new_id
from procure.kit.listening import Listener
from procure.kit.scopes import Scope
from procure.vault.strongbox import Strongbox
from procure.webhooks import lists, rules, service, signatures
from procure.webhooks.lists import WAITING_MAX, Came
from procure.webhooks.models import Webhook, WebhookDelivery
from procure.webhooks.rules import DeliveryStatus
from procure.webhooks.schemas import body_of
from procure.webhooks.sending import AT_ONCE, Answer, Outlet, Resolve, Resolver, Trouble, trusting
from procure.webhooks.targets import TargetRefused, read

log = structlog.get_logger(__name__)

#: Webhooks that one worker serves at once.
WEBHOOKS_AT_ONCE = 200
#: Database connections that all their tasks share.
CONNECTIONS = 2
#: After so long a round begins no further message; with the time of one attempt it stays well within the lease.
ROUND_S = 10.0
#: After so long a webhook that still has something to be sent lets others have its turn: who was served longest ago comes first.
TURN_S = 60.0
#: A receiver that takes nothing of so many messages is left alone for so long, and then tried with as many.
HANDFUL, REST_S = 4, 5.0
#: Entries of the journal that one round takes in.
TAKEN_MAX = 200
#: How often there is a look for what is due though nobody has told of anything.
LOOK_S = 1.0
USER_AGENT = "Procure-Webhooks/1"
GONE = 410


class Courier:
    """One worker's. `resolve` and `tls` are the system's, but in tests."""

    def __init__(
        self,
        url: str,
        sessions: Sessions,
        box: Strongbox,
        *,
        may_be_local: bool = False,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._listener, self._sessions, self._box = Listener(url, POSITIONS), sessions, box
        self._may_be_local = may_be_local
        self._resolver = Resolver()
        self._resolve = resolve or self._resolver
        self._tls = tls or trusting()
        self._id = new_id()
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._tasks: dict[UUID, asyncio.Task[None]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`; what is under way then is let go, for another worker to do at once."""
        try:
            while not stop.is_set():
                try:
                    await self.claim()
                except Exception:
                    log.exception("job failed", job="webhooks")
                await self._listener.wait(LOOK_S)
        finally:
            await self.close()

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        with suppress(Exception):  # a database that is away: the leases run out
            async with self._db() as db:
                await lists.release_all(db, self._id)
        await self._listener.close()
        self._resolver.close()

    async def claim(self) -> None:
        """Begin to serve what there is something to do for, as far as there are hands."""
        self._tasks = {id_: task for id_, task in self._tasks.items() if not task.done()}
        async with self._db() as db:
            if paused := await service.pause_copies(db, self._box.instance):
                log.warning("webhooks were confirmed in another installation, and are paused", count=paused)
            claimed = await lists.claim(db, self._id, self._box.instance, WEBHOOKS_AT_ONCE - len(self._tasks))
        for id_ in claimed:
            if (
                former := self._tasks.get(id_)
            ) is not None:  # held up until its lease had run out, and not by anybody else
                former.cancel()
                await asyncio.wait([former])
            self._tasks[id_] = asyncio.create_task(self._serve(id_))

    async def settled(self) -> None:
        """Until every webhook that was claimed has been served."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values())
            self._tasks = {id_: task for id_, task in self._tasks.items() if not task.done()}

    @asynccontextmanager
    async def _db(self) -> AsyncGenerator[AsyncSession]:
        async with self._turns, transaction(self._sessions, record_refusal) as db:
            yield db

    async def _serve(self, webhook_id: UUID) -> None:
        """Rounds until nothing is due, or its turn is over. What goes wrong here is told of, and left alone until the lease runs out."""
        ends_at_s = asyncio.get_running_loop().time() + TURN_S
        try:
            async with AsyncExitStack() as outlets:
                url, outlet = None, None
                while (begun := await self._begin(webhook_id)) is not None:
                    webhook, rows = begun
                    if webhook.url != url:
                        url, outlet = webhook.url, await self._outlet(outlets, webhook.url)
                    is_down = bool(rows) and await self._finish(webhook, await self._round(webhook, rows, outlet))
                    if is_down or asyncio.get_running_loop().time() >= ends_at_s:
                        await self._let_go(webhook_id, rests_s=REST_S if is_down else 0)
                        return
        except Exception:
            log.exception("job failed", job="webhook", webhook=str(webhook_id))

    async def _outlet(self, outlets: AsyncExitStack, url: str) -> Outlet | None:
        """None where the address was one of a sandbox, and is not taken any more."""
        await outlets.aclose()
        try:
            outlet = Outlet(read(url, may_be_local=self._may_be_local), self._resolve, self._tls)
        except TargetRefused:
            return None
        outlets.push_async_callback(outlet.close)
        return outlet

    async def _begin(self, webhook_id: UUID) -> tuple[Webhook, Sequence[Any]] | None:
        """Take in what is new; what is due now. None, and released, where there is no more to do, or another worker has it."""
        async with self._db() as db:
            cursor = await lists.renew(db, self._id, webhook_id)
            if cursor is None:
                return None
            if not await lists.is_active(db, webhook_id):
                await lists.release(db, self._id, webhook_id)
                return None
            webhook = await db.get_one(Webhook, webhook_id)
            taken = await _take_in(db, webhook, *cursor)
            rows = await lists.due(db, webhook_id)
            if not rows and (taken.is_full or taken.is_all):
                await lists.release(db, self._id, webhook_id, is_full=taken.is_full)
                return None
        return webhook, rows

    async def _round(self, webhook: Webhook, rows: Sequence[Any], outlet: Outlet | None) -> list[Came]:
        """Send what is due: what is about one object in its order, and of others as many at once as there are connections."""
        lines: dict[tuple[str, UUID | None], list[Any]] = {}
        for row in rows:
            lines.setdefault((row.object_type, row.object_id), []).append(row)
        sending = _Round(webhook, service.keys_of(self._box, webhook), outlet)
        await asyncio.gather(*(sending.line(line) for line in lines.values()))
        return sending.came

    async def _finish(self, webhook: Webhook, came: Sequence[Came]) -> bool:
        """Write down what came of a round to the webhook as it was then; whether it takes nothing."""
        async with self._db() as db:
            gone = await service.lock_gone(db, webhook.id) if any(one.answer == GONE for one in came) else None
            await lists.settle(db, self._id, webhook.id, came)
            if gone is not None and gone.url == webhook.url:  # of the address that it has left, that is no news
                await service.disable_gone(db, gone)
        return _is_down(came)

    async def _let_go(self, webhook_id: UUID, *, rests_s: float) -> None:
        """Have it served again when others have had their turn, or it has rested."""
        async with self._db() as db:
            await lists.release(db, self._id, webhook_id, rests_s=rests_s)


def _is_down(came: Sequence[Came]) -> bool:
    """Whether the receiver took nothing of a handful: the rest of it would fare no better, and cost others their turn."""
    return len(came) >= HANDFUL and all(one.trouble is not None for one in came)


class _Taken(NamedTuple):
    """Whether as many messages wait by now as may, and whether all that the journal has was looked at."""

    is_full: bool
    is_all: bool


async def _take_in(db: AsyncSession, webhook: Webhook, position: int, round_: int) -> _Taken:
    """Make messages of what the journal has for the webhook."""
    free = WAITING_MAX - await lists.waiting(db, webhook.id)
    if free <= 0:
        return _Taken(is_full=True, is_all=False)
    limit = min(free, TAKEN_MAX)
    rows, reached = await entries.changes(db, reader_of(webhook), position, limit, webhook.types)
    await lists.take_in(db, webhook.id, round_, rows)
    await lists.advance(db, webhook.id, reached)
    is_all = len(rows) < limit and reached - position < entries.LOOK_MAX
    return _Taken(is_full=len(rows) == free, is_all=is_all)


def reader_of(webhook: Webhook) -> Actor:
    """As whom it sees the journal: one of its organisation who holds its roles, and no person."""
    return Actor(
        organisation_id=webhook.organisation_id,
        roles=frozenset(Role(one) for one in webhook.roles),
        scopes=frozenset({Scope.CHANGES_READ.value}),
    )


class _Round:
    """The messages of one round to one webhook, and what came of those that were sent."""

    def __init__(self, webhook: Webhook, keys: list[bytes], outlet: Outlet | None) -> None:
        self._webhook, self._keys, self._outlet = webhook, keys, outlet
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._ends_at_s = asyncio.get_running_loop().time() + ROUND_S
        self._is_over = False
        self.came: list[Came] = []

    async def line(self, rows: Sequence[Any]) -> None:
        """Messages about one object, one after the other, until one is not taken."""
        async with self._turns:
            for row in rows:
                if self._is_over or asyncio.get_running_loop().time() > self._ends_at_s:
                    return
                answer = await self._send(row)
                self.came.append(_came(row, answer))
                if answer.status == GONE or _is_down(self.came):
                    self._is_over = True
                if answer.trouble is not None:
                    return

    async def _send(self, row: WebhookDelivery) -> Answer:
        if self._outlet is None:
            return Answer(None, Trouble.NO_PUBLIC_ADDRESS)
        body, now = body_of(row), int(wall_now().timestamp())
        signed = signatures.headers(self._webhook.scheme, self._keys, row.message_id, now, body)
        return await self._outlet.post({"Content-Type": "application/json", "User-Agent": USER_AGENT, **signed}, body)


def _came(row: Any, answer: Answer) -> Came:
    """A test is tried once; everything else by the schedule."""
    now = wall_now().astimezone(UTC)
    if answer.trouble is None:
        return Came(row.id, DeliveryStatus.DELIVERED, None, now, answer.status, None)
    again_at = rules.retry_at(row.attempts + 1, now, random.random()) if row.position is not None else None  # noqa: S311 - no secret
    status = DeliveryStatus.WAITING if again_at is not None else DeliveryStatus.DEAD
    return Came(row.id, status, again_at, now, answer.status, answer.trouble)

"""The one background loop: everything that time, not a caller, makes due. As many workers may run as there are machines.

No rule waits for it: a lot is closed from its deadline on whether or not anyone looks. The worker publishes the seal, opens what
nobody has to approve, and clears up.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.app import vault_clock
from procure.evaluation.opening import seal_due
from procure.health import check_ready
from procure.identity import remembered
from procure.identity.registrations import service as registrations
from procure.journal.notes import origin_of
from procure.journal.sealer import BATCH_MAX, ENTRIES, LOOK_S, SPACING_S, Sealer
from procure.journal.service import record_refusal
from procure.journal.stamper import LOOK_S as STAMP_EVERY_S
from procure.journal.stamper import Stamper, stamper_of
from procure.kit import idempotency, logs
from procure.kit.backoff import Backoff
from procure.kit.db import Sessions, make_engine, make_sessions, transaction
from procure.kit.driver import SessionDriver
from procure.kit.errors import Fact
from procure.kit.listening import Listener
from procure.kit.settings import Settings, SettingsFault
from procure.lots.models import Lot
from procure.mail import service as mail
from procure.mail.delivery import deliver_due
from procure.mail.service import Post, post_of
from procure.vault.keyring import FileKeyring
from procure.vault.keys import Vault
from procure.vault.strongbox import STRONGBOX, Strongbox
from procure.webhooks import courier
from procure.webhooks import lists as deliveries
from procure.webhooks.courier import Courier

log = structlog.get_logger(__name__)

#: One for the lot in hand, one for the sandbox's clock that its vault reads meanwhile, one each for the sealer, the stamper and the post;
#: and the courier's.
POOL_SIZE = 5 + courier.CONNECTIONS
#: Longest pause between looks at a database that is away.
BACKOFF_MAX_S = 10.0
#: What a job in hand gets to finish when the worker is stopped; then its transaction is rolled back.
GRACE_S = 0.5
SWEEP_EVERY_S = 3600.0
PRUNE_EVERY_S = 600.0
#: A bound, not an aim: 100,000 rows a turn, and the rest in the next.
PRUNE_BATCHES_MAX = 100
#: No publication takes this long from making its key to its commit.
ORPHAN_AGE = timedelta(hours=1)


@dataclass(slots=True)
class Job:
    """Something to be done at least `every_s` seconds apart; 0 is every round."""

    name: str
    every_s: float
    work: Callable[[], Awaitable[None]]
    due_at_s: float = 0.0

    async def run(self, now_s: float) -> bool:
        """Do it if it is due. False if it failed: that is logged, and nobody else's trouble."""
        if now_s < self.due_at_s:
            return True
        self.due_at_s = now_s + self.every_s
        try:
            await self.work()
        except Exception:
            log.exception("job failed", job=self.name)
            return False
        return True


def jobs(sessions: Sessions, vault: Vault) -> list[Job]:
    """All of them, with what they remember from round to round."""
    return [
        Job("seal", 0.0, partial(seal_due, sessions, vault, Backoff())),
        Job("sweep", SWEEP_EVERY_S, partial(sweep_orphan_keys, sessions, vault)),
        Job("prune", PRUNE_EVERY_S, partial(prune_kept_replies, sessions)),
        Job("log", PRUNE_EVERY_S, partial(prune_deliveries, sessions)),
        Job("forget", PRUNE_EVERY_S, partial(forget_expired, sessions)),
        Job("forget registrations", PRUNE_EVERY_S, partial(forget_registrations, sessions)),
    ]


def post_jobs(sessions: Sessions, post: Post | None) -> list[Job]:
    """Apart from the others, which shall wait for no mail server."""
    return [] if post is None else [Job("mail", 0.0, partial(deliver_due, sessions, post))]


def stamp_jobs(sessions: Sessions, stamper: Stamper | None) -> list[Job]:
    """Apart from the others too, which shall wait for no authority."""
    return [] if stamper is None else [Job("stamps", STAMP_EVERY_S, partial(_stamp, sessions, stamper))]


async def _stamp(sessions: Sessions, stamper: Stamper) -> None:
    if (size := await stamper.stamp_due(sessions)) is not None:
        log.info("checkpoint stamped", size=size)


async def sweep_orphan_keys(sessions: Sessions, vault: Vault) -> None:
    """Destroy the keys of publications that never committed."""
    async with sessions() as db:
        keys = await db.execute(select(Lot.id, Lot.key_id).where(Lot.key_id.is_not(None)))
        known = {(lot_id, key_id) for lot_id, key_id in keys if key_id is not None}
    if not known:
        return  # a database without lots beside a keyring that has keys is more likely the wrong one
    if swept := await vault.sweep(known, ORPHAN_AGE):
        log.info("orphan keys swept", count=swept)


async def prune_kept_replies(sessions: Sessions) -> None:
    """Forget the replies to keys whose days are over."""
    await _prune(sessions, idempotency.prune, idempotency.PRUNE_BATCH, "kept replies pruned")


async def forget_expired(sessions: Sessions) -> None:
    """Forget the assertions and revoked tokens that would be refused as expired by now."""
    await _prune(sessions, remembered.prune, remembered.PRUNE_BATCH, "used assertions and revoked tokens pruned")


async def prune_deliveries(sessions: Sessions) -> None:
    """Forget what was sent to webhooks when the log has kept it for its days."""
    await _prune(sessions, deliveries.prune, deliveries.PRUNE_BATCH, "webhook deliveries pruned")


async def forget_registrations(sessions: Sessions) -> None:
    """Forget registrations that are over, and letters that were given up."""
    await _prune(sessions, registrations.prune, registrations.PRUNE_BATCH, "registrations pruned")
    await _prune(sessions, mail.prune, mail.PRUNE_BATCH, "unsent mail given up")


async def _prune(sessions: Sessions, prune: Callable[[AsyncSession], Awaitable[int]], batch: int, said: str) -> None:
    """In batches, each a transaction of its own."""
    pruned = 0
    for _ in range(PRUNE_BATCHES_MAX):
        async with transaction(sessions, record_refusal) as db:
            done = await prune(db)
        pruned += done
        if done < batch:
            break
    if pruned:
        log.info(said, count=pruned)


async def run_once(sessions: Sessions, vault: Vault, post: Post | None = None) -> bool:
    """Every job, now; whether all went well."""
    return all([await job.run(0.0) for job in [*jobs(sessions, vault), *post_jobs(sessions, post)]])


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Rounds until `stop`, within a second of it. A database that is away is waited for, however long."""
    engine = make_engine(settings.database_url, pool_size=POOL_SIZE)
    sessions = make_sessions(engine)
    try:
        vault = FileKeyring(settings.keys_path / "vault", vault_clock(settings, SessionDriver.beside(sessions)))
        loops = {
            "deadlines": jobs(sessions, vault),
            "post": post_jobs(sessions, post_of(settings)),
            "stamps": stamp_jobs(sessions, stamper_of(settings)),
        }
        rounds = [_rounds(settings, sessions, name, all_jobs, stop) for name, all_jobs in loops.items() if all_jobs]
        sealer = Sealer(vault, origin_of(settings.base_url))
        await _until(stop, *rounds, _sealing(settings, sessions, sealer, stop), *_delivering(settings, sessions, stop))
    finally:
        await engine.dispose()


async def _rounds(settings: Settings, sessions: Sessions, name: str, all_jobs: list[Job], stop: asyncio.Event) -> None:
    is_ready, pause_s = False, settings.worker_interval_s
    while not stop.is_set():
        is_ready = is_ready or await _is_ready(settings, sessions, name)
        if is_ready:
            pause_s = settings.worker_interval_s
            # Whatever failed may be the database's doing: look at it again before the next round.
            is_ready = all([await job.run(asyncio.get_running_loop().time()) for job in all_jobs])
        else:
            pause_s = min(2 * pause_s, BACKOFF_MAX_S)
        await _pause(stop, pause_s)


async def _sealing(settings: Settings, sessions: Sessions, sealer: Sealer, stop: asyncio.Event) -> None:
    """The journal's positions: as soon as it is told of entries, and within a second of any that it was not told of."""
    listener, backoff_s = Listener(settings.database_url, ENTRIES), SPACING_S
    try:
        while not stop.is_set():
            try:
                async with transaction(sessions, record_refusal) as db:
                    placed = await sealer.seal(db)
                backoff_s = SPACING_S
            except Exception:
                log.exception("job failed", job="positions")
                placed, backoff_s = None, min(2 * backoff_s, BACKOFF_MAX_S)
            if placed != BATCH_MAX:
                await _pause(stop, backoff_s if placed or placed is None else 0)
                await listener.wait(LOOK_S)
    finally:
        await listener.close()


def _delivering(settings: Settings, sessions: Sessions, stop: asyncio.Event) -> list[Coroutine[None, None, None]]:
    """What webhooks are sent, where this installation sends any."""
    may_be_local = settings.webhooks_may_be_local()
    if settings.webhooks == "off":
        return []
    box = Strongbox(settings.keys_path / STRONGBOX)
    return [Courier(settings.database_url, sessions, box, may_be_local=may_be_local).run(stop)]


async def _is_ready(settings: Settings, sessions: Sessions, name: str) -> bool:
    try:
        async with sessions() as db:
            revision = await check_ready(db, sandboxed=settings.sandbox)
    except Exception as error:  # noqa: BLE001 - away, not migrated, another's: wait for it
        log.warning(
            "database not ready", error=type(error).__name__, detail=error.detail if isinstance(error, Fact) else None
        )
        return False
    log.info("worker ready", jobs=name, revision=revision)
    return True


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


async def _until(stop: asyncio.Event, *works: Coroutine[None, None, None]) -> None:
    """Do all `works` until one ends or `stop` is set and the grace is over."""
    working, stopping = {asyncio.create_task(work) for work in works}, asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({*working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait(working, timeout=GRACE_S)
    finally:
        for one in (stopping, *working):
            one.cancel()
        await asyncio.gather(stopping, *working, return_exceptions=True)
    for one in working:
        if one.done() and not one.cancelled():
            one.result()


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await run(settings, stop)
    log.info("worker stopped")


def main() -> None:
    """`procure worker`: settings from the environment; SIGINT or SIGTERM stop it."""
    try:
        settings = Settings.from_environment()
        logs.configure(level=settings.log_level, form=settings.log_format)
        asyncio.run(_serve(settings))
    except (SettingsFault, Fact) as fault:
        raise SystemExit(str(fault)) from None

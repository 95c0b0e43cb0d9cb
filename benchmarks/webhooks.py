"""`PYTHONPATH=tests python -m benchmarks.webhooks`: how long a change takes to its receivers, alone and beside hostile ones.

A worker as it is run seals and sends; changes are written and receivers listen here. All on loopback, in an embedded PostgreSQL that is
removed again. The machine's noise is that of whatever else it does: what counts is one figure beside the other.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from build import council, seat
from journal.test_service import ACTOR, whistled
from procure.journal.events import PUBLIC
from procure.journal.sealer import ENTRIES
from procure.journal.service import record
from procure.kit.actor import Actor, Role
from procure.kit.db import Sessions, make_engine, make_sessions
from procure.kit.driver import SessionDriver
from procure.kit.listening import Bell
from procure.kit.postgres import Embedded, Urls, remove
from procure.migrations import migrate
from procure.vault.strongbox import STRONGBOX, Strongbox
from procure.webhooks import service
from procure.webhooks.schemas import WebhookDraft
from webhooks.receiving import FAILED, TAKEN, Received, Receiver, receiving

#: What the hostile ones answer, one after the other; None hangs.
HOSTILE = [
    None,
    FAILED,
    "220 mail\r\n",
    "HTTP/1.1 302 There\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 500 Oh\r\n\r\n" + "x" * 500_000,
]


def answered(said: str | None, _: Received) -> str | None:
    return said


async def hook(db: AsyncSession, admin: Actor, box: Strongbox, receiver: Receiver) -> UUID:
    draft = WebhookDraft(name="Portal", url=f"http://127.0.0.1:{receiver.port}/")
    return (await service.add(db, admin, box, draft, may_be_local=True))[0].id


async def measured(sessions: Sessions, box: Strongbox, *, good: int, hostile: int, changes: int) -> list[float]:
    """Seconds from a change's commit to its arrival at each good receiver."""
    written: dict[UUID, float] = {}
    took_s: list[float] = []
    came = asyncio.Event()

    def take(received: Received) -> str:
        about = UUID(msgspec.json.decode(received.body)["data"]["object_id"])
        if about in written:
            took_s.append(time.perf_counter() - written[about])
        if len(took_s) == good * changes:
            came.set()
        return TAKEN

    async with AsyncExitStack() as stack:
        made = []
        async with sessions() as db:
            for number in range(good + hostile):
                receiver = await stack.enter_async_context(receiving())
                said: Any = HOSTILE[number % len(HOSTILE)]
                receiver.behave = take if number < good else partial(answered, said)
                admin = await seat(db, (await council(db, name=f"Council {number}")).organisation, Role.ADMIN)
                made.append((admin, await hook(db, admin, box, receiver)))
            await db.commit()
        bell = Bell(SessionDriver.beside(sessions), ENTRIES)
        for _ in range(changes):
            about = uuid4()
            async with sessions() as db:
                await record(db, ACTOR, whistled("a", about), PUBLIC)
                written[about] = time.perf_counter()
                await db.commit()
            bell.ring()
            await asyncio.sleep(0.05)
        async with asyncio.timeout(60):
            await came.wait()
        async with sessions() as db:
            for admin, webhook_id in made:
                await service.disable(db, admin, webhook_id, "The measurement is over.")
            await db.commit()
    return took_s


async def run(urls: Urls, home: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    engine = make_engine(urls.app)
    sessions, box = make_sessions(engine), Strongbox(home / "keys" / STRONGBOX)
    environment = {
        "PROCURE_DATABASE_URL": urls.app,
        "PROCURE_KEYS_PATH": str(home / "keys"),
        "PROCURE_SANDBOX": "1",
        "PROCURE_WEBHOOKS": "loopback",
        "PROCURE_LOG_LEVEL": "error",
    }
    worker = await asyncio.create_subprocess_exec(sys.executable, "-m", "procure", "worker", env=environment)
    found: dict[str, Any] = {}
    for turn in range(arguments.turns):
        for hostile in (0, arguments.hostile):
            took_s = await measured(sessions, box, good=arguments.good, hostile=hostile, changes=arguments.changes)
            cuts = statistics.quantiles(took_s, n=100)
            found[f"turn {turn + 1}, {hostile} hostile"] = {"p50_s": round(cuts[49], 3), "p99_s": round(cuts[98], 3)}
    worker.terminate()
    await worker.wait()
    await engine.dispose()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.webhooks", description=__doc__)
    for name, default in (("good", 5), ("hostile", 20), ("changes", 200), ("turns", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="procure-webhooks-")))
        embedded = Embedded(home)
        stack.callback(remove, home)
        urls = stack.enter_context(embedded)
        migrate(urls.owner)
        print(json.dumps(asyncio.run(run(urls, home, parser.parse_args())), indent=2))


if __name__ == "__main__":
    main()

"""`python -m benchmarks.journal`: a journal of a million entries, sealed and verified: seconds, memory.

The entries are made by SQL, as like real ones as that goes. Everything on loopback, in an embedded PostgreSQL that is removed again.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from procure.journal.sealer import Sealer
from procure.kit.clock import wall_now
from procure.kit.db import make_engine, make_sessions
from procure.kit.postgres import Embedded, Urls, remove
from procure.migrations import migrate
from procure.vault.keyring import FileKeyring

ORIGIN = "127.0.0.1:8000/journal"
_FILL = text("""
INSERT INTO journal_entries (type, event_version, object_type, object_id, object_version, organisation_id, client_id, person_id,
  request_id, payload, is_public, audience_organisations, audience_roles, audience_persons)
SELECT 'lot.revised', 1, 'lot', gen_random_uuid(), 1 + n % 9, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
  gen_random_uuid()::text, json_build_object('object_id', gen_random_uuid(), 'n', n, 'said', repeat('What was revised. ', 12)),
  n % 3 = 0, ARRAY[gen_random_uuid()], ARRAY['auditor'], ARRAY[]::uuid[]
FROM generate_series(1, :count) AS n
""")


async def fill(urls: Urls, home: Path, count: int) -> dict[str, float]:
    engine = make_engine(urls.app, silence_s=900)
    began = time.perf_counter()
    async with engine.begin() as connection:
        await connection.execute(text("SET LOCAL statement_timeout = 0"))
        await connection.execute(_FILL, {"count": count})
    filled_s = time.perf_counter() - began

    async def wall() -> object:
        return wall_now()

    sealer = Sealer(FileKeyring(home / "keys" / "vault", wall), ORIGIN)  # type: ignore[arg-type]
    sessions, began = make_sessions(engine), time.perf_counter()
    while True:
        async with sessions() as db:
            placed = await sealer.seal(db)
            await db.commit()
        if not placed:
            break
    await engine.dispose()
    return {"filled_s": filled_s, "sealed_s": time.perf_counter() - began}


async def vacuum(urls: Urls) -> None:
    engine = create_async_engine(urls.owner, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("VACUUM ANALYZE journal_entries, journal_positions"))
    await engine.dispose()


def verify(urls: Urls, home: Path) -> dict[str, float]:
    """By the command, as whoever doubts would."""
    environment = {"PROCURE_DATABASE_URL": urls.app, "PROCURE_KEYS_PATH": str(home / "keys"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "procure", "journal", "verify", "--quiet"]
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    took_s = time.perf_counter() - began
    print(done.stdout.strip())
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"verified_s": took_s, "cpu_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.journal", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="procure-journal-")))
        embedded = Embedded(home)
        stack.callback(remove, home)
        urls = stack.enter_context(embedded)
        migrate(urls.owner)
        found = asyncio.run(fill(urls, home, arguments.count))
        asyncio.run(vacuum(urls))
        found |= verify(urls, home)
    print(json.dumps({"entries": arguments.count, **{name: round(value, 1) for name, value in found.items()}}))


if __name__ == "__main__":
    main()

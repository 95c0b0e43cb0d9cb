"""What the benchmark runs on: a migrated database with published lots, suppliers, and prepared requests."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

import build
from benchmarks import load
from procure.app import vault_clock
from procure.bids import sealing
from procure.identity import tokens
from procure.identity.signing import SigningKeys
from procure.kit.db import make_engine, make_sessions
from procure.kit.driver import SessionDriver
from procure.kit.ids import unordered_id
from procure.kit.postgres import Urls
from procure.kit.settings import Settings
from procure.lots.models import Lot
from procure.migrations import migrate
from procure.vault.keyring import FileKeyring

T = TypeVar("T")
LOTS = 60
SUPPLIERS_MAX = 400
BID = {
    "prices": [
        {"deliverable_id": "D1", "price": {"amount": "40.00", "currency": "GBP"}},
        {"deliverable_id": "D2", "price": {"amount": "50.00", "currency": "GBP"}},
    ],
    "answers": [
        {"criterion_id": "C1", "text": "We sit with the officers for two weeks. " * 20},
        {"criterion_id": "C3", "text": "Two apprentices from the borough do a third of the work. " * 5},
    ],
    "team": [{"name": "A researcher", "discipline": "research"}, {"name": "A designer", "discipline": "design"}],
}


@dataclass(frozen=True)
class Prepared:
    """Requests for each path, and how to start the two servers."""

    service_environment: dict[str, str]
    floor_environment: dict[str, str]
    seal_ms: float
    lots: list[str]
    tokens: list[str]
    suppliers: list[str]
    bid: bytes

    def requests(self, path: str, server: str) -> Iterator[bytes]:
        """Endless for the reads; each submission is of another pair of lot and supplier."""
        if path == "read":
            return itertools.cycle([load.request("GET", f"/v1/lots/{lot}") for lot in self.lots])
        if path == "list":
            return itertools.cycle([load.request("GET", "/v1/lots?limit=50" if server == "service" else "/v1/lots")])
        callers = self.tokens if server == "service" else self.suppliers
        # Half of the lots for each server, so that no pair bids twice.
        lots = self.lots[: LOTS // 2] if server == "service" else self.lots[LOTS // 2 :]
        pairs = itertools.product(callers, lots)
        return (
            load.request("POST", f"/v1/lots/{lot}/bids", token=caller, key=str(unordered_id()), body=self.bid)
            for caller, lot in pairs
        )


async def prepare(urls: Urls, home: Path, *, pairs: int) -> Prepared:
    await asyncio.to_thread(migrate, urls.owner)
    owner = create_async_engine(urls.owner)
    async with owner.begin() as connection:
        await connection.execute(text("GRANT INSERT, UPDATE ON sandbox_clock TO procure_app"))
    await owner.dispose()
    settings = Settings(database_url=urls.app, keys_path=home / "keys", sandbox=True, log_level="warning")
    engine = make_engine(urls.app)
    sessions = make_sessions(engine)
    vault = FileKeyring(settings.keys_path / "vault", vault_clock(settings, SessionDriver.beside(sessions)))
    key = SigningKeys(settings.keys_path, settings.token_lifetime_s).signer()
    async with sessions() as db:
        lots = await _lots(db, vault)
        suppliers = [
            await build.supplier(db, f"Supplier {n}") for n in range(min(pairs * 2 // LOTS + 2, SUPPLIERS_MAX))
        ]
        await db.commit()
    await engine.dispose()
    bid = msgspec.json.encode(BID)
    example = sealing.seal(_known(lots[0].public_key), bid, _context(lots[0]))
    return Prepared(
        service_environment={
            "PROCURE_DATABASE_URL": urls.app,
            "PROCURE_KEYS_PATH": str(settings.keys_path),
            "PROCURE_SANDBOX": "1",
            "PROCURE_LOG_LEVEL": "info",
            # One address asks here for as much as it can; counted all the same, since that is part of the cost.
            "PROCURE_RATE_ADDRESS": "1000000",
        },
        floor_environment={"FLOOR_DSN": dsn(urls.app), "FLOOR_SEALED_BYTES": str(len(example))},
        seal_ms=_seal_ms(lots[0], bid),
        lots=[str(lot.id) for lot in lots],
        tokens=[tokens.issue(key, settings, _known(actor.client_id), actor.scopes) for actor in suppliers],
        suppliers=[str(actor.organisation_id) for actor in suppliers],
        bid=bid,
    )


async def _lots(db: AsyncSession, vault: FileKeyring) -> list[Lot]:
    """Small lots of one council under one envelope."""
    buyer = await build.council(db, name="Benchmark Council")
    outcome = await build.active_outcome(db, buyer)
    money = {"amount": "100.00", "currency": "GBP"}
    return [
        await build.published_lot(
            db, buyer, vault, outcome, ceiling=money, further_iterations={"count": 1, "ceiling": money}
        )
        for _ in range(LOTS)
    ]


def _seal_ms(lot: Lot, content: bytes, *, times: int = 500) -> float:
    """CPU of one sealing, which the floor does not do."""
    key, context = _known(lot.public_key), _context(lot)
    started = time.process_time()
    for _ in range(times):
        sealing.digest(sealing.seal(key, content, context))
    return (time.process_time() - started) * 1000 / times


def _context(lot: Lot) -> sealing.SealContext:
    return sealing.SealContext(lot.id, lot.version, unordered_id(), unordered_id(), 1)


def _known(value: T | None) -> T:
    assert value is not None
    return value


def dsn(url: str) -> str:
    """SQLAlchemy's URL as asyncpg takes it."""
    return url.replace("postgresql+asyncpg://", "postgresql://")

"""The floor: the fewest correct statements for each path, by raw asyncpg, behind the barest Litestar handler.

No caller is known, nothing is validated, logged or bounded; what it stores is as large as a sealed bid. The JSON of a read is built
by PostgreSQL. This is what the service's cost is divided by; nobody should serve it.
"""

import hashlib
import os
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath

READ = "SELECT to_jsonb(lots)::text FROM lots WHERE id = $1 AND published_at IS NOT NULL"

LIST = """
SELECT json_build_object('items', coalesce(json_agg(item), '[]'), 'next', null)::text FROM (
  SELECT id, reference, outcome_id, json_build_object('id', buyer_id, 'name', buyer_name) AS buyer, iteration, status, title, phase,
    band, json_build_object('amount', ceiling::text, 'currency', currency) AS ceiling, closes_at, created_at
  FROM lots WHERE published_at IS NOT NULL ORDER BY created_at DESC, id DESC LIMIT 50
) AS item
"""

LOCK = "SELECT pg_advisory_xact_lock_shared($1)"

SUBMIT = """
WITH lot AS (
  SELECT id, version, key_id, app_now() AS now FROM lots
  WHERE id = $1 AND status = 'published' AND closes_at > app_now() AND NOT EXISTS (SELECT 1 FROM lot_seals WHERE lot_id = $1)
), bid AS (
  INSERT INTO bids (id, lot_id, supplier_id, status, lot_version, key_id, sealing_mode, sealed, digest, received_at, created_at, version)
  SELECT $2, lot.id, $3, 'submitted', lot.version, lot.key_id, 'server', $4, $5, lot.now, lot.now, 1 FROM lot
  RETURNING id, received_at
), entry AS (
  INSERT INTO journal_entries (type, event_version, object_type, object_id, object_version, organisation_id, payload, digest, hold,
    is_public, audience_organisations, audience_roles, audience_persons)
  SELECT 'bid.submitted', 1, 'bid', bid.id, 1, $3, $6, $5, $1, false, ARRAY[$3::uuid], ARRAY[]::text[], ARRAY[]::uuid[] FROM bid
)
SELECT id, received_at FROM bid
"""


@get("/v1/lots/{lot_id:uuid}")
async def read(state: State, lot_id: FromPath[uuid.UUID]) -> Response[bytes]:
    """One published lot."""
    async with state.pool.acquire() as connection:
        text = await connection.fetchval(READ, lot_id)
    return Response(text.encode(), media_type=MediaType.JSON)


@get("/v1/lots")
async def list_(state: State) -> Response[bytes]:
    """Fifty lots."""
    async with state.pool.acquire() as connection:
        text = await connection.fetchval(LIST)
    return Response(text.encode(), media_type=MediaType.JSON)


@post("/v1/lots/{lot_id:uuid}/bids")
async def submit(state: State, request: Request[Any, Any, Any], lot_id: FromPath[uuid.UUID]) -> Response[bytes]:
    """A bid's bytes, stored with its journal entry."""
    await request.body()
    bid_id, supplier_id = uuid.uuid4(), uuid.UUID(request.headers["authorization"].removeprefix("Bearer "))
    digest = hashlib.sha256(state.sealed).digest()
    async with state.pool.acquire() as connection, connection.transaction():
        await connection.execute(LOCK, int.from_bytes(lot_id.bytes[-8:], "big") >> 1)
        row = await connection.fetchrow(SUBMIT, lot_id, bid_id, supplier_id, state.sealed, digest, '{"bid":"sealed"}')
    body = f'{{"id":"{row["id"]}","received_at":"{row["received_at"].isoformat()}"}}'
    return Response(body.encode(), media_type=MediaType.JSON, status_code=201)


async def _as_it_is(_connection: object) -> None:
    """Nothing here changes a connection's state."""


def create_app() -> Litestar:
    url = os.environ["FLOOR_DSN"]

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None]:
        # Without the driver's reset of a connection that is given back, as the service's reads have it.
        async with asyncpg.create_pool(url, min_size=10, max_size=10, reset=_as_it_is) as pool:
            app.state.pool = pool
            app.state.sealed = os.urandom(int(os.environ["FLOOR_SEALED_BYTES"]))
            yield

    return Litestar([read, list_, submit], lifespan=[lifespan], openapi_config=None, logging_config=None)

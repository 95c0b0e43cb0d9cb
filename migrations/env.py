"""Runs migrations as the owner's role, one transaction each, giving up on a lock after four seconds.

A migration that waits behind a long reader would make every later query wait behind it (PostgreSQL queues locks in order).
"""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from procure.tables import metadata


def run(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=metadata, compare_type=True, transaction_per_migration=True
    )
    with context.begin_transaction():
        connection.execute(text("SET lock_timeout = '4s'"))
        context.run_migrations()


async def connect() -> None:
    url = context.config.attributes.get("url") or os.environ["PROCURE_OWNER_URL"]
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


asyncio.run(connect())

"""A wire to PostgreSQL, on loopback, that is cut while a COMMIT is under way: before the server gets it, or before its reply is back."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from enum import Enum

from sqlalchemy.engine import make_url

_COMMIT = b"COMMIT\0"
_SIZE = 65536


class Cut(Enum):
    """Where: what the client sees is the same."""

    BEFORE = "before the server has it"
    AFTER = "before its reply is back"


@asynccontextmanager
async def cut_wire(url: str, cut: Cut) -> AsyncGenerator[str]:
    """`url` by way of a wire whose first COMMIT is cut, and whose later ones are not."""
    parsed = make_url(url)
    socket = f"{parsed.query['host']}/.s.PGSQL.{parsed.query['port']}"
    uncut = [True]

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(socket)
        back = asyncio.create_task(_carry(from_server, writer))
        while data := await reader.read(_SIZE):
            if _COMMIT in data and uncut and uncut.pop():
                back.cancel()
                await asyncio.gather(back, return_exceptions=True)
                if cut is Cut.AFTER:
                    to_server.write(data)
                    await from_server.read(_SIZE)
                break
            to_server.write(data)
        to_server.close()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield str(parsed.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_SIZE):
        writer.write(data)
    writer.close()

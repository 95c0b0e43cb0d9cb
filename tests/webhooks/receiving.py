"""A receiver of the tests' own on loopback, which behaves as a test tells it, and the worst of them badly."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

TAKEN = "HTTP/1.1 204 No Content\r\n\r\n"
FAILED = "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes


#: What is answered to a request: text to send, or None to hang.
Behaviour = Callable[[Received], str | None]


@dataclass
class Receiver:
    """What came, and how it is answered."""

    port: int = 0
    connections: int = 0
    requests: list[Received] = field(default_factory=list)
    behave: Behaviour = lambda _: TAKEN
    closes: bool = False
    every_s: float = 0.0

    def answer(self, text: str, *, closes: bool = False) -> None:
        self.behave, self.closes = lambda _: text, closes

    def trickle(self, text: str, every_s: float) -> None:
        """A byte at a time."""
        self.answer(text)
        self.every_s = every_s

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while True:
                    await self._one(reader, writer)
                    if self.closes:
                        return
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        received = Received(headers, body)
        self.requests.append(received)
        said = self.behave(received)
        if said is None:
            await asyncio.sleep(3600)  # a hang, ended with the connection
        for part in said if self.every_s else [said]:  # type: ignore[union-attr]
            writer.write(part.encode())  # type: ignore[union-attr]
            await writer.drain()
            await asyncio.sleep(self.every_s)


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncGenerator[Receiver]:
    receiver = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await receiver.serve(reader, writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""One message to one address: connected to what its name resolved to at this moment, and to nothing else.

The name is looked up once for each connection, every address of it is judged, and the connection goes to one that was: a second answer of
the name's server changes nothing (DNS rebinding). No redirect is followed, no proxy of the environment used, no cookie kept, nothing of
a reply decoded; the status is all that counts.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import StrEnum
from typing import Any, NamedTuple

import anyio
import httpcore
import httpx

from procure.webhooks.targets import Target, is_reachable

#: Of one attempt, from the look-up to the reply's status, however slowly its bytes come.
TIMEOUT_S = 10.0
#: Of a connection to one of several addresses, before the next is tried.
CONNECT_S = 2.5
#: What is read of a reply's body, so that the connection can be used again; a longer or slower one costs its sender the connection.
SKIM_BYTES, SKIM_S = 4096, 0.5
#: Connections to one webhook at once, and how long one is kept for the next message.
AT_ONCE, KEPT_S = 4, 5.0
#: Look-ups at once. A name whose server does not answer takes a thread for as long as the resolver tries.
LOOK_UPS = 64

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Trouble(StrEnum):
    """Why a message was not taken."""

    NO_PUBLIC_ADDRESS = "no-public-address"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    REDIRECTED = "redirected"
    REFUSED = "refused"


class Answer(NamedTuple):
    """What came of an attempt: the reply's status if there was one, and the trouble if it was not taken."""

    status: int | None
    trouble: Trouble | None


class _AddressRefused(Exception):
    """The name has no address, or one that is not connected to."""


def trusting() -> ssl.SSLContext:
    """Certificates of public authorities, by the names that they are for: a common name is none (RFC 9110, section 4.3.4)."""
    context = httpx.create_ssl_context()
    context.hostname_checks_common_name = False
    return context


class Resolver:
    """The system's own, in threads of its own: a look-up that hangs keeps nothing else waiting."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOK_UPS, thread_name_prefix="look-up")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host, port)
        return [str(sockaddr[0]) for *_, sockaddr in found]

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[tuple[int, int, int, str, tuple[str | int | bytes, ...]]]:
    return [*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class _Begun(httpcore.AsyncNetworkStream):
    """A connection that is closed when its TLS is cut off by the attempt's end: httpcore leaves it open then, for a collector to find."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore calls it so
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._stream.aclose()
            raise

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - as above
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as above
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were judged. TLS is with the name all the same."""

    def __init__(self, resolve: Resolve, *, is_local: bool) -> None:
        self._resolve, self._is_local = resolve, is_local
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore calls it so
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._addresses(host, port)
        for address in addresses[:-1]:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return _Begun(await self._network.connect_tcp(address, port, CONNECT_S, local_address, socket_options))
        return _Begun(await self._network.connect_tcp(addresses[-1], port, timeout, local_address, socket_options))

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Every one that the name has, each once; one that is refused refuses all: such a name is up to something."""
        try:
            found = list(dict.fromkeys(await self._resolve(host, port)))
        except OSError:
            raise _AddressRefused from None
        if not found or not all(is_reachable(one, is_local=self._is_local) for one in found):
            raise _AddressRefused
        return found


class Outlet:
    """Connections to one target, for as long as there is something to send."""

    def __init__(self, target: Target, resolve: Resolve, tls: ssl.SSLContext) -> None:
        self._target = target
        self._url = httpcore.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
        )
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=AT_ONCE,
            keepalive_expiry=KEPT_S,
            network_backend=_Pinned(resolve, is_local=target.is_local),
        )

    async def post(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a message; never raises for what the other side does."""
        status: int | None = None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                sent = [("Host", self._target.authority), *headers.items()]
                async with self._pool.stream("POST", self._url, headers=sent, content=body) as reply:
                    status = reply.status
                    await _skim(reply)
        except TimeoutError:
            return _judged(status, Trouble.TIMEOUT)
        except _AddressRefused:
            return Answer(None, Trouble.NO_PUBLIC_ADDRESS)
        except (httpcore.ConnectTimeout, httpcore.PoolTimeout):
            return Answer(None, Trouble.TIMEOUT)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError, ssl.SSLError):
            return _judged(status, Trouble.UNREACHABLE)
        return _judged(status, Trouble.UNREACHABLE)

    async def close(self) -> None:
        await self._pool.aclose()


def _judged(status: int | None, otherwise: Trouble) -> Answer:
    """By the status, once there is one: what goes wrong after it is no trouble of ours."""
    if status is None:
        return Answer(None, otherwise)
    if 200 <= status < 300:
        return Answer(status, None)
    return Answer(status, Trouble.REDIRECTED if 300 <= status < 400 else Trouble.REFUSED)


async def _skim(reply: httpcore.Response) -> None:
    read = 0
    with suppress(TimeoutError, httpcore.NetworkError, httpcore.ProtocolError):
        async with asyncio.timeout(SKIM_S):
            async for part in reply.aiter_stream():
                read += len(part)
                if read > SKIM_BYTES:
                    return

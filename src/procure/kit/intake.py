"""What a request may be in size and time before anything is made of it; whatever is beyond is a problem like all others.

Its address and headers are short (414, 431), well below where the server answers by itself and without a body (`procure.server`).
Its body has no content coding (415), and arrives whole and in time (400, 408), where the framework knows a 500 and no end of waiting:
a thousand stalled bodies, a few bytes each, would hold a thousand requests for ever. How large a body may be the application bounds.
"""

import asyncio
from typing import Any

from litestar import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPReceiveMessage, Receive, Scope, Send, WebSocketReceiveMessage

from procure.kit.errors import Fact, Malformed
from procure.kit.problems import on_fact

#: Path and query as they are sent. The longest of ours, with every filter and a cursor, has some 500.
ADDRESS_MAX_BYTES = 8 * 1024
#: Names and values of all headers. A token with every scope has some 2 KB.
HEADERS_MAX_BYTES = 32 * 1024
#: How much of an address that is too long the problem and the log repeat.
ADDRESS_TOLD = 100
#: A body of the largest size comes in time over 140 kbit/s.
BODY_MAX_S = 30.0


class BodyCut(Malformed):
    """The connection ended, or broke HTTP's rules, in the middle of the body."""

    slug, title = "body-cut", "Body cut off"


class BodyLate(Fact):
    """The body did not arrive in time; the connection is of no further use (408)."""

    slug, title, status = "body-late", "Body took too long", 408


class AddressTooLong(Fact):
    """Path and query together are longer than any address here (414)."""

    slug, title, status = "address-too-long", "Address too long", 414


class HeadersTooLarge(Fact):
    """The headers together are larger than any request here needs (431)."""

    slug, title, status = "headers-too-large", "Headers too large", 431


class BodyCoded(Fact):
    """The body has a content coding (`Content-Encoding`); none is taken here, since a few bytes of one may be gigabytes (415)."""

    slug, title, status = "body-coded", "Content coding of the body not supported", 415
    takes_coding = "identity"


def with_limits(app: ASGIApp) -> ASGIApp:
    """Around everything but the request id: address and headers are no longer than anybody needs."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        fact = _beyond(scope) if scope["type"] == ScopeType.HTTP else None
        if fact is None:
            await app(scope, receive, send)
            return
        scope["path"] = scope["path"][:ADDRESS_TOLD]
        await _refuse(scope, receive, send, fact)

    return handle


async def _refuse(scope: Scope, receive: Receive, send: Send, fact: Fact) -> None:
    request: Request[None, None, Any] = Request(scope, receive, send)
    await on_fact(request, fact).to_asgi_response(None, request)(scope, receive, send)


def _beyond(scope: Scope) -> Fact | None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > ADDRESS_MAX_BYTES:
        return AddressTooLong(f"Path and query have at most {ADDRESS_MAX_BYTES} bytes.")
    if sum([len(name) + len(value) for name, value in scope["headers"]]) > HEADERS_MAX_BYTES:
        return HeadersTooLarge(f"All headers together have at most {HEADERS_MAX_BYTES} bytes.")
    return None


def with_whole_body(app: ASGIApp) -> ASGIApp:
    """Middleware around everything that reads a body."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or not _has_body(scope):
            await app(scope, receive, send)
        elif _is_coded(scope):
            await _refuse(scope, receive, send, BodyCoded("Send the body as it is, without a content coding."))
        else:
            await app(scope, whole(receive), send)

    return handle


def whole(receive: Receive, *, seconds: float = BODY_MAX_S) -> Receive:
    """`receive`, raising BodyCut and BodyLate until the body's last part. Seconds count from the first call."""
    until, is_whole = 0.0, False

    async def receive_in_time() -> HTTPReceiveMessage | WebSocketReceiveMessage:
        nonlocal until, is_whole
        if is_whole:
            return await receive()
        until = until or asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise BodyLate(f"The body did not arrive within {seconds:.0f} s.") from None
        if message["type"] == "http.disconnect":
            raise BodyCut("The request ended in the middle of its body.")
        is_whole = message["type"] == "http.request" and not message.get("more_body", False)
        return message

    return receive_in_time


def _has_body(scope: Scope) -> bool:
    return any(name in {b"content-length", b"transfer-encoding"} for name, _ in scope["headers"])


def _is_coded(scope: Scope) -> bool:
    return any(name == b"content-encoding" and value.strip().lower() != b"identity" for name, value in scope["headers"])

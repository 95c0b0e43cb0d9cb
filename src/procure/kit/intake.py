"""A request's body arrives whole and in time, or is refused: 400 and 408, where the framework knows a 500 and no end of waiting.

The server bounds how long a client takes over its headers (`procure.server`), the application how large a body may be. This is
the third bound: without it a thousand stalled bodies, a few bytes each, hold a thousand requests for ever.
"""

import asyncio

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPReceiveMessage, Receive, Scope, Send, WebSocketReceiveMessage

from procure.kit.errors import Fact, Malformed

#: A body of the largest size comes in time over 140 kbit/s.
BODY_MAX_S = 30.0


class BodyCut(Malformed):
    """The connection ended, or broke HTTP's rules, in the middle of the body."""

    slug, title = "body-cut", "Body cut off"


class BodyLate(Fact):
    """The body did not arrive in time; the connection is of no further use (408)."""

    slug, title, status = "body-late", "Body took too long", 408


def with_whole_body(app: ASGIApp) -> ASGIApp:
    """Middleware around everything that reads a body."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        is_http = scope["type"] == ScopeType.HTTP
        await app(scope, whole(receive) if is_http and _has_body(scope) else receive, send)

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

"""Content codings of replies: zstd (RFC 8878, 9659) and gzip, as `Accept-Encoding` asks (RFC 9110, section 12.5.3), where they pay.

Nothing that holds a secret is coded: how well it shrinks beside what somebody else put there tells the secret (BREACH). That is
whatever nobody may keep, acts and what they show once, tokens, all that tells of bids before the opening; but not problems, which hold
none. Other replies of acts are small. A strong entity tag names one coding: `"7"` is `"7+gzip"` there (RFC 9110, section 8.8.3), and a
request that names it means `"7"`; handlers know the plain one alone.
"""

import asyncio
import re
import sys
import zlib
from collections.abc import Collection
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from litestar import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send

from procure.kit.errors import Fact
from procure.kit.problems import PROBLEM_JSON, on_fact

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: Below it the coding's own frame and its headers eat what is saved.
SIZE_MIN = 1024
#: An Accept-Encoding longer than any browser's is not read.
ASKED_MAX = 512
#: As fast as a reply is made; harder for what is constant, which is coded once. All keep to the window of 8 MB of RFC 9659.
_LEVELS = {"zstd": 3, "gzip": 5}
_LEVELS_ONCE = {"zstd": 12, "gzip": 9}
#: A gzip header around deflate (zlib's `wbits`).
_GZIP = 31

_KINDS = re.compile(
    rb"(?:text/(?!event-stream)[\w.+-]+|application/(?:[\w.+-]+\+)?(?:json|xml|javascript)|image/svg\+xml)\b"
)
_NO_TRANSFORM = re.compile(rb"\bno-transform\b", re.IGNORECASE)
_NO_STORE = re.compile(rb"\bno-store\b", re.IGNORECASE)
_MEMBER = re.compile(
    r"([a-z0-9!#$%&'*+.^_`|~-]+)(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?", re.IGNORECASE
)
_CODED_TAG = re.compile(rb'\+(gzip|zstd)"')
_READ = frozenset({b"accept-encoding", b"if-match", b"if-none-match"})

RawHeaders = list[tuple[bytes, bytes]]


class NotAcceptable(Fact):
    """`Accept-Encoding` refuses every content coding there is, and none as well (406)."""

    slug, title, status = "not-acceptable", "Not acceptable", 406


class Asked(NamedTuple):
    """The coding that a caller likes best of ours, None for none; and whether it takes a reply without one."""

    coding: str | None
    takes_plain: bool


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


@lru_cache(maxsize=256)
def asked(accept_encoding: bytes) -> Asked:
    """What the header's value asks for; members that can't be read ask for nothing. Of equals zstd comes before gzip."""
    if not accept_encoding or len(accept_encoding) > ASKED_MAX:
        return Asked(None, takes_plain=True)
    weights: dict[str, float] = {}
    for member in accept_encoding.decode("latin-1").split(","):
        if found := _MEMBER.fullmatch(member.strip(" \t")):
            name = found[1].lower().removeprefix("x-")  # RFC 9110, section 8.4.1.3
            weights.setdefault(name, float(found[2] or 1))
    others = weights.get("*", 0.0)
    best = max(("zstd", "gzip"), key=lambda name: weights.get(name, others))
    weight = weights.get(best, others)
    plain = weights.get("identity", others if "*" in weights else None)
    takes_plain = plain is None or plain > 0
    if weight == 0 or (plain is not None and "identity" in weights and plain > weight):
        return Asked(None, takes_plain)
    return Asked(best, takes_plain)


def compressed(coding: str, body: bytes, levels: dict[str, int] = _LEVELS) -> bytes:
    level = levels[coding]
    return zstd.compress(body, level) if coding == "zstd" else zlib.compress(body, level, wbits=_GZIP)


@lru_cache(maxsize=16)
def _compressed_once(coding: str, body: bytes) -> bytes:
    return compressed(coding, body, _LEVELS_ONCE)


def constant(request: Request[Any, Any, Any]) -> None:
    """Say that the reply's body is the same object for as long as the process lives: it is coded once, and kept."""
    request.scope["state"]["is_constant"] = True


def coded_tag(tag: bytes, coding: str) -> bytes:
    """The entity tag of the coded form. A weak one stands for all of them (RFC 9110, section 8.8.1)."""
    return tag if tag.startswith(b"W/") else tag[:-1] + f'+{coding}"'.encode()


def plain_tags(value: bytes, codings: Collection[str] = tuple(_LEVELS)) -> bytes:
    """The tags of a condition as handlers know them; one of another coding stays, and is nobody's."""
    return _CODED_TAG.sub(lambda found: b'"' if found[1].decode() in codings else found[0], value)


def with_coding(app: ASGIApp) -> ASGIApp:
    """Around what answers, inside what makes a HEAD of a GET, so that both say the same."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        said = [header for header in scope["headers"] if header[0] in _READ]
        if not said:
            await app(scope, receive, send)
            return
        wanted = asked(b",".join([value for name, value in said if name == b"accept-encoding"]))
        if wanted.coding is None and not wanted.takes_plain:
            await _refuse(scope, receive, send)
            return
        has_condition = any(name != b"accept-encoding" for name, _ in said)
        is_named = has_condition and _plain_conditions(scope, wanted.coding)
        if wanted.coding is None:
            await app(scope, receive, send)
            return
        reply = _Coded(scope, send, wanted.coding, is_named=is_named, must=not wanted.takes_plain)
        await app(scope, receive, reply.send)

    return handle


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    request: Request[None, None, Any] = Request(scope, receive, send)
    fact = NotAcceptable(
        "Replies come as zstd, as gzip, or without a content coding; `Accept-Encoding` refuses them all."
    )
    await on_fact(request, fact).to_asgi_response(None, request)(scope, receive, send)


def _plain_conditions(scope: Scope, coding: str | None) -> bool:
    """Rewrite the conditions for the handlers; whether If-None-Match names a reply in this coding.

    Whatever coding a caller has read a version in, it may change it (If-Match). What it has kept is still what it would get now only
    if that is of the same coding.
    """
    meant: RawHeaders = []
    is_named = False
    for name, value in scope["headers"]:
        plain = value
        if name == b"if-match":
            plain = plain_tags(value)
        elif name == b"if-none-match" and coding is not None:
            plain = plain_tags(value, {coding})
            is_named = is_named or plain != value
        meant.append((name, plain))
    scope["headers"] = meant
    return is_named


class _Coded:
    """One reply on its way, in a coding if that pays. Its start is held until the first part of its body is there."""

    def __init__(self, scope: Scope, send: Send, coding: str, *, is_named: bool, must: bool) -> None:
        self._scope, self._send, self._coding, self._is_named, self._must = scope, send, coding, is_named, must
        self._start: HTTPResponseStartEvent | None = None
        self._stream: _Compressor | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if _can_be_coded(self._scope, message, 0 if self._must else SIZE_MIN):
                self._start = message
                return
            if message["status"] == 304 and self._is_named:
                message["headers"] = _tagged(list(message["headers"]), self._coding)
            await self._send(message)
        elif message["type"] == "http.response.body" and (self._start or self._stream):
            await self._send_body(message.get("body", b""), is_last=not message.get("more_body", False))
        else:
            await self._send(message)

    async def _send_body(self, body: bytes, *, is_last: bool) -> None:
        if self._start is not None and is_last:
            await self._send_whole(self._start, body)
            return
        if self._start is not None:
            self._stream = _compressor(self._coding)
            await self._send_start(self._start, None)
        assert self._stream is not None
        coded = self._stream.compress(body) + (self._stream.flush() if is_last else b"")
        if coded or is_last:
            await self._send({"type": "http.response.body", "body": coded, "more_body": not is_last})

    async def _send_whole(self, start: HTTPResponseStartEvent, body: bytes) -> None:
        if len(body) < SIZE_MIN and not self._must:
            self._start = None
            await self._send(start)
        else:
            body = await self._whole(body)
            await self._send_start(start, len(body))
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _whole(self, body: bytes) -> bytes:
        if self._scope["state"].get("is_constant"):
            return await asyncio.to_thread(_compressed_once, self._coding, body)
        return compressed(self._coding, body)

    async def _send_start(self, start: HTTPResponseStartEvent, length: int | None) -> None:
        self._start = None
        headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
        headers.append((b"content-encoding", self._coding.encode()))
        if length is not None:
            headers.append((b"content-length", str(length).encode()))
        start["headers"] = _tagged(headers, self._coding)
        await self._send(start)


def _compressor(coding: str) -> _Compressor:
    if coding == "zstd":
        return zstd.ZstdCompressor(_LEVELS["zstd"])
    return zlib.compressobj(_LEVELS["gzip"], wbits=_GZIP)


def _tagged(headers: RawHeaders, coding: str) -> RawHeaders:
    return [(name, coded_tag(value, coding) if name == b"etag" else value) for name, value in headers]


def _can_be_coded(scope: Scope, start: HTTPResponseStartEvent, size_min: int) -> bool:
    """Whether a reply has a body that a coding makes smaller, and no secret in it."""
    if start["status"] in {204, 206, 304} or scope["state"].get("is_confidential"):
        return False
    said = dict(start["headers"])
    if int(said.get(b"content-length", size_min)) < size_min:
        return False
    kind, keeping = said.get(b"content-type", b""), said.get(b"cache-control", b"")
    if b"content-encoding" in said or _KINDS.match(kind) is None or _NO_TRANSFORM.search(keeping):
        return False
    is_problem = kind.startswith(PROBLEM_JSON.encode())
    return is_problem or (scope.get("method") == "GET" and not _NO_STORE.search(keeping))


__all__ = ["NotAcceptable", "asked", "coded_tag", "constant", "plain_tags", "with_coding"]

"""Headers that every reply has: who may keep it, what a browser may make of it, and whose pages may read it.

After RFC 9111 (caching), OWASP's REST Security Cheat Sheet and the Fetch Standard (CORS). What a handler has said itself stands.
"""

from collections.abc import Sequence

from litestar.config.cors import CORSConfig
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from procure.kit.deprecation import deprecation_at

RawHeaders = list[tuple[bytes, bytes]]

#: An answer is data: a browser runs, frames and guesses nothing. Pages that are meant to be looked at say what they load.
_DATA: RawHeaders = [
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]
#: A year of nothing but TLS (RFC 6797), told only where this service's own address is one of TLS.
_TLS: RawHeaders = [(b"strict-transport-security", b"max-age=31536000")]

#: Beside whatever a handler has said of what its answer depends on.
_VARY: RawHeaders = [(b"vary", b"Authorization, Procure-Organisation, Accept-Encoding")]

#: Kept by nobody: acts, refusals, tokens, and whatever tells about bids.
_NO_STORE = b"no-store"
#: Kept by anybody, and asked for again each time: what is public changes at a deadline, to the microsecond.
_PUBLIC = b"public, no-cache"
#: Kept by the caller alone, and asked for again each time: another token is shown something else.
_PRIVATE = b"private, no-cache"

#: What a portal in a browser reads beside the body.
EXPOSED = [
    "Deprecation",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Sunset",
    "Validated-Only",
    "X-Request-ID",
]
PREFLIGHT_MAX_AGE_S = 600


def with_headers(app: ASGIApp, config: CORSConfig | None, *, is_tls: bool) -> ASGIApp:
    """Around everything that answers."""
    always = [*_DATA, *_TLS] if is_tls else _DATA
    names = frozenset(name for name, _ in _DATA)
    vary = _VARY if config is None else [*_VARY, (b"vary", b"Origin")]

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        readable = _readable(scope, config)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given: RawHeaders = list(message.get("headers", []))
                said = {name for name, _ in given}
                given += always if said.isdisjoint(names) else [header for header in always if header[0] not in said]
                if b"cache-control" not in said:
                    given.append((b"cache-control", _keeping(scope, message["status"])))
                given += [header for header in readable if header[0] not in said]
                given += vary
                given += scope.get("state", {}).get("rate_limit", ())
                if deprecation := deprecation_at(scope):
                    given += ((name.lower().encode(), said.encode()) for name, said in deprecation.headers().items())
                message["headers"] = given
            await send(message)

        await app(scope, receive, send_with_headers)

    return handle


def _readable(scope: Scope, config: CORSConfig | None) -> RawHeaders:
    """What lets a named portal's page read a reply. Litestar says it of what its router answers; refusals come from before it too."""
    if config is None:
        return []
    origin = next((value for name, value in scope["headers"] if name == b"origin"), b"")
    if not origin or not config.is_origin_allowed(origin.decode("latin-1")):
        return []
    exposed = ", ".join(EXPOSED).encode()
    return [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", exposed)]


def _keeping(scope: Scope, status: int) -> bytes:
    """Who may keep a reply about which its handler said nothing."""
    is_read = scope.get("method") in {"GET", "HEAD"}
    if not is_read or status >= 400 or scope.get("state", {}).get("is_confidential"):
        return _NO_STORE
    if kept_s := scope.get("state", {}).get("kept_s"):
        return f"public, max-age={kept_s}".encode()
    return _PRIVATE if any(name == b"authorization" for name, _ in scope["headers"]) else _PUBLIC


def cors(origins: Sequence[str]) -> CORSConfig | None:
    """Whose pages may call this service: none unless the setting names them. Never with cookies, since there are none."""
    if not origins:
        return None
    return CORSConfig(allow_origins=list(origins), expose_headers=EXPOSED, max_age=PREFLIGHT_MAX_AGE_S)


def is_preflight(scope: Scope, config: CORSConfig | None) -> bool:
    """Whether a browser asks for one of these pages, so that CORS answers and not OPTIONS itself."""
    if config is None:
        return False
    headers = dict(scope["headers"])
    origin = headers.get(b"origin", b"").decode("latin-1")
    return b"access-control-request-method" in headers and config.is_origin_allowed(origin)

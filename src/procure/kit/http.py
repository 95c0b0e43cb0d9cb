"""What happens to every request before its handler: an id, a caller, a check of what it sent; and the session it works in."""

import functools
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, NamedTuple

from litestar import Litestar, MediaType, Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.enums import HttpMethod, ParamType, ScopeType
from litestar.exceptions import HTTPException, NotFoundException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.params import ParameterKwarg
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from sqlalchemy.ext.asyncio import AsyncSession

from procure.kit import body
from procure.kit.actor import ANYONE, Actor
from procure.kit.db import transaction
from procure.kit.errors import Fact, Fault, Malformed, Unauthenticated
from procure.kit.etags import (
    IF_MATCH,
    IF_NONE_MATCH,
    UNCONDITIONAL,
    ConditionUnexpected,
    Seen,
    seen_by_doer,
    seen_by_reader,
)
from procure.kit.headers import is_preflight
from procure.kit.idempotency import HEADER, IdempotencyKeyMissing, Key, KeyedRequest, read_key
from procure.kit.ids import new_id
from procure.kit.intake import ADDRESS_TOLD
from procure.kit.logs import REQUEST_ID, request_log
from procure.kit.paging import LIMIT_DEFAULT, LIMIT_MAX, Cursor, Limit, Paging, decode_cursor
from procure.kit.problems import ParametersInvalid, allowed_methods, handlers_at, on_fact
from procure.kit.rates import Rates
from procure.kit.scopes import Scope as Permission
from procure.kit.scopes import ScopeMissing
from procure.kit.trial import PARAMETER, Trial

Connection = ASGIConnection[Any, Any, Any, Any]
Authenticate = Callable[[Connection], Awaitable[Actor]]
#: Numbers that JSON holds exactly (RFC 8259, section 6).
NUMBER_MAX = 2**53 - 1
_WRITES = {"POST", "PUT", "PATCH", "DELETE"}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class BodyUnexpected(Malformed):
    """A body was sent to an operation that takes none."""

    slug, title = "body-unexpected", "Body not expected"


class MediaTypeUnsupported(HTTPException):
    """A body that is not declared as JSON."""

    status_code = 415
    detail = "Send the body as application/json"


class ApiRequest(Request[Actor, None, State]):
    """A request whose JSON body is read by `kit.body`: strict, trimmed, all faults at once."""

    async def json(self) -> Any:
        field = self.route_handler.parsed_data_field
        if field is None:
            return await super().json()
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise MediaTypeUnsupported
        return body.read(await self.body(), field.annotation)


class ApiResponse(Response[Any]):
    """A reply that is encoded once, before the commit: what is kept for an Idempotency-Key is what is sent.

    A view that has a tag is answered with it. But to a PUT, where a tag would say that what was sent is kept as it is, and is what a
    GET gives (RFC 9110, section 9.3.4); and on trial, whose version is going to be another one's.
    """

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **more: Any) -> ASGIResponse:
        once = once_of(request)
        etag = getattr(self.content, "etag", None)
        if etag is not None and request.method != HttpMethod.PUT and not isinstance(once, Trial):
            self.headers["ETag"] = etag
        if once is None:
            return super().to_asgi_response(app, request, **more)
        return once.reply or once.replied(super().to_asgi_response(app, request, **more))


def requires(
    scope: Permission, *, key: Key = Key.HONOURED, seen: str | None = None, must_have_seen: str | None = None
) -> dict[str, Any]:
    """Keyword arguments of a route that needs a token with `scope`; `key`: what it makes of Idempotency-Key, if it writes.

    `seen`: the resource that it acts on, whose tag it takes in If-Match; `must_have_seen`: and does not go without.
    """
    opt = {"scope": scope, "key": key, "seen": seen or must_have_seen, "must_have_seen": must_have_seen is not None}
    return {"opt": opt, "security": [{"oauth2": [scope.value]}]}


def confidential(scope: Permission, *, key: Key = Key.HONOURED, seen: str | None = None) -> dict[str, Any]:
    """As `requires`, and not in the request log: lines about an open lot's bids would tell the operator their number and times."""
    said = requires(scope, key=key, seen=seen)
    return {**said, "opt": {**said["opt"], "confidential": True}}


def bidding(*, seen: str | None = None) -> dict[str, Any]:
    """As `confidential`, for what hands in, replaces and takes back bids: once for each key, and with a quota of their own."""
    route = confidential(Permission.BIDS_SUBMIT, key=Key.REQUIRED, seen=seen)
    return {**route, "opt": {**route["opt"], "rate": "bids"}}


def known(*, choosing: bool = False) -> dict[str, Any]:
    """Keyword arguments of a route that needs a token of whatever scopes: it answers each caller what is theirs.

    `choosing`: a person of several organisations need not have said yet for which they act.
    """
    return {"opt": {"known": True, "choosing": choosing}, "security": [{"oauth2": []}]}


def signing_on(*, key: Key = Key.HONOURED) -> dict[str, Any]:
    """Keyword arguments of a route for whoever has a sign-on's own token, also if they are nobody here yet; a client's is refused."""
    return {"opt": {"known": True, "signing_on": True, "key": key}, "security": [{"sign_on": []}]}


def public(*, limited: bool = True, key: Key = Key.HONOURED, kept_s: int = 0) -> dict[str, Any]:
    """Keyword arguments of a route that anyone may call; a token that is sent is honoured, and refused if it is bad.

    `limited`: how often is bounded. Not for those who watch over the service: what they are refused they take for its end.
    `key`: what it makes of Idempotency-Key, if it writes. `kept_s`: for how long anybody may keep an answer that is the same for all, and
    changes with a release alone.
    """
    rate = "address" if limited else "none"
    opt = {"public": True, "rate": rate, "key": key, "kept_s": kept_s}
    return {"opt": opt, "security": [{}, {"oauth2": []}]}


def client_credentials() -> dict[str, Any]:
    """Keyword arguments of the token endpoint, whose Authorization header is a client's own and no bearer token."""
    return {"opt": {"public": True, "own_credentials": True}, "security": [{"client": []}]}


async def authorise(request: Request[Any, Any, Any]) -> None:
    """Before every handler: known parameters, then who is calling, then whether they may.

    A `before_request` hook, not a guard: Litestar copies the handler for each guard of each request.
    """
    handler = request.route_handler
    state = request.scope["state"]
    state["is_confidential"], state["rate"] = bool(handler.opt.get("confidential")), handler.opt.get("rate")
    state["kept_s"] = handler.opt.get("kept_s", 0)
    state["choosing"], state["signing_on"] = handler.opt.get("choosing", False), handler.opt.get("signing_on", False)
    refuse_out_of_reach(request)
    refuse_unknown_parameters(request, handler)
    scope: Permission | None = handler.opt.get("scope")
    if scope is None and not handler.opt.get("known") and not _has_token(request, handler):
        request.scope["user"] = actor = _anyone(request, handler)
        if is_limited(handler):
            _rates(request).charge_address(request.scope)
        if actor is ANYONE:
            return
    else:
        request.scope["user"] = actor = await _authenticated(request)
    if scope is not None and scope not in actor.scopes:
        raise ScopeMissing(f"This needs the scope `{scope}`; ask for it, and hold a role that has it.")
    refuse_unread_body(request, handler)
    if is_write(handler):
        request.scope["state"]["seen"] = _seen(request, handler)
    is_trial = key_use(handler) is not Key.IGNORED and _is_trial(request)
    state["once"] = _trial(request) if is_trial else await _once(request, handler, actor)
    await take_turn(request)


def _anyone(request: Request[Any, Any, Any], handler: BaseRouteHandler) -> Actor:
    """A caller without a token: one like the other, but for who writes, whose traces the journal keeps."""
    if key_use(handler) is Key.IGNORED:
        return ANYONE
    client = request.scope["client"]
    return Actor(address=client[0] if client else None, request_id=request.scope["state"].get("request_id"))


async def _authenticated(request: Request[Any, Any, Any]) -> Actor:
    """Who is calling. Whoever shows a token that does not hold is a caller without one."""
    try:
        actor: Actor = await request.app.state.authenticate(request)
    except Unauthenticated:
        _rates(request).charge_address(request.scope)
        raise
    return actor


def is_limited(handler: BaseRouteHandler) -> bool:
    """Whether callers of an operation have a quota here; the token endpoint counts failures instead (`identity.failures`)."""
    return handler.opt.get("rate") != "none" and not handler.opt.get("own_credentials")


async def take_turn(request: Request[Any, Any, Any]) -> None:
    """Before a bid's handler, and not before its whole body is there; `kit.rates.with_rates` gives the turn back."""
    if "bidder" in request.scope["state"]:
        await request.body()
        await _rates(request).enter(request.scope)


def _rates(request: Request[Any, Any, Any]) -> Rates:
    rates: Rates = request.app.state.rates
    return rates


def is_write(handler: BaseRouteHandler) -> bool:
    return isinstance(handler, HTTPRouteHandler) and bool(handler.http_methods & _WRITES)


def key_use(handler: BaseRouteHandler) -> Key:
    """What an operation makes of Idempotency-Key: reads, and what knows no caller, nothing."""
    return handler.opt.get("key", Key.IGNORED) if is_write(handler) else Key.IGNORED


def _seen(request: Request[Any, Any, Any], handler: BaseRouteHandler) -> Seen:
    """What the caller of an act or edit has seen. Who makes something new has nothing to have seen, and must not believe to be heard."""
    conditions = [request.headers.getall(name, []) for name in (IF_MATCH, IF_NONE_MATCH)]
    if handler.opt.get("seen") is None:
        if any(conditions):
            raise ConditionUnexpected(f"There is nothing here to hold `{IF_MATCH}` or `{IF_NONE_MATCH}` against.")
        return UNCONDITIONAL
    return seen_by_doer(*conditions, is_required=handler.opt["must_have_seen"])


def seen_by(request: Request[Any, Any, Any]) -> Seen:
    """What the caller of this request says to have seen."""
    said: Seen | None = request.scope["state"].get("seen")
    if said is not None:
        return said
    headers = request.headers
    return seen_by_reader(headers.getall(IF_MATCH, []), headers.getall(IF_NONE_MATCH, []))


def _is_trial(request: Request[Any, Any, Any]) -> bool:
    value = request.query_params.get(PARAMETER, "false")
    if value not in ("true", "false"):
        fault = Fault(f"/{PARAMETER}", "parameter", f"`{PARAMETER}` is true or false.")
        raise ParametersInvalid(fault.message, faults=[fault])
    return bool(value == "true")


def _trial(request: Request[Any, Any, Any]) -> Trial:
    """The request as one that is only tried; whatever key it has is not used."""
    return Trial(lambda result: _encoded_once(request, result))


async def _once(request: Request[Any, Any, Any], handler: BaseRouteHandler, actor: Actor) -> KeyedRequest | None:
    """The request as one that is done once for its key. Keys are a client's own, within the organisation it acts for now."""
    use = key_use(handler)
    if use is Key.IGNORED:
        return None
    key = read_key(request.headers.getall(HEADER, []))
    if key is None:
        if use is Key.REQUIRED:
            raise IdempotencyKeyMissing(f"Send `{HEADER}`, a new UUID for each act and the same one for each retry.")
        return None
    scope = request.scope
    said = b"\n".join((request.method.encode(), scope["raw_path"], scope["query_string"], await request.body()))
    owner = f"{actor.client_id or actor.person_id or actor.sign_on} {actor.organisation_id}"
    return KeyedRequest.of(key, owner, said, lambda result: _encoded_once(request, result))


def _encoded_once(request: Request[Any, Any, Any], result: object) -> ASGIResponse:
    """The reply that a handler's result, or a refusal, is going to have."""
    if isinstance(result, Fact):
        return on_fact(request, result).to_asgi_response(None, request)
    return ApiResponse(result, status_code=request.route_handler.status_code).to_asgi_response(None, request)


def once_of(request: Request[Any, Any, Any]) -> KeyedRequest | Trial | None:
    """The request with its key, if it has one that counts, or as a trial."""
    once: KeyedRequest | Trial | None = request.scope["state"].get("once")
    return once


def refuse_unread_body(request: Request[Any, Any, Any], handler: BaseRouteHandler) -> None:
    """An act that takes no body refuses one: whoever sends a condition or an amount must not believe that it was heard."""
    if handler.parsed_data_field is not None or handler.opt.get("own_credentials"):
        return
    if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
        raise BodyUnexpected("This takes no body; send none.")


def _has_token(request: Request[Any, Any, Any], handler: BaseRouteHandler) -> bool:
    return _honours_token(handler) and "authorization" in request.headers


def _honours_token(handler: BaseRouteHandler) -> bool:
    """Public operations do; assets and the document belong to nobody, and the token endpoint has credentials of its own."""
    return bool(handler.opt.get("public")) and not handler.opt.get("own_credentials")


def refuse_out_of_reach(connection: Connection) -> None:
    """No text of ours has a NUL, and no number is beyond those that JSON holds exactly: a path that names one names nothing."""
    value: Any
    for value in connection.scope["path_params"].values():
        if (isinstance(value, int) and abs(value) > NUMBER_MAX) or (isinstance(value, str) and "\0" in value):
            raise NotFoundException


def refuse_unknown_parameters(connection: Connection, handler: BaseRouteHandler) -> None:
    if not connection.scope["query_string"]:
        return
    given = connection.query_params
    known = _known_parameters(handler)
    faults = [
        Fault(f"/{name[:64]}", "unknown-parameter", f"There is no parameter `{name[:64]}` here.")
        for name in given
        if name not in known
    ]
    faults += [
        Fault(f"/{name}", "repeated-parameter", f"`{name}` may be given once.")
        for name in known
        if len(given.getall(name, [])) > 1
    ]
    # Litestar would read it as no filter at all, and answer with everything.
    faults += [
        Fault(f"/{name}", "parameter", f"`{name}` can't be `null`; leave it out.")
        for name in known
        if given.get(name, "").lower() == "null"
    ]
    if faults:
        raise ParametersInvalid("A query parameter is unknown, repeated or null: see `errors`.", faults=faults)
    _refuse_bad_page(connection)


def _refuse_bad_page(connection: Connection) -> None:
    """Before any dependency: when one of them fails, Litestar forgets to close the session that another has opened."""
    limit, cursor = (connection.query_params.get(name) for name in ("limit", "cursor"))
    if limit is not None and not (re.fullmatch(r"[0-9]{1,3}", limit) and 1 <= int(limit) <= LIMIT_MAX):
        fault = Fault("/limit", "parameter", f"`limit` is a whole number from 1 to {LIMIT_MAX}.")
        raise ParametersInvalid(fault.message, faults=[fault])
    if cursor is not None:
        decode_cursor(cursor, connection.scope["path"], [*connection.query_params.multi_items()])


@functools.cache
def _known_parameters(handler: BaseRouteHandler) -> frozenset[str]:
    asked, dependencies = handler.parsed_fn_signature.parameters, handler.resolve_dependencies()
    fields = {name: field for name, field in asked.items() if name not in dependencies}
    always = frozenset([PARAMETER] if key_use(handler) is not Key.IGNORED else [])
    for name in asked.keys() & dependencies.keys():
        fields |= dependencies[name].parsed_fn_signature.parameters
    return always | frozenset(
        field.kwarg_definition.name or name
        for name, field in fields.items()
        if isinstance(field.kwarg_definition, ParameterKwarg) and field.kwarg_definition.param_type is ParamType.QUERY
    )


class Place(NamedTuple):
    """Where an operation is offered, and the scope that it needs; parameters of the path stand in braces."""

    method: str
    path: str
    scope: Permission | None


@functools.lru_cache(maxsize=2)
def places(app: Litestar) -> dict[str, Place]:
    """Of every operation, by its id."""
    found = {}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            operation_id = getattr(handler, "operation_id", None)
            if isinstance(operation_id, str):
                method = next(iter(handler.http_methods - {"OPTIONS"}))
                found[operation_id] = Place(method, route.path_format, handler.opt.get("scope"))
    return found


async def provide_db(request: Request[Any, Any, Any], state: State) -> AsyncGenerator[AsyncSession]:
    """The app's only generator dependency: with exactly one, Litestar commits *before* it sends the reply, and after it encoded it."""
    once, readers = once_of(request), state.readers if request.method == HttpMethod.GET else None
    async with transaction(state.sessions, state.record, once, readers=readers) as db:
        yield db
        assert once is None or once.reply is not None, "a keyed reply goes through ApiResponse"


async def provide_actor(request: Request[Any, Any, Any]) -> Actor:
    actor: Actor = request.scope["user"]
    return actor


async def provide_seen(request: Request[Any, Any, Any]) -> Seen:
    return seen_by(request)


async def provide_page(request: Request[Any, Any, Any], limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> Paging:
    return paging_of(request, limit, cursor)


def paging_of(request: Request[Any, Any, Any], limit: int, cursor: str | None) -> Paging:
    """For the hot list, which asks for both itself: a dependency costs more than the cursor."""
    path, query = request.scope["path"], tuple(request.query_params.multi_items())
    return Paging(limit, decode_cursor(cursor, path, query) if cursor is not None else None, path, query)


def encoded(body: bytes, etag: str | None = None) -> Response[Any]:
    """A reply whose JSON is made already, by PostgreSQL; the handler's annotation says what it is."""
    return ApiResponse(body, media_type=MediaType.JSON, headers={"ETag": etag} if etag else None)


Db = NamedDependency[AsyncSession]
Caller = NamedDependency[Actor]
AsSeen = NamedDependency[Seen]
PageAsked = NamedDependency[Paging]


def request_id_of(scope: Scope) -> str:
    """The caller's own id if it is a decent one, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value.decode("latin-1")):
            return value.decode("latin-1")
    return str(new_id())


def with_request_id(app: ASGIApp) -> ASGIApp:
    """Around the whole application: a request id in state, log context and reply header, and one log line per request.

    Here too, since the router does not know it rightly: HEAD is GET without its body (RFC 9110, section 9.3.2).
    """

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        request_id, method = request_id_of(scope), str(scope["method"])
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        started, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            elif method == "HEAD" and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        token = REQUEST_ID.set(request_id)
        try:
            scope["method"] = HttpMethod.GET if method == "HEAD" else scope["method"]
            await app(scope, receive, send_with_id)
            took_ms = round((time.perf_counter() - started) * 1000, 1)
            is_confidential = _is_confidential(scope)
            if status >= 500 or not is_confidential:
                path = "confidential" if is_confidential else scope["path"][:ADDRESS_TOLD]
                request_log().info("request", method=method, path=path, status=status, took_ms=took_ms)
        finally:
            REQUEST_ID.reset(token)

    return handle


def _is_confidential(scope: Scope) -> bool:
    """As `authorise` has said; of what was answered before it, preflights among them, as any operation at this address is."""
    if (said := scope["state"].get("is_confidential")) is not None:
        return bool(said)
    return any(handler.opt.get("confidential") for handler in handlers_at(scope["litestar_app"], scope["path"]))


def with_options(app: ASGIApp) -> ASGIApp:
    """Around the router, which does not know it rightly: OPTIONS, where it is no preflight of CORS, names every method of the path."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        is_options = scope["type"] == ScopeType.HTTP and scope["method"] == HttpMethod.OPTIONS
        if is_options and not is_preflight(scope, scope["litestar_app"].cors_config):
            if allowed := allowed_methods(scope["litestar_app"], scope["path"]):
                await _answer_options(allowed, send)
                return
            # Nothing is there. With its origin it would be taken for a preflight.
            scope["headers"] = [header for header in scope["headers"] if header[0] != b"origin"]
        await app(scope, receive, send)

    return handle


async def _answer_options(allowed: list[str], send: Send) -> None:
    headers = [(b"allow", ", ".join(allowed).encode())]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})

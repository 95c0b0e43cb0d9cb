"""Every error as `application/problem+json` (RFC 9457): the one place where a fact becomes HTTP.

The framework's own 404, 405, 413, 415 and validation come through here as well, and so does what nobody foresaw: a 500 is
logged with its traceback and tells the caller nothing but its request id.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, get_args

import asyncpg
import msgspec
import structlog
from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.routes import BaseRoute
from litestar.types.internal_types import PathParameterDefinition
from msgspec import Meta
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from procure.kit.body import BodyMalformed
from procure.kit.errors import FAULTS_MAX, Conflict, Fact, Fault, Malformed, Unavailable
from procure.kit.etags import NotModified
from procure.kit.idempotency import Answered, Replay

log = structlog.get_logger(__name__)
PROBLEM_JSON = "application/problem+json"
#: What a fault tells of a body is no longer than the body, written again as JSON Pointer or in a sentence.
LONGEST = 2 * 1024 * 1024
#: After these what is left of the request is not read, so the connection is of no further use.
CLOSING = {408, 413, 414, 431}

#: Slug and title of what the framework, and not a Fact, answers.
BY_STATUS = {
    400: ("malformed", "Malformed request"),
    401: ("unauthenticated", "Authentication needed"),
    403: ("forbidden", "Not allowed"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Method not allowed"),
    406: ("not-acceptable", "Not acceptable"),
    413: ("body-too-large", "Body too large"),
    415: ("media-type-unsupported", "Media type not supported"),
    422: ("invalid", "Content is not valid"),
    500: ("internal-error", "Internal error"),
    503: ("unavailable", "Service temporarily unavailable"),
}


class ChangedMeanwhile(Conflict):
    """Somebody else changed the same thing at the same time; read it again and decide again."""

    slug, title = "changed-meanwhile", "Changed meanwhile"


class ParametersInvalid(Malformed):
    """A query or path parameter is unknown or not of its form."""

    slug, title = "parameters-invalid", "Parameters are not valid"


#: A sentence in which any of what was sent may stand, whatever characters it has.
Told = Annotated[str, Meta(pattern=r"^[\s\S]*$", max_length=LONGEST)]


class FaultView(msgspec.Struct, frozen=True):
    """One fault of a body or parameter."""

    pointer: Annotated[str, Meta(pattern=r"^(/[\s\S]*)?$", max_length=LONGEST)]
    code: Annotated[str, Meta(pattern=r"^[a-z-]+$", max_length=100)]
    message: Told


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem after RFC 9457: `type` leads to a page that explains it, `detail` says what to do."""

    EXAMPLE: ClassVar[object] = {
        "type": "/problems/not-found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no such lot, or it is not yours to see.",
        "instance": "/v1/lots/0199c0de-0000-7000-8000-000000000000",
        "request_id": "0199c0de-0000-7000-8000-000000000001",
        "errors": [],
    }

    type: Annotated[str, Meta(pattern=r"^\S*/problems/[a-z-]+$", max_length=2000)]
    title: Annotated[str, Meta(max_length=100)]
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: Told
    instance: Annotated[str, Meta(pattern=r"^/", max_length=9000)]
    request_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]*$", max_length=64)]
    errors: Annotated[list[FaultView], Meta(max_length=FAULTS_MAX)] = []


def problems(*facts: type[Fact]) -> dict[int, ResponseSpec]:
    """The `responses=` of a route: the given facts by status, each named in the document with its slug."""
    by_status: dict[int, list[type[Fact]]] = {}
    for fact in facts:
        by_status.setdefault(fact.status, []).append(fact)
    return {status: _spec(group) for status, group in sorted(by_status.items())}


def _spec(facts: list[type[Fact]]) -> ResponseSpec:
    said = "; ".join(f"`{fact.slug}`: {(fact.__doc__ or fact.title).splitlines()[0]}" for fact in facts)
    examples = [Example(id=fact.slug, summary=fact.title, value=_example(fact)) for fact in facts]
    return ResponseSpec(Problem, description=said, media_type=PROBLEM_JSON, generate_examples=False, examples=examples)


def _example(fact: type[Fact]) -> dict[str, Any]:
    base = dict(Problem.EXAMPLE)  # type: ignore[call-overload]
    return {
        **base,
        "type": f"/problems/{fact.slug}",
        "title": fact.title,
        "status": fact.status,
        "detail": f"{fact.title}.",
    }


def respond(
    request: Request[Any, Any, Any],
    *,
    slug: str,
    title: str,
    status: int,
    detail: str,
    faults: tuple[Fault, ...] = (),
    headers: Mapping[str, str] | None = None,
) -> Response[bytes]:
    request_id = str(request.scope.get("state", {}).get("request_id", ""))
    problem = Problem(
        type=f"{request.app.state.base_url}/problems/{slug}",
        title=title,
        status=status,
        detail=detail,
        instance=request.scope["path"],
        request_id=request_id,
        errors=[FaultView(fault.pointer, fault.code, fault.message) for fault in faults],
    )
    return Response(
        msgspec.json.encode(problem),
        status_code=status,
        media_type=PROBLEM_JSON,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def on_fact(request: Request[Any, Any, Any], fact: Fact) -> Response[bytes]:
    headers = {}
    if fact.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="procure"'
    if fact.retry_after_s is not None:
        headers["Retry-After"] = str(fact.retry_after_s)
    if fact.status in CLOSING:
        headers["Connection"] = "close"
    if fact.takes_coding is not None:
        headers["Accept-Encoding"] = fact.takes_coding
    return respond(
        request,
        slug=fact.slug,
        title=fact.title,
        status=fact.status,
        detail=fact.detail,
        faults=fact.faults,
        headers=headers,
    )


def on_parameters(request: Request[Any, Any, Any], error: ValidationException) -> Response[bytes]:
    """Litestar's validation of parameters. Of bodies only the empty one comes here; `body.read` has checked the others."""
    found = error.extra if isinstance(error.extra, list) else []
    if any(item.get("key") == "data" for item in found):
        return on_fact(request, BodyMalformed("The body is empty; this operation takes JSON."))
    faults = tuple(_parameter_fault(request, str(item.get("key", "")), str(item.get("message", ""))) for item in found)
    detail = "A parameter is not valid: see `errors`." if faults else error.detail
    return on_fact(request, ParametersInvalid(detail, faults=faults))


def _parameter_fault(request: Request[Any, Any, Any], name: str, message: str) -> Fault:
    """What is wrong with a parameter; of one that is a choice, what there is to choose from."""
    field = request.route_handler.parsed_fn_signature.parameters.get(name)
    kinds = () if field is None else (field.annotation, *get_args(field.annotation))
    choices = [one.value for kind in kinds if isinstance(kind, type) and issubclass(kind, StrEnum) for one in kind]
    if choices:
        message = f"`{name}` is one of: {', '.join(choices)}."
    return Fault(f"/{name}", "parameter", message)


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    slug, title = BY_STATUS.get(error.status_code, ("error", HTTPStatus(error.status_code).phrase))
    if error.status_code >= 500:
        log.error("http error", exc_info=error)
    detail = {
        404: "There is nothing at this address.",
        405: f"{request.method} is not offered here; see `Allow`.",
        413: f"The body is larger than {request.app.state.body_max_bytes} bytes.",
    }.get(error.status_code, f"{error.detail or title}.".replace("..", "."))
    headers = {name.title(): value for name, value in (error.headers or {}).items()}
    if error.status_code in CLOSING:
        headers["Connection"] = "close"
    if isinstance(error, MethodNotAllowedException):
        headers["Allow"] = ", ".join(allowed_methods(request.app, request.scope["path"]))
    return respond(request, slug=slug, title=title, status=error.status_code, detail=detail, headers=headers)


def allowed_methods(app: Litestar, path: str) -> list[str]:
    """Every method of the routes that this path leads to (RFC 9110, section 15.5.6: a 405 names them)."""
    methods = {method for route in _routes_at(app, path) for method in getattr(route, "methods", ())}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


def handlers_at(app: Litestar, path: str) -> list[Any]:
    """Every handler of the routes that this path leads to, whatever its method."""
    return [handler for route in _routes_at(app, path) for handler in getattr(route, "route_handlers", ())]


def _routes_at(app: Litestar, path: str) -> list[BaseRoute]:
    parts = [part for part in path.split("/") if part]
    return [route for route in app.routes if _leads_to(route, parts)]


def _leads_to(route: BaseRoute, parts: list[str]) -> bool:
    components = route.path_components
    return len(components) == len(parts) and all(map(_fits, components, parts))


def _fits(component: str | PathParameterDefinition, part: str) -> bool:
    if isinstance(component, str):
        return component == part
    try:
        return component.parser is None or component.parser(part) is not None
    except ValueError:
        return False


def on_database(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The database away, starting, or out of connections is a 503; two transactions in each other's way as well: try again."""
    if is_away(error) or _sqlstate(error) in {"40P01", "40001", "55P03", "57014"}:
        log.warning("database unavailable", error=type(error).__name__, sqlstate=_sqlstate(error))
        return on_fact(request, Unavailable("The database can't answer just now; try again shortly."))
    return on_anything(request, error)


def is_away(error: BaseException) -> bool:
    # asyncpg's InternalClientError is what a query meets that starts while the server's goodbye is being read.
    if isinstance(error, PoolTimeout | OSError | asyncpg.InterfaceError | asyncpg.InternalClientError | InterfaceError):
        return True
    state = _sqlstate(error)
    if state is None:
        return isinstance(error, OperationalError)
    return state[:2] in {"08", "53", "57"} or state == "25006"


def _sqlstate(error: BaseException) -> str | None:
    origin: Any = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(origin, "sqlstate", None)
    return state if isinstance(state, str) else None


def on_group(request: Request[Any, Any, Any], group: ExceptionGroup[Exception]) -> Response[bytes]:
    """What Litestar makes of an error while it closes the session after another: a database that went away, say."""
    first = group.exceptions[0]
    handler = next(HANDLERS[kind] for kind in type(first).__mro__ if kind in HANDLERS)
    return handler(request, first)


def on_answered(_request: Request[Any, Any, Any], answered: Answered) -> Response[bytes]:
    """No error: the reply was made before (`kit.idempotency`)."""
    return Replay(answered)


def on_not_modified(_request: Request[Any, Any, Any], known: NotModified) -> Response[bytes]:
    """No error: the caller has the bytes already. Who may keep them is said as of a 200 (`kit.headers`)."""
    return Response(b"", status_code=304, headers={"ETag": known.etag})


def on_stale(request: Request[Any, Any, Any], _error: StaleDataError) -> Response[bytes]:
    return on_fact(request, ChangedMeanwhile("It was changed while this request ran; read it again."))


def on_anything(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("unhandled error", exc_info=error)
    slug, title = BY_STATUS[500]
    return respond(
        request, slug=slug, title=title, status=500, detail="Something is wrong on our side; tell us the request_id."
    )


HANDLERS: dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]] = {
    Fact: on_fact,
    Answered: on_answered,
    NotModified: on_not_modified,
    ValidationException: on_parameters,
    HTTPException: on_http,
    StaleDataError: on_stale,
    DBAPIError: on_database,
    PoolTimeout: on_database,
    asyncpg.PostgresError: on_database,
    asyncpg.InterfaceError: on_database,
    asyncpg.InternalClientError: on_database,
    OSError: on_database,
    ExceptionGroup: on_group,
    Exception: on_anything,
}

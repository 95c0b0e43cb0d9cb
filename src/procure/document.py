"""The OpenAPI document: what Litestar derives from the routes, with examples, security and the problems that any call may meet."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
from litestar import Litestar, Router
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, License, OAuthFlow, OAuthFlows, Reference, SecurityScheme, Server, Tag
from litestar.routes import BaseRoute
from litestar.types import ControllerRouterHandler

from procure import __version__
from procure.kit.http import is_limited, key_use
from procure.kit.idempotency import HEADER, KEY_MAX, KEY_MIN, REPLAYED, Key
from procure.kit.problems import PROBLEM_JSON
from procure.kit.rates import TooManyRequests
from procure.kit.scopes import Scope

DESCRIPTION = """\
Outcomes first, then short lots: a council writes down the change it wants and how it will be measured, buys a few weeks of work at a
time, and pays deliverable by deliverable as each is accepted.

Money is net, as decimal strings. Instants are RFC 3339 in UTC. Every error is `application/problem+json` (RFC 9457) with all faults of
a body in `errors`, by JSON Pointer. Lists answer `items` and `next`, the address of the next page.
Every write takes an `Idempotency-Key`, a new UUID for each act and the same one for each retry: it is done once, and answered the same.
Each client has a quota, told in `RateLimit`; beyond it the answer is a 429 with `Retry-After`. A first bid for a lot is never refused so.
Replies are coded as zstd or gzip where `Accept-Encoding` asks and it pays; bodies are sent without a content coding (415).
Text is kept in Unicode's NFC, trimmed; what no reader sees is refused. Path and query have at most 8 KB (414), all headers 32 KB (431).

The demonstration replays real notices of UK Contracts Finder: contains public sector information licensed under the
[Open Government Licence v3.0](https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/).
"""

TAGS = [
    ("Tokens", "OAuth 2: access tokens, and the keys they are signed with."),
    ("Organisations", "Buyers and suppliers, their members and API clients."),
    ("Outcomes", "The change a buyer wants, its measures, and what is committed to it."),
    ("Lots", "Short competitions under an outcome."),
    ("Enquiries", "Questions before a lot closes; answers for everybody, the asker for nobody."),
    ("Bids", "Sealed until the lot's opening."),
    ("Evaluation", "Opening, panel, scores, consensus, ranking."),
    ("Awards", "Recommended by one person, approved by another, signed after the standstill."),
    ("Contracts", "Signature, deliverables, acceptance, completion."),
    ("Finance", "Orders, payables, invoices, payments."),
    ("Register", "What the public sees."),
    ("Time", "The clock that decides."),
    ("Sandbox", "Only with `PROCURE_SANDBOX=1`."),
    ("Service", "Health and version."),
]

_PAGE = re.compile(r"\bPage_(?:\w+\.)*(\w+)_(?!\w)")

#: Problems that any operation may answer, by status: (what, slug).
_ANYWHERE = {
    "400": ("The request can't be read, or a parameter is not valid.", "parameters-invalid"),
    "503": ("The database can't answer just now; `Retry-After` says when to try again.", "unavailable"),
}
_WITH_TOKEN = {
    "401": ("No token, or one that is not valid.", "unauthenticated"),
    "403": ("The scope or role for this is missing.", "scope-missing"),
}
_WITH_KEY = {
    "400": ("The key is not one value of 16 to 255 visible ASCII characters.", "idempotency-key-invalid"),
    "409": ("A request with this key is still running; see `Retry-After`.", "idempotency-key-busy"),
    "422": ("The key was used for another request.", "idempotency-key-reused"),
}
_WITHOUT_KEY = {"400": ("This needs an `Idempotency-Key`.", "idempotency-key-missing")}
_KEY_TEXT = """\
Whatever you send again with the same key is done once: the first reply comes again, byte for byte, with `Idempotency-Replayed: true`,
for 30 days. A new UUID for each act; the same one for each retry. Bare, or in the quotes of a String of RFC 9651."""

_WITH_BODY = {
    "413": ("The body is too large.", "body-too-large"),
    "415": ("The body is not JSON.", "media-type-unsupported"),
    "422": ("The body does not fit; `errors` lists every fault.", "body-invalid"),
}


#: As `components.headers`; the forms are those of draft-ietf-httpapi-ratelimit-headers-11.
_LIMIT_HEADERS = {
    "RateLimit": {
        "description": "What you have left under the named policy: `r` requests, and no more than those in the next `t` seconds."
        " Not there where the operator has switched the limit off, or the reply came before anybody was asked who is calling.",
        "schema": {"type": "string", "pattern": '^"[a-z]{1,20}";r=[0-9]{1,7};t=[0-9]{1,4}$', "maxLength": 42},
        "example": '"client";r=2995;t=1',
    },
    "RateLimit-Policy": {
        "description": "The policy that this request counts for: `q` requests in `w` seconds, evenly refilled. `client`: of a client"
        " with a token. `address`: of callers without one. `bids`: bids received of one client for one lot.",
        "schema": {"type": "string", "pattern": '^"[a-z]{1,20}";q=[0-9]{1,7};w=[0-9]{1,4}$', "maxLength": 42},
        "example": '"client";q=3000;w=60',
    },
    "Retry-After": {
        "description": "Seconds until it is worth trying again.",
        "schema": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 2147483647},
        "example": 1,
    },
}


class _Nowhere(Router):
    """Takes no route: Litestar would serve its own raw document beside ours, and a page of its own for what there is not."""

    def register(self, value: ControllerRouterHandler) -> list[BaseRoute]:  # noqa: ARG002 - Litestar's signature
        return []


def config() -> OpenAPIConfig:
    scopes = {scope.value: _scope_text(scope) for scope in Scope}
    flow = OAuthFlow(token_url="/oauth/token", scopes=scopes)  # noqa: S106 - an address
    schemes: dict[str, SecurityScheme | Reference] = {
        "oauth2": SecurityScheme(type="oauth2", flows=OAuthFlows(client_credentials=flow)),
        "client": SecurityScheme(
            type="http", scheme="basic", description="A client's id and secret, at the token endpoint."
        ),
    }
    return OpenAPIConfig(
        title="Procure",
        version=__version__,
        description=DESCRIPTION,
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        servers=[Server(url="/", description="This service")],
        tags=[Tag(name=name, description=text) for name, text in TAGS],
        components=Components(security_schemes=schemes),
        use_handler_docstrings=True,
        openapi_router=_Nowhere("/", route_handlers=[]),
    )


def _scope_text(scope: Scope) -> str:
    resource, action = scope.value.split(":")
    return f"{action.capitalize()} {resource}."


def build(app: Litestar) -> dict[str, Any]:
    """The whole document as plain values, keys in a stable order."""
    document: dict[str, Any] = msgspec.to_builtins(app.openapi_schema.to_schema(), str_keys=True)
    examples = _examples()
    uses, limited = _key_uses(app), _limited(app)
    document["components"]["headers"] = _LIMIT_HEADERS
    for operation in _operations(document):
        if (use := uses[operation["operationId"]]) is not Key.IGNORED:
            _add_key(operation, use)
        _add_problems(operation)
        if operation["operationId"] in limited:
            _add_limits(operation)
        if (refused := operation["responses"].get("429")) is not None:
            refused["headers"] = {**refused.get("headers", {}), "Retry-After": _told("Retry-After")}
        _add_request_example(operation, examples)
    for name, schema in document["components"]["schemas"].items():
        if name in examples:
            schema["examples"] = [examples[name]]
        if name in _strict_names():
            schema["additionalProperties"] = False
    named: dict[str, Any] = _with_plain_names(document)
    return named


def encode(document: dict[str, Any]) -> bytes:
    """As committed under `openapi/`: indented, sorted, so that a change is a readable diff."""
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2) + b"\n"


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from (operation for operation in item.values() if isinstance(operation, dict))


def _key_uses(app: Litestar) -> dict[str, Key]:
    """What each operation makes of Idempotency-Key, by its id."""
    handlers = [handler for route in app.routes for handler in getattr(route, "route_handlers", ())]
    return {str(handler.operation_id): key_use(handler) for handler in handlers}


def _add_key(operation: dict[str, Any], use: Key) -> None:
    schema = {"type": "string", "minLength": KEY_MIN, "maxLength": KEY_MAX, "pattern": "^[!-~]+$"}
    header = {
        "name": HEADER,
        "in": "header",
        "required": use is Key.REQUIRED,
        "description": _KEY_TEXT,
        "schema": schema,
    }
    header["example"] = "8e03978e-40d5-43dd-bc93-6894a57f9324"
    operation["parameters"] = [*operation.get("parameters", []), header]
    replayed = {
        "description": "`true` if this is the reply to an earlier request with the same key.",
        "schema": {"const": "true"},
    }
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            response["headers"] = {**response.get("headers", {}), REPLAYED: replayed}


def _limited(app: Litestar) -> set[str]:
    """The ids of the operations whose callers have a quota."""
    handlers = [handler for route in app.routes for handler in getattr(route, "route_handlers", ())]
    return {str(handler.operation_id) for handler in handlers if is_limited(handler)}


def _add_limits(operation: dict[str, Any]) -> None:
    """What is left in the replies of what was done, and the refusal of those that have nothing left."""
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    fact = TooManyRequests
    responses = operation["responses"]
    responses["429"] = {"description": f"`{fact.slug}`: {(fact.__doc__ or '').splitlines()[0]}", "content": content}
    for status, response in responses.items():
        if status.startswith("2") or status == "429":
            told = {name: _told(name) for name in ("RateLimit", "RateLimit-Policy")}
            response["headers"] = {**response.get("headers", {}), **told}
    operation["responses"] = dict(sorted(responses.items()))


def _told(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}


def _add_problems(operation: dict[str, Any]) -> None:
    known = [_ANYWHERE]
    if "oauth2" in str(operation.get("security")) and {} not in operation["security"]:
        known.append(_WITH_TOKEN)
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        known.append(_WITH_BODY)
    if key := next((one for one in operation.get("parameters", []) if one["name"] == HEADER), None):
        known += [_WITH_KEY, _WITHOUT_KEY] if key["required"] else [_WITH_KEY]
    responses = operation["responses"]
    for status, (text, slug) in (one for group in known for one in group.items()):
        # Litestar's own form of a 400 is not ours.
        if "OAuthError" in str(responses.get(status)):
            responses[status]["content"][PROBLEM_JSON] = {"schema": {"$ref": "#/components/schemas/Problem"}}
        elif "Problem" not in str(responses.get(status)):
            content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
            responses[status] = {"description": f"`{slug}`: {text}", "content": content}
        elif slug not in responses[status]["description"]:
            responses[status]["description"] += f"; `{slug}`: {text}"
    operation["responses"] = dict(sorted(responses.items()))


def _add_request_example(operation: dict[str, Any], examples: dict[str, Any]) -> None:
    for media in operation.get("requestBody", {}).get("content", {}).values():
        name = media.get("schema", {}).get("$ref", "").rpartition("/")[2]
        if name in examples:
            media["examples"] = {"example": {"summary": "An example", "value": examples[name]}}


def _examples() -> dict[str, Any]:
    """Each Struct's own EXAMPLE, by the name of its schema."""
    return {struct.__name__: struct.__dict__["EXAMPLE"] for struct in _structs() if "EXAMPLE" in struct.__dict__}


def _strict_names() -> set[str]:
    """Schemas of the Structs that refuse a field which they do not know."""
    return {struct.__name__ for struct in _structs() if struct.__struct_config__.forbid_unknown_fields}


@cache
def _structs() -> list[type[msgspec.Struct]]:
    found = list(msgspec.Struct.__subclasses__())
    for struct in found:
        found.extend(struct.__subclasses__())
    return found


def _with_plain_names(value: Any) -> Any:
    """`Page[LotSummary]` is called LotSummaryPage, and not by its modules, in every place that names it."""
    if isinstance(value, dict):
        return {_PAGE.sub(r"\1Page", key): _with_plain_names(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_plain_names(inner) for inner in value]
    return _PAGE.sub(r"\1Page", value) if isinstance(value, str) else value

"""The OpenAPI document: what Litestar derives from the routes, with bounds, examples, links and the problems that any call may meet."""

from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Litestar, Router
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import (
    Components,
    Contact,
    License,
    OAuthFlow,
    OAuthFlows,
    Reference,
    SecurityScheme,
    Server,
    Tag,
)
from litestar.routes import BaseRoute
from litestar.types import ControllerRouterHandler

from procure import __version__
from procure.document import conditions, events, keys, limits, links, parameters, replies
from procure.document.schemas import bound, components, handlers, with_plain_names
from procure.document.texts import DESCRIPTION, TAGS
from procure.kit.scopes import Scope


class _Nowhere(Router):
    """Takes no route: Litestar would serve its own raw document beside ours, and a page of its own for what there is not."""

    def register(self, value: ControllerRouterHandler) -> list[BaseRoute]:  # noqa: ARG002 - Litestar's signature
        return []


def config() -> OpenAPIConfig:
    scopes = {scope.value: _scope_text(scope) for scope in Scope}
    flow = OAuthFlow(token_url="/oauth/token", scopes=scopes)  # noqa: S106 - an address
    schemes: dict[str, SecurityScheme | Reference] = {
        "oauth2": SecurityScheme(
            type="oauth2",
            description=(
                "A client's id and secret bring an access token (RFC 9068): short-lived, signed with ES256, read as RFC8725 advises. "
                "With no scope chosen it has all that the client's roles allow."
            ),
            flows=OAuthFlows(client_credentials=flow),
        ),
        "sign_on": SecurityScheme(
            type="http",
            scheme="bearer",
            bearer_format="JWT",
            description=(
                "An access token of a council's own sign-on (OpenID Connect), read as RFC8725 advises, where this service takes any. "
                "Every operation takes it in the place of an access token of its own; this one takes nothing else."
            ),
        ),
        "client": SecurityScheme(
            type="http",
            scheme="basic",
            description=(
                "A client's id and secret, at the token endpoints alone; a client with a key sends `client_assertion` in the form instead. "
                "To try operations on this page, log in under `oauth2`."
            ),
        ),
    }
    return OpenAPIConfig(
        title="Procure",
        version=__version__,
        description=DESCRIPTION,
        contact=Contact(name="Whoever runs this service"),
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        servers=[Server(url="/", description="Where this document is read from: local, staging or production.")],
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
    document["components"]["schemas"] = components(app, events.structs())
    document["components"]["headers"] = {**replies.HEADERS, **limits.HEADERS}
    document["servers"][0]["x-internal"] = False
    document = with_plain_names(document)
    schemas = document["components"]["schemas"]
    uses, tagged, limited = keys.uses(app), conditions.uses(app), limits.limited(app)
    deprecations = {str(one.operation_id): one.opt.get("deprecation") for one in handlers(app)}
    for operation in _operations(document):
        if not operation["deprecated"]:
            del operation["deprecated"]
        parameters.tidy(operation)
        keys.add(operation, uses[operation["operationId"]])
        keys.add_acting(operation)
        conditions.add(operation, tagged[operation["operationId"]])
        _tidy_request(operation, schemas)
        if operation["operationId"] in limited:
            limits.add(operation)
        replies.complete(operation, schemas)
        if deprecation := deprecations.get(operation["operationId"]):
            replies.deprecate(operation, deprecation)
    links.add(document)
    events.add(document)
    return document


def encode(document: dict[str, Any]) -> bytes:
    """As committed under `openapi/`: indented, sorted, so that a change is a readable diff."""
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2) + b"\n"


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from (operation for operation in item.values() if isinstance(operation, dict))


def _tidy_request(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    for media in operation.get("requestBody", {}).get("content", {}).values():
        bound(media["schema"])
        name = media["schema"].get("$ref", "").rpartition("/")[2]
        for example in schemas.get(name, {}).get("examples", []):
            media["examples"] = {"example": {"summary": "An example", "value": example}}

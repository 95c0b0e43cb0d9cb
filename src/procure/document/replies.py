"""What each operation may answer: its own replies with an example, the problems that any call may meet, and the headers of both."""

from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Any

import msgspec

from procure.document.schemas import INT32_MAX
from procure.kit.deprecation import Deprecation
from procure.kit.etags import IF_MATCH, IF_NONE_MATCH
from procure.kit.idempotency import HEADER
from procure.kit.problems import PROBLEM_JSON

#: Problems that any operation may answer, by status: (what, slug).
_ANYWHERE = {
    "400": ("The request can't be read, or a parameter is not valid.", "parameters-invalid"),
    "500": ("Something is wrong on our side; tell us the `request_id`.", "internal-error"),
    "503": ("The database can't answer just now; `Retry-After` says when to try again.", "unavailable"),
}
_WITH_TOKEN = {
    "401": ("No token, or one that is not valid.", "unauthenticated"),
    "403": ("The scope or role for this is missing.", "scope-missing"),
}
_WITHOUT_TOKEN = {
    "401": ("No token is needed, and the one that was sent is not valid.", "unauthenticated"),
    "403": ("No token is needed, and the one that was sent is of a suspended organisation.", "organisation-suspended"),
}
_WITH_BODY = {
    "413": ("The body is too large.", "body-too-large"),
    "415": ("The body is not JSON.", "media-type-unsupported"),
    "422": ("The body does not fit; `errors` lists every fault.", "body-invalid"),
}

_WITH_KEY = {
    "400": ("The key is not one value of 16 to 255 visible ASCII characters.", "idempotency-key-invalid"),
    "409": ("A request with this key is still running; see `Retry-After`.", "idempotency-key-busy"),
    "422": ("The key was used for another request.", "idempotency-key-reused"),
}
_WITHOUT_KEY = {"400": ("This needs an `Idempotency-Key`.", "idempotency-key-missing")}
_WITH_CONDITION = {"412": ("It has changed since you read it: read it again.", "changed-since-read")}
_WITH_CONDITION_TO_ACT = {"400": ("The condition is not `*`, nor a list of entity tags.", "condition-invalid")}
_WITHOUT_CONDITION = {"428": ("This needs `If-Match`, with the tag of what you read.", "if-match-missing")}

#: Headers of replies, by name, as `components.headers`.
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "The request's id: the one that you sent in `X-Request-ID`, or a new one; a problem and the log have it too.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]+$", "minLength": 8, "maxLength": 64},
    },
    "Access-Control-Allow-Origin": {
        "description": "Only to a page of an origin that this service names in its settings; without one, to no page of another origin.",
        "schema": {"type": "string", "format": "uri", "maxLength": 2000},
    },
    "ETag": {
        "description": "The strong entity tag of what is answered, as it is shown to you now: send it in `If-None-Match` or `If-Match`.",
        "schema": {
            "type": "string",
            "pattern": r'^"[A-Za-z0-9_-]+(\+(gzip|zstd))?"$',
            "minLength": 18,
            "maxLength": 23,
        },
    },
    "Retry-After": {
        "description": "Seconds until it is worth trying again.",
        "schema": {"type": "integer", "format": "int32", "minimum": 0, "maximum": INT32_MAX},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate (RFC 9110, section 11.6.1).",
        "schema": {"type": "string", "pattern": r"^[ -~]+$", "maxLength": 200},
    },
}
_ALWAYS = ("Access-Control-Allow-Origin", "X-Request-ID")
_WITH_STATUS = {"401": ("WWW-Authenticate",), "429": ("Retry-After",), "503": ("Retry-After",)}


def complete(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Add to an operation's replies what Litestar does not know of them."""
    _add_problems(operation)
    for status, response in operation["responses"].items():
        given = {name: header for name, header in response.get("headers", {}).items() if name != "cache-control"}
        names = (*_ALWAYS, *_WITH_STATUS.get(status, ()))
        told = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        response["headers"] = {**told, **given}
        for media in response.get("content", {}).values():
            for example in media.get("examples", {}).values():
                example.pop("id", None)  # Litestar's own, unknown to OpenAPI
        if status.startswith("2"):
            _describe(operation["operationId"], status, response, schemas)


def deprecate(operation: dict[str, Any], deprecation: Deprecation) -> None:
    """Say in the text and in each reply's headers that an operation is to go; `deprecated: true` has Litestar said."""
    operation["description"] = f"{operation['description']}\n\n{deprecation.sentence()}"
    for response in operation["responses"].values():
        for name, value in deprecation.headers().items():
            schema = {"type": "string", "const": value}
            response["headers"][name] = {"description": "What `description` says, for machines.", "schema": schema}


def _describe(name: str, status: str, response: dict[str, Any], schemas: dict[str, Any]) -> None:
    """In the words of what is answered, where a route has none of its own, and with an example that the service gave once."""
    for kind, media in response.get("content", {}).items():
        struct = media["schema"].get("$ref", "").rpartition("/")[2]
        if struct in schemas and response["description"] == HTTPStatus(int(status)).description:
            response["description"] = schemas[struct]["description"].split(". ")[0].rstrip(".") + "."
        if struct not in schemas:
            media["schema"] = {"contentMediaType": kind}  # a file: streamed, as long as it is
        if (example := examples().get(name, {}).get(status)) is not None:
            media["examples"] = {"example": {"summary": "As it was answered", "value": example}}


def _add_problems(operation: dict[str, Any]) -> None:
    known = [_ANYWHERE]
    if "oauth2" in str(operation.get("security")):
        known.append(_WITHOUT_TOKEN if {} in operation["security"] else _WITH_TOKEN)
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        known.append(_WITH_BODY)
    named = {one["name"]: one for one in operation.get("parameters", [])}
    if key := named.get(HEADER):
        known += [_WITH_KEY, _WITHOUT_KEY] if key["required"] else [_WITH_KEY]
    if condition := named.get(IF_MATCH):
        known.append(_WITH_CONDITION)
        known += [_WITHOUT_CONDITION] if condition["required"] else []
        known += [_WITH_CONDITION_TO_ACT] if IF_NONE_MATCH not in named else []
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


@cache
def examples() -> dict[str, dict[str, Any]]:
    """Replies by operation id and status, as `tests/test_examples.py` has recorded them."""
    found: dict[str, dict[str, Any]] = msgspec.json.decode(
        files("procure.document").joinpath("examples.json").read_bytes()
    )
    return found

"""What the document says of quotas: what is left in the replies of what was done, and the refusal when nothing is."""

from typing import Any

from litestar import Litestar

from procure.document.schemas import handlers
from procure.kit.http import is_limited
from procure.kit.problems import PROBLEM_JSON
from procure.kit.rates import TooManyRequests

#: As `components.headers`; the forms are those of draft-ietf-httpapi-ratelimit-headers-11.
HEADERS: dict[str, dict[str, Any]] = {
    "RateLimit": {
        "description": "What you have left under the named policy: `r` requests, and no more than those in the next `t` seconds."
        " Not there where the operator has switched the limit off, or the reply came before anybody was asked who is calling.",
        "schema": {"type": "string", "pattern": '^"[a-z]{1,20}";r=[0-9]{1,7};t=[0-9]{1,4}$', "maxLength": 42},
        "example": '"client";r=2995;t=1',
    },
    "RateLimit-Policy": {
        "description": "The policy that this request counts for: `q` requests in `w` seconds, evenly refilled. `client`: of a client"
        " with a token, or of a person by their sign-on. `address`: of callers without one. `bids`: bids received of one client for"
        " one lot.",
        "schema": {"type": "string", "pattern": '^"[a-z]{1,20}";q=[0-9]{1,7};w=[0-9]{1,4}$', "maxLength": 42},
        "example": '"client";q=3000;w=60',
    },
}


def limited(app: Litestar) -> set[str]:
    """The ids of the operations whose callers have a quota."""
    return {str(one.operation_id) for one in handlers(app) if is_limited(one)}


def add(operation: dict[str, Any]) -> None:
    """To one of those."""
    said = (TooManyRequests.__doc__ or "").splitlines()[0]
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses = operation["responses"]
    responses["429"] = {"description": f"`{TooManyRequests.slug}`: {said}", "content": content}
    told = {name: {"$ref": f"#/components/headers/{name}"} for name in HEADERS}
    for status, response in responses.items():
        if status.startswith("2") or status == "429":
            response["headers"] = {**response.get("headers", {}), **told}

"""What the document says of how what writes is done: once for its Idempotency-Key, or on trial; and what replies tell of it."""

from typing import Any

from litestar import Litestar

from procure.document.schemas import handlers
from procure.kit.http import key_use
from procure.kit.idempotency import HEADER, KEY_MAX, KEY_MIN, REPLAYED, Key
from procure.kit.trial import PARAMETER, VALIDATED

_KEY_TEXT = """\
Whatever you send again with the same key is done once: the first reply comes again, byte for byte, with `Idempotency-Replayed: true`,
for 30 days. A new UUID for each act; the same one for each retry. Bare, or in the quotes of a String of RFC 9651."""
_TRIAL_TEXT = """\
`true` runs all of it and takes it back at the end: the reply is what it would be, problems included, and nothing is kept; ids, references
and keys in it are nobody's. It needs no `Idempotency-Key`, and has `Validated-Only: true` where it went well."""
_TRIAL = {
    "name": PARAMETER,
    "in": "query",
    "required": False,
    "description": _TRIAL_TEXT,
    "schema": {"type": "boolean", "default": False},
}
_TOLD = {
    REPLAYED: "`true` if this is the reply to an earlier request with the same key.",
    VALIDATED: "`true` if this was only a trial: nothing was done.",
}

_ACTING_TEXT = """\
The organisation that you act for, by its id. A person with several memberships has to say it; with one, and for an API client, it may be
left out."""
_ACTING = {
    "name": "Procure-Organisation",
    "in": "header",
    "required": False,
    "description": _ACTING_TEXT,
    "schema": {"type": "string", "format": "uuid", "maxLength": 36},
    "example": "0199c0de-0000-7000-8000-000000000003",
}


def uses(app: Litestar) -> dict[str, Key]:
    """What each operation makes of Idempotency-Key, by its id."""
    return {str(handler.operation_id): key_use(handler) for handler in handlers(app)}


def add_acting(operation: dict[str, Any]) -> None:
    """For which organisation it is asked, wherever a bearer token counts."""
    if any("oauth2" in scheme for scheme in operation.get("security", [])):
        operation["parameters"] = [*operation.get("parameters", []), _ACTING]


def add(operation: dict[str, Any], use: Key) -> None:
    """The header, required or not, the trial, and what a reply tells of either; nothing where both are ignored."""
    if use is Key.IGNORED:
        return
    schema = {"type": "string", "minLength": KEY_MIN, "maxLength": KEY_MAX, "pattern": "^[!-~]+$"}
    header = {
        "name": HEADER,
        "in": "header",
        "required": use is Key.REQUIRED,
        "description": _KEY_TEXT,
        "schema": schema,
    }
    header["example"] = "8e03978e-40d5-43dd-bc93-6894a57f9324"
    operation["parameters"] = [*operation.get("parameters", []), header, _TRIAL]
    told = {name: {"description": text, "schema": {"const": "true"}} for name, text in _TOLD.items()}
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            response["headers"] = {**response.get("headers", {}), **told}

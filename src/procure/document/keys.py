"""What the document says of Idempotency-Key: a header of what writes, and what its replies tell of it."""

from typing import Any

from litestar import Litestar

from procure.document.schemas import handlers
from procure.kit.http import key_use
from procure.kit.idempotency import HEADER, KEY_MAX, KEY_MIN, REPLAYED, Key

_KEY_TEXT = """\
Whatever you send again with the same key is done once: the first reply comes again, byte for byte, with `Idempotency-Replayed: true`,
for 30 days. A new UUID for each act; the same one for each retry. Bare, or in the quotes of a String of RFC 9651."""


def uses(app: Litestar) -> dict[str, Key]:
    """What each operation makes of Idempotency-Key, by its id."""
    return {str(handler.operation_id): key_use(handler) for handler in handlers(app)}


def add(operation: dict[str, Any], use: Key) -> None:
    """The header, required or not, and what a reply tells of it; nothing where it is ignored."""
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
    operation["parameters"] = [*operation.get("parameters", []), header]
    replayed = {
        "description": "`true` if this is the reply to an earlier request with the same key.",
        "schema": {"const": "true"},
    }
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            response["headers"] = {**response.get("headers", {}), REPLAYED: replayed}

"""Where a reply leads: from what was made to its read, and to the acts that may follow (OpenAPI 3.1, Link Object)."""

from typing import Any


def add(document: dict[str, Any]) -> None:
    pass

"""JSON as strangers write it: whatever stands where an object or a list should be, there is one."""

from typing import Any

Document = dict[str, Any]


def as_dict(value: object) -> Document:
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []

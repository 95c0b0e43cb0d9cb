"""Writes `docs/events.md` from the events themselves: `python -m procure.catalogue`; a test holds it to them."""

from collections.abc import Iterator
from importlib import import_module
from inspect import getdoc
from pathlib import Path
from typing import Any

import msgspec

from procure.journal import events
from procure.journal.events import Event
from procure.kit.scopes import roles_with

PAGE = Path("docs/events.md")
_SRC = Path(__file__).parent
_INTRO = """# Events

What is told of everything that happens, by `GET /v1/changes`, its stream, timelines and webhooks. Written from each package's
`events.py` by `make events`; don't edit it.

`data` of a change has the fields below, beside `object_id` and `object_version`: the row that it is about, and its version after the
effect. Types and fields are added without notice; when a field changes its meaning, the `event_version` of its type is raised. An auditor
is told, too, of all that their own organisation did. What is told of an open lot's bids comes with its seal.
"""


def catalogue() -> list[type[Event]]:
    """Every type of event that Procure records, by its name."""
    for path in sorted(_SRC.rglob("events.py")):
        import_module(".".join(("procure", *path.relative_to(_SRC).with_suffix("").parts)))
    return [one for one in events.catalogue() if one.__module__.startswith("procure.")]


def said(event: type[Event]) -> str:
    """What the event tells, in its own words."""
    return " ".join((getdoc(event) or "").split())


def audience(event: type[Event]) -> str:
    """Who is told, in a sentence."""
    told = " or ".join(event.told)
    if event.readers is None:
        return f"Told to {told}."
    roles = ", ".join(f"`{role}`" for role in roles_with(event.readers))
    return f"Told to {told} ({roles})."


def render() -> str:
    """The whole page: each type under its own name."""
    return "\n".join([_INTRO, *(_entry(one) for one in catalogue())])


def _entry(event: type[Event]) -> str:
    lines = [
        f"## {event.type}",
        "",
        said(event),
        "",
        f"Version {event.event_version}, about the {event.object_type.replace('_', ' ')}. {audience(event)}",
        "",
    ]
    if rows := list(_fields(event)):
        lines += ["| field | what it is |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _fields(event: type[Event]) -> Iterator[str]:
    schema, parts = msgspec.json.schema_components([event], ref_template="{name}")
    del schema
    for name, field in parts[event.__name__]["properties"].items():
        if name not in Event.__struct_fields__:
            yield f"| `{name}` | {_kind(field, parts)} |"


def _kind(field: dict[str, Any], parts: dict[str, Any]) -> str:
    """A field's schema in words."""
    if "anyOf" in field:
        return " or ".join(_kind(one, parts) for one in field["anyOf"])
    if "$ref" in field:
        part = parts[field["$ref"]]
        if "enum" in part:
            return "one of " + ", ".join(f"`{one}`" for one in part["enum"])
        return "{" + ", ".join(f"`{name}`" for name in part["properties"]) + "}"
    if field["type"] == "array":
        return f"a list, each {_kind(field['items'], parts)}"
    return _scalar(field)


def _scalar(field: dict[str, Any]) -> str:
    if "format" in field:
        return {"uuid": "an id", "date": "a day", "date-time": "an instant"}[field["format"]]
    if "pattern" in field:
        return f"a text like `{field['pattern'].replace('|', chr(92) + '|')}`"
    kinds = {"string": "a text", "integer": "a whole number", "boolean": "true or false", "null": "null"}
    bound = f" of at most {field['maxLength']} characters" if "maxLength" in field else ""
    return kinds[field["type"]] + bound


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")

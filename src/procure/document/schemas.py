"""The schemas of bodies: from msgspec itself, so that what reads a body also describes it, and each with its bounds."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, get_args, get_origin

import msgspec
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler

REF = "#/components/schemas/{name}"
#: What `kit.body` lets into a text: no control character but tab and line feeds.
TEXT = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$"
INT32_MAX = 2**31 - 1
#: As they are written at most: an instant with nanoseconds and an offset.
LENGTHS = {"uuid": 36, "date": 10, "date-time": 35, "decimal": 20}
#: Of dataclasses in `rules`, which know nothing of msgspec and so carry no bounds of their own.
RULES = {"Policy": {"terms_version": {"maxLength": 100}}}

_PAGE = re.compile(r"\bPage_(?:\w+\.)*(\w+)_(?!\w)")


def handlers(app: Litestar) -> list[HTTPRouteHandler]:
    """Every handler that is in the document."""
    found = [handler for route in app.routes for handler in getattr(route, "route_handlers", ())]
    return [handler for handler in found if handler.resolve_include_in_schema() and handler.operation_id]


def components(app: Litestar, beside: Iterable[type]) -> dict[str, Any]:
    """The schema of each Struct that is sent or answered, or stands `beside`, by its name. Litestar's own drop msgspec's annotations."""
    types = {struct: None for handler in handlers(app) for struct in _bodies(handler)} | dict.fromkeys(beside)
    _, found = msgspec.json.schema_components(types, ref_template=REF)
    examples = {struct.__name__: struct.__dict__["EXAMPLE"] for struct in structs() if "EXAMPLE" in struct.__dict__}
    for name, schema in found.items():
        for field, more in RULES.get(name, {}).items():
            schema["properties"][field] |= more
        if name in examples:
            schema["examples"] = [examples[name]]
        bound(schema)
    return found


def _bodies(handler: HTTPRouteHandler) -> Iterator[Any]:
    asked = handler.parsed_fn_signature.parameters.get("data")
    answered = [spec.data_container for spec in (handler.responses or {}).values()]
    for type_ in (asked and asked.annotation, handler.parsed_fn_signature.return_type.annotation, *answered):
        inner = answer_of(type_)
        origin = get_origin(inner) or inner
        if isinstance(origin, type) and issubclass(origin, msgspec.Struct):
            yield inner


def answer_of(type_: Any) -> Any:
    """`Response[LotView]` answers a LotView."""
    origin = get_origin(type_)
    return get_args(type_)[0] if isinstance(origin, type) and issubclass(origin, Response) else type_


def bound(schema: Any) -> None:
    """Give every text, number and list in `schema` the bounds that it has by its kind, where it does not name its own."""
    for node in _nodes(schema):
        kind = node.get("type")
        if kind is None and "enum" in node:
            node["type"] = "string"
        elif kind == "string" and not node.keys() & {"enum", "const"}:
            _bound_text(node)
        elif kind == "integer":
            node.setdefault("minimum", 0)
            node.setdefault("maximum", INT32_MAX)
            node["minimum"], node["maximum"] = int(node["minimum"]), int(node["maximum"])
            node["format"] = "int32" if node["maximum"] <= INT32_MAX else "int64"


def _bound_text(node: dict[str, Any]) -> None:
    if "format" in node:
        node.setdefault("maxLength", LENGTHS.get(node["format"], 2000))
    else:
        node.setdefault("pattern", TEXT)


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """This schema and those in it, but no example, default or name of a property."""
    if not isinstance(schema, dict):
        return
    yield schema
    for inner in (schema.get("properties") or {}).values():
        yield from _nodes(inner)
    for key in ("items", "additionalProperties"):
        yield from _nodes(schema.get(key))
    for key in ("anyOf", "oneOf", "allOf"):
        for inner in schema.get(key, ()):
            yield from _nodes(inner)


@cache
def structs() -> list[type[msgspec.Struct]]:
    found = list(msgspec.Struct.__subclasses__())
    for struct in found:
        found.extend(struct.__subclasses__())
    return found


def with_plain_names(value: Any) -> Any:
    """`Page[LotSummary]` is called LotSummaryPage, and not by its modules, in every place that names it."""
    if isinstance(value, dict):
        return {_PAGE.sub(r"\1Page", key): with_plain_names(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_plain_names(inner) for inner in value]
    return _PAGE.sub(r"\1Page", value) if isinstance(value, str) else value

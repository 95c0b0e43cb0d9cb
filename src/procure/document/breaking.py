"""What of a released document a newer one breaks: whatever a client that was written by the old one may find changed.

What is sent may be taken more widely and never more narrowly; what is answered may tell more and never less or something else.
Texts, examples and links may change at will. A change of either kind that is not known here to be harmless is called a break.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

#: Bounds, and whether a greater value of it is the narrower one.
_BOUNDS = {
    "minimum": True,
    "exclusiveMinimum": True,
    "minLength": True,
    "minItems": True,
    "maximum": False,
    "exclusiveMaximum": False,
    "maxLength": False,
    "maxItems": False,
}


@dataclass(frozen=True)
class _Walk:
    """Two documents side by side; `is_sent`: whether what is compared is sent by clients, or answered to them."""

    old: Json
    new: Json
    is_sent: bool
    #: Pairs of names that are being compared already: schemas may hold each other.
    seen: frozenset[tuple[str, str]] = frozenset()


def breaks(old: Json, new: Json) -> list[str]:
    """What a client of `old` would stumble over in `new`, each with its place; nothing where all of it goes on."""
    found: list[str] = []
    for path, item in old["paths"].items():
        for method, operation in item.items():
            place = f"{method.upper()} {path}"
            now = new["paths"].get(path, {}).get(method)
            if now is None:
                found.append(f"{place}: is gone")
            else:
                found += (f"{place}: {said}" for said in _operation(old, new, operation, now))
    return found


def is_new_line(old: str, new: str) -> bool:
    """Whether the version may break what the older one promised: another major one, and before 1.0 another minor one (SemVer 2.0)."""
    return _line(old) < _line(new)


def _line(version: str) -> tuple[int, int]:
    major, minor = (int(part) for part in version.split(".")[:2])
    return (major, 0 if major else minor)


def _operation(old: Json, new: Json, was: Json, now: Json) -> Iterator[str]:
    if was["operationId"] != now["operationId"]:
        yield f"is called {now['operationId']}, and was {was['operationId']}"
    yield from _security(was.get("security", []), now.get("security", []))
    yield from _parameters(_Walk(old, new, is_sent=True), was, now)
    yield from _body(_Walk(old, new, is_sent=True), was.get("requestBody"), now.get("requestBody"))
    yield from _replies(_Walk(old, new, is_sent=False), was["responses"], now["responses"])


def _security(was: list[Json], now: list[Json]) -> Iterator[str]:
    """Each way in is still one: it may ask for fewer scopes, and not for others."""
    for way in was:
        if not any(_opens(way, other) for other in now):
            yield f"is not open by {way or 'no token'} any more"


def _opens(key: Json, lock: Json) -> bool:
    return all(scheme in key and set(scopes) <= set(key[scheme]) for scheme, scopes in lock.items())


def _parameters(walk: _Walk, was: Json, now: Json) -> Iterator[str]:
    olds, news = ({(one["in"], one["name"]): one for one in side.get("parameters", [])} for side in (was, now))
    for (kind, name), one in olds.items():
        if (kind, name) not in news:
            yield f"parameter {name} is gone"
        else:
            yield from _schema(walk, one["schema"], news[kind, name]["schema"], f"parameter {name}")
    for (kind, name), one in news.items():
        if one.get("required") and not olds.get((kind, name), {}).get("required"):
            yield f"parameter {name} is required now"


def _body(walk: _Walk, was: Json | None, now: Json | None) -> Iterator[str]:
    if was is None:
        if now is not None and now.get("required"):
            yield "takes a body now"
        return
    if now is None:
        yield "takes no body any more"
        return
    if now.get("required") and not was.get("required"):
        yield "its body is required now"
    yield from _contents(walk, was, now, "body")


def _replies(walk: _Walk, was: Json, now: Json) -> Iterator[str]:
    """A new status is a break too where it means success: a client that knows 200 alone takes a 201 for a failure."""
    for status, response in was.items():
        if status not in now:
            yield f"answers {status} no more"
            continue
        yield from _contents(walk, response, now[status], status)
        for name in response.get("headers", {}).keys() - now[status].get("headers", {}).keys():
            yield f"{status} has no header {name} any more"
    for status in sorted(now.keys() - was.keys()):
        if status < "400":
            yield f"answers {status} now"


def _contents(walk: _Walk, was: Json, now: Json, place: str) -> Iterator[str]:
    for kind, media in was.get("content", {}).items():
        if kind not in now.get("content", {}):
            yield f"{place}: {kind} is gone"
        else:
            yield from _schema(walk, media.get("schema", {}), now["content"][kind].get("schema", {}), place)


def _schema(walk: _Walk, was: Json, now: Json, place: str) -> Iterator[str]:
    """The one as the other, references followed, and each pair of them once. Choices are compared by the kind of value."""
    names = (was.get("$ref", ""), now.get("$ref", ""))
    if names != ("", ""):
        if names in walk.seen:
            return
        walk = _Walk(walk.old, walk.new, walk.is_sent, walk.seen | {names})
        was, now = _resolved(walk.old, was), _resolved(walk.new, now)
    olds, news = _choices(walk.old, was), _choices(walk.new, now)
    for kind in sorted(olds.keys() - news.keys() if walk.is_sent else news.keys() - olds.keys()):
        yield f"{place}: {kind} is not taken any more" if walk.is_sent else f"{place}: may be {kind} now"
    for kind in sorted(olds.keys() & news.keys()):
        if olds[kind] is was and news[kind] is now:
            yield from _alike(walk, was, now, place)
        else:
            yield from _schema(walk, olds[kind], news[kind], place)


def _alike(walk: _Walk, was: Json, now: Json, place: str) -> Iterator[str]:
    """Two schemas of one kind of value."""
    yield from _values(walk, was, now, place)
    yield from _limits(walk, was, now, place)
    yield from _fields(walk, was, now, place)
    if "items" in was and "items" in now:
        yield from _schema(walk, was["items"], now["items"], f"{place}[]")


def _resolved(document: Json, schema: Json) -> Json:
    while "$ref" in schema:
        found: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def _choices(document: Json, schema: Json) -> dict[str, Json]:
    """What a value may be, by its type; a second choice of the same type by its name as well."""
    found: dict[str, Json] = {}
    for one in schema.get("anyOf") or schema.get("oneOf") or [schema]:
        kind = str(_resolved(document, one).get("type", "anything"))
        found[f"{kind} {one.get('$ref', '')}" if kind in found else kind] = one
    return found


def _values(walk: _Walk, was: Json, now: Json, place: str) -> Iterator[str]:
    """A value of a request that is gone is a break; a new one of a reply is none, or no status could ever be added."""
    olds, news = _enumerated(was), _enumerated(now)
    if olds is None:
        if news is not None and walk.is_sent:
            yield f"{place}: takes only {', '.join(sorted(news))} now"
    elif news is None:
        if not walk.is_sent:
            yield f"{place}: may be anything now"
    elif walk.is_sent:
        for value in sorted(olds - news):
            yield f"{place}: {value} is not taken any more"


def _enumerated(schema: Json) -> set[str] | None:
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if values is None else {str(value) for value in values}


def _limits(walk: _Walk, was: Json, now: Json, place: str) -> Iterator[str]:
    for name, is_lower in _BOUNDS.items():
        old, new = was.get(name), now.get(name)
        if old != new and _narrows(old, new, is_lower=is_lower) is walk.is_sent:
            yield f"{place}: {name} was {old} and is {new}"
    for name in ("pattern", "format"):
        old, new = was.get(name), now.get(name)
        # Which of two patterns takes more nobody can tell; none at all takes the most.
        if old != new and (new if walk.is_sent else old) is not None:
            yield f"{place}: {name} was {old} and is {new}"


def _narrows(old: Any, new: Any, *, is_lower: bool) -> bool:
    if old is None or new is None:
        return old is None
    return bool(new > old if is_lower else new < old)


def _fields(walk: _Walk, was: Json, now: Json, place: str) -> Iterator[str]:
    olds, news = was.get("properties", {}), now.get("properties", {})
    for name, field in olds.items():
        if name not in news:
            yield f"{place}.{name}: is gone"
        else:
            yield from _schema(walk, field, news[name], f"{place}.{name}")
    required_was, required_now = set(was.get("required", [])), set(now.get("required", []))
    if walk.is_sent:
        for name in sorted(required_now - required_was):
            yield f"{place}.{name}: is required now"
        if now.get("additionalProperties") is False and was and was.get("additionalProperties") is not False:
            yield f"{place}: takes no other fields any more"
    else:
        for name in sorted((required_was - required_now) & news.keys()):
            yield f"{place}.{name}: may be left out now"

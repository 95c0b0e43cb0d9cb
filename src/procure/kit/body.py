"""Reading a request's body: strictly, and with all its faults told at once.

msgspec stops at the first fault, so the happy path is one decode and one convert; only when that fails is the value walked field
by field to find every fault. Text is trimmed before its length is checked; NUL and other control characters are refused since
PostgreSQL stores no NUL and nobody reads the others.
"""

import re
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, UnsetType

from procure.kit.errors import Fault, Faults, Invalid, Malformed

T = TypeVar("T")
DEPTH_MAX = 32
FAULTS_MAX = 100
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class BodyMalformed(Malformed):
    """The body is not JSON that can be read."""

    slug, title = "body-malformed", "Body is not readable JSON"


class BodyInvalid(Invalid):
    """The body does not have the form that this operation takes."""

    slug, title = "body-invalid", "Body does not fit"


def read(body: bytes, type_: type[T]) -> T:
    """Decode `body` into `type_`; raises BodyMalformed (400) or BodyInvalid (422) with every fault."""
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BodyMalformed(f"The body is not readable as JSON: {error}.") from error
    return convert(raw, type_)


def convert(raw: Any, type_: type[T]) -> T:
    """Plain JSON values into `type_`, after trimming; raises BodyInvalid with every fault."""
    faults = Faults()
    cleaned = _clean(raw, "", 0, faults)
    if not faults.found:
        try:
            return msgspec.convert(cleaned, type_)
        except msgspec.ValidationError as error:
            first = error
        _walk(cleaned, type_, "", faults)
        if not faults.found:  # what the walk can't see (a rule across fields) msgspec has said itself
            faults.add(_pointer_of(first), "invalid", _sentence(first))
    faults.found = faults.found[:FAULTS_MAX]
    faults.raise_as(BodyInvalid, "The body does not fit: see `errors`.")


def _clean(value: Any, pointer: str, depth: int, faults: Faults) -> Any:
    if depth > DEPTH_MAX:
        raise BodyMalformed(f"The body is nested deeper than {DEPTH_MAX} levels.")
    if isinstance(value, str):
        if _CONTROL.search(value):
            faults.add(pointer, "control-character", "Text may not contain NUL or other control characters.")
        return value.strip()
    if isinstance(value, list):
        return [_clean(item, f"{pointer}/{index}", depth + 1, faults) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: _clean(item, f"{pointer}/{escape(key)}", depth + 1, faults) for key, item in value.items()}
    return value


def escape(key: str) -> str:
    """One token of a JSON Pointer (RFC 6901, section 3)."""
    return key.replace("~", "~0").replace("/", "~1")


def _walk(value: Any, type_: Any, pointer: str, faults: Faults) -> None:
    """Add a fault for each leaf that does not fit, descending through structs and lists."""
    inner = _without_annotation(type_)
    if isinstance(inner, type) and issubclass(inner, msgspec.Struct) and isinstance(value, dict):
        before = len(faults.found)
        _walk_struct(value, inner, pointer, faults)
        if len(faults.found) > before:
            return
    elif get_origin(inner) is list and isinstance(value, list):
        before = len(faults.found)
        for index, item in enumerate(value):
            _walk(item, get_args(inner)[0], f"{pointer}/{index}", faults)
        if len(faults.found) > before:
            return
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        faults.add(pointer + _pointer_of(error), _code(error), _sentence(error))


def _walk_struct(value: dict[str, Any], struct: type[msgspec.Struct], pointer: str, faults: Faults) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for name in value.keys() - fields.keys():
        faults.add(f"{pointer}/{escape(name)}", "unknown-field", f"There is no field `{name[:64]}` here.")
    for name, field in fields.items():
        if name in value:
            _walk(value[name], field.type, f"{pointer}/{name}", faults)
        elif field.required:
            faults.add(f"{pointer}/{name}", "required", f"`{name}` is required.")


def _without_annotation(type_: Any) -> Any:
    """The type below Annotated and below `| None` or `| UnsetType`."""
    while get_origin(type_) is Annotated:
        type_ = get_args(type_)[0]
    if get_origin(type_) in (Union, UnionType):
        others = [arg for arg in get_args(type_) if arg not in (type(None), UnsetType)]
        if len(others) == 1:
            return _without_annotation(others[0])
    return type_


_AT = re.compile(r" - at `\$(.*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


def _pointer_of(error: msgspec.ValidationError) -> str:
    """Msgspec's `$.a[0].b` as a JSON Pointer."""
    found = _AT.search(str(error))
    steps = _STEP.findall(found.group(1)) if found else []
    return "".join(f"/{escape(name or index)}" for name, index in steps)


def _sentence(error: msgspec.ValidationError) -> str:
    return _AT.sub("", str(error)) + "."


def _code(error: msgspec.ValidationError) -> str:
    text = str(error)
    for word, code in (("got `null`", "null"), ("length", "length"), ("regex", "pattern"), ("enum", "choice")):
        if word in text:
            return code
    return "type" if text.startswith("Expected `") and "got" in text else "value"


def given(patch: msgspec.Struct) -> dict[str, Any]:
    """The fields that a PATCH names: those not left UNSET."""
    return {name: value for name in patch.__struct_fields__ if (value := getattr(patch, name)) is not UNSET}


__all__ = ["BodyInvalid", "BodyMalformed", "Fault", "convert", "given", "read"]

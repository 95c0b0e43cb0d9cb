"""Reading a request's body: strictly, and with all its faults told at once.

msgspec stops at the first fault, so the happy path is one decode and one convert; only when that fails is the value walked field
by field to find every fault. Text is brought to NFC, so that what looks the same is the same, and trimmed before its length is
checked. What nobody sees is refused (`kit.seen`). A name given twice in one object is refused (RFC 7493, section 2.3): of two
amounts the sender may mean the one that we would not take.
"""

import json
import re
import unicodedata
from datetime import date
from enum import Enum
from types import UnionType
from typing import Annotated, Any, NoReturn, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, UnsetType

from procure.kit.errors import FAULTS_MAX, Fault, Faults, Invalid, Malformed
from procure.kit.seen import CONTROL, MARKS_MAX, is_overmarked, unseen

T = TypeVar("T")
#: A JSON Pointer, or the place around and the step from there: written out only where there is a fault to tell.
Place = Union[str, tuple["Place", str | int]]  # noqa: UP007 - a name that is not there yet can not stand by `|`
DEPTH_MAX = 32
#: Years in which a date makes sense here, and with which the calendar can reckon without falling off its end.
YEAR_MIN, YEAR_MAX = 1900, 2199
#: Faults of what text shows.
UNSEEN_CODE, MARKS_CODE = _SHOWN = ("unseen-character", "too-many-marks")
_TOO_DEEP = f"The body is nested deeper than {DEPTH_MAX} levels."


class BodyMalformed(Malformed):
    """The body is not JSON that can be read."""

    slug, title = "body-malformed", "Body is not readable JSON"


class BodyInvalid(Invalid):
    """The body does not have the form that this operation takes."""

    slug, title = "body-invalid", "Body does not fit"


def read(body: bytes, type_: type[T], *, is_judged: bool = False) -> T:
    """Decode `body` into `type_`; raises BodyMalformed (400) or BodyInvalid (422) with every fault.

    `is_judged` is what was taken once already: what its text shows is not asked again, by rules that may be newer than it.
    """
    try:
        raw = msgspec.json.decode(body)
    except RecursionError:
        raise BodyMalformed(_TOO_DEEP) from None
    except ValueError as error:  # a UnicodeDecodeError where it is not UTF-8
        raise BodyMalformed(f"The body is not readable as JSON: {error}.") from error
    cleaned, faults = _cleaned(raw)
    if is_judged:
        faults.found = [fault for fault in faults.found if fault.code not in _SHOWN]
    _refuse_repeated(body, raw)
    return _convert(cleaned, type_, faults)


def convert(raw: Any, type_: type[T]) -> T:
    """Plain JSON values into `type_`, after trimming; raises BodyInvalid with every fault."""
    cleaned, faults = _cleaned(raw)
    return _convert(cleaned, type_, faults)


def _refuse_repeated(body: bytes, raw: Any) -> None:
    """Each member has a colon, and what is dropped takes its colons along: as many written again as came, and nothing was dropped.

    Unless a colon came escaped; then, and to find the name, the standard library reads the body once more.
    """
    if b"\\u003" in body or body.count(b":") != msgspec.json.encode(raw).count(b":"):
        json.loads(body, object_pairs_hook=_refuse_pairs, parse_int=len, parse_float=len)


def _refuse_pairs(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise BodyMalformed(f"`{name[:64]}` is given twice in one object.")
        seen.add(name)


def _convert(cleaned: Any, type_: type[T], faults: Faults) -> T:
    try:
        value = msgspec.convert(cleaned, type_)
    except msgspec.ValidationError as error:
        _walk(cleaned, type_, "", faults)
        if not faults.found:  # what the walk can't see msgspec has said itself
            faults.add(_pointer_of(error), "invalid", _sentence(error))
        _refuse(faults)
    _check_dates(value, "", faults)
    if faults.found:
        _refuse(faults)
    return value


def _refuse(faults: Faults) -> NoReturn:
    faults.raise_as(BodyInvalid, "The body does not fit: see `errors`.")


def _cleaned(raw: Any) -> tuple[Any, Faults]:
    faults = Faults()
    return _clean(raw, "", 0, faults), faults


def _clean(value: Any, place: Place, depth: int, faults: Faults) -> Any:
    if isinstance(value, str):
        return _clean_text(value, place, faults)
    if depth > DEPTH_MAX:
        raise BodyMalformed(_TOO_DEEP)
    if isinstance(value, list):
        return [_clean(item, (place, index), depth + 1, faults) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: _clean(item, (place, key), depth + 1, faults) for key, item in value.items()}
    return value


def _clean_text(text: str, place: Place, faults: Faults) -> str:
    if not text.isascii():
        if is_overmarked(text):
            faults.add(_pointer(place), MARKS_CODE, f"Text may not pile more than {MARKS_MAX} marks on one letter.")
            return text.strip()
        text = unicodedata.normalize("NFC", text)
    if not text.isprintable() and CONTROL.search(text):
        faults.add(_pointer(place), "control-character", "Text may not contain NUL or other control characters.")
    if hidden := unseen(text):
        said = f"Text may not contain U+{ord(hidden):04X} here: no reader sees it."
        faults.add(_pointer(place), UNSEEN_CODE, said)
    return text.strip()


def _pointer(place: Place) -> str:
    return place if isinstance(place, str) else f"{_pointer(place[0])}/{escape(str(place[1]))}"


def escape(key: str) -> str:
    """One token of a JSON Pointer (RFC 6901, section 3)."""
    return key.replace("~", "~0").replace("/", "~1")


def _walk(value: Any, type_: Any, pointer: str, faults: Faults) -> None:
    """Add a fault for each leaf that does not fit, descending through structs and lists, until there are enough."""
    inner, bounds = _unwrapped(type_)
    before = len(faults.found)
    if before >= FAULTS_MAX:
        return
    if isinstance(inner, type) and issubclass(inner, msgspec.Struct) and isinstance(value, dict):
        _walk_struct(value, inner, pointer, faults)
    elif get_origin(inner) is list and isinstance(value, list):
        for index, item in enumerate(value):
            _walk(item, get_args(inner)[0], f"{pointer}/{index}", faults)
        type_ = type_ if len(faults.found) == before else _bounded(list[Any], bounds)
        before = len(faults.found)
    if len(faults.found) == before:
        _check_leaf(value, type_, pointer, faults)


def _check_leaf(value: Any, type_: Any, pointer: str, faults: Faults) -> None:
    try:
        _check_dates(msgspec.convert(value, type_), pointer, faults)
    except msgspec.ValidationError as error:
        faults.add(pointer + _pointer_of(error), _code(error), _choices(type_, error) or _sentence(error))


def _choices(type_: Any, error: msgspec.ValidationError) -> str:
    """What may be chosen, which msgspec does not say; nothing where another choice is meant."""
    inner, _ = _unwrapped(type_)
    if _code(error) != "choice" or not (isinstance(inner, type) and issubclass(inner, Enum)):
        return ""
    return f"One of: {', '.join(str(one.value) for one in inner)}."


def _check_dates(value: Any, place: Place, faults: Faults) -> None:
    if isinstance(value, str):
        return
    if isinstance(value, date):
        said = f"A year lies between {YEAR_MIN} and {YEAR_MAX}."
        faults.unless(YEAR_MIN <= value.year <= YEAR_MAX, _pointer(place), "year", said)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _check_dates(getattr(value, name), (place, name), faults)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_dates(item, (place, index), faults)


def _walk_struct(value: dict[str, Any], struct: type[msgspec.Struct], pointer: str, faults: Faults) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for name in sorted(value.keys() - fields.keys()):
        faults.add(f"{pointer}/{escape(name)}", "unknown-field", f"There is no field `{name[:64]}` here.")
    for name, field in fields.items():
        if name in value:
            _walk(value[name], field.type, f"{pointer}/{name}", faults)
        elif field.required:
            faults.add(f"{pointer}/{name}", "required", f"`{name}` is required.")


def _unwrapped(type_: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type below Annotated and below `| None` or `| UnsetType`, and what Annotated said of it."""
    bounds: tuple[Any, ...] = ()
    while get_origin(type_) is Annotated:
        type_, *more = get_args(type_)
        bounds += tuple(more)
    if get_origin(type_) in (Union, UnionType):
        others = [arg for arg in get_args(type_) if arg not in (type(None), UnsetType)]
        if len(others) == 1:
            return _unwrapped(others[0])
    return type_, bounds


def _bounded(type_: Any, bounds: tuple[Any, ...]) -> Any:
    return Annotated[(type_, *bounds)] if bounds else type_


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

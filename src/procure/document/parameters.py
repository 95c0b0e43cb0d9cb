"""Parameters as a client's generator wants them: nothing said twice, nothing that is null, each with its bounds."""

from typing import Any

from procure.document.schemas import bound

#: Of texts in an address that no kind describes; what does not fit is answered as what is not there.
PLACES = {
    "code": {"pattern": "^[0-9]{8}(-[0-9])?$", "maxLength": 10},
    "key": {"pattern": "^[A-Z][0-9]{1,3}$", "maxLength": 4},
    "version": {"pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 60},
}
#: What OpenAPI takes for granted.
_DEFAULTS = {"allowEmptyValue": False, "allowReserved": False, "deprecated": False}


def tidy(operation: dict[str, Any]) -> None:
    """Each parameter of an operation, without what Litestar adds. A query's value can't be null: it is given or left out."""
    operation["parameters"] = [_tidied(one) for one in operation.get("parameters", [])]
    if not operation["parameters"]:
        del operation["parameters"]


def _tidied(parameter: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in parameter.items() if name not in _DEFAULTS or value != _DEFAULTS[name]}
    schema = _given(kept["schema"]) | PLACES.get(kept["name"], {})
    schema.pop("description", None)
    if isinstance(pattern := schema.get("pattern"), str):
        schema["pattern"] = pattern.removesuffix(r"(?!\n)")  # Python's `$` alone lets a final line feed pass
    bound(schema)
    return {**kept, "schema": schema}


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without its null, what was said beside the choice said of what is left."""
    choices = [one for one in schema.get("oneOf", []) if one != {"type": "null"}]
    if len(choices) != 1:
        return dict(schema)
    return {**choices[0], **{name: value for name, value in schema.items() if name != "oneOf"}}

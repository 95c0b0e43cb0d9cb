"""What Schemathesis need not send, and how it reads what is not JSON. Loaded by it, not by pytest."""

import csv
import io
from typing import Any

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode

#: Text is what a header is: none is "of the wrong type". A GET answers in full where it can't read a condition (RFC 9110, section 13).
_TEXT = {"if-match", "if-none-match", "idempotency-key"}


@schemathesis.hook
def filter_case(_: Any, case: Any) -> bool:
    if case.meta is None:
        return True
    wrong = {place for place, one in case.meta.components.items() if one.mode is GenerationMode.NEGATIVE}
    return wrong != {ParameterLocation.HEADER} or not _TEXT & {name.lower() for name in case.headers or {}}


@schemathesis.deserializer("text/csv")
def rows(_: Any, response: Any) -> str:
    text: str = response.content.decode()
    list(csv.reader(io.StringIO(text), strict=True))
    return text

"""Every JSON reply of the test suite is held to the document: its status, its kind and its schema, to the last field."""

import re
from copy import deepcopy
from typing import Any, cast

import httpx
import jsonschema_rs
import msgspec
from litestar import Litestar

from procure import document
from tagged import held_to_its_tag

#: What stands before every operation answers for all of them, and is told in the document's text: method, lengths, headers.
BEFORE = {405, 406, 408, 411, 414, 415, 417, 431, 501}
BASE = "procure:document"


class Described:
    """The document of one application, compiled once."""

    def __init__(self, written: dict[str, Any]) -> None:
        self.operations = [
            (re.compile(re.sub(r"{\w+}", "[^/]+", path)), method.upper(), operation)
            for path, item in written["paths"].items()
            for method, operation in item.items()
        ]
        self.paths = written["paths"]
        # Literal addresses before those with a place in them, as the router has it.
        self.operations.sort(key=lambda one: one[0].pattern.count("[^/]+"))
        schemas = closed(written["components"]["schemas"])
        self.schemas: dict[str, Any] = {"$id": BASE, "components": {"schemas": schemas}}
        self.validators: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        found = (one for pattern, verb, one in self.operations if verb == method and pattern.fullmatch(path))
        return next(found, None)

    def faults(self, operation: dict[str, Any], status: int, kind: str, body: bytes) -> str | None:
        """What of this reply the document does not say."""
        response = operation["responses"].get(str(status))
        if response is None:
            if status in BEFORE:
                return None
            return f"{operation['operationId']} does not say that it answers {status}: {body[:300]!r}"
        content = response.get("content", {})
        if not content and not kind:
            return None
        if kind not in content:
            return f"{operation['operationId']} {status} does not say that it answers {kind or 'nothing'}"
        if not kind.endswith("json"):
            return None
        return self.misfit(content[kind]["schema"], msgspec.json.decode(body))

    def misfit(self, schema: dict[str, Any], value: Any) -> str | None:
        error = next(self.validator(schema).iter_errors(value), None)
        return None if error is None else f"{error.message} at {error.instance_path}"

    def validator(self, schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
        key = str(schema)
        if key not in self.validators:
            # The references of a schema lead into the document, wherever it stands itself.
            based = {"$id": BASE, **self.schemas, **schema}
            self.validators[key] = jsonschema_rs.Draft202012Validator(based, validate_formats=True)
        return self.validators[key]


def closed(schemas: dict[str, Any]) -> dict[str, Any]:
    """The schemas as we mean them of ourselves: what they do not name is not answered. Clients must expect that it is one day."""
    copied = deepcopy(schemas)
    for schema in copied.values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return copied


_described: dict[bool, Described] = {}


def described(app: Litestar) -> Described:
    """Built once for all applications with the same routes: those of a sandbox, and the others."""
    is_sandbox = app.state.settings.sandbox
    if is_sandbox not in _described:
        _described[is_sandbox] = Described(msgspec.json.decode(document.encode(document.build(app))))
    return _described[is_sandbox]


def held_to_the_document(app: Litestar) -> dict[str, list[Any]]:
    """The `event_hooks` of a client of this application."""

    async def hold(reply: httpx.Response) -> None:
        request = reply.request
        operation = described(app).operation(request.method, request.url.path)
        if operation is None:
            return
        await reply.aread()
        await held_to_its_tag(reply, operation["operationId"])
        kind = reply.headers.get("content-type", "").partition(";")[0]
        fault = described(app).faults(operation, reply.status_code, kind, reply.content)
        assert fault is None, f"{request.method} {request.url.path}: {fault}"

    return {"response": [hold]}


def client_of(app: Litestar, *, base_url: str = "http://procure.test", **more: Any) -> httpx.AsyncClient:
    """The service without a network, as anyone, each reply held to the document; `more` is for the transport."""
    # A real 500 must fail the test's assertion on the reply, not surface as an exception that production would not show.
    transport = httpx.ASGITransport(app=cast("Any", app), raise_app_exceptions=False, **more)
    return httpx.AsyncClient(transport=transport, base_url=base_url, event_hooks=held_to_the_document(app))

"""Each kind of break of a released document is seen, and what breaks nobody is not called one."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from procure import cli
from procure.document.breaking import breaks, is_new_line

Change = Callable[[dict[str, Any]], object]

SMALL: dict[str, Any] = {
    "info": {"version": "1.2.0"},
    "paths": {
        "/v1/lots/{lot_id}": {
            "patch": {
                "operationId": "reviseLot",
                "security": [{"oauth2": ["lots:write"]}],
                "parameters": [
                    {
                        "in": "path",
                        "name": "lot_id",
                        "required": True,
                        "schema": {"type": "string", "format": "uuid"},
                    },
                    {"in": "query", "name": "limit", "schema": {"type": "integer", "minimum": 1, "maximum": 200}},
                ],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/LotPatch"}}}},
                "responses": {
                    "200": {
                        "headers": {"ETag": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Lot"}}},
                    },
                    "404": {"content": {"application/problem+json": {"schema": {"type": "object"}}}},
                },
            }
        }
    },
    "components": {
        "schemas": {
            "LotPatch": {
                "type": "object",
                "properties": {
                    "title": {"type": "string", "minLength": 1, "maxLength": 300},
                    "phase": {"$ref": "#/components/schemas/Phase"},
                    "reason": {"anyOf": [{"type": "string", "maxLength": 100}, {"type": "null"}]},
                    "links": {"type": "array", "maxItems": 5, "items": {"type": "string", "pattern": "^https:"}},
                },
                "required": ["title"],
            },
            "Lot": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "phase": {"$ref": "#/components/schemas/Phase"},
                    "ended_at": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
                    "count": {"type": "integer", "minimum": 0, "maximum": 10},
                    "follows": {"anyOf": [{"$ref": "#/components/schemas/Lot"}, {"type": "null"}]},
                },
                "required": ["id", "phase", "ended_at"],
            },
            "Phase": {"type": "string", "enum": ["discover", "build"]},
        }
    },
}


def changed(change: Change) -> list[str]:
    new = deepcopy(SMALL)
    change(new)
    return breaks(SMALL, new)


def act(document: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = document["paths"]["/v1/lots/{lot_id}"]["patch"]
    return operation


def fields(document: dict[str, Any], name: str) -> dict[str, Any]:
    properties: dict[str, Any] = document["components"]["schemas"][name]["properties"]
    return properties


BREAKS: dict[str, tuple[Change, str]] = {
    "an operation is gone": (lambda d: d["paths"].clear(), "is gone"),
    "a method is gone": (lambda d: d["paths"]["/v1/lots/{lot_id}"].pop("patch"), "is gone"),
    "an operation is renamed": (lambda d: act(d).update(operationId="editLot"), "editLot"),
    "another scope is needed": (lambda d: act(d).update(security=[{"oauth2": ["lots:edit"]}]), "not open by"),
    "a parameter is gone": (lambda d: act(d)["parameters"].pop(), "parameter limit is gone"),
    "a parameter is required": (lambda d: act(d)["parameters"][1].update(required=True), "limit is required now"),
    "a parameter is new and required": (
        lambda d: act(d)["parameters"].append({"in": "header", "name": "If-Match", "required": True, "schema": {}}),
        "If-Match is required now",
    ),
    "a parameter takes less": (lambda d: act(d)["parameters"][1]["schema"].update(maximum=100), "maximum was 200"),
    "a parameter takes no small values": (lambda d: act(d)["parameters"][1]["schema"].update(minimum=2), "minimum"),
    "a body is gone": (lambda d: act(d).pop("requestBody"), "takes no body"),
    "a body is required": (lambda d: act(d)["requestBody"].update(required=True), "body is required"),
    "a media type is gone": (lambda d: act(d)["requestBody"]["content"].clear(), "application/json is gone"),
    "a field of a request is gone": (lambda d: fields(d, "LotPatch").pop("links"), "body.links: is gone"),
    "a field is required": (
        lambda d: d["components"]["schemas"]["LotPatch"]["required"].append("phase"),
        "body.phase: is required now",
    ),
    "a new field is required": (
        lambda d: (
            fields(d, "LotPatch").update(brief={"type": "string"}),
            d["components"]["schemas"]["LotPatch"]["required"].append("brief"),
        ),
        "body.brief: is required now",
    ),
    "other fields are refused": (
        lambda d: d["components"]["schemas"]["LotPatch"].update(additionalProperties=False),
        "takes no other fields",
    ),
    "a text may be shorter only": (lambda d: fields(d, "LotPatch")["title"].update(maxLength=100), "maxLength was 300"),
    "a text must be longer": (lambda d: fields(d, "LotPatch")["title"].update(minLength=10), "minLength was 1"),
    "a text has a form now": (lambda d: fields(d, "LotPatch")["title"].update(pattern="^A"), "pattern was None"),
    "a text has another form": (lambda d: fields(d, "LotPatch")["links"]["items"].update(pattern="^A"), "[]: pattern"),
    "a list takes fewer": (lambda d: fields(d, "LotPatch")["links"].update(maxItems=1), "maxItems was 5"),
    "a value is not taken": (lambda d: d["components"]["schemas"]["Phase"]["enum"].pop(), "build is not taken"),
    "a text is one of a few": (lambda d: fields(d, "LotPatch")["title"].update(enum=["a"]), "takes only a"),
    "null is not taken": (lambda d: fields(d, "LotPatch")["reason"]["anyOf"].pop(), "null is not taken"),
    "a bound behind a choice": (
        lambda d: fields(d, "LotPatch")["reason"]["anyOf"][0].update(maxLength=9),
        "reason: maxLength was 100",
    ),
    "a request's type is another": (lambda d: fields(d, "LotPatch").update(title={"type": "integer"}), "string is not"),
    "a status is gone": (lambda d: act(d)["responses"].pop("404"), "answers 404 no more"),
    "success has another status": (lambda d: act(d)["responses"].update({"201": {}}), "answers 201 now"),
    "a header is gone": (lambda d: act(d)["responses"]["200"]["headers"].clear(), "no header ETag"),
    "a field of a reply is gone": (lambda d: fields(d, "Lot").pop("count"), "200.count: is gone"),
    "a field of a reply may be left out": (
        lambda d: d["components"]["schemas"]["Lot"]["required"].remove("id"),
        "200.id: may be left out",
    ),
    "a reply may be null": (
        lambda d: fields(d, "Lot").update(id={"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}),
        "200.id: may be null now",
    ),
    "a reply's type is another": (lambda d: fields(d, "Lot").update(count={"type": "string"}), "may be string now"),
    "a reply has another form": (lambda d: fields(d, "Lot")["id"].update(format="uri"), "format was uuid"),
    "a reply may be greater": (lambda d: fields(d, "Lot")["count"].update(maximum=20), "maximum was 10"),
    "a reply may be anything": (lambda d: d["components"]["schemas"]["Phase"].pop("enum"), "may be anything now"),
}


@pytest.mark.parametrize(("change", "said"), BREAKS.values(), ids=BREAKS)
def test_a_break_is_seen_and_told_with_its_place(change: Change, said: str) -> None:
    found = changed(change)
    assert any(said in one for one in found), found
    assert all("/v1/lots/{lot_id}" in one for one in found)


HARMLESS: dict[str, Change] = {
    "nothing": lambda _: None,
    "a new operation": lambda d: d["paths"].update({"/v1/bids": {"get": {}}}),
    "fewer scopes": lambda d: act(d).update(security=[{}]),
    "another way in": lambda d: act(d)["security"].append({"mutualTLS": []}),
    "a new parameter": lambda d: act(d)["parameters"].append({"in": "query", "name": "sort", "schema": {}}),
    "a new field of a request": lambda d: fields(d, "LotPatch").update(brief={"type": "string"}),
    "a field need not be sent": lambda d: d["components"]["schemas"]["LotPatch"]["required"].clear(),
    "a longer text": lambda d: fields(d, "LotPatch")["title"].update(maxLength=500),
    "a text without a form": lambda d: fields(d, "LotPatch")["links"]["items"].pop("pattern"),
    "null is taken": lambda d: fields(d, "LotPatch").update(
        title={"anyOf": [{"type": "string", "minLength": 1, "maxLength": 300}, {"type": "null"}]}
    ),
    "a new value": lambda d: d["components"]["schemas"]["Phase"]["enum"].append("run"),
    "a new field of a reply": lambda d: fields(d, "Lot").update(band={"type": "string"}),
    "a reply is never null": lambda d: fields(d, "Lot")["ended_at"]["anyOf"].pop(),
    "a smaller reply": lambda d: fields(d, "Lot")["count"].update(maximum=5),
    "a new problem": lambda d: act(d)["responses"].update({"409": {}}),
    "a text": lambda d: act(d).update(description="Now with a sentence."),
}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_breaks_nobody_is_no_break(change: Change) -> None:
    assert changed(change) == []


@pytest.mark.parametrize(
    ("old", "new", "may"),
    [
        ("0.1.0", "0.1.1", False),
        ("0.1.0", "0.2.0", True),
        ("0.9.0", "1.0.0", True),
        ("1.2.0", "1.3.0", False),
        ("1.2.0", "2.0.0", True),
        ("2.0.0", "1.9.0", False),
    ],
)
def test_only_a_new_line_of_versions_may_break_what_the_last_promised(old: str, new: str, *, may: bool) -> None:
    assert is_new_line(old, new) is may


# --- the command ----------------------------------------------------------------------------------------------------


def compared(where: Path, monkeypatch: pytest.MonkeyPatch, change: Change | None) -> tuple[int, str]:
    """What `procure openapi --compare` says beside the last release's document: the present one, with a change undone."""
    released = where / "released.json"
    if change is not None:
        document = json.loads(cli._openapi_document())
        change(document)
        released.write_text(json.dumps(document))
    monkeypatch.setattr(cli, "RELEASED", released)
    result = CliRunner().invoke(cli.cli, ["openapi", "--compare"])
    return result.exit_code, result.output


def test_before_the_first_release_there_is_nothing_to_break(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = compared(tmp_path, monkeypatch, None)
    assert code == 0
    assert "Nothing is released yet" in said


def test_what_a_release_promised_and_is_gone_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def promised(document: dict[str, Any]) -> None:
        document["components"]["schemas"]["LotView"]["properties"]["winner"] = {"type": "string"}

    code, said = compared(tmp_path, monkeypatch, promised)
    assert code == 1
    assert "GET /v1/lots/{lot_id}: 200.winner: is gone" in said


def test_the_same_document_passes_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compared(tmp_path, monkeypatch, lambda _: None) == (0, "")

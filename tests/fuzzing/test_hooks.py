"""What a request becomes before it is sent: what is there is named, what was made to be wrong stays."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.generation.meta import TestPhase

from fuzzing import KNOWN
from fuzzing.hooks import ACTING_FOR, before_call, filter_case, known

TAKEN = {"reason": "The need has gone.", "until": "2027-01-01"}
ENTRIES = {
    "cancelLot": [
        {"places": {"lot_id": "ours"}, "good": True, "body": TAKEN},
        {"places": {"lot_id": "ours, but sealed"}, "good": False},
    ]
}


@pytest.fixture(autouse=True)
def knowledge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    said = {"authorization": None, "organisation_id": "mine", "entries": ENTRIES, "values": {"lot_id": ["ours"]}}
    (tmp_path / "known.json").write_text(json.dumps({"base_url": "", **said}))
    monkeypatch.setenv(KNOWN, str(tmp_path / "known.json"))
    known.cache_clear()
    yield
    known.cache_clear()


def case(number: int, *wrong: ParameterLocation, phase: TestPhase = TestPhase.FUZZING, **more: Any) -> Any:
    """A generated request to cancel a lot, of which these parts were made to be wrong."""
    modes = {
        place: GenerationMode.NEGATIVE if place in wrong else GenerationMode.POSITIVE for place in ParameterLocation
    }
    about = SimpleNamespace(parameter=None, parameter_location=None, description="", scenario="", location="")
    raw = {"operationId": "cancelLot"}
    return SimpleNamespace(
        method="POST",
        meta=SimpleNamespace(
            components={place: SimpleNamespace(mode=mode) for place, mode in modes.items()},
            phase=SimpleNamespace(name=phase, data=SimpleNamespace(**{**vars(about), **more})),
        ),
        operation=SimpleNamespace(
            method="post", definition=SimpleNamespace(raw=raw), query=[SimpleNamespace(name="validate_only")]
        ),
        path_parameters={"lot_id": f"generated {number}"},
        query={},
        headers={ACTING_FOR: "generated", "Idempotency-Key": "generated"},
        body={"reason": "generated"},
    )


def sent(*wrong: ParameterLocation, **more: Any) -> list[Any]:
    cases = [case(number, *wrong, **more) for number in range(300)]
    for one in cases:
        before_call(None, one)
    return cases


def test_most_requests_name_what_is_there_and_some_what_is_not() -> None:
    named = Counter(one.path_parameters["lot_id"].split()[0] for one in sent())
    assert 200 < named["ours"] + named["ours,"] < 280
    assert named["ours"] > named["ours,"] > 10
    assert named["generated"] > 20


def test_most_writes_are_taken_back_and_act_for_the_callers_own() -> None:
    cases = sent()
    assert 200 < sum(one.query == {"validate_only": "true"} for one in cases) < 280
    assert 240 < sum(one.headers[ACTING_FOR] == "mine" for one in cases) < 300
    keys = {one.headers["Idempotency-Key"] for one in cases}
    assert len(keys) > 200
    assert "generated" in keys


def test_a_body_is_one_that_is_taken_or_has_one_generated_part_or_is_generated() -> None:
    bodies = Counter(json.dumps(one.body) for one in sent())
    assert bodies.keys() == {
        json.dumps(body) for body in (TAKEN, {**TAKEN, "reason": "generated"}, {"reason": "generated"})
    }
    assert min(bodies.values()) > 30


def test_what_was_made_to_be_wrong_is_sent_as_it_is() -> None:
    for number, one in enumerate(sent(*ParameterLocation)):
        untouched = case(number)
        assert (one.path_parameters, one.query, one.headers, one.body) == (
            untouched.path_parameters,
            untouched.query,
            untouched.headers,
            untouched.body,
        )


def test_what_is_wrong_by_mistake_beside_it_is_not() -> None:
    wrong, about = ParameterLocation.HEADER, {"parameter_location": ParameterLocation.BODY, "parameter": "body"}
    cases = sent(wrong, ParameterLocation.BODY, phase=TestPhase.COVERAGE, **about)
    assert sum(one.headers[ACTING_FOR] == "mine" for one in cases) > 240
    assert all(one.body == {"reason": "generated"} for one in cases)


def test_the_same_request_is_sent_the_same_again() -> None:
    def told(cases: list[Any]) -> list[Any]:
        return [(one.path_parameters, one.query, one.headers, one.body) for one in cases]

    assert told(sent()) == told(sent())


def test_a_template_stays_as_it_was() -> None:
    template = case(1)
    path, query, headers = template.path_parameters, template.query, template.headers
    before_call(None, template)
    untouched = case(1)
    assert (path, query, headers) == (untouched.path_parameters, untouched.query, untouched.headers)


def test_what_one_place_reads_is_made_wrong_for_one_operation() -> None:
    one = case(1, ParameterLocation.HEADER, phase=TestPhase.COVERAGE, parameter=ACTING_FOR)
    assert not filter_case(None, one)
    one.operation.definition.raw["operationId"] = "getMe"
    assert filter_case(None, one)

"""Every example of the document is true: each request is played on the service and taken, each reply is one that it gave.

One procurement goes through all operations in the examples' own words. `make examples` writes down what was answered.
"""

import os
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from litestar import Litestar

from conftest import World
from described import described
from recording import Recorder
from storytelling import Story, begun, whole

RECORDED = Path(__file__).parents[1] / "src" / "procure" / "document" / "examples.json"


@pytest.fixture
async def story(world: World) -> Story:
    return await begun(world)


async def test_every_example_is_played_and_true(story: Story) -> None:
    await whole(story)
    assert story.sent == {name for name, (_, _, one) in story.addresses.items() if "requestBody" in one}
    assert {name: set(replies) for name, replies in story.answered.items()} == story.promised()
    told = msgspec.json.format(msgspec.json.encode(story.answered, order="sorted"), indent=2) + b"\n"
    if os.environ.get("EXAMPLES") == "write":
        RECORDED.write_bytes(told)
    differ = unified_diff(RECORDED.read_text().splitlines(), told.decode().splitlines(), "recorded", "answered", n=2)
    said = "\n".join(differ)
    assert not said, f"The service answers otherwise than its examples: `make examples` writes them anew.\n{said}"


def test_every_example_of_a_reply_fits_its_schema(app: Litestar) -> None:
    document, checked = described(app), 0
    for _, _, operation in document.operations:
        for status, response in operation["responses"].items():
            for kind, media in response.get("content", {}).items():
                for example in media.get("examples", {}).values():
                    fault = document.faults(operation, int(status), kind, msgspec.json.encode(example["value"]))
                    assert fault is None, f"{operation['operationId']} {status}: {fault}"
                    checked += 1
    assert checked > 250


def test_every_example_of_a_request_fits_its_schema(app: Litestar) -> None:
    document = described(app)
    for _, _, operation in document.operations:
        for media in operation.get("requestBody", {}).get("content", {}).values():
            for example in media["examples"].values():
                assert document.misfit(media["schema"], example["value"]) is None, operation["operationId"]


def test_what_is_recorded_is_the_same_whenever_it_is() -> None:
    def told(recorder: Recorder) -> Any:
        moment = datetime(2037, 12, 8, 12, 3, 4, int.from_bytes(os.urandom(2), "big"), tzinfo=UTC)
        lot, digest = str(uuid4()), os.urandom(32).hex()
        return recorder.plain(
            {
                "id": lot,
                "next": f"/v1/lots/{lot}",
                "digest": digest,
                "at": f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}",
                "kid": digest,
            }
        )

    first, second = told(Recorder()), told(Recorder())
    assert first == second
    assert first["next"] == f"/v1/lots/{first['id']}"
    assert first["at"] == "2026-12-08T12:00:00Z"

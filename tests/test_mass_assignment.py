"""Mass assignment: nothing that only replies have is taken from a request, wherever in a body it is put.

From the document: each field of what an operation answers, and of every other reply, that its body does not have, is sent in each
object of its body, in the state in which the body itself is about to be taken. Each has to be refused by its own pointer.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

import tagged
from conftest import World
from procure.kit.actor import Actor
from procure.kit.http import key_use
from procure.kit.idempotency import Key
from procure.kit.problems import handlers_at
from storytelling import Story, begun, whole

#: Fields of the rows that no reply shows, and that an attacker would guess.
HIDDEN = {
    "organisation_id",
    "buyer_id",
    "supplier_id",
    "prepared_by",
    "created_by",
    "secret_hash",
    "policy",
    "is_admin",
    "__proto__",
}


class Assigning:
    """Sends each body once more for each field that is none of its own, one at a time, and all of them at once."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.answered = answered(story)
        self.pairs: dict[str, int] = {}

    async def look(self, name: str, actor: Actor | None, body: Any, at: dict[str, Any]) -> None:
        method, path, operation = self.story.addresses[name]
        if not isinstance(body, dict) or name in self.pairs:
            return
        url = path.format(**at)
        call = self.story.world.call
        handler = next(one for one in handlers_at(call.app, url) if method in one.http_methods)
        # What has no trial has no effect that lasts, but for the clock: and a body that is refused moves nothing.
        trial = "" if key_use(handler) is Key.IGNORED else "?validate_only=true"
        schema = next(iter(operation["requestBody"]["content"].values()))["schema"]
        self.pairs[name] = 0
        for pointer, known in objects(self.story, schema, body):
            foreign = sorted((self.answered[name] | self.answered["*"] | HIDDEN) - known)
            for fields in ([field] for field in foreign):
                sent, faults = put(body, pointer, fields)
                tagged.forget()
                reply = await call(method, actor, url + trial, sent)
                told = f"{name} took {fields} at {pointer or 'the top'}: {reply.status_code} {reply.text[:200]}"
                assert reply.status_code == 422, told
                assert faults <= {fault["pointer"] for fault in reply.json()["errors"]}, told
                self.pairs[name] += 1
            sent, faults = put(body, pointer, foreign)
            reply = await call(method, actor, url + trial, sent)
            assert reply.status_code == 422, name
            assert faults <= {fault["pointer"] for fault in reply.json()["errors"]}, name


def put(body: Any, pointer: tuple[str | int, ...], fields: list[str]) -> tuple[Any, set[str]]:
    """The body with these fields in the object at `pointer`, and where they then stand."""
    sent = deepcopy(body)
    place: Any = sent
    for step in pointer:
        place = place[step]
    place.update(dict.fromkeys(fields, "x"))
    return sent, {"/" + "/".join(map(str, (*pointer, field))) for field in fields}


def answered(story: Story) -> dict[str, set[str]]:
    """By operation, the fields at the top of what it answers; `*`: those that most resources have."""
    found: dict[str, set[str]] = {"*": {"id", "status", "version", "created_at", "reference"}}
    for name, (_, _, operation) in story.addresses.items():
        found[name] = set()
        for status, reply in operation["responses"].items():
            if status < "300":
                for media in reply.get("content", {}).values():
                    found[name] |= resolved(story, media.get("schema", {})).get("properties", {}).keys()
    return found


def resolved(story: Story, schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = story.document.schemas["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def objects(
    story: Story, schema: dict[str, Any], body: Any, at: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], set[str]]]:
    """Where the objects of a body stand, each with the fields that it may have; of a list's the first."""
    found = resolved(story, schema)
    choices = [resolved(story, one) for one in found.get("oneOf", found.get("anyOf", [found]))]
    if isinstance(body, list) and body:
        for one in choices:
            if "items" in one:
                yield from objects(story, one["items"], body[0], (*at, 0))
    elif isinstance(body, dict):
        fields: dict[str, Any] = {name: one for shape in choices for name, one in shape.get("properties", {}).items()}
        yield at, set(fields)
        for name, value in body.items():
            yield from objects(story, fields[name], value, (*at, name))


@pytest.fixture
async def assigning(world: World) -> Assigning:
    story = await begun(world)
    found = Assigning(story)
    story.look = found.look
    return found


async def test_no_field_of_a_reply_is_taken_from_a_request(assigning: Assigning) -> None:
    await whole(assigning.story)
    takes = {
        name
        for name, (_, _, operation) in assigning.story.addresses.items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    }
    assert assigning.pairs.keys() == takes
    assert all(assigning.pairs.values())
    assert sum(assigning.pairs.values()) > 2000

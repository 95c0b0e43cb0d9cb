"""From a need to a published lot, as a newcomer does it: counted, and held to what `docs/lots.md` says of it."""

import re
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from build import council, outcome_document
from calls import Call, ok
from described import described

DOCS = Path(__file__).parents[2] / "docs" / "lots.md"
CALLS_MAX, FIELDS_MAX, SECONDS_MAX = 3, 12, 300


def need_document(outcome: dict[str, Any]) -> dict[str, Any]:
    """No field that could be left out."""
    return {
        "outcome": {name: outcome[name] for name in outcome if name not in ("title", "cpv")},
        "title": "Find out why changes wait",
        "brief": (
            "Follow twenty real changes from the resident's letter to the decision, with the officers who make them, and show where "
            "the days go."
        ),
        "ceiling": {"amount": "12000.00", "currency": "GBP"},
        "deliverables": [
            {
                "title": "A map of twenty changes",
                "acceptance_criteria": ["Twenty changes are followed to their decision"],
            }
        ],
    }


async def test_three_calls_and_ten_fields_publish_a_need(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    await db.commit()
    document = need_document(outcome_document(buyer))
    sent: list[tuple[str, str, Any]] = []

    async def act(actor: Any, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        sent.append((method, path, body))
        return await call(method, actor, path, body, **more)

    began = time.monotonic()
    drafted = await act(buyer.officer, "POST", "/v1/lots", document)
    lot = ok(drafted, 201)
    of_outcome, path = f"/v1/outcomes/{lot['outcome_id']}", f"/v1/lots/{lot['id']}"
    # Who approves has read what it is.
    activated = await act(
        buyer.budget_holder, "POST", f"{of_outcome}/activate", seen=await call.etag(buyer.budget_holder, of_outcome)
    )
    assert ok(activated)["title"] == "A resident's housing-benefit change is decided in two days instead of nineteen"
    assert ok(await call.get(buyer.approver, f"{path}/checks"))["items"] == [
        {
            "level": "warns",
            "code": "cpv-missing",
            "pointer": "/cpv",
            "said": "Without a CPV code suppliers who search by it don't find the lot, and its official notice needs one.",
            "evidence": [],
        }
    ]
    published = ok(await act(buyer.approver, "POST", f"{path}/publish", seen=await call.etag(buyer.approver, path)))
    took = time.monotonic() - began
    assert published["status"] == "published"
    assert ok(await call.get(None, path)) == published
    required = [*required_of(call, "LotDraft"), *required_of(call, "OutcomeDraft")]
    assert set(required) | {"outcome"} == {*document, *document["outcome"]}, "what is sent is what is asked for"
    assert len(sent) <= CALLS_MAX
    assert len(required) <= FIELDS_MAX
    assert took < SECONDS_MAX
    told = re.search(r"\*\*(\d+) calls\*\* and \*\*(\d+) required fields\*\*", DOCS.read_text())
    assert told is not None
    assert (int(told[1]), int(told[2])) == (len(sent), len(required))


def required_of(call: Call, name: str) -> list[str]:
    schema = described(call.app).schemas["components"]["schemas"][name]
    return list(schema.get("required", []))


async def test_the_page_for_newcomers_shows_a_body_that_is_taken(db: AsyncSession, call: Call) -> None:
    """The JSON of the page, with persons of this council."""
    buyer = await council(db)
    await db.commit()
    blocks = re.findall(r"```json\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert len(blocks) >= 3
    first = msgspec.json.decode(blocks[0])
    first["outcome"]["team"] = outcome_document(buyer)["team"]
    lot = ok(await call.post(buyer.officer, "/v1/lots", first), 201)
    for body in blocks[1:]:
        ok(await call.patch(buyer.officer, f"/v1/lots/{lot['id']}", msgspec.json.decode(body)))

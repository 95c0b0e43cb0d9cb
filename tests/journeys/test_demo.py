"""The demonstration, as `procure demo` plays it: real notices and hostile ones, side by side, against the service and its worker."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import httpx
import msgspec
import pytest
from sqlalchemy import Select, func, select

from conftest import World
from procure import worker
from procure.app import create_app
from procure.demo import bidding
from procure.demo.api import Refused, ServiceBroken
from procure.demo.notices import Reading, read_file, sort_out
from procure.demo.plan import ENDS
from procure.demo.reasons import Reason
from procure.demo.report import Report
from procure.demo.run import NoSandbox, Operator, run
from procure.identity.commands import create_operator
from procure.journal.models import JournalEntry
from procure.organisations.models import Organisation

#: What a stranger's file may hold, all of it playable: markup, wrong encodings, control characters, texts far too long.
HOSTILE: dict[str, Any] = {
    "ocid": "ocds-x-\u202e<b>1</b>",
    "id": "'; DROP TABLE lots; --",
    "tender": {
        "title": "<script>alert(1)</script>\x00 {{7*7}} ${x} \ud800 " + "W" * 2000,
        "description": "\u0000<p>" + "&amp;lt;b&amp;gt; rnrn \u00e2\u20ac\u00a2t " * 2000,
    },
    "buyer": {"id": "b", "name": "<img src=x onerror=alert(1)> Council " + "\N{PILE OF POO}" * 400},
    "parties": [
        {"id": "s", "name": "A" * 5000, "address": {"postalCode": "BT1 1AA", "region": ["?"]}},
        None,
        {"id": []},
    ],
    "awards": [
        {
            "id": None,
            "value": {"amount": Decimal("1.01"), "currency": "GBP"},
            "suppliers": [
                {"id": "s"},
                {"name": "B & <i>Sons</i>"},
                {"name": "Ünïcode Ltd"},
                {"name": "x"},
                {"name": "y"},
            ],
            "documents": [{"url": "javascript:alert(1)"}, 7],
        }
    ],
}


def notices() -> Reading:
    """A hostile notice, one that can't be played, and the shipped ones."""
    zero = deepcopy(HOSTILE)
    zero["awards"][0]["value"]["amount"] = Decimal(0)
    strange, shipped = sort_out([HOSTILE, zero]), read_file(None)
    return Reading((*strange.playable, *shipped.playable), (*strange.unplayable, *shipped.unplayable))


async def operator_of(world: World) -> Operator:
    client_id, secret = await create_operator(world.settings, "Operator")
    return Operator(str(client_id), secret)


@asynccontextmanager
async def working(world: World) -> AsyncGenerator[None]:
    """The worker beside the service, in quicker rounds than a real one's."""

    async def rounds() -> None:
        while True:
            await worker.run_once(world.sessions, world.vault)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(rounds())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def played(world: World, operator: Operator, reading: Reading, count: int) -> Report:
    async with working(world):
        return await run(world.client, operator, reading, count)


async def count(world: World, statement: Select[Any]) -> int:
    async with world.sessions() as db:
        return await db.scalar(statement) or 0


async def test_notices_are_played_to_different_ends_twice_and_every_sum_is_the_services_own(world: World) -> None:
    operator, reading = await operator_of(world), notices()
    first = await played(world, operator, reading, 7)
    said = first.document()
    assert (said["broken_off"], said["differences"], said["notices"]["played"]) == ([], [], 7)
    assert {play.plan.end for play in first.plays} == set(ENDS[:7])
    assert set(said["lots_by_band"]) == {"small", "notifiable", "covered"}
    # What was refused is exactly what was tried in vain.
    assert first.refusals.total() == first.dares.total() > 30
    assert said["sums"] == said["sums_of_the_service"]
    assert Decimal(said["sums"]["contracted"]) > Decimal(said["sums"]["accepted"]) > Decimal(said["sums"]["paid"]) > 0
    assert said["clock"]["moved_by_others"] is False
    await check_that_the_hostile_notice_is_harmless_text(world, first)

    registered = await count(world, select(func.count()).select_from(Organisation))
    again = await played(world, operator, reading, 1)
    assert again.is_good
    assert await count(world, select(func.count()).select_from(Organisation)) == registered
    assert await count(world, select(func.count()).where(JournalEntry.type == "outcome.activated")) == 8

    # Who has bought can't sell here, which is a reason and no crash.
    (notice, *_) = reading.playable
    turned = replace(notice, buyer=notice.suppliers[1], suppliers=(notice.buyer,))
    last = await run(world.client, operator, Reading((turned,), ()), 1)
    assert (last.plays, [one.reason for one in last.not_played], last.is_good) == ([], [Reason.TWO_KINDS], True)


async def check_that_the_hostile_notice_is_harmless_text(world: World, report: Report) -> None:
    """Markup is gone, what is left is text; and it says what it replays and that the rest is made up."""
    listed = (await world.client.get("/v1/outcomes", params={"limit": 200})).json()["items"]
    (outcome,) = [one for one in listed if one["title"].startswith("alert(1)")]
    shown = (await world.client.get(f"/v1/outcomes/{outcome['id']}")).json()
    assert "<" not in shown["title"] + shown["buyer"]["name"]
    assert "ocds-x" in shown["statement"]
    assert "is made up by `procure demo`" in shown["statement"]
    assert Reason.ZERO_VALUE in [one.reason for one in report.not_played]


async def test_what_it_needs_is_told_in_a_sentence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    operator, reading = await operator_of(world), notices()
    with pytest.raises(Refused, match="invalid_client"):
        await run(world.client, Operator(operator.client_id, "wrong"), reading, 1)
    settings = msgspec.structs.replace(world.settings, sandbox=False, oidc_issuers="", mail_url="")
    real = create_app(settings, sessions=world.sessions, vault=world.vault)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=cast("Any", real)), base_url=settings.base_url
    ) as client:
        with pytest.raises(NoSandbox, match="PROCURE_SANDBOX=1"):
            await run(client, operator, reading, 1)
    monkeypatch.setattr(bidding, "SEALED_WITHIN_S", 0.3)
    with pytest.raises(ServiceBroken, match="is `procure worker` running"):
        await run(world.client, operator, reading, 1)

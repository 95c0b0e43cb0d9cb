"""The clock over HTTP."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, council, operator
from calls import Call, ok, problem
from described import client_of
from procure.app import create_app
from procure.kit import clock
from procure.kit.actor import Actor
from procure.kit.db import Sessions
from procure.kit.settings import Settings


@pytest.fixture
async def keeper(db: AsyncSession) -> Actor:
    keeper = await operator(db)
    await db.commit()
    return keeper


async def test_anyone_reads_the_clock_and_the_operator_moves_it(call: Call, keeper: Actor) -> None:
    before = ok(await call.get(None, "/v1/time"))
    to = datetime.fromisoformat(before["now"]) + timedelta(days=7)
    moved = ok(await call.post(keeper, "/v1/sandbox/clock", {"to": to.isoformat()}))
    assert datetime.fromisoformat(moved["now"]) >= to
    after = ok(await call.get(None, "/v1/time"))
    assert after["now"] > moved["now"]
    assert after["ahead_seconds"] == pytest.approx(7 * 86400, abs=60)


async def test_it_is_not_moved_back(call: Call, keeper: Actor) -> None:
    to = clock.wall_now() - timedelta(hours=1)
    problem(await call.post(keeper, "/v1/sandbox/clock", {"to": to.isoformat()}), 409, "clock-backwards")


@pytest.mark.parametrize("to", ["2026-12-08T12:00:00", "tomorrow", "9999-12-31T00:00:00Z", None, 5])
async def test_an_instant_has_its_offset_and_a_year_that_makes_sense(call: Call, keeper: Actor, to: object) -> None:
    body = problem(await call.post(keeper, "/v1/sandbox/clock", {"to": to}), 422, "body-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/to"]


async def test_a_buyer_does_not_move_it(call: Call, db: AsyncSession) -> None:
    buyer: Council = await council(db)
    await db.commit()
    to = {"to": (clock.wall_now() + timedelta(days=1)).isoformat()}
    problem(await call.post(buyer.approver, "/v1/sandbox/clock", to), 403, "scope-missing")
    problem(await call.post(None, "/v1/sandbox/clock", to), 401, "unauthenticated")


async def test_tokens_keep_the_wall_clock(call: Call, keeper: Actor) -> None:
    """A sandbox that moves by weeks ends nobody's session."""
    to = datetime.now(UTC) + timedelta(days=365)
    ok(await call.post(keeper, "/v1/sandbox/clock", {"to": to.isoformat()}))
    ok(await call.get(keeper, "/v1/organisations"))


async def test_outside_a_sandbox_there_is_no_such_route(settings: Settings, sessions: Sessions, tmp_path: Path) -> None:
    strict = create_app(
        msgspec.structs.replace(settings, sandbox=False, mail_url="", keys_path=tmp_path / "k"), sessions=sessions
    )
    async with client_of(strict) as client:
        problem(await client.post("/v1/sandbox/clock", json={}), 404, "not-found")
        ok(await client.get("/v1/time"))

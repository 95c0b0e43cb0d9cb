"""A body that does not come whole, or not in time, is refused; it is never a 500 and never waited for without end."""

import asyncio
from collections.abc import Iterable
from typing import Any, cast

import httpx
import msgspec
import pytest
from litestar import Litestar

from procure.kit import intake
from procure.kit.intake import BodyCut, BodyLate

Message = dict[str, Any]
CUT: Message = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def receiving(*messages: Message, then_wait: bool = False) -> Any:
    """What a server hands over; asked for more it fails, or waits for ever like a stalled client."""
    left = iter(messages)

    async def receive() -> Message:
        for message in left:
            return message
        assert then_wait, "read on after the end"
        await asyncio.Event().wait()
        raise AssertionError

    return receive


async def answer(service: Litestar, receive: Any, headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, str]:
    """Status and problem type that the whole service answers to a token request, spoken to as a server does."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/oauth/token",
        "raw_path": b"/oauth/token",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"application/x-www-form-urlencoded"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await cast("Any", service)(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    problem = msgspec.json.decode(body)
    return sent[0]["status"], str(problem.get("type", "")).rpartition("/")[2]


@pytest.mark.parametrize("header", [(b"content-length", b"100"), (b"transfer-encoding", b"chunked")])
@pytest.mark.parametrize("parts", [[], [part(b"grant", more=True)], [part(b"grant", more=True)] * 3])
async def test_a_body_cut_off_is_a_400(service: Litestar, header: tuple[bytes, bytes], parts: list[Message]) -> None:
    assert await answer(service, receiving(*parts, CUT), [header]) == (400, "body-cut")


async def test_a_body_that_stalls_is_a_408(service: Litestar, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = intake.whole
    monkeypatch.setattr(intake, "whole", lambda receive: patient(receive, seconds=0.01))
    stalled = receiving(part(b"grant", more=True), then_wait=True)
    assert await answer(service, stalled, [(b"content-length", b"100")]) == (408, "body-late")


async def test_the_time_is_for_the_whole_body_and_not_for_each_part() -> None:
    async def dripping() -> Message:
        await asyncio.sleep(0)
        return part(b"a", more=True)

    async def read_on() -> None:
        receive = intake.whole(cast("Any", dripping), seconds=0.05)
        while True:
            await receive()

    with pytest.raises(BodyLate):
        await read_on()


async def test_after_the_last_part_nothing_is_bounded() -> None:
    """Whoever waits for the disconnect of a client that is only slow to go must not be told that the body is late."""
    receive = intake.whole(receiving(part(b"a", more=True), part(b"b", more=False), CUT), seconds=0.01)
    assert [(await receive())["type"] for _ in range(3)] == ["http.request", "http.request", "http.disconnect"]


async def test_a_part_that_does_not_say_is_the_last() -> None:
    """`more_body` may be left out, and is then false."""
    receive = intake.whole(receiving({"type": "http.request", "body": b"a"}, CUT))
    assert [(await receive())["type"] for _ in range(2)] == ["http.request", "http.disconnect"]


async def test_both_problems_have_a_page(anyone: httpx.AsyncClient) -> None:
    for fact in (BodyCut, BodyLate):
        assert (await anyone.get(f"/problems/{fact.slug}")).status_code == 200

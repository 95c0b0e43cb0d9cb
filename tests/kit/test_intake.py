"""A request that is too long, or whose body does not come whole or in time, is refused; it is never a 500 and never waited for
without end.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, cast

import httpx
import msgspec
import pytest
from litestar import Litestar

from calls import problem
from procure.kit import intake, logs
from procure.kit.intake import AddressTooLong, BodyCut, BodyLate, HeadersTooLarge
from procure.kit.problems import CLOSING

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
    told = msgspec.json.decode(body)
    is_last = (b"connection", b"close") in sent[0]["headers"]
    assert is_last == (sent[0]["status"] in CLOSING)
    return sent[0]["status"], str(told.get("type", "")).rpartition("/")[2]


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


async def test_an_address_beyond_8_kb_is_a_414(anyone: httpx.AsyncClient) -> None:
    most = intake.ADDRESS_MAX_BYTES
    problem(await anyone.get("/" + "a" * (most - 1)), 404, "not-found")
    for address in ("/" + "a" * most, "/v1/lots?" + "a" * most, "/v1/lots/?" + "%61" * (most // 3), "/" + "%61" * most):
        body = problem(await anyone.get(address), 414, "address-too-long")
        assert len(body["instance"]) <= intake.ADDRESS_TOLD
        problem(await anyone.post(address, content=b"{}"), 414, "address-too-long")
        reply = await anyone.options(address)
        problem(reply, 414, "address-too-long")
        assert reply.headers["connection"] == "close"


@pytest.mark.parametrize("count", [1, 7])
async def test_headers_beyond_32_kb_together_are_a_431(service: Litestar, count: int) -> None:
    sent = {b"x-request-id": b"portal-431"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(cast("Any", service)), base_url="http://a") as client:
        client.headers.clear()
        few = httpx.Request("GET", "http://a/livez", headers=sent).headers.raw
        left = intake.HEADERS_MAX_BYTES - sum(len(name) + len(value) for name, value in few) - count * len("x-1")
        for number in range(count):
            sent[f"x-{number}".encode()] = b"a" * (left // count + (left % count if number == 0 else 0))
        assert (await client.get("/livez", headers=sent)).status_code == 200
        sent[b"x-0"] += b"a"
        reply = await client.get("/livez", headers=sent)
    assert problem(reply, 431, "headers-too-large")["request_id"] == "portal-431"
    assert reply.headers["x-request-id"] == "portal-431"
    assert reply.headers["connection"] == "close"


async def test_a_long_address_is_not_repeated_in_the_log(
    anyone: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(level="info", form="json")
    await anyone.get("/" + "a" * 60_000)
    written = capsys.readouterr().err
    logs.configure(level="critical", form="json")
    assert '"status":414' in written
    assert len(written) < 1000


async def test_the_problems_have_a_page(anyone: httpx.AsyncClient) -> None:
    for fact in (AddressTooLong, BodyCut, BodyLate, HeadersTooLarge):
        assert (await anyone.get(f"/problems/{fact.slug}")).status_code == 200

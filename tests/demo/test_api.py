"""The client: tokens kept and renewed, refusals told by their problem, tried again only where nothing has happened."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from procure.demo import api as apis
from procure.demo.api import Api, Disagreement, Refused, Seat, ServiceBroken

Answer = Callable[[httpx.Request], httpx.Response]


def problem(status: int, slug: str, **more: Any) -> httpx.Response:
    document = {"type": f"http://procure.test/problems/{slug}", "detail": "It can't be done.", **more}
    return httpx.Response(status, json=document)


class Wire:
    """The service's answers, in order, and what was asked."""

    def __init__(self, *answers: httpx.Response | Exception, lifetime_s: int = 3600) -> None:
        self.answers, self.lifetime_s = list(answers), lifetime_s
        self.asked: list[httpx.Request] = []
        self.tokens = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            self.tokens += 1
            return httpx.Response(
                200,
                json={"access_token": f"token {self.tokens}", "expires_in": self.lifetime_s, "token_type": "Bearer"},
            )
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def api(self) -> Api:
        return Api(httpx.AsyncClient(transport=httpx.MockTransport(self), base_url="http://procure.test"))


@pytest.fixture
def seat() -> Seat:
    return Seat("id", "secret")


def ok(**document: Any) -> httpx.Response:
    return httpx.Response(200, json=document)


async def test_a_token_is_fetched_once_and_carried_by_every_call(seat: Seat) -> None:
    wire = Wire(ok(a=1), ok(a=2))
    api = wire.api()
    assert await api.get(seat, "/v1/lots", limit="5") == {"a": 1}
    assert await api.post(seat, "/v1/lots", {"title": "x"}) == {"a": 2}
    assert wire.tokens == 1
    assert [request.headers["authorization"] for request in wire.asked] == ["Bearer token 1"] * 2
    assert wire.asked[0].url.query == b"limit=5"


async def test_a_token_that_ends_soon_is_renewed(seat: Seat) -> None:
    wire = Wire(ok(), ok(), lifetime_s=30)
    api = wire.api()
    await api.get(seat, "/v1/lots")
    await api.get(seat, "/v1/lots")
    assert wire.tokens == 2


async def test_a_refusal_is_counted_by_its_slug_and_told_with_its_faults(seat: Seat) -> None:
    faults = [{"pointer": "/title", "code": "vague", "message": "Too short."}]
    api = Wire(problem(422, "lot-invalid", errors=faults), problem(422, "lot-invalid")).api()
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            await api.post(seat, "/v1/lots", {})
        assert (caught.value.status, caught.value.slug) == (422, "lot-invalid")
    assert api.refusals == {"lot-invalid": 2}


async def test_what_is_dared_has_to_be_refused_for_the_right_reason(seat: Seat) -> None:
    api = Wire(problem(409, "lot-not-open"), problem(409, "other"), ok()).api()
    await api.dare(seat, "POST", "/v1/x", refused_as="lot-not-open")
    with pytest.raises(Disagreement, match="should have been lot-not-open"):
        await api.dare(seat, "POST", "/v1/x", refused_as="lot-not-open")
    with pytest.raises(Disagreement, match="was done"):
        await api.dare(seat, "POST", "/v1/x", refused_as="lot-not-open")


async def test_what_is_not_there_yet_is_no_refusal() -> None:
    api = Wire(problem(404, "seal-not-found"), ok(count=1)).api()
    assert await api.find(None, "/v1/lots/1/seal") is None
    assert await api.find(None, "/v1/lots/1/seal") == {"count": 1}
    assert api.refusals == {}


async def test_a_service_away_for_a_moment_is_asked_again(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("procure.demo.api.asyncio.sleep", pause)
    away = httpx.Response(503, headers={"Retry-After": "2"})
    api = Wire(away, away, ok(a=1)).api()
    assert await api.get(seat, "/v1/lots") == {"a": 1}
    assert pauses == [2.0, 2.0]
    with pytest.raises(ServiceBroken, match="503"):
        await Wire(*[away] * apis.TRIES_MAX).api().get(seat, "/v1/lots")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.ConnectError("refused"), "is the service running"),
        (httpx.ReadTimeout("slow"), "no reply"),
        (problem(500, "internal-error"), "500"),
        (httpx.Response(502, text="<html>"), "502"),
    ],
)
async def test_a_service_that_is_broken_is_told_in_a_sentence(answer: httpx.Response | Exception, said: str) -> None:
    with pytest.raises(ServiceBroken, match=said):
        await Wire(answer).api().get(None, "/v1/lots")


async def test_a_list_is_read_page_by_page() -> None:
    first = ok(items=[{"a": 1}], next="http://procure.test/v1/lots?cursor=x")
    wire = Wire(first, ok(items=[{"a": 2}], next=None))
    assert await wire.api().all(None, "/v1/lots") == [{"a": 1}, {"a": 2}]
    assert wire.asked[1].url.query == b"cursor=x"


def test_no_secret_shows_in_what_a_seat_looks_like() -> None:
    assert "hidden" not in repr(Seat("id", "hidden", token="hidden"))

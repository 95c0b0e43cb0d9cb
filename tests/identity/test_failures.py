"""Whoever fails at the token endpoint waits, and locks nobody out."""

from collections.abc import Callable
from typing import Any, cast
from uuid import uuid4

import httpx
import msgspec
import pytest
from authlib.oauth2.rfc6749 import InvalidClientError
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncSession

from build import organisation, seat
from calls import ok
from procure.app import create_app
from procure.identity import failures, service
from procure.identity.rules import ClientKind
from procure.identity.schemas import ClientDraft
from procure.kit.actor import OrganisationKind, Role
from procure.kit.db import Sessions
from procure.kit.settings import Settings
from procure.vault.keyring import FileKeyring

GRANT = {"grant_type": "client_credentials"}
HERE, ELSEWHERE = "203.0.113.5", "198.51.100.9"
Pair = tuple[str, str]


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """The machine's clock, which stands still until it is moved on."""
    now = 1000.0

    def go_on(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(failures, "monotonic", lambda: now)
    return go_on


@pytest.fixture
def app(settings: Settings, sessions: Sessions, vault: FileKeyring) -> Litestar:
    return create_app(msgspec.structs.replace(settings, rate_token_failures=3), sessions=sessions, vault=vault)


@pytest.fixture
async def pair(db: AsyncSession) -> Pair:
    """A client's id and secret."""
    there = await organisation(db, OrganisationKind.SUPPLIER, "A supplier")
    admin = await seat(db, there, Role.ADMIN)
    draft = ClientDraft(name="Portal", kind=ClientKind.SERVICE, roles=[Role.BIDDER])
    client, secret = await service.add_client(db, admin, there.id, draft)
    await db.commit()
    return str(client.id), secret


async def ask(app: Litestar, pair: Pair | None, address: str = HERE, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(cast("Any", app), raise_app_exceptions=False, client=(address, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://procure.test") as client:
        auth = httpx.BasicAuth(*pair) if pair else httpx.USE_CLIENT_DEFAULT
        return await client.post("/oauth/token", data=GRANT, auth=auth, headers=headers)


async def fail(app: Litestar, pair: Pair, times: int, address: str = HERE) -> None:
    for _ in range(times):
        assert (await ask(app, (pair[0], "wrong"), address)).status_code == 401


def slowed(reply: httpx.Response) -> int:
    """How long to wait: after RFC 6749's form, with the one registered error that says so."""
    body = reply.json()
    assert (reply.status_code, body["error"]) == (429, "slow_down"), reply.text
    assert set(body) == {"error", "error_description"}
    assert reply.headers["cache-control"] == "no-store"
    assert "ratelimit" not in reply.headers
    return int(reply.headers["retry-after"])


async def test_after_some_failures_a_client_waits_at_its_address(
    app: Litestar, pair: Pair, moment: Callable[[float], None]
) -> None:
    await fail(app, pair, 3)
    assert slowed(await ask(app, (pair[0], "wrong"))) == 20
    assert slowed(await ask(app, pair)) == 20, "the right secret too, or guessing would not be slower"
    moment(20)
    ok(await ask(app, pair))


async def test_from_another_address_the_same_client_goes_on_at_once(
    app: Litestar, pair: Pair, moment: Callable[[float], None]
) -> None:
    await fail(app, pair, 3)
    slowed(await ask(app, pair))
    ok(await ask(app, pair, ELSEWHERE))
    for number in range(100, 110):
        await fail(app, pair, 3, f"203.0.113.{number}")
    ok(await ask(app, pair, ELSEWHERE))
    ok(await ask(app, pair, "2001:db8::7"))


async def test_another_client_of_the_same_address_goes_on_too(
    app: Litestar, pair: Pair, moment: Callable[[float], None]
) -> None:
    await fail(app, (str(uuid4()), ""), 3)
    ok(await ask(app, pair))


async def test_an_address_that_fails_over_many_clients_waits_and_no_other_does(
    app: Litestar, pair: Pair, moment: Callable[[float], None]
) -> None:
    for _ in range(10):
        await fail(app, (str(uuid4()), ""), 3)
    assert slowed(await ask(app, pair)) == 2
    ok(await ask(app, pair, ELSEWHERE))
    moment(2)
    ok(await ask(app, pair))


async def test_who_exists_cannot_be_told_from_the_wait(
    app: Litestar, pair: Pair, moment: Callable[[float], None]
) -> None:
    told = []
    for name, address in ((pair[0], "203.0.113.8"), (str(uuid4()), "203.0.113.9")):
        replies = [await ask(app, (name, "wrong"), address) for _ in range(6)]
        told.append([(one.status_code, one.json(), one.headers.get("retry-after")) for one in replies])
    assert told[0] == told[1]
    assert [status for status, _, _ in told[0]] == [401] * 3 + [429] * 3


async def test_only_failures_count(app: Litestar, pair: Pair, moment: Callable[[float], None]) -> None:
    for _ in range(40):
        ok(await ask(app, pair))


async def test_many_guesses_at_once_are_paid_for_afterwards(
    app: Litestar, pair: Pair, moment: Callable[[float], None]
) -> None:
    """All of them have passed the look before the first has failed; so many more the address owes."""
    watched = [app.state.oauth.failures.watching(pair[0], HERE) for _ in range(12)]
    for one in watched:
        one.__enter__()
    for one in watched:
        assert not one.__exit__(InvalidClientError, InvalidClientError(), None)
    with pytest.raises(failures.TooManyFailures) as raised, app.state.oauth.failures.watching(pair[0], HERE):
        pytest.fail("asked all the same")
    assert raised.value.retry_after_s == 80


async def test_behind_a_proxy_that_is_not_named_nobody_waits_for_another(
    app: Litestar, pair: Pair, moment: Callable[[float], None]
) -> None:
    for _ in range(9):
        assert (await ask(app, (pair[0], "x"), "127.0.0.1", **{"X-Forwarded-For": HERE})).status_code == 401
    ok(await ask(app, pair, "127.0.0.1", **{"X-Forwarded-For": ELSEWHERE}))


async def test_it_can_be_switched_off(
    settings: Settings, sessions: Sessions, vault: FileKeyring, pair: Pair, moment: Callable[[float], None]
) -> None:
    app = create_app(msgspec.structs.replace(settings, rate_token_failures=0), sessions=sessions, vault=vault)
    await fail(app, pair, 30)
    ok(await ask(app, pair))


def test_memory_is_bounded_however_many_ids_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = failures.Failures(3)
    for number in range(20_000):
        with pytest.raises(InvalidClientError), seen.watching(uuid4(), f"10.0.{number >> 8}.{number & 255}"):
            raise InvalidClientError
    assert len(seen._pairs) == len(seen._addresses) == 16_384

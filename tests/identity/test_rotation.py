"""A new key takes over from the old without one request that fails, in several processes that share a folder and nothing else."""

import json
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import KeySet
from joserfc.jwt import decode
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncSession

from build import supplier
from calls import ok, problem
from described import client_of
from identity.forging import decoded
from procure.app import create_app
from procure.identity import authentication, signing, tokens
from procure.identity.signing import (
    AHEAD_S,
    LOOK_EVERY_S,
    SKEW_S,
    Ring,
    RotationRunning,
    SigningKey,
    SigningKeys,
    rotate,
)
from procure.kit.clock import wall_now
from procure.kit.db import Sessions
from procure.kit.settings import Settings, SettingsFault

PATH = "/v1/organisations"
LIFETIME_S = 3600


class Time:
    """The machine's time in every module that asks for it here, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = timedelta()
        real, monotonic = wall_now, time.monotonic
        for module in (authentication, signing, tokens):
            monkeypatch.setattr(module, "wall_now", lambda: real() + self.ahead)
        monkeypatch.setattr(time, "monotonic", lambda: monotonic() + self.ahead.total_seconds())

    def passes(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


async def published(client: httpx.AsyncClient) -> list[str]:
    return [key["kid"] for key in ok(await client.get("/oauth/jwks"))["keys"]]


def kid_of(token: str) -> str:
    return str(decoded(token.split(".", maxsplit=1)[0])["kid"])


async def test_no_request_fails_while_a_key_follows_another(
    settings: Settings, sessions: Sessions, db: AsyncSession, clock: Time
) -> None:
    bidder = await supplier(db)
    assert bidder.client_id is not None
    client_id = bidder.client_id
    apps = [create_app(settings, sessions=sessions) for _ in range(2)]

    def issue(app: Litestar) -> str:
        return tokens.issue(
            app.state.oauth.keys.signer(), settings, client_id, bidder.scopes, now=wall_now() + clock.ahead
        )

    async with client_of(apps[0]) as one, client_of(apps[1]) as other:

        async def all_is_well(*held: str) -> None:
            """Each process takes what each has issued and what is held from before, and everybody can check it with the published keys."""
            fresh = [issue(app) for app in apps]
            for client in (one, other):
                for token in (*held, *fresh):
                    ok(await client.get(PATH, headers={"Authorization": f"Bearer {token}"}))
                keys = KeySet.import_key_set(ok(await client.get("/oauth/jwks")))
                for token in (*held, *fresh):
                    decode(token, keys, algorithms=["ES256"])

        first = kid_of(issue(apps[0]))
        await all_is_well()
        new = rotate(settings.keys_path, settings.token_lifetime_s)
        assert new.key_id != first
        # Published within seconds, and signing with the old one for as long as somebody may have kept the list without it.
        clock.passes(LOOK_EVERY_S)
        for client in (one, other):
            assert await published(client) == [first, new.key_id]
        await all_is_well()
        clock.passes(AHEAD_S - 2 * LOOK_EVERY_S)
        last = issue(apps[1])
        assert kid_of(last) == first
        await all_is_well(last)
        clock.passes(2 * LOOK_EVERY_S)
        assert {kid_of(issue(app)) for app in apps} == {new.key_id}
        await all_is_well(last)
        # Until the last token of the old key has expired, and then no longer.
        clock.passes(settings.token_lifetime_s - 4 * LOOK_EVERY_S)
        await all_is_well(last)
        clock.passes(SKEW_S + 6 * LOOK_EVERY_S)
        for client in (one, other):
            assert await published(client) == [new.key_id]
            problem(await client.get(PATH, headers={"Authorization": f"Bearer {last}"}), 401, "unauthenticated")
        await all_is_well()


async def test_a_key_that_others_may_have_ends_at_once_and_its_tokens_with_it(
    settings: Settings, sessions: Sessions, db: AsyncSession, clock: Time
) -> None:
    bidder = await supplier(db)
    assert bidder.client_id is not None
    apps = [create_app(settings, sessions=sessions) for _ in range(2)]
    token = tokens.issue(apps[0].state.oauth.keys.signer(), settings, bidder.client_id, bidder.scopes)
    headers = {"Authorization": f"Bearer {token}"}
    async with client_of(apps[0]) as one, client_of(apps[1]) as other:
        for client in (one, other):
            ok(await client.get(PATH, headers=headers))  # remembered as verified from now on
        new = rotate(settings.keys_path, settings.token_lifetime_s, at_once=True)
        clock.passes(LOOK_EVERY_S)
        for client in (one, other):
            problem(await client.get(PATH, headers=headers), 401, "unauthenticated")
            assert await published(client) == [new.key_id]
    assert len(list(settings.keys_path.glob("token-signing*.jwk"))) == 1


def test_a_running_process_looks_into_the_folder_seldom(
    tmp_path: Path, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = SigningKeys(tmp_path, LIFETIME_S)
    ring, names = keys.ring(), signing._names
    looks: list[Path] = []

    def seen(folder: Path) -> frozenset[str]:
        looks.append(folder)
        return names(folder)

    monkeypatch.setattr(signing, "_names", seen)
    for _ in range(1000):
        assert keys.ring() is ring
    assert looks == []
    clock.passes(LOOK_EVERY_S)
    for _ in range(1000):
        assert keys.ring() is ring
    assert len(looks) == 1


def test_a_folder_that_breaks_leaves_a_running_process_as_it_was(tmp_path: Path, clock: Time) -> None:
    keys = SigningKeys(tmp_path, LIFETIME_S)
    before = keys.signer().key_id
    (tmp_path / "token-signing.broken.jwk").write_text("{")
    clock.passes(LOOK_EVERY_S)
    assert keys.signer().key_id == before
    for path in tmp_path.glob("token-signing*.jwk"):
        path.unlink()
    clock.passes(LOOK_EVERY_S)
    assert keys.signer().key_id == before
    (tmp_path / "token-signing.broken.jwk").write_text("{")
    with pytest.raises(SettingsFault, match="restore it, or remove it"):
        SigningKeys(tmp_path, LIFETIME_S)


def test_one_rotation_at_a_time(tmp_path: Path, clock: Time) -> None:
    SigningKeys(tmp_path, LIFETIME_S)
    rotate(tmp_path, LIFETIME_S)
    with pytest.raises(RotationRunning):
        rotate(tmp_path, LIFETIME_S)
    clock.passes(AHEAD_S)
    rotate(tmp_path, LIFETIME_S)
    assert len(SigningKeys(tmp_path, LIFETIME_S).believed()) == 3
    clock.passes(AHEAD_S + LIFETIME_S + SKEW_S)
    new = rotate(tmp_path, LIFETIME_S)
    found = [key.key_id for key in SigningKeys(tmp_path, LIFETIME_S).believed()]
    assert (len(found), found[-1]) == (2, new.key_id)
    # What is believed no more is not kept either.
    assert len(list(tmp_path.glob("token-signing*.jwk"))) == 2


def test_a_new_keys_file_is_its_users_alone(tmp_path: Path) -> None:
    new = rotate(tmp_path / "keys", LIFETIME_S)
    path = tmp_path / "keys" / f"token-signing.{new.key_id}.jwk"
    assert path.stat().st_mode & 0o777 == 0o600
    kept = json.loads(path.read_text())
    assert (kept["kid"], kept["nbf"]) == (new.key_id, new.signs_from)
    assert abs(new.signs_from - time.time() - AHEAD_S) < 60


def test_a_folder_that_cannot_be_used_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(SettingsFault, match="can't be used"):
        rotate(tmp_path / "keys", LIFETIME_S)


# --- pure -----------------------------------------------------------------------------------------------------------


def test_which_key_signs_and_which_are_believed_follows_from_the_time() -> None:
    old, now, soon = (SigningKey.new(signs_from) for signs_from in (0, 10_000, 20_000))
    ring = Ring((old, now, soon))
    end = 10_000 + LIFETIME_S + SKEW_S
    for moment, signer, believed in (
        (9_999, old, (old, now, soon)),
        (10_000, now, (old, now, soon)),
        (end - 1, now, (old, now, soon)),
        (end, now, (now, soon)),
        (19_999, now, (now, soon)),
        (20_000, soon, (now, soon)),
        (20_000 + LIFETIME_S + SKEW_S, soon, (soon,)),
    ):
        assert ring.signer(moment) is signer, moment
        assert ring.believed(moment, LIFETIME_S) == believed, moment
    # A clock that was set back has a key all the same.
    assert Ring((now, soon)).signer(0) is now

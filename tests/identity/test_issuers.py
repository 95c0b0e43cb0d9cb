"""An issuer that misbehaves, or is away: what it publishes, and what others make of its absence."""

import asyncio
import warnings
from typing import Any

import msgspec
import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from calls import ok, problem
from described import client_of
from identity.forging import encoded
from identity.issuing import AUDIENCE, SignOnServer
from identity.test_sign_ons import PATH, Ground, clock, ground, issuer
from kit.test_rates import eventually
from procure.app import create_app
from procure.identity.issuers import BETWEEN_S, STALE_MAX_S
from procure.kit.db import Sessions
from procure.kit.settings import Settings
from procure.vault.keyring import FileKeyring

__all__ = ["clock", "ground", "issuer"]


async def test_what_cannot_be_checked_counts_for_its_address(
    settings: Settings, sessions: Sessions, vault: FileKeyring, ground: Ground
) -> None:
    """While an issuer is away anybody can forge what nobody can refuse yet: that is no way around the limits."""
    ground.issuer.behaves = "500"
    few = msgspec.structs.replace(settings, oidc_issuers=f"{ground.issuer.issuer} {AUDIENCE}", rate_address=3)
    async with client_of(create_app(few, sessions=sessions, vault=vault)) as client:
        for number in range(4):
            forged = {"Authorization": f"Bearer {ground.issuer.token(str(number), head_kid=str(number))}"}
            reply = await client.get(PATH, headers=forged)
            problem(reply, *((503, "sign-on-away") if number < 3 else (429, "too-many-requests")))


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that it is short is the point
    SMALL = RSAKey.generate_key(1024, auto_kid=False)
OURS, THEIRS = ECKey.generate_key("P-256"), RSAKey.generate_key(2048)
#: Too short a key, under zeros that make it look long enough.
PADDED = encoded(b"\0" * 128 + SMALL.public_key.public_numbers().n.to_bytes(128, "big"))


@pytest.mark.parametrize(
    ("key", "said", "is_taken"),
    [
        (OURS, {"key_ops": ["verify"]}, True),
        (OURS, {"key_ops": ["sign", "verify"], "use": "sig"}, True),
        (OURS, {"key_ops": ["deriveKey", "deriveBits"]}, False),
        (THEIRS, {"key_ops": ["encrypt", "wrapKey"]}, False),
        (THEIRS, {"key_ops": []}, False),
        (THEIRS, {"key_ops": "verify"}, False),
        (THEIRS, {"key_ops": {"verify": True}}, False),
        (THEIRS, {"use": ["sig"]}, False),
        (THEIRS, {"use": None}, False),
        (THEIRS, {"alg": "RSA-OAEP"}, False),
        (THEIRS, {"alg": "PS256"}, False),
        (THEIRS, {"alg": 7}, False),
        (SMALL, {"n": PADDED}, False),
        (THEIRS, {"e": "AQ"}, False),
        (THEIRS, {"e": {}}, False),
        (OURS, {"x": 7}, False),
        (OURS, {"y": None}, False),
        (OKPKey.generate_key("Ed25519"), {"crv": "X25519"}, False),
    ],
)
async def test_a_key_is_taken_for_what_it_says_that_it_is_for(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, key: Any, said: dict[str, Any], is_taken: bool
) -> None:
    """RFC 7517, section 4: `use` and `key_ops`; what is wrong about one key is no reason to refuse the others."""
    published = {**key.as_dict(private=False), "kid": "odd", **said}
    jwks = {"keys": [published, *ground.issuer.jwks["keys"]]}
    monkeypatch.setattr(SignOnServer, "jwks", property(lambda _: jwks))
    reply = await ground.ask(ground.issuer.token(head_kid="odd", key=key))
    if is_taken:
        ok(reply)
    else:
        problem(reply, 401, "unauthenticated")
    ok(await ground.ask(ground.issuer.token()))


async def test_keys_that_are_too_old_let_nobody_in_while_they_are_looked_for(
    ground: Ground, clock: list[float]
) -> None:
    """An issuer that has withdrawn a key and hangs: whose key was known waits with the others, a day later."""
    ok(await ground.ask(ground.issuer.token()))
    ground.issuer.behaves = "hangs"
    clock[0] += STALE_MAX_S + BETWEEN_S
    first = asyncio.create_task(ground.ask(ground.issuer.token()))
    assert await asyncio.to_thread(ground.issuer.is_asked.wait, 60)
    second = asyncio.create_task(ground.ask(ground.issuer.token(jti="another")))
    looking = ground.app.state.authenticate._issuers[ground.issuer.issuer]._looking
    await eventually(lambda: second.done() or bool(looking._waiters))
    assert not second.done()
    ground.issuer.keys = {"second": ECKey.generate_key("P-256")}
    ground.issuer.behaves = "500"
    ground.issuer.is_released.set()
    for reply in await asyncio.gather(first, second):
        assert reply.status_code in (401, 503)

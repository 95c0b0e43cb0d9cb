"""Attacks on tokens and assertions, over HTTP: each beside its twin, which differs in what the refusal is for, and is taken."""

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncSession

from calls import ok, problem
from identity.forging import Portal, by, by_mac, decoded, encoded, form, jwt, unsigned
from identity.test_assertions import portal
from procure.identity import service, tokens
from procure.identity.rules import ClientKind
from procure.identity.schemas import ClientDraft
from procure.identity.signing import SigningKey
from procure.kit.actor import Role

PATH = "/v1/organisations"
ELSEWHERE = "https://elsewhere.example"
STRANGE = ECKey.generate_key("P-256")
STRANGE_RSA = RSAKey.generate_key(2048)


@dataclass
class Ground:
    """Where the attacks are tried: a client's good token and assertion, and another client's."""

    client: httpx.AsyncClient
    key: SigningKey
    mine: Portal
    other: Portal
    pair: tuple[str, str]

    def head(self, **changes: Any) -> dict[str, Any]:
        said = {"alg": "ES256", "typ": "at+jwt", "kid": self.key.key_id} | changes
        return {name: value for name, value in said.items() if value is not None}

    def said(self, **changes: Any) -> dict[str, Any]:
        now, id_ = int(time.time()), self.mine.client_id
        said = {"iss": self.mine.issuer, "aud": self.mine.issuer, "sub": id_, "client_id": id_, "iat": now}
        said |= {"exp": now + 600, "jti": str(uuid4()), "scope": "organisations:read"} | changes
        return {name: value for name, value in said.items() if value is not None}

    def token(self, head: dict[str, Any] | bytes | None = None, **changes: Any) -> str:
        """One that the service's own key has signed, whatever it says."""
        return jwt(head or self.head(), self.said(**changes), by(self.key.key))

    async def call(self, token: str) -> httpx.Response:
        return await self.client.get(PATH, headers={b"Authorization": f"Bearer {token}".encode("latin-1")})

    async def ask(self, assertion: str, **more: str) -> httpx.Response:
        return await self.client.post("/oauth/token", data=form(assertion, **more))


@pytest.fixture
async def ground(db: AsyncSession, app: Litestar, client: httpx.AsyncClient) -> Ground:
    mine, admin = await portal(db)
    other, _ = await portal(db)
    assert admin.organisation_id is not None
    draft = ClientDraft(name="Other", kind=ClientKind.SERVICE, roles=[Role.OFFICER])
    made, secret = await service.add_client(db, admin, admin.organisation_id, draft)
    return Ground(client, app.state.oauth.keys.signer(), mine, other, (str(made.id), secret))


def swapped(token: str, part: int, by_: str) -> str:
    parts = token.split(".")
    parts[part] = by_
    return ".".join(parts)


def twice(name: str, first: Any, last: Any, rest: dict[str, Any]) -> bytes:
    """A JSON object in which a name comes twice."""
    inner = json.dumps(rest)[1:-1]
    return f'{{"{name}": {json.dumps(first)}, {inner}, "{name}": {json.dumps(last)}}}'.encode()


Forge = Callable[[Ground], str]

#: Attacks on access tokens. Whatever is not the point is as it is in a good one, signed by the service's own key wherever it can be.
ON_TOKENS: dict[str, Forge] = {
    "alg none": lambda at: jwt(at.head(alg="none"), at.said(), unsigned),
    "alg none in capitals, with a signature": lambda at: jwt(at.head(alg="NONE"), at.said(), by(at.key.key)),
    "no signature": lambda at: jwt(at.head(), at.said(), unsigned),
    "HS256 with the public key as PEM": lambda at: jwt(
        at.head(alg="HS256"), at.said(), by_mac(at.key.key.as_pem(private=False))
    ),
    "HS256 with the public key as JWK": lambda at: jwt(
        at.head(alg="HS256"), at.said(), by_mac(msgspec.json.encode(at.key.public()))
    ),
    "ES256 said, HS256 made": lambda at: jwt(at.head(), at.said(), by_mac(at.key.key.as_pem(private=False))),
    "RS256 by a key of its own": lambda at: jwt(at.head(alg="RS256"), at.said(), by(STRANGE_RSA, alg="RS256")),
    "PS256 by a key of its own": lambda at: jwt(at.head(alg="PS256"), at.said(), by(STRANGE_RSA)),
    "another key under our kid": lambda at: jwt(at.head(), at.said(), by(STRANGE)),
    "another key under its own kid": lambda at: jwt(at.head(kid=STRANGE.thumbprint()), at.said(), by(STRANGE)),
    "a key that a client has registered": lambda at: jwt(at.head(kid=at.mine.kid), at.said(), by(at.mine.key)),
    "jwk: a key handed along": lambda at: jwt(at.head(jwk=STRANGE.as_dict(private=False)), at.said(), by(STRANGE)),
    "jwk beside a good signature": lambda at: at.token(at.head(jwk=STRANGE.as_dict(private=False))),
    "jku: where to fetch a key": lambda at: at.token(at.head(jku=f"{ELSEWHERE}/jwks")),
    "x5u: where to fetch a certificate": lambda at: at.token(at.head(x5u=f"{ELSEWHERE}/cert")),
    "x5c: a certificate handed along": lambda at: at.token(at.head(x5c=["AA"])),
    "crit": lambda at: at.token(at.head(crit=["exp"])),
    "b64 false": lambda at: at.token(at.head(b64=False, crit=["b64"])),
    "kid as a path": lambda at: at.token(at.head(kid="../../../../dev/null")),
    "kid as a file of ours": lambda at: at.token(at.head(kid="token-signing.jwk")),
    "kid as SQL": lambda at: at.token(at.head(kid="x' UNION SELECT 'AA' --")),
    "kid as a list": lambda at: at.token(at.head(kid=[at.key.key_id])),
    "kid left out": lambda at: at.token(at.head(kid=None)),
    "typ JWT": lambda at: at.token(at.head(typ="JWT")),
    "typ left out": lambda at: at.token(at.head(typ=None)),
    "an ID token": lambda at: at.token(at.head(typ="JWT"), nonce="n", auth_time=1, scope=None, client_id=None),
    "a header with alg twice": lambda at: jwt(twice("alg", "ES256", "none", at.head(alg=None)), at.said(), unsigned),
    "another audience": lambda at: at.token(aud=ELSEWHERE),
    "several audiences": lambda at: at.token(aud=[at.mine.issuer, ELSEWHERE]),
    "another issuer": lambda at: at.token(iss=ELSEWHERE),
    "an issuer that begins as ours": lambda at: at.token(iss=f"{at.mine.issuer}.elsewhere.example"),
    "another subject": lambda at: at.token(sub=at.other.client_id),
    "expired": lambda at: at.token(exp=int(time.time()) - 1),
    "expired within the leeway, which is for beginnings": lambda at: at.token(exp=int(time.time())),
    "without an end": lambda at: at.token(exp=None),
    "nbf in the future": lambda at: at.token(nbf=int(time.time()) + tokens.LEEWAY_S + 5),
    "iat in the future": lambda at: at.token(iat=int(time.time()) + tokens.LEEWAY_S + 5),
    "a jti that is none of ours": lambda at: at.token(jti="x' OR true --"),
    "more scopes under a good signature": lambda at: swapped(
        at.token(), 1, encoded(at.said(scope="organisations:write"))
    ),
    "a changed signature": lambda at: swapped(at.token(), 2, encoded(bytes(64))),
    "another token's signature": lambda at: swapped(at.token(), 2, at.token().split(".")[2]),
    "truncated": lambda at: at.token()[:-10],
    "without its last part": lambda at: at.token().rpartition(".")[0],
    "one part too many": lambda at: at.token() + ".AA",
    "huge": lambda at: at.token(padding="x" * 10_000),
    "an assertion": lambda at: at.mine.assertion(),
}

#: The twin of whatever is refused for its end or its beginning stands at the edge.
EDGES: dict[str, Forge] = {
    "nbf within the leeway": lambda at: at.token(nbf=int(time.time()) + tokens.LEEWAY_S - 5),
    "iat within the leeway": lambda at: at.token(iat=int(time.time()) + tokens.LEEWAY_S - 5),
    "some seconds before its end": lambda at: at.token(exp=int(time.time()) + 30),
    "a large claim within the bound": lambda at: at.token(padding="x" * 1000),
    "header members in another order": lambda at: at.token(dict(reversed(at.head().items()))),
}


@pytest.mark.parametrize("attack", ON_TOKENS)
async def test_an_attack_on_a_token_is_refused(ground: Ground, attack: str) -> None:
    ok(await ground.call(ground.token()))
    problem(await ground.call(ON_TOKENS[attack](ground)), 401, "unauthenticated")


@pytest.mark.parametrize("twin", EDGES)
async def test_the_twins_of_attacks_on_tokens_are_taken(ground: Ground, twin: str) -> None:
    ok(await ground.call(EDGES[twin](ground)))


def claimed(at: Ground, **changes: Any) -> str:
    return at.mine.assertion(**changes)


def headed(at: Ground, **changes: Any) -> str:
    return jwt(at.mine.header(**changes), at.mine.claims(), by(at.mine.key))


UNPROVEN = "or what it proves itself with is wrong"
HEADER = "has `alg`, `kid` and `typ` and nothing else"
ALG = "`alg` is one of"
BOTH = "`iss` and `sub` are both"
AUD = "`aud` is this service's issuer"
COMPACT = "no JWT in compact form"

#: Attacks on assertions, with what each is told; of a signature that is not the client's, it is told no more than that.
ON_ASSERTIONS: dict[str, tuple[Forge, str]] = {
    "alg none": (lambda at: jwt(at.mine.header(alg="none"), at.mine.claims(), unsigned), COMPACT),
    "alg none with a signature": (lambda at: headed(at, alg="none"), ALG),
    "alg HS256 with the public key": (
        lambda at: jwt(at.mine.header(alg="HS256"), at.mine.claims(), by_mac(at.mine.key.as_pem(private=False))),
        ALG,
    ),
    "ES256 said, HS256 made": (
        lambda at: jwt(at.mine.header(), at.mine.claims(), by_mac(at.mine.key.as_pem(private=False))),
        UNPROVEN,
    ),
    "RS256": (lambda at: headed(at, alg="RS256"), ALG),
    "PS256 with a key of another kind": (
        lambda at: jwt(at.mine.header(alg="PS256"), at.mine.claims(), by(STRANGE_RSA)),
        UNPROVEN,
    ),
    "another key under the client's kid": (lambda at: jwt(at.mine.header(), at.mine.claims(), by(STRANGE)), UNPROVEN),
    "another key, no kid": (lambda at: jwt(at.mine.header(kid=None), at.mine.claims(), by(STRANGE)), UNPROVEN),
    "another client's key": (
        lambda at: jwt(at.mine.header(kid=at.other.kid), at.mine.claims(), by(at.other.key)),
        UNPROVEN,
    ),
    "the service's own key": (
        lambda at: jwt(at.mine.header(kid=at.key.key_id), at.mine.claims(), by(at.key.key)),
        UNPROVEN,
    ),
    "jwk: a key handed along": (
        lambda at: jwt(at.mine.header(jwk=STRANGE.as_dict(private=False)), at.mine.claims(), by(STRANGE)),
        HEADER,
    ),
    "jku": (lambda at: headed(at, jku=f"{ELSEWHERE}/jwks"), HEADER),
    "x5u": (lambda at: headed(at, x5u=f"{ELSEWHERE}/cert"), HEADER),
    "x5c": (lambda at: headed(at, x5c=["AA"]), HEADER),
    "crit": (lambda at: headed(at, crit=["exp"]), HEADER),
    "kid as a path": (lambda at: headed(at, kid="../../../../dev/null"), UNPROVEN),
    "kid as SQL": (lambda at: headed(at, kid="x' OR true --"), UNPROVEN),
    "kid as a list": (lambda at: headed(at, kid=[at.mine.kid]), "its `kid` a text"),
    "typ of an access token": (lambda at: headed(at, typ="at+jwt"), "`typ` is JWT"),
    "alg twice": (
        lambda at: jwt(twice("alg", "none", "ES256", at.mine.header(alg=None)), at.mine.claims(), by(at.mine.key)),
        COMPACT,
    ),
    "jti twice": (
        lambda at: jwt(at.mine.header(), twice("jti", "one", "two", at.mine.claims(jti=None)), by(at.mine.key)),
        COMPACT,
    ),
    "of another client": (lambda at: claimed(at, iss=at.other.client_id, sub=at.other.client_id), UNPROVEN),
    "about another client": (lambda at: claimed(at, sub=at.other.client_id), BOTH),
    "by another client about this one": (
        lambda at: jwt(at.other.header(), at.other.claims(sub=at.mine.client_id), by(at.other.key)),
        BOTH,
    ),
    "of a client that there is not": (lambda at: claimed(at, iss=str(uuid4())), UNPROVEN),
    "an issuer that is no id": (lambda at: claimed(at, iss="x' OR true --"), "`iss` is not a client id"),
    "another audience": (lambda at: claimed(at, aud=ELSEWHERE), AUD),
    "several audiences": (lambda at: claimed(at, aud=[at.mine.issuer, ELSEWHERE]), AUD),
    "no audience": (lambda at: claimed(at, aud=[]), AUD),
    "an endpoint that does not take it": (lambda at: claimed(at, aud=f"{at.mine.issuer}/oauth/jwks"), AUD),
    "expired": (lambda at: claimed(at, exp=int(time.time()) - 40), "has expired"),
    "too long a life": (lambda at: claimed(at, exp=int(time.time()) + 400), "at most 300 seconds ahead"),
    "a life without end": (lambda at: claimed(at, exp=float("inf")), COMPACT),
    "no number for its end": (lambda at: claimed(at, exp=float("nan")), COMPACT),
    "without an end": (lambda at: claimed(at, exp=None), "has `iss`"),
    "nbf in the future": (lambda at: claimed(at, nbf=int(time.time()) + 40), "`nbf` lies in the future"),
    "iat in the future": (lambda at: claimed(at, iat=int(time.time()) + 40), "`iat` lies in the future"),
    "without a jti": (lambda at: claimed(at, jti=None), "has `iss`"),
    "a jti that is no text": (lambda at: claimed(at, jti=7), "has `iss`"),
    "other claims under a good signature": (
        lambda at: swapped(at.mine.assertion(), 1, encoded(at.mine.claims())),
        UNPROVEN,
    ),
    "a signature of zeros": (lambda at: swapped(at.mine.assertion(), 2, encoded(bytes(64))), UNPROVEN),
    "truncated": (lambda at: at.mine.assertion()[:-4], UNPROVEN),
    "without its signature": (lambda at: at.mine.assertion().rpartition(".")[0], COMPACT),
    "with padding": (lambda at: at.mine.assertion() + "=", COMPACT),
    "huge": (lambda at: claimed(at, padding="x" * 5000), COMPACT),
    "nested too deep": (lambda at: jwt(at.mine.header(), b"[" * 2000, by(at.mine.key)), COMPACT),
    "an access token": (lambda at: at.token(), "`typ` is JWT"),
    "claims of an access token": (
        lambda at: jwt(at.mine.header(), at.said(), by(at.mine.key)),
        "`iss` is not a client",
    ),
}


@pytest.mark.parametrize("attack", ON_ASSERTIONS)
async def test_an_attack_on_an_assertion_is_refused_for_its_reason(ground: Ground, attack: str) -> None:
    ok(await ground.ask(ground.mine.assertion()))
    forge, reason = ON_ASSERTIONS[attack]
    reply = await ground.ask(forge(ground))
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client"), reply.text
    assert reason in reply.json()["error_description"]
    # What was refused has burnt nothing, and broken nothing.
    ok(await ground.ask(ground.mine.assertion()))


# --- what takes more than one request -------------------------------------------------------------------------------


async def refused(reply: Awaitable[httpx.Response], status: int, error: str) -> None:
    found = await reply
    assert (found.status_code, found.json()["error"]) == (status, error), found.text


async def test_two_proofs_at_once_are_refused(ground: Ground) -> None:
    ok(await ground.client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=ground.pair))
    both = ground.client.post("/oauth/token", data=form(ground.mine.assertion()), auth=ground.pair)
    await refused(both, 400, "invalid_request")
    await refused(ground.ask(ground.mine.assertion(), client_secret="x"), 400, "invalid_request")
    twice_ = (
        f"grant_type=client_credentials&client_assertion_type={form('')['client_assertion_type']}"
        f"&client_assertion={ground.mine.assertion()}&client_assertion={ground.mine.assertion()}"
    )
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    await refused(ground.client.post("/oauth/token", content=twice_, headers=kind), 400, "invalid_request")


async def test_an_assertion_of_another_type_is_refused(ground: Ground) -> None:
    saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"
    assertion = ground.mine.assertion()
    await refused(ground.ask(assertion, client_assertion_type=saml), 400, "invalid_request")
    ok(await ground.ask(assertion))


async def test_a_client_id_beside_an_assertion_is_its_own(ground: Ground) -> None:
    assertion = ground.mine.assertion()
    await refused(ground.ask(assertion, client_id=ground.other.client_id), 401, "invalid_client")
    ok(await ground.ask(assertion, client_id=ground.mine.client_id))


async def test_a_replay_is_refused_as_the_first_is_taken(ground: Ground) -> None:
    assertion = ground.mine.assertion()
    ok(await ground.ask(assertion))
    await refused(ground.ask(assertion), 401, "invalid_client")
    # Malleable: (r, s) and (r, n - s) sign the same, so what is remembered is the `jti` and not the bytes.
    fresh = ground.mine.assertion()
    ok(await ground.ask(mirrored(fresh)))
    await refused(ground.ask(fresh), 401, "invalid_client")
    await refused(ground.ask(mirrored(assertion)), 401, "invalid_client")


#: How many points the curve P-256 has (FIPS 186-5).
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def mirrored(text: str) -> str:
    """The same assertion with the other signature that is as good."""
    part = text.split(".")[2]
    raw = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    return swapped(text, 2, encoded(raw[:32] + (ORDER - int.from_bytes(raw[32:])).to_bytes(32)))


async def test_a_key_of_ed448_or_another_curve_signs_for_nobody(ground: Ground) -> None:
    ed448 = jwt(ground.mine.header(alg="EdDSA"), ground.mine.claims(), by(OKPKey.generate_key("Ed448")))
    p384 = jwt(ground.mine.header(alg="ES384"), ground.mine.claims(), lambda _: bytes(96))
    for text in (ed448, p384):
        await refused(ground.ask(text), 401, "invalid_client")


async def test_a_revoked_token_is_refused_and_its_twin_is_not(ground: Ground) -> None:
    def token() -> str:
        return ground.token(sub=ground.pair[0], client_id=ground.pair[0])

    first, twin = token(), token()
    ok(await ground.call(first))
    ok(await ground.client.post("/oauth/revoke", data={"token": first}, auth=ground.pair))
    problem(await ground.call(first), 401, "unauthenticated")
    ok(await ground.call(twin))


async def test_the_memory_of_tokens_takes_no_forged_one_for_a_good_one(ground: Ground) -> None:
    good, forged = ground.token(), jwt(ground.head(), ground.said(), by(STRANGE))
    assert decoded(good.split(".")[0]) == decoded(forged.split(".")[0])
    for _ in range(3):
        ok(await ground.call(good))
        problem(await ground.call(forged), 401, "unauthenticated")


def test_there_are_attacks_enough() -> None:
    assert len(ON_TOKENS) + len(ON_ASSERTIONS) >= 90

"""People by a council's own sign-on: what an access token of a configured OpenID Connect issuer says, if it holds.

OpenID Connect Discovery 1.0 leads to the issuer's keys (RFC 7517), which are kept for an hour and looked at again when a token names one
that is not among them, though at most every ten seconds: who forges key ids must not make us hammer the issuer. An issuer that is away
stops nobody whose key is known, for a day.
"""

import asyncio
import base64
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, ClassVar

import httpx
import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from procure.identity.assertions import Registry, bits
from procure.identity.errors import IssuerAway, TokenRefused
from procure.identity.tokens import LEEWAY_S
from procure.kit.settings import SignOn

#: RS256 besides FAPI's list, since that is what most councils' sign-on signs with and nothing else; each for its own kind of key alone.
KINDS: Mapping[str, type[ECKey | OKPKey | RSAKey]] = {
    "ES256": ECKey,
    "Ed25519": OKPKey,
    "EdDSA": OKPKey,
    "PS256": RSAKey,
    "RS256": RSAKey,
}
#: What a header may hold. Thumbprints are not looked at; whatever would bring a key, or lead to one, is refused.
HEADER = frozenset({"alg", "kid", "typ", "x5t", "x5t#S256"})
#: RFC 9068 and what came before it. An ID token has no type of its own: its audience, a client, tells it apart.
TYPES = frozenset({None, "JWT", "at+jwt", "application/at+jwt"})
FRESH_S, BETWEEN_S, STALE_MAX_S = 3600, 10, 24 * 3600
TIMEOUT_S, LIFETIME_MAX_S = 5, 24 * 3600
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
DOCUMENT_MAX, KEYS_MAX = 256 * 1024, 64
RSA_BITS_MIN = 2048
_IMPORT: Mapping[str, Callable[[Any], ECKey | OKPKey | RSAKey]] = {
    "EC": ECKey.import_key,
    "OKP": OKPKey.import_key,
    "RSA": RSAKey.import_key,
}
#: Of a public key; whatever else an issuer publishes is none of ours, a private part least of all.
_PUBLIC = ("kty", "kid", "alg", "use", "crv", "x", "y", "n", "e")


_REGISTRY = Registry(algorithms=list(KINDS))


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    sub: str
    aud: str | list[str]
    exp: float
    iat: float
    nbf: float = 0


class _Issuer(msgspec.Struct, frozen=True):
    iss: str


class _Discovery(msgspec.Struct, frozen=True):
    issuer: str
    jwks_uri: str


class _Jwks(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class PersonToken:
    """Who a verified token is of. `expires_at` is in seconds since 1970, UTC; `ring` are the keys among which its own was found."""

    issuer: str
    subject: str
    expires_at: float
    ring: object


class Issuer:
    """One issuer, with its keys as they were last seen."""

    #: For tests, which do not wait.
    clock: ClassVar[Any] = staticmethod(monotonic)

    def __init__(self, sign_on: SignOn) -> None:
        self.sign_on = sign_on
        self._ring: dict[str, ECKey | OKPKey | RSAKey] = {}
        self._seen_at: float | None = None
        self._tried_at: float | None = None
        #: Whether the latest look failed: what the issuer has published since its keys were seen can't be known then.
        self._is_away = False
        self._looking = asyncio.Lock()

    async def verify(self, text: str, moment: float) -> PersonToken:
        """What the token says; raises TokenRefused whatever is wrong with it, IssuerAway where that can't be known."""
        header = _header(text)
        key = await self._key(header["kid"])
        if not isinstance(key, KINDS[header["alg"]]) or key.get("alg", header["alg"]) != header["alg"]:
            raise TokenRefused
        try:
            claims = msgspec.json.decode(jws.deserialize_compact(text, key, registry=_REGISTRY).payload, type=_Claims)
        except (JoseError, msgspec.MsgspecError, ValueError, TypeError, RecursionError):
            raise TokenRefused from None
        if not self._holds(claims, moment):
            raise TokenRefused
        return PersonToken(claims.iss, claims.sub, claims.exp, self._ring)

    def still_holds(self, token: PersonToken, moment: float) -> bool:
        """Whether what was verified before need not be verified again: not expired, no key looked for anew since."""
        is_fresh = self._seen_at is not None and self.clock() - self._seen_at < FRESH_S
        return token.ring is self._ring and is_fresh and moment < token.expires_at

    def _holds(self, claims: _Claims, moment: float) -> bool:
        audience = claims.aud if isinstance(claims.aud, list) else [claims.aud]
        # OpenID Connect Core 1.0, section 2: at most 255 ASCII characters.
        names_somebody = 0 < len(claims.sub) <= 255 and claims.sub.isascii() and claims.sub.isprintable()
        is_ours = claims.iss == self.sign_on.issuer and self.sign_on.audience in audience and names_somebody
        has_begun = max(claims.iat, claims.nbf) <= moment + LEEWAY_S
        return is_ours and has_begun and moment < claims.exp <= claims.iat + LIFETIME_MAX_S

    async def _key(self, key_id: str) -> ECKey | OKPKey | RSAKey:
        if self._seen_at is not None and self.clock() - self._seen_at > STALE_MAX_S:
            self._ring, self._seen_at = {}, None
        # Who has a key that is known does not wait for another's look: an issuer that hangs must hold up nobody.
        if key_id not in self._ring or not (self._is_fresh() or self._looking.locked()):
            async with self._looking:  # one asks, those who wait find what it found
                if not self._is_fresh() or key_id not in self._ring:
                    await self._look()
        if key_id in self._ring:
            return self._ring[key_id]
        if self._is_away or self._seen_at is None:
            raise IssuerAway(
                "The sign-on of your organisation can't be reached now, and this key of it is not known yet."
            )
        raise TokenRefused

    def _is_fresh(self) -> bool:
        return self._seen_at is not None and self.clock() - self._seen_at < FRESH_S

    async def _look(self) -> None:
        """Ask the issuer for its keys, unless it was asked just now."""
        if self._tried_at is not None and self.clock() - self._tried_at < BETWEEN_S:
            return
        try:
            ring = await self._fetch()
        except (httpx.HTTPError, httpx.InvalidURL, msgspec.MsgspecError, ValueError, TimeoutError, RecursionError):
            self._is_away = True
        else:
            self._ring, self._seen_at, self._is_away = ring, self.clock(), False
        finally:
            self._tried_at = self.clock()

    async def _fetch(self) -> dict[str, ECKey | OKPKey | RSAKey]:
        # A client for each look, an hour apart: nothing is held open, and none of the environment's proxies or cookies comes in.
        async with (
            asyncio.timeout(2 * TIMEOUT_S),
            httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=self._is_remote()) as client,
        ):
            where = f"{self.sign_on.issuer.rstrip('/')}/.well-known/openid-configuration"
            found = msgspec.json.decode(await _document(client, where), type=_Discovery)
            if found.issuer != self.sign_on.issuer or not self._may_lead_to(found.jwks_uri):
                raise ValueError(found.issuer)
            return _ring(msgspec.json.decode(await _document(client, found.jwks_uri), type=_Jwks).keys)

    def _is_remote(self) -> bool:
        return self.sign_on.issuer.startswith("https:")

    def _may_lead_to(self, where: str) -> bool:
        """Its keys are read over TLS as it is itself; an issuer on loopback keeps them there."""
        if self._is_remote():
            return where.startswith("https://")
        return httpx.URL(where).host == httpx.URL(self.sign_on.issuer).host


async def _document(client: httpx.AsyncClient, where: str) -> bytes:
    """At most DOCUMENT_MAX bytes of a 200, in no content coding, which could blow them up; redirects are not followed."""
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with client.stream("GET", where, headers=headers) as reply:
        if reply.status_code != httpx.codes.OK:
            raise ValueError(reply.status_code)
        body = b""
        async for part in reply.aiter_raw():
            body += part
            if len(body) > DOCUMENT_MAX:
                raise ValueError(DOCUMENT_MAX)
        return body


def _ring(published: list[dict[str, Any]]) -> dict[str, ECKey | OKPKey | RSAKey]:
    """Those for signatures that we can check, by id. What is of another kind or use, or weak, is passed over."""
    found: dict[str, ECKey | OKPKey | RSAKey] = {}
    for said in filter(_is_for_us, published[:KEYS_MAX]):
        with suppress(JoseError, ValueError, TypeError, KeyError):
            found[said["kid"]] = _IMPORT[said["kty"]]({name: said[name] for name in _PUBLIC if name in said})
    return found


def _is_for_us(said: dict[str, Any]) -> bool:
    """By its `use` and `key_ops` (RFC 7517, sections 4.2 and 4.3), and of a kind and size that we take."""
    operations = said.get("key_ops", ["verify"])
    is_for_signatures = said.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    if not isinstance(said.get("kid"), str) or not is_for_signatures:
        return False
    match said:
        case {"kty": "RSA", "n": str(modulus)}:
            return bits(modulus) >= RSA_BITS_MIN
        case {"kty": "EC", "crv": "P-256"} | {"kty": "OKP", "crv": "Ed25519"}:
            return True
    return False


def _header(text: str) -> dict[str, Any]:
    found: dict[str, Any] = _part(text, 0, dict[str, Any])
    if not found.keys() <= HEADER or not all(isinstance(value, str) for value in found.values()):
        raise TokenRefused
    if found.get("typ") not in TYPES or found.get("alg") not in KINDS or "kid" not in found:
        raise TokenRefused
    return found


def claimed_issuer(text: str) -> str | None:
    """Whose a token says it is, before anything is checked: it decides who checks it, and no more."""
    try:
        found: _Issuer = _part(text, 1, _Issuer)
    except TokenRefused:
        return None
    return found.iss


def _part(text: str, index: int, kind: Any) -> Any:
    # Strictly, as the library that checks the signature reads it: both have to see the same header.
    if not _COMPACT.fullmatch(text):
        raise TokenRefused
    part = text.split(".")[index]
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise TokenRefused from None

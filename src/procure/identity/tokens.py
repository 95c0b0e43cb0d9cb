"""Access tokens after RFC 9068: made by `issue`, believed by `verify` and by nothing else.

Their life is wall time: a sandbox that moves procurement's clock by weeks must not end every session.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from procure.identity.errors import TokenRefused
from procure.identity.signing import ALGORITHM, SigningKey
from procure.kit.clock import wall_now
from procure.kit.ids import new_id
from procure.kit.settings import Settings

TYPE = "at+jwt"
LEEWAY_S = 30
#: A token with every scope there is stays well below half of it.
TOKEN_LENGTH_MAX = 4096


class Keys(Protocol):
    """Where the key of a token is found: `signing.SigningKeys`."""

    def find(self, key_id: object, moment: float | None = None) -> SigningKey | None:
        """The key that is believed at `moment`, seconds since 1970, under this id."""
        ...


class _Claims(msgspec.Struct, frozen=True):
    """RFC 9068, section 2.2, and `nbf`, which is honoured should it ever be there."""

    iss: str
    aud: str
    sub: UUID
    client_id: UUID
    iat: int
    exp: int
    jti: UUID
    scope: str
    nbf: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    """What a verified token says. `expires_at` is in seconds since 1970, UTC."""

    client_id: UUID
    scopes: frozenset[str]
    expires_at: int
    id: UUID


def issuer(settings: Settings) -> str:
    """Issuer and audience of every token: this service's public address."""
    return settings.base_url.rstrip("/")


def issue(
    key: SigningKey, settings: Settings, client_id: UUID, scopes: Iterable[str], *, now: datetime | None = None
) -> str:
    """A signed token of `settings.token_lifetime_s`. `now` is this machine's time unless a caller says another."""
    issued_at = int((now or wall_now()).timestamp())
    claims = {
        "iss": issuer(settings),
        "aud": issuer(settings),
        "sub": str(client_id),
        "client_id": str(client_id),
        "iat": issued_at,
        "exp": issued_at + settings.token_lifetime_s,
        "jti": str(new_id()),
        "scope": " ".join(sorted(scopes)),
    }
    return jwt.encode(_header(key.key_id), claims, key.key, algorithms=[ALGORITHM])


def _header(key_id: object) -> dict[str, object]:
    return {"alg": ALGORITHM, "typ": TYPE, "kid": key_id}


def verify(keys: Keys, settings: Settings, text: str, *, now: datetime | None = None) -> Token:
    """What a token of ours says; raises TokenRefused whatever is wrong with it, without saying what."""
    moment = (now or wall_now()).timestamp()
    if len(text) > TOKEN_LENGTH_MAX:
        raise TokenRefused

    def key_of(token: Any) -> ECKey:
        header = token.headers()
        # Header for header as it was issued: no `jwk`, `jku`, `x5c` or `crit` has any business here.
        found = keys.find(header.get("kid"), moment) if header == _header(header.get("kid")) else None
        if found is None:
            raise TokenRefused
        return found.key

    try:
        decoded = jwt.decode(text, key_of, algorithms=[ALGORITHM])
        claims = msgspec.convert(decoded.claims, _Claims)
    except (JoseError, msgspec.ValidationError, ValueError, TypeError, RecursionError):
        raise TokenRefused from None
    if not _holds(claims, issuer(settings), moment):
        raise TokenRefused
    return Token(claims.client_id, _scopes(claims.scope), claims.exp, claims.jti)


@lru_cache(maxsize=1024)
def _scopes(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _holds(claims: _Claims, ours: str, moment: float) -> bool:
    is_ours = claims.iss == ours and claims.aud == ours and claims.sub == claims.client_id
    # Another node's clock may run a little ahead; none of ours would call an expired token good.
    return is_ours and max(claims.iat, claims.nbf) <= moment + LEEWAY_S and moment < claims.exp

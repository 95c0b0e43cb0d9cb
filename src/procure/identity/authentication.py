"""Who is calling: a verified bearer token, and how its client stands at this very request.

The signature is paid for once per token, in a bounded cache; the standing is read each time, so that a revoked token or client, an
ended membership or a suspended organisation acts on the next request, whatever token is out.
"""

import hashlib
from collections import OrderedDict
from functools import lru_cache

from procure.identity import standing
from procure.identity.errors import TokenRefused
from procure.identity.rules import Standing, check_standing
from procure.identity.signing import SigningKeys
from procure.identity.tokens import TOKEN_LENGTH_MAX, Token, verify
from procure.kit.actor import Actor, Role
from procure.kit.clock import wall_now
from procure.kit.driver import Driver
from procure.kit.http import Connection
from procure.kit.scopes import scopes_of
from procure.kit.settings import Settings

#: Tokens, not clients: one that is pushed out is verified again, no more.
CACHE_MAX = 4096
_SCHEME = "bearer"


class Authenticator:
    """What `app.state.authenticate` is: from a connection to its Actor, or TokenRefused (401), or OrganisationIsSuspended (403)."""

    def __init__(self, settings: Settings, driver: Driver, keys: SigningKeys) -> None:
        self._settings, self._driver, self._keys = settings, driver, keys
        self._verified: OrderedDict[bytes, Token] = OrderedDict()
        self._ring = keys.ring()

    async def __call__(self, connection: Connection) -> Actor:
        token = self._token(bearer(connection))
        connection.app.state.rates.charge_client(connection.scope, token.client_id)
        found = await standing.read(self._driver, token.client_id, token.id)
        if found is None:
            raise TokenRefused
        check_standing(found)
        return _actor(connection, token, found)

    def _token(self, text: str) -> Token:
        """Verified now, or before and not expired since."""
        if (ring := self._keys.ring()) is not self._ring:
            # Whatever was verified by a key that has been taken away is to be refused.
            self._ring = ring
            self._verified.clear()
        digest, now = hashlib.sha256(text.encode()).digest(), wall_now()
        token = self._verified.get(digest)
        if token is None:
            token = verify(self._keys, self._settings, text, now=now)
            self._keep(digest, token)
        elif token.expires_at <= now.timestamp():
            del self._verified[digest]
            raise TokenRefused
        else:
            self._verified.move_to_end(digest)
        return token

    def _keep(self, digest: bytes, token: Token) -> None:
        self._verified[digest] = token
        if len(self._verified) > CACHE_MAX:
            self._verified.popitem(last=False)


def bearer(connection: Connection) -> str:
    """The token of the one Authorization header (RFC 6750, section 2.1); it is taken from nowhere else."""
    values = [value for name, value in connection.scope["headers"] if name == b"authorization"]
    if len(values) != 1 or len(values[0]) > TOKEN_LENGTH_MAX + len(_SCHEME) + 1:
        raise TokenRefused
    scheme, _, token = values[0].decode("latin-1").partition(" ")
    if scheme.lower() != _SCHEME or not token.isascii():
        raise TokenRefused
    return token.strip(" ")


def _actor(connection: Connection, token: Token, found: Standing) -> Actor:
    client = connection.scope["client"]
    return Actor(
        organisation_id=found.organisation_id,
        kind=found.organisation_kind,
        client_id=found.client_id,
        person_id=found.person_id,
        roles=found.roles,
        scopes=_granted(token.scopes, found.roles),
        budget_holder=found.budget_holder,
        address=client[0] if client else None,
        request_id=connection.scope.get("state", {}).get("request_id"),
    )


@lru_cache(maxsize=1024)
def _granted(asked: frozenset[str], roles: frozenset[Role]) -> frozenset[str]:
    """What the token carries *and* the roles still have."""
    return asked & scopes_of(roles)

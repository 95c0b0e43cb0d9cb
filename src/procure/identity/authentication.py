"""Who is calling: a verified bearer token, and how its client stands at this very request.

The signature is paid for once per token, in a bounded cache; the standing is read each time, so that a revoked token or client, an
ended membership or a suspended organisation acts on the next request, whatever token is out.
"""

import hashlib
from collections import OrderedDict
from functools import lru_cache
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from procure.identity import standing
from procure.identity.errors import (
    IssuerAway,
    NotAMember,
    OrganisationNotNamed,
    SignOnNeeded,
    SignOnUnknown,
    TokenRefused,
)
from procure.identity.issuers import Issuer, PersonToken, claimed_issuer
from procure.identity.rules import Standing, check_person, check_standing
from procure.identity.signing import SigningKeys
from procure.identity.standing import SignedOn
from procure.identity.tokens import Token, verify
from procure.kit.actor import Actor, Known, Role
from procure.kit.clock import wall_now
from procure.kit.driver import Driver
from procure.kit.http import Connection
from procure.kit.scopes import Scope, scopes_of
from procure.kit.settings import Settings

#: Tokens, not clients: one that is pushed out is verified again, no more.
CACHE_MAX = 4096
#: A sign-on's token may carry hundreds of groups; ours are held to TOKEN_LENGTH_MAX when they are verified.
BEARER_LENGTH_MAX = 16 * 1024
_SCHEME = "bearer"
#: The organisation that the caller acts for, by its id.
ACTING_FOR = "Procure-Organisation"


class Authenticator:
    """What `app.state.authenticate` is: from a connection to its Actor, or TokenRefused (401), or OrganisationIsSuspended (403)."""

    def __init__(self, settings: Settings, driver: Driver, keys: SigningKeys) -> None:
        self._settings, self._driver, self._keys = settings, driver, keys
        self._verified: OrderedDict[bytes, Token] = OrderedDict()
        #: Tokens that were revoked, or whose client was: they count for nobody but the address that still sends them.
        self._ended: OrderedDict[UUID, None] = OrderedDict()
        self._ring = keys.ring()
        self._issuers = {one.issuer: Issuer(one) for one in settings.sign_ons()}
        self._people: OrderedDict[bytes, PersonToken] = OrderedDict()

    async def __call__(self, connection: Connection) -> Actor:
        text = bearer(connection)
        # Whose it says it is decides who checks it. Ours is never an issuer's, and no issuer's is ever ours.
        if self._issuers and (issuer := self._issuers.get(claimed_issuer(text) or "")):
            return await self._person(connection, issuer, text)
        token = self._token(text)
        may_bid = Scope.BIDS_SUBMIT in token.scopes
        connection.app.state.rates.charge_client(connection.scope, token.client_id, may_bid=may_bid)
        found = await self._standing(token)
        if _named(connection) not in (None, found.organisation_id):
            raise NotAMember(f"This client acts for another organisation than `{ACTING_FOR}` names; leave it out.")
        if _is_so(connection, "signing_on"):
            raise SignOnNeeded(
                "Send the token of your organisation's own sign-on; an API client has no sign-on to bring."
            )
        return _actor(connection, _granted(token.scopes, found.roles), found)

    async def _standing(self, token: Token) -> Standing:
        """How the token's client stands now. Raises TokenRefused, and remembers it, since nothing of that comes back."""
        found = await standing.read(self._driver, token.client_id, token.id)
        if found is None:
            raise self._over(token)
        try:
            check_standing(found)
        except TokenRefused:
            raise self._over(token) from None
        return found

    def _over(self, token: Token) -> TokenRefused:
        self._ended[token.id] = None
        _bounded(self._ended)
        return TokenRefused()

    async def _person(self, connection: Connection, issuer: Issuer, text: str) -> Actor:
        """By a sign-on: all that the roles of the membership give, in the one organisation that is acted for."""
        rates = connection.app.state.rates
        try:
            token = await self._person_token(issuer, text)
        except IssuerAway:
            # Nobody knows whether it is forged: it counts as what is.
            rates.charge_address(connection.scope)
            raise
        sign_on = Known(token.issuer, token.subject)
        if _is_so(connection, "signing_on"):
            # Whoever guesses codes is slowed by their address too, however many sign-ons they have.
            rates.charge_address(connection.scope)
        rates.charge_client(connection.scope, uuid5(NAMESPACE_URL, " ".join(sign_on)))
        if _is_so(connection, "signing_on"):
            return _unplaced(connection, sign_on)
        known = await standing.of_sign_on(self._driver, *sign_on)
        if known is None:
            raise SignOnUnknown("You are not known here yet; ask an administrator of your organisation to invite you.")
        named = _named(connection)
        if named is None and len(known.standings) != 1 and _is_so(connection, "choosing"):
            check_person(known.person_status)
            return _unplaced(connection, sign_on, known.person_id)
        found = _chosen(known, named)
        check_standing(found)
        return _actor(connection, scopes_of(found.roles), found, sign_on)

    async def _person_token(self, issuer: Issuer, text: str) -> PersonToken:
        digest, moment = hashlib.sha256(text.encode()).digest(), wall_now().timestamp()
        token = self._people.pop(digest, None)
        if token is None or not issuer.still_holds(token, moment):
            token = await issuer.verify(text, moment)
        self._people[digest] = token
        _bounded(self._people)
        return token

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
        if token.id in self._ended:
            raise TokenRefused
        return token

    def _keep(self, digest: bytes, token: Token) -> None:
        self._verified[digest] = token
        _bounded(self._verified)


def _bounded(memory: OrderedDict[Any, Any]) -> None:
    if len(memory) > CACHE_MAX:
        memory.popitem(last=False)


def bearer(connection: Connection) -> str:
    """The token of the one Authorization header (RFC 6750, section 2.1); it is taken from nowhere else."""
    values = [value for name, value in connection.scope["headers"] if name == b"authorization"]
    if len(values) != 1 or len(values[0]) > BEARER_LENGTH_MAX:
        raise TokenRefused
    scheme, _, token = values[0].decode("latin-1").partition(" ")
    if scheme.lower() != _SCHEME or not token.isascii():
        raise TokenRefused
    return token.strip(" ")


def _named(connection: Connection) -> UUID | None:
    """The organisation that the one header names; raises OrganisationNotNamed for what is no id."""
    values = [value for name, value in connection.scope["headers"] if name == ACTING_FOR.lower().encode()]
    if not values:
        return None
    try:
        (value,) = values
        return UUID(value.decode("ascii"))
    except ValueError:
        raise OrganisationNotNamed(f"`{ACTING_FOR}` is the id of one organisation.") from None


def _is_so(connection: Connection, what: str) -> bool:
    """What `kit.http.authorise` has said of the operation that is asked for."""
    return bool(connection.scope.get("state", {}).get(what))


def _chosen(known: SignedOn, named: UUID | None) -> Standing:
    """The membership in which a person acts: the one that is named, or the only one that there is."""
    if named is None and len(known.standings) > 1:
        raise OrganisationNotNamed(
            f"You belong to several organisations: say in `{ACTING_FOR}` for which you act. `GET /v1/me` lists them."
        )
    for one in known.standings:
        if named in (None, one.organisation_id):
            return one
    raise NotAMember("You are no member of that organisation." if named else "You are no member of any organisation.")


def _unplaced(connection: Connection, sign_on: Known, person_id: UUID | None = None) -> Actor:
    """Who came by a sign-on, and acts for nobody yet."""
    address, request_id = _traced(connection)
    return Actor(person_id=person_id, sign_on=sign_on, address=address, request_id=request_id)


def _traced(connection: Connection) -> tuple[str | None, str | None]:
    """Where a caller comes from, and with which request."""
    client = connection.scope["client"]
    return client[0] if client else None, connection.scope.get("state", {}).get("request_id")


def _actor(connection: Connection, scopes: frozenset[str], found: Standing, sign_on: Known | None = None) -> Actor:
    address, request_id = _traced(connection)
    return Actor(
        organisation_id=found.organisation_id,
        kind=found.organisation_kind,
        client_id=found.client_id,
        person_id=found.person_id,
        roles=found.roles,
        scopes=scopes,
        budget_holder=found.budget_holder,
        sign_on=sign_on,
        address=address,
        request_id=request_id,
    )


@lru_cache(maxsize=1024)
def _granted(asked: frozenset[str], roles: frozenset[Role]) -> frozenset[str]:
    """What the token carries *and* the roles still have."""
    return asked & scopes_of(roles)

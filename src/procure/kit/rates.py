"""How often one caller may ask, told in `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11), refused with a 429.

Each process counts for itself, in memory. A client that shows its token has a quota of its own, who shows none one with its address.
Bids are no part of either. Of them only what was received counts, for each client and lot, so that a first bid is never refused,
whatever its client has asked, read or sent wrongly before; and of each client some are in hand at once while its others wait, so that
one that floods delays itself. No deadline is asked for, so nothing changes as it comes near, and nobody is shown another's count.
"""

from collections.abc import Hashable
from time import monotonic
from uuid import UUID

from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send

from procure.kit.addresses import Addresses
from procure.kit.buckets import Buckets, Quota
from procure.kit.errors import Fact
from procure.kit.idempotency import REPLAYED
from procure.kit.settings import Settings
from procure.kit.trial import VALIDATED
from procure.kit.turns import Turns

WINDOW_S, HOUR_S = 60, 3600
#: Bids of one client that are in hand at once. The whole request has arrived by then: nobody waits for a slow line.
BIDS_AT_ONCE = 4
#: Headers of replies that tell of no bid received now: a retry's, and those of what was only tried.
_NOTHING_NEW = frozenset({REPLAYED.lower().encode(), VALIDATED.lower().encode()})


class TooManyRequests(Fact):
    """More requests than the quota that `RateLimit-Policy` names; wait as long as `Retry-After` says (429)."""

    slug, title, status = "too-many-requests", "Too many requests", 429


class _Limit:
    """One named policy: its buckets, and how its state is said."""

    def __init__(self, name: str, quota: int, window_s: int = WINDOW_S) -> None:
        self.name = name
        self.buckets = Buckets(quota, window_s)
        self._policy = (b"ratelimit-policy", f'"{name}";q={quota};w={window_s}'.encode())

    def tell(self, scope: Scope, quota: Quota) -> None:
        """Have it said with the reply (`kit.headers`); raises TooManyRequests if nothing was left."""
        said = b'"%b";r=%d;t=%d' % (self.name.encode(), quota.left, quota.within_s)
        scope["state"]["rate_limit"] = self._policy, (b"ratelimit", said)
        if quota.wait_s:
            most = f"{self.buckets.quota} in {self.buckets.window_s} s"
            fact = TooManyRequests(
                f"That is more than the policy `{self.name}` allows: {most}. Go on after Retry-After."
            )
            fact.retry_after_s = quota.wait_s
            raise fact


class Rates:
    """What each caller of this process has used. A quota of 0 in the settings is no limit."""

    def __init__(self, settings: Settings) -> None:
        self.addresses = Addresses(settings.trusted_proxies)
        self._client, self._address, self._bids = (
            _Limit(name, quota) if quota else None
            for name, quota in (
                ("client", settings.rate_client),
                ("address", settings.rate_address),
                ("bids", settings.rate_bids),
            )
        )
        registrations = settings.rate_registrations
        self._registrations = _Limit("registrations", registrations, HOUR_S) if registrations else None
        self.turns = Turns(BIDS_AT_ONCE)

    def charge_address(self, scope: Scope) -> None:
        """Of a caller that has shown no token that holds; raises TooManyRequests."""
        if self._address is not None and (key := self.addresses.key(scope)) is not None:
            self._address.tell(scope, self._address.buckets.take(key, monotonic()))

    def charge_registration(self, scope: Scope) -> None:
        """Of an address that is about to have a letter written to somebody, whatever token it shows; raises TooManyRequests."""
        if self._registrations is not None and (key := self.addresses.key(scope)) is not None:
            self._registrations.tell(scope, self._registrations.buckets.take(key, monotonic()))

    def charge_client(self, scope: Scope, client_id: UUID, *, may_bid: bool = True) -> None:
        """Of a client whose token holds, before anything is asked of the database; raises TooManyRequests.

        `may_bid`: whether its token lets it; what it can't do anyway counts as all else that it asks. A request counts once, however often
        it is asked whose it is: a stream asks all the time.
        """
        if scope["state"].get("is_charged"):
            return
        scope["state"]["is_charged"] = True
        if may_bid and scope["state"].get("rate") == "bids":
            self._look_at_bids(scope, client_id)
        elif self._client is not None:
            self._client.tell(scope, self._client.buckets.take(client_id, monotonic()))

    def _look_at_bids(self, scope: Scope, client_id: UUID) -> None:
        scope["state"]["bidder"] = client_id
        if self._bids is not None:
            key = client_id, *scope["path_params"].values()
            scope["state"]["bid"] = key
            self._bids.tell(scope, self._bids.buckets.look(key, monotonic()))

    async def enter(self, scope: Scope) -> None:
        """Wait for a bid's turn."""
        bidder = scope["state"]["bidder"]
        await self.turns.enter(bidder)
        scope["state"]["turn"] = bidder

    def received(self, scope: Scope, key: Hashable) -> None:
        """A bid was: it counts, even where another one was received meanwhile and there was none left."""
        assert self._bids is not None
        self._bids.buckets.charge(key, monotonic())
        quota = self._bids.buckets.look(key, monotonic())
        self._bids.tell(scope, quota._replace(wait_s=0))


def with_rates(app: ASGIApp, rates: Rates) -> ASGIApp:
    """Around the router: the caller's address, what is counted of bids, and the end of their turn."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        rates.addresses.resolve(scope)
        if scope["method"] == HttpMethod.GET:  # bids are written
            await app(scope, receive, send)
            return
        state = scope["state"]

        async def send_and_count(message: Message) -> None:
            if "bid" in state and message["type"] == "http.response.start" and _is_received(message):
                rates.received(scope, state["bid"])
            await send(message)

        try:
            await app(scope, receive, send_and_count)
        finally:
            if "turn" in state:
                rates.turns.leave(state["turn"])

    return handle


def _is_received(start: HTTPResponseStartEvent) -> bool:
    """Whether the reply tells of a bid that has been received with this request."""
    return start["status"] < 300 and _NOTHING_NEW.isdisjoint(name for name, _ in start["headers"])

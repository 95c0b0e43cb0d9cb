"""Failed token requests: who fails waits, longer with each failure, and nobody else does.

What is counted is a claimed client at one address, and an address over all clients; nothing is counted of a client alone. So whoever
guesses a client's secret does not lock that client out: from another address it goes on at once. A claimed client is counted whether
there is one or not, and before it is looked for, so that neither answer nor wait tells who exists.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from authlib.oauth2.rfc6749 import InvalidClientError, OAuth2Error

from procure.kit.buckets import Buckets

WINDOW_S = 60
#: An address may fail so many times as often as one client at it: many clients may share one, behind the door of an office.
CLIENTS_OF_ONE_ADDRESS = 10


class TooManyFailures(OAuth2Error):  # type: ignore[misc]
    """After failures this address has to wait before it tries again (429, with Retry-After)."""

    # Of RFC 8628, section 3.5: the one registered error of the token endpoint that tells a client to come less often.
    error = "slow_down"
    status_code = 429
    description = "Too many token requests of this address have failed; wait as long as Retry-After says."

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class Failures:
    """Those that this process has seen: `quota` a minute for a client at an address, 0 for no limit."""

    def __init__(self, quota: int) -> None:
        self._is_off = quota == 0
        self._pairs = Buckets(max(quota, 1), WINDOW_S)
        self._addresses = Buckets(max(quota, 1) * CLIENTS_OF_ONE_ADDRESS, WINDOW_S)

    @contextmanager
    def watching(self, client: object, address: str | None) -> Iterator[None]:
        """Around one request: raises TooManyFailures before it, and counts if the client is refused in it.

        An `address` of None is nobody's own (`kit.addresses`): what fails there is not counted.
        """
        if self._is_off or address is None:
            yield
            return
        now, pair = monotonic(), (client, address)
        wait_s = max(self._pairs.look(pair, now).wait_s, self._addresses.look(address, now).wait_s)
        if wait_s:
            raise TooManyFailures(wait_s)
        try:
            yield
        except InvalidClientError:
            # Those that were asked at once have all passed the look: the debt makes up for it.
            self._pairs.charge(pair, monotonic())
            self._addresses.charge(address, monotonic())
            raise

"""From which address a request comes: its peer's, or what a proxy that is named in the settings says of its own peer.

`X-Forwarded-For` is anybody's to write, so it is read from named proxies alone, from its end on, and no further than to the first
address that is none of theirs; what is no address counts for nothing.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import structlog
from litestar.types import Scope

from procure.kit.settings import SettingsFault

log = structlog.get_logger(__name__)
Network = IPv4Network | IPv6Network

#: Not of the public internet: loopback, RFC 1918, RFC 6598, link-local, RFC 4193. What comes from there and forwards is a proxy.
_INNER = [
    ip_network(one)
    for one in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
]
_WITH_PORT = re.compile(r"\[([0-9a-fA-F:.]+)\](?::\d{1,5})?|([0-9.]+):\d{1,5}")
_FORWARDED = frozenset({b"x-forwarded-for", b"forwarded"})
#: Whoever has an IPv6 address has 2^64 of them (RFC 4291, section 2.5.4).
_HOST_BITS = 64


class Addresses:
    """The callers' addresses, with the proxies whose word is taken. Raises SettingsFault if one is no address or network."""

    def __init__(self, proxies: str = "") -> None:
        self._proxies = [_network(one.strip()) for one in proxies.split(",") if one.strip()]
        self._has_warned = False

    def resolve(self, scope: Scope) -> None:
        """Put the caller in the place of the named proxies that it came through."""
        peer = scope["client"]
        if not self._proxies or peer is None or not self._is_named(peer[0]):
            return
        said = b",".join([value for name, value in scope["headers"] if name == b"x-forwarded-for"]).decode("latin-1")
        found = peer[0]
        for one in reversed(said.split(",")):
            if (address := _address(_without_port(one.strip()))) is None:
                break
            found = str(address)
            scope["state"]["is_resolved"] = True
            if not self._is_named(found):
                break
        scope["client"] = (found, 0)

    def key(self, scope: Scope) -> str | None:
        """What its callers' limits are kept by: an IPv4 address, an IPv6 network of 64 bits; None where it is nobody's own.

        An inner address that forwards is a proxy which nobody has named, and a named one may say nothing that is an address: with one
        limit for all behind it one caller would shut out the others, so there is none, and a warning.
        """
        host = scope["client"][0] if scope["client"] else ""
        placed = _placed(host)
        if placed is None:
            return None
        key, is_inner = placed
        if not scope["state"].get("is_resolved") and _forwards(scope["headers"]):
            if self._is_named(host):
                self._warn("a proxy of PROCURE_TRUSTED_PROXIES names no caller: no limits by address behind it")
                return None
            if is_inner:
                self._warn(
                    "a proxy forwards that PROCURE_TRUSTED_PROXIES does not name: no limits by address behind it"
                )
                return None
        return key

    def _is_named(self, host: str) -> bool:
        address = _address(host)
        return address is not None and any(address in network for network in self._proxies)

    def _warn(self, said: str) -> None:
        if not self._has_warned:
            log.warning(said)
        self._has_warned = True


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        raise SettingsFault(f"PROCURE_TRUSTED_PROXIES: {text!r} is no address or network like 10.0.0.0/8.") from None


def _forwards(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name in _FORWARDED for name, _ in headers)


def _without_port(said: str) -> str:
    """Some proxies name the port too: `203.0.113.5:4711`, `[2001:db8::1]:4711`."""
    found = _WITH_PORT.fullmatch(said)
    return (found[1] or found[2]) if found else said


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """An IPv4 address also where it came by a socket of IPv6 (RFC 4291, section 2.5.5.2), without a zone; None if it is none."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=4096)
def _placed(host: str) -> tuple[str, bool] | None:
    """The key of an address, and whether it is an inner one; None if it is no address."""
    address = _address(host)
    if address is None:
        return None
    is_inner = any(address in network for network in _INNER)
    if address.version == 6:
        return str(IPv6Network((int(address) >> _HOST_BITS << _HOST_BITS, _HOST_BITS))), is_inner
    return str(address), is_inner

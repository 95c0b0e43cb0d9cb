"""Where webhooks may be sent: which spellings of an address are taken, and which addresses of the network are connected to.

Whoever names a URL here makes the service send to it, from inside its own network: server-side request forgery (OWASP API7:2023). So
a URL is a plain name over https and nothing that two parsers read differently; and whatever the name resolves to is judged, at the moment
of sending, by the special-purpose registries of IANA (RFC 6890). A sandbox may send to this machine, where the URL says so in letters.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

URL_MAX = 2000
#: RFC 1035, section 2.3.4, without the dot that ends it.
_NAME_MAX = 253
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
#: At least two labels, the last of them no number in any base: `127.1`, `2130706433` and `0x7f000001` are addresses to many resolvers.
_NAME = re.compile(rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?")
#: Neither user nor fragment, no backslash, nothing beyond ASCII: nothing that a second parser could take for another host.
_URL = re.compile(
    r"(https?)://([A-Za-z0-9.-]+|\[::1\])(?::([1-9][0-9]{0,4}))?((?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?)"
)
_PORTS = {"http": 80, "https": 443}
_LOCAL = frozenset({"127.0.0.1", "localhost", "[::1]"})

#: What is no public unicast: IANA's IPv4 special-purpose registry, multicast, and one platform's own address for its machines.
_REFUSED_4 = [
    IPv4Network(one)
    for one in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
#: All of IPv6 that is given out for unicast (RFC 4291, section 2.4), and what of it is not public: Teredo and other protocols' own,
#: documentation, 6to4. Mapped and translated addresses, link-local and unique local ones and multicast lie outside.
_PUBLIC_6 = IPv6Network("2000::/3")
_REFUSED_6 = [IPv6Network(one) for one in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
#: Where a network has IPv6 alone, its resolver gives IPv4 as these (RFC 6052): they are judged by what they translate to.
_TRANSLATED = IPv6Network("64:ff9b::/96")


class TargetRefused(ValueError):
    """The URL is not one that webhooks are sent to; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL, read once. `is_local`: it names this machine, in a sandbox."""

    scheme: str
    host: str
    port: int
    path: str
    is_local: bool

    @property
    def authority(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def read(url: str, *, may_be_local: bool = False) -> Target:
    """What the URL names; raises TargetRefused. `may_be_local` is a sandbox's setting."""
    found = _URL.fullmatch(url) if len(url) <= URL_MAX else None
    if found is None:
        raise TargetRefused(
            "It is not a plain URL: scheme, name, path and query, without user, fragment or other marks."
        )
    scheme, host, port = found[1], found[2].lower(), int(found[3] or _PORTS[found[1]])
    if port > 65535:
        raise TargetRefused("There is no such port.")
    is_local = host in _LOCAL
    if is_local and not may_be_local:
        raise TargetRefused("It names this machine.")
    if not is_local and scheme != "https":
        raise TargetRefused("It begins with https://.")
    if not is_local and (len(host) > _NAME_MAX or not _NAME.fullmatch(host)):
        raise TargetRefused("It names its host by a whole DNS name, and not by an address.")
    path = found[4] if found[4].startswith("/") else f"/{found[4]}"  # of no path too (RFC 9110, section 4.2.3)
    return Target(scheme, host.strip("[]"), port, path, is_local)


def is_reachable(address: str, *, is_local: bool) -> bool:
    """Whether what a name resolved to is connected to: a public address, or for a target on this machine a loopback one."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return found.is_loopback if is_local else _is_public(found)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in one for one in _REFUSED_4)
    if address.scope_id is not None:
        return False
    if address in _TRANSLATED:
        return _is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _PUBLIC_6 and address.is_global and not any(address in one for one in _REFUSED_6)

"""Whose address counts: the peer's, unless a named proxy says whose it is; and nobody's where a proxy has not been named."""

from typing import Any, cast

import pytest

from procure.kit import logs
from procure.kit.addresses import Addresses
from procure.kit.settings import SettingsFault

PROXIES = "10.0.0.0/8, 192.0.2.7"


def scope(peer: str | None, *headers: tuple[str, str]) -> Any:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    return {"client": (peer, 4711) if peer else None, "headers": raw, "state": {}}


def key(addresses: Addresses, peer: str | None, *forwarded: str) -> str | None:
    asked = scope(peer, *(("X-Forwarded-For", one) for one in forwarded))
    addresses.resolve(asked)
    return addresses.key(asked)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.5", [], "203.0.113.5"),
        # Nobody has named this peer a proxy: what it says of others is its own invention.
        ("203.0.113.5", ["198.51.100.1"], "203.0.113.5"),
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
        ("192.0.2.7", ["198.51.100.1"], "198.51.100.1"),
        # What the caller has written before its own address was put behind it.
        ("10.1.2.3", ["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["203.0.113.9, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.1.2.3", ["10.4.4.4, 10.9.9.9"], "10.4.4.4"),
        ("::ffff:10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["203.0.113.9, 198.51.100.1:4711, 10.9.9.9:80"], "198.51.100.1"),
        ("10.1.2.3", ["[2001:db8:1:2:3::4]:4711"], "2001:db8:1:2::/64"),
        ("10.1.2.3", ["[2001:db8:1:2:3::4]"], "2001:db8:1:2::/64"),
        # A named proxy that names nobody: with its own address for all, one caller would shut out the others.
        ("10.1.2.3", ["unknown"], None),
        ("10.1.2.3", [""], None),
        ("10.1.2.3", ["198.51.100.1:port"], None),
        # What is no address counts for nothing.
        ("10.1.2.3", ["198.51.100.1, <script>, 10.9.9.9"], "10.9.9.9"),
        ("10.1.2.3", ["2001:db8:1:2:3::4"], "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.5", [], "203.0.113.5"),
        ("2001:db8:1:2:ffff::1", [], "2001:db8:1:2::/64"),
        ("::1", [], "::/64"),
        ("a-socket", [], None),
        (None, [], None),
    ],
)
def test_the_address_is_the_first_that_no_named_proxy_has(
    peer: str | None, forwarded: list[str], expected: str | None
) -> None:
    assert key(Addresses(PROXIES), peer, *forwarded) == expected


def test_without_the_setting_nothing_is_believed() -> None:
    for peer in ("203.0.113.5", "8.8.8.8"):
        assert key(Addresses(), peer, "198.51.100.1") == peer


def test_behind_an_inner_proxy_that_nobody_named_there_is_no_address_and_one_warning(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With one bucket for everybody behind it, one caller would shut out all the others."""
    logs.configure(level="warning", form="json")
    addresses = Addresses()
    assert [key(addresses, "127.0.0.1", "198.51.100.1") for _ in range(3)] == [None] * 3
    assert addresses.key(scope("10.1.2.3", ("Forwarded", "for=198.51.100.1"))) is None
    assert key(addresses, "127.0.0.1") == "127.0.0.1"
    written = capfd.readouterr().err
    logs.configure(level="critical", form="json")
    assert written.count("PROCURE_TRUSTED_PROXIES") == 1
    assert not [one for one in ("127.0.0.1", "198.51.100.1") if one in written]


def test_a_named_proxy_that_names_no_caller_is_warned_of_once(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure(level="warning", form="json")
    addresses = Addresses(PROXIES)
    assert [key(addresses, "10.1.2.3", "unknown") for _ in range(3)] == [None] * 3
    written = capfd.readouterr().err
    logs.configure(level="critical", form="json")
    assert written.count("names no caller") == 1


@pytest.mark.parametrize("zone", ["eth0", "anything that somebody wants to have in the journal"])
def test_a_zone_goes_into_no_journal(zone: str) -> None:
    """RFC 4007, section 6.2: it means something on one machine alone, and may be any text."""
    asked = scope("10.1.2.3", ("X-Forwarded-For", f"fe80::1%{zone}, 10.9.9.9"))
    Addresses(PROXIES).resolve(asked)
    assert cast("Any", asked)["client"] == ("fe80::1", 0)


def test_the_caller_stands_in_the_proxys_place_for_the_journal_too() -> None:
    asked = scope("10.1.2.3", ("X-Forwarded-For", "198.51.100.1"))
    Addresses(PROXIES).resolve(asked)
    assert cast("Any", asked)["client"] == ("198.51.100.1", 0)


@pytest.mark.parametrize("named", ["proxy.example", "*", "10.0.0.1/8", "10.0.0.0/40", "10.0.0.0/8;10.1.0.0/16"])
def test_a_proxy_that_is_no_address_is_refused_at_the_start(named: str) -> None:
    with pytest.raises(SettingsFault, match="PROCURE_TRUSTED_PROXIES"):
        Addresses(named)

"""Where webhooks may be sent, as a table: what is no plain name over https is not taken, and nothing that is not public is connected to."""

import asyncio
import ssl
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from procure.webhooks.sending import Answer, Outlet, Trouble
from procure.webhooks.targets import TargetRefused, is_reachable, read
from webhooks.receiving import Receiver, receiving

TLS = ssl.create_default_context()
HEADERS = {"content-type": "application/json"}

#: Spellings of an address of this machine, of the inside, or of two hosts at once. `PORT` is the listener's.
OF_THIS_MACHINE = [
    "http://127.0.0.1:PORT/",
    "https://127.0.0.1:PORT/",
    "https://localhost:PORT/",
    "https://LOCALHOST:PORT/",
    "https://[::1]:PORT/",
]
SPELLINGS = [
    "https://127.1:PORT/",
    "https://127.0.1:PORT/",
    "https://2130706433:PORT/",
    "https://0x7f000001:PORT/",
    "https://0x7f.0.0.1:PORT/",
    "https://0177.0.0.1:PORT/",
    "https://017700000001:PORT/",
    "https://0:PORT/",
    "https://0.0.0.0:PORT/",
    "https://[::]:PORT/",
    "https://[::ffff:127.0.0.1]:PORT/",
    "https://[::ffff:7f00:1]:PORT/",
    "https://[0:0:0:0:0:0:0:1]:PORT/",
    "https://[::1%25lo]:PORT/",
    "https://[fe80::1%25eth0]:PORT/",
    "https://169.254.169.254/latest/meta-data/",
    "https://8.8.8.8/",
    "https://portal.example.:PORT/",
    "https://portal.example@127.0.0.1:PORT/",
    "https://user:word@portal.example:PORT/",
    "https://127.0.0.1\\@portal.example:PORT/",
    "https://portal.example\\@127.0.0.1:PORT/",
    "https://127.0.0.1:PORT#@portal.example/",
    "https://portal.example:PORT#/hooks",
    "https://127.0.0.1%2f@portal.example:PORT/",
    "https://127%2e0%2e0%2e1:PORT/",
    "https://①②⑦.⓪.⓪.①:PORT/",
    "https://127。0。0。1:PORT/",
    "https://loc\N{MATHEMATICAL SCRIPT SMALL A}lhost:PORT/",
    "https://pörtal.example:PORT/",
    "https://portal:PORT/",
    "https://portal.example:PORT\r\nHost: 127.0.0.1/",
    "https://portal.example:99999/",
    "https://portal.example:0PORT/",
    "https:///127.0.0.1:PORT/",
    "https:127.0.0.1:PORT/",
    "//127.0.0.1:PORT/",
    "ftp://portal.example/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:PORT/_",
    "https://portal.example:PORT/a b",
    "https://-portal.example:PORT/",
    "https://portal.0x7f:PORT/",
    "https://" + "a." * 130 + "example:PORT/",
]

#: What a good name might resolve to, and must not lead to.
ADDRESSES = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "168.63.129.16",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
    "not an address",
]


class Connections:
    """Every connection that this process begins, seen where the interpreter itself tells of it."""

    def __init__(self) -> None:
        self.begun: list[Any] | None = None
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and self.begun is not None:
            self.begun.append(arguments[1])

    @contextmanager
    def counted(self) -> Generator[list[Any]]:
        found: list[Any] = []
        self.begun = found
        try:
            yield found
        finally:
            self.begun = None


CONNECTIONS = Connections()


def answering(*answers: Sequence[str]) -> Any:
    """A resolver that answers each look-up with the next of these, and goes on with the last."""
    left = list(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


@pytest.fixture
async def receiver() -> Any:
    async with receiving() as one:
        yield one


@pytest.mark.parametrize("url", SPELLINGS)
def test_a_spelling_that_is_no_plain_name_is_not_taken(url: str) -> None:
    for may_be_local in (True, False):
        with pytest.raises(TargetRefused):
            read(url.replace("PORT", "8443"), may_be_local=may_be_local)


@pytest.mark.parametrize("url", OF_THIS_MACHINE)
def test_this_machine_is_a_sandboxs_alone(url: str) -> None:
    assert read(url.replace("PORT", "8443"), may_be_local=True).is_local
    with pytest.raises(TargetRefused):
        read(url.replace("PORT", "8443"))


@pytest.mark.parametrize(
    "url",
    [
        "https://portal.example",
        "https://portal.example/",
        "https://Portal.Example:8443/hooks?for=us&key=%2F",
        "https://a-b.xn--prtal-jua.example/~x/(y)",
    ],
)
def test_a_plain_name_is_taken(url: str) -> None:
    target = read(url)
    assert (target.scheme, target.is_local) == ("https", False)
    assert target.host.endswith(".example")


@pytest.mark.parametrize(
    ("url", "path"), [("https://portal.example", "/"), ("https://portal.example?key=1", "/?key=1")]
)
def test_what_is_asked_for_begins_with_a_slash(url: str, path: str) -> None:
    assert read(url).path == path


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_name_that_leads_inside_is_never_connected_to(address: str, receiver: Receiver) -> None:
    """Alone, or beside an address that would do."""
    assert not is_reachable(address, is_local=False)
    for found in ([address], ["93.184.215.14", address], [address, "93.184.215.14"]):
        outlet = Outlet(read(f"https://portal.example:{receiver.port}/"), answering(found), TLS)
        with CONNECTIONS.counted() as begun:
            assert await outlet.post(HEADERS, b"{}") == Answer(None, Trouble.NO_PUBLIC_ADDRESS)
            await outlet.close()
        assert begun == []
    assert receiver.connections == 0


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450::1", "64:ff9b::8.8.8.8"])
def test_a_public_address_is_reachable_and_not_for_a_target_on_this_machine(address: str) -> None:
    assert is_reachable(address, is_local=False)
    assert not is_reachable(address, is_local=True)


async def test_a_name_is_looked_up_once_and_the_second_answer_changes_nothing(receiver: Receiver) -> None:
    """DNS rebinding: the check would see the one address and the connection go to the other."""
    seen: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        seen.append(host)
        return ["192.0.2.1"] if len(seen) % 2 else ["127.0.0.1"]

    outlet = Outlet(read(f"https://portal.example:{receiver.port}/"), rebinding, TLS)
    with CONNECTIONS.counted() as begun:
        answers = [await outlet.post(HEADERS, b"{}") for _ in range(4)]
    assert {one.trouble for one in answers} == {Trouble.NO_PUBLIC_ADDRESS}
    assert len(seen) == len(answers)
    assert (begun, receiver.connections) == ([], 0)
    await outlet.close()


async def test_in_a_sandbox_this_machine_is_reached_by_its_own_name_and_nobody_elses(receiver: Receiver) -> None:
    local = read(f"http://localhost:{receiver.port}/hooks", may_be_local=True)
    for found, is_taken in ((["127.0.0.1"], True), (["10.0.0.1"], False), (["127.0.0.1", "93.184.215.14"], False)):
        outlet = Outlet(local, answering(found), TLS)
        with CONNECTIONS.counted() as begun:
            assert ((await outlet.post(HEADERS, b"{}")).status == 204) is is_taken
        assert begun == ([("127.0.0.1", receiver.port)] if is_taken else [])
        await outlet.close()
    rebound = Outlet(read(f"https://portal.example:{receiver.port}/", may_be_local=True), answering(["127.0.0.1"]), TLS)
    assert (await rebound.post(HEADERS, b"{}")).trouble is Trouble.NO_PUBLIC_ADDRESS
    await rebound.close()


async def test_no_proxy_of_the_environment_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{receiver.port}")
    outlet = Outlet(read("https://portal.example/"), answering(["10.0.0.1"]), TLS)
    assert (await outlet.post(HEADERS, b"{}")).trouble is Trouble.NO_PUBLIC_ADDRESS
    assert receiver.connections == 0
    await outlet.close()


async def test_a_redirect_is_an_answer_and_leads_nowhere(receiver: Receiver) -> None:
    async with receiving() as inside:
        for status in (301, 302, 303, 307, 308):
            receiver.answer(
                f"HTTP/1.1 {status} There\r\nLocation: http://127.0.0.1:{inside.port}/\r\nContent-Length: 0\r\n\r\n"
            )
            outlet = Outlet(local_of(receiver), answering(["127.0.0.1"]), TLS)
            assert await outlet.post(HEADERS, b"{}") == Answer(status, Trouble.REDIRECTED)
            await outlet.close()
        assert inside.connections == 0


def local_of(receiver: Receiver) -> Any:
    return read(f"http://127.0.0.1:{receiver.port}/hooks", may_be_local=True)


async def test_the_name_is_asked_for_and_no_cookie_kept(receiver: Receiver) -> None:
    receiver.answer("HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok")
    outlet = Outlet(local_of(receiver), answering(["127.0.0.1"]), TLS)
    for _ in range(2):
        assert await outlet.post(HEADERS, b"{}") == Answer(200, None)
    await outlet.close()
    assert [one.headers["host"] for one in receiver.requests] == [f"127.0.0.1:{receiver.port}"] * 2
    assert all("cookie" not in one.headers for one in receiver.requests)
    assert receiver.connections == 1, "the second message goes by the same connection"


HOSTILE = {
    "a huge body": ("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + "x" * 200_000, Answer(200, None)),
    "a body that never ends": ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", Answer(200, None)),
    "huge headers": ("HTTP/1.1 200 OK\r\n" + "X: " + "y" * 300_000, Answer(None, Trouble.UNREACHABLE)),
    "no HTTP": ("220 mail.example ESMTP\r\n", Answer(None, Trouble.UNREACHABLE)),
    "nothing": ("", Answer(None, Trouble.UNREACHABLE)),
    "an error": ("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", Answer(500, Trouble.REFUSED)),
    "gone": ("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", Answer(410, Trouble.REFUSED)),
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_whatever_is_answered_an_attempt_has_an_end(kind: str, receiver: Receiver) -> None:
    said, expected = HOSTILE[kind]
    receiver.answer(said, closes="Content-Length: 0" not in said and "Encoding" not in said)
    outlet = Outlet(local_of(receiver), answering(["127.0.0.1"]), TLS)
    assert await outlet.post(HEADERS, b"{}") == expected
    await outlet.close()


async def test_an_answer_that_trickles_ends_with_the_attempts_time(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("procure.webhooks.sending.TIMEOUT_S", 0.3)
    receiver.trickle("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", every_s=0.05)
    outlet = Outlet(local_of(receiver), answering(["127.0.0.1"]), TLS)
    async with asyncio.timeout(5):
        assert await outlet.post(HEADERS, b"{}") == Answer(None, Trouble.TIMEOUT)
        await outlet.close()

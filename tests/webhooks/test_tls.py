"""Messages over TLS, for real: the receiver's certificate is held against the name of the URL, though the address is looked up here."""

import asyncio
import datetime as dt
import gc
import ipaddress
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from procure.kit.clock import wall_now
from procure.webhooks.sending import Answer, Outlet, Trouble, trusting
from procure.webhooks.targets import read
from webhooks.receiving import Receiver, receiving

HEADERS = {"content-type": "application/json"}
DAY = dt.timedelta(days=1)
NAME = "portal.example"


class Authority:
    """A certificate authority of the tests' own."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests")])
        self.certificate = self._signed(self._name, self._key, [], days=(-2, 2), is_authority=True)

    def trusted(self) -> ssl.SSLContext:
        """As the courier's own, but that it trusts this authority too."""
        context = trusting()
        context.load_verify_locations(cadata=self.certificate.public_bytes(serialization.Encoding.PEM).decode())
        return context

    def serving(self, *names: str, days: tuple[int, int] = (-1, 1)) -> ssl.SSLContext:
        """What a receiver shows, for these names or addresses, valid between two days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
        shown = self._signed(subject, key, names, days=days, is_authority=False)
        path = self._folder / "shown.pem"
        path.write_bytes(
            shown.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        names: Sequence[str],
        *,
        days: tuple[int, int],
        is_authority: bool,
    ) -> x509.Certificate:
        now = wall_now()
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * DAY)
            .not_valid_after(now + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if names:
            made = made.add_extension(x509.SubjectAlternativeName([_named(one) for one in names]), critical=False)
        return made.sign(self._key, hashes.SHA256())


def _named(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """And a network in which loopback is a public address, so that a receiver here has a name like any other."""
    monkeypatch.setattr("procure.webhooks.sending.is_reachable", lambda address, **_: address == "127.0.0.1")
    return Authority(tmp_path)


@asynccontextmanager
async def receiving_by_tls(context: ssl.SSLContext) -> AsyncGenerator[tuple[Receiver, list[str | None]]]:
    """A receiver, and the names that it was asked for (SNI)."""
    asked: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    async with receiving(context) as receiver:
        yield receiver, asked


async def post(receiver: Receiver, tls: ssl.SSLContext) -> Answer:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    outlet = Outlet(read(f"https://{NAME}:{receiver.port}/hooks"), resolve, tls)
    try:
        return await outlet.post(HEADERS, b"{}")
    finally:
        await outlet.close()


async def test_who_shows_a_certificate_of_the_urls_name_is_sent_to_and_asked_by_that_name(authority: Authority) -> None:
    async with receiving_by_tls(authority.serving(NAME)) as (receiver, asked):
        assert await post(receiver, authority.trusted()) == Answer(204, None)
        assert asked == [NAME]
        assert receiver.requests[0].headers["host"] == f"{NAME}:{receiver.port}"


@pytest.mark.parametrize(
    ("names", "days"),
    [
        (("another.example",), (-1, 1)),
        (("127.0.0.1",), (-1, 1)),  # of the address that is connected to: whoever answers there is not who was named
        (("*.portal.example",), (-1, 1)),
        ((), (-1, 1)),  # the common name says it, which counts for nothing (RFC 9110, section 4.3.4)
        ((NAME,), (-2, -1)),
        ((NAME,), (1, 2)),
    ],
)
async def test_who_shows_another_certificate_is_sent_nothing(
    authority: Authority, names: tuple[str, ...], days: tuple[int, int]
) -> None:
    async with receiving_by_tls(authority.serving(*names, days=days)) as (receiver, asked):
        assert await post(receiver, authority.trusted()) == Answer(None, Trouble.UNREACHABLE)
        assert (asked, receiver.requests) == ([NAME], [])


async def test_who_shows_a_certificate_of_nobody_that_is_trusted_is_sent_nothing(
    authority: Authority, tmp_path: Path
) -> None:
    folder = tmp_path / "another"
    folder.mkdir()
    async with receiving_by_tls(Authority(folder).serving(NAME)) as (receiver, _):
        assert await post(receiver, authority.trusted()) == Answer(None, Trouble.UNREACHABLE)
        assert receiver.requests == []


async def test_who_begins_no_tls_costs_no_connection(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is closed at the attempt's end, and not once the collector finds it: each attempt would leave one."""
    monkeypatch.setattr("procure.webhooks.sending.TIMEOUT_S", 0.2)
    closed = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        closed.set()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    gc.disable()
    try:
        assert await post(Receiver(port), authority.trusted()) == Answer(None, Trouble.TIMEOUT)
        await asyncio.wait_for(closed.wait(), 5)
    finally:
        gc.enable()
        server.close()

"""Mail servers of the test suite's own, on loopback: one that behaves, and others that refuse, hang and drop."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
LOGIN = LoginPassword(b"procure", b"s3cret/of:mail")


@dataclass
class MailServer:
    """What it got, and what it answers: to a recipient, and to a message."""

    port: int = 0
    envelopes: list[Envelope] = field(default_factory=list)
    to_recipient: str = "250 OK"
    to_message: str = "250 OK"
    #: Ends the connection where a message would be answered, having kept it.
    drops: bool = False
    #: What it never answers: DATA or QUIT.
    hangs_at: str = ""

    @property
    def messages(self) -> list[EmailMessage]:
        return [read(one.content) for one in self.envelopes]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.to_recipient.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - the same
        if self.hangs_at == "DATA":
            await asyncio.Event().wait()
        if self.to_message.startswith("2"):
            self.envelopes.append(envelope)
        if self.drops:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return self.to_message

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802 - the same
        if self.hangs_at == "QUIT":
            await asyncio.Event().wait()
        return "221 Bye"


def read(content: bytes | str | None) -> EmailMessage:
    assert isinstance(content, bytes)
    found = message_from_bytes(content, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def _authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=data == LOGIN, handled=False)


@asynccontextmanager
async def mail_server(
    *, start_tls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[MailServer]:
    """One that behaves until it is told otherwise. With TLS, either kind, it wants name and password."""
    found = MailServer()

    def protocol() -> SMTP:
        secured = start_tls is not None or tls is not None
        return SMTP(
            found,
            hostname="mail.test",
            tls_context=start_tls,
            require_starttls=start_tls is not None,
            auth_required=secured,
            auth_require_tls=start_tls is not None,
            authenticator=_authenticate if secured else None,
            auth_exclude_mechanism=["LOGIN"],
        )

    server = await asyncio.get_running_loop().create_server(protocol, HOST, 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        await server.wait_closed()


@dataclass
class SilentServer:
    """One that takes connections and never says a word; `met` once it has one."""

    port: int = 0
    met: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def silent_server() -> AsyncGenerator[SilentServer]:
    found, open_ = SilentServer(), list[asyncio.StreamWriter]()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_.append(writer)
        found.met.set()

    server = await asyncio.start_server(hold, HOST, 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for writer in open_:
            writer.transport.abort()
        await server.wait_closed()


def certified(place: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS for HOST, and the file of the certificate that a client has to believe in."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    shown, secret = place / "certificate.pem", place / "key.pem"
    shown.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(shown, secret)
    return context, shown

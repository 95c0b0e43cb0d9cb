"""Settings, from `PROCURE_*` environment variables and nowhere else."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

import msgspec

#: Scheme, host and port in the spelling of RFC 6454, and never `*`: whose pages may ask is a decision.
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")


class SettingsFault(Exception):
    """A setting is missing or cannot be used; the message says which and what to do."""


#: An issuer's own address (OpenID Connect Discovery 1.0, section 2): no query, no fragment; without TLS on this machine alone.
_ISSUER = re.compile(r"https://[^\s?#]+|http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?(/[^\s?#]*)?")


class SignOn(msgspec.Struct, frozen=True):
    """An OpenID Connect issuer whose access tokens for `audience` are believed."""

    issuer: str
    audience: str


class MailRoute(msgspec.Struct, frozen=True, kw_only=True):
    """How mail goes out: by a server, or in a sandbox into a folder."""

    sender: str
    host: str = ""
    port: int = 0
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    username: str | None = None
    password: str | None = None
    folder: Path | None = None


#: By scheme: how TLS begins, and the port that RFC 8314, section 3.3, and RFC 5321 name.
_MAIL: dict[str, tuple[Literal["starttls", "implicit", "none"], int]] = {
    "smtp": ("starttls", 587),
    "smtps": ("implicit", 465),
    "smtp+plain": ("none", 25),
}
_HERE = {"127.0.0.1", "::1", "localhost"}
_MAILBOX = re.compile(r"[!-?A-~]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
#: Of letters in a sandbox's folder; RFC 2606 keeps the domain from everybody.
_SANDBOX_SENDER = "procure@sandbox.invalid"

#: A quota of one minute, or where it says so of one hour.
Rate = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How one process runs. URLs are SQLAlchemy's, e.g. `postgresql+asyncpg://procure_app@host/procure`."""

    database_url: str
    #: The migrating role's URL; only `procure db` and the sandbox's setup use it.
    owner_url: str | None = None
    #: Folder of keys, mode 0700: the token signing key, the lots' keys. Never inside the database.
    keys_path: Path = Path(".procure/keys")
    #: Public address of this service: token issuer and audience, problem types, links.
    base_url: str = "http://127.0.0.1:8000"
    sandbox: bool = False
    pool_size: int = 10
    log_format: str = "json"
    log_level: str = "info"
    #: Largest request body, bytes. A bid with every answer at its longest stays below it.
    body_max_bytes: int = 512 * 1024
    token_lifetime_s: int = 3600
    #: How often the worker looks for what time has made due, seconds.
    worker_interval_s: float = 1.0

    #: Requests a minute of one client with a token, and of one address without; `0` or `off` is no limit. Each process counts alone.
    rate_client: Rate = 3000
    rate_address: Rate = 600
    #: Bids received a minute of one client for one lot.
    rate_bids: Rate = 60
    #: Failed token requests a minute of one address for one client; ten times as many for all clients together.
    rate_token_failures: Rate = 10
    #: Registrations an hour that one address may begin.
    rate_registrations: Rate = 5
    #: Streams of changes that one client, or one address without a token, may have open at once; `0` or `off` is no limit.
    rate_streams: Rate = 50
    #: Addresses or networks of the proxies whose X-Forwarded-For is believed, separated by commas; none by default.
    trusted_proxies: str = ""

    #: Origins whose pages may call this service from a browser (CORS), separated by commas; none by default.
    cors_origins: str = ""

    #: An authority that stamps the journal's checkpoints with its time (RFC 3161), http or https; none by default.
    timestamp_url: str = ""
    #: A PEM file of the certificates that the authority's own are issued under: what they don't vouch for is not kept.
    timestamp_roots: Path | None = None
    #: Between two stamps at least, seconds.
    timestamp_interval_s: Annotated[int, msgspec.Meta(ge=60, le=31 * 24 * 3600)] = 3600

    #: Where webhooks are sent by this installation's workers: to public addresses, in a sandbox to this machine too, or nowhere.
    webhooks: Literal["public", "loopback", "off"] = "public"

    #: Sign-ons whose people are let in: pairs of issuer and audience, separated by commas; none by default.
    oidc_issuers: str = ""

    #: Whether suppliers may register themselves; `0` leaves that to the operator.
    registration: bool = True
    #: `smtp://user:password@host` (STARTTLS), `smtps://…` (TLS at once), `smtp+plain://127.0.0.1` on this machine alone; in a sandbox
    #: also `file:folder`.
    mail_url: str = ""
    #: The mailbox that mail comes from, and that its readers answer to.
    mail_from: str = ""

    def webhooks_may_be_local(self) -> bool:
        """Whether webhooks may be sent to this machine. Raises SettingsFault outside a sandbox, where they never are."""
        if self.webhooks == "loopback" and not self.sandbox:
            raise SettingsFault("PROCURE_WEBHOOKS: `loopback` is a sandbox's alone.")
        return self.webhooks == "loopback"

    def timestamp_authority(self) -> str | None:
        """The address of `timestamp_url`; None without one. Raises SettingsFault, which never quotes it: there may be a password in it."""
        if not self.timestamp_url:
            return None
        try:
            url = urlsplit(self.timestamp_url)
            is_address = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and not url.fragment
        except ValueError:
            is_address = False
        if not is_address or not self.timestamp_url.isascii() or not self.timestamp_url.isprintable():
            raise SettingsFault("PROCURE_TIMESTAMP_URL is not an address like `https://time.example/tsr`.")
        return self.timestamp_url

    def mail_route(self) -> MailRoute | None:
        """That of `mail_url`; None without one. Raises SettingsFault, which never quotes it: there may be a password in it."""
        if not self.mail_url:
            return None
        if self.mail_url.startswith("file:"):
            return self._mail_folder()
        try:
            url = urlsplit(self.mail_url)
            (tls, port), host, port_said = _MAIL[url.scheme], url.hostname or "", url.port
        except (KeyError, ValueError):
            raise SettingsFault("PROCURE_MAIL_URL is not like `smtp://user:password@mail.example:587`.") from None
        if not host or url.path.strip("/") or url.query or url.fragment:
            raise SettingsFault("PROCURE_MAIL_URL names a server and no more: `smtp://user:password@mail.example:587`.")
        if tls == "none" and host not in _HERE:
            raise SettingsFault(
                "PROCURE_MAIL_URL: smtp+plain is for a server on this machine; elsewhere use smtp or smtps."
            )
        username, password = (unquote(one) if one else None for one in (url.username, url.password))
        sender = self._mail_sender()
        return MailRoute(
            sender=sender, host=host, port=port_said or port, tls=tls, username=username, password=password
        )

    def _mail_folder(self) -> MailRoute:
        if not self.sandbox:
            raise SettingsFault("PROCURE_MAIL_URL: only a sandbox puts its mail into a folder.")
        folder = Path(self.mail_url.removeprefix("file:").removeprefix("//"))
        return MailRoute(sender=self._mail_sender() if self.mail_from else _SANDBOX_SENDER, folder=folder)

    def _mail_sender(self) -> str:
        if not _MAILBOX.fullmatch(self.mail_from):
            raise SettingsFault(
                "PROCURE_MAIL_FROM is needed with PROCURE_MAIL_URL: a mailbox like `procure@council.example`."
            )
        return self.mail_from

    def sign_ons(self) -> list[SignOn]:
        """Those of `oidc_issuers`. Raises SettingsFault; without TLS only a sandbox's, on this machine."""
        found: list[SignOn] = []
        for one in filter(None, map(str.strip, self.oidc_issuers.split(","))):
            issuer, _, audience = one.partition(" ")
            if (
                not _ISSUER.fullmatch(issuer)
                or not audience.strip()
                or (issuer.startswith("http:") and not self.sandbox)
            ):
                said = "is not an https issuer and an audience, like `https://login.example/tenant api://procure`"
                raise SettingsFault(f"PROCURE_OIDC_ISSUERS: {one!r} {said}.")
            if issuer in {known.issuer for known in found}:
                raise SettingsFault(f"PROCURE_OIDC_ISSUERS: {issuer} stands there twice.")
            if issuer.rstrip("/") == self.base_url.rstrip("/"):
                raise SettingsFault("PROCURE_OIDC_ISSUERS: this service's own tokens need no issuer there.")
            found.append(SignOn(issuer, audience.strip()))
        return found

    def origins(self) -> list[str]:
        """Those of `cors_origins`, each as a browser sends it: scheme, host, port."""
        found = [one.strip() for one in self.cors_origins.split(",") if one.strip()]
        for one in found:
            if not _ORIGIN.fullmatch(one):
                raise SettingsFault(f"PROCURE_CORS_ORIGINS: {one!r} is not an origin like https://portal.example.")
        return found

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        values = {
            name: _spelled(name, environment[f"PROCURE_{name.upper()}"])
            for name in cls.__struct_fields__
            if environment.get(f"PROCURE_{name.upper()}")
        }
        if "database_url" not in values:
            raise SettingsFault("PROCURE_DATABASE_URL is not set; `make run` starts an embedded database and sets it.")
        try:
            return msgspec.convert(values, cls, strict=False, dec_hook=lambda type_, value: type_(value))
        except msgspec.ValidationError as error:
            raise SettingsFault(f"A PROCURE_* setting cannot be used: {error}") from error


def _spelled(name: str, value: str) -> str:
    return "0" if name.startswith("rate_") and value.lower() == "off" else value

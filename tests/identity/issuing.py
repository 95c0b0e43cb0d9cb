"""A council's sign-on of the tests' own: an OpenID Connect issuer on loopback, which also misbehaves on demand."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc.jwk import ECKey, OKPKey, RSAKey

from identity.forging import Key, by, jwt

AUDIENCE = "api://procure"
#: Those that run, by their own address.
ISSUING: dict[str, "SignOnServer"] = {}


class SignOnServer:
    """What it publishes, how it behaves, what it was asked; and the tokens that it would give."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}/tenant"
        self.keys: dict[str, Key] = {"first": RSAKey.generate_key(2048)}
        self.said: dict[str, Any] = {}
        self.asked: Counter[str] = Counter()
        #: `` is well; else one of `500`, `redirect`, `huge`, `nonsense`, `list`, `hangs` until it is released.
        self.behaves = ""
        self.is_asked, self.is_released = threading.Event(), threading.Event()

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [{**key.as_dict(private=False), "kid": kid, "use": "sig"} for kid, key in self.keys.items()]}

    @property
    def discovery(self) -> dict[str, Any]:
        return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys", **self.said}

    def token(
        self, subject: str = "anna", *, kid: str = "first", key: Key | None = None, alg: str = "", **more: Any
    ) -> str:
        """One of this subject; `head_…` and the rest change header and claims, None takes out."""
        key = key or self.keys[kid]
        alg = alg or {RSAKey: "RS256", ECKey: "ES256", OKPKey: "EdDSA"}[type(key)]
        now = int(time.time())
        head = {"alg": alg, "typ": "at+jwt", "kid": kid}
        said = {"iss": self.issuer, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 600}
        for name, value in more.items():
            (head if name.startswith("head_") else said)[name.removeprefix("head_")] = value
        given = [{name: value for name, value in part.items() if value is not None} for part in (head, said)]
        return jwt(given[0], given[1], by(key, alg=alg))


@contextmanager
def issuing() -> Iterator[SignOnServer]:
    server: SignOnServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = self.path.rpartition("/")[2]
            server.asked[place] += 1
            body = json.dumps(server.jwks if place == "keys" else server.discovery).encode()
            match server.behaves:
                case "500":
                    self.send_error(500)
                    return
                case "redirect":
                    self.send_response(302)
                    self.send_header("Location", f"{server.issuer}/elsewhere")
                    self.end_headers()
                    return
                case "hangs":
                    server.is_asked.set()
                    server.is_released.wait(60)
                case "huge":
                    body = b" " * 1024 * 1024 + body
                case "nonsense":
                    body = b"<html>"
                case "list":
                    body = b"[" * 100_000
            self.send_response(200)
            self.end_headers()
            try:
                self.wfile.write(body)
            except ConnectionError:
                return

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server = SignOnServer(listening.server_port)
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        ISSUING[server.issuer] = server
        try:
            yield server
        finally:
            del ISSUING[server.issuer]
            listening.shutdown()
            thread.join()

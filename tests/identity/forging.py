"""JWTs as a forger makes them: no library stands between them and the bytes."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, OKPKey, RSAKey

Key = ECKey | OKPKey | RSAKey
Sign = Callable[[bytes], bytes]
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def encoded(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def jwt(head: object, said: object, sign: Sign) -> str:
    """A JWT of these parts, JSON or bytes as they are, whatever they say."""
    start = f"{encoded(head)}.{encoded(said)}"
    return f"{start}.{encoded(sign(start.encode()))}"


def by(key: Key, *, alg: str = "") -> Sign:
    """The signature of its kind; of RSA, PS256 unless it is to be RS256."""

    def sign(message: bytes) -> bytes:
        private: Any = key.private_key
        if isinstance(key, OKPKey):
            return bytes(private.sign(message))
        if isinstance(key, RSAKey):
            pss = padding.PSS(padding.MGF1(SHA256()), salt_length=32)
            return bytes(private.sign(message, padding.PKCS1v15() if alg == "RS256" else pss, SHA256()))
        r, s = decode_dss_signature(private.sign(message, ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def by_mac(secret: bytes) -> Sign:
    return lambda message: hmac.new(secret, message, hashlib.sha256).digest()


def unsigned(_: bytes) -> bytes:
    return b""


def without_nothing(values: Mapping[str, Any]) -> dict[str, Any]:
    """A change to None leaves a member out."""
    return {name: value for name, value in values.items() if value is not None}


@dataclass
class Portal:
    """A client that signs its assertions, with a key that is registered under `kid`."""

    client_id: str
    key: Key
    kid: str
    alg: str
    issuer: str = "http://procure.test"
    more: dict[str, Any] = field(default_factory=dict)

    def header(self, **changes: Any) -> dict[str, Any]:
        return without_nothing({"alg": self.alg, "kid": self.kid, "typ": "JWT"} | changes)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of a good assertion, as of now and for a minute."""
        now = int(time.time())
        said = {"iss": self.client_id, "sub": self.client_id, "aud": self.issuer, "exp": now + 60, "iat": now}
        return without_nothing({**said, "jti": str(uuid4())} | changes)

    def assertion(self, **changes: Any) -> str:
        return jwt(self.header(), self.claims(**changes), by(self.key))


def form(assertion: str, **more: str) -> dict[str, str]:
    """A token request that proves itself by the assertion."""
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": TYPE,
        "client_assertion": assertion,
    } | more

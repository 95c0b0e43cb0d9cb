"""Client assertions: a client proves who it is by a JWT that it signed itself (`private_key_jwt`; RFC 7521, RFC 7523).

Authlib's own reading of them pins no algorithm and bounds no expiry, hence this one; the signatures are joserfc's. What a key may be and
how it signs is the list of the FAPI 2.0 Security Profile, section 5.4: ES256, PS256, EdDSA on Ed25519. RS256 is not on it, and not here.
"""

import binascii
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from msgspec import Meta

from procure.identity.errors import CredentialInvalid
from procure.identity.rules import PublicKey
from procure.kit.errors import Faults

TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LENGTH_MAX = 4096
#: How far ahead an assertion's end may lie, and how far apart the clocks may be, seconds.
LIFETIME_MAX_S = 300
LEEWAY_S = 30
#: By kind of key, what it may sign with. `EdDSA` is the older name of `Ed25519` (RFC 9864).
ALGORITHMS_OF: dict[str, tuple[str, ...]] = {"EC": ("ES256",), "OKP": ("EdDSA", "Ed25519"), "RSA": ("PS256",)}
ALGORITHMS = sorted(name for names in ALGORITHMS_OF.values() for name in names)
#: draft-ietf-oauth-rfc7523bis has a type of its own; an access token's is neither.
_TYPES = (None, "JWT", "client-authentication+jwt")
_HEADERS = {"alg", "kid", "typ"}
_COMPACT = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}")
_RSA_BITS = range(2048, 4096 + 1)
#: 65537, which every library makes; a small one has been the way into more than one.
_RSA_EXPONENT = "AQAB"
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}
#: The members that a key of each kind has, beside `kty`.
_MEMBERS: dict[str, tuple[str, ...]] = {"EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "RSA": ("n", "e")}


class AssertionRefused(Exception):
    """Not an assertion that is taken here. The message may be told: it says nothing but what the sender's own bytes say."""


Identifier = Annotated[str, Meta(min_length=1, max_length=255)]


class _Claims(msgspec.Struct, frozen=True):
    """RFC 7523, section 3. Dates may have fractions of a second (RFC 7519, section 2)."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: int | float
    jti: Identifier
    iat: int | float = 0
    nbf: int | float = 0


@dataclass(frozen=True, slots=True)
class Read:
    """An assertion as it stands, nothing of it believed yet."""

    text: str
    header: dict[str, Any]
    client_id: UUID


@dataclass(frozen=True, slots=True)
class Assertion:
    """One that is believed: what must never come again, until when (seconds since 1970, leeway included)."""

    client_id: UUID
    jti: str
    until: float


class Registry(jws.JWSRegistry):
    def get_alg(self, name: str) -> Any:
        # joserfc warns of the older name, which most clients use; on an Ed25519 key the two are one.
        return super().get_alg("Ed25519" if name == "EdDSA" else name)


_REGISTRY = Registry(algorithms=ALGORITHMS)


def read(text: str) -> Read:
    """What the assertion says of itself; raises AssertionRefused for what no key could make good."""
    if len(text) > LENGTH_MAX or not _COMPACT.fullmatch(text):
        raise AssertionRefused(f"The assertion is no JWT in compact form of at most {LENGTH_MAX} characters.")
    header, claims = (_decoded(part) for part in text.split(".")[:2])
    if header.keys() - _HEADERS:
        raise AssertionRefused("The assertion's header has `alg`, `kid` and `typ` and nothing else.")
    if header.get("alg") not in ALGORITHMS:
        raise AssertionRefused(f"The assertion's `alg` is one of {', '.join(ALGORITHMS)}.")
    if header.get("typ") not in _TYPES or not isinstance(header.get("kid", ""), str):
        raise AssertionRefused("The assertion's `typ` is JWT or left out, its `kid` a text.")
    try:
        client_id = UUID(claims["iss"])
    except (KeyError, ValueError, AttributeError, TypeError):
        raise AssertionRefused("The assertion's `iss` is not a client id.") from None
    return Read(text, header, client_id)


def _decoded(part: str) -> dict[str, Any]:
    """A part as a JSON object in which no name comes twice (RFC 7515, section 4; RFC 7519, section 4)."""
    try:
        value = json.loads(
            urlsafe_b64decode(part + "=" * (-len(part) % 4)), object_pairs_hook=_once, parse_constant=_no_number
        )
    except (ValueError, binascii.Error, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise AssertionRefused("The assertion is no JWT in compact form: a part of it is no JSON object.")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _no_number(name: str) -> None:
    raise ValueError(name)


def verify(given: Read, keys: Sequence[PublicKey], audiences: Collection[str], moment: float) -> Assertion | None:
    """None if it is signed by none of the client's `keys`; raises AssertionRefused if it is, and says what does not do."""
    if not any(_is_signed(given, key) for key in keys):
        return None
    try:
        claims = msgspec.convert(_decoded(given.text.split(".")[1]), _Claims)
    except msgspec.ValidationError:
        raise AssertionRefused(
            "The assertion has `iss`, `sub`, `aud`, `jti` of at most 255 characters, and `exp` in seconds."
        ) from None
    for holds, said in _conditions(claims, given.client_id, audiences, moment):
        if not holds:
            raise AssertionRefused(said)
    return Assertion(given.client_id, claims.jti, claims.exp + LEEWAY_S)


def _conditions(claims: _Claims, client_id: UUID, audiences: Collection[str], moment: float) -> list[tuple[bool, str]]:
    """What has to hold, each with what is said if it does not. Leeway is for clocks, so there is none for how long it lives."""
    # One for several audiences could be taken to another of them (draft-ietf-oauth-rfc7523bis, section 4).
    audience = claims.aud if isinstance(claims.aud, str) else "".join(claims.aud[:1]) if len(claims.aud) == 1 else ""
    return [
        (claims.iss == claims.sub == str(client_id), "The assertion's `iss` and `sub` are both the client's id."),
        (audience in audiences, "The assertion's `aud` is this service's issuer, or its token endpoint, alone."),
        (moment < claims.exp + LEEWAY_S, "The assertion has expired."),
        (claims.exp <= moment + LIFETIME_MAX_S, f"The assertion's `exp` is at most {LIFETIME_MAX_S} seconds ahead."),
        (claims.iat <= moment + LEEWAY_S, "The assertion's `iat` lies in the future."),
        (claims.nbf <= moment + LEEWAY_S, "The assertion's `nbf` lies in the future."),
    ]


def _is_signed(given: Read, key: PublicKey) -> bool:
    """By this very key: the assertion chooses among the client's registered ones by `kid`, and brings none of its own."""
    if given.header.get("kid", key.kid) != key.kid or given.header["alg"] not in ALGORITHMS_OF[key.kty]:
        return False
    try:
        jws.deserialize_compact(given.text, _imported(key), registry=_REGISTRY)
    except (JoseError, ValueError, TypeError, RecursionError):
        return False
    return True


def _imported(key: PublicKey) -> ECKey | OKPKey | RSAKey:
    """The key's own members alone, so that nothing said beside them (`alg`, `use`, `key_ops`) has a part in this."""
    members: dict[str, str | list[str]] = {"kty": key.kty, **_members(key)}
    match key.kty:
        case "EC":
            return ECKey.import_key(members)
        case "OKP":
            return OKPKey.import_key(members)
        case _:
            return RSAKey.import_key(members)


def _members(key: PublicKey) -> dict[str, str]:
    return {name: getattr(key, name) for name in _MEMBERS[key.kty]}


def check_key(key: PublicKey) -> str:
    """The thumbprint (RFC 7638) of a key that is taken; raises CredentialInvalid with every fault."""
    faults = Faults()
    for member in ("crv", "x", "y", "n", "e"):
        is_wanted, is_given = member in _MEMBERS[key.kty], getattr(key, member) is not None
        said = f"A key of kind {key.kty} {'needs' if is_wanted else 'has no'} `{member}`."
        faults.unless(is_wanted is is_given, f"/jwk/{member}", "required" if is_wanted else "of-another-kind", said)
    curve = _CURVES.get(key.kty, key.crv)
    faults.unless(key.crv in (curve, None), "/jwk/crv", "curve", f"The curve of a key of kind {key.kty} is {curve}.")
    faults.unless(key.e in (_RSA_EXPONENT, None), "/jwk/e", "exponent", f"The exponent is 65537, `{_RSA_EXPONENT}`.")
    said = f"An RSA key has {_RSA_BITS.start} to {_RSA_BITS.stop - 1} bits."
    faults.unless(key.n is None or bits(key.n) in _RSA_BITS, "/jwk/n", "size", said)
    faults.raise_any(CredentialInvalid)
    found = _plain(key)
    if found is None:
        said = "The members make no key: is each base64url without padding and zeros before it, and the point on its curve?"
        faults.add("/jwk", "key", said)
        faults.raise_as(CredentialInvalid)
    return found.thumbprint()


def bits(text: str) -> int:
    """The length of a number in base64url, the zeros before it aside; 0 if it is none."""
    try:
        return int.from_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4))).bit_length()
    except ValueError:
        return 0


def _plain(key: PublicKey) -> ECKey | OKPKey | RSAKey | None:
    """The key, if it is one and in its one spelling (RFC 7518, section 6): otherwise it would have several thumbprints."""
    try:
        found = _imported(key)
        spelt = found.binding.convert_raw_key_to_dict(found.public_key, private=False)
    except (JoseError, ValueError):
        return None
    return found if spelt == _members(key) else None

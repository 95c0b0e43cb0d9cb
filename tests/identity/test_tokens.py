"""Tokens: what is issued is believed, and nothing else, however it was made."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from procure.identity import tokens
from procure.identity.errors import TokenRefused
from procure.identity.signing import SigningKey
from procure.kit.scopes import Scope
from procure.kit.settings import Settings

CLIENT = UUID("0199c0de-0000-7000-8000-000000000001")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OURS = "https://procure.example"
KEY, OTHER_KEY = SigningKey.new(), SigningKey.new()
SETTINGS = Settings(database_url="", base_url=OURS, token_lifetime_s=600)
TOKEN = tokens.issue(KEY, SETTINGS, CLIENT, {"lots:read", "bids:submit"}, now=NOON)


class Known:
    """The one key that is believed here."""

    def find(self, key_id: object, moment: float | None = None) -> SigningKey | None:  # noqa: ARG002 - Keys' signature
        return KEY if key_id == KEY.key_id else None


def verify(text: str, *, now: datetime = NOON) -> tokens.Token:
    return tokens.verify(Known(), SETTINGS, text, now=now)


def refused(text: str, *, now: datetime = NOON) -> None:
    with pytest.raises(TokenRefused) as caught:
        verify(text, now=now)
    assert caught.value.detail == TokenRefused().detail
    assert caught.value.__cause__ is None


def encoded(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def header(**changes: Any) -> dict[str, Any]:
    return {"alg": "ES256", "typ": "at+jwt", "kid": KEY.key_id} | changes


def claims(**changes: Any) -> dict[str, Any]:
    """Those of a good token, changed; a change to None leaves the claim out."""
    said = decoded(TOKEN.split(".")[1]) | changes
    return {name: value for name, value in said.items() if value is not None}


def signed(head: Any, said: Any, key: SigningKey = KEY) -> str:
    """A token whose signature is good whatever it says: no library stands between the forger and the bytes."""
    return signed_bytes(json.dumps(head).encode(), json.dumps(said).encode(), key)


def signed_bytes(head: bytes, said: bytes, key: SigningKey = KEY) -> str:
    start = f"{encoded(head)}.{encoded(said)}"
    private = key.key.private_key
    assert private is not None
    r, s = decode_dss_signature(private.sign(start.encode(), ECDSA(SHA256())))
    return f"{start}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def test_what_is_issued_is_believed() -> None:
    token = verify(TOKEN)
    assert token == tokens.Token(
        CLIENT, frozenset({"lots:read", "bids:submit"}), int(NOON.timestamp()) + 600, UUID(claims()["jti"])
    )
    assert verify(signed(header(), claims())) == token  # so that each change below is what the refusal is for


def test_a_token_is_of_the_form_of_rfc_9068() -> None:
    head, said, _ = TOKEN.split(".")
    assert decoded(head) == header()
    body = decoded(said)
    assert set(body) == {"iss", "aud", "sub", "client_id", "iat", "exp", "jti", "scope"}
    assert (body["iss"], body["aud"]) == (OURS, OURS)
    assert body["sub"] == body["client_id"] == str(CLIENT)
    assert (body["exp"] - body["iat"], body["scope"]) == (600, "bids:submit lots:read")
    again = tokens.issue(KEY, SETTINGS, CLIENT, {"lots:read"}, now=NOON)
    assert decoded(again.split(".")[1])["jti"] != body["jti"]


def test_anyone_can_check_a_token_with_the_published_keys() -> None:
    keys = KeySet.import_key_set({"keys": [msgspec.to_builtins(KEY.public())]})
    assert jwt.decode(TOKEN, keys, algorithms=["ES256"]).claims["client_id"] == str(CLIENT)


def test_a_token_with_every_scope_is_well_within_the_bound() -> None:
    text = tokens.issue(KEY, SETTINGS, CLIENT, [scope.value for scope in Scope], now=NOON)
    assert len(text) < tokens.TOKEN_LENGTH_MAX / 2
    assert len(verify(text).scopes) == len(Scope)


@pytest.mark.parametrize(
    ("moment", "believed"),
    [
        (NOON - 31 * SECOND, False),
        (NOON - 30 * SECOND, True),
        (NOON + 599 * SECOND, True),
        (NOON + 600 * SECOND, False),
        (NOON + timedelta(days=365), False),
    ],
)
def test_a_token_lives_from_its_issue_to_its_expiry(moment: datetime, believed: bool) -> None:
    """30 s of leeway for the clock of another node, none for the end."""
    if believed:
        verify(TOKEN, now=moment)
    else:
        refused(TOKEN, now=moment)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": OURS + "/"},
        {"iss": None},
        {"aud": "https://elsewhere.example"},
        {"aud": [OURS, "https://elsewhere.example"]},
        {"aud": None},
        {"sub": "0199c0de-0000-7000-8000-000000000002"},
        {"sub": None},
        {"client_id": "0199c0de-0000-7000-8000-000000000002"},
        {"client_id": "somebody", "sub": "somebody"},
        {"client_id": 7, "sub": 7},
        {"client_id": None},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": 1e300},
        {"exp": True},
        {"exp": int(NOON.timestamp())},
        {"exp": -1},
        {"iat": None},
        {"iat": int(NOON.timestamp()) + 31},
        {"iat": "now"},
        {"nbf": int(NOON.timestamp()) + 31},
        {"nbf": "later"},
        {"jti": None},
        {"jti": 7},
        {"scope": None},
        {"scope": ["lots:read"]},
    ],
)
def test_claims_that_are_not_ours_are_refused_however_well_signed(changes: dict[str, Any]) -> None:
    refused(signed(header(), claims(**changes)))


@pytest.mark.parametrize(
    "head",
    [
        header(typ="JWT"),
        header(typ="jwt+at"),
        header(typ="application/at+jwt"),
        {"alg": "ES256", "kid": KEY.key_id},
        {"alg": "ES256", "typ": "at+jwt"},
        header(kid=OTHER_KEY.key_id),
        header(kid="../../etc/passwd"),
        header(jku="https://elsewhere.example/jwks"),
        header(jwk=msgspec.to_builtins(OTHER_KEY.public())),
        header(x5u="https://elsewhere.example/cert"),
        header(crit=["exp"], exp=1),
        header(cty="JWT"),
    ],
)
def test_headers_that_are_not_ours_are_refused_however_well_signed(head: dict[str, Any]) -> None:
    refused(signed(head, claims()))


def unsigned(head: dict[str, Any], signature: str = "") -> str:
    return f"{encoded(head)}.{encoded(claims())}.{signature}"


def by_mac(key: bytes, alg: str = "HS256") -> str:
    start = f"{encoded(header(alg=alg))}.{encoded(claims())}"
    return f"{start}.{encoded(hmac.new(key, start.encode(), hashlib.sha256).digest())}"


def by_other_algorithm(alg: str, key: Any) -> str:
    registry = jws.JWSRegistry(algorithms=[alg])
    return jwt.encode(header(alg=alg), claims(), key, registry=registry)


FORGERIES: dict[str, Callable[[], str]] = {
    "no algorithm": lambda: unsigned(header(alg="none")),
    "no algorithm, some signature": lambda: unsigned(header(alg="none"), TOKEN.split(".")[2]),
    "NONE": lambda: unsigned(header(alg="nOnE"), "AA"),
    "no signature": lambda: unsigned(header()),
    "empty signature": lambda: unsigned(header(), "AA"),
    "a signature of zeros (CVE-2022-21449)": lambda: unsigned(header(), encoded(bytes(64))),
    "a signature in DER": lambda: unsigned(header(), encoded(bytes.fromhex("3006020100020100"))),
    "HS256 with the public key as PEM": lambda: by_mac(KEY.key.as_pem(private=False)),
    "HS256 with the public key as JWK": lambda: by_mac(msgspec.json.encode(KEY.public())),
    "HS256 with the key's id": lambda: by_mac(KEY.key_id.encode()),
    "HS256 with nothing": lambda: by_mac(b""),
    "HS256 of its own": lambda: by_other_algorithm("HS256", OctKey.generate_key(256)),
    "RS256 of its own": lambda: by_other_algorithm("RS256", RSAKey.generate_key(2048)),
    "ES384 of its own": lambda: by_other_algorithm("ES384", ECKey.generate_key("P-384")),
    "another key that claims our id": lambda: signed(header(), claims(), OTHER_KEY),
    "another key, its own id": lambda: signed(header(kid=OTHER_KEY.key_id), claims(), OTHER_KEY),
    "another key, handed along": lambda: signed(
        header(jwk=msgspec.to_builtins(OTHER_KEY.public())), claims(), OTHER_KEY
    ),
    "other claims under a good signature": lambda: ".".join(
        [TOKEN.split(".")[0], encoded(claims(scope="lots:publish")), TOKEN.split(".")[2]]
    ),
    "another header under a good signature": lambda: ".".join([encoded(header(alg="ES256 ")), *TOKEN.split(".")[1:]]),
    "claims that are a list": lambda: jws.serialize_compact(header(), b"[]", KEY.key),
    "claims that are no JSON": lambda: jws.serialize_compact(header(), b"{", KEY.key),
    "claims nested too deep": lambda: jws.serialize_compact(header(), b"[" * 1000, KEY.key),
    "a header nested too deep": lambda: signed_bytes(b"[" * 2000, b"{}"),
    "a header that is no JSON": lambda: signed_bytes(b"{", b"{}"),
    "a header that is no UTF-8": lambda: signed_bytes(b'{"alg": "\xff"}', b"{}"),
    "claims that are no UTF-8": lambda: jws.serialize_compact(header(), b'{"iss": "\xff"}', KEY.key),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forgeries_are_refused(forgery: str) -> None:
    refused(FORGERIES[forgery]())


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c.d",
        "a.b.c.d.e",
        "é.b.c",
        "null.null.null",
        f"{encoded(b'[]')}.{encoded(b'{}')}.AA",
        f" {TOKEN}",
        f"{TOKEN}\n",
        f"{TOKEN}=",
        f"{TOKEN}.",
        TOKEN.replace(".", "", 1),
        TOKEN + "A" * tokens.TOKEN_LENGTH_MAX,
        "A" * 10_000_000,
        f"{'A' * 4000}.e.A",
    ],
    ids=lambda text: text[:12],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    refused(text)


def test_a_token_that_is_too_long_is_refused_however_well_signed() -> None:
    assert verify(signed(header(), claims(padding="x" * 1000))) == verify(TOKEN)
    refused(signed(header(), claims(padding="x" * tokens.TOKEN_LENGTH_MAX)))


@pytest.mark.parametrize("length", range(0, len(TOKEN), 7))
def test_a_truncated_token_is_refused(length: int) -> None:
    refused(TOKEN[:length])


@given(st.integers(0, len(TOKEN) - 1), st.integers(0, 7))
def test_no_bit_of_a_token_can_be_changed(place: int, bit: int) -> None:
    changed = bytearray(TOKEN.encode())
    changed[place] ^= 1 << bit
    text = changed.decode("latin-1")
    try:
        # The last sign of a part has bits that stand for nothing; what then still verifies must say just the same.
        assert verify(text) == verify(TOKEN)
        assert decoded(text.split(".")[1]) == decoded(TOKEN.split(".")[1])
    except TokenRefused:
        return


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(JSON, st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "x5c", "zip", ""]))
def test_no_header_of_whatever_form_is_taken(value: Any, name: str) -> None:
    if {name: value}.items() <= header().items():
        return
    refused(signed(value, claims()))
    refused(signed(header(**{name: value}), claims()))


@given(JSON, st.sampled_from(["iss", "aud", "sub", "client_id", "exp", "jti", "scope"]))
def test_no_claims_of_whatever_form_break_the_verification(value: Any, name: str) -> None:
    refused(signed(header(), value))
    try:
        verify(signed(header(), claims() | {name: value}))
    except TokenRefused:
        return
    taken: dict[str, type] = {"exp": int, "jti": str, "scope": str}
    assert type(value) is taken.get(name)


@given(st.text(max_size=200))
def test_no_text_is_taken_for_a_token(text: str) -> None:
    refused(text)

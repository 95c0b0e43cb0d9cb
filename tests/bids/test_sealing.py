"""A sealed bid opens with its lot's key at its one place, unchanged, or not at all; and a stranger can make one."""

import hashlib
import hmac
import json
import re
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import given
from hypothesis import strategies as st

from procure.bids import sealing
from procure.bids.sealing import SealContext, Unreadable, seal, unseal
from procure.kit import merkle
from procure.vault.keys import SCHEME, LotKey, PrivateLotKey, fingerprint, signature_holds, statement

LOT = UUID("018f6b1c-0000-7000-8000-000000000001")
CONTEXT = SealContext(LOT, 3, UUID(int=2), UUID(int=3), 1)
NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
DOCUMENT = Path(__file__).parents[2] / "docs" / "sealing.md"

uint64s = st.integers(0, 2**64 - 1)
contexts = st.builds(SealContext, st.uuids(), uint64s, st.uuids(), st.uuids(), uint64s)


@cache
def pair() -> tuple[bytes, PrivateLotKey]:
    return key_of(X25519PrivateKey.generate())


def key_of(private_key: X25519PrivateKey) -> tuple[bytes, PrivateLotKey]:
    public_key = private_key.public_key().public_bytes_raw()
    return public_key, PrivateLotKey(LOT, fingerprint(public_key), private_key)


def sealed_plaintext(plaintext: bytes, context: SealContext = CONTEXT) -> bytes:
    """What a client that does not keep to the format could send: any plaintext, well encrypted."""
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    return suite.encrypt(plaintext, X25519PublicKey.from_public_bytes(pair()[0]), context.info())


def refused(sealed: bytes, context: SealContext = CONTEXT, key: PrivateLotKey | None = None) -> str:
    with pytest.raises(Unreadable) as caught:
        unseal(key or pair()[1], sealed, context)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value.detail


@given(st.binary(max_size=10_000), contexts)
def test_what_was_sealed_is_what_is_opened(content: bytes, context: SealContext) -> None:
    public_key, private_key = pair()
    assert unseal(private_key, seal(public_key, content, context), context) == content


@pytest.mark.parametrize("size", [0, 1, 4091, 4092, 4093, 8187, 8188, 8189, sealing.CONTENT_BYTES_MAX])
def test_contents_at_the_edges_of_a_step_come_back(size: int) -> None:
    public_key, private_key = pair()
    for content in (bytes(size), b"\xff" * size):
        assert unseal(private_key, seal(public_key, content, CONTEXT), CONTEXT) == content


def test_a_content_beyond_the_limit_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="1048572"):
        seal(pair()[0], bytes(sealing.CONTENT_BYTES_MAX + 1), CONTEXT)


@given(st.integers(0, 60_000))
def test_the_size_tells_only_the_step(size: int) -> None:
    sealed = seal(pair()[0], bytes(size), CONTEXT)
    assert len(sealed) - sealing.OVERHEAD_BYTES == 4096 * (1 + (size + 3) // 4096)


def test_the_same_content_is_never_sealed_to_the_same_bytes() -> None:
    first, second = (seal(pair()[0], b"the same", CONTEXT) for _ in range(2))
    assert first[:32] != second[:32]
    assert sealing.digest(first) != sealing.digest(second)


@given(st.integers(0, 8 * (4096 + sealing.OVERHEAD_BYTES) - 1))
def test_any_flipped_bit_is_refused(bit: int) -> None:
    refused(flipped(seal(pair()[0], b"content", CONTEXT), bit))


def test_every_flipped_bit_of_the_encapsulated_key_and_of_the_tag_is_refused() -> None:
    sealed = seal(pair()[0], b"content", CONTEXT)
    bits = len(sealed) * 8
    for bit in (*range(256), *range(bits - 128, bits)):
        refused(flipped(sealed, bit))


def flipped(sealed: bytes, bit: int) -> bytes:
    changed = bytearray(sealed)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@given(st.integers(0, 4096 + sealing.OVERHEAD_BYTES - 1))
def test_a_cut_bid_is_refused(size: int) -> None:
    refused(seal(pair()[0], b"content", CONTEXT)[:size])


@given(st.binary(max_size=9000))
def test_bytes_that_nobody_sealed_are_refused(anything: bytes) -> None:
    refused(anything)


def test_a_bid_larger_than_any_that_can_be_sealed_is_refused_unread() -> None:
    size = sealing.PLAINTEXT_BYTES_MAX + 4096 - 4
    refused(sealed_plaintext(size.to_bytes(4, "big") + bytes(size)))


@pytest.mark.parametrize("first", ["00", "01", "e0eb7a7c3b41b8ae", "5f9c95bca3508c24", "ec", "ed", "ee"])
def test_points_of_small_order_are_refused_like_everything_else(first: str) -> None:
    """RFC 7748: with these as the encapsulated key, the shared secret would be all zero whoever holds the key."""
    rest = {
        "e0eb7a7c3b41b8ae": "1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24": "b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ec": "ff" * 30 + "7f",
        "ed": "ff" * 30 + "7f",
        "ee": "ff" * 30 + "7f",
    }
    enc = bytes.fromhex(first + rest.get(first, "00" * 31))
    refused(enc + seal(pair()[0], b"content", CONTEXT)[32:])


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(CONTEXT, lot_id=UUID(int=9)),
        replace(CONTEXT, lot_version=4),
        replace(CONTEXT, supplier_id=UUID(int=9)),
        replace(CONTEXT, bid_id=UUID(int=9)),
        replace(CONTEXT, bid_version=2),
        replace(CONTEXT, supplier_id=CONTEXT.bid_id, bid_id=CONTEXT.supplier_id),
        replace(CONTEXT, lot_version=CONTEXT.bid_version, bid_version=CONTEXT.lot_version),
    ],
)
def test_a_bid_moved_to_another_place_is_refused(elsewhere: SealContext) -> None:
    refused(seal(pair()[0], b"content", CONTEXT), elsewhere)


def test_a_bid_is_refused_with_another_lots_key() -> None:
    refused(seal(pair()[0], b"content", CONTEXT), key=key_of(X25519PrivateKey.generate())[1])


@given(contexts, contexts)
def test_no_two_places_share_their_info(one: SealContext, other: SealContext) -> None:
    assert (one.info() == other.info()) == (one == other)
    assert len(one.info()) == 79


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        b"\x00\x00\x00",
        (1).to_bytes(4, "big") + b"x",
        (1).to_bytes(4, "big") + b"x" + bytes(4090),
        (1).to_bytes(4, "big") + b"x" + bytes(4090) + b"\x01",
        (1).to_bytes(4, "big") + b"x" + bytes(4091 + 4096),
        (4093).to_bytes(4, "big") + bytes(4092),
        (2**32 - 1).to_bytes(4, "big") + bytes(4092),
        (sealing.CONTENT_BYTES_MAX + 1).to_bytes(4, "big") + bytes(sealing.PLAINTEXT_BYTES_MAX - 4),
    ],
    ids=["empty", "no length", "no padding", "short", "not zero", "a step too many", "length", "huge length", "limit"],
)
def test_padding_other_than_the_documented_is_refused(plaintext: bytes) -> None:
    refused(sealed_plaintext(plaintext))


def test_documented_padding_is_accepted_whoever_wrote_it() -> None:
    plaintext = (1).to_bytes(4, "big") + b"x" + bytes(4091)
    assert unseal(pair()[1], sealed_plaintext(plaintext), CONTEXT) == b"x"


def test_every_reason_looks_the_same() -> None:
    sealed = seal(pair()[0], b"content", CONTEXT)
    other_key = key_of(X25519PrivateKey.generate())[1]
    said = {
        refused(b""),
        refused(flipped(sealed, 300)),
        refused(sealed, replace(CONTEXT, lot_version=9)),
        refused(sealed, key=other_key),
        refused(sealed_plaintext(bytes(4095) + b"\x01")),
        refused(bytes(32) + sealed[32:]),
    }
    assert said == {"The sealed bid cannot be read."}


@given(st.lists(st.tuples(st.uuids(), uint64s, st.binary(min_size=32, max_size=32)), unique=True), st.randoms())
def test_the_root_does_not_depend_on_the_order_of_arrival(bids: list[tuple[UUID, int, bytes]], random: Any) -> None:
    leaves = [sealing.leaf(*bid, NOON + timedelta(seconds=n)) for n, bid in enumerate(bids)]
    shuffled = random.sample(leaves, len(leaves))
    assert sealing.root(leaves) == sealing.root(shuffled)
    standing = sealing.ordered(shuffled)
    for index, leaf in enumerate(standing):
        proof = merkle.inclusion_proof(standing, index)
        assert merkle.verify_inclusion(leaf, index, len(standing), proof, sealing.root(leaves))


def test_a_leaf_tells_apart_all_that_it_vouches_for() -> None:
    digest = sealing.digest(b"sealed")
    leaves = {
        sealing.leaf(UUID(int=1), 1, digest, NOON),
        sealing.leaf(UUID(int=2), 1, digest, NOON),
        sealing.leaf(UUID(int=1), 2, digest, NOON),
        sealing.leaf(UUID(int=1), 1, sealing.digest(b"other"), NOON),
        sealing.leaf(UUID(int=1), 1, digest, NOON + timedelta(microseconds=1)),
    }
    assert len(leaves) == 5


def test_a_moment_is_the_same_in_every_zone() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))
    digest = sealing.digest(b"sealed")
    assert sealing.leaf(UUID(int=1), 1, digest, there) == sealing.leaf(UUID(int=1), 1, digest, NOON)


def test_a_leaf_is_made_of_a_whole_digest_and_a_moment_with_its_zone() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        sealing.leaf(UUID(int=1), 1, b"short", NOON)
    with pytest.raises(TypeError):
        sealing.leaf(UUID(int=1), 1, bytes(32), NOON.replace(tzinfo=None))


def test_a_bid_stands_in_its_seal_once() -> None:
    leaf = sealing.leaf(UUID(int=1), 1, bytes(32), NOON)
    with pytest.raises(ValueError, match="once"):
        sealing.root([leaf, leaf])


@given(contexts, st.binary(min_size=32, max_size=32), st.integers(0, 2**52))
def test_info_and_leaf_are_laid_out_as_documented(context: SealContext, digest: bytes, received_us: int) -> None:
    lot, supplier, bid = context.lot_id.bytes, context.supplier_id.bytes, context.bid_id.bytes
    versions = context.lot_version, context.bid_version
    layout = struct.pack(">15s16sQ16s16sQ", b"procure/bid/v1", lot, versions[0], supplier, bid, versions[1])
    assert context.info() == layout
    received_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=received_us)
    leaf = sealing.leaf(context.bid_id, context.bid_version, digest, received_at)
    assert leaf == struct.pack(">21s16sQ32sQ", b"procure/seal-leaf/v1", bid, versions[1], digest, received_us)


def test_the_documented_vector_holds() -> None:
    vector = documented_vector()
    context = documented_context(vector)
    public_key, private_key = key_of(X25519PrivateKey.from_private_bytes(unhex(vector, "lot_private_key")))
    assert public_key == unhex(vector, "lot_public_key")
    assert context.info() == unhex(vector, "info")
    content = vector["content"].encode()
    sealed = strangers_seal(public_key, content, context.info(), unhex(vector, "ephemeral_private_key"))
    assert sealed[:64] == unhex(vector, "sealed_first_64_bytes")
    assert sealed[-16:] == unhex(vector, "sealed_last_16_bytes")
    assert len(sealed) == vector["sealed_bytes"]
    assert sealing.digest(sealed) == unhex(vector, "sealed_sha256")
    assert unseal(private_key, sealed, context) == content


def test_the_documented_leaf_and_root_hold() -> None:
    vector = documented_vector()
    received_at = datetime.fromisoformat(vector["received_at"])
    leaf = sealing.leaf(UUID(vector["bid_id"]), vector["bid_version"], unhex(vector, "sealed_sha256"), received_at)
    assert leaf == unhex(vector, "leaf")
    assert sealing.root([leaf]) == unhex(vector, "root_of_this_leaf_alone")
    other = unhex(vector, "another_leaf")
    assert sealing.root([leaf, other]) == sealing.root([other, leaf]) == unhex(vector, "root_of_both_leaves")


def test_the_documented_signature_of_the_lots_key_holds() -> None:
    vector = documented_vector()
    public_key, lot_id = unhex(vector, "lot_public_key"), UUID(vector["lot_id"])
    signer = Ed25519PrivateKey.from_private_bytes(unhex(vector, "platform_private_key"))
    signer_public = signer.public_key().public_bytes_raw()
    assert signer_public == unhex(vector, "platform_public_key")
    assert fingerprint(public_key) == vector["key_id"]
    assert statement(lot_id, vector["key_id"], SCHEME, public_key) == unhex(vector, "key_statement")
    key = LotKey(lot_id, vector["key_id"], vector["scheme"], public_key, unhex(vector, "key_signature"))
    assert signature_holds(key, signer_public)
    assert signer.sign(unhex(vector, "key_statement")) == key.signature


@given(st.binary(max_size=9000), contexts)
def test_a_stranger_who_knows_only_the_documents_seals_what_we_open(content: bytes, context: SealContext) -> None:
    public_key, private_key = pair()
    ephemeral = X25519PrivateKey.generate().private_bytes_raw()
    assert unseal(private_key, strangers_seal(public_key, content, context.info(), ephemeral), context) == content


def documented_vector() -> dict[str, Any]:
    block = re.search(r"```json\n(.*?)\n```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    vector: dict[str, Any] = json.loads(block.group(1))
    return vector


def documented_context(vector: dict[str, Any]) -> SealContext:
    lot_id, supplier_id, bid_id = (UUID(vector[name]) for name in ("lot_id", "supplier_id", "bid_id"))
    return SealContext(lot_id, vector["lot_version"], supplier_id, bid_id, vector["bid_version"])


def unhex(vector: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(vector[name])


def strangers_seal(public_key: bytes, content: bytes, info: bytes, ephemeral: bytes) -> bytes:
    """RFC 9180 from its text, with nothing of ours and without the library's HPKE."""
    own = X25519PrivateKey.from_private_bytes(ephemeral)
    enc = own.public_key().public_bytes_raw()
    shared = own.exchange(X25519PublicKey.from_public_bytes(public_key))
    kem = b"KEM" + (0x0020).to_bytes(2, "big")
    eae_prk = extract(kem, b"", b"eae_prk", shared)
    secret = expand(kem, eae_prk, b"shared_secret", enc + public_key, 32)
    suite = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x0020, 0x0001, 0x0002))
    context = b"\x00" + extract(suite, b"", b"psk_id_hash", b"") + extract(suite, b"", b"info_hash", info)
    base = extract(suite, secret, b"secret", b"")
    key, nonce = expand(suite, base, b"key", context, 32), expand(suite, base, b"base_nonce", context, 12)
    plaintext = len(content).to_bytes(4, "big") + content
    plaintext += bytes(-len(plaintext) % 4096)
    return enc + AESGCM(key).encrypt(nonce, plaintext, b"")


def extract(suite: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + suite + label + secret, hashlib.sha256)


def expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    return hmac.digest(prk, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info + b"\x01", hashlib.sha256)[
        :length
    ]

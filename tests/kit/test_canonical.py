"""One document has one encoding, whatever order its parts were written in."""

import hashlib
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from procure.kit.canonical import canonical, digest

# RFC 8785 counts integers up to 2^53; keys here are field names.
documents: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=0x7F, exclude_categories=["Cc"])), inner, max_size=4)
    ),
    max_leaves=20,
)


class Facts(msgspec.Struct):
    zebra: str
    amount: Decimal
    id: UUID
    at: datetime
    on: date


@given(documents)
def test_the_bytes_are_those_of_rfc_8785(document: Any) -> None:
    expected = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(document) == expected.encode()


@given(st.dictionaries(st.text("abcdef", max_size=3), documents, min_size=2, max_size=6))
def test_the_order_in_which_fields_were_written_changes_nothing(document: dict[str, Any]) -> None:
    backwards = dict(reversed(document.items()))
    assert canonical(backwards) == canonical(document)
    assert digest(backwards) == digest(document)


@given(documents)
def test_what_was_encoded_is_read_back_as_it_was(document: Any) -> None:
    assert msgspec.json.decode(canonical(document)) == document


def test_amounts_instants_and_ids_have_one_spelling() -> None:
    facts = Facts(
        zebra="last",
        amount=Decimal("1250.00"),
        id=UUID("0199C0DE-0000-7000-8000-00000000000A"),
        at=datetime(2026, 11, 24, 9, tzinfo=UTC),
        on=date(2026, 11, 24),
    )
    assert canonical(facts) == (
        b'{"amount":"1250.00","at":"2026-11-24T09:00:00Z","id":"0199c0de-0000-7000-8000-00000000000a",'
        b'"on":"2026-11-24","zebra":"last"}'
    )


def test_the_digest_is_the_sha_256_of_the_bytes() -> None:
    assert digest({"b": 1, "a": "é"}) == hashlib.sha256('{"a":"é","b":1}'.encode()).digest()
    assert digest({"a": "1.0"}) != digest({"a": "1.00"})

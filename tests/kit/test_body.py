"""Reading bodies: everything that is wrong is told at once, and nothing that can be sent is more than a 400 or 422."""

from datetime import date, datetime
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from procure.kit import body
from procure.kit.body import BodyInvalid, BodyMalformed
from procure.kit.errors import Fact
from procure.kit.fields import Line, Name
from procure.kit.money import Money


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: Name
    due_on: date
    notes: Annotated[list[Line], Meta(max_length=2)] = []


class Whole(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: Name
    count: Annotated[int, Meta(ge=1, le=10)]
    price: Money
    parts: Annotated[list[Part], Meta(min_length=1, max_length=3)]
    at: Annotated[datetime, Meta(tz=True)] | None = None


class Patch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: Name | UnsetType = UNSET
    at: Annotated[datetime, Meta(tz=True)] | UnsetType | None = UNSET
    parts: Annotated[list[Part], Meta(min_length=1)] | UnsetType = UNSET


GOOD: dict[str, Any] = {
    "name": "A name",
    "count": 3,
    "price": {"amount": "12.50", "currency": "GBP"},
    "parts": [{"title": "One", "due_on": "2026-12-01"}],
}


def read(document: Any, type_: type[Any] = Whole) -> Any:
    return body.read(msgspec.json.encode(document), type_)


def faults(document: Any, type_: type[Any] = Whole) -> list[tuple[str, str]]:
    with pytest.raises(BodyInvalid) as caught:
        read(document, type_)
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


def malformed(raw: bytes) -> str:
    with pytest.raises(BodyMalformed) as caught:
        body.read(raw, Whole)
    return caught.value.detail


# --- what is taken --------------------------------------------------------------------------------------------------


def test_a_body_that_fits_becomes_its_struct() -> None:
    whole = read(GOOD)
    assert whole == Whole(
        name="A name", count=3, price=Money("12.50", "GBP"), parts=[Part(title="One", due_on=date(2026, 12, 1))]
    )


def test_text_is_trimmed_before_its_length_counts() -> None:
    assert read(GOOD | {"name": " \t\n" + "x" * 100 + "\u2003 "}).name == "x" * 100
    assert faults(GOOD | {"name": " \n\t "}) == [("/name", "length")]


def test_line_feeds_inside_a_text_stay() -> None:
    assert read(GOOD | {"name": "one\ntwo\tthree\r\n"}).name == "one\ntwo\tthree"


def test_a_patch_names_what_it_changes_and_nothing_else() -> None:
    assert body.given(read({}, Patch)) == {}
    assert body.given(read({"at": None}, Patch)) == {"at": None}


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=100))
def test_any_text_that_people_write_comes_back_trimmed_and_unchanged(text: str) -> None:
    assert read([text], list[str]) == [text.strip()]


# --- all faults at once ---------------------------------------------------------------------------------------------


def test_every_fault_is_told_by_its_pointer() -> None:
    bad = {
        "count": 11,
        "price": {"amount": "12.505", "currency": "gbp", "vat": "20"},
        "parts": [{"title": "", "due_on": "2026-02-30"}, {"title": 5}, "three"],
        "at": "2026-12-01T12:00:00",
        "colour": "red",
        "a/b~c": 1,
    }
    assert set(faults(bad)) == {
        ("/name", "required"),
        ("/count", "value"),
        ("/price/amount", "pattern"),
        ("/price/currency", "pattern"),
        ("/price/vat", "unknown-field"),
        ("/parts/0/title", "length"),
        ("/parts/0/due_on", "value"),
        ("/parts/1/title", "type"),
        ("/parts/1/due_on", "required"),
        ("/parts/2", "type"),
        ("/at", "value"),
        ("/colour", "unknown-field"),
        ("/a~1b~0c", "unknown-field"),
    }


def test_a_control_character_does_not_hide_the_other_faults() -> None:
    assert set(faults({**GOOD, "name": "a\x00b", "count": "3", "x": 1})) == {
        ("/name", "control-character"),
        ("/count", "type"),
        ("/x", "unknown-field"),
    }


def test_a_list_too_long_is_told_beside_its_bad_items() -> None:
    parts = [GOOD["parts"][0]] * 3 + [{"title": "Four"}]
    assert set(faults(GOOD | {"parts": parts})) == {("/parts/3/due_on", "required"), ("/parts", "length")}
    assert faults(GOOD | {"parts": []}) == [("/parts", "length")]
    assert faults({"parts": [{"title": "x"}]}, Patch) == [("/parts/0/due_on", "required")]


@pytest.mark.parametrize("document", [None, [], "text", 5, True, [GOOD]])
def test_a_body_of_another_kind_is_one_fault_at_its_root(document: Any) -> None:
    assert [pointer for pointer, _ in faults(document)] == [""]


def test_null_where_nothing_may_be_null_is_a_fault() -> None:
    assert faults(GOOD | {"name": None, "parts": None}) == [("/name", "null"), ("/parts", "null")]


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1899-12-31T23:00:00Z"])
def test_a_date_at_the_end_of_the_calendar_is_a_fault_and_never_an_overflow(when: str) -> None:
    part = {"title": "One", "due_on": when[:10]}
    assert faults(GOOD | {"at": when, "parts": [part]}) == [("/parts/0/due_on", "year"), ("/at", "year")]
    assert set(faults({"at": when, "name": ""}, Patch)) == {("/at", "year"), ("/name", "length")}


def test_so_many_faults_are_enough() -> None:
    assert len(faults({f"field{number}": 1 for number in range(5000)})) == body.FAULTS_MAX
    assert len(faults(GOOD | {"parts": [1] * 5000})) == body.FAULTS_MAX


@pytest.mark.parametrize("control", ["\x00", "\x07", "\x1f", "\x7f", "\x0b", "\x0c"])
def test_control_characters_are_refused_wherever_a_text_stands(control: str) -> None:
    notes = ["good", f"a{control}b"]
    part = {"title": "One", "due_on": "2026-12-01", "notes": notes}
    assert faults(GOOD | {"parts": [part]}) == [("/parts/0/notes/1", "control-character")]


# --- what can't be read at all --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"{]",
        b'{"name": "A name",}',
        b"{} {}",
        b"{'name': 'A name'}",
        b"NaN",
        b'{"count": NaN}',
        b'{"count": -Infinity}',
        b'{"count": 01}',
        b"\xef\xbb\xbf{}",
        b'{"name": "\xff\xfe"}',
        b'{"name": "\xed\xa0\x80"}',
        b'{"name": "\xc0\xaf"}',
        b'{"name": "\\ud800"}',
        b'{"name": "\\udc00 and more"}',
        b'{"name": "\\ud800\\u0041"}',
        b'{"\\ud800": 1}',
        b'{"name": "a\x00b"}',
        b'{"name": "a\nb"}',
        b'{"count": 1e400}',
        b'{"count": -1e400}',
        b'{"count": ' + b"9" * 5000 + b"}",
        '{"name": "A name"}'.encode("utf-16"),
        b"[" * 10_000,
        b'{"a":' * 10_000,
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_what_is_not_strict_json_in_utf_8_is_malformed(raw: bytes) -> None:
    assert malformed(raw)


def test_depth_is_bounded_well_before_the_stack_is() -> None:
    deep = b"[" * 5000 + b"]" * 5000
    assert "nested" in malformed(deep)
    assert "nested" in malformed(b"[" * (body.DEPTH_MAX + 2) + b"]" * (body.DEPTH_MAX + 2))
    assert faults([[[[[[[[]]]]]]]]) == [("", "type")]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"name": "A", "name": "B", "count": 1}',
        b'{"price": {"amount": "1.00", "currency": "GBP", "amount": "9.00"}}',
        b'{"parts": [{"title": "x"}, {"title": "y", "title": "y"}]}',
        b'{"n\\u0061me": 1, "name": 2}',
    ],
)
def test_a_name_given_twice_is_refused_since_the_two_may_differ(raw: bytes) -> None:
    assert "twice" in malformed(raw)


def test_the_same_name_in_two_objects_is_nothing_unusual() -> None:
    assert len(read(GOOD | {"parts": GOOD["parts"] * 3}).parts) == 3


def test_numbers_beyond_every_integer_are_faults_of_their_field() -> None:
    assert faults(GOOD | {"count": 2**63 - 1}) == [("/count", "value")]
    assert faults(GOOD | {"count": 2**64 - 1}) == [("/count", "value")]
    assert faults(GOOD | {"count": 3.5, "name": 1e300}) == [("/name", "type"), ("/count", "type")]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats(allow_nan=False, allow_infinity=False)
    # What a client's encoder sends; the raw bytes of the next test send the rest.
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(["9999-12-31", "0001-01-01T00:00:00+14:00", "1e5", "GBP", "\x00"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*Whole.__struct_fields__, "title", "due_on", "amount", "x"]), inner, max_size=6
        )
    ),
    max_leaves=30,
)


def outcome(document: Any, type_: type[Any]) -> Any:
    """What reading makes of it: a value, or the fact that says why not."""
    try:
        return body.read(msgspec.json.encode(document), type_)
    except Fact as fact:
        return fact


@given(json_values, st.sampled_from([Whole, Patch]))
def test_any_json_either_fits_or_names_its_faults(document: Any, type_: type[Any]) -> None:
    found = outcome(document, type_)
    if isinstance(found, BodyInvalid):
        assert found.faults
        assert all(fault.pointer == "" or fault.pointer.startswith("/") for fault in found.faults)
        msgspec.json.encode([fault.message for fault in found.faults])
    else:
        assert isinstance(found, type_ | BodyMalformed)  # malformed: an integer beyond 64 bits


@given(st.binary(max_size=200))
@example(b'{"name":"\xff"}')
def test_any_bytes_are_at_most_a_malformed_body(raw: bytes) -> None:
    with pytest.raises(Fact) as caught:
        body.read(raw, Whole)
    assert caught.value.status in {400, 422}
    msgspec.json.encode(caught.value.detail)

"""Reading bodies: everything that is wrong is told at once, and nothing that can be sent is more than a 400 or 422."""

import json
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from procure.kit import body
from procure.kit.body import BodyInvalid, BodyMalformed
from procure.kit.errors import FAULTS_MAX, Fact
from procure.kit.fields import Line, Name
from procure.kit.money import Money
from procure.kit.seen import unseen
from procure.lots.rules import Phase


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


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf"]).filter(lambda one: unseen(one) is None), max_size=100)
)
def test_any_text_that_people_write_comes_back_trimmed_composed_and_otherwise_unchanged(text: str) -> None:
    assert read([text], list[str]) == [unicodedata.normalize("NFC", text).strip()]


def test_what_looks_the_same_is_the_same() -> None:
    assert read(GOOD | {"name": "Cafe\u0301 \u212bngstr\u00f6m"}) == read(
        GOOD | {"name": "Caf\u00e9 \u00c5ngstr\u00f6m"}
    )
    assert read(GOOD | {"name": "e\u0301" * 100}).name == "\u00e9" * 100  # counted as they are kept


@pytest.mark.parametrize(
    "text",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian: two parts of a word, unjoined
        "\u0d28\u0d4d\u200d",  # Malayalam: a letter that ends a word
        "\U0001f469\u200d\U0001f4bb and \u2764\ufe0f\u200d\U0001f525",
    ],
)
def test_joiners_stay_where_they_make_words_and_emoji(text: str) -> None:
    assert read([text], list[str]) == [text]


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


def test_who_chooses_what_is_none_is_told_the_choices() -> None:
    class Choosing(msgspec.Struct):
        phase: Phase
        others: list[Phase | None] = []

    with pytest.raises(BodyInvalid) as refused:
        body.read(b'{"phase":"hmac","others":["define","all",null]}', Choosing)
    said = "One of: discover, define, develop, deliver."
    assert [(one.pointer, one.code, one.message) for one in refused.value.faults] == [
        ("/phase", "choice", said),
        ("/others/1", "choice", said),
    ]


def test_so_many_faults_are_enough() -> None:
    assert len(faults({f"field{number}": 1 for number in range(5000)})) == FAULTS_MAX
    assert len(faults(GOOD | {"parts": [1] * 5000})) == FAULTS_MAX


@pytest.mark.parametrize("control", ["\x00", "\x07", "\x1f", "\x7f", "\x0b", "\x0c"])
def test_control_characters_are_refused_wherever_a_text_stands(control: str) -> None:
    notes = ["good", f"a{control}b"]
    part = {"title": "One", "due_on": "2026-12-01", "notes": notes}
    assert faults(GOOD | {"parts": [part]}) == [("/parts/0/notes/1", "control-character")]


def test_what_no_reader_sees_is_refused_wherever_a_text_stands_and_named() -> None:
    part = {"title": "ad\u200bmin", "due_on": "2026-12-01"}
    assert faults(GOOD | {"parts": [part]}) == [("/parts/0/title", "unseen-character")]
    with pytest.raises(BodyInvalid) as caught:
        read(GOOD | {"name": "a\u202eb"})
    assert "U+202E" in caught.value.faults[0].message


def test_marks_piled_on_one_letter_are_refused_before_they_are_sorted() -> None:
    """As many as a body holds would be sorted for half a minute, while everybody waits."""
    assert faults(GOOD | {"name": "a" + "\u0301\u0323" * 500_000})[0] == ("/name", "too-many-marks")
    assert faults(GOOD | {"name": "a" + "\u0301" * 31}) == [("/name", "too-many-marks")]
    # Composed, the first makes one letter of two.
    assert read(GOOD | {"name": "a" + "\u0301" * 30}).name == "\u00e1" + "\u0301" * 29


@pytest.mark.parametrize("control", ["\x80", "\x85", "\x9f"])
def test_the_second_row_of_control_characters_is_refused_like_the_first(control: str) -> None:
    assert faults(GOOD | {"name": f"{control}a\u200bb"}) == [
        ("/name", "control-character"),
        ("/name", "unseen-character"),
    ]


@pytest.mark.parametrize("blank", ["", " ", "\u00a0", "\u3000", "\u2003\t\n", "\u1680\u205f\u202f"])
def test_a_text_of_nothing_but_spaces_is_none(blank: str) -> None:
    assert faults(GOOD | {"name": blank}) == [("/name", "length")]


def test_a_name_with_what_no_reader_sees_is_no_fields_name() -> None:
    assert faults(GOOD | {"na\u200bme": "x"}) == [("/na\u200bme", "unknown-field")]


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


_names = st.sampled_from(
    ['"a"', '"\\u0061"', '"a:"', '"a\\u003a"', '"a\\u003A"', '"\\\\u003a"', '""', '":"', '"\\":"', '"\u00e9"']
)
_texts = st.recursive(
    _names | st.sampled_from(["1", "null", "-1.5e3", "true", "[]", "{}", "18446744073709551615"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{' , '.join(items)}]")
        | st.lists(st.tuples(_names, st.sampled_from([":", " : "]), inner), max_size=4).map(
            lambda members: f"{{{','.join(map(''.join, members))}}}"
        )
    ),
    max_leaves=20,
)


@given(_texts)
@example('{"a":1,"\\u0061":"\\u003a"}')
@example('{"a":{"b":1},"a":":"}')
def test_repeated_names_are_found_as_a_whole_second_parse_finds_them(text: str) -> None:
    raw = text.encode()

    def is_refused(check: Callable[[], object]) -> bool:
        try:
            check()
        except BodyMalformed:
            return True
        return False

    def parse() -> None:
        json.loads(raw, object_pairs_hook=body._refuse_pairs)

    assert is_refused(lambda: body._refuse_repeated(raw, msgspec.json.decode(raw))) == is_refused(parse)


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


@given(st.text(st.characters(codec="utf-8"), max_size=30))
@example("\u1680\u200d We sit with the officers")
def test_what_was_taken_is_taken_again_and_is_the_same(text: str) -> None:
    try:
        once = body.convert([text], list[str])
    except body.BodyInvalid:
        return
    assert body.convert(once, list[str]) == once

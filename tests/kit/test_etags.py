"""Entity tags: what makes one, how conditions are read, and what they decide (RFC 9110, sections 8.8.3 and 13)."""

import re
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from procure.kit.etags import (
    CONDITION_MAX,
    CONDITION_PATTERN,
    EXAMPLE,
    UNCONDITIONAL,
    ChangedSinceRead,
    ConditionInvalid,
    IfMatchMissing,
    NotModified,
    Seen,
    TaggedByContent,
    Tags,
    read_tags,
    seen_by_doer,
    seen_by_reader,
    tag_of,
)


class Thing(TaggedByContent, frozen=True):
    """What is tagged here."""

    name: str


class Inner(msgspec.Struct, frozen=True):
    """A part of a view."""

    amount: str


class Outer(msgspec.Struct, frozen=True):
    """A view with a part."""

    inner: Inner


def test_a_tag_is_a_short_quoted_word_that_tells_nothing() -> None:
    id_ = uuid4()
    tag = tag_of(Thing, id_, 1, "draft")
    assert re.fullmatch(r'"[A-Za-z0-9_-]{16}"', tag)
    assert len(tag) == len(EXAMPLE)
    assert tag == tag_of(Thing, id_, 1, "draft"), "the same in every process: nothing is drawn by chance"


def test_whatever_a_view_depends_on_changes_its_tag() -> None:
    id_ = uuid4()
    parts: list[tuple[object, ...]] = [
        (id_, 1, "draft"),
        (id_, 2, "draft"),
        (id_, 1, "closed"),
        (uuid4(), 1, "draft"),
        (id_, 1, "draft", None),
    ]
    parts += [(id_, "1", "draft"), (id_, 1, "dra", "ft"), (datetime(2026, 1, 1, tzinfo=UTC),), ()]
    assert len({tag_of(Thing, *some) for some in parts}) == len(parts)


def test_a_view_that_gets_a_field_gets_new_tags_wherever_the_field_is() -> None:
    def named(fields: dict[str, type], part: str = "str") -> type[msgspec.Struct]:
        inner = msgspec.defstruct("Inner", [("amount", {"str": str, "int": int}[part])])
        return msgspec.defstruct("View", [*fields.items(), ("inner", inner)])

    views = [named({"id": int}), named({"id": str}), named({"id": int, "name": str}), named({"name": str, "id": int})]
    views += [named({"id": int}, "int"), msgspec.defstruct("Other", [("id", int)])]
    assert len({tag_of(view, 1) for view in views}) == len(views)
    assert tag_of(named({"id": int}), 1) == tag_of(named({"id": int}), 1)


def test_what_has_no_version_is_tagged_by_its_content() -> None:
    assert Thing("a").etag == Thing("a").etag != Thing("b").etag


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "strong", "weak"),
    [
        (['"a"'], {'"a"'}, set()),
        (['W/"a"'], set(), {'"a"'}),
        (['"a", W/"b","c"\t,  "d"'], {'"a"', '"c"', '"d"'}, {'"b"'}),
        (['"a"', '"b"'], {'"a"', '"b"'}, set()),
        ([',,"a",,'], {'"a"'}, set()),
        (['""'], {'""'}, set()),
        (['"with,comma"'], {'"with,comma"'}, set()),
        (['"\xe9!#~"'], {'"\xe9!#~"'}, set()),
        (["  *\t"], None, None),
    ],
)
def test_a_condition_is_a_star_or_a_list_of_tags(
    values: list[str], strong: set[str] | None, weak: set[str] | None
) -> None:
    expected = Tags(is_any=True) if strong is None or weak is None else Tags(frozenset(strong), frozenset(weak))
    assert read_tags(values) == expected


NOTHING: list[str] = []
UNREADABLE = ["", ",", " , ", "a", '"a', 'a"', '"a" "b"', '"a"b', 'w/"a"', 'W/ "a"', "'a'", '"a b"', '"a\tb"']
UNREADABLE += [
    "\n",
    '"a"\n',
    '"a",\n',
    " " * 1999 + "a",
    '*, "a"',
    "**",
    '"a";q=1',
    '"\x7f"',
    "W/*",
    '"' + "a" * CONDITION_MAX + '"',
]


@pytest.mark.parametrize("value", UNREADABLE, ids=lambda value: repr(value)[:20])
def test_what_is_neither_is_refused_where_something_is_done_and_left_out_where_something_is_read(value: str) -> None:
    assert read_tags([value]) is None
    assert not seen_by_reader([value], [value])
    for match, none_match in (([value], NOTHING), (NOTHING, [value])):
        with pytest.raises(ConditionInvalid):
            seen_by_doer(match, none_match, is_required=False)


@given(st.text(max_size=300))
def test_nothing_that_is_sent_breaks_the_reading(text: str) -> None:
    found = read_tags([text])
    assert found is None or found.is_any or found.strong or found.weak


@given(st.lists(st.from_regex(r'(W/)?"[!#-~]{0,8}"', fullmatch=True), min_size=1, max_size=20))
def test_what_is_written_is_read_and_the_document_takes_it(tags: list[str]) -> None:
    found = read_tags([", ".join(tags)])
    assert found is not None
    assert found.strong | {f"W/{tag}" for tag in found.weak} == set(tags)
    assert re.search(CONDITION_PATTERN, ", ".join(tags))


# --- deciding -------------------------------------------------------------------------------------------------------


def test_if_match_compares_strongly_and_if_none_match_weakly() -> None:
    tags = Tags(frozenset({'"a"'}), frozenset({'"b"'}))
    assert (tags.match('"a"'), tags.match('"b"'), tags.match('"c"')) == (True, False, False)
    assert (tags.match_weakly('"a"'), tags.match_weakly('"b"'), tags.match_weakly('"c"')) == (True, True, False)
    assert Tags(is_any=True).match('"c"')
    assert Tags(is_any=True).match_weakly('"c"')


def test_a_reader_who_has_it_is_told_so_with_its_tag() -> None:
    with pytest.raises(NotModified) as known:
        seen_by_reader([], ['W/"x", "a"']).check('"a"')
    assert known.value.etag == '"a"'
    seen_by_reader([], ['"x"']).check('"a"')
    seen_by_reader([], []).check('"a"')


def test_if_match_is_judged_first() -> None:
    """RFC 9110, section 13.2.2."""
    with pytest.raises(ChangedSinceRead):
        seen_by_reader(['"x"'], ['"a"']).check('"a"')
    with pytest.raises(NotModified):
        seen_by_reader(['"a"'], ['"a"']).check('"a"')


STOPPING: list[tuple[list[str], list[str]]] = [(['"x"'], []), ([], ['"a"']), ([], ["*"]), (['W/"a"'], [])]


@pytest.mark.parametrize(("match", "none_match"), STOPPING)
def test_a_doer_is_stopped_by_either(match: list[str], none_match: list[str]) -> None:
    seen_by_doer(['"a"'], ['"x"'], is_required=True).check('"a"')
    with pytest.raises(ChangedSinceRead):
        seen_by_doer(match, none_match, is_required=False).check('"a"')


@pytest.mark.parametrize("given_", [[], ["*"]])
def test_where_it_is_asked_for_neither_nothing_nor_a_star_will_do(given_: list[str]) -> None:
    with pytest.raises(IfMatchMissing):
        seen_by_doer(given_, ['"x"'], is_required=True)
    seen_by_doer(given_, [], is_required=False).check('"a"')


def test_who_says_nothing_is_stopped_by_nothing() -> None:
    assert not UNCONDITIONAL
    assert not Seen()
    UNCONDITIONAL.check('"whatever"')

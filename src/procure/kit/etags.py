"""What a caller has seen of a resource: its entity tag, and the conditions that a request names one in (RFC 9110, sections 8.8.3 and 13).

A tag is strong: two representations with one tag are the same bytes. It is made here alone, of all that the bytes depend on: the view's
own fields (their names and types, so that a new release's view has new tags), what the resource is and at which version, what the caller
is shown of it, and what time has made of it. It is known before the body is built, so that a caller who has the body is told so for
less (304). The content coding is told by `kit.coding`, in what it adds to the tag.

An act is judged by the tag that its lock has seen, so that of two edits of one version exactly one is done.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b

import msgspec

from procure.kit.errors import Malformed, PreconditionFailed, PreconditionRequired

IF_MATCH, IF_NONE_MATCH = "If-Match", "If-None-Match"
#: Characters of either header that are read; thirty tags of this service take 600.
CONDITION_MAX = 2000
_TAG_BYTES = 12
#: An element of a list (RFC 9110, sections 5.6.1 and 8.8.3), which may be empty: `W/`, the tag, and what ends it.
_ELEMENT = re.compile(r'[ \t]*+(?:(W/)?("[!#-~\x80-\xff]*+"))?[ \t]*+(?:,|\Z)')
#: As the document shows it.
CONDITION_PATTERN = r'^(\*|(W/)?"[^"]*"([ \t]*,[ \t]*(W/)?"[^"]*")*)$'
EXAMPLE = '"yP6c0qUq3dJp1nXk"'


class ChangedSinceRead(PreconditionFailed):
    """It is not any more what was read: the tag in If-Match is not the current one. Read it again, and decide again."""

    slug, title = "changed-since-read", "Changed since it was read"


class IfMatchMissing(PreconditionRequired):
    """Who approves or edits says what they have read: send the ETag of the resource, as its GET gave it, in If-Match."""

    slug, title = "if-match-missing", "If-Match missing"


class ConditionInvalid(Malformed):
    """If-Match is `*`, or a list of entity tags in double quotes; so is If-None-Match, where something is done."""

    slug, title = "condition-invalid", "Condition is not valid"


class ConditionUnexpected(Malformed):
    """A condition was sent to an operation that makes something new: there is nothing yet to hold it against."""

    slug, title = "condition-unexpected", "Condition not expected"


class NotModified(Exception):
    """Ends a read whose caller has these bytes already: 304, with the tag."""

    def __init__(self, etag: str) -> None:
        super().__init__(etag)
        self.etag = etag


def tag_of(view: type[msgspec.Struct], *parts: object) -> str:
    """The tag, in its quotes, of a view that these values decide; what has no version of its own gives its whole content."""
    made = blake2b(msgspec.json.encode((_schema(view), parts)), digest_size=_TAG_BYTES, person=b"procure-etag")
    return f'"{urlsafe_b64encode(made.digest()).decode()}"'


@cache
def _schema(view: type[msgspec.Struct]) -> bytes:
    """The view's name, fields and types, those inside it too, in their order."""
    return blake2b(msgspec.json.encode((view.__name__, msgspec.json.schema(view))), digest_size=_TAG_BYTES).digest()


class TaggedByContent(msgspec.Struct, frozen=True):
    """A view of what has no version of its own."""

    @property
    def etag(self) -> str:
        return tag_of(type(self), self)


@dataclass(frozen=True, slots=True)
class Tags:
    """What a condition names: strong tags, weak ones, or `*`: whatever there is."""

    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()
    is_any: bool = False

    def match(self, etag: str) -> bool:
        """By the strong comparison (section 8.8.3.2): a weak tag matches nothing."""
        return self.is_any or etag in self.strong

    def match_weakly(self, etag: str) -> bool:
        return self.is_any or etag in self.strong or etag in self.weak


def read_tags(values: Iterable[str]) -> Tags | None:
    """The tags of all headers of one name, which are one list (section 5.3); None if they can't be read, or name nothing."""
    text = ",".join(values).strip(" \t")
    if text == "*":
        return Tags(is_any=True)
    if len(text) > CONDITION_MAX:
        return None
    found: dict[str, set[str]] = {"": set(), "W/": set()}
    at = 0
    while at < len(text):
        element = _ELEMENT.match(text, at)
        if element is None:
            return None
        if element[2]:
            found[element[1] or ""].add(element[2])
        at = element.end()
    return Tags(frozenset(found[""]), frozenset(found["W/"])) if any(found.values()) else None


@dataclass(frozen=True, slots=True)
class Seen:
    """What the caller says to have seen of a resource; held against it once it is locked, or found for a read."""

    match: Tags | None = None
    none_match: Tags | None = None
    is_read: bool = False

    def __bool__(self) -> bool:
        """Whether anything was said."""
        return self.match is not None or self.none_match is not None

    def check(self, etag: str) -> None:
        """Raises ChangedSinceRead, or, of a read whose caller has it already, NotModified (section 13.2.2)."""
        if self.match is not None and not self.match.match(etag):
            raise ChangedSinceRead(
                "It has changed since you read it: read it again, and send the tag that it has then."
            )
        if self.none_match is not None and self.none_match.match_weakly(etag):
            if self.is_read:
                raise NotModified(etag)
            raise ChangedSinceRead("It is what `If-None-Match` says that it must not be.")


#: A caller who says nothing of what was seen.
UNCONDITIONAL = Seen()
_ANY_READER = Seen(is_read=True)


def seen_by_reader(if_match: list[str], if_none_match: list[str]) -> Seen:
    """The conditions of a read. One that can't be read is as none: what is asked for is only sent once more."""
    if not if_match and not if_none_match:
        return _ANY_READER
    return Seen(read_tags(if_match), read_tags(if_none_match), is_read=True)


def seen_by_doer(if_match: list[str], if_none_match: list[str], *, is_required: bool) -> Seen:
    """The conditions of an act or edit: none is passed over. Raises ConditionInvalid, IfMatchMissing.

    `*` says that there is something, and not what was read of it: where that is asked for, it is no answer.
    """
    match = _readable(IF_MATCH, if_match)
    if is_required and (match is None or match.is_any):
        raise IfMatchMissing(
            "Send in `If-Match` the `ETag` of what you have read; `*` says nothing of that."
            if match
            else "Read it first, and send its `ETag` in `If-Match`: what you approve or edit is what you have seen."
        )
    return Seen(match, _readable(IF_NONE_MATCH, if_none_match))


def _readable(name: str, values: list[str]) -> Tags | None:
    if not values:
        return None
    tags = read_tags(values)
    if tags is None:
        raise ConditionInvalid(f"`{name}` is `*`, or entity tags in double quotes, such as {EXAMPLE}.")
    return tags

"""Lists in pages: an opaque cursor that names the last row seen, so that pages stay stable while others write.

A cursor carries a check over its position, its path and its filters, so that a tampered one, or one of another list, is a 400 and
never a strange page. There is no key: a position gives no right to anything, the scoped select decides what a caller sees whatever
the cursor says. So a cursor is the same from every process, and goes on after a restart. `limit` may change from page to page.
"""

import hashlib
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar.params import QueryParameter
from msgspec import Meta
from sqlalchemy import Select, SQLColumnExpression, tuple_

from procure.kit.errors import Malformed

T = TypeVar("T")
LIMIT_DEFAULT = 50
LIMIT_MAX = 200
#: From this service's root: an address of at most 8 KB led to it, and a cursor is added.
NextPage = Annotated[str, Meta(pattern=r"^/\S+$", max_length=9000)]
#: Every parameter of a list but these is a filter, to which its cursors are bound.
_FREE = frozenset({"limit", "cursor"})
_EPOCH, _TICK = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
#: Microseconds since 1970 and the id; with the check 33 bytes, so that no bit of the base64 is left over.
_BODY = struct.Struct(">q16s")
_CHECK_BYTES = 9

Query = Sequence[tuple[str, str]]


class CursorInvalid(Malformed):
    """The cursor is not one that this service handed out for this list and these filters."""

    slug, title = "cursor-invalid", "Cursor is not valid"


class Position(msgspec.Struct, frozen=True):
    """Where a page ended: the sort instant and, since two rows may share it, the id."""

    at: datetime
    id: UUID


class Page(msgspec.Struct, Generic[T], kw_only=True):
    """One page of a list: its items, and the address of the next page or null on the last one."""

    items: Annotated[list[T], Meta(max_length=LIMIT_MAX)]
    next: NextPage | None


class Paging(msgspec.Struct, frozen=True):
    """What a caller asked for, checked."""

    limit: int
    after: Position | None
    path: str
    query: tuple[tuple[str, str], ...]


def encode_cursor(position: Position, path: str, query: Query) -> str:
    """The position and a check over it and over the list it belongs to: 33 bytes, which are 44 characters in one spelling only."""
    body = _BODY.pack((position.at - _EPOCH) // _TICK, position.id.bytes)
    return urlsafe_b64encode(body + _check(body, path, query)).decode()


def decode_cursor(text: str, path: str, query: Query) -> Position:
    """Where the page before ended; raises CursorInvalid unless `encode_cursor` spells it so for this path and these filters."""
    try:
        ticks, id_ = _BODY.unpack(urlsafe_b64decode(text)[: _BODY.size])
        position = Position(_EPOCH + ticks * _TICK, UUID(bytes=id_))
        spelled = encode_cursor(position, path, query)
    except (ValueError, OverflowError, struct.error) as error:
        raise CursorInvalid("This cursor can't be read; start again without one.") from error
    if spelled != text:
        raise CursorInvalid("This cursor is not one of this list with these filters; start again without one.")
    return position


def _check(body: bytes, path: str, query: Query) -> bytes:
    filters = sorted(pair for pair in query if pair[0] not in _FREE)
    named = msgspec.msgpack.encode((path, filters))
    return hashlib.blake2b(body + named, digest_size=_CHECK_BYTES, person=b"procure-cursor").digest()


Limit = Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX, description="Items in a page, 1 to 200.")]
Cursor = Annotated[
    str | None, QueryParameter(max_length=200, description="Where the previous page's `next` goes on; opaque.")
]


def after(
    statement: Select[Any], at: SQLColumnExpression[Any], id_: SQLColumnExpression[Any], paging: Paging
) -> Select[Any]:
    """`statement`, newest first, from where the caller's cursor stands; one row more than the page tells if more follow."""
    if paging.after is not None:
        statement = statement.where(tuple_(at, id_) < tuple_(paging.after.at, paging.after.id))
    return statement.order_by(at.desc(), id_.desc()).limit(paging.limit + 1)


def page_of(
    rows: Sequence[Any], paging: Paging, view: Callable[[Any], T], position: Callable[[Any], Position]
) -> Page[T]:
    """The page of what `after` found."""
    shown = rows[: paging.limit]
    more = len(rows) > paging.limit
    return Page(items=[view(row) for row in shown], next=next_link(position(shown[-1]), paging) if more else None)


def next_link(position: Position, paging: Paging) -> str:
    kept = [(name, value) for name, value in paging.query if name != "cursor"]
    cursor = encode_cursor(position, paging.path, paging.query)
    return f"{paging.path}?{urlencode([*kept, ('cursor', cursor)])}"

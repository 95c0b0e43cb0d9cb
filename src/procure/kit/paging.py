"""Lists in pages: an opaque cursor that names the last row seen, so that pages stay stable while others write.

A cursor carries a check, so that a tampered one is a 400 and never a strange page. It is not a secret: the scoped select
decides what a caller sees, whatever the cursor says.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar.params import QueryParameter
from sqlalchemy import Select, SQLColumnExpression, tuple_

from procure.kit.errors import Malformed

T = TypeVar("T")
LIMIT_DEFAULT = 50
LIMIT_MAX = 200
_CHECK_BYTES = 8


class CursorInvalid(Malformed):
    """The cursor is not one that this service handed out for this list."""

    slug, title = "cursor-invalid", "Cursor is not valid"


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended: the sort instant and, since two rows may share it, the id."""

    at: Annotated[datetime, msgspec.Meta(tz=True)]
    id: UUID


class Page(msgspec.Struct, Generic[T], kw_only=True):
    """One page of a list: its items, and the address of the next page or null on the last one."""

    items: list[T]
    next: str | None


class Paging(msgspec.Struct, frozen=True):
    """What a caller asked for, checked."""

    limit: int
    after: Position | None
    path: str
    query: tuple[tuple[str, str], ...]


def encode_cursor(position: Position) -> str:
    body = msgspec.msgpack.encode(position)
    return urlsafe_b64encode(_check(body) + body).rstrip(b"=").decode()


def decode_cursor(text: str) -> Position:
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        check, body = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
        position = msgspec.msgpack.decode(body, type=Position)
        spelled = encode_cursor(position)
    except (ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise CursorInvalid("This cursor can't be read; start again without one.") from error
    # Base64 has several spellings of the same bytes; only the one handed out is taken.
    if check != _check(body) or spelled != text:
        raise CursorInvalid("This cursor was not handed out by this service; start again without one.")
    return position


def _check(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECK_BYTES, person=b"procure-cursor").digest()


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
    return f"{paging.path}?{urlencode([*kept, ('cursor', encode_cursor(position))])}"

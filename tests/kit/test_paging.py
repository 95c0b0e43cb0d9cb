"""Cursors that nobody can bend, and pages that miss and repeat nothing while others write."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta, timezone
from hashlib import blake2b
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from build import organisation
from calls import ok, problem
from procure.kit import paging
from procure.kit.actor import OrganisationKind
from procure.kit.paging import (
    CursorInvalid,
    Page,
    Paging,
    Position,
    after,
    decode_cursor,
    encode_cursor,
    next_link,
    page_of,
)
from procure.organisations.models import Organisation

instants = st.integers(-(2**31), 2**33 * 1000).map(lambda at: datetime.fromtimestamp(at / 1000, UTC))
positions = st.builds(Position, instants, st.uuids())
HERE = Position(datetime(2026, 11, 24, 9, 30, 0, 123456, UTC), UUID("0199c0de-0000-7000-8000-000000000010"))


def forged(body: bytes) -> str:
    """A cursor with a right check over a body of the forger's own: the check is no secret."""
    return urlsafe_b64encode(paging._check(body) + body).rstrip(b"=").decode()


@given(positions)
def test_a_cursor_leads_back_to_its_position_to_the_microsecond(position: Position) -> None:
    assert decode_cursor(encode_cursor(position)) == position


@given(positions, st.data())
def test_a_cursor_with_any_byte_changed_is_refused(position: Position, data: st.DataObject) -> None:
    raw = bytearray(urlsafe_b64decode(encode_cursor(position) + "=="))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CursorInvalid):
        decode_cursor(urlsafe_b64encode(raw).rstrip(b"=").decode())


@given(st.text(max_size=300))
def test_no_text_of_somebodys_own_is_a_cursor(text: str) -> None:
    with pytest.raises(CursorInvalid):
        decode_cursor(text)


@pytest.mark.parametrize("spelling", ["{}=", "{}==", " {}", "{}\n", "{}A", "+{}"])
def test_only_the_spelling_that_was_handed_out_is_taken(spelling: str) -> None:
    with pytest.raises(CursorInvalid):
        decode_cursor(spelling.format(encode_cursor(HERE)))


@pytest.mark.parametrize(
    "body",
    [
        msgspec.msgpack.encode([datetime(2026, 1, 1), HERE.id]),  # noqa: DTZ001 - naive is what it is about
        msgspec.msgpack.encode(["2026-01-01T00:00:00+01:00", str(HERE.id)]),
        msgspec.msgpack.encode([HERE.at, HERE.id, 1]),
        msgspec.msgpack.encode([HERE.at]),
        msgspec.msgpack.encode({"at": HERE.at}),
        b"",
        b"\x92\xd6\xff",
    ],
)
def test_a_forged_check_gains_nothing(body: bytes) -> None:
    with pytest.raises(CursorInvalid):
        decode_cursor(forged(body))


@pytest.mark.parametrize("year", [1, 1969, 9999])
async def test_a_forged_position_anywhere_in_time_is_an_ordinary_empty_or_full_page(
    anyone: httpx.AsyncClient, year: int
) -> None:
    body = msgspec.msgpack.encode(Position(datetime(year, 1, 1, tzinfo=UTC), HERE.id))
    ok(await anyone.get(f"/v1/lots?cursor={forged(body)}"))


def test_a_position_in_another_zone_is_the_same_instant() -> None:
    elsewhere = Position(HERE.at.astimezone(timezone(timedelta(hours=5))), HERE.id)
    assert encode_cursor(elsewhere) == encode_cursor(HERE)


def test_the_next_link_keeps_the_filters_and_replaces_the_cursor() -> None:
    asked = Paging(2, None, "/v1/lots", (("phase", "define"), ("cursor", "old"), ("limit", "2")))
    link = urlsplit(next_link(HERE, asked))
    assert link.path == "/v1/lots"
    assert parse_qsl(link.query) == [("phase", "define"), ("limit", "2"), ("cursor", encode_cursor(HERE))]


def test_the_last_page_has_no_next_however_full_it_is() -> None:
    asked = Paging(3, None, "/x", ())
    rows = [HERE] * 3
    assert page_of(rows, asked, str, lambda row: row).next is None
    page = page_of([*rows, HERE], asked, str, lambda row: row)
    assert len(page.items) == 3
    assert page.next is not None


# --- over rows ------------------------------------------------------------------------------------------------------


async def page_after(db: AsyncSession, limit: int, link: str | None) -> Page[UUID]:
    cursor = dict(parse_qsl(urlsplit(link).query))["cursor"] if link else None
    asked = Paging(limit, decode_cursor(cursor) if cursor else None, "/x", ())
    rows = (await db.scalars(after(select(Organisation), Organisation.created_at, Organisation.id, asked))).all()
    return page_of(rows, asked, lambda row: row.id, lambda row: Position(row.created_at, row.id))


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
async def test_pages_neither_miss_nor_repeat_a_row_while_others_are_written(db: AsyncSession, limit: int) -> None:
    start = datetime(2026, 11, 24, 9, tzinfo=UTC)
    made: list[tuple[datetime, UUID]] = []
    for number in range(12):  # four instants, three rows each: the id has to part those that share one
        row = await organisation(db, OrganisationKind.SUPPLIER, f"Supplier {number}")
        at = start + timedelta(microseconds=number // 3)
        await db.execute(update(Organisation).where(Organisation.id == row.id).values(created_at=at))
        made.append((at, row.id))
    expected = [id_ for _, id_ in sorted(made, reverse=True)]
    seen: list[UUID] = []
    link: str | None = None
    while True:
        page = await page_after(db, limit, link)
        seen += page.items
        if (link := page.next) is None:
            break
        late = await organisation(db, OrganisationKind.SUPPLIER, "Somebody new")
        newest = update(Organisation).where(Organisation.id == late.id)
        await db.execute(newest.values(created_at=start + timedelta(hours=1)))
    assert [id_ for id_ in seen if id_ in set(expected)] == expected


# --- over HTTP ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["0", "201", "-1", "1.5", "abc", "", "1e2", "99999999999999999999", "%00"])
async def test_a_limit_outside_1_to_200_is_refused(anyone: httpx.AsyncClient, limit: str) -> None:
    body = problem(await anyone.get(f"/v1/lots?limit={limit}"), 400, "parameters-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/limit"]


@pytest.mark.parametrize("limit", [1, 200])
async def test_the_limits_of_the_limit_are_taken(anyone: httpx.AsyncClient, limit: int) -> None:
    assert ok(await anyone.get(f"/v1/lots?limit={limit}"))["next"] is None


@pytest.mark.parametrize("cursor", ["x", "", "%00", "a" * 300, "AAAAAAAAAAAAAAAA"])
async def test_a_cursor_that_was_not_handed_out_is_a_400(anyone: httpx.AsyncClient, cursor: str) -> None:
    problem(await anyone.get(f"/v1/lots?cursor={cursor}"), 400, "cursor-invalid")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_forged_cursor_at_the_ends_of_the_calendar_is_a_cursor_fault(moment: str) -> None:
    body = msgspec.msgpack.encode([moment, str(UUID(int=1))])
    check = blake2b(body, digest_size=8, person=b"procure-cursor").digest()
    with pytest.raises(CursorInvalid):
        decode_cursor(urlsafe_b64encode(check + body).rstrip(b"=").decode())

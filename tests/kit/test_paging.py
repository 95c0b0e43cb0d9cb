"""Cursors that nobody can bend, and pages that miss and repeat nothing while others write."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta, timezone
from string import ascii_letters, digits
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from build import council, organisation, published_lot
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
from procure.vault.keyring import FileKeyring

instants = st.integers(-(2**31), 2**33 * 1000).map(lambda at: datetime.fromtimestamp(at / 1000, UTC))
positions = st.builds(Position, instants, st.uuids())
HERE = Position(datetime(2026, 11, 24, 9, 30, 0, 123456, UTC), UUID("0199c0de-0000-7000-8000-000000000010"))


LIST, FILTERS = "/v1/lots", (("phase", "define"), ("status", "closed"))


def forged(body: bytes, path: str = LIST, query: paging.Query = ()) -> str:
    """A cursor with a right check over a body of the forger's own: the check is no secret."""
    return urlsafe_b64encode(body + paging._check(body, path, query)).decode()


def spelled(position: Position) -> str:
    return encode_cursor(position, LIST, FILTERS)


def read(text: str) -> Position:
    return decode_cursor(text, LIST, FILTERS)


@given(positions)
def test_a_cursor_leads_back_to_its_position_to_the_microsecond(position: Position) -> None:
    assert read(spelled(position)) == position


@given(positions, st.data())
def test_a_cursor_with_any_character_changed_is_refused(position: Position, data: st.DataObject) -> None:
    text = spelled(position)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw((st.sampled_from(ascii_letters + digits + "-_=+/%") | st.characters()).filter(text[place].__ne__))
    with pytest.raises(CursorInvalid):
        read(text[:place] + other + text[place + 1 :])


@given(positions, st.integers(0, 43), st.text(min_size=1, max_size=9))
def test_a_cursor_cut_off_or_lengthened_is_refused(position: Position, length: int, more: str) -> None:
    text = spelled(position)
    for bad in (text[:length], text + more, more + text, text[:length] + more + text[length:]):
        with pytest.raises(CursorInvalid):
            read(bad)


@given(st.text(max_size=300) | st.text(ascii_letters + digits + "-_", min_size=44, max_size=44))
def test_no_text_of_somebodys_own_is_a_cursor(text: str) -> None:
    with pytest.raises(CursorInvalid):
        read(text)


@pytest.mark.parametrize("spelling", ["{}=", "{}==", " {}", "{}\n", "{}A", "+{}"])
def test_only_the_spelling_that_was_handed_out_is_taken(spelling: str) -> None:
    with pytest.raises(CursorInvalid):
        read(spelling.format(spelled(HERE)))


def test_no_bit_of_a_cursor_is_left_over() -> None:
    assert len(spelled(HERE)) * 6 == len(urlsafe_b64decode(spelled(HERE))) * 8


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/contracts", FILTERS),
        ("/v1/lot", FILTERS),
        (LIST, ()),
        (LIST, FILTERS[:1]),
        (LIST, (("phase", "defin"), ("status", "eclosed"))),
        (LIST, (*FILTERS, ("buyer_id", ""))),
        (LIST, (("status", "define"), ("phase", "closed"))),
        (LIST, (("phase", "define&status=closed"),)),
    ],
)
def test_a_cursor_of_another_list_or_filter_is_refused(path: str, query: paging.Query) -> None:
    with pytest.raises(CursorInvalid):
        decode_cursor(spelled(HERE), path, query)


def test_the_order_of_the_filters_and_the_limit_are_nothing_to_a_cursor() -> None:
    asked = (*reversed(FILTERS), ("limit", "7"), ("cursor", "old"))
    assert decode_cursor(spelled(HERE), LIST, asked) == HERE


def test_a_cursor_is_the_same_from_every_process_and_every_release() -> None:
    """A portal may follow `next` after a deployment: change this text and it can't."""
    assert spelled(HERE) == "AAZhAlq4WEABmcDeAABwAIAAAAAAAAAQoILB229aTbyB"


@pytest.mark.parametrize(
    "body", [b"", b"\x00" * 23, b"\x00" * 25, b"\x7f" + b"\xff" * 23, b"\x80" + b"\x00" * 23], ids=repr
)
def test_a_forged_check_gains_nothing(body: bytes) -> None:
    with pytest.raises(CursorInvalid):
        decode_cursor(forged(body), LIST, ())


@pytest.mark.parametrize("year", [1, 1969, 9999])
async def test_a_forged_position_anywhere_in_time_is_an_ordinary_empty_or_full_page(
    anyone: httpx.AsyncClient, year: int
) -> None:
    cursor = encode_cursor(Position(datetime(year, 1, 1, tzinfo=UTC), HERE.id), LIST, ())
    ok(await anyone.get(f"{LIST}?cursor={cursor}"))


def test_a_position_in_another_zone_is_the_same_instant() -> None:
    elsewhere = Position(HERE.at.astimezone(timezone(timedelta(hours=5))), HERE.id)
    assert spelled(elsewhere) == spelled(HERE)


def test_the_next_link_keeps_the_filters_and_replaces_the_cursor() -> None:
    asked = Paging(2, None, "/v1/lots", (("phase", "define"), ("cursor", "old"), ("limit", "2")))
    link = urlsplit(next_link(HERE, asked))
    assert link.path == "/v1/lots"
    cursor = encode_cursor(HERE, "/v1/lots", [("phase", "define")])
    assert parse_qsl(link.query) == [("phase", "define"), ("limit", "2"), ("cursor", cursor)]


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
    asked = Paging(limit, decode_cursor(cursor, "/x", ()) if cursor else None, "/x", ())
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
        for at in (start + timedelta(hours=1), made[0][0], made[-1][0]):  # in front of all, and among them
            late = await organisation(db, OrganisationKind.SUPPLIER, "Somebody new")
            await db.execute(update(Organisation).where(Organisation.id == late.id).values(created_at=at))
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


async def test_every_list_refuses_a_cursor_of_another_one(app: Litestar, anyone: httpx.AsyncClient) -> None:
    """Before it asks who is calling, so that one stranger sees to all of them."""
    lists = [
        path.replace("{", "").replace("}", "")
        for path, item in app.openapi_schema.to_schema()["paths"].items()
        if any(parameter["name"] == "cursor" for parameter in item.get("get", {}).get("parameters", []))
    ]
    assert len(lists) >= 18
    elsewhere = encode_cursor(HERE, "/v1/nowhere", ())
    for path in lists:
        at = re.sub(r"\w+_id\b", str(HERE.id), path)
        problem(await anyone.get(f"{at}?cursor={elsewhere}"), 400, "cursor-invalid")
        own = await anyone.get(f"{at}?limit=5&cursor={encode_cursor(HERE, at, ())}")
        assert own.status_code in {200, 401, 404}, own.text


async def test_pages_of_lots_keep_to_their_filters_while_others_publish(
    db: AsyncSession, client: httpx.AsyncClient, vault: FileKeyring
) -> None:
    buyer = await council(db)
    there = [(await published_lot(db, buyer, vault)).id for _ in range(4)]
    await db.commit()
    link: str | None = f"{LIST}?buyer_id={buyer.organisation.id}&limit=1"
    seen = []
    while link:
        page = ok(await client.get(link))
        seen += [lot["id"] for lot in page["items"]]
        if link := page["next"]:
            await published_lot(db, buyer, vault)
            await db.commit()
            bent = link.replace(f"buyer_id={buyer.organisation.id}", f"buyer_id={HERE.id}")
            problem(await client.get(bent), 400, "cursor-invalid")
            link = link.replace("limit=1", "limit=2")  # how many may change on the way
    assert seen == [str(id_) for id_ in reversed(there)]

"""Replies in the coding that is asked for: smaller, the same once decoded, and never where a secret stands."""

import gzip
import sys
from collections.abc import AsyncGenerator
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar, Request, Response, get
from litestar.response import Stream
from sqlalchemy.ext.asyncio import AsyncSession

from build import bid_document, council, operator, published_lot, supplier
from calls import Call, ok, problem
from procure.kit import coding, intake
from procure.kit.coding import Asked, asked, with_coding
from procure.vault.keyring import FileKeyring

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b"All that is said twice is said shorter. " * 100
SMALL = b"x" * (coding.SIZE_MIN - 1)


def decoded(name: str | None, body: bytes) -> bytes:
    if name == "zstd":
        return bytes(zstd.decompress(body))
    return gzip.decompress(body) if name == "gzip" else body


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("gzip", ("gzip", True)),
        ("zstd", ("zstd", True)),
        ("gzip, deflate, br, zstd", ("zstd", True)),
        ("x-gzip", ("gzip", True)),
        ("GZIP", ("gzip", True)),
        ("zstd;q=0.5, gzip;q=0.8", ("gzip", True)),
        ("zstd ; q=0.5 ,gzip;q=1.000", ("gzip", True)),
        ("gzip;q=0, zstd;q=0", (None, True)),
        ("gzip;q=0.001", ("gzip", True)),
        ("gzip;q=0.000", (None, True)),
        ("*", ("zstd", True)),
        ("*;q=0.5, zstd;q=0", ("gzip", True)),
        ("gzip;q=0, *", ("zstd", True)),
        ("br, deflate", (None, True)),
        ("identity", (None, True)),
        ("identity;q=0.5, gzip;q=0.4", (None, True)),
        ("identity;q=0.5, gzip;q=0.5", ("gzip", True)),
        ("gzip, identity;q=0", ("gzip", False)),
        ("gzip, *;q=0", ("gzip", False)),
        ("*;q=0, identity", (None, True)),
        ("identity;q=0", (None, False)),
        ("*;q=0", (None, False)),
        ("br, identity;q=0", (None, False)),
        # What can't be read asks for nothing.
        ("gzip;q=2", (None, True)),
        ("gzip;q=", (None, True)),
        ("gzipped", (None, True)),
        ("ungzip, xzstd", (None, True)),
        ("gzip;q=0.0001", (None, True)),
        (",,;q=1, ,gzip", ("gzip", True)),
        ("\xff, gzip", ("gzip", True)),
    ],
)
def test_accept_encoding_is_read_as_rfc_9110_has_it(accept: str, expected: Asked) -> None:
    assert asked(accept.encode("latin-1")) == expected


# --- a small service of its own -------------------------------------------------------------------------------------


@get("/text")
async def text() -> Response[bytes]:
    return Response(TEXT, media_type="text/plain", headers={"ETag": '"7"'})


@get("/weak")
async def weak() -> Response[bytes]:
    return Response(TEXT, media_type="application/vnd.x+json", headers={"ETag": 'W/"7"'})


@get("/small")
async def small() -> Response[bytes]:
    return Response(SMALL, media_type="text/plain", headers={"ETag": '"7"'})


@get("/image")
async def image() -> Response[bytes]:
    return Response(TEXT, media_type="image/png")


@get("/events")
async def events() -> Response[bytes]:
    return Response(TEXT, media_type="text/event-stream")


@get("/as-it-is")
async def as_it_is() -> Response[bytes]:
    return Response(TEXT, media_type="text/plain", headers={"Cache-Control": "public, No-Transform"})


@get("/kept-by-nobody")
async def kept_by_nobody() -> Response[bytes]:
    return Response(TEXT, media_type="application/json", headers={"Cache-Control": "no-store"})


@get("/coded")
async def coded() -> Response[bytes]:
    return Response(gzip.compress(TEXT), media_type="text/plain", headers={"Content-Encoding": "gzip"})


@get("/unchanged", status_code=200)
async def unchanged() -> Response[None]:
    return Response(None, status_code=304, headers={"ETag": '"7"'})


async def parts() -> AsyncGenerator[bytes]:
    for at in range(0, len(TEXT), 500):
        yield TEXT[at : at + 500]


@get("/stream")
async def stream() -> Stream:
    return Stream(parts(), media_type="text/csv", headers={"ETag": '"7"'})


@get("/condition")
async def condition(request: Request[Any, Any, Any]) -> dict[str, list[str]]:
    return {name: request.headers.getall(name, []) for name in ("if-match", "if-none-match")}


@pytest.fixture
async def small_service() -> AsyncGenerator[httpx.AsyncClient]:
    handlers = [text, weak, small, image, events, as_it_is, kept_by_nobody, coded, unchanged, stream, condition]
    app = with_coding(cast("Any", Litestar(handlers, openapi_config=None)))
    transport = httpx.ASGITransport(cast("Any", app))
    async with httpx.AsyncClient(transport=transport, base_url="http://small.test") as client:
        client.headers.pop("accept-encoding")
        yield client


async def raw(
    client: httpx.AsyncClient, path: str, accept: str | None, *, method: str = "GET"
) -> tuple[httpx.Response, bytes]:
    """The reply, and its body before anybody has decoded it."""
    headers = {"Accept-Encoding": accept} if accept is not None else {}
    request = client.build_request(method, path, headers=headers)
    if accept is None:
        request.headers.pop("accept-encoding", None)
    reply = await client.send(request, stream=True)
    body = b"".join([part async for part in reply.aiter_raw()])
    await reply.aclose()
    return reply, body


@pytest.mark.parametrize("name", ["gzip", "zstd"])
@pytest.mark.parametrize("path", ["/text", "/weak", "/stream"])
async def test_what_pays_is_coded_and_is_the_same_decoded(
    small_service: httpx.AsyncClient, path: str, name: str
) -> None:
    reply, body = await raw(small_service, path, name)
    assert reply.headers["content-encoding"] == name
    assert len(body) < len(TEXT) / 10
    assert decoded(name, body) == TEXT
    assert reply.headers.get("content-length") in ({None} if path == "/stream" else {str(len(body))})
    assert reply.headers.get_list("content-encoding") == [name]


@pytest.mark.parametrize("accept", [None, "", "identity", "br", "gzip;q=0, zstd;q=0"])
@pytest.mark.parametrize("path", ["/text", "/stream"])
async def test_who_does_not_ask_gets_it_plain(small_service: httpx.AsyncClient, path: str, accept: str | None) -> None:
    reply, body = await raw(small_service, path, accept)
    assert (body, "content-encoding" in reply.headers, reply.headers["etag"]) == (TEXT, False, '"7"')


@pytest.mark.parametrize("path", ["/small", "/image", "/events", "/as-it-is", "/kept-by-nobody"])
async def test_what_does_not_pay_or_must_not_be_is_not_coded(small_service: httpx.AsyncClient, path: str) -> None:
    reply, body = await raw(small_service, path, "gzip, zstd")
    assert "content-encoding" not in reply.headers
    assert body == (SMALL if path == "/small" else TEXT)
    assert reply.headers["content-length"] == str(len(body))


async def test_what_is_coded_already_is_not_coded_again(small_service: httpx.AsyncClient) -> None:
    reply, body = await raw(small_service, "/coded", "zstd")
    assert (reply.headers["content-encoding"], gzip.decompress(body)) == ("gzip", TEXT)


async def test_who_takes_no_plain_reply_gets_small_ones_coded(small_service: httpx.AsyncClient) -> None:
    reply, body = await raw(small_service, "/small", "gzip, identity;q=0")
    assert (reply.headers["content-encoding"], gzip.decompress(body)) == ("gzip", SMALL)


async def test_a_strong_tag_is_of_one_coding_and_a_weak_one_of_all(small_service: httpx.AsyncClient) -> None:
    for name in ("gzip", "zstd"):
        for path, tag in (("/text", f'"7+{name}"'), ("/stream", f'"7+{name}"'), ("/weak", 'W/"7"'), ("/small", '"7"')):
            reply, _ = await raw(small_service, path, name)
            assert (path, reply.headers["etag"]) == (path, tag)


CONDITIONS = [
    # What was kept is compared in the coding that would be answered now; a version may be changed in whatever it was read.
    ("If-None-Match", '"7+gzip"', "gzip", '"7"'),
    ("If-None-Match", '"7+gzip", W/"8", "9+zstd"', "gzip", '"7", W/"8", "9+zstd"'),
    ("If-None-Match", '"7+gzip"', "zstd", '"7+gzip"'),
    ("If-None-Match", '"7+gzip"', None, '"7+gzip"'),
    ("If-None-Match", "*", "gzip", "*"),
    ("If-Match", '"7+gzip"', None, '"7"'),
    ("If-Match", '"7+gzip"', "", '"7"'),
    ("If-Match", '"7+zstd"', "gzip", '"7"'),
    ("If-Match", '"7"', "gzip", '"7"'),
    ("If-Match", '"a-tag-gzip"', "gzip", '"a-tag-gzip"'),
]


@pytest.mark.parametrize(("name", "value", "accept", "meant"), CONDITIONS)
async def test_handlers_know_plain_tags_alone(
    small_service: httpx.AsyncClient, name: str, value: str, accept: str | None, meant: str
) -> None:
    # "": without the header, since what was kept may have been read by another program.
    headers = {name: value} if accept == "" else {name: value, "Accept-Encoding": accept or "identity"}
    told = (await small_service.get("/condition", headers=headers)).json()
    assert told[name.lower()] == [meant]


@pytest.mark.parametrize(
    ("kept", "accept", "tag"),
    [
        ('"7+gzip"', "gzip", '"7+gzip"'),
        ('"7"', "gzip", '"7"'),
        ('"7"', "identity", '"7"'),
        ('"6", "7+zstd"', "zstd", '"7+zstd"'),
    ],
)
async def test_a_304_has_the_tag_that_was_kept(
    small_service: httpx.AsyncClient, kept: str, accept: str, tag: str
) -> None:
    reply = await small_service.get("/unchanged", headers={"If-None-Match": kept, "Accept-Encoding": accept})
    assert (reply.status_code, reply.headers["etag"], reply.content) == (304, tag, b"")
    assert "content-encoding" not in reply.headers


# --- the service itself ---------------------------------------------------------------------------------------------


async def test_every_reply_says_that_it_depends_on_what_was_accepted(client: httpx.AsyncClient) -> None:
    for path in ("/v1/lots", "/livez", "/nowhere", "/docs", "/openapi.json"):
        for accept in ("gzip", "identity"):
            reply = await client.get(path, headers={"Accept-Encoding": accept})
            assert "Accept-Encoding" in reply.headers["vary"], path


async def test_head_says_what_get_says(client: httpx.AsyncClient) -> None:
    for accept in ("gzip", "zstd", None):
        got, body = await raw(client, "/openapi.json", accept)
        head, nothing = await raw(client, "/openapi.json", accept, method="HEAD")
        own = {"x-request-id", "ratelimit"}
        assert {name: value for name, value in got.headers.items() if name not in own} == {
            name: value for name, value in head.headers.items() if name not in own
        }
        assert nothing == b""
        assert head.headers["content-length"] == str(len(body))


async def test_the_document_and_assets_are_coded_once(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = ("/openapi.json", "/assets/swagger-ui.css")
    for accept in ("gzip", "zstd"):
        first = [await raw(client, path, accept) for path in paths]
        with monkeypatch.context() as patched:
            patched.setattr(coding, "compressed", None)
            again = [await raw(client, path, accept) for path in paths]
        assert [body for _, body in first] == [body for _, body in again]
        assert all(reply.headers["content-encoding"] == accept for reply, _ in again)


async def test_a_large_problem_is_coded(call: Call, db: AsyncSession) -> None:
    buyer = await council(db)
    await db.commit()
    sent = {f"unknown_{number}": number for number in range(60)}
    headers = {"Accept-Encoding": "gzip"}
    reply = await call.post(buyer.officer, "/v1/outcomes", sent, headers=headers)
    problem(reply, 422, "body-invalid")
    assert reply.headers["content-encoding"] == "gzip"


async def test_what_holds_a_secret_is_never_coded(
    call: Call, db: AsyncSession, vault: FileKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small it may be and whatever is asked: tokens, client secrets, all that tells of bids; acts' replies too."""
    monkeypatch.setattr(coding, "SIZE_MIN", 0)
    buyer, bidder, platform = await council(db), await supplier(db), await operator(db)
    lot = await published_lot(db, buyer, vault)
    await db.commit()
    headers = {"Accept-Encoding": "gzip"}
    clients = f"/v1/organisations/{bidder.organisation_id}/clients"
    draft = {"name": "Portal", "kind": "service", "roles": ["bidder"]}
    made = await call.post(platform, clients, draft, headers=headers)
    secret = ok(made, 201)
    token = await call.client.post(
        "/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(secret["id"], secret["client_secret"]),
        headers=headers,
    )
    receipt = await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot), headers=headers)
    refused = await call.post(bidder, f"/v1/lots/{lot.id}/bids", bid_document(lot), headers=headers)
    read = [
        await call.get(bidder, path, headers=headers) for path in ("/v1/bids", f"/v1/bids/{ok(receipt, 201)['id']}")
    ]
    question = {"question": "May the work start a week later?"}
    asked_about = await call.post(bidder, f"/v1/lots/{lot.id}/enquiries", question, headers=headers)
    ok(asked_about, 201)
    for reply in (made, token, receipt, refused, asked_about, *read):
        assert "content-encoding" not in reply.headers, reply.request.url
    assert [reply.status_code for reply in (token, refused, *read)] == [200, 409, 200, 200]
    public = await call.get(None, f"/v1/lots/{lot.id}", headers=headers)
    assert public.headers["content-encoding"] == "gzip"


async def test_who_takes_nothing_at_all_is_told_so_before_anything_is_done(client: httpx.AsyncClient) -> None:
    for accept in ("identity;q=0", "*;q=0", "br, *;q=0"):
        reply = await client.post("/oauth/token", headers={"Accept-Encoding": accept})
        problem(reply, 406, "not-acceptable")


async def test_an_endless_accept_encoding_is_not_read(client: httpx.AsyncClient) -> None:
    reply = await client.get("/openapi.json", headers={"Accept-Encoding": "gzip" + ", gzip" * coding.ASKED_MAX})
    assert (reply.status_code, "content-encoding" in reply.headers) == (200, False)


# --- bodies that are sent -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["gzip", "zstd", "br", "deflate", "x-gzip", "identity, gzip", "nonsense"])
async def test_a_coded_body_is_refused_unread(client: httpx.AsyncClient, named: str) -> None:
    """A bomb is never opened: ten megabytes of nothing, in ten kilobytes."""
    bomb = gzip.compress(b"\0" * 10_000_000)
    for path in ("/oauth/token", "/v1/lots", "/livez"):
        reply = await client.post(path, content=bomb, headers={"Content-Encoding": named})
        problem(reply, 415, "body-coded")
        assert reply.headers["accept-encoding"] == "identity"
    assert (await client.get(f"/problems/{intake.BodyCoded.slug}")).status_code == 200


async def test_a_body_that_is_coded_as_itself_is_read(client: httpx.AsyncClient) -> None:
    reply = await client.post("/oauth/token", content=b"a=1", headers={"Content-Encoding": " Identity "})
    assert reply.json()["error"] == "invalid_request"


async def test_without_a_body_its_coding_does_not_matter(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/lots", headers={"Content-Encoding": "gzip"})).status_code == 200

"""An operation that is to go says so: to machines in each reply, to readers in the document."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from litestar import Litestar, get

from calls import problem
from described import client_of
from procure import document
from procure.app import create_app
from procure.kit.db import Sessions
from procure.kit.deprecation import Deprecation, deprecated
from procure.kit.http import public, requires
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.kit.settings import Settings

SINCE = datetime(2026, 12, 1, tzinfo=UTC)
OLD = Deprecation(SINCE, "https://procure.example/old-lots", SINCE + timedelta(days=365))
TOLD = {
    "deprecation": "@1796083200",
    "sunset": "Wed, 01 Dec 2027 00:00:00 GMT",
    "link": '<https://procure.example/old-lots>; rel="deprecation sunset"',
}


@get(
    "/v1/old-lots",
    operation_id="listOldLots",
    summary="List lots as it was",
    tags=("Lots",),
    responses=problems(),
    **deprecated(public(), OLD),
)
async def old_lots() -> dict[str, str]:
    """As it was before."""
    return {}


@get("/v1/old-bids", operation_id="listOldBids", **deprecated(requires(Scope.BIDS_READ), OLD))
async def old_bids() -> dict[str, str]:
    """As it was before."""
    return {}


@pytest.fixture
def service(settings: Settings, sessions: Sessions) -> Litestar:
    app = create_app(settings, sessions=sessions)
    app.register(old_lots)
    app.register(old_bids)
    return app


async def test_each_of_its_replies_says_so(service: Litestar) -> None:
    async with client_of(service) as client:
        for reply in (
            await client.get("/v1/old-lots"),
            await client.head("/v1/old-lots"),
            await client.get("/v1/old-lots?unknown=1"),
            await client.get("/v1/old-bids"),
        ):
            assert {name: reply.headers.get(name) for name in TOLD} == TOLD, reply.status_code
        problem(await client.get("/v1/old-bids"), 401, "unauthenticated")


async def test_no_other_operation_does(service: Litestar) -> None:
    async with client_of(service) as client:
        for path in ("/livez", "/v1/nothing", "/docs"):
            assert not TOLD.keys() & (await client.get(path)).headers.keys(), path


def test_the_document_says_so_in_words_and_for_machines(service: Litestar) -> None:
    paths = document.build(service)["paths"]
    operation = paths["/v1/old-lots"]["get"]
    assert operation["deprecated"] is True
    assert operation["description"].endswith(
        "Deprecated since 2026-12-01; gone after 2027-12-01: [what to use instead](https://procure.example/old-lots)."
    )
    for response in operation["responses"].values():
        told = {
            name.lower(): header["schema"]["const"]
            for name, header in response["headers"].items()
            if "const" in header.get("schema", {})
        }
        assert told == TOLD
    assert "deprecated" not in paths["/livez"]["get"]


def test_an_end_need_not_be_set_yet() -> None:
    assert Deprecation(SINCE, "https://procure.example/old").headers() == {
        "Deprecation": "@1796083200",
        "Link": '<https://procure.example/old>; rel="deprecation"',
    }


def test_instants_are_told_in_utc() -> None:
    east = timezone(timedelta(hours=5))
    one = Deprecation(SINCE.astimezone(east), "https://procure.example/old", SINCE.astimezone(east))
    assert one.headers()["Sunset"] == "Tue, 01 Dec 2026 00:00:00 GMT"
    assert one.sentence().startswith("Deprecated since 2026-12-01; gone after 2026-12-01")


@pytest.mark.parametrize("ends_at", [SINCE - timedelta(seconds=1)])
def test_nothing_ends_before_it_is_deprecated(ends_at: datetime) -> None:
    with pytest.raises(AssertionError):
        Deprecation(SINCE, "https://procure.example/old", ends_at)

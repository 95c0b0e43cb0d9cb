"""Organisations over HTTP: registered, found, suspended, reinstated."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from build import council, operator, organisation, seat, supplier
from calls import Call, ok, problem
from conftest import World
from procure.journal.models import JournalEntry
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.organisations.schemas import OrganisationDraft

PATH = "/v1/organisations"
NOBODY = UUID("0199c0de-0000-7000-8000-000000000000")


def document(**changes: Any) -> dict[str, Any]:
    example = OrganisationDraft.EXAMPLE
    assert isinstance(example, dict)
    return {**example, **changes}


async def entries(db: AsyncSession, organisation_id: str) -> list[JournalEntry]:
    found = select(JournalEntry).where(JournalEntry.object_id == UUID(organisation_id)).order_by(JournalEntry.id)
    return list(await db.scalars(found))


async def test_the_operator_registers_a_party_and_everybody_reads_it(db: AsyncSession, call: Call) -> None:
    platform = await operator(db)
    made = ok(await call.post(platform, PATH, document()), 201)
    assert made["kind"] == "buyer"
    assert made["identifier"] == {"scheme": "GB-LAE", "id": "EXA"}
    assert (made["status"], made["version"], made["nation"]) == ("active", 1, "GB-ENG")
    bidder = await supplier(db)
    assert ok(await call.get(bidder, f"{PATH}/{made['id']}")) == made
    [entry] = await entries(db, made["id"])
    assert entry.type == "organisation.registered"
    assert (entry.is_public, entry.person_id) == (False, platform.person_id)
    assert set(entry.audience_organisations) == {UUID(made["id"]), platform.organisation_id}


async def test_an_identifier_is_kept_in_its_one_spelling_and_taken_once(db: AsyncSession, call: Call) -> None:
    platform = await operator(db)
    first = document(kind="supplier", identifier={"scheme": "GB-COH", "id": "7590785"})
    made = ok(await call.post(platform, PATH, first), 201)
    assert made["identifier"] == {"scheme": "GB-COH", "id": "07590785"}
    again = document(kind="buyer", name="Another name", identifier={"scheme": "GB-COH", "id": " 0759 0785 "})
    known = problem(await call.post(platform, PATH, again), 409, "organisation-known")
    assert "GB-COH 07590785" in known["detail"]
    other_list = document(identifier={"scheme": "GB-XYZ", "id": "07590785"})
    ok(await call.post(platform, PATH, other_list), 201)
    assert len(await entries(db, made["id"])) == 1


async def test_one_is_found_by_its_identifier(db: AsyncSession, call: Call) -> None:
    platform = await operator(db)
    made = ok(await call.post(platform, PATH, document(identifier={"scheme": "GB-COH", "id": "7590785"})), 201)
    ok(await call.post(platform, PATH, document(identifier={"scheme": "GB-COH", "id": "7590786"})), 201)
    found = ok(await call.get(platform, f"{PATH}?scheme=GB-COH&identifier=7590785"))
    assert found == {"items": [made], "next": None}
    for nothing in ("scheme=GB-COH&identifier=7590787", "scheme=GB-COH&identifier=%00", "scheme=GB-AAA"):
        assert ok(await call.get(platform, f"{PATH}?{nothing}"))["items"] == []
    alone = problem(await call.get(platform, f"{PATH}?identifier=7590785"), 400, "parameters-invalid")
    assert [fault["pointer"] for fault in alone["errors"]] == ["/scheme"]
    problem(await call.get(platform, f"{PATH}?scheme=coh%00"), 400, "parameters-invalid")


async def test_the_list_is_paged_and_filtered_by_kind(db: AsyncSession, call: Call) -> None:
    platform = await operator(db)
    made = [
        ok(await call.post(platform, PATH, document(identifier={"scheme": "GB-LAE", "id": f"N{number}"})), 201)["id"]
        for number in range(5)
    ]
    await supplier(db)
    seen, path = [], f"{PATH}?kind=buyer&limit=2"
    while path:
        page = ok(await call.get(platform, path))
        assert len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
        path = page["next"]
    assert seen == list(reversed(made))


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"kind": "platform"}, ["/kind"]),
        ({"kind": "council", "nation": "FR", "name": ""}, ["/kind", "/name", "/nation"]),
        ({"name": " ", "status": "active"}, ["/name", "/status"]),
        ({"name": "x" * 301}, ["/name"]),
        ({"name": "a\x00b"}, ["/name"]),
        ({"identifier": {"scheme": "PROCURE", "id": "platform"}}, ["/identifier/scheme"]),
        ({"identifier": {"scheme": "gb-coh", "id": ""}}, ["/identifier/id", "/identifier/scheme"]),
        ({"identifier": {"scheme": "GB-COH", "id": "1", "uri": "x"}}, ["/identifier/uri"]),
        ({"identifier": "GB-COH-1"}, ["/identifier"]),
        ({"is_central_government": "yes"}, ["/is_central_government"]),
    ],
)
async def test_a_body_that_does_not_fit_is_refused_with_all_its_faults(
    db: AsyncSession, call: Call, changes: dict[str, Any], pointers: list[str]
) -> None:
    body = problem(await call.post(await operator(db), PATH, document(**changes)), 422, "body-invalid")
    assert sorted(fault["pointer"] for fault in body["errors"]) == pointers


async def test_an_identifier_that_is_none_is_refused_with_what_else_is_wrong(db: AsyncSession, call: Call) -> None:
    wrong = document(kind="supplier", identifier={"scheme": "GB-VAT", "id": "802311781"}, is_central_government=True)
    body = problem(await call.post(await operator(db), PATH, wrong), 422, "organisation-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/identifier/id", "/is_central_government"]


async def test_only_the_operator_registers_and_suspends(db: AsyncSession, call: Call) -> None:
    buyer, bidder = await council(db), await supplier(db)
    admin = await seat(db, buyer.organisation, Role.ADMIN)
    for actor in (buyer.officer, buyer.approver, buyer.auditor, admin, bidder):
        problem(await call.post(actor, PATH, document()), 403, "scope-missing")
        for act in ("suspend", "reinstate"):
            path = f"{PATH}/{buyer.organisation.id}/{act}"
            problem(await call.post(actor, path, {"reason": "Because."}), 403, "scope-missing")
    for path in (PATH, f"{PATH}/{buyer.organisation.id}"):
        problem(await call.get(None, path), 401, "unauthenticated")
    problem(await call.post(None, PATH, document()), 401, "unauthenticated")
    assert ok(await call.get(bidder, f"{PATH}/{buyer.organisation.id}"))["status"] == "active"


async def test_a_suspended_organisation_stops_at_once_and_goes_on_when_reinstated(db: AsyncSession, call: Call) -> None:
    platform, bidder = await operator(db), await supplier(db)
    path, token = f"{PATH}/{bidder.organisation_id}", call.headers(bidder)
    assert (await call.client.get(PATH, headers=token)).status_code == 200
    suspended = ok(await call.post(platform, f"{path}/suspend", {"reason": "Its secret was published."}))
    assert (suspended["status"], suspended["version"]) == ("suspended", 2)
    problem(await call.client.get(PATH, headers=token), 403, "organisation-suspended")
    # Also where anybody may read: a caller who says who they are is held to it.
    problem(await call.client.get("/v1/lots", headers=token), 403, "organisation-suspended")
    problem(await call.post(platform, f"{path}/suspend", {"reason": "Again."}), 409, "organisation-not-active")
    assert ok(await call.post(platform, f"{path}/reinstate", {"reason": "A new secret."}))["version"] == 3
    assert (await call.client.get(PATH, headers=token)).status_code == 200
    problem(await call.post(platform, f"{path}/reinstate", {"reason": "Again."}), 409, "organisation-not-suspended")
    told = await entries(db, str(bidder.organisation_id))
    assert [entry.type for entry in told] == ["organisation.suspended", "organisation.reinstated"]
    assert [entry.object_version for entry in told] == [2, 3]
    assert '"reason":"Its secret was published."' in told[0].payload
    for entry in told:
        assert set(entry.audience_organisations) == {bidder.organisation_id, platform.organisation_id}


async def test_the_platform_itself_is_never_suspended(db: AsyncSession, call: Call) -> None:
    platform = await operator(db)
    path = f"{PATH}/{platform.organisation_id}/suspend"
    problem(await call.post(platform, path, {"reason": "By mistake."}), 409, "platform-needed")
    assert await entries(db, str(platform.organisation_id)) == []


@pytest.mark.parametrize("reason", ["", "  ", "x" * 4001, None, 7])
async def test_a_suspension_needs_a_reason(db: AsyncSession, call: Call, reason: object) -> None:
    bidder = await supplier(db)
    path = f"{PATH}/{bidder.organisation_id}/suspend"
    body = problem(await call.post(await operator(db), path, {"reason": reason}), 422, "body-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/reason"]


async def test_what_is_not_there_is_not_found(db: AsyncSession, call: Call) -> None:
    platform = await operator(db)
    problem(await call.get(platform, f"{PATH}/{NOBODY}"), 404, "organisation-not-found")
    for act in ("suspend", "reinstate"):
        path = f"{PATH}/{NOBODY}/{act}"
        problem(await call.post(platform, path, {"reason": "Because."}), 404, "organisation-not-found")


async def test_two_registrations_of_one_identifier_at_once_make_one_organisation(world: World) -> None:
    async with world.sessions() as db:
        row = await organisation(db, OrganisationKind.PLATFORM, "The platform")
        platform: Actor = await seat(db, row, Role.OPERATOR)
        await db.commit()
    same = document(identifier={"scheme": "GB-COH", "id": "7590785"})
    replies = await asyncio.gather(*(world.call.post(platform, PATH, same) for _ in range(8)))
    assert sorted(reply.status_code for reply in replies) == [201, *[409] * 7]
    made = next(reply.json() for reply in replies if reply.status_code == 201)
    async with world.sessions() as db:
        assert len(await entries(db, made["id"])) == 1

"""Secrets and keys of a client: one follows another without a gap, the day of their use is kept, and nothing that says who is about."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from build import council, operator, organisation, seat
from calls import Call, ok, problem
from conftest import World
from insights.scenes import service_client
from procure.identity import oauth
from procure.identity.models import Client, Credential
from procure.journal.models import JournalEntry
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.kit.clock import wall_now

SERVICE = {"name": "Finance system", "kind": "service", "roles": ["finance"]}
REASON = {"reason": "The system has the next one."}
NOBODY = UUID("0199c0de-0000-7000-8000-000000000000")
SMALL_RSA = RSAKey.generate_key(2048)


async def admin_of_a_buyer(db: AsyncSession) -> Actor:
    return await seat(db, await organisation(db, OrganisationKind.BUYER, "Testshire Council"), Role.ADMIN)


async def made(call: Call, admin: Actor) -> tuple[str, dict[str, Any]]:
    """The address of a new client, and what was answered."""
    clients = f"/v1/organisations/{admin.organisation_id}/clients"
    client = ok(await call.post(admin, clients, SERVICE), 201)
    return f"{clients}/{client['id']}", client


async def ask(client: httpx.AsyncClient, id_: str, secret: str) -> int:
    reply = await client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=(id_, secret))
    return reply.status_code


def jwk(key: Any = None, **changes: Any) -> dict[str, Any]:
    key = key or ECKey.generate_key("P-256")
    return {"jwk": {**key.as_dict(private=False), **changes}}


async def test_one_secret_follows_another_without_a_gap(db: AsyncSession, call: Call) -> None:
    admin = await admin_of_a_buyer(db)
    address, client = await made(call, admin)
    first = client["client_secret"]
    reply = await call.post(admin, f"{address}/secrets", {})
    second = ok(reply, 201)
    assert (reply.headers["cache-control"], len(second["client_secret"])) == ("no-store", 43)
    assert [await ask(call.client, client["id"], one) for one in (first, second["client_secret"])] == [200, 200]
    problem(await call.post(admin, f"{address}/secrets", {}), 409, "credential-limit-reached")
    listed = await call.get(admin, f"{address}/secrets")
    assert first not in listed.text
    assert second["client_secret"] not in listed.text
    newest, oldest = ok(listed)["items"]
    assert newest["id"] == second["id"]
    revoked = ok(await call.post(admin, f"{address}/secrets/{oldest['id']}/revoke", REASON))
    assert revoked["status"] == "revoked"
    assert [await ask(call.client, client["id"], one) for one in (first, second["client_secret"])] == [401, 200]
    problem(await call.post(admin, f"{address}/secrets/{oldest['id']}/revoke", REASON), 409, "credential-not-active")
    ok(await call.post(admin, f"{address}/secrets", {}), 201)
    told = (await db.scalars(select(JournalEntry).order_by(JournalEntry.id))).all()
    assert [entry.type for entry in told] == [
        "client.added",
        "credential.added",
        "credential.revoked",
        "credential.added",
    ]
    assert {entry.audience_organisations[0] for entry in told} == {admin.organisation_id}
    assert not any(second["client_secret"] in entry.payload for entry in told)


async def test_a_secret_has_an_end_if_it_is_given_one(db: AsyncSession, call: Call) -> None:
    admin = await admin_of_a_buyer(db)
    address, client = await made(call, admin)
    past = {"expires_at": (wall_now() - timedelta(seconds=1)).isoformat()}
    body = problem(await call.post(admin, f"{address}/secrets", past), 422, "credential-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/expires_at"]
    ahead = {"expires_at": (wall_now() + timedelta(hours=1)).isoformat()}
    second = ok(await call.post(admin, f"{address}/secrets", ahead), 201)
    assert await ask(call.client, client["id"], second["client_secret"]) == 200
    await db.execute(
        update(Credential).where(Credential.id == UUID(second["id"])).values(expires_at=wall_now() - timedelta(hours=1))
    )
    assert await ask(call.client, client["id"], second["client_secret"]) == 401
    # What has expired takes nobody's place.
    ok(await call.post(admin, f"{address}/secrets", {}), 201)


async def test_asking_for_a_token_keeps_the_day_and_changes_nothing_of_the_client(
    db: AsyncSession, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await admin_of_a_buyer(db)
    _, client = await made(call, admin)

    async def rows() -> tuple[Any, ...]:
        of_client = select(Client.__table__).where(Client.id == UUID(client["id"]))
        return tuple((await db.execute(of_client)).one())

    async def use() -> tuple[date | None, int]:
        db.expire_all()
        row = (await db.scalars(select(Credential).where(Credential.client_id == UUID(client["id"])))).one()
        return row.last_used_on, row.version

    before, entries = await rows(), await db.scalar(select(func.count()).select_from(JournalEntry))
    assert await use() == (None, 1)
    await ask(call.client, client["id"], "wrong")
    assert await use() == (None, 1)
    for _ in range(3):
        assert await ask(call.client, client["id"], client["client_secret"]) == 200
        assert await use() == (wall_now().date(), 2)
    tomorrow = wall_now() + timedelta(days=1)
    monkeypatch.setattr(oauth, "wall_now", lambda: tomorrow)
    assert await ask(call.client, client["id"], client["client_secret"]) == 200
    assert await use() == (tomorrow.date(), 3)
    assert await rows() == before
    assert await db.scalar(select(func.count()).select_from(JournalEntry)) == entries


def test_no_instant_of_use_is_kept_anywhere() -> None:
    columns = {column.name for column in (*Client.__table__.columns, *Credential.__table__.columns)}
    assert {name for name in columns if "used" in name or "seen" in name} == {"last_used_on"}


async def test_the_day_of_use_is_told_to_its_own_organisation_alone(db: AsyncSession, call: Call) -> None:
    """The operator would see which suppliers are about on the day of a deadline."""
    admin, platform = await admin_of_a_buyer(db), await operator(db)
    address, client = await made(call, admin)
    ok(await call.post(admin, f"{address}/keys", jwk()), 201)
    await ask(call.client, client["id"], client["client_secret"])
    await db.execute(update(Credential).values(last_used_on=date(2026, 3, 2)))
    for what in ("secrets", "keys"):
        told = [ok(await call.get(who, f"{address}/{what}"))["items"][0] for who in (admin, platform)]
        assert [one["last_used_on"] for one in told] == ["2026-03-02", None]


async def test_a_key_is_registered_by_its_public_half(db: AsyncSession, call: Call) -> None:
    admin = await admin_of_a_buyer(db)
    address, _ = await made(call, admin)
    key = ECKey.generate_key("P-256")
    one = ok(await call.post(admin, f"{address}/keys", jwk(key, alg="ES256", use="sig")), 201)
    assert one["jwk"] == {**key.as_dict(private=False), "kid": key.thumbprint()}
    named = ok(await call.post(admin, f"{address}/keys", jwk(OKPKey.generate_key("Ed25519"), kid="laptop-2")), 201)
    assert named["jwk"]["kid"] == "laptop-2"
    ok(await call.post(admin, f"{address}/keys", jwk(SMALL_RSA)), 201)
    again = await call.post(admin, f"{address}/keys", jwk(key, kid="by another name"[:2]))
    problem(again, 409, "credential-known")
    ok(await call.post(admin, f"{address}/keys", jwk()), 201)
    problem(await call.post(admin, f"{address}/keys", jwk()), 409, "credential-limit-reached")
    ok(await call.post(admin, f"{address}/keys/{one['id']}/revoke", REASON))
    # What was given up once may be in other hands.
    problem(await call.post(admin, f"{address}/keys", jwk(key)), 409, "credential-known")
    assert [item["status"] for item in ok(await call.get(admin, f"{address}/keys"))["items"]].count("revoked") == 1
    [entry] = await db.scalars(
        select(JournalEntry).where(JournalEntry.object_id == UUID(one["id"]), JournalEntry.type == "credential.added")
    )
    assert f'"key_id":"{key.thumbprint()}"' in entry.payload


EC = ECKey.generate_key("P-256").as_dict(private=False)
FORMS: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "private": (ECKey.generate_key("P-256").as_dict(private=True), "body-invalid", ["/jwk/d"]),
    "symmetric": (OctKey.generate_key(256).as_dict(), "body-invalid", ["/jwk/k", "/jwk/kty"]),
    "another curve": (dict(ECKey.generate_key("P-384").as_dict(private=False)), "body-invalid", ["/jwk/crv"]),
    "a curve of another kind": ({**EC, "crv": "Ed25519"}, "credential-invalid", ["/jwk/crv"]),
    "exchange only": (dict(OKPKey.generate_key("X25519").as_dict(private=False)), "body-invalid", ["/jwk/crv"]),
    "half a point": ({**EC, "y": None}, "credential-invalid", ["/jwk/y"]),
    "no point of the curve": ({**EC, "y": EC["x"]}, "credential-invalid", ["/jwk"]),
    "zeros before it": ({**EC, "x": f"AAAA{EC['x']}"}, "credential-invalid", ["/jwk"]),
    "bits left over": ({**EC, "x": "A" * 42 + "B"}, "credential-invalid", ["/jwk"]),
    "padding": ({**EC, "x": f"{EC['x']}="}, "body-invalid", ["/jwk/x"]),
    "short RSA": ({"kty": "RSA", "n": "7" * 171, "e": "AQAB"}, "credential-invalid", ["/jwk/n"]),
    "endless RSA": ({"kty": "RSA", "n": "7" * 699, "e": "AQAB"}, "credential-invalid", ["/jwk/n"]),
    "RSA of exponent 3": ({**SMALL_RSA.as_dict(private=False), "e": "Aw"}, "credential-invalid", ["/jwk/e"]),
    "RSA with a curve": (
        {**SMALL_RSA.as_dict(private=False), "crv": "P-256", "x": "AA"},
        "credential-invalid",
        ["/jwk/crv", "/jwk/x"],
    ),
    "a certificate": ({**EC, "x5c": ["AA"]}, "body-invalid", ["/jwk/x5c"]),
    "for encryption": ({**EC, "use": "enc"}, "body-invalid", ["/jwk/use"]),
    "for HMAC": ({**EC, "alg": "HS256"}, "body-invalid", ["/jwk/alg"]),
    "a kid with spaces": ({**EC, "kid": "a b"}, "body-invalid", ["/jwk/kid"]),
}


@pytest.mark.parametrize("form", FORMS)
async def test_what_is_no_public_key_of_ours_is_refused_with_every_fault(
    db: AsyncSession, call: Call, form: str
) -> None:
    admin = await admin_of_a_buyer(db)
    address, _ = await made(call, admin)
    given, slug, pointers = FORMS[form]
    reply = await call.post(admin, f"{address}/keys", {"jwk": given})
    body = problem(reply, 422, slug)
    assert sorted(fault["pointer"] for fault in body["errors"]) == pointers
    private = msgspec.json.encode(given.get("d", "no such member")).decode()
    assert private not in reply.text


async def test_a_revoked_client_is_given_nothing_and_another_is_not_there(db: AsyncSession, call: Call) -> None:
    admin, other = await admin_of_a_buyer(db), await admin_of_a_buyer(db)
    address, client = await made(call, admin)
    [secret] = ok(await call.get(admin, f"{address}/secrets"))["items"]
    theirs, _ = await made(call, other)
    for what, body in (("secrets", {}), ("keys", jwk())):
        problem(await call.get(other, f"{address}/{what}"), 404, "organisation-not-found")
        problem(await call.post(other, f"{address}/{what}", body), 404, "organisation-not-found")
        elsewhere = f"{theirs.rpartition('/')[0]}/{client['id']}/{what}"
        problem(await call.post(other, elsewhere, body), 404, "client-not-found")
        problem(await call.post(admin, f"{address}/{what}/{NOBODY}/revoke", REASON), 404, "credential-not-found")
    # A secret is no key, and another client's is not this one's.
    problem(await call.post(admin, f"{address}/keys/{secret['id']}/revoke", REASON), 404, "credential-not-found")
    problem(await call.post(other, f"{theirs}/secrets/{secret['id']}/revoke", REASON), 404, "credential-not-found")
    ok(await call.post(admin, f"{address}/revoke", REASON))
    for what, body in (("secrets", {}), ("keys", jwk())):
        problem(await call.post(admin, f"{address}/{what}", body), 409, "client-not-active")


async def test_only_an_admin_or_the_operator_manages_credentials(db: AsyncSession, call: Call) -> None:
    buyer, platform = await council(db), await operator(db)
    address = f"/v1/organisations/{buyer.organisation.id}/clients/{buyer.officer.client_id}"
    for what, body in (("secrets", {}), ("keys", jwk())):
        problem(await call.post(buyer.officer, f"{address}/{what}", body), 403, "scope-missing")
        problem(await call.post(None, f"{address}/{what}", body), 401, "unauthenticated")
        added = ok(await call.post(platform, f"{address}/{what}", body), 201)
        problem(await call.post(buyer.officer, f"{address}/{what}/{added['id']}/revoke", REASON), 403, "scope-missing")
        assert ok(await call.get(buyer.auditor, f"{address}/{what}"))["items"][0]["id"] == added["id"]


async def test_a_service_client_hands_out_nothing_that_acts_as_a_person(db: AsyncSession, call: Call) -> None:
    """Else one that manages clients were two approvers, and both pairs of four eyes its own."""
    buyer = await council(db)
    admin = await seat(db, buyer.organisation, Role.ADMIN)
    machine = await service_client(db, admin, Role.ADMIN)
    clients = f"/v1/organisations/{buyer.organisation.id}/clients"
    personal = {"name": "A second self", "kind": "personal", "person_id": str(buyer.approver.person_id)}
    problem(await call.post(machine, clients, personal), 403, "person-needed")
    for what, body in (("secrets", {}), ("keys", jwk())):
        for actor in (machine, admin):
            own = f"{clients}/{actor.client_id}/{what}"
            theirs = f"{clients}/{buyer.approver.client_id}/{what}"
            ok(await call.post(actor, own if actor is machine else theirs, body), 201)
        problem(await call.post(machine, f"{clients}/{buyer.approver.client_id}/{what}", body), 403, "person-needed")
    service = {"name": "Finance system", "kind": "service", "roles": ["finance"]}
    ok(await call.post(machine, clients, service), 201)


async def test_there_are_never_more_than_there_may_be_however_many_ask_at_once(world: World) -> None:
    async with world.sessions() as db:
        admin = await admin_of_a_buyer(db)
        await db.commit()
    address, _ = await made(world.call, admin)
    replies = await asyncio.gather(
        *(world.call.post(admin, f"{address}/secrets", {}) for _ in range(6)),
        *(world.call.post(admin, f"{address}/keys", jwk()) for _ in range(8)),
    )
    assert sorted(reply.status_code for reply in replies[:6]) == [201, *[409] * 5]
    assert sorted(reply.status_code for reply in replies[6:]) == [*[201] * 4, *[409] * 4]


async def test_the_sandboxs_clock_ends_no_credential(db: AsyncSession, call: Call) -> None:
    admin, platform = await admin_of_a_buyer(db), await operator(db)
    address, client = await made(call, admin)
    ahead = {"expires_at": (wall_now() + timedelta(days=30)).isoformat()}
    second = ok(await call.post(admin, f"{address}/secrets", ahead), 201)
    ok(await call.post(platform, "/v1/sandbox/clock", {"to": (datetime.now(UTC) + timedelta(days=365)).isoformat()}))
    assert await ask(call.client, client["id"], second["client_secret"]) == 200

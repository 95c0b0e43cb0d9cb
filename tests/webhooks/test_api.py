"""Webhooks over HTTP: whose they are, what may be asked of one, and that its secret is shown once."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from click.testing import CliRunner
from litestar import Litestar
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from build import council, seat
from calls import Call, ok, problem
from conftest import World
from procure.app import create_app
from procure.journal.events import within
from procure.kit.actor import Actor, Role
from procure.kit.scopes import Scope
from procure.kit.settings import Settings, SettingsFault
from procure.organisations.models import Organisation
from procure.webhooks import rules, service
from procure.webhooks.commands import resume_copies, webhooks
from procure.webhooks.models import Webhook
from procure.webhooks.schemas import WebhookDraft
from webhooks.office import Office, act, is_signed, objects_of, office_in
from webhooks.receiving import FAILED, Received, receiving

PATH = "/v1/webhooks"
DRAFT = {"name": "Portal", "url": "https://portal.example/hooks"}
REASON = {"reason": "Moving house."}


@dataclass
class Ground:
    call: Call
    db: AsyncSession
    admin: Actor
    colleague: Actor
    stranger: Actor

    async def made(self, **said: Any) -> dict[str, Any]:
        found: dict[str, Any] = ok(await self.call.post(self.admin, PATH, {**DRAFT, **said}), 201)
        return found

    async def act(self, webhook: dict[str, Any], verb: str, body: Any = None, **more: Any) -> Any:
        return await self.call.post(self.admin, f"{PATH}/{webhook['id']}/{verb}", body, **more)


@pytest.fixture
async def ground(call: Call, db: AsyncSession) -> Ground:
    here, elsewhere = await council(db), await council(db, name="Otherham Council")
    admin = await seat(db, here.organisation, Role.ADMIN, Role.FINANCE)
    colleague, stranger = [await seat(db, one.organisation, Role.ADMIN) for one in (here, elsewhere)]
    return Ground(call, db, admin, colleague, stranger)


def faults(reply: Any) -> dict[str, str]:
    return {one["pointer"]: one["code"] for one in problem(reply, 422, "webhook-invalid")["errors"]}


# --- making one -----------------------------------------------------------------------------------------------------


async def test_a_secret_is_shown_once(ground: Ground) -> None:
    reply = await ground.call.post(ground.admin, PATH, DRAFT)
    made = ok(reply, 201)
    assert reply.headers["cache-control"] == "no-store"
    assert made["secret"].startswith("whsec_")
    assert (made["scheme"], made["public_keys"], made["status"]) == ("hmac-sha256", [], "active")
    shown = ok(await ground.call.get(ground.admin, f"{PATH}/{made['id']}"))
    listed = ok(await ground.call.get(ground.admin, PATH))["items"]
    assert listed == [shown]
    assert shown == {name: value for name, value in made.items() if name != "secret"}


async def test_of_a_key_only_the_public_half_is_shown(ground: Ground) -> None:
    made = await ground.made(scheme="ed25519")
    assert made["secret"] is None
    rotated = ok(await ground.act(made, "rotate"))
    assert rotated["secret"] is None
    assert rotated["public_keys"][1:] == made["public_keys"]
    assert rotated["rotation_ends_at"] is not None


async def test_a_key_brings_the_same_secret_again(ground: Ground) -> None:
    key = str(uuid4())
    first, again = [await ground.call.post(ground.admin, PATH, DRAFT, key=key) for _ in range(2)]
    assert again.headers["idempotency-replayed"] == "true"
    assert ok(first, 201) == ok(again, 201)
    assert len(ok(await ground.call.get(ground.admin, PATH))["items"]) == 1


async def test_all_that_is_wrong_is_told_at_once(ground: Ground) -> None:
    body = {
        "name": "A",
        "url": "https://127.0.0.1/",
        "types": ["lot.published", "lot.invented"],
        "roles": ["finance", "officer"],
    }
    assert faults(await ground.call.post(ground.admin, PATH, body)) == {
        "/url": "url",
        "/types/1": "type",
        "/roles/1": "role",
    }
    beyond = await ground.call.post(ground.admin, PATH, {**DRAFT, "after": 2**53 - 1})
    assert faults(beyond) == {"/after": "position"}


@pytest.mark.parametrize("url", ["http://portal.example/", "http://127.0.0.1:8000/", "https://user@portal.example/"])
async def test_outside_a_sandbox_that_says_so_no_webhook_leads_to_this_machine(ground: Ground, url: str) -> None:
    assert faults(await ground.call.post(ground.admin, PATH, {**DRAFT, "url": url})) == {"/url": "url"}
    made = await ground.made()
    edited = await ground.call.patch(ground.admin, f"{PATH}/{made['id']}", {"url": url})
    assert faults(edited) == {"/url": "url"}


def test_the_setting_for_this_machine_is_a_sandboxs_alone(settings: Settings) -> None:
    with pytest.raises(SettingsFault):
        create_app(msgspec.structs.replace(settings, webhooks="loopback", sandbox=False))
    assert msgspec.structs.replace(settings, webhooks="loopback").webhooks_may_be_local()
    assert not settings.webhooks_may_be_local()


async def test_who_may_not_read_changes_has_none_brought(ground: Ground) -> None:
    narrow = Actor(
        organisation_id=ground.admin.organisation_id,
        client_id=ground.admin.client_id,
        scopes=frozenset({Scope.WEBHOOKS_MANAGE}),
    )
    problem(await ground.call.post(narrow, PATH, DRAFT), 403, "scope-missing")


async def test_a_webhook_has_roles_of_its_makers_and_who_edits_it_holds_them_all(ground: Ground) -> None:
    made = await ground.made(roles=["finance", "finance"])
    assert made["roles"] == ["finance"]
    place = f"{PATH}/{made['id']}"
    moved = await ground.call.patch(ground.colleague, place, {"url": "https://elsewhere.example/"})
    assert faults(moved) == {"/roles/0": "role"}
    less = ok(await ground.call.patch(ground.colleague, place, {"roles": [], "types": ["lot.published"]}))
    assert (less["roles"], less["types"], less["version"]) == ([], ["lot.published"], 2)
    assert ok(await ground.call.patch(ground.colleague, place, {"types": None}))["types"] is None


async def test_an_organisation_has_a_bounded_number_of_them(ground: Ground) -> None:
    made = [await ground.made() for _ in range(rules.WEBHOOKS_MAX)]
    problem(await ground.call.post(ground.admin, PATH, DRAFT), 409, "webhook-limit-reached")
    ok(await ground.act(made[0], "disable", REASON))
    await ground.made()


async def test_another_organisations_webhook_does_not_exist(ground: Ground) -> None:
    made = await ground.made()
    place = f"{PATH}/{made['id']}"
    assert ok(await ground.call.get(ground.stranger, PATH))["items"] == []
    for path in (place, f"{place}/progress", f"{place}/deliveries"):
        problem(await ground.call.get(ground.stranger, path), 404, "webhook-not-found")
    for verb, body in (
        ("rotate", None),
        ("pause", REASON),
        ("resume", None),
        ("test", None),
        ("replay", {"after": 0}),
        ("disable", REASON),
    ):
        problem(await ground.call.post(ground.stranger, f"{place}/{verb}", body), 404, "webhook-not-found")
    problem(await ground.call.patch(ground.stranger, place, {"name": "Mine"}), 404, "webhook-not-found")


# --- its life -------------------------------------------------------------------------------------------------------


async def test_what_does_not_fit_its_state_is_a_conflict(ground: Ground) -> None:
    made = await ground.made()
    problem(await ground.act(made, "resume"), 409, "webhook-not-paused")
    paused = ok(await ground.act(made, "pause", REASON))
    assert (paused["status"], paused["reason"]) == ("paused", REASON["reason"])
    problem(await ground.act(made, "pause", REASON), 409, "webhook-not-active")
    problem(await ground.act(made, "test"), 409, "webhook-not-active")
    ok(await ground.act(made, "replay", {"after": 0}))
    resumed = ok(await ground.act(made, "resume"))
    assert (resumed["status"], resumed["reason"]) == ("active", None)
    ok(await ground.act(made, "disable", REASON))
    for verb, body in (("rotate", None), ("replay", {"after": 0}), ("disable", REASON)):
        problem(await ground.act(made, verb, body), 409, "webhook-is-disabled")
    problem(await ground.act(made, "resume"), 409, "webhook-not-paused")
    edited = await ground.call.patch(ground.admin, f"{PATH}/{made['id']}", {"name": "New"})
    problem(edited, 409, "webhook-is-disabled")


async def test_each_act_is_held_against_what_was_seen(ground: Ground) -> None:
    made = await ground.made()
    place = f"{PATH}/{made['id']}"
    old = await ground.call.etag(ground.admin, place)
    problem(await ground.call.patch(ground.admin, place, {"name": "B"}, seen=None), 428, "if-match-missing")
    ok(await ground.call.patch(ground.admin, place, {"name": "B"}, seen=old))
    problem(await ground.call.patch(ground.admin, place, {"name": "C"}, seen=old), 412, "changed-since-read")
    for verb, body in (
        ("rotate", None),
        ("pause", REASON),
        ("resume", None),
        ("test", None),
        ("replay", {"after": 0}),
        ("disable", REASON),
    ):
        problem(await ground.act(made, verb, body, seen=old), 412, "changed-since-read")
        if verb != "resume":
            ok(await ground.act(made, verb, body), 201 if verb == "test" else 200)
        if verb == "pause":
            ok(await ground.act(made, "resume"))


async def test_a_trial_keeps_nothing(ground: Ground) -> None:
    ok(await ground.call.post(ground.admin, f"{PATH}?validate_only=true", DRAFT), 201)
    assert ok(await ground.call.get(ground.admin, PATH))["items"] == []
    made = await ground.made()
    ok(await ground.act(made, "test?validate_only=true"), 201)
    assert ok(await ground.call.get(ground.admin, f"{PATH}/{made['id']}/deliveries"))["items"] == []


async def test_each_act_is_one_entry_of_the_journal_that_admins_read(ground: Ground) -> None:
    made = await ground.made(roles=["finance"])
    ok(await ground.call.patch(ground.admin, f"{PATH}/{made['id']}", {"name": "B"}))
    for verb, body in (("rotate", None), ("pause", REASON), ("resume", None), ("replay", {"after": 0})):
        ok(await ground.act(made, verb, body))
    ok(await ground.act(made, "test"), 201)
    ok(await ground.act(made, "disable", REASON))
    statement = text("SELECT type, audience_roles, is_public, payload::text AS said FROM journal_entries ORDER BY id")
    rows = (await ground.db.execute(statement)).all()
    told = [row for row in rows if row.type.startswith("webhook.")]
    verbs = ("added", "edited", "rotated", "paused", "resumed", "replayed", "tested", "disabled")
    assert [row.type for row in told] == [f"webhook.{verb}" for verb in verbs]
    assert {(tuple(row.audience_roles), row.is_public) for row in told} == {(("admin",), False)}
    assert not any("portal.example" in row.said or "whsec" in row.said for row in told)


# --- what was sent --------------------------------------------------------------------------------------------------


@pytest.fixture
async def office(world: World, tmp_path: Path) -> AsyncGenerator[Office]:
    async with office_in(world, tmp_path) as one:
        yield one


async def test_the_log_and_the_progress_tell_how_it_goes(office: Office) -> None:
    admin, call = await office.admin(), office.world.call
    async with receiving() as receiver:
        webhook, _ = await office.hook(admin, receiver)
        place = f"{PATH}/{webhook.id}"
        await office.tell(times=2)
        receiver.answer(FAILED)
        await office.work()
        waiting = ok(await call.get(admin, f"{place}/deliveries?status=waiting"))["items"]
        assert [one["attempts"] for one in waiting] == [0, 1]
        assert (waiting[1]["answer"], waiting[1]["trouble"]) == (500, "refused")
        progress = ok(await call.get(admin, f"{place}/progress"))
        assert (progress["waiting"], progress["dead"]) == (2, 0)
        assert progress["position"] == progress["journal"]
        assert progress["waiting_since"] == waiting[1]["made_at"]
        receiver.behave = lambda _: "HTTP/1.1 204 No Content\r\n\r\n"
        await office.passes(60)
        await office.work()
        assert ok(await call.get(admin, f"{place}/deliveries?status=waiting"))["items"] == []
        first = ok(await call.get(admin, f"{place}/deliveries?limit=1"))
        rest = ok(await call.get(admin, first["next"]))
        log = [*first["items"], *rest["items"]]
        assert [(one["status"], one["answer"], one["next_attempt_at"]) for one in log] == [("delivered", 204, None)] * 2
        assert log[0]["position"] == log[1]["position"] + 1


async def test_the_log_tells_no_admin_what_only_the_webhooks_role_may_hear(office: Office) -> None:
    """Attempts that were refused are told to auditors: to a webhook in that role, and not to whoever else manages it."""
    admin = await office.admin(Role.AUDITOR)
    assert admin.organisation_id is not None
    async with office.world.sessions() as db:
        home = await db.get_one(Organisation, admin.organisation_id)
        colleague = await seat(db, home, Role.ADMIN)
        await db.commit()
    async with receiving() as receiver:
        webhook, _ = await office.hook(admin, receiver, roles=[Role.AUDITOR])
        [public] = await office.tell()
        [inside] = await office.tell(audience=within(admin.organisation_id, roles=(Role.AUDITOR,)))
        await act(office.world, service.send_test, admin, webhook.id)
        await office.work()
    place = f"{PATH}/{webhook.id}/deliveries?limit=2"
    seen = {}
    for who in (admin, colleague):
        first = ok(await office.world.call.get(who, place))
        more = ok(await office.world.call.get(who, first["next"]))["items"] if first["next"] else []
        seen[who] = {one["object_id"] for one in [*first["items"], *more]}
    assert seen == {
        admin: {str(webhook.id), str(public), str(inside)},
        colleague: {str(webhook.id), str(public)},
    }


async def worker_of(settings: Settings) -> asyncio.subprocess.Process:
    environment = {
        "PROCURE_DATABASE_URL": settings.database_url,
        "PROCURE_KEYS_PATH": str(settings.keys_path),
        "PROCURE_BASE_URL": settings.base_url,
        "PROCURE_SANDBOX": "1",
        "PROCURE_WEBHOOKS": settings.webhooks,
        "PROCURE_LOG_LEVEL": "error",
    }
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "procure", "worker", env=environment)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_workers_bring_what_happens_also_when_one_is_killed(world: World, how: signal.Signals) -> None:
    """Real processes: what is done over HTTP is sealed and sent, and what one was sending another sends."""
    settings = msgspec.structs.replace(world.settings, webhooks="loopback")
    app: Litestar = create_app(settings, sessions=world.sessions, vault=world.vault)
    async with receiving() as receiver:
        held, came = asyncio.Event(), asyncio.Event()
        receiver.behave = lambda _: held.set()
        async with world.sessions() as db:
            admin = await seat(db, (await council(db)).organisation, Role.ADMIN)
            await db.commit()
        call = Call(world.client, app)
        url = f"http://127.0.0.1:{receiver.port}/"
        draft = WebhookDraft(name="Portal", url=url, roles=[Role.ADMIN])
        async with world.sessions() as db:
            webhook, secret = await service.add(db, admin, app.state.strongbox, draft, may_be_local=True)
            await db.commit()
        ok(await call.post(admin, f"{PATH}/{webhook.id}/test"), 201)
        first = await worker_of(settings)
        await asyncio.wait_for(held.wait(), 60)
        first.send_signal(how)
        await first.wait()

        def behave(received: Received) -> str:
            came.set()
            return "HTTP/1.1 204 No Content\r\n\r\n"

        receiver.behave = behave
        receiver.requests.clear()
        if how is signal.SIGKILL:  # the lease runs out
            async with world.sessions() as db:
                await db.execute(text("UPDATE webhook_cursors SET leased_until = statement_timestamp()"))
                await db.commit()
        second = await worker_of(settings)
        await asyncio.wait_for(came.wait(), 60)
        second.terminate()
        await second.wait()
        assert is_signed(receiver.requests[0], secret)
        assert objects_of(receiver)[0] == webhook.id


async def test_a_worker_that_sends_none_sends_none(world: World) -> None:
    from procure.worker import _delivering  # noqa: PLC0415 - the one switch

    settings = msgspec.structs.replace(world.settings, webhooks="off")
    assert _delivering(settings, world.sessions, asyncio.Event()) == []


async def test_one_command_confirms_a_restored_service(office: Office, tmp_path: Path) -> None:
    admin = await office.admin()
    copied, _ = await office.hook(admin, 9)
    paused, _ = await office.hook(admin, 9)
    async with office.world.sessions() as db:
        await service.pause(db, admin, paused.id, "Moving house.")
        await db.execute(text("UPDATE webhooks SET cluster = cluster + 1"))
        await db.commit()
    settings = msgspec.structs.replace(office.world.settings, keys_path=tmp_path)
    await office.work()
    assert (await office.of(copied)).reason == service.COPIED
    assert await resume_copies(settings) == (1, 0)
    assert await resume_copies(settings) == (0, 0)
    async with office.world.sessions() as db:
        found = {row.id: row.status for row in await db.scalars(select(Webhook))}
    assert found == {copied.id: rules.WebhookStatus.ACTIVE, paused.id: rules.WebhookStatus.PAUSED}
    other = msgspec.structs.replace(settings, keys_path=tmp_path / "other")
    assert await resume_copies(other) == (0, 1), "what was sealed under other keys can't be signed"
    assert "sends" in CliRunner().invoke(webhooks, ["resume", "--help"]).output

"""The courier: every message at least once, in order for each object, whatever its receiver does; and nobody waits for another's."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from conftest import World
from procure.journal.events import Audience, within
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.kit.clock import wall_now
from procure.kit.ids import new_id
from procure.organisations import service as organisations
from procure.vault.strongbox import Strongbox, Unreadable
from procure.webhooks import courier, lists, rules, service
from procure.webhooks.errors import WebhookSecretUnreadable
from procure.webhooks.models import Webhook
from procure.webhooks.rules import ATTEMPTS_MAX, DeliveryStatus, WebhookStatus
from procure.webhooks.schemas import WebhookView
from procure.webhooks.sending import AT_ONCE, Trouble
from procure.webhooks.signatures import Scheme
from webhooks.office import (
    Office,
    act,
    data_of,
    is_signed,
    is_signed_by_key,
    objects_of,
    office_in,
    positions_of,
)
from webhooks.receiving import FAILED, TAKEN, Received, Receiver, receiving

REDIRECT = "HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
HUGE = "HTTP/1.1 500 Oh\r\nContent-Length: 100000\r\n\r\n" + "x" * 100_000
DAY_S = 24 * 3600


@pytest.fixture
async def office(world: World, tmp_path: Path) -> AsyncGenerator[Office]:
    async with office_in(world, tmp_path) as one:
        yield one


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    async with receiving() as one:
        yield one


# --- what is sent ---------------------------------------------------------------------------------------------------


async def test_a_message_is_thin_and_signed_by_the_secret_that_was_shown(office: Office, receiver: Receiver) -> None:
    webhook, secret = await office.hook(await office.admin(), receiver)
    (about,) = await office.tell()
    await office.work()
    (received,) = receiver.requests
    assert is_signed(received, secret)
    assert not is_signed(received, bytes(32))
    (sent,) = await office.log(webhook)
    assert data_of(received) == {
        "position": sent.position,
        "object_type": "whistle",
        "object_id": str(about),
        "object_version": 7,
        "event_version": 3,
    }
    assert received.headers["content-type"] == "application/json"
    assert abs(int(received.headers["webhook-timestamp"]) - wall_now().timestamp()) < 60
    assert (sent.status, sent.attempts, sent.answer, sent.trouble) == (DeliveryStatus.DELIVERED, 1, 204, None)
    assert sent.message_id == received.headers["webhook-id"]


async def test_a_key_signs_so_that_its_public_half_can_tell(office: Office, receiver: Receiver) -> None:
    webhook, _ = await office.hook(await office.admin(), receiver, scheme=Scheme.ED25519)
    await office.tell()
    await office.work()
    (shown,) = WebhookView.of(webhook).public_keys
    assert is_signed_by_key(receiver.requests[0], shown)


@pytest.mark.parametrize("scheme", Scheme)
async def test_a_secret_that_was_followed_by_another_signs_for_a_day_and_no_longer(
    office: Office, receiver: Receiver, scheme: Scheme
) -> None:
    admin = await office.admin()
    webhook, first = await office.hook(admin, receiver, scheme=scheme)
    old = WebhookView.of(webhook).public_keys
    after, second = await act(office.world, service.rotate, admin, office.box, webhook.id)
    new = WebhookView.of(after).public_keys
    for seconds in (0, 23 * 3600, 2 * 3600):
        await office.passes(seconds)
        await office.tell()
        await office.work()
    if scheme is Scheme.HMAC:
        signed = [[is_signed(one, secret) for secret in (first, second)] for one in receiver.requests]
    else:
        assert new == [new[0], old[0]]
        signed = [[is_signed_by_key(one, shown) for shown in (old[0], new[0])] for one in receiver.requests]
    assert signed == [[True, True], [True, True], [False, True]]


async def test_what_is_sent_is_what_the_organisation_may_see_and_of_the_types_that_were_named(office: Office) -> None:
    """In the webhook's own roles, which are some of its maker's; never as a person."""
    buyer, other = await office.admin(Role.FINANCE), await office.admin(kind=OrganisationKind.SUPPLIER)
    assert buyer.organisation_id is not None
    async with receiving() as plain, receiving() as finance, receiving() as stranger, receiving() as typed:
        await office.hook(buyer, plain)
        await office.hook(buyer, finance, roles=[Role.FINANCE])
        await office.hook(other, stranger)
        await office.hook(buyer, typed, types=["lot.published"])
        public, inside, of_finance, of_person = [new_id() for _ in range(4)]
        await office.tell(public)
        await office.tell(inside, audience=within(buyer.organisation_id))
        await office.tell(of_finance, audience=within(buyer.organisation_id, roles=(Role.FINANCE,)))
        await office.tell(of_person, audience=Audience(persons=(buyer.person_id or new_id(),)))
        await office.work()
        assert set(objects_of(plain)) == {public, inside}
        assert set(objects_of(finance)) == {public, inside, of_finance}
        assert objects_of(stranger) == [public]
        assert objects_of(typed) == []


async def test_a_webhook_begins_where_it_was_told_to(office: Office) -> None:
    admin = await office.admin()
    told = await office.tell(times=3)
    async with receiving() as now, receiving() as all_:
        await office.hook(admin, now)
        await office.hook(admin, all_, after=0)
        later = await office.tell()
        await office.work()
        assert objects_of(now) == later
        assert [one for one in objects_of(all_) if one in told] == told


# --- failures -------------------------------------------------------------------------------------------------------


async def test_every_message_comes_at_least_once_and_in_order_for_each_object_whatever_the_receiver_does(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500s, hangs, cut connections, redirects, huge replies, no HTTP at all: up to four of them before a message is taken."""
    monkeypatch.setattr("procure.webhooks.sending.TIMEOUT_S", 0.2)
    dice, taken, tried = random.Random(7), defaultdict[UUID, list[int]](list), Counter[int]()

    def behave(received: Received) -> str | None:
        data = data_of(received)
        tried[data["position"]] += 1
        is_taken = tried[data["position"]] > data["position"] % 5
        said = TAKEN if is_taken else dice.choice([FAILED, REDIRECT, HUGE, "220 mail\r\n", None])
        if said is TAKEN:
            taken[UUID(data["object_id"])].append(data["position"])
        return said

    receiver.behave = behave
    webhook, _ = await office.hook(await office.admin(), receiver)
    objects = [new_id() for _ in range(7)]
    await office.tell(*objects, times=9)
    for _ in range(60):
        await office.work()
        await office.passes(DAY_S)
        if all(one.status is DeliveryStatus.DELIVERED for one in await office.log(webhook)):
            break
    sent = [one for one in await office.log(webhook) if one.object_type == "whistle"]
    assert {one.status for one in sent} == {DeliveryStatus.DELIVERED}
    assert max(one.attempts for one in sent) > 2
    for about in objects:
        assert list(dict.fromkeys(taken[about])) == [one.position for one in sent if one.object_id == about]
        assert taken[about] == sorted(taken[about])


async def test_an_object_waits_for_its_earlier_message_and_others_go_on(office: Office, receiver: Receiver) -> None:
    stuck, free = new_id(), new_id()
    receiver.behave = lambda one: FAILED if data_of(one)["object_id"] == str(stuck) else TAKEN
    webhook, _ = await office.hook(await office.admin(), receiver)
    await office.tell(stuck, free, times=3)
    await office.work(rounds=3)
    assert objects_of(receiver).count(stuck) == 1
    assert objects_of(receiver).count(free) == 3
    receiver.behave = lambda _: TAKEN
    await office.passes(60)
    await office.work()
    assert [one.attempts for one in await office.log(webhook)] == [2, 1, 1, 1, 1, 1]


async def test_a_message_is_tried_for_three_days_then_is_a_dead_letter_and_frees_its_object(
    office: Office, receiver: Receiver
) -> None:
    about = new_id()
    receiver.answer(FAILED)
    webhook, _ = await office.hook(await office.admin(), receiver)
    await office.tell(about, times=2)
    waited_s = []
    for _ in range(ATTEMPTS_MAX):
        await office.work()
        first, second = await office.log(webhook)
        assert second.attempts == (1 if first.status is DeliveryStatus.DEAD else 0)
        pause_s = (first.due_at - wall_now()).total_seconds()
        waited_s.append(pause_s)
        await office.passes(pause_s + 1)
    first, second = await office.log(webhook)
    assert (first.status, first.attempts, first.answer) == (DeliveryStatus.DEAD, ATTEMPTS_MAX, 500)
    assert 0.88 * 71.6 < sum(waited_s[:-1]) / 3600 < 1.12 * 71.6
    assert len(receiver.requests) == ATTEMPTS_MAX + 1
    assert len({one.headers["webhook-id"] for one in receiver.requests}) == 2
    assert len({one.body for one in receiver.requests}) == 2


def test_the_schedule_is_of_three_days_and_of_chance() -> None:
    now = wall_now()
    pauses = [rules.retry_at(attempts, now, 0.5) for attempts in range(1, ATTEMPTS_MAX + 1)]
    assert pauses[-1] is None
    known_s = [(one - now).total_seconds() for one in pauses if one is not None]
    assert known_s == sorted(known_s)
    assert 71 * 3600 < sum(known_s) < 73 * 3600
    spread = [rules.retry_at(5, now, chance) for chance in (0.0, 1.0)]
    assert [round((one - now).total_seconds() / known_s[4], 3) for one in spread if one] == [0.9, 1.1]


async def test_a_receiver_that_is_gone_ends_its_webhook(office: Office, receiver: Receiver) -> None:
    receiver.answer("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
    webhook, _ = await office.hook(await office.admin(), receiver)
    about = await office.tell(times=5)
    await office.work()
    ended = await office.of(webhook)
    assert (ended.status, ended.reason) == (WebhookStatus.DISABLED, service.GONE)
    assert objects_of(receiver) == about[:1]
    sent = await office.log(webhook)
    assert [(one.status, one.attempts, one.answer) for one in sent[:1]] == [(DeliveryStatus.DEAD, 1, 410)]
    assert {one.status for one in sent} == {DeliveryStatus.DEAD}
    receiver.answer(TAKEN)
    await office.tell()
    await office.passes(4 * DAY_S)
    await office.work(rounds=2)
    assert objects_of(receiver) == about[:1]


async def test_nobody_waits_for_a_receiver_that_hangs(office: Office, receiver: Receiver) -> None:
    """Not measured by time, which the machine decides: all else is delivered before the one that hangs has had its answer."""
    async with receiving() as hanging:
        hanging.behave = lambda _: None
        await office.hook(await office.admin(), hanging)
        good, _ = await office.hook(await office.admin(), receiver)
        first = office.couriers[0]
        told = await office.tell(*[new_id() for _ in range(10)], times=4)
        await first.claim()
        async with asyncio.timeout(8):  # the one that hangs is given ten
            await first._tasks[good.id]
        assert len(receiver.requests) == len(told)
        assert 0 < hanging.connections <= 4
        assert [one.status for one in await office.log(good)] == [DeliveryStatus.DELIVERED] * len(told)


async def test_what_waits_is_bounded_and_the_rest_stays_in_the_journal(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("procure.webhooks.courier.WAITING_MAX", 5)
    receiver.answer(FAILED)
    webhook, _ = await office.hook(await office.admin(), receiver)
    told = await office.tell(*[new_id() for _ in range(12)])
    await office.work(rounds=3)
    assert len(await office.log(webhook)) == 5
    receiver.answer(TAKEN)
    receiver.requests.clear()
    for _ in range(4):
        await office.passes(60)
        await office.work()
    assert sorted(objects_of(receiver)) == sorted(told)


async def test_a_receiver_that_takes_nothing_is_left_alone_for_a_while(office: Office, receiver: Receiver) -> None:
    """However much waits for it, it costs a handful of attempts; and once it takes one message, it is sent the rest at once."""
    receiver.answer(FAILED)
    webhook, _ = await office.hook(await office.admin(), receiver)
    told = await office.tell(*[new_id() for _ in range(40)])
    for tries in (1, 2, 3):
        await office.work(rounds=3)
        assert tries * courier.HANDFUL <= len(receiver.requests) < tries * (courier.HANDFUL + AT_ONCE)
        await office.passes(courier.REST_S)
    receiver.answer(TAKEN)
    receiver.requests.clear()
    await office.passes(60)
    await office.work()
    assert sorted(objects_of(receiver)) == sorted(told)
    assert max(one.attempts for one in await office.log(webhook)) < 4


async def test_a_name_that_leads_inside_is_told_of_and_not_connected_to(office: Office, receiver: Receiver) -> None:
    admin = await office.admin()
    webhook, _ = await office.hook(admin, receiver)
    async with office.world.sessions() as db:
        await db.execute(text("UPDATE webhooks SET url = :url"), {"url": f"https://localhost.example:{receiver.port}/"})
        await db.commit()

    async def inside(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    another = office.courier()
    another._resolve = inside
    await office.tell()
    await office.work(another)
    assert receiver.connections == 0
    assert [one.trouble for one in await office.log(webhook)] == [Trouble.NO_PUBLIC_ADDRESS]


# --- pause, replay, tests -------------------------------------------------------------------------------------------


async def test_a_paused_webhook_is_sent_nothing_and_misses_nothing(office: Office, receiver: Receiver) -> None:
    admin = await office.admin()
    webhook, _ = await office.hook(admin, receiver)
    receiver.answer(FAILED)
    before = await office.tell()
    await office.work()
    await act(office.world, service.pause, admin, webhook.id, "Moving house.")
    receiver.answer(TAKEN)
    meanwhile = await office.tell(times=3)
    await office.passes(DAY_S)
    await office.work(rounds=2)
    assert objects_of(receiver) == before
    await act(office.world, service.resume, admin, office.box, webhook.id)
    await office.work()
    assert [one for one in objects_of(receiver) if one in {*before, *meanwhile}] == [*before, *before, *meanwhile]


async def test_a_suspended_organisation_is_sent_nothing(office: Office, receiver: Receiver) -> None:
    admin = await office.admin()
    assert admin.organisation_id is not None
    await office.hook(admin, receiver)
    operator = Actor(organisation_id=new_id(), kind=OrganisationKind.PLATFORM, roles=frozenset({Role.OPERATOR}))
    await act(office.world, organisations.suspend, operator, admin.organisation_id, "Under inquiry.")
    told = await office.tell()
    await office.work()
    assert receiver.connections == 0
    await act(office.world, organisations.reinstate, operator, admin.organisation_id, "It is over.")
    await office.work()
    assert [one for one in objects_of(receiver) if one in told] == told


async def test_a_replay_sends_once_more_what_came_after_a_position_with_the_ids_that_it_had(
    office: Office, receiver: Receiver
) -> None:
    admin = await office.admin()
    webhook, _ = await office.hook(admin, receiver)
    await office.tell(*[new_id() for _ in range(6)])
    await office.work()
    first = [(one.headers["webhook-id"], one.body) for one in receiver.requests]
    third = sorted(positions_of(receiver))[2]
    beyond = [one.body for one in receiver.requests if data_of(one)["position"] > third]
    receiver.requests.clear()
    await act(office.world, service.replay, admin, webhook.id, third)
    await office.work()
    assert len(beyond) == 3
    assert sorted(beyond) == sorted(one.body for one in receiver.requests)
    receiver.requests.clear()
    await act(office.world, service.replay, admin, webhook.id, 0)
    await office.work()
    assert set(first) <= {(one.headers["webhook-id"], one.body) for one in receiver.requests}


async def test_a_replay_does_not_send_twice_what_waits(office: Office, receiver: Receiver) -> None:
    admin = await office.admin()
    webhook, _ = await office.hook(admin, receiver)
    receiver.answer(FAILED)
    told = await office.tell(times=4)
    await office.work()
    await act(office.world, service.replay, admin, webhook.id, 0)
    receiver.answer(TAKEN)
    receiver.requests.clear()
    await office.work()
    assert [one for one in objects_of(receiver) if one in told] == told


async def test_a_test_is_sent_at_once_and_once(office: Office, receiver: Receiver) -> None:
    admin = await office.admin()
    webhook, secret = await office.hook(admin, receiver)
    receiver.answer(FAILED)
    failed = await act(office.world, service.send_test, admin, webhook.id)
    await office.work()
    await office.passes(DAY_S)
    await office.work()
    receiver.answer(TAKEN)
    taken = await act(office.world, service.send_test, admin, webhook.id)
    await office.work()
    assert [one.headers["webhook-id"] for one in receiver.requests] == [failed.message_id, taken.message_id]
    assert all(is_signed(one, secret) for one in receiver.requests)
    assert [data_of(one)["position"] for one in receiver.requests] == [0, 0]
    assert {one.id: one.status for one in await office.log(webhook)} == {
        failed.id: DeliveryStatus.DEAD,
        taken.id: DeliveryStatus.DELIVERED,
    }


# --- several workers, copies ----------------------------------------------------------------------------------------


async def test_of_several_workers_one_serves_a_webhook_and_each_message_comes_once(office: Office) -> None:
    for _ in range(2):
        office.courier()
    async with receiving() as one, receiving() as two, receiving() as three:
        for receiver in (one, two, three):
            await office.hook(await office.admin(), receiver)
        told = await office.tell(*[new_id() for _ in range(30)], times=3)
        await asyncio.gather(*(office.work(one_of, rounds=3) for one_of in office.couriers))
        for receiver in (one, two, three):
            came = [about for about in objects_of(receiver) if about in told]
            assert sorted(came) == sorted(told)


async def test_what_a_worker_leaves_behind_that_was_killed_another_goes_on_with(
    office: Office, receiver: Receiver
) -> None:
    webhook, _ = await office.hook(await office.admin(), receiver)
    told = await office.tell(times=3)
    async with office.world.sessions() as db:  # a worker that took it, and will never come back
        assert await lists.claim(db, new_id(), office.box.instance, 10) == [webhook.id]
        await db.commit()
    await office.work(rounds=2)
    assert receiver.connections == 0
    await office.passes(lists.LEASE_S)
    await office.work()
    assert objects_of(receiver) == told


async def test_a_worker_that_ends_lets_go_at_once(office: Office, receiver: Receiver) -> None:
    came = asyncio.Event()
    receiver.behave = lambda _: came.set()
    webhook, _ = await office.hook(await office.admin(), receiver)
    told = await office.tell()
    first = office.courier()
    await first.claim()
    await came.wait()
    await first.close()
    receiver.behave = lambda _: TAKEN
    await office.work()
    assert objects_of(receiver) == told * 2
    assert [one.attempts for one in await office.log(webhook)] == [1]


async def test_who_has_lost_the_lease_writes_nothing_down(office: Office, receiver: Receiver) -> None:
    """Two that send are at least once; two that write would make a delivered message of one that another is about to try."""
    webhook, _ = await office.hook(await office.admin(), receiver)
    await office.tell()
    seized = asyncio.Event()

    def behave(_: Received) -> str:
        seized.set()
        return TAKEN

    receiver.behave = behave
    slow = office.couriers[0]
    finish = slow._finish

    async def late(served: Webhook, came: list[lists.Came]) -> bool:
        await office.passes(lists.LEASE_S)
        async with office.world.sessions() as db:
            assert await lists.claim(db, new_id(), office.box.instance, 10) == [served.id]
            await db.commit()
        return await finish(served, came)

    slow._finish = late  # type: ignore[method-assign, assignment]
    await office.work()
    assert [one.status for one in await office.log(webhook)] == [DeliveryStatus.WAITING]


@pytest.mark.parametrize("what", ["another cluster", "other keys", "the same keys, copied"])
async def test_a_copy_sends_none_until_its_owner_confirms(
    office: Office, receiver: Receiver, tmp_path: Path, what: str
) -> None:
    admin = await office.admin()
    webhook, secret = await office.hook(admin, receiver)
    box = office.box
    if what == "another cluster":  # a dump that was restored elsewhere
        async with office.world.sessions() as db:
            await db.execute(text("UPDATE webhooks SET cluster = cluster + 1"))
            await db.commit()
    else:
        folder = tmp_path / "copy"
        folder.mkdir()
        if what == "the same keys, copied":
            (folder / "sealing.key").write_bytes((tmp_path / "strongbox" / "sealing.key").read_bytes())
        box = Strongbox(folder)
        assert box.instance != office.box.instance
    copy = office.courier(box)
    told = await office.tell()
    await office.work(copy, rounds=3)
    assert receiver.connections == 0
    held = await office.of(webhook)
    assert (held.status, held.reason) == (WebhookStatus.PAUSED, service.COPIED)
    if what == "other keys":
        with pytest.raises(WebhookSecretUnreadable):
            await act(office.world, service.resume, admin, box, webhook.id)
        _, secret = await act(office.world, service.rotate, admin, box, webhook.id)
    await act(office.world, service.resume, admin, box, webhook.id)
    await office.work(copy)
    assert [one for one in objects_of(receiver) if one in told] == told
    assert all(is_signed(one, secret) for one in receiver.requests)


async def test_who_has_the_database_has_no_secret(office: Office, receiver: Receiver) -> None:
    webhooks = [await office.hook(await office.admin(), receiver, scheme=scheme) for scheme in Scheme]
    async with office.world.sessions() as db:
        rows = (await db.execute(text("SELECT id, secret, row_to_json(webhooks)::text AS row FROM webhooks"))).all()
    for row in rows:
        secret = next(secret for webhook, secret in webhooks if webhook.id == row.id)
        assert secret not in bytes(row.secret)
        assert secret.hex() not in row.row
        assert office.box.open(bytes(row.secret), row.id.bytes) == secret
        with pytest.raises(Unreadable):
            office.box.open(bytes(row.secret), new_id().bytes)


async def test_the_log_is_kept_for_its_days(office: Office, receiver: Receiver) -> None:
    webhook, _ = await office.hook(await office.admin(), receiver)
    await office.tell(times=3)
    await office.work()
    async with office.world.sessions() as db:
        assert await lists.prune(db) == 0
        await db.execute(text("UPDATE webhook_deliveries SET created_at = created_at - interval '31 days'"))
        await db.execute(text("UPDATE webhook_deliveries SET status = 'waiting' WHERE position % 3 = 0"))
        assert await lists.prune(db) == 2
        await db.rollback()
    assert len(await office.log(webhook)) == 3

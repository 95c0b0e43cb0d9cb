"""What happens to a webhook while it is served: moved, suspended, ended, replayed, its lease run out, others that wait for their turn."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from conftest import World
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.kit.ids import new_id
from procure.organisations import service as organisations
from procure.webhooks import courier as couriers
from procure.webhooks import lists, service
from procure.webhooks.courier import Courier
from procure.webhooks.rules import DeliveryStatus, WebhookStatus
from procure.webhooks.schemas import WebhookPatch
from webhooks.office import Office, act, objects_of, office_in
from webhooks.receiving import FAILED, TAKEN, Receiver, receiving

GONE = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
async def office(world: World, tmp_path: Path) -> AsyncGenerator[Office]:
    async with office_in(world, tmp_path) as one:
        yield one


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    async with receiving() as one:
        yield one


def meanwhile(courier: Courier, happens: Any) -> None:
    """Once, after a round was sent and before anything of it is written down."""
    finish, left = courier._finish, [happens]

    async def late(*arguments: Any) -> bool:
        if left:
            await left.pop()()
        return await finish(*arguments)

    courier._finish = late  # type: ignore[method-assign, assignment]


async def test_an_organisation_that_is_suspended_is_sent_no_further_round(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("procure.webhooks.lists.ROUND_MAX", 2)
    admin = await office.admin()
    assert admin.organisation_id is not None
    await office.hook(admin, receiver)
    operator = Actor(organisation_id=new_id(), kind=OrganisationKind.PLATFORM, roles=frozenset({Role.OPERATOR}))

    async def suspended() -> None:
        await act(office.world, organisations.suspend, operator, admin.organisation_id, "Under inquiry.")

    meanwhile(office.couriers[0], suspended)
    told = await office.tell(*[new_id() for _ in range(6)])
    await office.work(rounds=2)
    assert len(receiver.requests) == 2
    await act(office.world, organisations.reinstate, operator, admin.organisation_id, "It is over.")
    await office.work()
    assert sorted(one for one in objects_of(receiver) if one in told) == sorted(told)


async def test_that_the_former_receiver_is_gone_does_not_end_a_webhook_that_has_moved(
    office: Office, receiver: Receiver
) -> None:
    admin = await office.admin()
    receiver.answer(GONE)
    webhook, _ = await office.hook(admin, receiver)
    async with receiving() as new:

        async def moved() -> None:
            patch = WebhookPatch(url=f"http://127.0.0.1:{new.port}/hooks")
            await act(office.world, service.edit, admin, webhook.id, patch, may_be_local=True)

        meanwhile(office.couriers[0], moved)
        told = await office.tell()
        await office.work()
        assert (await office.of(webhook)).status is WebhookStatus.ACTIVE
        await office.passes(60)
        await office.work()
        assert [one for one in objects_of(new) if one in told] == told


async def waits_or_is_done(office: Office, task: asyncio.Task[Any]) -> None:
    """Until the task waits for a lock, or is over."""
    waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    async with office.world.sessions() as db:
        while not task.done():
            if await db.scalar(waits):
                return


async def test_what_is_taken_in_while_a_webhook_is_disabled_is_a_dead_letter_too(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for ever: nothing sends it, and nothing removes from the log what waits."""
    admin = await office.admin()
    webhook, _ = await office.hook(admin, receiver)
    await office.tell(times=3)
    take_in, disabled = couriers._take_in, list[asyncio.Task[Any]]()

    async def take_in_first(*arguments: Any) -> Any:
        taken = await take_in(*arguments)
        disabled.append(asyncio.create_task(act(office.world, service.disable, admin, webhook.id, "Over.")))
        await waits_or_is_done(office, disabled[0])
        return taken

    monkeypatch.setattr(couriers, "_take_in", take_in_first)
    await office.work()
    await asyncio.gather(*disabled)
    log = await office.log(webhook)
    assert (len(log), {one.status for one in log} - {DeliveryStatus.DELIVERED}) == (3, {DeliveryStatus.DEAD})


@pytest.mark.parametrize("verb", ["replay", "resume"])
async def test_an_admin_and_the_end_of_a_round_do_not_lock_each_other_out(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """Both write to the cursor and to the messages that wait."""
    admin = await office.admin()
    receiver.answer(FAILED)
    webhook, _ = await office.hook(admin, receiver)
    await office.tell(*[new_id() for _ in range(8)])
    settle, acts = lists.settle, list[asyncio.Task[Any]]()

    async def paused() -> None:
        await act(office.world, service.pause, admin, webhook.id, "Moving house.")

    async def settle_first(*arguments: Any) -> None:
        await settle(*arguments)
        said = [office.box, webhook.id] if verb == "resume" else [webhook.id, 0]
        acts.append(asyncio.create_task(act(office.world, getattr(service, verb), admin, *said)))
        await waits_or_is_done(office, acts[0])

    if verb == "resume":
        meanwhile(office.couriers[0], paused)
    monkeypatch.setattr(lists, "settle", settle_first)
    await office.work()
    await asyncio.gather(*acts)
    assert (await office.of(webhook)).status is WebhookStatus.ACTIVE


async def test_what_was_taken_in_by_a_worker_that_was_killed_is_sent_though_nothing_new_happens(
    office: Office, receiver: Receiver
) -> None:
    webhook, _ = await office.hook(await office.admin(), receiver)
    await office.work()  # there is nothing to do, and nothing says when there will be
    told = await office.tell()
    killed, other = office.courier(), office.courier()
    came = asyncio.Event()
    receiver.behave = lambda _: came.set()
    await killed.claim()
    await came.wait()
    killed._tasks.pop(webhook.id).cancel()
    receiver.behave = lambda _: TAKEN
    await office.passes(lists.LEASE_S)
    await office.work(other)
    assert objects_of(receiver) == told * 2


async def test_a_worker_whose_lease_ran_out_serves_a_webhook_once_and_not_twice(
    office: Office, receiver: Receiver
) -> None:
    """It may be the same worker that takes it over: one that stood still for half a minute, or whose database did."""
    came = asyncio.Event()
    receiver.behave = lambda _: came.set()
    webhook, _ = await office.hook(await office.admin(), receiver)
    told = await office.tell()
    worker = office.couriers[0]
    await worker.claim()
    await came.wait()
    former = worker._tasks[webhook.id]
    await office.passes(lists.LEASE_S)
    receiver.behave = lambda _: TAKEN
    await worker.claim()
    assert former.done()
    await worker.settled()
    assert objects_of(receiver) == told * 2


async def test_who_has_much_to_be_sent_lets_others_have_their_turn(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else as many slow receivers as a worker has hands would keep it from everybody else for as long as they like."""
    monkeypatch.setattr("procure.webhooks.courier.WEBHOOKS_AT_ONCE", 1)
    monkeypatch.setattr("procure.webhooks.courier.TURN_S", 0)
    monkeypatch.setattr("procure.webhooks.lists.ROUND_MAX", 2)
    async with receiving() as other:
        admin = await office.admin()
        for one in (receiver, other):
            await office.hook(admin, one)
        told = await office.tell(*[new_id() for _ in range(6)])
        came = []
        for _ in range(6):
            await office.work()
            came.append((len(receiver.requests), len(other.requests)))
        assert [max(one) - min(one) for one in came] == [2, 0, 2, 0, 2, 0]
        assert sorted(objects_of(receiver)) == sorted(objects_of(other)) == sorted(told)

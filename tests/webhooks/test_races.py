"""What happens to a webhook while it is served: moved, suspended, ended, replayed, its lease run out, others that wait for their turn."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from conftest import World
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.kit.ids import new_id
from procure.organisations import service as organisations
from procure.webhooks import service
from procure.webhooks.courier import Courier
from procure.webhooks.rules import WebhookStatus
from procure.webhooks.schemas import WebhookPatch
from webhooks.office import Office, act, objects_of, office_in
from webhooks.receiving import Receiver, receiving

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

    courier._finish = late  # type: ignore[method-assign]


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
    assert [one for one in objects_of(receiver) if one in told] == told


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

"""A post office for tests: webhooks of an organisation, a courier, a journal that is sealed, and time that passes at a word."""

import base64
import hmac
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from build import organisation, seat
from conftest import World
from journal.test_service import ACTOR, whistled
from procure.journal.events import PUBLIC, Audience
from procure.journal.sealer import Sealer
from procure.journal.service import record
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.kit.ids import new_id
from procure.vault.strongbox import Strongbox
from procure.webhooks import service
from procure.webhooks.courier import Courier
from procure.webhooks.models import Webhook, WebhookDelivery
from procure.webhooks.schemas import WebhookDraft
from procure.webhooks.signatures import Scheme
from webhooks.receiving import Received, Receiver

ORIGIN = "procure.test/journal"


@dataclass
class Office:
    """One world's."""

    world: World
    box: Strongbox
    couriers: list[Courier] = field(default_factory=list)

    def courier(self, box: Strongbox | None = None) -> Courier:
        courier = Courier(self.world.urls.app, self.world.sessions, box or self.box, may_be_local=True)
        self.couriers.append(courier)
        return courier

    async def admin(self, *roles: Role, kind: OrganisationKind = OrganisationKind.BUYER) -> Actor:
        """Of a new organisation."""
        async with self.world.sessions() as db:
            there = await organisation(db, kind, "Testshire Council")
            admin = await seat(db, there, Role.ADMIN, *roles)
            await db.commit()
        return admin

    async def hook(
        self, actor: Actor, receiver: Receiver | int, *, scheme: Scheme = Scheme.HMAC, **said: Any
    ) -> tuple[Webhook, bytes]:
        port = receiver if isinstance(receiver, int) else receiver.port
        url = f"http://127.0.0.1:{port}/hooks"
        draft = WebhookDraft(name="Portal", url=url, scheme=scheme, **said)
        async with self.world.sessions() as db:
            made = await service.add(db, actor, self.box, draft, may_be_local=True)
            await db.commit()
        return made

    async def tell(self, *objects: UUID, times: int = 1, audience: Audience = PUBLIC) -> list[UUID]:
        """So many entries about each object in turn, sealed: what was told, in order."""
        about = list(objects or [new_id()]) * times
        async with self.world.sessions() as db:
            for number, one in enumerate(about):
                await record(db, ACTOR, whistled(str(number), one), audience)
            await db.commit()
        await self.seal()
        return about

    async def seal(self) -> None:
        async with self.world.sessions() as db:
            while await Sealer(self.world.vault, ORIGIN).seal(db):
                await db.commit()
            await db.commit()

    async def work(self, courier: Courier | None = None, *, rounds: int = 1) -> None:
        """What a courier does at a look, to its end."""
        courier = courier or self.couriers[0]
        for _ in range(rounds):
            await courier.claim()
            await courier.settled()

    async def passes(self, seconds: float) -> None:
        """The machine's time, for all that waits for it."""
        async with self.world.sessions() as db:
            for statement in (
                "UPDATE webhook_deliveries SET due_at = due_at - make_interval(secs => :s)",
                "UPDATE webhook_cursors SET next_at = next_at - make_interval(secs => :s)",
                "UPDATE webhook_cursors SET rests_until = rests_until - make_interval(secs => :s)",
                "UPDATE webhook_cursors SET leased_until = leased_until - make_interval(secs => :s)",
                "UPDATE webhooks SET secret_before_ends_at = secret_before_ends_at - make_interval(secs => :s)",
            ):
                await db.execute(text(statement), {"s": seconds})
            await db.commit()

    async def log(self, webhook: Webhook) -> Sequence[WebhookDelivery]:
        """Oldest first."""
        statement = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id)
        async with self.world.sessions() as db:
            return (await db.scalars(statement.order_by(WebhookDelivery.position, WebhookDelivery.round))).all()

    async def of(self, webhook: Webhook) -> Webhook:
        """As it is now."""
        async with self.world.sessions() as db:
            return await db.get_one(Webhook, webhook.id)


@asynccontextmanager
async def office_in(world: World, folder: Path) -> AsyncGenerator[Office]:
    office = Office(world, Strongbox(folder / "strongbox"))
    office.courier()
    yield office
    for courier in office.couriers:
        await courier.close()


def data_of(received: Received) -> dict[str, Any]:
    """The `data` of a message."""
    data: dict[str, Any] = msgspec.json.decode(received.body)["data"]
    return data


def objects_of(receiver: Receiver) -> list[UUID]:
    return [UUID(data_of(one)["object_id"]) for one in receiver.requests]


def positions_of(receiver: Receiver) -> list[int]:
    return [data_of(one)["position"] for one in receiver.requests]


def is_signed(received: Received, secret: bytes) -> bool:
    """By a shared secret, as the specification's own words say it and none of our code."""
    said = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}.".encode() + received.body
    wanted = "v1," + base64.b64encode(hmac.new(secret, said, "sha256").digest()).decode()
    return wanted in received.headers["webhook-signature"].split(" ")


def is_signed_by_key(received: Received, shown: str) -> bool:
    """By a key whose public half is shown so."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(shown.removeprefix("whpk_")))
    said = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}.".encode() + received.body
    for one in received.headers["webhook-signature"].split(" "):
        kind, _, signature = one.partition(",")
        try:
            key.verify(base64.b64decode(signature), said)
        except InvalidSignature:
            continue
        return kind == "v1a"
    return False


async def act(world: World, verb: Any, *arguments: Any, **more: Any) -> Any:
    """A verb in a transaction of its own."""
    async with world.sessions() as db:
        result = await _called(db, verb, *arguments, **more)
        await db.commit()
    return result


async def _called(db: AsyncSession, verb: Any, *arguments: Any, **more: Any) -> Any:
    return await verb(db, *arguments, **more)

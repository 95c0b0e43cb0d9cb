"""`procure webhooks …`: what is done on the machine itself, after a restore."""

import asyncio

import click
from sqlalchemy import select

from procure.journal.service import record_refusal
from procure.kit.actor import SYSTEM
from procure.kit.db import make_engine, make_sessions, transaction
from procure.kit.settings import Settings
from procure.vault.strongbox import STRONGBOX, Strongbox, Unreadable
from procure.webhooks import service
from procure.webhooks.models import Webhook
from procure.webhooks.rules import WebhookStatus


async def resume_copies(settings: Settings) -> tuple[int, int]:
    """Confirm this installation for every webhook that was paused as a copy's; how many go on, and how many need a new secret first."""
    engine = make_engine(settings.database_url, pool_size=1)
    box, resumed, left = Strongbox(settings.keys_path / STRONGBOX), 0, 0
    try:
        async with transaction(make_sessions(engine), record_refusal) as db:
            await service.pause_copies(db, box.instance)
            await db.flush()
            paused = select(Webhook).where(Webhook.status == WebhookStatus.PAUSED, Webhook.reason == service.COPIED)
            for webhook in await db.scalars(paused.with_for_update(key_share=True)):
                try:
                    service.keys_of(box, webhook)
                except Unreadable:
                    left += 1
                    continue
                await service.confirm(db, SYSTEM, box, webhook)
                resumed += 1
    finally:
        await engine.dispose()
    return resumed, left


@click.group()
def webhooks() -> None:
    """What organisations have brought to them, and by which installation."""


@webhooks.command()
def resume() -> None:
    """Say that this installation is the one that sends, after a restore for good. Webhooks that their owners paused stay paused."""
    resumed, left = asyncio.run(resume_copies(Settings.from_environment()))
    click.echo(f"{resumed} webhooks go on from where they stood.")
    if left:
        raise click.ClickException(
            f"{left} can't be signed any more, for their keys are lost: their owners rotate them."
        )

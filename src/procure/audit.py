"""`procure journal …`: proof that nothing of the record was altered, for whoever has the database or a bundle of it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from procure import evidence
from procure.evidence import BundleDamaged, BundleSource, DatabaseSource
from procure.journal import notes
from procure.journal.notes import Checkpoint, NoteInvalid
from procure.journal.verification import Break, Report, verify
from procure.kit.clock import wall_now
from procure.kit.settings import Settings, SettingsFault
from procure.vault.errors import KeyUnreadable, VaultUnavailable
from procure.vault.keyring import FileKeyring

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def journal() -> None:
    """The record of all that happened: proven, exported."""


@journal.command("verify")
@click.option("--bundle", type=_FILE, help="An exported file, instead of the database.")
@click.option("--checkpoint", "kept", multiple=True, type=_FILE, help="One that was kept outside; can be repeated.")
@click.option(
    "--key", help="The verifier key that you have kept (`GET /v1/journal/key`); else the one beside the data."
)
@click.option("--quiet", is_flag=True, help="Without a progress bar.")
def verify_(bundle: Path | None, kept: Sequence[Path], key: str | None, *, quiet: bool) -> None:
    """Compute everything anew: entries, order, tree, checkpoints, signatures, business rows. Exit code 1 at the first break.

    Without --checkpoint an older copy of everything can't be told from the newest: keep checkpoints outside. Without --key whoever could
    put another key in its place could sign as they like.
    """
    try:
        report = asyncio.run(_verified(bundle, kept, key, quiet=quiet))
    except Break as found:
        where = f"at position {found.position}" if found.position is not None else "in a business row"
        raise click.ClickException(f"The record is broken {where} ({found.kind}): {found.said}") from None
    except (BundleDamaged, NoteInvalid) as error:
        raise click.ClickException(str(error)) from None
    click.echo(
        f"Whole: {report.entries} entries, {report.checkpoints} checkpoints, {report.rows} business rows; "
        f"{report.waiting} entries wait for a position, of {report.erased} what is personal is not here.\n"
        f"Root of {report.size}: {report.root.hex()}"
    )


@journal.command("export")
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.option("--personal", is_flag=True, help="With what is personal, too.")
@click.option("--quiet", is_flag=True, help="Without a progress bar.")
def export_(file: Path, *, personal: bool, quiet: bool) -> None:
    """Write all that `procure journal verify --bundle` needs into one file, to be checked without the service."""
    settings = Settings.from_environment()
    asyncio.run(_exported(settings, file, personal=personal, quiet=quiet))
    click.echo(f"Written to {file}: `procure journal verify --bundle {file}` checks it.")


async def _verified(bundle: Path | None, kept: Sequence[Path], key: str | None, *, quiet: bool) -> Report:
    if bundle is not None:
        source = BundleSource(bundle)
        origin, public_key = notes.read_verifier_key(key or source.verifier_key)
        return await _over(source, public_key, _anchors(kept, public_key, origin), quiet=quiet)
    settings = Settings.from_environment()
    origin, public_key = notes.read_verifier_key(key or verifier_key(settings))
    async with evidence.database(settings.database_url) as database:
        return await _over(database, public_key, _anchors(kept, public_key, origin), quiet=quiet)


async def _over(
    source: DatabaseSource | BundleSource, public_key: bytes, anchors: Sequence[Checkpoint], *, quiet: bool
) -> Report:
    with click.progressbar(length=await source.count(), label="Verifying", hidden=quiet) as bar:
        return await verify(
            source, public_key, vouched=frozenset(evidence.VOUCHED), anchors=anchors, tick=_in_steps(bar.update)
        )


async def _exported(settings: Settings, file: Path, *, personal: bool, quiet: bool) -> None:
    async with evidence.database(settings.database_url) as source:
        with click.progressbar(length=await source.count(), label="Exporting", hidden=quiet) as bar:
            await evidence.export(source, file, verifier_key(settings), personal=personal, tick=_in_steps(bar.update))


def _in_steps(update: Any, step: int = 1000) -> evidence.Tick:
    """A bar that is drawn now and then: drawing it for each entry would take longer than the entries."""
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        if done >= step:
            update(done)
            done = 0

    return tick


def _anchors(files: Sequence[Path], public_key: bytes, origin: str) -> list[Checkpoint]:
    return [notes.verify(file.read_text(), public_key, origin) for file in files]


def verifier_key(settings: Settings) -> str:
    """Of the key that is beside the database; raises SettingsFault if it is not there."""
    try:
        vault = FileKeyring(settings.keys_path / "vault", _wall, create=False)
    except (KeyUnreadable, VaultUnavailable) as error:
        raise SettingsFault(
            f"There is no signing key in {settings.keys_path}: name the one that you have kept by --key."
        ) from error
    return notes.verifier_key(notes.origin_of(settings.base_url), vault.public_signing_key)


async def _wall() -> datetime:
    """No key is opened here; a keyring wants a clock all the same."""
    return wall_now()

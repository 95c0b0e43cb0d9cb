"""`procure journal …`: proof that nothing of the record was altered, for whoever has the database or a bundle of it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from cryptography.x509 import Certificate
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from procure import evidence
from procure.evidence import BundleDamaged, BundleSource, DatabaseSource
from procure.journal import erasure, notes, stamps
from procure.journal.erasure import Chosen
from procure.journal.events import within
from procure.journal.notes import Checkpoint, NoteInvalid
from procure.journal.service import record_refusal
from procure.journal.stamps import RootsInvalid
from procure.journal.verification import Break, Report, verify
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.kit.clock import wall_now
from procure.kit.db import make_engine, make_sessions, transaction
from procure.kit.settings import Settings, SettingsFault
from procure.organisations.models import Organisation
from procure.vault.errors import KeyUnreadable, VaultUnavailable
from procure.vault.keyring import FileKeyring

#: Of `kit.fields.Paragraph`.
_REASON_MAX = 4000
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def journal() -> None:
    """The record of all that happened: proven, exported, and what is personal of it erased."""


@journal.command("verify")
@click.option("--bundle", type=_FILE, help="An exported file, instead of the database.")
@click.option("--checkpoint", "kept", multiple=True, type=_FILE, help="One that was kept outside; can be repeated.")
@click.option(
    "--key", help="The verifier key that you have kept (`GET /v1/journal/key`); else the one beside the data."
)
@click.option(
    "--authority",
    type=_FILE,
    help="PEM of the roots of the authorities whose time stamps are kept; their signatures are checked.",
)
@click.option("--quiet", is_flag=True, help="Without a progress bar.")
def verify_(bundle: Path | None, kept: Sequence[Path], key: str | None, authority: Path | None, *, quiet: bool) -> None:
    """Compute everything anew: entries, order, tree, checkpoints, signatures, business rows. Exit code 1 at the first break.

    Without --checkpoint an older copy of everything can't be told from the newest: keep checkpoints outside. Without --key whoever could
    put another key in its place could sign as they like. Without --authority a time stamp is known to be of its checkpoint, and not
    whose it is.
    """
    try:
        roots = stamps.read_roots(authority.read_bytes()) if authority else []
        report = asyncio.run(_verified(bundle, kept, key, roots, quiet=quiet))
    except Break as found:
        where = f"at position {found.position}" if found.position is not None else "in a business row"
        raise click.ClickException(f"The record is broken {where} ({found.kind}): {found.said}") from None
    except RootsInvalid as error:
        raise click.ClickException(f"{authority} can't be used: {error}") from None
    except (BundleDamaged, NoteInvalid) as error:
        raise click.ClickException(str(error)) from None
    click.echo(
        f"Whole: {report.entries} entries, {report.checkpoints} checkpoints, {_stamped(report, authority)}{report.rows} business rows; "
        f"{report.waiting} entries wait for a position, of {report.erased} what is personal is not here.\n"
        f"Root of {report.size}: {report.root.hex()}"
    )


def _stamped(report: Report, authority: Path | None) -> str:
    if not report.stamps:
        return ""
    said = "signatures checked" if authority else "signatures not checked, for lack of --authority"
    return f"{report.stamps} time stamps ({said}), "


@journal.command("export")
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.option("--personal", is_flag=True, help="With what is personal, too.")
@click.option("--quiet", is_flag=True, help="Without a progress bar.")
def export_(file: Path, *, personal: bool, quiet: bool) -> None:
    """Write all that `procure journal verify --bundle` needs into one file, to be checked without the service."""
    settings = Settings.from_environment()
    asyncio.run(_exported(settings, file, personal=personal, quiet=quiet))
    click.echo(f"Written to {file}: `procure journal verify --bundle {file}` checks it.")


@journal.command("erase")
@click.option("--person", type=click.UUID, help="Of all entries by this person or about them, by the person's id.")
@click.option(
    "--position", "positions", multiple=True, type=click.IntRange(1, 2**53 - 1), help="Of this entry; can be repeated."
)
@click.option("--reason", required=True, help="Stays on the record for good: name nobody in it.")
@click.option("--yes", is_flag=True, help="Without asking.")
def erase_(person: UUID | None, positions: Sequence[int], reason: str, *, yes: bool) -> None:
    """Erase what is personal of entries, as PROCURE_OWNER_URL: names, sign-ons, network addresses. It can't be undone.

    The entries stay, and every proof holds. Bundles, backups and replicas that were made before have it still.
    """
    if person is None and not positions:
        raise click.UsageError("Say of what: --person or --position.")
    if not 0 < len(reason := reason.strip()) <= _REASON_MAX:
        raise click.UsageError(f"The reason has 1 to {_REASON_MAX} characters.")
    settings, chosen = Settings.from_environment(), Chosen(person, positions)
    found = asyncio.run(_counted(settings, chosen))
    if not found:
        click.echo("Nothing personal is there of these entries.")
        return
    if not yes:
        click.confirm(f"Erase what is personal of {found} entries for good?", abort=True)
    erased = asyncio.run(_erased(settings, chosen, reason))
    click.echo(f"What is personal of {erased} entries has been erased.")


@asynccontextmanager
async def _owner(settings: Settings) -> AsyncGenerator[AsyncSession]:
    """One transaction of the database's owner: nobody else may remove anything."""
    if settings.owner_url is None:
        raise SettingsFault("PROCURE_OWNER_URL is not set: only the database's owner erases.")
    engine = make_engine(settings.owner_url, pool_size=1, silence_s=evidence.READ_MAX_S)
    try:
        async with transaction(make_sessions(engine), record_refusal) as db:
            await db.execute(text(f"SET LOCAL statement_timeout = '{evidence.READ_MAX_S:.0f}s'"))
            yield db
    finally:
        await engine.dispose()


async def _counted(settings: Settings, chosen: Chosen) -> int:
    async with _owner(settings) as db:
        return await erasure.count(db, chosen)


async def _erased(settings: Settings, chosen: Chosen, reason: str) -> int:
    """In the operator's name, and told to the operator alone: whose data it was is in no entry."""
    async with _owner(settings) as db:
        platforms = (
            await db.scalars(select(Organisation.id).where(Organisation.kind == OrganisationKind.PLATFORM))
        ).all()
        actor = Actor(
            organisation_id=platforms[0] if platforms else None,
            kind=OrganisationKind.PLATFORM,
            roles=frozenset({Role.OPERATOR}),
            request_id="procure journal erase",
        )
        return await erasure.erase(db, actor, chosen, reason, within(*platforms))


async def _verified(
    bundle: Path | None, kept: Sequence[Path], key: str | None, roots: Sequence[Certificate], *, quiet: bool
) -> Report:
    if bundle is not None:
        source = BundleSource(bundle)
        origin, public_key = notes.read_verifier_key(key or source.verifier_key)
        return await _over(source, public_key, _anchors(kept, public_key, origin), roots, quiet=quiet)
    settings = Settings.from_environment()
    origin, public_key = notes.read_verifier_key(key or verifier_key(settings))
    async with evidence.database(settings.database_url) as database:
        return await _over(database, public_key, _anchors(kept, public_key, origin), roots, quiet=quiet)


async def _over(
    source: DatabaseSource | BundleSource,
    public_key: bytes,
    anchors: Sequence[Checkpoint],
    roots: Sequence[Certificate],
    *,
    quiet: bool,
) -> Report:
    with click.progressbar(length=await source.count(), label="Verifying", hidden=quiet) as bar:
        return await verify(
            source,
            public_key,
            vouched=frozenset(evidence.VOUCHED),
            anchors=anchors,
            roots=roots,
            tick=_in_steps(bar.update),
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

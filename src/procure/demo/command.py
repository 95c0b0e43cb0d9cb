"""`procure demo`: real notices played against a running service."""

import asyncio
import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from procure import seats
from procure.demo.api import Refused, ServiceBroken
from procure.demo.notices import NoticesUnreadable, Reading, read_file
from procure.demo.plan import Plan
from procure.demo.report import Report
from procure.demo.run import NoSandbox, Operator, connect, run


@click.command()
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where the service runs, a sandbox.")
@click.option(
    "--credentials",
    type=click.Path(path_type=Path),
    default=Path(".procure/credentials.json"),
    show_default=True,
    help="File with the operator's client, as `make run` writes it.",
)
@click.option("--from", "file", type=click.Path(path_type=Path), help="Another OCDS 1.1 file than the one that ships.")
@click.option("--count", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many to play.")
@click.option("--json", "as_json", is_flag=True, help="Counts, refusals and sums as JSON.")
def demo(url: str, credentials: Path, file: Path | None, count: int, *, as_json: bool) -> None:
    """Play real notices against a running sandbox, to different ends, and check that its sums add up.

    The shipped notices contain public sector information licensed under the Open Government Licence v3.0. Their organisations and
    values are real, the course of events is made up. Exit code 1 where a play broke off or a sum does not agree.
    """
    try:
        report = asyncio.run(_played(url, _operator(credentials), read_file(file), count))
    except (NoticesUnreadable, NoSandbox, ServiceBroken, Refused) as fault:
        raise click.ClickException(str(fault)) from fault
    if as_json:
        click.echo(json.dumps(report.document(), indent=2))
    else:
        report.show(Console())
    if not report.is_good:
        sys.exit(1)


def _operator(credentials: Path) -> Operator:
    known = seats.read(credentials)
    if known is None:
        raise click.ClickException(
            f"{credentials} holds no credentials; `make run` writes them, --credentials names others."
        )
    seat = known.of("operator")
    return Operator(str(seat.client_id), seat.client_secret)


async def _played(url: str, operator: Operator, reading: Reading, count: int) -> Report:
    """With a progress bar on standard error."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("registering everybody", total=min(count, len(reading.playable)))

        def tell(plan: Plan, said: str) -> None:
            if said:
                progress.update(task, description=escape(f"{said} ({plan.end})"))
            else:
                progress.advance(task)

        async with connect(url) as http:
            return await run(http, operator, reading, count, tell)

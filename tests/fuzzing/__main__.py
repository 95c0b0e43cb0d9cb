"""`make drill`: every seat, many examples, and chains of operations along the document's links."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import FAST
from fuzzing.market import SEATS
from fuzzing.playing import OPERATIONS, Played, Served, play, served
from fuzzing.tally import OUT_OF_REACH, Tally, missed
from procure.database import allow_sandbox
from procure.kit.postgres import Embedded, Urls, remove
from procure.migrations import migrate

EXAMPLES, THINNED, SEAT_MAX_S = 6, 2, 900
COMPLAINTS_MAX = 20
PHASES = "examples,coverage,fuzzing,stateful"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def one(service: Served, seat: str) -> Played:
    """A seat, with what came of it told."""
    began = time.monotonic()
    played = play(service, seat, examples=EXAMPLES, phases=PHASES, max_s=SEAT_MAX_S, thinned=THINNED)
    say(f"{seat}: {played.cases} cases in {time.monotonic() - began:.0f} s, exit code {played.code}")
    say("\n".join(played.tally.table()) + "\n")
    if played.code:
        say(played.said)
    return played


def judged(played: dict[str, Played]) -> int:
    """What all seats together have reached, and the exit code."""
    whole = Tally()
    for one in played.values():
        whole.add(one.tally)
    width = max(map(len, played))
    say("\n".join(f"{seat:<{width}} {one.cases:>7} cases, {one.tally.told}" for seat, one in played.items()))
    say(f"{'all':<{width}} {sum(one.cases for one in played.values()):>7} cases, {whole.told}")
    beyond = missed(whole.reached, OPERATIONS)
    say(f"\nNobody had a success from: {', '.join(sorted(OPERATIONS - whole.reached)) or 'none'}.")
    if beyond:
        say(f"Of these should have been reached, or have a reason in tests/fuzzing/tally.py: {', '.join(beyond)}.")
    if reached := sorted(whole.reached & OUT_OF_REACH.keys()):
        say(f"Reached, though tests/fuzzing/tally.py has a reason why they can't be: {', '.join(reached)}.")
    return min(1, len(beyond) + len(reached) + sum(bool(one.code) for one in played.values()))


@contextmanager
def database(home: Path) -> Iterator[Urls]:
    """A sandbox's, which is gone afterwards."""
    try:
        with Embedded(home, settings=FAST) as urls:
            migrate(urls.owner)
            asyncio.run(allow_sandbox(urls.owner))
            yield urls
    finally:
        remove(home)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="procure-drill-") as folder:
        place = Path(folder)
        with database(place / "database") as urls, served(place, urls) as service:
            played = {seat: one(service, seat) for seat in sys.argv[1:] or SEATS}
            complaints = service.complaints()
    say("\n".join(complaints[:COMPLAINTS_MAX]))
    return max(judged(played), min(1, len(complaints)))


if __name__ == "__main__":
    sys.exit(main())

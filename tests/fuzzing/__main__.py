"""`make drill`: every seat, many examples, and chains of operations along the document's links."""

import socket
import sys
import tempfile
import time
from pathlib import Path

from fuzzing import play, served

EXAMPLES, SEAT_MAX_S = 100, 900
#: Who suspends clients and organisations comes last, lest they stop the others.
LAST = ("administrator", "operator")
#: Seats with the roles of another.
SAME = {"approver two", "evaluator, engineering", "bidder 2", "bidder 3"}


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    failed = 0
    with tempfile.TemporaryDirectory(prefix="procure-drill-") as folder, served(Path(folder), port) as seats:
        others = [seat for seat in seats.seats if seat.seat not in SAME]
        order = sorted(others, key=lambda seat: LAST.index(seat.seat) if seat.seat in LAST else -1)
        for seat in [None, *order]:
            began = time.monotonic()
            phases = "examples,coverage,fuzzing,stateful"
            played = play(Path(folder), seats, seat, examples=EXAMPLES, phases=phases, max_s=SEAT_MAX_S)
            name, failed = seat.seat if seat else "nobody", failed + bool(played.code)
            say(f"{name:<28} {played.cases:>7} cases {time.monotonic() - began:>6.0f} s  exit code {played.code}")
            if played.code:
                say(played.said)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())

"""What is sent after the document, and against it, gets what the document says: as one seat, with few examples."""

import socket
from pathlib import Path

from fuzzing import play, served


def test_schemathesis_finds_nothing_as_an_officer(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with served(tmp_path, port) as seats:
        phases = "examples,coverage,fuzzing"
        played = play(tmp_path, seats, seats.of("officer"), examples=3, phases=phases, max_s=300)
    assert played.code == 0, played.said
    assert played.cases > 2000, played.said

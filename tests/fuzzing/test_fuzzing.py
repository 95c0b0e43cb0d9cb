"""What is sent after the document, and against it, gets what the document says: as one seat, with few examples."""

from pathlib import Path

from conftest import World
from fuzzing.playing import play, served
from fuzzing.tally import missed


def test_schemathesis_finds_nothing_as_an_officer(world: World, tmp_path: Path) -> None:
    with served(tmp_path, world.urls) as service:
        phases = "examples,coverage,fuzzing"
        played = play(service, "officer", examples=3, phases=phases, max_s=300, thinned=3)
        assert not service.complaints()
    assert played.code == 0, played.said
    told = "\n".join(played.tally.table())
    assert played.cases > 2000, played.said
    # Past the door, wherever the service says that an officer gets in.
    assert len(played.possible) > 35
    assert not missed(played.tally.reached, played.possible), told
    assert played.tally.total["2xx"] > 500, told

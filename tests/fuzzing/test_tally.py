"""What a run is proven by."""

import re
from pathlib import Path

from conftest import World
from fuzzing.market import known, marketplace
from fuzzing.playing import DOCUMENT, OPERATIONS, Served, is_error
from fuzzing.tally import OUT_OF_REACH, Tally, missed
from procure.kit.settings import Settings

TOLD = ("publishLot 403", "publishLot 200", "getLot 304", "getLot 404", "openLot 500", "openLot 503", "openLot 415")


def test_replies_are_counted_by_operation_and_kind() -> None:
    tally = Tally.of(TOLD)
    assert tally.reached == {"publishLot"}
    assert tally.counts["openLot"] == {"5xx": 2, "4xx": 1}
    tally.add(Tally.of(["getLot 200", "publishLot 201"]))
    assert tally.reached == {"publishLot", "getLot"}
    assert (tally.total["2xx"], tally.total.total()) == (3, 9)
    last = tally.table()[-1].split()
    assert last[:3] == ["in", "all", "3"]


def test_what_nobody_reached_is_told_unless_there_is_a_reason() -> None:
    reached = Tally.of(TOLD).reached
    assert missed(reached, ["publishLot", "openLot", "getLot"], {"getLot": "It is nobody's."}) == ["openLot"]
    assert missed(reached, ["publishLot"], {}) == []


def test_a_reason_is_of_an_operation_that_there_is() -> None:
    assert OUT_OF_REACH.keys() <= OPERATIONS


def test_an_error_in_the_log_is_seen() -> None:
    lines = (
        '{"level":"info"}',
        '{"level":"warning"}',
        "",
        '{"level":"error"}',
        "Traceback (most recent call last):",
        "1",
    )
    assert [line for line in lines if is_error(line)] == list(lines[3:])


async def test_whatever_a_path_can_name_is_in_the_marketplace(world: World) -> None:
    async with marketplace(world.settings) as (at, call):
        found = await known(at, call, None, DOCUMENT)
    for path, item in DOCUMENT["paths"].items():
        for operation in item.values():
            if named := set(re.findall(r"{(\w+)}", path)):
                places = [entry["places"] for entry in found.get(operation["operationId"], [])]
                assert places, f"{operation['operationId']}: nothing in the marketplace has {named}"
                assert all(one.keys() == named for one in places)


def test_a_line_that_is_just_being_written_is_none(tmp_path: Path) -> None:
    logs = tmp_path / ".procure" / "logs"
    logs.mkdir(parents=True)
    (logs / "service.log").write_text('{"level":"info","path":"\x85"}\n{"level":"error"}\n{"level":"in')
    assert Served(tmp_path, Settings(database_url="")).complaints() == ['{"level":"error"}']

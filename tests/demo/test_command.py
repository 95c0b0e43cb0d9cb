"""`procure demo` as a person meets it: sentences where something is missing, a report where it has run."""

import io
import json
from collections import Counter
from decimal import Decimal
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from procure import seats
from procure.demo.book import Sums
from procure.demo.command import demo
from procure.demo.notices import Reading, read_file
from procure.demo.plan import choose, plan_of
from procure.demo.report import Played, Report

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    path = tmp_path / "credentials.json"
    seats.write(path, seats.Seats(NOBODY, [seats.operator_seat(uuid4(), "secret")]))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(demo, [str(argument) for argument in arguments])


def test_without_credentials_it_says_where_they_come_from(tmp_path: Path) -> None:
    result = run("--credentials", tmp_path / "absent.json")
    assert result.exit_code == 1
    assert "`make run` writes them" in result.stderr


def test_a_file_that_is_no_ocds_is_told_in_a_sentence(credentials: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text('{"a": 1}')
    result = run("--credentials", credentials, "--from", tmp_path / "odd.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "neither an OCDS release package nor a record package" in result.stderr


def test_a_service_that_does_not_run_is_told_in_a_sentence(credentials: Path) -> None:
    result = run("--credentials", credentials, "--url", NOBODY, "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is the service running?" in result.stderr


@pytest.mark.parametrize("count", ["0", "-1", "x"])
def test_a_count_is_at_least_one(count: str) -> None:
    assert run("--count", count).exit_code == 2


@cache
def reading() -> Reading:
    return read_file(None)


def report(*, fault: str | None = None, differences: list[str] | None = None) -> Report:
    plans = [plan_of(notice, number) for number, notice in enumerate(choose(reading().playable, 3))]
    sums = Sums(committed=Decimal("12.50"), accepted=Decimal("10.00"))
    plays = [Played(plan, ["small", "small"], sums, sums) for plan in plans]
    plays[0].fault = fault
    return Report(
        read=200,
        chosen=3,
        not_played=list(reading().unplayable),
        plays=plays,
        refusals=Counter({"same-person": 2}),
        differences=differences or [],
    )


def test_a_report_counts_ends_bands_refusals_reasons_and_sums() -> None:
    document = json.loads(json.dumps(report().document()))
    assert document["notices"] == {"read": 200, "chosen": 3, "played": 3}
    assert document["ends"] == {"completed": 1, "continued": 1, "unfinished": 1}
    assert document["lots_by_band"] == {"small": 6}
    assert document["plays_by_band"] == {"small": 3}
    assert document["refusals"] == {"same-person": 2}
    assert document["sums"]["committed"] == "37.50"
    assert document["sums_agree"] is True
    assert document["not_played"]["zero-value"] == 8
    assert len(document["not_played_because"]) == 79
    assert all(set(one) == {"place", "ocid", "title", "reason", "said"} for one in document["not_played_because"])


def test_a_play_that_broke_off_or_a_sum_that_is_off_makes_a_bad_report() -> None:
    assert report().is_good
    broken = report(fault="POST /v1/lots: 409 other: No.")
    assert (broken.is_good, broken.document()["notices"]["played"]) == (False, 2)
    assert broken.document()["broken_off"][0]["fault"] == "POST /v1/lots: 409 other: No."
    assert not report(differences=["a: b"]).is_good


def test_a_clock_that_others_moved_explains_what_broke_off() -> None:
    disturbed = report(fault="POST /v1/lots/1/bids: 409 lot-not-open: The lot is closed.")
    disturbed.is_disturbed = True
    out = io.StringIO()
    disturbed.show(Console(file=out, width=200))
    assert "Somebody else moved the clock meanwhile" in out.getvalue()
    assert disturbed.document()["clock"]["moved_by_others"] is True


def test_a_person_sees_the_plays_and_what_does_not_agree() -> None:
    out = io.StringIO()
    report(differences=["ocds-1: paid is 1.00 as played, [bold]2.00 by the service"]).show(Console(file=out, width=120))
    shown = out.getvalue()
    assert "UOW822 Flooring" in shown
    assert "they are NOT the service's own" in shown
    assert "[bold]2.00 by the service" in shown

"""Real notices are dirty: each is played or has a reason why not, and none is a crash."""

import json
from collections import Counter
from copy import deepcopy
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from demo.strange import GOOD, mutated
from procure.demo import notices
from procure.demo.notices import NoticesUnreadable, Reading, read, read_file, sort_out
from procure.demo.reasons import Reason
from procure.organisations.rules import Nation, canonical_identifier


def changed(**awards: Any) -> dict[str, Any]:
    release = deepcopy(GOOD)
    release["awards"][0] |= awards
    return release


def reason_of(release: object) -> Reason:
    reading = sort_out([release])
    assert not reading.playable
    (one,) = reading.unplayable
    assert one.said.endswith((".", "”."))
    return one.reason


@cache
def shipped() -> Reading:
    return read_file(None)


def test_a_good_notice_is_read_whole() -> None:
    (notice,) = sort_out([GOOD]).playable
    assert (notice.value, notice.title, notice.cpv) == (Decimal("24000.50"), "A map of waiting", "72200000")
    assert notice.url == "https://example.org/Notice/1"
    assert (notice.buyer.key, notice.buyer.nation) == (("GB-LAE", "DUR"), Nation.SCOTLAND)
    assert [supplier.key for supplier in notice.suppliers] == [("GB-COH", "07590785")]


def test_all_200_shipped_notices_are_played_or_have_a_reason() -> None:
    reading = shipped()
    assert len(reading.playable) + len(reading.unplayable) == 200
    assert Counter(one.reason for one in reading.unplayable) == {
        Reason.NO_SUPPLIER: 54,
        Reason.TOO_LARGE: 14,
        Reason.ZERO_VALUE: 8,
        Reason.SUPERSEDED: 3,
    }
    beyond = [one for one in reading.unplayable if one.reason is Reason.TOO_LARGE]
    assert any("400,000,000.00" in one.said and "3,570,000.00 in five years" in one.said for one in beyond)


def test_a_value_a_hundred_times_too_high_is_played_as_it_was_corrected() -> None:
    assert [one.value for one in shipped().playable if one.title == "Business Case for LGR"] == [Decimal("109320.00")]


def test_every_party_of_the_shipped_notices_has_an_identifier_that_can_be_registered() -> None:
    for notice in shipped().playable:
        for party in (notice.buyer, *notice.suppliers):
            assert canonical_identifier(party.scheme, party.identifier) == party.identifier
            assert 1 <= len(party.name) <= 300
            assert len(party.identifier) <= 100


def test_a_party_twice_under_one_id_is_one_supplier() -> None:
    names = [one.name for notice in shipped().playable for one in notice.suppliers if one.identifier == "03794455"]
    release = changed(suppliers=[{"id": "s", "name": "Example Limited"}, {"id": "s", "name": "EXAMPLE LTD"}])
    (notice,) = sort_out([release]).playable
    assert [one.name for one in notice.suppliers] == ["Example Limited"]
    assert len(set(names)) <= 1


def test_a_number_that_is_no_company_number_falls_back_to_the_name() -> None:
    release = deepcopy(GOOD)
    release["parties"][1]["identifier"] = {"scheme": "GB-COH", "id": "458577871"}
    (notice,) = sort_out([release]).playable
    again = deepcopy(release)
    again["awards"][0]["suppliers"] = [{"name": "EXAMPLE  limited"}]
    (other,) = sort_out([again]).playable
    assert notice.suppliers[0].scheme == "XX-NAME"
    assert notice.suppliers[0].key == other.suppliers[0].key


@pytest.mark.parametrize(
    ("release", "reason"),
    [
        (None, Reason.NOT_A_RELEASE),
        ([], Reason.NOT_A_RELEASE),
        ({}, Reason.NO_OCID),
        ({"ocid": 7}, Reason.NO_OCID),
        (GOOD | {"buyer": {}, "parties": []}, Reason.NO_BUYER),
        (GOOD | {"awards": []}, Reason.NO_SUPPLIER),
        (GOOD | {"awards": "none"}, Reason.NO_SUPPLIER),
        (changed(status="cancelled"), Reason.NO_SUPPLIER),
        (changed(suppliers=[{"id": "x", "name": None}]), Reason.NO_SUPPLIER),
        (changed(suppliers=[{"id": "y", "name": "EXAMPLE COUNCIL"}]), Reason.SAME_PARTY),
        (changed(suppliers=[{"id": "GB-LAE-DUR"}]), Reason.SAME_PARTY),
        (GOOD | {"tender": GOOD["tender"] | {"title": "X"}}, Reason.NO_TITLE),
        (GOOD | {"tender": GOOD["tender"] | {"title": "<b></b> - "}}, Reason.NO_TITLE),
        (changed(value=None) | {"tender": {"title": "A map of waiting"}}, Reason.NO_VALUE),
        (changed(value={"amount": Decimal(0), "currency": "GBP"}), Reason.ZERO_VALUE),
        (changed(value={"amount": Decimal("0.01"), "currency": "GBP"}), Reason.SYMBOLIC_VALUE),
        (changed(value={"amount": Decimal(-5), "currency": "GBP"}), Reason.NEGATIVE_VALUE),
        (changed(value={"amount": Decimal(400_000_000), "currency": "GBP"}), Reason.TOO_LARGE),
        (changed(value={"amount": Decimal("1e400"), "currency": "GBP"}), Reason.TOO_LARGE),
        (changed(value={"amount": Decimal("-1e999999"), "currency": "GBP"}), Reason.TOO_LARGE),
        (changed(value={"amount": Decimal("10.005"), "currency": "GBP"}), Reason.NOT_MONEY),
        (changed(value={"amount": Decimal("5." + "0" * 60 + "1"), "currency": "GBP"}), Reason.NOT_MONEY),
        (changed(value={"amount": Decimal("1e-999999"), "currency": "GBP"}), Reason.NOT_MONEY),
        (changed(value={"amount": "24000", "currency": "GBP"}), Reason.NOT_MONEY),
        (changed(value={"amount": True, "currency": "GBP"}), Reason.NOT_MONEY),
        (changed(value={"amount": Decimal(5), "currency": "EUR"}), Reason.OTHER_CURRENCY),
        (changed(value={"amount": Decimal(5), "currency": ["GBP"]}), Reason.OTHER_CURRENCY),
    ],
)
def test_what_cannot_be_played_says_why(release: object, reason: Reason) -> None:
    assert reason_of(release) is reason


def test_the_value_is_the_awards_else_the_contracts_else_the_tenders() -> None:
    def value(release: dict[str, Any]) -> Decimal:
        (notice,) = sort_out([release]).playable
        return notice.value

    two = changed()
    two["awards"] += [changed(id="b", value={"amount": Decimal("0.50"), "currency": "GBP"})["awards"][0]]
    contracts = [{"value": {"amount": Decimal(70), "currency": "GBP"}}]
    assert value(two) == Decimal("24001.00")
    assert value(changed(value=None) | {"contracts": contracts}) == 70
    assert value(changed(value={})) == 99


def test_a_release_that_a_later_one_states_again_is_not_played_twice() -> None:
    later = changed() | {"id": "2", "date": "2025-01-24T15:07:46Z"}
    other = changed(id="b") | {"id": "3"}
    reading = sort_out([GOOD, later, other])
    assert [notice.release_id for notice in reading.playable] == ["2", "3"]
    assert [one.reason for one in reading.unplayable] == [Reason.SUPERSEDED]


def encoded(document: object) -> bytes:
    return json.dumps(document, default=float).encode()


@pytest.mark.parametrize(
    "document",
    [
        {"releases": [GOOD]},
        [GOOD],
        {"records": [{"ocid": "x", "compiledRelease": GOOD}]},
        {"records": [{"ocid": "x", "releases": [GOOD]}]},
    ],
)
def test_packages_of_every_kind_are_read(document: object) -> None:
    assert len(read(b"\xef\xbb\xbf" + encoded(document)).playable) == 1


def test_a_record_of_linked_releases_only_has_a_reason() -> None:
    reading = read(encoded({"records": [{"ocid": "x", "releases": [{"url": "https://example.org"}]}, 7]}))
    assert [one.reason for one in reading.unplayable] == [Reason.NO_OCID, Reason.NOT_A_RELEASE]


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"\xff\xfe", b"7", b'{"a": 1}', b"[" * 200_000, b'{"releases": ' + b"[" * 200_000, b"[\xc3(]"],
)
def test_a_file_that_is_no_ocds_is_told_in_a_sentence(raw: bytes) -> None:
    with pytest.raises(NoticesUnreadable) as caught:
        read(raw)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("number", [b"1" * 50_000, b"1e999999999", b"NaN", b"-Infinity", b"1e-999999999", b"-0.0"])
def test_no_number_is_too_odd(number: bytes) -> None:
    raw = encoded({"releases": [GOOD]}).replace(b"24000.5", number)
    reading = read(raw)
    assert len(reading.playable) + len(reading.unplayable) == 1


def test_a_missing_or_oversized_file_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoticesUnreadable, match="No such file"):
        read_file(tmp_path / "absent.json")
    with pytest.raises(NoticesUnreadable, match="directory"):
        read_file(tmp_path)
    monkeypatch.setattr(notices, "FILE_MAX_BYTES", 10)
    (tmp_path / "big.json").write_bytes(encoded([GOOD]))
    with pytest.raises(NoticesUnreadable, match="larger than"):
        read_file(tmp_path / "big.json")


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_no_mutation_of_a_notice_crashes_the_reader(release: object) -> None:
    reading = sort_out([release])
    assert len(reading.playable) + len(reading.unplayable) == 1

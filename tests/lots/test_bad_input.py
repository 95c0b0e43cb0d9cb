"""Bad input, field by field: what is sent, and the pointer and code of each fault that comes back. Nothing of it is kept."""

from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from build import active_outcome, council, drafted_lot
from calls import Call, ok, problem
from procure.lots.models import Lot
from procure.policy.working_days import ZONE

#: A draft that is taken, far enough in the future for any day of these tests.
YEAR = datetime.now(UTC).year + 1
CLOSES = datetime(YEAR, 6, 15, 11, tzinfo=UTC)
STARTS = date(YEAR, 7, 6)
WORK = {
    "title": "A map",
    "due_on": str(STARTS + timedelta(days=9)),
    "acceptance_criteria": ["Twenty changes are followed"],
}
CRITERIA = [
    {"name": "How", "kind": "quality", "weight": 60},
    {"name": "Price", "kind": "price", "weight": 30},
    {"name": "Social value", "kind": "social_value", "weight": 10},
]
GOOD: dict[str, Any] = {
    "title": "Find out why changes wait",
    "brief": "word " * 40,
    "ceiling": {"amount": "12000.00", "currency": "GBP"},
    "deliverables": [WORK],
    "criteria": CRITERIA,
    "starts_on": str(STARTS),
    "duration_days": 28,
    "enquiries_close_at": (CLOSES - timedelta(days=4)).isoformat(),
    "closes_at": CLOSES.isoformat(),
    "validity_days": 60,
    "further_iterations": {"count": 1, "ceiling": {"amount": "10000.00", "currency": "GBP"}},
    "cpv": "72221000",
    "cpv_additional": ["79311000"],
    "place": {"nation": "GB-ENG", "region": "TLI", "locality": "Town Hall"},
    "skills": ["User research"],
    "remote": "hybrid",
    "ip": "buyer_owns",
}


def money(amount: str, currency: str = "GBP") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


def weighed(*weights: int) -> list[dict[str, Any]]:
    return [one | {"weight": weight} for one, weight in zip(CRITERIA, weights, strict=True)]


def work(**changes: Any) -> list[dict[str, Any]]:
    return [WORK | changes]


def closing(text: str) -> dict[str, Any]:
    return {"closes_at": text}


#: By what is sent instead: where each fault stands, and its code. The form of a body is judged before its content.
FORM: list[tuple[str, Any, list[tuple[str, str]]]] = [
    *[
        (name, value, [(f"/{name}", code)])
        for name in ("title", "brief")
        for value, code in (("", "length"), (" \n ", "length"), (None, "null"), (7, "type"))
    ],
    ("title", "x" * 301, [("/title", "length")]),
    ("title", "Find out\0 why changes wait", [("/title", "control-character")]),
    ("title", "Find out \u202e why changes wait", [("/title", "unseen-character")]),
    ("brief", "word " * 4001, [("/brief", "length")]),
    ("brief", "word \x07 " * 40, [("/brief", "control-character")]),
    ("ceiling", None, [("/ceiling", "null")]),
    ("ceiling", "12000", [("/ceiling", "type")]),
    ("ceiling", {"amount": 12000, "currency": "GBP"}, [("/ceiling/amount", "type")]),
    ("ceiling", money("-1.00"), [("/ceiling/amount", "pattern")]),
    ("ceiling", money("1e3"), [("/ceiling/amount", "pattern")]),
    ("ceiling", money("1.001"), [("/ceiling/amount", "pattern")]),
    ("ceiling", money("1.00", "gbp"), [("/ceiling/currency", "pattern")]),
    ("ceiling", {"amount": "1.00"}, [("/ceiling/currency", "required")]),
    ("deliverables", [], [("/deliverables", "length")]),
    ("deliverables", None, [("/deliverables", "null")]),
    ("deliverables", work(title=""), [("/deliverables/0/title", "length")]),
    ("deliverables", work(acceptance_criteria=[]), [("/deliverables/0/acceptance_criteria", "length")]),
    (
        "deliverables",
        work(acceptance_criteria=["It is seen", ""]),
        [("/deliverables/0/acceptance_criteria/1", "length")],
    ),
    ("deliverables", work(due_on="2027-02-29"), [("/deliverables/0/due_on", "value")]),
    ("deliverables", work(due_on="9999-01-01"), [("/deliverables/0/due_on", "year")]),
    ("deliverables", work(colour="red"), [("/deliverables/0/colour", "unknown-field")]),
    ("criteria", [], [("/criteria", "length")]),
    ("criteria", weighed(60, 40, 0), [("/criteria/2/weight", "value")]),
    ("criteria", [CRITERIA[0] | {"kind": "beauty"}], [("/criteria/0/kind", "choice")]),
    ("criteria", [CRITERIA[0] | {"minimum_score": 6}], [("/criteria/0/minimum_score", "value")]),
    ("starts_on", "soon", [("/starts_on", "value")]),
    ("starts_on", f"{YEAR}-07-06T09:00:00Z", [("/starts_on", "value")]),
    ("starts_on", "1066-10-14", [("/starts_on", "year")]),
    ("duration_days", 0, [("/duration_days", "value")]),
    ("duration_days", 28.5, [("/duration_days", "type")]),
    ("duration_days", "28", [("/duration_days", "type")]),
    ("closes_at", f"{YEAR}-06-15T12:00:00", [("/closes_at", "value")]),  # no zone
    ("closes_at", f"{YEAR}-06-15T12:00:00+25:00", [("/closes_at", "value")]),
    ("closes_at", f"{YEAR}-06-15T12:00:00 Europe/London", [("/closes_at", "value")]),
    ("closes_at", f"{YEAR}-06-31T12:00:00Z", [("/closes_at", "value")]),
    ("closes_at", "", [("/closes_at", "value")]),
    ("enquiries_close_at", 1750000000, [("/enquiries_close_at", "type")]),
    ("validity_days", -60, [("/validity_days", "value")]),
    ("measure_ids", [], [("/measure_ids", "length")]),
    ("measure_ids", ["M1"], [("/measure_ids/0", "value")]),
    ("further_iterations", {"count": -1, "ceiling": money("1.00")}, [("/further_iterations/count", "value")]),
    ("cpv", "7222", [("/cpv", "length")]),
    ("cpv", "72221000-", [("/cpv", "pattern")]),
    ("cpv", "software", [("/cpv", "pattern")]),
    ("cpv", "٧٢٢٢١٠٠٠", [("/cpv", "pattern")]),
    ("cpv_additional", ["79311000"] * 6, [("/cpv_additional", "length")]),
    ("place", {"region": "TLI"}, [("/place/nation", "required")]),
    ("place", {"nation": "GB-ENG", "region": "UKI"}, [("/place/region", "choice")]),
    ("place", {"nation": "FR"}, [("/place/nation", "choice")]),
    ("place", {"nation": "GB-ENG", "locality": " "}, [("/place/locality", "length")]),
    ("skills", ["Research"] * 11, [("/skills", "length")]),
    ("skills", ["", "x" * 101], [("/skills/0", "length"), ("/skills/1", "length")]),
    ("remote", "somewhere", [("/remote", "choice")]),
    ("ip", "nobody_owns", [("/ip", "choice")]),
    ("phase", "delve", [("/phase", "choice")]),
    ("outcome_id", "not-an-id", [("/outcome_id", "value")]),
    ("follows_id", 7, [("/follows_id", "type")]),
    ("status", "published", [("/status", "unknown-field")]),
    ("copied_from_id", str(uuid4()), [("/copied_from_id", "unknown-field")]),
]
CONTENT: list[tuple[str, Any, list[tuple[str, str]]]] = [
    ("title", "Nine char", [("/title", "vague")]),
    ("brief", "word " * 19, [("/brief", "vague")]),
    ("brief", "- " * 40, [("/brief", "vague")]),
    *[("brief", word * 1501, [("/brief", "brief-too-long")]) for word in ("word ", "слово ", "变更")],
    ("ceiling", money("0"), [("/ceiling/amount", "ceiling-zero")]),
    ("ceiling", money("0.00"), [("/ceiling/amount", "ceiling-zero")]),
    ("ceiling", money("170000.01"), [("/ceiling/amount", "ceiling-too-high")]),
    ("ceiling", money("999999999999.99"), [("/ceiling/amount", "ceiling-too-high")]),
    (
        "further_iterations",
        {"count": 1, "ceiling": money("1.00", "EUR")},
        [("/further_iterations/ceiling/currency", "currency")],
    ),
    ("deliverables", [WORK] * 9, [("/deliverables", "too-many-deliverables")]),
    ("deliverables", work(due_on=str(STARTS - timedelta(days=1))), [("/deliverables/0/due_on", "outside-time-box")]),
    ("deliverables", work(due_on=str(STARTS + timedelta(days=29))), [("/deliverables/0/due_on", "outside-time-box")]),
    ("deliverables", work(acceptance_criteria=["It works"]), [("/deliverables/0/acceptance_criteria/0", "vague")]),
    ("criteria", weighed(59, 30, 10), [("/criteria", "weights")]),
    ("criteria", weighed(61, 30, 10), [("/criteria", "weights")]),
    ("criteria", [CRITERIA[0], CRITERIA[1] | {"name": "HOW", "weight": 40}], [("/criteria", "repeated")]),
    ("criteria", [CRITERIA[1] | {"weight": 100}], [("/criteria", "no-quality")]),
    ("criteria", [CRITERIA[0], CRITERIA[1], CRITERIA[1] | {"name": "Cost", "weight": 10}], [("/criteria", "prices")]),
    (
        "starts_on",
        str(CLOSES.date()),
        [("/starts_on", "starts-before-close"), ("/deliverables/0/due_on", "outside-time-box")],
    ),
    ("duration_days", 85, [("/duration_days", "time-box-too-long")]),
    ("duration_days", 8, [("/deliverables/0/due_on", "outside-time-box")]),
    (
        "enquiries_close_at",
        (CLOSES + timedelta(microseconds=1)).isoformat(),
        [("/enquiries_close_at", "enquiries-after-close")],
    ),
    ("enquiries_close_at", "2020-01-01T00:00:00Z", [("/enquiries_close_at", "in-past")]),
    (
        "closes_at",
        "2020-01-01T00:00:00Z",
        [("/closes_at", "in-past"), ("/enquiries_close_at", "enquiries-after-close")],
    ),
    (
        "closes_at",
        "1900-01-01T00:00:00Z",
        [("/closes_at", "in-past"), ("/enquiries_close_at", "enquiries-after-close")],
    ),
    ("closes_at", "2199-12-31T23:59:59Z", [("/starts_on", "starts-before-close")]),
    ("validity_days", 59, [("/validity_days", "validity-too-short")]),
    (
        "further_iterations",
        {"count": 4, "ceiling": money("1.00")},
        [("/further_iterations/count", "too-many-iterations")],
    ),
    ("further_iterations", {"count": 1, "ceiling": money("0.00")}, [("/further_iterations", "iterations-and-ceiling")]),
    ("further_iterations", {"count": 0, "ceiling": money("1.00")}, [("/further_iterations", "iterations-and-ceiling")]),
    ("measure_ids", [str(uuid4())], [("/measure_ids/0", "unknown")]),
    ("follows_id", str(uuid4()), [("/follows_id", "unknown")]),
    (
        "cpv_additional",
        ["72221000", "79311000", "79311000"],
        [("/cpv_additional/0", "repeated"), ("/cpv_additional/2", "repeated")],
    ),
    ("cpv", "72221001", [("/cpv", "unknown-cpv")]),
    ("cpv", "72221000-9", [("/cpv", "unknown-cpv")]),  # another check digit
    ("cpv_additional", ["79311000", "00000000"], [("/cpv_additional/1", "unknown-cpv")]),
    ("cpv_additional", ["72221000-0"], [("/cpv_additional/0", "repeated")]),
    ("place", {"nation": "GB-SCT", "region": "TLI"}, [("/place/region", "outside-nation")]),
    ("place", {"nation": "GB-ENG", "region": "TLM"}, [("/place/region", "outside-nation")]),
    ("skills", ["Research", "Design", "RESEARCH"], [("/skills/2", "repeated")]),
]


async def test_every_bad_value_is_told_by_its_pointer_and_code(db: AsyncSession, call: Call) -> None:
    """Drafted, and as an edit of a draft where the field can be edited."""
    buyer = await council(db)
    outcome = await active_outcome(db, buyer)
    good = GOOD | {"outcome_id": str(outcome.id)}
    await db.commit()
    lot = ok(await call.post(buyer.officer, "/v1/lots", good), 201)
    path, wrong = f"/v1/lots/{lot['id']}", []
    for slug, table in (("body-invalid", FORM), ("lot-invalid", CONTENT)):
        for name, value, faults in table:
            # Asked anew where an edit takes null: that has the field worked out again.
            sent = [("POST", "/v1/lots", good | {name: value})]
            sent += [("PATCH", path, {name: value})] if name in GOOD or name in ("measure_ids", "phase") else []
            for method, address, body in sent:
                answer = (await call(method, buyer.officer, address, body)).json()
                found = [(fault["pointer"], fault["code"]) for fault in answer.get("errors", [])]
                if sorted(found) != sorted(faults) or not answer["type"].endswith(slug):
                    wrong.append(f"{method} {name}={str(value)[:60]!r}: {found} {answer.get('title')}, not {faults}")
    assert not wrong, "\n".join(wrong)
    assert await db.scalar(select(func.count()).select_from(Lot).where(Lot.outcome_id == outcome.id)) == 1
    assert ok(await call.get(buyer.officer, path)) == lot


async def test_what_is_left_out_of_the_four_is_named(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    await db.commit()
    body = problem(await call.post(buyer.officer, "/v1/lots", {}), 422, "body-invalid")
    required = ["/brief", "/ceiling", "/deliverables", "/title"]
    assert sorted(fault["pointer"] for fault in body["errors"]) == required
    assert {fault["code"] for fault in body["errors"]} == {"required"}


async def test_seven_broken_rules_are_seven_pointers_in_one_reply(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    outcome = await active_outcome(db, buyer)
    await db.commit()
    broken = deepcopy(GOOD) | {
        "outcome_id": str(outcome.id),
        "title": "Big",
        "brief": "Build it.",
        "duration_days": 365,
        "ceiling": money("5000000.00"),
        "criteria": weighed(50, 30, 10),
        "validity_days": 7,
        "deliverables": work(acceptance_criteria=["Works"]),
    }
    body = problem(await call.post(buyer.officer, "/v1/lots", broken), 422, "lot-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == [
        "/duration_days",
        "/ceiling/amount",
        "/title",
        "/brief",
        "/validity_days",
        "/deliverables/0/acceptance_criteria/0",
        "/criteria",
    ]
    assert all(fault["message"] in body["detail"] for fault in body["errors"])


@pytest.mark.parametrize(
    "word", ["word ", "слово ", "λέξη ", "变更", "กขคงจ"], ids=["Latin", "Cyrillic", "Greek", "Han", "Thai"]
)
async def test_a_brief_of_exactly_the_cap_is_taken_in_every_script(word: str, db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    outcome = await active_outcome(db, buyer)
    await db.commit()
    at_the_cap = GOOD | {"outcome_id": str(outcome.id), "brief": word * 1500}
    lot = ok(await call.post(buyer.officer, "/v1/lots", at_the_cap), 201)
    assert lot["brief"] == (word * 1500).strip()
    path = f"/v1/lots/{lot['id']}"
    problem(await call.patch(buyer.officer, path, {"brief": word * 1501}), 422, "lot-invalid")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        # The clocks go forward at 01:00Z: half past one by them is an hour that there is not, and each offset names an instant.
        ("{y}-03-{spring:02d}T01:30:00Z", "{y}-03-{spring:02d}T01:30:00Z"),
        ("{y}-03-{spring:02d}T01:30:00+01:00", "{y}-03-{spring:02d}T00:30:00Z"),
        # They go back at 01:00Z: half past one comes twice, and the offset tells which.
        ("{y}-10-{autumn:02d}T01:30:00+01:00", "{y}-10-{autumn:02d}T00:30:00Z"),
        ("{y}-10-{autumn:02d}T01:30:00+00:00", "{y}-10-{autumn:02d}T01:30:00Z"),
        ("{y}-06-15T23:30:00-14:00", "{y}-06-16T13:30:00Z"),
    ],
)
async def test_gaps_and_folds_of_the_clock_are_told_apart_by_the_offset(
    sent: str, shown: str, db: AsyncSession, call: Call
) -> None:
    buyer = await council(db)
    outcome = await active_outcome(db, buyer)
    await db.commit()
    days = {"y": YEAR, "spring": last_sunday(3).day, "autumn": last_sunday(10).day}
    after = [name for name in GOOD if name not in ("closes_at", "enquiries_close_at", "starts_on", "deliverables")]
    body = {name: GOOD[name] for name in after} | {
        "deliverables": [{name: WORK[name] for name in ("title", "acceptance_criteria")}],
        "outcome_id": str(outcome.id),
        "closes_at": sent.format(**days),
    }
    lot = ok(await call.post(buyer.officer, "/v1/lots", body), 201)
    assert lot["closes_at"] == shown.format(**days)
    # What is worked out from it is noon by the buyer's clock, on whichever side of the change.
    asked_until = datetime.fromisoformat(lot["enquiries_close_at"]).astimezone(ZONE)
    assert (asked_until.hour, asked_until.minute) == (12, 0)


def last_sunday(month: int) -> datetime:
    day = datetime(YEAR, month, 31, 12, tzinfo=UTC)
    return day - timedelta(days=(day.weekday() + 1) % 7)


async def test_an_act_takes_its_reason_in_form(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    lot = await drafted_lot(db, buyer)
    await db.commit()
    path = f"/v1/lots/{lot.id}"
    for act, actor, body, pointers in (
        ("cancel", buyer.approver, {}, ["/reason", "/reason_code"]),
        ("cancel", buyer.approver, {"reason_code": "bored", "reason": ""}, ["/reason", "/reason_code"]),
        ("cancel", buyer.approver, {"reason_code": "other", "reason": "x" * 4001}, ["/reason"]),
        ("withdraw", buyer.officer, {"reason": " "}, ["/reason"]),
        ("withdraw", buyer.officer, {"reason_code": "other"}, ["/reason_code"]),
        ("copy", buyer.officer, {"outcome_id": "x", "title": ""}, ["/outcome_id", "/title"]),
        ("copy", buyer.officer, {"closes_at": None}, ["/closes_at"]),
    ):
        told = problem(await call.post(actor, f"{path}/{act}", body), 422, "body-invalid")
        assert sorted(fault["pointer"] for fault in told["errors"]) == pointers, (act, body)
    told = problem(
        await call.post(buyer.approver, f"{path}/cancel", {"reason_code": "challenged", "reason": "A court."}),
        422,
        "lot-invalid",
    )
    assert [(fault["pointer"], fault["code"]) for fault in told["errors"]] == [("/reason_code", "not-in-this-state")]

"""What holds is read by everybody, in words and with its source; new rows are the operator's, and a buyer's own inside them."""

from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncSession

from build import (
    active_outcome,
    council,
    drafted_lot,
    move_clock,
    operator,
    organisation,
    published_lot,
    seat,
    supplier,
)
from calls import Call, ok, problem
from procure.kit import clock
from procure.kit.actor import OrganisationKind, Role
from procure.organisations.rules import Nation
from procure.policy.schemas import BandDraft, PlatformLimitsDraft, TermsDraft, VatRateDraft
from procure.policy.service import policy_for
from procure.policy.working_days import local_day
from procure.vault.keyring import FileKeyring

SOURCE = {"citation": "Decision 7", "url": "https://law.example/7"}


def body(draft: type[Any], valid_from: date, **changes: Any) -> dict[str, Any]:
    """A draft's example, of the United Kingdom, from another day on."""
    example = cast("dict[str, Any]", deepcopy(draft.EXAMPLE))
    return {**example, "valid_from": str(valid_from), "source": SOURCE} | changes


def of_kingdom(draft: type[Any], valid_from: date, **changes: Any) -> dict[str, Any]:
    return body(draft, valid_from, jurisdiction="GB", **changes)


async def tomorrow(db: AsyncSession) -> date:
    return local_day(await clock.now(db)) + timedelta(days=1)


async def test_everybody_reads_what_holds_in_words_and_by_what_law(db: AsyncSession, call: Call) -> None:
    reply = await call.get(None, "/v1/policy")
    shown = ok(reply)
    limits = {one["name"]: one for one in shown["limits"]}
    longest = limits["duration_days_max"]
    assert (longest["value"], longest["unit"], longest["bound"], longest["own"]) == ("84", "days", "most", None)
    assert longest["words"].startswith("A lot's work takes at most 84 days")
    assert [
        (one["band"], one["threshold"]["amount"], one["threshold_central"]["amount"]) for one in shown["bands"]
    ] == [
        ("small", "0.00", "0.00"),
        ("notifiable", "30000.00", "12000.00"),
        ("covered", "207720.00", "135018.00"),
    ]
    assert "8 working days of standstill" in " ".join(shown["bands"][2]["ceremony"]["words"])
    assert (shown["vat"]["rate"], shown["terms"]["version"]) == ("20.00", "short-form-1")
    for one in (*shown["limits"], *shown["bands"], shown["vat"], shown["terms"]):
        assert one["source"]["citation"] not in {"", "Not recorded"}
        assert one["valid_from"]
    again = await call.get(None, "/v1/policy", headers={"If-None-Match": reply.headers["etag"]})
    assert again.status_code == 304
    assert "Silence accepts nothing" in ok(await call.get(None, "/v1/policy/terms/short-form-1"))["text"]
    problem(await call.get(None, "/v1/policy/terms/short-form-9"), 404, "terms-not-found")


#: What is asked, and the threshold of the highest band then, or why there is none.
ASKED = {
    "on=2025-12-31": "214904.00",
    "on=2026-01-01": "207720.00",
    "on=2026-01-01&jurisdiction=GB-SCT": "207720.00",
    "on=2020-01-01": "policy-not-found",
    "on=yesterday": "parameters-invalid",
    "jurisdiction=FR": "parameters-invalid",
    "buyer_id=0199c0de-0000-7000-8000-000000000010": "policy-not-found",
    "buyer_id=0199c0de-0000-7000-8000-000000000010&jurisdiction=GB": "parameters-invalid",
}


async def test_another_day_and_another_place_are_asked_for(db: AsyncSession, call: Call) -> None:
    seller = (await supplier(db)).organisation_id
    for query, told in {**ASKED, f"buyer_id={seller}": "policy-not-found"}.items():
        reply = (await call.get(None, f"/v1/policy?{query}")).json()
        found = reply["bands"][2]["threshold"]["amount"] if "bands" in reply else reply["type"].rpartition("/")[2]
        assert found == told, query


async def test_a_buyers_own_limits_hold_inside_the_platforms_and_the_narrower_ever_after(
    db: AsyncSession, call: Call
) -> None:
    buyer, admin = await council(db), await operator(db)
    day = await tomorrow(db)
    draft = {"valid_from": str(day), "source": SOURCE, "reason": "Six weeks are enough."}
    wide = {"duration_days_max": 90, "ceiling_max": "170000.01", "panel_persons_min": 1}
    refused = problem(
        await call.post(
            buyer.approver, "/v1/policy/versions", {**draft, "limits": wide, "valid_from": str(day - timedelta(days=1))}
        ),
        422,
        "policy-invalid",
    )
    assert {one["pointer"] for one in refused["errors"]} == {"/valid_from", *(f"/limits/{name}" for name in wide)}
    own = {"duration_days_max": 42, "ceiling_max": "60000", "panel_persons_min": 3}
    made = ok(await call.post(buyer.approver, "/v1/policy/versions", {**draft, "limits": own}), 201)
    assert {one["name"]: one["value"] for one in made["limits"]} == {
        **{k: str(v) for k, v in own.items()},
        "ceiling_max": "60000.00",
    }

    path = f"/v1/policy?buyer_id={buyer.organisation.id}&on="
    platforms = of_kingdom(PlatformLimitsDraft, day + timedelta(days=1))
    platforms["limits"] |= {"duration_days_max": 30, "ceiling_max": "90000.00"}
    ok(await call.post(admin, "/v1/policy/limits", platforms), 201)

    async def shown(on: date) -> dict[str, tuple[str, str, str | None, str]]:
        limits = ok(await call.get(None, f"{path}{on}"))["limits"]
        return {one["name"]: (one["value"], one["platform"], one["own"], one["source"]["citation"]) for one in limits}

    assert (await shown(day - timedelta(days=1)))["duration_days_max"][:3] == ("84", "84", None)
    assert (await shown(day))["duration_days_max"] == ("42", "84", "42", "Decision 7")
    after = await shown(day + timedelta(days=1))
    assert after["duration_days_max"] == ("30", "30", "42", "Decision 7")
    assert after["ceiling_max"][:3] == ("60000.00", "90000.00", "60000.00")
    assert after["brief_words_max"][:3] == ("1200", "1200", None)
    then = datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=12)
    holding = (await policy_for(db, buyer.organisation.id, Decimal(1000), then)).limits
    assert (holding.duration_days_max, holding.ceiling_max, holding.panel_persons_min) == (30, Decimal("60000.00"), 3)

    ok(await call.post(buyer.approver, "/v1/policy/versions", {**draft, "limits": {}}), 201)  # taken back in time
    assert (await shown(day))["duration_days_max"][:3] == ("84", "84", None)
    listed = ok(await call.get(None, f"/v1/policy/versions?buyer_id={buyer.organisation.id}"))["items"]
    assert [(len(one["limits"]), one["superseded_by"]) for one in listed] == [(0, None), (3, listed[0]["id"])]


async def test_who_may_record_what(db: AsyncSession, call: Call) -> None:
    buyer, admin, day = await council(db), await operator(db), await tomorrow(db)
    own = {"valid_from": str(day), "source": SOURCE, "reason": "So be it.", "limits": {"deliverables_max": 4}}
    of_admins = await seat(db, buyer.organisation, Role.ADMIN, Role.OFFICER)
    for actor in (admin, of_admins, await supplier(db)):
        problem(await call.post(actor, "/v1/policy/versions", own), 403, "scope-missing")
    rate = body(VatRateDraft, day)
    for actor in (buyer.approver, of_admins):
        problem(await call.post(actor, "/v1/policy/vat-rates", rate), 403, "scope-missing")
    problem(await call.post(None, "/v1/policy/vat-rates", rate), 401, "unauthenticated")
    ok(await call.post(admin, "/v1/policy/vat-rates", rate), 201)


async def test_a_row_is_replaced_before_its_day_by_another_and_both_stay_on_record(
    db: AsyncSession, call: Call
) -> None:
    admin, day = await operator(db), await tomorrow(db)
    buyer = await organisation(db, OrganisationKind.BUYER, "Elsewhere Council", nation=Nation.SCOTLAND)
    ok(await call.post(admin, "/v1/policy/bands", of_kingdom(BandDraft, day)), 201)
    held = {"amount": "30000.00", "currency": "GBP"}
    ok(await call.post(admin, "/v1/policy/bands", of_kingdom(BandDraft, day, threshold=held)), 201)
    ok(await call.post(admin, "/v1/policy/bands", body(BandDraft, day)), 201)  # Scotland's own

    async def notifiable(query: str) -> str:
        return str(ok(await call.get(None, f"/v1/policy?on={day}&{query}"))["bands"][1]["threshold"]["amount"])

    assert await notifiable("jurisdiction=GB-ENG") == "30000.00"
    assert await notifiable("jurisdiction=GB") == "30000.00"
    assert await notifiable(f"buyer_id={buyer.id}") == "60000.00"
    first, second, third = ok(await call.get(None, "/v1/policy/bands?limit=3"))["items"]
    assert [one["jurisdiction"] for one in (first, second, third)] == ["GB-SCT", "GB", "GB"]
    assert [one["superseded_by"] for one in (first, second, third)] == [None, None, second["id"]]

    terms = of_kingdom(TermsDraft, day, version="short-form-1")
    problem(await call.post(admin, "/v1/policy/terms", terms), 409, "terms-version-taken")
    made = ok(await call.post(admin, "/v1/policy/terms", {**terms, "version": "short-form-2"}), 201)
    assert made["version"] == ok(await call.get(None, f"/v1/policy?on={day}"))["terms"]["version"]
    assert ok(await call.get(None, "/v1/policy/terms/short-form-2"))["text"] == made["text"]


async def test_every_fault_of_a_band_is_told_at_once(db: AsyncSession, call: Call) -> None:
    draft = of_kingdom(
        BandDraft,
        date(2026, 1, 1),
        threshold={"amount": "300000.00", "currency": "EUR"},
        ceremony={"window_days": 3, "window_working_days": 3},
    )
    refused = problem(await call.post(await operator(db), "/v1/policy/bands", draft), 422, "policy-invalid")
    assert {one["pointer"] for one in refused["errors"]} == {
        "/valid_from",
        "/threshold/currency",
        "/threshold/amount",
        "/ceremony/window_days",
    }


async def test_a_buyers_limits_of_a_day_that_is_over_are_told_so_beside_their_other_faults(
    db: AsyncSession, call: Call
) -> None:
    own = {"valid_from": "2000-01-01", "source": SOURCE, "reason": "So be it.", "limits": {"deliverables_max": 99}}
    refused = problem(await call.post((await council(db)).approver, "/v1/policy/versions", own), 422, "policy-invalid")
    assert {one["pointer"] for one in refused["errors"]} == {"/valid_from", "/limits/deliverables_max"}


async def test_a_threshold_that_changes_on_the_first_of_january_leaves_what_was_published_the_day_before(
    db: AsyncSession, call: Call, vault: FileKeyring
) -> None:
    """The operator knows in summer. A lot of 31 December keeps band, VAT and terms; one drafted then and published after is judged anew."""
    buyer, admin = await council(db), await operator(db)
    year = (await clock.now(db)).year + 2
    new_year = date(year, 1, 1)
    band = of_kingdom(BandDraft, new_year, threshold={"amount": "20000.00", "currency": "GBP"})
    band["threshold_central"] = {"amount": "10000.00", "currency": "GBP"}
    ok(await call.post(admin, "/v1/policy/bands", band), 201)
    ok(await call.post(admin, "/v1/policy/vat-rates", body(VatRateDraft, new_year, rate="25.00")), 201)
    ok(await call.post(admin, "/v1/policy/terms", of_kingdom(TermsDraft, new_year, version="short-form-2")), 201)

    await move_clock(db, datetime(year - 1, 12, 31, 23, 30, tzinfo=UTC))
    before = await published_lot(db, buyer, vault)
    drafted = await drafted_lot(db, buyer, await active_outcome(db, buyer))
    await db.commit()
    for lot in (before, drafted):
        assert (lot.band.value, str(lot.policy.vat_rate), lot.policy.terms_version) == (
            "small",
            "20.00",
            "short-form-1",
        )

    await move_clock(db, datetime(year, 1, 1, 0, 0, 1, tzinfo=UTC))
    await db.commit()
    kept = ok(await call.get(None, f"/v1/lots/{before.id}"))
    assert (kept["band"], kept["policy"]["vat_rate"], kept["policy"]["estimate_gross"]) == (
        "small",
        "20.00",
        "28800.00",
    )
    assert kept["policy"]["terms_version"] == "short-form-1"

    path = f"/v1/lots/{drafted.id}"
    problem(await call.post(buyer.approver, f"{path}/publish"), 409, "notice-missing")
    notice = {"id": "2028/S 000-000001", "ocid": "ocds-h6vhtk-04f1aa", "published_at": f"{year}-01-01T00:00:00Z"}
    ok(await call.put(buyer.officer, f"{path}/notice", notice))
    published = ok(await call.post(buyer.approver, f"{path}/publish"))
    assert (published["band"], published["policy"]["vat_rate"]) == ("notifiable", "25.00")
    assert published["policy"]["estimate_gross"] == "30000.00"
    assert published["policy"]["terms_version"] == "short-form-2"

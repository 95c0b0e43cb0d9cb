"""What a lot's reader and editor are told by its tag; every other resource is read so in `tests/journeys/test_tags.py`."""

from datetime import timedelta, timezone

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from build import council, drafted_lot, lot_document, measure_ids, move_clock, published_lot, supplier
from calls import Call, ok, problem
from procure.kit import clock
from procure.lots import projections
from procure.outcomes.models import Outcome
from procure.vault.keyring import FileKeyring

TITLE = {"title": "Find out why the changes wait"}


def tag(reply: httpx.Response) -> str:
    return str(reply.headers["etag"]).partition("+")[0].rstrip('"') + '"'


async def test_a_reply_to_an_act_has_the_tag_of_what_is_read_next(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    lot = await drafted_lot(db, buyer)
    document = lot_document(
        lot.outcome_id, await measure_ids(db, await db.get_one(Outcome, lot.outcome_id)), await clock.now(db)
    )
    await db.commit()
    drafted = await call.post(buyer.officer, "/v1/lots", document)
    path = f"/v1/lots/{drafted.json()['id']}"
    assert tag(drafted) == tag(await call.get(buyer.officer, path))
    edited = await call.patch(buyer.officer, path, TITLE, seen=tag(drafted))
    assert tag(edited) == tag(await call.get(buyer.officer, path)) != tag(drafted)
    published = await call.post(buyer.approver, f"{path}/publish", seen=tag(edited))
    assert tag(published) == tag(await call.get(None, path)) != tag(edited)


async def test_instants_of_another_offset_are_answered_as_they_are_read(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    lot = await drafted_lot(db, buyer)
    now = await clock.now(db)
    await db.commit()
    path, east = f"/v1/lots/{lot.id}", timezone(timedelta(hours=2))
    edited = await call.patch(buyer.officer, path, {"closes_at": lot.closes_at.astimezone(east).isoformat()})
    assert ok(edited)["closes_at"] == lot.closes_at.isoformat().replace("+00:00", "Z")
    assert edited.content == (await call.get(buyer.officer, path)).content
    notice = {"id": "2026/S 1", "ocid": "ocds-h6vhtk-1", "published_at": now.astimezone(east).isoformat()}
    recorded = await call.put(buyer.officer, f"{path}/notice", notice)
    assert (recorded.status_code, recorded.content) == (200, (await call.get(buyer.officer, path)).content)


async def test_a_lot_that_time_has_closed_is_another_one(db: AsyncSession, call: Call, vault: FileKeyring) -> None:
    lot = await published_lot(db, await council(db), vault)
    await db.commit()
    path = f"/v1/lots/{lot.id}"
    before = await call.etag(None, path)
    assert (await call.get(None, path, headers={"If-None-Match": before})).status_code == 304
    await move_clock(db, lot.closes_at)
    await db.commit()
    closed = await call.get(None, path, headers={"If-None-Match": before})
    assert ok(closed)["status"] == "closed"
    assert (await call.get(None, path, headers={"If-None-Match": tag(closed)})).status_code == 304


async def test_a_lot_that_its_reader_has_is_not_built(
    db: AsyncSession, call: Call, vault: FileKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    lot = await published_lot(db, await council(db), vault)
    await db.commit()
    path = f"/v1/lots/{lot.id}"
    known = await call.etag(None, path)
    monkeypatch.setattr(projections, "_kept", {})
    monkeypatch.setattr(projections, "_READ", "SELECT 'not to be asked' FROM nowhere WHERE $1 AND $2")
    assert (await call.get(None, path, headers={"If-None-Match": known})).status_code == 304


async def test_a_draft_shows_its_tag_to_nobody_else(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    lot = await drafted_lot(db, buyer)
    await db.commit()
    path = f"/v1/lots/{lot.id}"
    known = await call.etag(buyer.officer, path)
    for other in (None, await supplier(db)):
        problem(await call.get(other, path, headers={"If-None-Match": known}), 404, "lot-not-found")
        problem(await call.get(other, path, headers={"If-None-Match": "*"}), 404, "lot-not-found")
    problem(await call.patch(await supplier(db), path, TITLE, seen=known), 403, "scope-missing")


async def test_an_edit_says_what_it_edits(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    lot = await drafted_lot(db, buyer)
    await db.commit()
    path = f"/v1/lots/{lot.id}"
    for nothing in (None, "*"):
        problem(await call.patch(buyer.officer, path, TITLE, seen=nothing), 428, "if-match-missing")
    problem(await call.patch(buyer.officer, path, TITLE, seen="3"), 400, "condition-invalid")
    known = await call.etag(buyer.officer, path)
    problem(await call.patch(buyer.officer, path, TITLE, seen=f"W/{known}"), 412, "changed-since-read")
    headers = {"If-None-Match": known}
    problem(await call.patch(buyer.officer, path, TITLE, seen=known, headers=headers), 412, "changed-since-read")
    ok(await call.patch(buyer.officer, path, TITLE, seen=f'"another", {known}'))


async def test_one_lots_tag_is_no_others(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    one = await drafted_lot(db, buyer)
    other = await drafted_lot(db, buyer, await db.get_one(Outcome, one.outcome_id))
    await db.commit()
    known = await call.etag(buyer.officer, f"/v1/lots/{one.id}")
    problem(await call.patch(buyer.officer, f"/v1/lots/{other.id}", TITLE, seen=known), 412, "changed-since-read")


async def test_what_is_made_new_takes_no_condition(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    lot = await drafted_lot(db, buyer)
    document = lot_document(
        lot.outcome_id, await measure_ids(db, await db.get_one(Outcome, lot.outcome_id)), await clock.now(db)
    )
    await db.commit()
    for headers in ({"If-Match": "*"}, {"If-None-Match": "*"}, {"If-Match": "unreadable"}):
        problem(await call.post(buyer.officer, "/v1/lots", document, headers=headers), 400, "condition-unexpected")


async def test_neither_a_trial_nor_a_put_is_answered_with_a_tag(db: AsyncSession, call: Call) -> None:
    """The trial's version will be another one's; of what was put nothing is kept as it was sent (RFC 9110, section 9.3.4)."""
    buyer = await council(db)
    lot = await drafted_lot(db, buyer)
    now = await clock.now(db)
    await db.commit()
    path = f"/v1/lots/{lot.id}"
    tried = await call.patch(buyer.officer, f"{path}?validate_only=true", TITLE)
    assert ok(tried)["version"] == lot.version + 1
    assert "etag" not in tried.headers
    problem(
        await call.patch(buyer.officer, f"{path}?validate_only=true", TITLE, seen='"old"'), 412, "changed-since-read"
    )
    notice = {"id": "2026/S 000-054321", "ocid": "ocds-h6vhtk-04f1aa", "published_at": now.isoformat()}
    recorded = await call.put(buyer.officer, f"{path}/notice", notice)
    assert ok(recorded)["notice"] is not None
    assert "etag" not in recorded.headers
    problem(await call.put(buyer.officer, f"{path}/notice", notice, seen='"old"'), 412, "changed-since-read")


async def test_in_whatever_coding_it_was_read_it_can_be_edited(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    lot = await drafted_lot(db, buyer)
    await db.commit()
    path, gzip = f"/v1/lots/{lot.id}", {"Accept-Encoding": "gzip"}
    coded = (await call.get(buyer.officer, path, headers=gzip)).headers["etag"]
    assert coded.endswith('+gzip"')
    known = await call.get(buyer.officer, path, headers={**gzip, "If-None-Match": coded})
    assert (known.status_code, known.headers["etag"]) == (304, coded)
    plain = await call.get(buyer.officer, path, headers={"Accept-Encoding": "identity", "If-None-Match": coded})
    assert plain.status_code == 200, "other bytes than those that are known"
    ok(await call.patch(buyer.officer, path, TITLE, seen=coded))
    problem(await call.patch(buyer.officer, path, TITLE, seen=coded), 412, "changed-since-read")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_list_has_no_tag_and_is_sent_whatever_is_known(call: Call, method: str) -> None:
    reply = await call(method, None, "/v1/lots", headers={"If-None-Match": "*"}, key=None)
    assert reply.status_code == 200
    assert "etag" not in reply.headers

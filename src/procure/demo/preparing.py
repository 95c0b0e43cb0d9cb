"""The buyer's side until a lot is open: the outcome, its budget, the lot, its notice, its publication."""

from datetime import datetime

import msgspec

from procure.demo import writing
from procure.demo.api import Seat
from procure.demo.book import LotAccount
from procure.demo.documents import Document
from procure.demo.plan import Dare, LotPlan
from procure.demo.scene import Scene
from procure.demo.timetable import LONGEST, Timetable
from procure.policy.rules import Ceremony

A_YEAR = 365


async def write_outcome(scene: Scene) -> None:
    """An officer writes the change down, the budget holder puts its envelope into force."""
    council = scene.council
    team = [(council.designer.person_id, "service design"), (council.engineer.person_id, "engineering")]
    document = writing.outcome(scene.plan, team, await scene.today())
    drafted = await scene.api.post(council.officer, "/v1/outcomes", document)
    scene.outcome = await scene.api.post(council.approver, f"/v1/outcomes/{drafted['id']}/activate")


async def open_lot(scene: Scene, lot: LotPlan, draft: Document | None = None) -> Document:
    """From the draft (one that the service has made from the lot before, or a new one) to the published lot."""
    now = await scene.now()
    drafted = await _draft(scene, lot, now, draft)
    ceremony = msgspec.convert(drafted["policy"]["ceremony"], Ceremony)
    path = f"/v1/lots/{drafted['id']}"
    if ceremony.notice_required:
        await _record_notice(scene, drafted, now)
    when = Timetable.of(now, ceremony, scene.plan.notice.buyer.nation)
    await _settle_calendar(scene, lot, path, now, when)
    published: Document = await scene.api.post(scene.council.approver, f"{path}/publish")
    scene.bands.append(published["band"])
    scene.book.lots.append(LotAccount(lot.estimate, lot.further_iterations, lot.further_ceiling))
    scene.tell(f"{published['reference']} published")
    return published


async def _draft(scene: Scene, lot: LotPlan, now: datetime, draft: Document | None) -> Document:
    """A calendar that every band allows, until the service has said which band it is."""
    when = Timetable.of(now, LONGEST, scene.plan.notice.buyer.nation)
    document = writing.lot(scene.plan, lot, scene.outcome["id"], scene.measure_ids, when)
    officer = scene.council.officer
    await scene.dare(Dare.LONG_LOT, officer, "POST", "/v1/lots", document | {"duration_days": A_YEAR})
    if draft is None:
        drafted: Document = await scene.api.post(officer, "/v1/lots", document)
        return drafted
    fixed = ("outcome_id", "route")
    changes = {name: value for name, value in document.items() if name not in fixed}
    revised: Document = await scene.api.patch(officer, f"/v1/lots/{draft['id']}", changes)
    return revised


async def _record_notice(scene: Scene, drafted: Document, now: datetime) -> None:
    path = f"/v1/lots/{drafted['id']}"
    await scene.dare(Dare.NO_NOTICE, scene.council.approver, "POST", f"{path}/publish")
    await scene.api.put(scene.council.officer, f"{path}/notice", notice(drafted["reference"], now))


def notice(reference: str, now: datetime) -> Document:
    """An official notice's references: made up, and saying so."""
    return {
        "id": f"made-up-{reference}",
        "ocid": f"ocds-000000-made-up-{reference.lower()}",
        "published_at": now.isoformat(),
    }


async def _settle_calendar(scene: Scene, lot: LotPlan, path: str, now: datetime, when: Timetable) -> None:
    """The shortest calendar that the band allows; what is shorter, or published by who prepared it, is refused."""
    council = scene.council
    if scene.dares(Dare.SHORT_WINDOW):
        await _set_calendar(scene, council.officer, path, lot, Timetable.of_a_week(now))
        await scene.dare(Dare.SHORT_WINDOW, council.approver, "POST", f"{path}/publish")
    who = council.deputy if scene.dares(Dare.OWN_LOT) else council.officer
    await _set_calendar(scene, who, path, lot, when)
    await scene.dare(Dare.OWN_LOT, council.deputy, "POST", f"{path}/publish")


async def _set_calendar(scene: Scene, who: Seat, path: str, lot: LotPlan, when: Timetable) -> None:
    await scene.api.patch(who, path, writing.calendar(lot.pieces, when))


async def cancel_lot(scene: Scene, published: Document) -> None:
    """An approver ends the lot while it is open; what it committed returns."""
    reason = {"reason_code": "need_changed", "reason": "Made up: the need has gone."}
    await scene.api.post(scene.council.approver, f"/v1/lots/{published['id']}/cancel", reason)
    scene.book.lots[-1].has_ended = True
    scene.tell(f"{published['reference']} cancelled")

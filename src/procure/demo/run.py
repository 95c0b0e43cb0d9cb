"""A run: the notices chosen, everybody registered, all plays side by side on one clock, and their sums checked at the end."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx

from procure.demo import checking
from procure.demo.api import Api, Disagreement, Refused, Seat, ServiceBroken
from procure.demo.book import Sums
from procure.demo.cast import Cast
from procure.demo.clock import SharedClock
from procure.demo.notices import Reading
from procure.demo.plan import Plan, choose, plan_of
from procure.demo.play import play
from procure.demo.reasons import CannotPlay, Unplayable
from procure.demo.report import Played, Report
from procure.demo.scene import Scene

TIMEOUT_S = 60.0
Tell = Callable[[Plan, str], None]
CLOCK = "/v1/sandbox/clock"
BACKWARDS = "clock-backwards"
DISTURBED = timedelta(hours=1)


class NoSandbox(Exception):
    """The service's clock can't be moved, so nothing is played on it."""


@dataclass(frozen=True, slots=True)
class Operator:
    """The credential that a run is started with."""

    client_id: str
    client_secret: str


def connect(url: str) -> httpx.AsyncClient:
    # A proxy of the environment can't reach this machine's own loopback.
    return httpx.AsyncClient(base_url=url.rstrip("/"), timeout=TIMEOUT_S, trust_env=False)


async def run(
    http: httpx.AsyncClient, operator: Operator, reading: Reading, count: int, tell: Tell = lambda _plan, _said: None
) -> Report:
    """Play `count` of the notices; raises NoSandbox, ServiceBroken, or Refused where the credential is no operator's."""
    started = time.monotonic()
    run_ = _Run(Api(http), Seat(operator.client_id, operator.client_secret), tell)
    report = await run_.all(reading, count)
    report.took_s = time.monotonic() - started
    return report


class _Run:
    def __init__(self, api: Api, operator: Seat, tell: Tell) -> None:
        self.api, self.operator, self.tell = api, operator, tell
        self.cast = Cast(api, operator)
        self.clock = SharedClock(self._now, self._move)
        self.id = secrets.token_hex(4)
        self.is_disturbed = False

    async def all(self, reading: Reading, count: int) -> Report:
        began = await self._check_sandbox()
        plans = [plan_of(notice, number) for number, notice in enumerate(choose(reading.playable, count))]
        scenes, left_out = await self._set_scenes(plans)
        before = await self._control_totals(scenes)
        plays = await self._perform(scenes)
        return Report(
            read=len(reading.playable) + len(reading.unplayable),
            chosen=len(plans),
            not_played=sorted([*reading.unplayable, *left_out], key=lambda one: one.place),
            plays=plays,
            refusals=self.api.refusals,
            dares=Counter(dare.value for scene in scenes for dare in scene.dared.elements()),
            differences=await self._differences(scenes, plays, before),
            calls=self.api.calls,
            clock=(began.isoformat(), (await self._now()).isoformat()),
            is_disturbed=self.is_disturbed,
        )

    async def _check_sandbox(self) -> datetime:
        """Procurement's time, once it is known that it can be moved."""
        now = await self._now()
        try:
            await self.api.post(self.operator, CLOCK, {"to": (now + timedelta(seconds=1)).isoformat()})
        except Refused as refused:
            if refused.status == 404:
                raise NoSandbox("The service is no sandbox: start it with PROCURE_SANDBOX=1.") from refused
            if refused.slug != BACKWARDS:  # else somebody was faster, and it can be moved
                raise
        return now

    async def _now(self) -> datetime:
        return datetime.fromisoformat((await self.api.get(None, "/v1/time"))["now"])

    async def _move(self, moment: datetime) -> None:
        now = await self._now()
        # Alone on the clock, no play waits for what is over, but for the moments that real time takes.
        self.is_disturbed |= now - moment > DISTURBED
        if now < moment:
            try:
                await self.api.post(self.operator, CLOCK, {"to": moment.isoformat()})
            except Refused as refused:
                if refused.slug != BACKWARDS:
                    raise
                self.is_disturbed = True

    async def _set_scenes(self, plans: Sequence[Plan]) -> tuple[list[Scene], list[Unplayable]]:
        """Everybody is registered before the first play begins."""
        found = await asyncio.gather(*(self._set_scene(plan) for plan in plans))
        scenes = [one for one in found if isinstance(one, Scene)]
        return scenes, [one for one in found if isinstance(one, Unplayable)]

    async def _set_scene(self, plan: Plan) -> Scene | Unplayable:
        notice = plan.notice
        try:
            council = await self.cast.council(notice.buyer)
            bidders = [*notice.suppliers, *(bid.bidder for lot in plan.lots for bid in lot.bids)]
            seats = {party.key: await self.cast.bidder(party) for party in bidders}
        except CannotPlay as fact:
            return Unplayable(notice.place, notice.ocid, notice.title, fact.reason, str(fact))
        return Scene(plan, self.api, self.clock, council, seats, lambda said: self.tell(plan, said), self.id)

    async def _perform(self, scenes: Sequence[Scene]) -> list[Played]:
        try:
            faults = await self.clock.perform(*(self._play(scene) for scene in scenes))
        except* ServiceBroken as broken:
            raise _first(broken) from None
        for place, scene in enumerate(scenes):
            if scene.afterwards is not None:
                faults[place] = await _fault_of(scene.afterwards())
        return [await self._played(scene, fault) for scene, fault in zip(scenes, faults, strict=True)]

    async def _play(self, scene: Scene) -> str | None:
        fault = await _fault_of(play(scene))
        self.tell(scene.plan, "")
        return fault

    async def _played(self, scene: Scene, fault: str | None) -> Played:
        told = await checking.of_outcome(scene) if scene.outcome else Sums()
        return Played(scene.plan, scene.bands, scene.book.sums(), told, fault)

    async def _differences(
        self, scenes: Sequence[Scene], plays: Sequence[Played], before: dict[str, Sums]
    ) -> list[str]:
        """Nothing is said of a play that broke off: the act in which it did may have been charged for or not."""
        broken = {scene.council.id for scene, play in zip(scenes, plays, strict=True) if play.fault}
        whole = [scene for scene in scenes if scene.council.id not in broken]
        found = [
            said
            for play in plays
            if not play.fault
            for said in checking.differences(play.plan.notice.ocid, play.sums, play.told)
        ]
        return found + _in_totals(whole, before, await self._control_totals(whole))

    async def _control_totals(self, scenes: Sequence[Scene]) -> dict[str, Sums]:
        councils = {scene.council.id: scene.council for scene in scenes}
        told = await asyncio.gather(*(checking.control_totals(self.api, one) for one in councils.values()))
        return dict(zip(councils, told, strict=True))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


async def _fault_of(acts: Awaitable[None]) -> str | None:
    """Where the acts broke off, or None."""
    try:
        await acts
    except (Refused, Disagreement) as error:
        return str(error)
    return None


def _in_totals(scenes: Sequence[Scene], before: dict[str, Sums], after: dict[str, Sums]) -> list[str]:
    """For each buyer, what finance's control totals have grown by against what was played there."""
    found = []
    for council in {scene.council.id: scene.council for scene in scenes}.values():
        own = Sums.of(scene.book.sums() for scene in scenes if scene.council is council)
        grown = checking.less(after[council.id], before[council.id])
        found += checking.differences(f"{council.name}, control totals", own, grown, but=("committed", "paid"))
    return found

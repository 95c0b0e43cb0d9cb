"""Where a play takes place: its plan, its people, the service, the clock, and its own account of the money."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from procure.demo.api import Api, Seat
from procure.demo.book import Book
from procure.demo.cast import Council
from procure.demo.clock import SharedClock
from procure.demo.documents import Document
from procure.demo.plan import REFUSED_AS, Dare, Plan
from procure.policy.working_days import local_day


@dataclass(slots=True)
class Scene:
    """One play under way."""

    plan: Plan
    api: Api
    clock: SharedClock
    council: Council
    bidders: dict[tuple[str, str], Seat]
    #: Called with a word on what is being done.
    tell: Callable[[str], None]
    #: Tells this run's invoice and order numbers from those of any other.
    run_id: str
    book: Book = field(default_factory=Book)
    outcome: Document = field(default_factory=dict)
    dared: Counter[Dare] = field(default_factory=Counter)
    bands: list[str] = field(default_factory=list)
    #: What is done once time stands still, after the last play: it would be over otherwise before anybody sees it.
    afterwards: Callable[[], Awaitable[None]] | None = None

    def dares(self, dare: Dare) -> bool:
        return dare in self.plan.dares

    async def dare(self, dare: Dare, seat: Seat, method: str, path: str, body: Document | None = None) -> None:
        """Try what the rules forbid, if this play is to; raises Disagreement unless it is refused for their reason."""
        if self.dares(dare):
            await self.api.dare(seat, method, path, body, refused_as=REFUSED_AS[dare])
            self.dared[dare] += 1

    async def now(self) -> datetime:
        """Procurement's time."""
        return await self.clock.now()

    async def today(self) -> date:
        return local_day(await self.now())

    async def until_day(self, day: date) -> None:
        """Wait until noon of a day, UTC."""
        await self.clock.until(noon(day))

    @property
    def measure_ids(self) -> list[str]:
        return [measure["id"] for measure in self.outcome["measures"]]


def noon(day: date) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")


def days_before(day: str, days: int) -> date:
    return date.fromisoformat(day) - timedelta(days=days)

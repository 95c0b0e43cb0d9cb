"""When a lot closes and its work starts: the shortest calendar that its band allows, with a day to spare."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from procure.demo.plan import Piece
from procure.organisations.rules import Nation
from procure.policy import working_days
from procure.policy.rules import Ceremony

#: From the deadline to the first day of work: opening, scores, award, signature; the standstill of a covered lot besides.
SETTLING_DAYS = 7
ENQUIRIES_END_DAYS = 1


@dataclass(frozen=True, slots=True)
class Timetable:
    """The calendar of one lot."""

    enquiries_close_at: datetime
    closes_at: datetime
    starts_on: date

    @classmethod
    def of(cls, published_at: datetime, ceremony: Ceremony, nation: Nation) -> "Timetable":
        """For a lot that is published (or whose notice is) on the day of `published_at`, or on the next."""
        start = published_at + timedelta(days=1)
        if ceremony.window_days:
            earliest = working_days.period_of_days(start, ceremony.window_days)
        else:
            earliest = working_days.period_of_working_days(start, ceremony.window_working_days, nation)
        closes_at = datetime.combine(working_days.local_day(earliest), time(12), UTC)
        standstill = working_days.standstill_end(closes_at, ceremony.standstill_working_days, nation)
        starts_on = working_days.local_day(standstill) + timedelta(days=SETTLING_DAYS)
        return cls(closes_at - timedelta(days=ENQUIRIES_END_DAYS), closes_at, starts_on)

    @classmethod
    def of_a_week(cls, published_at: datetime) -> "Timetable":
        """Shorter than any band allows."""
        closes_at = published_at + timedelta(days=1)
        return cls(published_at + timedelta(hours=1), closes_at, closes_at.date() + timedelta(days=SETTLING_DAYS))

    def due_dates(self, pieces: Sequence[Piece]) -> list[date]:
        return [self.starts_on + timedelta(days=piece.due_after_days) for piece in pieces]


#: Long enough for every band: a draft's calendar until the service has said which band it falls into.
LONGEST = Ceremony(window_days=25, standstill_working_days=8)

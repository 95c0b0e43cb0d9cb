"""What a run has played, refused and added up: for a machine as JSON, for a person as a table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from procure.demo.book import Sums
from procure.demo.plan import Plan
from procure.demo.reasons import Unplayable


@dataclass(slots=True)
class Played:
    """One play as it went. `fault` says where it broke off, if it did."""

    plan: Plan
    bands: Sequence[str]
    sums: Sums
    told: Sums
    fault: str | None = None


@dataclass(slots=True, kw_only=True)
class Report:
    """One run. `differences` are between what was played and what the service says."""

    read: int
    chosen: int
    not_played: list[Unplayable]
    plays: list[Played] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    dares: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)
    calls: int = 0
    took_s: float = 0.0
    clock: tuple[str, str] = ("", "")
    #: Somebody else has moved the clock meanwhile, so that plays may have missed their dates.
    is_disturbed: bool = False

    @property
    def broken(self) -> list[Played]:
        return [play for play in self.plays if play.fault]

    @property
    def is_good(self) -> bool:
        return not self.broken and not self.differences

    def document(self) -> dict[str, Any]:
        """All of it, amounts as decimal strings."""
        return {
            "notices": {"read": self.read, "chosen": self.chosen, "played": len(self.plays) - len(self.broken)},
            "ends": _counted(play.plan.end for play in self.plays if not play.fault),
            "lots_by_band": _counted(band for play in self.plays for band in play.bands),
            "plays_by_band": _counted(play.bands[0] for play in self.plays if play.bands),
            "refusals": dict(sorted(self.refusals.items())),
            "tried_in_vain": dict(sorted(self.dares.items())),
            "sums": Sums.of(play.sums for play in self.plays).told(),
            "sums_of_the_service": Sums.of(play.told for play in self.plays).told(),
            "sums_agree": not self.differences,
            "differences": self.differences,
            "not_played": _counted(one.reason for one in self.not_played),
            "not_played_because": [
                {"place": one.place, "ocid": one.ocid, "title": one.title, "reason": one.reason, "said": one.said}
                for one in self.not_played
            ],
            "broken_off": [{"ocid": play.plan.notice.ocid, "fault": play.fault} for play in self.broken],
            "clock": {"from": self.clock[0], "to": self.clock[1], "moved_by_others": self.is_disturbed},
            "calls": self.calls,
            "took_s": round(self.took_s, 1),
        }

    def show(self, console: Console) -> None:
        """The plays one by one, then the counts."""
        console.print(self._plays())
        sums = Sums.of(play.sums for play in self.plays).told()
        rows: dict[str, dict[str, Any]] = {
            "Ends": _counted(play.plan.end for play in self.plays if not play.fault),
            "Bands of the lots": _counted(band for play in self.plays for band in play.bands),
            "Refused": dict(sorted(self.refusals.items())),
            "Not played": _counted(one.reason for one in self.not_played),
            "Sums, GBP": sums,
        }
        table = Table.grid(padding=(0, 2))
        for name, values in rows.items():
            table.add_row(name, ", ".join(f"{escape(str(key))} {value}" for key, value in values.items()) or "none")
        agree = "they are the service's own" if not self.differences else "they are NOT the service's own:"
        table.add_row("", agree)
        for said in self._troubles():
            table.add_row("", escape(said))
        console.print(table)

    def _troubles(self) -> list[str]:
        troubles = [*self.differences, *(f"{play.plan.notice.ocid} broke off: {play.fault}" for play in self.broken)]
        disturbed = "Somebody else moved the clock meanwhile, so plays missed their dates: run one at a time."
        return [disturbed, *troubles] if troubles and self.is_disturbed else troubles

    def _plays(self) -> Table:
        table = Table(box=None, header_style="bold", expand=True)
        table.add_column("Notice", ratio=3, no_wrap=True)
        table.add_column("Buyer", ratio=2, no_wrap=True)
        table.add_column("Value", justify="right", min_width=12)
        table.add_column("Bands", min_width=10)
        table.add_column("End", min_width=10)
        for play in self.plays:
            notice = play.plan.notice
            end = "broken off" if play.fault else play.plan.end.value
            bands = ", ".join(dict.fromkeys(play.bands))
            table.add_row(escape(notice.title), escape(notice.buyer.name), f"{notice.value:,.2f}", bands, end)
        return table


def _counted(names: Any) -> dict[str, int]:
    return {str(name): count for name, count in sorted(Counter(names).items())}

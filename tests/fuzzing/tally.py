"""What was answered, counted by operation: the proof that a run got past the door."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: Operations that no seat gets a success from, and why that can't be otherwise.
OUT_OF_REACH = {
    "acceptInvitation": "needs a person's sign-on, and a code that only the invited are told",
    "confirmRegistration": "needs a code that only a mailbox is told",
    "getToken": "knows its callers by a client's own credentials, never by a token",
    "introspectToken": "as getToken",
    "revokeToken": "as getToken",
    "streamChanges": "never ends, so nobody here calls it; tests/journal and the drills do",
}
KINDS = ("2xx", "304", "400", "401", "403", "404", "409", "412", "422", "428", "4xx", "5xx")


def kind(status: int) -> str:
    """The status where it says something of its own, else its class."""
    return str(status) if str(status) in KINDS else f"{status // 100}xx"


@dataclass
class Tally:
    """Counts of replies by operation and kind."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    @classmethod
    def of(cls, lines: Iterable[str]) -> "Tally":
        """From lines of `operation status`."""
        found = cls()
        for line in lines:
            name, status = line.split()
            found.counts[name][kind(int(status))] += 1
        return found

    def add(self, other: "Tally") -> None:
        for name, counts in other.counts.items():
            self.counts[name].update(counts)

    @property
    def total(self) -> Counter[str]:
        return sum(self.counts.values(), Counter())

    @property
    def told(self) -> str:
        total = self.total
        return f"{total.total()} replies: " + ", ".join(f"{total[one]} {one}" for one in KINDS if total[one])

    @property
    def reached(self) -> set[str]:
        """Operations that have answered with success at least once."""
        return {name for name, counts in self.counts.items() if counts["2xx"]}

    def table(self) -> list[str]:
        rows = {**dict(sorted(self.counts.items())), "in all": self.total}
        width = max(map(len, rows))
        head = f"{'':<{width}}" + "".join(f"{one:>7}" for one in KINDS)
        return [
            head,
            *(f"{name:<{width}}" + "".join(f"{row[one] or '':>7}" for one in KINDS) for name, row in rows.items()),
        ]


def missed(reached: set[str], operations: Iterable[str], reasons: Mapping[str, str] = OUT_OF_REACH) -> list[str]:
    """Operations that should have been reached and were not."""
    return sorted(set(operations) - reached - reasons.keys())

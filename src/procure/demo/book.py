"""A play's own account of its money, kept beside the service's, so that the two can be held against each other."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from decimal import Decimal

from procure.kit.money import total

ZERO = Decimal("0.00")


@dataclass(slots=True)
class Sums:
    """What a play comes to. Net of VAT, but for what says `gross`."""

    committed: Decimal = ZERO
    contracted: Decimal = ZERO
    accepted: Decimal = ZERO
    invoiced: Decimal = ZERO
    invoiced_gross: Decimal = ZERO
    paid: Decimal = ZERO
    paid_gross: Decimal = ZERO

    def told(self) -> dict[str, str]:
        """As decimal strings."""
        return {one.name: f"{getattr(self, one.name):.2f}" for one in fields(self)}

    @classmethod
    def of(cls, all_sums: Iterable["Sums"]) -> "Sums":
        """All of them together."""
        found = list(all_sums)
        return cls(**{one.name: total(getattr(each, one.name) for each in found) for one in fields(cls)})


@dataclass(slots=True)
class LotAccount:
    """What one lot commits: its estimate, then its contracts and the time-boxes that may still follow."""

    estimate: Decimal
    further_iterations: int
    further_ceiling: Decimal
    contracts: list["ContractAccount"] = field(default_factory=list)
    has_ended: bool = False
    goes_on: bool = True

    @property
    def committed(self) -> Decimal:
        if not self.contracts:
            return ZERO if self.has_ended else self.estimate
        left = self.further_iterations - (len(self.contracts) - 1) if self.goes_on else 0
        return total(one.committed for one in self.contracts) + left * self.further_ceiling


@dataclass(slots=True)
class ContractAccount:
    """A signed contract: its value while it runs, what was accepted once it has ended."""

    value: Decimal
    accepted: Decimal = ZERO
    invoiced: Decimal = ZERO
    invoiced_gross: Decimal = ZERO
    paid: Decimal = ZERO
    paid_gross: Decimal = ZERO
    has_ended: bool = False

    @property
    def committed(self) -> Decimal:
        return self.accepted if self.has_ended else self.value


@dataclass(slots=True)
class Book:
    """All lots of one play."""

    lots: list[LotAccount] = field(default_factory=list)

    @property
    def contracts(self) -> list[ContractAccount]:
        return [contract for lot in self.lots for contract in lot.contracts]

    def sums(self) -> Sums:
        contracts = self.contracts
        return Sums(
            committed=total(lot.committed for lot in self.lots),
            contracted=total(one.value for one in contracts),
            accepted=total(one.accepted for one in contracts),
            invoiced=total(one.invoiced for one in contracts),
            invoiced_gross=total(one.invoiced_gross for one in contracts),
            paid=total(one.paid for one in contracts),
            paid_gross=total(one.paid_gross for one in contracts),
        )

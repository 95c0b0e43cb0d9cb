"""What was sent of an outcome, judged as a whole, and as its rows hold it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from procure.cpv import service as cpv
from procure.kit.errors import Faults
from procure.kit.ids import new_id
from procure.kit.money import Money
from procure.outcomes import rules
from procure.outcomes.models import BudgetLine, Measure, Option, TeamMember
from procure.outcomes.rules import BudgetShare
from procure.outcomes.schemas import MeasureDraft, OptionDraft


def columns(changes: dict[str, Any]) -> dict[str, Any]:
    """A patch's fields as the row holds them."""
    columns = dict(changes)
    if money := columns.pop("envelope", None):
        columns.update(envelope=money.value, currency=money.currency)
    if columns.get("cpv"):
        columns["cpv"] = cpv.canonical(columns["cpv"])
    if (options := columns.pop("options", None)) is not None:
        columns["options"] = options_of(options)
    if (lines := columns.pop("budget_lines", None)) is not None:
        columns["budget_lines"] = budget_lines(lines)
    if (team := columns.pop("team", None)) is not None:
        columns["team"] = [TeamMember(one.person_id, one.discipline) for one in team]
    return columns


def options_of(drafts: Sequence[OptionDraft]) -> list[Option]:
    return [Option(one.title, one.reason, one.chosen, one.buys) for one in drafts]


def budget_lines(given: Sequence[BudgetLine]) -> list[BudgetLine]:
    """As the row holds them: every amount with its hundredths."""
    return [msgspec.structs.replace(one, amount=Money.of(one.amount.value, one.amount.currency)) for one in given]


def shares(lines: Sequence[BudgetLine]) -> list[BudgetShare]:
    return [
        BudgetShare(
            place=(one.code, one.cost_centre, one.financial_year),
            financial_year=one.financial_year,
            amount=one.amount.value,
            currency=one.amount.currency,
        )
        for one in lines
    ]


def check(
    envelope: Money,
    disciplines: list[str],
    statement: str,
    measures: Sequence[MeasureDraft],
    code: str | None,
    *,
    options: Sequence[Option | OptionDraft],
    budget_lines: Sequence[BudgetLine],
) -> None:
    faults = Faults()
    rules.check_options(faults, [one.buys for one in options])
    rules.check_budget_lines(faults, shares(budget_lines), envelope.value, envelope.currency)
    if code and not cpv.is_known(code):
        near = ", ".join(f"{one.written} ({one.name})" for one in cpv.nearest(code))
        faults.add(
            "/cpv", "unknown-cpv", f"There is no CPV code {code}; near it are {near}. `GET /v1/cpv` finds others."
        )
    faults.unless(envelope.currency == "GBP", "/envelope/currency", "currency", "The only currency here is GBP.")
    for index, one in enumerate(measures):
        baseline = (Decimal(one.baseline.value), one.baseline.on)
        target = (Decimal(one.target.value), one.target.on)
        rules.check_measure(faults, f"/measures/{index}", one.direction, baseline, target, one.review_dates)
    rules.check_outcome(faults, envelope.value, disciplines, statement)


def measures_of(outcome_id: UUID, drafts: Sequence[MeasureDraft]) -> list[Measure]:
    return [
        Measure(
            id=new_id(),
            outcome_id=outcome_id,
            number=number,
            name=one.name,
            unit=one.unit,
            direction=one.direction,
            baseline_value=Decimal(one.baseline.value),
            baseline_on=one.baseline.on,
            target_value=Decimal(one.target.value),
            target_on=one.target.on,
            method=one.method,
            review_dates=one.review_dates,
        )
        for number, one in enumerate(drafts, start=1)
    ]

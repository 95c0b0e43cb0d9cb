"""From what an officer sent to a whole lot: what policy works out, from what stands on the outcome, the dated rows, and today."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.cpv import service as cpv
from procure.kit.errors import Faults
from procure.kit.money import Money
from procure.lots import defaults
from procure.lots.defaults import Defaults
from procure.lots.models import Criterion, Deliverable, Lot, LotDefaults, Place
from procure.lots.rules import CriterionKind, Ip, Phase, Remote, region_of
from procure.lots.schemas import CONTENT, CriterionDraft, DeliverableDraft, FurtherIterations, LotDraft
from procure.outcomes.models import Measure, Outcome
from procure.policy.rules import Policy
from procure.policy.service import policy_for
from procure.policy.working_days import local_day


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a draft stands on: its buyer's rules of today, and its outcome."""

    policy: Policy
    defaults: Defaults
    cpv: str | None
    measure_ids: Sequence[UUID]
    now: datetime


async def ground_under(db: AsyncSession, outcome: Outcome, now: datetime) -> Ground:
    measures = select(Measure.id).where(Measure.outcome_id == outcome.id).order_by(Measure.number)
    return Ground(
        policy=await policy_for(db, outcome.buyer_id, outcome.tested, now),
        defaults=await defaults_of(db, outcome.buyer_id, local_day(now)),
        cpv=outcome.cpv,
        measure_ids=(await db.scalars(measures)).all(),
        now=now,
    )


async def ground_without(db: AsyncSession, buyer_id: UUID, data: LotDraft, now: datetime) -> Ground:
    """Of a draft that is refused for its outcome, so that the faults of its own are told as well."""
    envelope = data.outcome.envelope.value if data.outcome else data.ceiling.value
    return Ground(
        policy=await policy_for(db, buyer_id, envelope, now),
        defaults=await defaults_of(db, buyer_id, local_day(now)),
        cpv=cpv.canonical(data.outcome.cpv) if data.outcome and data.outcome.cpv else None,
        measure_ids=(),
        now=now,
    )


async def defaults_of(db: AsyncSession, buyer_id: UUID, on: date) -> Defaults:
    """The buyer's own row in force if it has one, else the platform's; those of the code where none is loaded."""
    row = LotDefaults
    statement = (
        select(row.defaults)
        .where(row.valid_from <= on, or_(row.organisation_id == buyer_id, row.organisation_id.is_(None)))
        .order_by(row.organisation_id.is_(None), row.valid_from.desc())
        .limit(1)
    )
    return await db.scalar(statement) or Defaults()


def said_in(data: LotDraft) -> dict[str, Any]:
    return {name: getattr(data, name) for name in CONTENT}


def said_of(lot: Lot) -> dict[str, Any]:
    """A lot's content as it would be sent: what policy worked out is open again."""
    end = defaults.due_on(lot.starts_on, lot.duration_days, lot.policy.nation)
    other: dict[str, Any] = {
        "deliverables": [
            DeliverableDraft(one.title, one.acceptance_criteria, None if one.due_on == end else one.due_on)
            for one in lot.deliverables
        ],
        "criteria": [CriterionDraft(one.name, one.kind, one.weight, one.minimum_score) for one in lot.criteria],
        "ceiling": Money.of(lot.ceiling, lot.currency),
        "further_iterations": FurtherIterations(lot.further_iterations, Money.of(lot.further_ceiling, lot.currency)),
    }
    said = {name: other.get(name, getattr(lot, name)) for name in CONTENT}
    return said | dict.fromkeys(lot.derived)


#: Of a lot, what is of its own time.
CALENDAR = ("enquiries_close_at", "closes_at", "starts_on")


def copied(lot: Lot, *, same_outcome: bool) -> dict[str, Any]:
    """A lot's content for a new one: its calendar is worked out anew, what is due keeps its distance from the start."""
    undated = [DeliverableDraft(one.title, one.acceptance_criteria) for one in lot.deliverables]
    aims = {} if same_outcome else {"measure_ids": None}
    return said_of(lot) | dict.fromkeys(CALENDAR) | {"deliverables": undated} | aims


def due_days(lot: Lot) -> list[int]:
    return [(one.due_on - lot.starts_on).days for one in lot.deliverables]


def work_out(said: Mapping[str, Any], ground: Ground, due: Sequence[int] = ()) -> dict[str, Any]:
    """The columns of a lot, each field that is None in `said` worked out. `due`: days from the start, for deliverables without a date."""
    policy, of, now = ground.policy, ground.defaults, ground.now
    found = dict(said)
    # In this order: later ones are reckoned from those before.
    makers: dict[str, Callable[[], Any]] = {
        "phase": lambda: Phase.DISCOVER,
        "measure_ids": lambda: list(ground.measure_ids),
        "closes_at": lambda: defaults.closes_at(policy, of, now),
        "enquiries_close_at": lambda: defaults.enquiries_close_at(policy, of, found["closes_at"], now),
        "starts_on": lambda: defaults.starts_on(policy, of, found["closes_at"]),
        "duration_days": lambda: defaults.duration_days(of, policy.limits),
        "criteria": lambda: [
            CriterionDraft(one.name, CriterionKind(one.kind), one.weight, one.minimum_score) for one in of.criteria
        ],
        "further_iterations": lambda: FurtherIterations(0, Money("0.00", found["ceiling"].currency)),
        "validity_days": lambda: policy.limits.tender_validity_days_min,
        "cpv": lambda: ground.cpv,
        "cpv_additional": list,
        "place": lambda: Place(policy.nation, region_of(policy.nation)),
        "skills": list,
        "remote": lambda: Remote.HYBRID,
        "ip": lambda: Ip.BUYER_OWNS,
    }
    for name, make in makers.items():
        if found[name] is None:
            found[name] = make()
    found["cpv"], *found["cpv_additional"] = map(_eight_digits, (found["cpv"], *found["cpv_additional"]))
    found["deliverables"] = _dated(found, policy, due)
    derived = sorted(name for name in said if said[name] is None)
    return {**columns(found), "derived": derived, "policy": policy, "band": policy.band}


def _eight_digits(code: str | None) -> str | None:
    """Without its check digit; one that there is not stays as it is, to be told."""
    return code and (cpv.canonical(code) or code)


def _dated(found: Mapping[str, Any], policy: Policy, due: Sequence[int]) -> list[DeliverableDraft]:
    """With a date for each: so many days from the start, or the end of the time-box."""
    starts_on, days = found["starts_on"], found["duration_days"]
    end = defaults.due_on(starts_on, days, policy.nation)
    at = [starts_on + timedelta(days=min(one, days)) for one in due] or [end] * len(found["deliverables"])
    return [
        DeliverableDraft(one.title, one.acceptance_criteria, one.due_on or day)
        for one, day in zip(found["deliverables"], at, strict=True)
    ]


def columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """A draft's fields as the row holds them."""
    # In UTC, as they are read back: a reply has the bytes of the read that has its tag.
    made: dict[str, Any] = {
        name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in values.items()
    }
    made["deliverables"] = [
        Deliverable(f"D{number}", one.title, one.due_on, one.acceptance_criteria)
        for number, one in enumerate(made["deliverables"], start=1)
    ]
    made["criteria"] = [
        Criterion(f"C{number}", one.name, one.kind, one.weight, one.minimum_score)
        for number, one in enumerate(made["criteria"], start=1)
    ]
    ceiling, further = made.pop("ceiling"), made.pop("further_iterations")
    return made | {
        "currency": ceiling.currency,
        "ceiling": ceiling.value,
        "further_iterations": further.count,
        "further_ceiling": further.ceiling.value,
    }


def check_one_currency(faults: Faults, further: FurtherIterations | None, currency: str) -> None:
    """The row has one currency for all of its amounts; an amount in another one is refused, never relabelled."""
    if further is not None and further.ceiling.currency != currency:
        at = "/further_iterations/ceiling/currency"
        faults.add(at, "currency", f"All amounts of a lot are in one currency, here {currency}.")

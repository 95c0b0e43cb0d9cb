"""What is sent and answered about outcomes."""

from datetime import date
from decimal import Decimal
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from procure.kit.actor import Actor
from procure.kit.etags import tag_of
from procure.kit.fields import Cpv, CpvGiven, Instant, Line, Name, Paragraph, Quantity, Reference
from procure.kit.money import Money
from procure.organisations.schemas import Party
from procure.outcomes.models import Measure, Observation, Option, Outcome
from procure.outcomes.rules import Direction, OutcomeStatus

#: How far from the baseline to the target, as a decimal string: 0 none of it, 1 all of it, to four places.
Progress = Annotated[str, Meta(pattern=r"^-?[0-9]{1,40}\.[0-9]{4}$", max_length=46)]


class DatedValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value on a day; the value is a decimal string in the measure's unit."""

    value: Quantity
    on: date


class OptionDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An option that was considered."""

    title: Line
    reason: Line
    chosen: bool = False


class TeamMemberDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person of the team and their discipline."""

    person_id: UUID
    discipline: Name


class MeasureDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the change will be observed."""

    name: Line
    unit: Name
    direction: Direction
    baseline: DatedValue
    target: DatedValue
    method: Line


Options = Annotated[list[OptionDraft], Meta(min_length=1, max_length=20)]
Team = Annotated[list[TeamMemberDraft], Meta(min_length=2, max_length=30)]
Measures = Annotated[list[MeasureDraft], Meta(min_length=1, max_length=20)]


class OutcomeDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An outcome to be written down. `envelope` is net: the most that may ever be committed to it.

    Without a `title` it is called by the first sentence of its statement.
    """

    EXAMPLE: ClassVar[object] = {
        "title": "Housing-benefit changes decided in two days",
        "statement": "A resident's housing-benefit change is decided in two days instead of nineteen.",
        "beneficiaries": "Residents who receive housing benefit",
        "options": [
            {"title": "Ourselves, with a simpler form", "reason": "Tried in spring, saved three days", "chosen": False},
            {"title": "A small team for a few weeks at a time", "reason": "Quickest way to learn", "chosen": True},
        ],
        "team": [
            {"person_id": "0199c0de-0000-7000-8000-00000000000a", "discipline": "service design"},
            {"person_id": "0199c0de-0000-7000-8000-00000000000b", "discipline": "engineering"},
        ],
        "envelope": {"amount": "90000.00", "currency": "GBP"},
        "cpv": "72200000",
        "measures": [
            {
                "name": "Median days from change to decision",
                "unit": "days",
                "direction": "decrease",
                "baseline": {"value": "19", "on": "2026-09-30"},
                "target": {"value": "2", "on": "2027-09-30"},
                "method": "Median of all decisions in the month, from the case system",
            }
        ],
    }

    statement: Paragraph
    beneficiaries: Line
    options: Options
    team: Team
    envelope: Money
    measures: Measures
    title: Line | None = None
    cpv: CpvGiven | None = None


class OutcomePatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What changes in a draft; a field left out stays as it is."""

    EXAMPLE: ClassVar[object] = {"beneficiaries": "Residents who receive housing benefit, and their landlords"}

    title: Line | UnsetType = UNSET
    statement: Paragraph | UnsetType = UNSET
    beneficiaries: Line | UnsetType = UNSET
    options: Options | UnsetType = UNSET
    team: Team | UnsetType = UNSET
    envelope: Money | UnsetType = UNSET
    measures: Measures | UnsetType = UNSET
    cpv: CpvGiven | UnsetType | None = UNSET


class EndDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an outcome ends, and why."""

    EXAMPLE: ClassVar[object] = {"status": "achieved", "reason": "Two days median for three months running"}

    status: OutcomeStatus
    reason: Paragraph


class ObservationDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a measure was seen to be."""

    EXAMPLE: ClassVar[object] = {
        "value": "9.5",
        "observed_on": "2026-11-30",
        "source": "Case system, monthly report",
        "evidence": "1,204 decisions in November",
    }

    value: Quantity
    observed_on: date
    source: Line
    evidence: Paragraph | None = None
    supersedes_id: UUID | None = None


class ObservationView(msgspec.Struct, frozen=True, kw_only=True):
    """One observation."""

    id: UUID
    measure_id: UUID
    value: Quantity
    observed_on: date
    source: Line
    evidence: Paragraph | None
    contract_id: UUID | None
    supersedes_id: UUID | None
    recorded_at: Instant

    @classmethod
    def of(cls, row: Observation) -> "ObservationView":
        return cls(
            id=row.id,
            measure_id=row.measure_id,
            value=plain(row.value),
            observed_on=row.observed_on,
            source=row.source,
            evidence=row.evidence,
            contract_id=row.contract_id,
            supersedes_id=row.supersedes_id,
            recorded_at=row.recorded_at,
        )

    @property
    def etag(self) -> str:
        """An observation is never edited."""
        return tag_of(ObservationView, self.id)


class MeasureView(msgspec.Struct, frozen=True, kw_only=True):
    """A measure with what was last seen. `progress` 1 is the target, below 0 is worse than the baseline, null is unknown."""

    id: UUID
    name: Line
    unit: Name
    direction: Direction
    baseline: DatedValue
    target: DatedValue
    method: Line
    latest: DatedValue | None
    progress: Progress | None

    @classmethod
    def of(cls, row: Measure, latest: Observation | None, progress: Decimal | None) -> "MeasureView":
        return cls(
            id=row.id,
            name=row.name,
            unit=row.unit,
            direction=row.direction,
            baseline=DatedValue(plain(row.baseline_value), row.baseline_on),
            target=DatedValue(plain(row.target_value), row.target_on),
            method=row.method,
            latest=DatedValue(plain(latest.value), latest.observed_on) if latest else None,
            progress=f"{progress:f}" if progress is not None else None,
        )


class LedgerView(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of the ledger, net: `committed` never passes the envelope."""

    committed: Money
    accepted: Money
    paid: Money
    uncommitted: Money


class TeamMemberView(msgspec.Struct, frozen=True):
    """A discipline of the team. Who has it is for the buyer's own people; `person_id` is null for everybody else."""

    discipline: Name
    person_id: UUID | None


class OutcomeView(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome with its measures, their progress, and what is committed, accepted and paid."""

    id: UUID
    reference: Reference
    buyer: Party
    status: OutcomeStatus
    title: Line
    statement: Paragraph
    beneficiaries: Line
    options: Annotated[list[Option], Meta(max_length=20)]
    team: Annotated[list[TeamMemberView], Meta(max_length=30)]
    envelope: Money
    cpv: Cpv | None
    measures: Annotated[list[MeasureView], Meta(max_length=20)]
    ledger: LedgerView
    activated_at: Instant | None
    ended_at: Instant | None
    end_reason: Paragraph | None
    created_at: Instant
    version: int

    @classmethod
    def of(cls, row: Outcome, measures: list[MeasureView], ledger: LedgerView, actor: Actor) -> "OutcomeView":
        is_own = actor.buyer_id == row.buyer_id
        return cls(
            id=row.id,
            reference=row.reference,
            buyer=Party(row.buyer_id, row.buyer_name),
            status=row.status,
            title=row.title,
            statement=row.statement,
            beneficiaries=row.beneficiaries,
            options=row.options,
            team=[TeamMemberView(one.discipline, one.person_id if is_own else None) for one in row.team],
            envelope=Money.of(row.envelope, row.currency),
            cpv=row.cpv,
            measures=measures,
            ledger=ledger,
            activated_at=row.activated_at,
            ended_at=row.ended_at,
            end_reason=row.end_reason,
            created_at=row.created_at,
            version=row.version,
        )

    @classmethod
    def tag(cls, outcome_id: UUID, version: int, ledger: LedgerView, *, names_team: bool) -> str:
        """Of an outcome as it is shown to this caller. The ledger moves without the outcome: later steps write it."""
        return tag_of(cls, outcome_id, version, ledger, names_team)

    @classmethod
    def tag_for(cls, row: Outcome, ledger: LedgerView, actor: Actor) -> str:
        return cls.tag(row.id, row.version, ledger, names_team=bool(row.team) and actor.buyer_id == row.buyer_id)

    @property
    def etag(self) -> str:
        names_team = any(one.person_id is not None for one in self.team)
        return self.tag(self.id, self.version, self.ledger, names_team=names_team)


class OutcomeSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome in a list."""

    id: UUID
    reference: Reference
    buyer: Party
    status: OutcomeStatus
    title: Line
    envelope: Money
    created_at: Instant

    @classmethod
    def of(cls, row: Outcome) -> "OutcomeSummary":
        return cls(
            id=row.id,
            reference=row.reference,
            buyer=Party(row.buyer_id, row.buyer_name),
            status=row.status,
            title=row.title,
            envelope=Money.of(row.envelope, row.currency),
            created_at=row.created_at,
        )


def plain(value: Decimal) -> str:
    """A quantity without trailing zeros and without an exponent."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

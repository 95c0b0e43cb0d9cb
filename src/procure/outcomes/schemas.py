"""What is sent and answered about outcomes."""

from datetime import date
from decimal import Decimal
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from procure.kit.actor import Actor
from procure.kit.etags import tag_of
from procure.kit.fields import (
    Count,
    Cpv,
    CpvGiven,
    Instant,
    ItemKey,
    Line,
    Link,
    Name,
    Paragraph,
    Percent,
    Quantity,
    Reference,
)
from procure.kit.money import Money
from procure.organisations.schemas import Party
from procure.outcomes import rules
from procure.outcomes.models import BudgetLine, Measure, Observation, Option, Outcome, Proposal
from procure.outcomes.rules import Direction, OutcomeStatus, ProposalKind, ProposalStatus, Standing, Trend
from procure.policy.rules import Band

#: How far from the baseline to the target, as a decimal string: 0 none of it, 1 all of it, to four places.
Progress = Annotated[str, Meta(pattern=r"^-?[0-9]{1,40}\.[0-9]{4}$", max_length=46)]


class DatedValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value on a day; the value is a decimal string in the measure's unit."""

    value: Quantity
    on: date


class OptionDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An option that was considered. One of them buys nothing."""

    title: Line
    reason: Line
    chosen: bool = False
    buys: bool = True


class TeamMemberDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person of the team and their discipline."""

    person_id: UUID
    discipline: Name


ReviewDates = Annotated[list[date], Meta(max_length=24)]


class MeasureDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the change will be observed, and on which days before the target's it is looked at."""

    name: Line
    unit: Name
    direction: Direction
    baseline: DatedValue
    target: DatedValue
    method: Line
    review_dates: ReviewDates = []


Options = Annotated[list[OptionDraft], Meta(min_length=1, max_length=20)]
Team = Annotated[list[TeamMemberDraft], Meta(min_length=2, max_length=30)]
Measures = Annotated[list[MeasureDraft], Meta(min_length=1, max_length=20)]
BudgetLines = Annotated[list[BudgetLine], Meta(max_length=50)]


class OutcomeDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An outcome to be written down. `envelope` is net: the most that may ever be committed to it.

    At least one option buys nothing. `budget_lines`, where there are any, come to the envelope exactly; they are public, as it is.
    Without a `title` it is called by the first sentence of its statement.
    """

    EXAMPLE: ClassVar[object] = {
        "title": "Housing-benefit changes decided in two days",
        "statement": "A resident's housing-benefit change is decided in two days instead of nineteen.",
        "beneficiaries": "Residents who receive housing benefit",
        "options": [
            {"title": "Ourselves, with a simpler form", "reason": "Tried in spring, saved three days", "buys": False},
            {"title": "A small team for a few weeks at a time", "reason": "Quickest way to learn", "chosen": True},
        ],
        "team": [
            {"person_id": "0199c0de-0000-7000-8000-00000000000a", "discipline": "service design"},
            {"person_id": "0199c0de-0000-7000-8000-00000000000b", "discipline": "engineering"},
        ],
        "envelope": {"amount": "90000.00", "currency": "GBP"},
        "budget_lines": [
            {
                "code": "4120",
                "cost_centre": "HB-01",
                "financial_year": "2026/27",
                "amount": {"amount": "60000.00", "currency": "GBP"},
            },
            {
                "code": "4120",
                "cost_centre": "HB-01",
                "financial_year": "2027/28",
                "amount": {"amount": "30000.00", "currency": "GBP"},
                "name": "Service improvement",
            },
        ],
        "cpv": "72200000",
        "measures": [
            {
                "name": "Median days from change to decision",
                "unit": "days",
                "direction": "decrease",
                "baseline": {"value": "19", "on": "2026-09-30"},
                "target": {"value": "2", "on": "2027-09-30"},
                "method": "Median of all decisions in the month, from the case system",
                "review_dates": ["2027-01-15", "2027-05-14"],
            }
        ],
    }

    statement: Paragraph
    beneficiaries: Line
    options: Options
    team: Team
    envelope: Money
    measures: Measures
    budget_lines: BudgetLines = []
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
    budget_lines: BudgetLines | UnsetType = UNSET
    cpv: CpvGiven | UnsetType | None = UNSET


class EndDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an outcome ends, and why."""

    EXAMPLE: ClassVar[object] = {"status": "achieved", "reason": "Two days median for three months running"}

    status: OutcomeStatus
    reason: Paragraph


#: Where the evidence can be seen.
Links = Annotated[list[Link], Meta(max_length=10)]


class ObservationDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a measure was seen to be."""

    EXAMPLE: ClassVar[object] = {
        "value": "9.5",
        "observed_on": "2026-11-30",
        "source": "Case system, monthly report",
        "evidence": "1,204 decisions in November",
        "links": ["https://data.council.example/housing-benefit/2026-11"],
    }

    value: Quantity
    observed_on: date
    source: Line
    evidence: Paragraph | None = None
    links: Links = []
    supersedes_id: UUID | None = None


class ObservationView(msgspec.Struct, frozen=True, kw_only=True):
    """One observation; `contract_id` and `deliverable` are what it was recorded against."""

    id: UUID
    outcome_id: UUID
    measure_id: UUID
    value: Quantity
    observed_on: date
    source: Line
    evidence: Paragraph | None
    links: Links
    contract_id: UUID | None
    deliverable: ItemKey | None
    supersedes_id: UUID | None
    recorded_at: Instant

    @classmethod
    def of(cls, row: Observation) -> "ObservationView":
        return cls(
            id=row.id,
            outcome_id=row.outcome_id,
            measure_id=row.measure_id,
            value=plain(row.value),
            observed_on=row.observed_on,
            source=row.source,
            evidence=row.evidence,
            links=row.links,
            contract_id=row.contract_id,
            deliverable=row.deliverable,
            supersedes_id=row.supersedes_id,
            recorded_at=row.recorded_at,
        )

    @property
    def etag(self) -> str:
        """An observation is never edited."""
        return tag_of(ObservationView, self.id)


class MeasureView(msgspec.Struct, frozen=True, kw_only=True):
    """A measure with what was last seen. `progress` 1 is the target, below 0 is worse than the baseline, null is unknown.

    `standing` says the same in a word, `trend` which way it last went. `next_review_on` is the first day set for a look that has no
    observation on or after it: once it is past, the look is overdue.
    """

    id: UUID
    name: Line
    unit: Name
    direction: Direction
    baseline: DatedValue
    target: DatedValue
    method: Line
    review_dates: ReviewDates
    latest: DatedValue | None
    progress: Progress | None
    standing: Standing
    trend: Trend | None
    next_review_on: date | None

    @classmethod
    def of(cls, row: Measure, latest: Observation | None, before: Observation | None) -> "MeasureView":
        """`before` is the observation before the latest one; the trend is from the baseline where there is none."""
        seen = latest.value if latest else None
        progress = rules.progress(row.baseline_value, row.target_value, seen)
        compared = before.value if before else row.baseline_value
        return cls(
            id=row.id,
            name=row.name,
            unit=row.unit,
            direction=row.direction,
            baseline=DatedValue(plain(row.baseline_value), row.baseline_on),
            target=DatedValue(plain(row.target_value), row.target_on),
            method=row.method,
            review_dates=row.review_dates,
            latest=DatedValue(plain(latest.value), latest.observed_on) if latest else None,
            progress=f"{progress:f}" if progress is not None else None,
            standing=rules.standing(row.direction, row.baseline_value, row.target_value, seen),
            trend=rules.trend(row.direction, compared, seen) if seen is not None else None,
            next_review_on=rules.next_review(row.review_dates, row.target_on, latest.observed_on if latest else None),
        )


class LedgerView(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of the ledger, net: `committed` never passes the envelope."""

    committed: Money
    accepted: Money
    paid: Money
    uncommitted: Money


class ProposalView(msgspec.Struct, frozen=True, kw_only=True):
    """Another envelope or estimate (net), why, and what became of it. `…_as` is what they know, or their role: never a name."""

    id: UUID
    outcome_id: UUID
    kind: ProposalKind
    status: ProposalStatus
    amount: Money
    amount_before: Money
    budget_lines: BudgetLines
    reason: Paragraph
    proposed_as: Name
    proposed_at: Instant
    decided_as: Name | None
    decided_at: Instant | None
    decision_reason: Paragraph | None

    @classmethod
    def of(cls, row: Proposal) -> "ProposalView":
        return cls(
            id=row.id,
            outcome_id=row.outcome_id,
            kind=row.kind,
            status=row.status,
            amount=Money.of(row.amount, row.currency),
            amount_before=Money.of(row.amount_before, row.currency),
            budget_lines=row.budget_lines,
            reason=row.reason,
            proposed_as=row.proposed_as,
            proposed_at=row.proposed_at,
            decided_as=row.decided_as,
            decided_at=row.decided_at,
            decision_reason=row.decision_reason,
        )

    @property
    def etag(self) -> str:
        """It moves once, when it is decided."""
        return tag_of(ProposalView, self.id, self.status)


class EstimateView(msgspec.Struct, frozen=True, kw_only=True):
    """What decides the rules that hold for the outcome's lots: the most that it could come to, and the band that this reaches today.

    It is the envelope, or less where another person has approved the reason (`proposal`): then commitments never pass it.
    `…gross` includes VAT at today's `vat_rate`, in percent. These and `band` are null while no policy is in force, and
    an amount where it is beyond what one can be.
    """

    net: Money
    gross: Money | None
    committed_gross: Money | None
    envelope_gross: Money | None
    vat_rate: Percent | None
    band: Band | None
    proposal: ProposalView | None


class SiblingsView(msgspec.Struct, frozen=True, kw_only=True):
    """How many other outcomes of the buyer are of the same CPV group at the same time, and what all of them come to with this one.

    They may be one need: then they are one estimate. `gross` includes VAT, `band` is the one that it would reach.
    """

    count: Count
    net: Money | None
    gross: Money | None
    band: Band | None


class SiblingView(msgspec.Struct, frozen=True, kw_only=True):
    """Another outcome that may be the same need. `value` is its envelope, or what it came to once it has ended (net).

    It runs from its activation until its end; one that is active, until its last target or today, whichever is later. `together_gross`
    is what the two come to, VAT included, and `band` the one that this would reach.
    """

    id: UUID
    reference: Reference
    title: Line
    status: OutcomeStatus
    cpv: Cpv
    starts_on: date
    ends_on: date
    value: Money
    together_gross: Money | None
    band: Band | None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of an outcome that moves without its row: later steps, other outcomes and dated rules move it."""

    ledger: LedgerView
    estimate: EstimateView
    siblings: SiblingsView


class TeamMemberView(msgspec.Struct, frozen=True):
    """A discipline of the team. Who has it is for the buyer's own people; `person_id` is null for everybody else."""

    discipline: Name
    person_id: UUID | None


class OutcomeView(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome with its measures, their progress, what is committed, accepted and paid, and what decides the rules for its lots.

    `open_proposal` is the other envelope or estimate that waits for approval, if one does.
    """

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
    budget_lines: BudgetLines
    cpv: Cpv | None
    measures: Annotated[list[MeasureView], Meta(max_length=20)]
    ledger: LedgerView
    estimate: EstimateView
    siblings: SiblingsView
    open_proposal: ProposalView | None
    activated_at: Instant | None
    ended_at: Instant | None
    end_reason: Paragraph | None
    created_at: Instant
    version: int

    @classmethod
    def of(
        cls, row: Outcome, measures: list[MeasureView], figures: Figures, waiting: Proposal | None, actor: Actor
    ) -> "OutcomeView":
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
            budget_lines=row.budget_lines,
            cpv=row.cpv,
            measures=measures,
            ledger=figures.ledger,
            estimate=figures.estimate,
            siblings=figures.siblings,
            open_proposal=ProposalView.of(waiting) if waiting else None,
            activated_at=row.activated_at,
            ended_at=row.ended_at,
            end_reason=row.end_reason,
            created_at=row.created_at,
            version=row.version,
        )

    @classmethod
    def tag(cls, outcome_id: UUID, version: int, figures: Figures, *, names_team: bool) -> str:
        """Of an outcome as it is shown to this caller."""
        return tag_of(cls, outcome_id, version, figures, names_team)

    @classmethod
    def tag_for(cls, row: Outcome, figures: Figures, actor: Actor) -> str:
        return cls.tag(row.id, row.version, figures, names_team=bool(row.team) and actor.buyer_id == row.buyer_id)

    @property
    def etag(self) -> str:
        names_team = any(one.person_id is not None for one in self.team)
        figures = Figures(ledger=self.ledger, estimate=self.estimate, siblings=self.siblings)
        return self.tag(self.id, self.version, figures, names_team=names_team)


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

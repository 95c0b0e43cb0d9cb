"""Outcomes, their measures and observations, and the ledger that lots and contracts write through `outcomes.service`."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
from sqlalchemy import ARRAY, CheckConstraint, Date, ForeignKey, Index, Numeric, Sequence, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from procure.kit.db import Base, Structs, Versioned
from procure.kit.fields import FinancialYear, Line, Link, Name
from procure.kit.money import Money
from procure.outcomes.rules import (
    NEXT,
    PROPOSAL_NEXT,
    Direction,
    LedgerKind,
    OutcomeStatus,
    ProposalKind,
    ProposalStatus,
)

reference_numbers = Sequence("outcome_references", metadata=Base.metadata)


class Option(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An option that was considered, "ourselves" and "no technology" among them, and why it was taken or not.

    `buys` says whether it takes a purchase.
    """

    title: Line
    reason: Line
    chosen: bool = False
    buys: bool = True


class BudgetLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a part of the envelope (net) comes from: a code of the buyer's own books, its cost centre and its year."""

    code: Name
    cost_centre: Name
    financial_year: FinancialYear
    amount: Money
    name: Line | None = None


class TeamMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person behind the outcome, and what they know."""

    person_id: UUID
    discipline: Name


class Outcome(Versioned, Base):
    """A change in the world that a buyer wants, with its envelope (net)."""

    __tablename__ = "outcomes"
    __table_args__ = (
        Index("ix_outcomes_buyer_id", "buyer_id", "created_at", "id"),
        Index("ix_outcomes_created_at", "created_at", "id"),
        CheckConstraint("envelope > 0", name="envelope"),
        CheckConstraint("estimate > 0 AND estimate < envelope", name="estimate"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    buyer_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    buyer_name: Mapped[str]
    status: Mapped[OutcomeStatus] = mapped_column(default=OutcomeStatus.DRAFT)
    title: Mapped[str]
    statement: Mapped[str]
    beneficiaries: Mapped[str]
    options: Mapped[list[Option]] = mapped_column(Structs(list[Option]))
    team: Mapped[list[TeamMember]] = mapped_column(Structs(list[TeamMember]))
    envelope: Mapped[Decimal]
    currency: Mapped[str]
    budget_lines: Mapped[list[BudgetLine]] = mapped_column(
        Structs(list[BudgetLine]), server_default=text("'[]'"), default=list
    )
    cpv: Mapped[str | None]
    #: Net, where less than the envelope is tested (`proposals`): what decides the band, and commitments never pass.
    estimate: Mapped[Decimal | None]
    estimate_proposal_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("outcome_proposals.id", use_alter=True, name="fk_outcomes_estimate_proposal_id_outcome_proposals")
    )
    prepared_by: Mapped[list[UUID]]
    activated_by: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    activated_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.app_now())

    @property
    def tested(self) -> Decimal:
        """What decides the band (net): the envelope, or what is tested of it."""
        return self.envelope if self.estimate is None else self.estimate

    measures: Mapped[list["Measure"]] = relationship(lazy="raise", order_by="Measure.number")

    def move_to(self, status: OutcomeStatus) -> None:
        assert status in NEXT[self.status], f"{self.status} -> {status}"
        self.status = status
        self.touch()


class Measure(Base):
    """How the change is observed: from a baseline to a target."""

    __tablename__ = "measures"
    __table_args__ = (UniqueConstraint("outcome_id", "number"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    outcome_id: Mapped[UUID] = mapped_column(ForeignKey("outcomes.id"))
    number: Mapped[int]
    name: Mapped[str]
    unit: Mapped[str]
    direction: Mapped[Direction]
    baseline_value: Mapped[Decimal] = mapped_column(Numeric(18, 4))
    baseline_on: Mapped[date]
    target_value: Mapped[Decimal] = mapped_column(Numeric(18, 4))
    target_on: Mapped[date]
    method: Mapped[str]
    review_dates: Mapped[list[date]] = mapped_column(ARRAY(Date), server_default=text("'{}'"), default=list)


class Observation(Base):
    """What a measure was seen to be. Append-only; a wrong one is superseded by a new one."""

    __tablename__ = "observations"
    __table_args__ = (Index("ix_observations_measure_id", "measure_id", "observed_on", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    outcome_id: Mapped[UUID] = mapped_column(ForeignKey("outcomes.id"), index=True)
    measure_id: Mapped[UUID] = mapped_column(ForeignKey("measures.id"))
    value: Mapped[Decimal] = mapped_column(Numeric(18, 4))
    observed_on: Mapped[date]
    source: Mapped[str]
    evidence: Mapped[str | None]
    links: Mapped[list[Link]] = mapped_column(Structs(list[Link]), server_default=text("'[]'"), default=list)
    contract_id: Mapped[UUID | None]
    deliverable: Mapped[str | None]
    supersedes_id: Mapped[UUID | None] = mapped_column(ForeignKey("observations.id"), unique=True)
    recorded_by: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.app_now())


class Proposal(Versioned, Base):
    """Another envelope, or an estimate that is less than it (net): proposed by one person, decided by another who holds the budget."""

    __tablename__ = "outcome_proposals"
    __table_args__ = (
        Index("ix_outcome_proposals_outcome_id", "outcome_id", "proposed_at", "id"),
        # One is open at a time.
        Index("uq_outcome_proposals_open", "outcome_id", unique=True, postgresql_where=text("status = 'open'")),
        CheckConstraint("amount > 0", name="amount"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    outcome_id: Mapped[UUID] = mapped_column(ForeignKey("outcomes.id"))
    kind: Mapped[ProposalKind]
    status: Mapped[ProposalStatus] = mapped_column(default=ProposalStatus.OPEN)
    amount: Mapped[Decimal]
    amount_before: Mapped[Decimal]
    currency: Mapped[str]
    budget_lines: Mapped[list[BudgetLine]] = mapped_column(Structs(list[BudgetLine]))
    reason: Mapped[str]
    proposed_by: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    proposed_as: Mapped[str]
    proposed_at: Mapped[datetime] = mapped_column(server_default=func.app_now())
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    decided_as: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None]

    def move_to(self, status: ProposalStatus) -> None:
        assert status in PROPOSAL_NEXT[self.status], f"{self.status} -> {status}"
        self.status = status
        self.touch()


def facts(row: Proposal) -> dict[str, object]:
    """What an entry's digest vouches for."""
    return {
        "id": row.id,
        "outcome_id": row.outcome_id,
        "kind": row.kind,
        "status": row.status,
        "amount": Money.of(row.amount, row.currency),
        "amount_before": Money.of(row.amount_before, row.currency),
        "budget_lines": row.budget_lines,
        "proposed_by": row.proposed_by,
        "proposed_at": row.proposed_at,
        "decided_by": row.decided_by,
        "decided_at": row.decided_at,
    }


class LedgerEntry(Base):
    """A movement of the outcome's ledger: insert-only; the sum by kind is what is committed, accepted, paid (net)."""

    __tablename__ = "outcome_ledger"
    __table_args__ = (Index("ix_outcome_ledger_outcome_id", "outcome_id", "kind", "lot_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    outcome_id: Mapped[UUID] = mapped_column(ForeignKey("outcomes.id"))
    lot_id: Mapped[UUID]
    kind: Mapped[LedgerKind]
    delta: Mapped[Decimal]
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.app_now())

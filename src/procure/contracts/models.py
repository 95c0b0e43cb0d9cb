"""Contracts, signatures, deliverables and what was submitted for them."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
from sqlalchemy import CheckConstraint, ForeignKey, Index, Sequence, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from procure.contracts.rules import DELIVERABLE_NEXT, NEXT, ContractStatus, DeliverableStatus, NextStep, Side
from procure.kit.db import Base, Structs, Versioned

reference_numbers = Sequence("contract_references", metadata=Base.metadata)


class Contract(Versioned, Base):
    """What both sides sign over the digest of `document`, the exact canonical bytes.

    `number` counts contracts under one award: 1 is the competition's own, each further one an announced iteration taken up.
    """

    __tablename__ = "contracts"
    __table_args__ = (
        UniqueConstraint("award_id", "number"),
        Index("ix_contracts_buyer_id", "buyer_id", "created_at", "id"),
        Index("ix_contracts_supplier_id", "supplier_id", "created_at", "id"),
        Index("ix_contracts_created_at", "created_at", "id"),
        CheckConstraint("status <> 'lapsed'", name="lapsed_is_derived"),
        CheckConstraint("value > 0", name="value"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    award_id: Mapped[UUID] = mapped_column(ForeignKey("awards.id"))
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lots.id"))
    outcome_id: Mapped[UUID] = mapped_column(ForeignKey("outcomes.id"))
    buyer_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    buyer_name: Mapped[str]
    supplier_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    supplier_name: Mapped[str]
    number: Mapped[int]
    status: Mapped[ContractStatus] = mapped_column(default=ContractStatus.PENDING)
    value: Mapped[Decimal]
    currency: Mapped[str]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    document: Mapped[bytes]
    digest: Mapped[bytes]
    sign_from: Mapped[datetime]
    sign_by: Mapped[datetime]
    signed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    next_step: Mapped[NextStep | None]
    learned_by_buyer: Mapped[str | None]
    learned_by_supplier: Mapped[str | None]
    prepared_by: Mapped[list[UUID]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.app_now())

    deliverables: Mapped[list["ContractDeliverable"]] = relationship(
        lazy="raise", order_by="ContractDeliverable.position"
    )

    def move_to(self, status: ContractStatus) -> None:
        assert status in NEXT[self.status], f"{self.status} -> {status}"
        self.status = status
        self.touch()


class Signature(Base):
    """One side's signature: a person, over the document's digest. Insert-only."""

    __tablename__ = "contract_signatures"

    contract_id: Mapped[UUID] = mapped_column(ForeignKey("contracts.id"), primary_key=True)
    side: Mapped[Side] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    digest: Mapped[bytes]
    signed_at: Mapped[datetime]


class ContractDeliverable(Versioned, Base):
    """A deliverable as agreed, with its price (net). Accepted, it is payable: finance selects it, there is no other row."""

    __tablename__ = "contract_deliverables"
    __table_args__ = (
        UniqueConstraint("contract_id", "key"),
        CheckConstraint("amount > 0", name="amount"),
        Index("ix_contract_deliverables_accepted", "accepted_at", "id", postgresql_where="status = 'accepted'"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    contract_id: Mapped[UUID] = mapped_column(ForeignKey("contracts.id"))
    position: Mapped[int]
    #: The lot's id for it: D1, D2 …
    key: Mapped[str]
    title: Mapped[str]
    due_on: Mapped[date]
    acceptance_criteria: Mapped[list[str]]
    amount: Mapped[Decimal]
    status: Mapped[DeliverableStatus] = mapped_column(default=DeliverableStatus.PLANNED)
    rounds: Mapped[int] = mapped_column(default=0)
    submitted_at: Mapped[datetime | None]
    review_by: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]

    def move_to(self, status: DeliverableStatus) -> None:
        assert status in DELIVERABLE_NEXT[self.status], f"{self.status} -> {status}"
        self.status = status
        self.touch()


class CriterionVerdict(msgspec.Struct, frozen=True):
    """The answer to one acceptance criterion, by its place in the list (0 is the first)."""

    criterion: int
    met: bool
    reason: str
    evidence: str | None = None


class Submission(Base):
    """One round of a deliverable: what was handed in, and the verdict on it."""

    __tablename__ = "submissions"
    __table_args__ = (UniqueConstraint("deliverable_id", "round"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    deliverable_id: Mapped[UUID] = mapped_column(ForeignKey("contract_deliverables.id"))
    round: Mapped[int]
    note: Mapped[str]
    links: Mapped[list[str]]
    submitted_by: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    submitted_at: Mapped[datetime]
    accepted: Mapped[bool | None]
    verdicts: Mapped[list[CriterionVerdict] | None] = mapped_column(Structs(list[CriterionVerdict]))
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    decided_at: Mapped[datetime | None]

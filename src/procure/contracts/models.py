"""Contracts, signatures, deliverables and what was submitted for them. `move_to` is the only place where a status is assigned."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Sequence,
    Text,
    UniqueConstraint,
    case,
    cast,
    func,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from procure.awards.models import Award
from procure.awards.rules import AwardStatus
from procure.contracts.rules import DELIVERABLE_NEXT, NEXT, ContractStatus, DeliverableStatus, NextStep, Side
from procure.kit.clock import app_now
from procure.kit.db import Base, Structs, Versioned
from procure.kit.fields import Paragraph
from procure.kit.money import Money
from procure.lots.models import Lot
from procure.lots.rules import LotStatus

reference_numbers = Sequence("contract_references", metadata=Base.metadata)


class OwedObservation(msgspec.Struct, frozen=True):
    """A measure that could not be observed when the contract ended, and the day on which it is due."""

    measure_id: UUID
    owed_on: date


class Contract(Versioned, Base):
    """What both sides sign over the digest of `document`, the exact canonical bytes.

    `number` counts contracts under one award: 1 is the competition's own, each further one an announced iteration taken up.
    """

    __tablename__ = "contracts"
    __table_args__ = (
        # One that was set aside before both sides had signed it does not count.
        Index(
            "uq_contracts_award_id_number",
            "award_id",
            "number",
            unique=True,
            postgresql_where="signed_at IS NOT NULL OR status = 'pending'",
        ),
        Index("ix_contracts_buyer_id", "buyer_id", "created_at", "id"),
        Index("ix_contracts_supplier_id", "supplier_id", "created_at", "id"),
        Index("ix_contracts_lot_id", "lot_id", "number"),
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
    document: Mapped[bytes] = mapped_column(deferred=True, deferred_raiseload=True)
    digest: Mapped[bytes]
    sign_from: Mapped[datetime]
    sign_by: Mapped[datetime]
    signed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    next_step: Mapped[NextStep | None]
    learned_by_buyer: Mapped[str | None]
    learned_by_supplier: Mapped[str | None]
    owed: Mapped[list[OwedObservation]] = mapped_column(Structs(list[OwedObservation]), default=list)
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
    reason: Paragraph | None = None
    evidence: Paragraph | None = None


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


def status_now() -> ColumnElement[str]:
    """`rules.status_at` as an expression; a test holds the two together."""
    lapsed = (Contract.status == ContractStatus.PENDING) & ((Contract.sign_by <= app_now()) | ~stands())
    return case((lapsed, ContractStatus.LAPSED.value), else_=cast(Contract.status, Text))


def stands() -> ColumnElement[bool]:
    """Whether the contract's award is still approved and its lot has not ended without a contract."""
    award = select(Award.id).join(Lot, Lot.id == Award.lot_id).where(Award.id == Contract.award_id)
    goes_on = Lot.status.in_((LotStatus.AWARDED, LotStatus.CONTRACTED))
    return award.where(Award.status == AwardStatus.APPROVED, goes_on).correlate(Contract).exists()


def facts(row: Contract | Signature | Submission) -> dict[str, object]:
    """What an entry's digest vouches for; a contract with its deliverables, which have to be loaded."""
    match row:
        case Contract():
            return _contract_facts(row)
        case Signature():
            return _named(row, "contract_id", "side", "person_id", "digest", "signed_at")
        case Submission():
            handed_in = ("id", "deliverable_id", "round", "note", "links", "submitted_by", "submitted_at")
            return _named(row, *handed_in, "accepted", "verdicts", "decided_by", "decided_at")


def _contract_facts(row: Contract) -> dict[str, object]:
    parties = ("id", "award_id", "lot_id", "outcome_id", "buyer_id", "supplier_id", "number")
    course = ("status", "starts_on", "ends_on", "digest", "sign_from", "sign_by", "signed_at", "ended_at", "end_reason")
    lessons = ("next_step", "learned_by_buyer", "learned_by_supplier", "owed")
    return {
        **_named(row, *parties, *course, *lessons),
        "value": Money.of(row.value, row.currency),
        "deliverables": [_deliverable_facts(one) for one in row.deliverables],
    }


def _deliverable_facts(row: ContractDeliverable) -> dict[str, object]:
    agreed = ("id", "key", "title", "due_on", "acceptance_criteria")
    course = ("status", "rounds", "submitted_at", "review_by", "accepted_at")
    return {**_named(row, *agreed, *course), "amount": f"{row.amount:.2f}"}


def _named(row: Base, *names: str) -> dict[str, object]:
    return {name: getattr(row, name) for name in names}

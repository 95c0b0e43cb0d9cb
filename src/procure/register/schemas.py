"""Entries of the public register. Lots and awards stand in it as their own summaries."""

from datetime import date
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from procure.contracts.models import Contract, ContractDeliverable
from procure.contracts.rules import ContractStatus, DeliverableStatus, NextStep
from procure.kit.fields import Instant, ItemKey, Line, Paragraph, Reference
from procure.kit.money import Money
from procure.organisations.schemas import Party
from procure.outcomes.models import Outcome
from procure.outcomes.rules import OutcomeStatus
from procure.outcomes.schemas import LedgerView, MeasureView


class OutcomeEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A change that a buyer wants, how far it has come, and what is committed, accepted and paid (net)."""

    id: UUID
    reference: Reference
    buyer: Party
    status: OutcomeStatus
    title: Line
    statement: Paragraph
    beneficiaries: Line
    envelope: Money
    measures: Annotated[list[MeasureView], Meta(max_length=20)]
    ledger: LedgerView
    activated_at: Instant | None
    ended_at: Instant | None
    end_reason: Paragraph | None
    created_at: Instant

    @classmethod
    def of(cls, row: Outcome, measures: list[MeasureView], ledger: LedgerView) -> "OutcomeEntry":
        return cls(
            id=row.id,
            reference=row.reference,
            buyer=Party(row.buyer_id, row.buyer_name),
            status=row.status,
            title=row.title,
            statement=row.statement,
            beneficiaries=row.beneficiaries,
            envelope=Money.of(row.envelope, row.currency),
            measures=measures,
            ledger=ledger,
            activated_at=row.activated_at,
            ended_at=row.ended_at,
            end_reason=row.end_reason,
            created_at=row.created_at,
        )


class DeliverableEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A deliverable and how far it is; its price stays between the parties."""

    key: ItemKey
    title: Line
    due_on: date
    status: DeliverableStatus
    accepted_at: Instant | None

    @classmethod
    def of(cls, row: ContractDeliverable) -> "DeliverableEntry":
        return cls(key=row.key, title=row.title, due_on=row.due_on, status=row.status, accepted_at=row.accepted_at)


class ContractEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A contract that both sides have signed: its value (net), its deliverables, what was learned and what comes next."""

    id: UUID
    reference: Reference
    award_id: UUID
    lot_id: UUID
    outcome_id: UUID
    number: int
    buyer: Party
    supplier: Party
    status: ContractStatus
    value: Money
    starts_on: date
    ends_on: date
    deliverables: Annotated[list[DeliverableEntry], Meta(max_length=100)]
    signed_at: Instant | None
    ended_at: Instant | None
    end_reason: Paragraph | None
    next_step: NextStep | None
    learned_by_buyer: Paragraph | None
    learned_by_supplier: Paragraph | None
    created_at: Instant

    @classmethod
    def of(cls, row: Contract) -> "ContractEntry":
        return cls(
            id=row.id,
            reference=row.reference,
            award_id=row.award_id,
            lot_id=row.lot_id,
            outcome_id=row.outcome_id,
            number=row.number,
            buyer=Party(row.buyer_id, row.buyer_name),
            supplier=Party(row.supplier_id, row.supplier_name),
            status=row.status,
            value=Money.of(row.value, row.currency),
            starts_on=row.starts_on,
            ends_on=row.ends_on,
            deliverables=[DeliverableEntry.of(one) for one in row.deliverables],
            signed_at=row.signed_at,
            ended_at=row.ended_at,
            end_reason=row.end_reason,
            next_step=row.next_step,
            learned_by_buyer=row.learned_by_buyer,
            learned_by_supplier=row.learned_by_supplier,
            created_at=row.created_at,
        )

"""What is sent and answered about contracts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import Meta

from procure.contracts.models import (
    Contract,
    ContractDeliverable,
    CriterionVerdict,
    OwedObservation,
    Signature,
    Submission,
)
from procure.contracts.rules import ContractStatus, DeliverableStatus, NextStep, Side
from procure.kit.fields import Digest, Everything, Instant, ItemKey, Line, Link, Paragraph, Reference
from procure.kit.money import Money
from procure.lots.models import AcceptanceCriteria
from procure.organisations.schemas import Party

#: SHA-256, in hexadecimal.


class Signing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What you sign: the SHA-256 of the document's bytes as you read them, in hexadecimal."""

    EXAMPLE: ClassVar[object] = {"digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}

    digest: Digest


class SignatureView(msgspec.Struct, frozen=True):
    """Who signed for which side, and when."""

    side: Side
    person_id: UUID
    signed_at: Instant


class SubmissionView(msgspec.Struct, frozen=True, kw_only=True):
    """What was handed in, and the verdict on it once there is one."""

    round: int
    note: Paragraph
    links: Annotated[list[Link], Meta(max_length=20)]
    submitted_by: UUID | None
    submitted_at: Instant
    accepted: bool | None
    verdicts: Annotated[list[CriterionVerdict], Meta(max_length=40)] | None
    decided_by: UUID | None
    decided_at: Instant | None

    @classmethod
    def of(cls, row: Submission) -> "SubmissionView":
        return cls(
            round=row.round,
            note=row.note,
            links=row.links,
            submitted_by=row.submitted_by,
            submitted_at=row.submitted_at,
            accepted=row.accepted,
            verdicts=row.verdicts,
            decided_by=row.decided_by,
            decided_at=row.decided_at,
        )


class DeliverableView(msgspec.Struct, frozen=True, kw_only=True):
    """A deliverable. `is_overdue` says that the review time is over without a verdict: silence is never acceptance."""

    id: UUID
    key: ItemKey
    title: Line
    due_on: date
    acceptance_criteria: AcceptanceCriteria
    amount: Money
    status: DeliverableStatus
    rounds: int
    submitted_at: Instant | None
    review_by: Instant | None
    is_overdue: bool
    accepted_at: Instant | None
    submissions: Everything[SubmissionView]

    @classmethod
    def of(
        cls, row: ContractDeliverable, currency: str, submissions: Sequence[Submission], now: datetime
    ) -> "DeliverableView":
        waiting = row.status is DeliverableStatus.SUBMITTED
        return cls(
            id=row.id,
            key=row.key,
            title=row.title,
            due_on=row.due_on,
            acceptance_criteria=row.acceptance_criteria,
            amount=Money.of(row.amount, currency),
            status=row.status,
            rounds=row.rounds,
            submitted_at=row.submitted_at,
            review_by=row.review_by,
            is_overdue=waiting and row.review_by is not None and now >= row.review_by,
            accepted_at=row.accepted_at,
            submissions=[SubmissionView.of(one) for one in submissions],
        )


@dataclass(frozen=True, slots=True)
class Read:
    """A contract with all that its view tells, as read at `now`; `status` is as of then."""

    contract: Contract
    status: ContractStatus
    signatures: Sequence[Signature]
    deliverables: Sequence[ContractDeliverable]
    submissions: Mapping[UUID, Sequence[Submission]]
    now: Instant


class ContractView(msgspec.Struct, frozen=True, kw_only=True):
    """A contract, for its parties. `digest` is the SHA-256 of its document; `status` is as of now (`lapsed`: not signed in time)."""

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
    digest: Digest
    sign_from: Instant
    sign_by: Instant
    signatures: Annotated[list[SignatureView], Meta(max_length=2)]
    deliverables: Annotated[list[DeliverableView], Meta(max_length=100)]
    signed_at: Instant | None
    ended_at: Instant | None
    end_reason: Paragraph | None
    next_step: NextStep | None
    learned_by_buyer: Paragraph | None
    learned_by_supplier: Paragraph | None
    owed: Annotated[list[OwedObservation], Meta(max_length=20)]
    created_at: Instant
    version: int

    @classmethod
    def of(cls, read: Read) -> "ContractView":
        row = read.contract
        return cls(
            id=row.id,
            reference=row.reference,
            award_id=row.award_id,
            lot_id=row.lot_id,
            outcome_id=row.outcome_id,
            number=row.number,
            buyer=Party(row.buyer_id, row.buyer_name),
            supplier=Party(row.supplier_id, row.supplier_name),
            status=read.status,
            value=Money.of(row.value, row.currency),
            starts_on=row.starts_on,
            ends_on=row.ends_on,
            digest=row.digest.hex(),
            sign_from=row.sign_from,
            sign_by=row.sign_by,
            signatures=[SignatureView(one.side, one.person_id, one.signed_at) for one in read.signatures],
            deliverables=[
                DeliverableView.of(one, row.currency, read.submissions.get(one.id, ()), read.now)
                for one in read.deliverables
            ],
            signed_at=row.signed_at,
            ended_at=row.ended_at,
            end_reason=row.end_reason,
            next_step=row.next_step,
            learned_by_buyer=row.learned_by_buyer,
            learned_by_supplier=row.learned_by_supplier,
            owed=row.owed,
            created_at=row.created_at,
            version=row.version,
        )


class ContractSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A contract in a list."""

    id: UUID
    reference: Reference
    lot_id: UUID
    number: int
    buyer: Party
    supplier: Party
    status: ContractStatus
    value: Money
    starts_on: date
    ends_on: date
    sign_by: Instant
    signed_at: Instant | None
    created_at: Instant

    @classmethod
    def of(cls, row: Contract, status: ContractStatus) -> "ContractSummary":
        return cls(
            id=row.id,
            reference=row.reference,
            lot_id=row.lot_id,
            number=row.number,
            buyer=Party(row.buyer_id, row.buyer_name),
            supplier=Party(row.supplier_id, row.supplier_name),
            status=status,
            value=Money.of(row.value, row.currency),
            starts_on=row.starts_on,
            ends_on=row.ends_on,
            sign_by=row.sign_by,
            signed_at=row.signed_at,
            created_at=row.created_at,
        )

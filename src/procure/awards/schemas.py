"""What is sent and answered about awards."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import Meta

from procure.awards.models import Award
from procure.awards.rules import AwardStatus
from procure.evaluation import scoring
from procure.evaluation.models import Consensus, RankedBid
from procure.kit.actor import Actor
from procure.kit.fields import Instant, ItemKey, Line, Name, Paragraph, Points, Reference
from procure.kit.money import Money
from procure.lots.models import Criterion, Lot
from procure.lots.rules import CriterionKind, LotStatus
from procure.lots.schemas import Notice
from procure.organisations.schemas import Party


class Recommendation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which bid should win, and why; the buyer's own."""

    EXAMPLE: ClassVar[object] = {
        "bid_id": "0e6f2f0a-9f4d-4b5e-8a57-2f6a0c2a51d4",
        "reason": "First in the ranking: the panel found its way of working the most convincing.",
    }

    bid_id: UUID
    reason: Paragraph


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a recommendation is refused; the buyer's own."""

    EXAMPLE: ClassVar[object] = {"reason": "The recommendation does not say how the lowest price was checked."}

    reason: Paragraph


class Withdrawal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why an approved award is taken back, or none is made; published."""

    EXAMPLE: ClassVar[object] = {"reason": "The winner did not sign by the signing date."}

    reason: Paragraph


class AwardedLot(msgspec.Struct, frozen=True):
    """The lot that an award is for, with its status as stored: `cancelled` says that nothing will be signed."""

    id: UUID
    reference: Reference
    title: Line
    status: LotStatus

    @classmethod
    def of(cls, lot: Lot) -> "AwardedLot":
        return cls(lot.id, lot.reference, lot.title, lot.status)


class AwardInternals(msgspec.Struct, frozen=True, kw_only=True):
    """What only the buyer sees: who recommended and decided, and why."""

    bid_id: UUID
    reason: Paragraph
    recommended_by: UUID | None
    decided_by: UUID | None
    decision_reason: Paragraph | None


class AwardView(msgspec.Struct, frozen=True, kw_only=True):
    """An award. The contract may be signed from `standstill_ends_at` on; null until the award notice is recorded."""

    id: UUID
    reference: Reference
    lot: AwardedLot
    buyer: Party
    supplier: Party
    value: Money
    status: AwardStatus
    decided_at: Instant | None
    notice: Notice | None
    standstill_ends_at: Instant | None
    withdrawn_reason: Paragraph | None
    internal: AwardInternals | None
    created_at: Instant
    version: int

    @classmethod
    def of(cls, row: Award, lot: Lot, actor: Actor) -> "AwardView":
        return cls(
            id=row.id,
            reference=row.reference,
            lot=AwardedLot.of(lot),
            buyer=Party(row.buyer_id, lot.buyer_name),
            supplier=Party(row.supplier_id, row.supplier_name),
            value=Money.of(row.value, row.currency),
            status=row.status,
            decided_at=row.decided_at,
            notice=_notice(row),
            standstill_ends_at=row.standstill_ends_at,
            withdrawn_reason=row.withdrawn_reason,
            internal=_internals(row) if actor.buyer_id == row.buyer_id else None,
            created_at=row.created_at,
            version=row.version,
        )


def _notice(row: Award) -> Notice | None:
    if row.notice_id is None or row.notice_ocid is None or row.notice_at is None:
        return None
    return Notice(row.notice_id, row.notice_ocid, row.notice_at)


def _internals(row: Award) -> AwardInternals:
    return AwardInternals(
        bid_id=row.bid_id,
        reason=row.reason,
        recommended_by=row.recommended_by,
        decided_by=row.decided_by,
        decision_reason=row.decision_reason,
    )


class AwardSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An award in a list."""

    id: UUID
    reference: Reference
    lot: AwardedLot
    buyer: Party
    supplier: Party
    value: Money
    status: AwardStatus
    decided_at: Instant | None
    created_at: Instant

    @classmethod
    def of(cls, row: Award, lot: Lot) -> "AwardSummary":
        return cls(
            id=row.id,
            reference=row.reference,
            lot=AwardedLot.of(lot),
            buyer=Party(row.buyer_id, lot.buyer_name),
            supplier=Party(row.supplier_id, row.supplier_name),
            value=Money.of(row.value, row.currency),
            status=row.status,
            decided_at=row.decided_at,
            created_at=row.created_at,
        )


class CriterionResult(msgspec.Struct, frozen=True, kw_only=True):
    """What your bid got on one criterion. Points are out of `weight`; `score` (0 to 5) and rationale are the panel's agreed ones."""

    criterion_id: ItemKey
    name: Name
    kind: CriterionKind
    weight: int
    score: int | None
    points: Points
    rationale: Paragraph | None


class WinnerResult(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of the winner: its name, value, points altogether and points for price, out of 100."""

    supplier: Party
    value: Money
    total_points: Points
    price_points: Points


class AssessmentView(msgspec.Struct, frozen=True, kw_only=True):
    """Your own assessment summary, and the winner's totals; nothing of anyone else.

    `is_below_minimum` says that a minimum score was missed: such a bid gets no points for price and is not taken further.
    """

    award_id: UUID
    lot: AwardedLot
    bid_id: UUID
    is_winner: bool
    is_below_minimum: bool
    total_points: Points
    criteria: Annotated[list[CriterionResult], Meta(max_length=20)]
    winner: WinnerResult

    @classmethod
    def of(
        cls, award: Award, lot: Lot, own: RankedBid, winner: RankedBid, agreed: Sequence[Consensus]
    ) -> "AssessmentView":
        by_criterion = {one.criterion_id: one for one in agreed}
        return cls(
            award_id=award.id,
            lot=AwardedLot.of(lot),
            bid_id=own.bid_id,
            is_winner=own.bid_id == award.bid_id,
            is_below_minimum=own.rank is None,
            total_points=_points(own.total),
            criteria=[_result(one, own.price, by_criterion) for one in lot.criteria],
            winner=WinnerResult(
                supplier=Party(award.supplier_id, award.supplier_name),
                value=Money.of(award.value, award.currency),
                total_points=_points(winner.total),
                price_points=_points(winner.price),
            ),
        )


def _result(criterion: Criterion, price: Decimal, agreed: Mapping[str, Consensus]) -> CriterionResult:
    found = agreed.get(criterion.id)
    points = scoring.score_points(found.score, criterion.weight) if found else price
    return CriterionResult(
        criterion_id=criterion.id,
        name=criterion.name,
        kind=criterion.kind,
        weight=criterion.weight,
        score=found.score if found else None,
        points=_points(points),
        rationale=found.rationale if found else None,
    )


def _points(value: Decimal) -> str:
    return f"{value:.4f}"

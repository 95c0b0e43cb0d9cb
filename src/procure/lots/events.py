"""What happens to lots, as the journal tells it."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from procure.journal.events import Event, Told
from procure.kit.fields import (
    Amount,
    Count,
    Cpv,
    Currency,
    Everything,
    FieldNames,
    Grounds,
    Instant,
    KeyId,
    Line,
    Markdown,
    Name,
    Paragraph,
    Reference,
)
from procure.lots.models import Criterion, Deliverable, Lot, Place
from procure.lots.rules import CancelReason, Ip, LotStatus, Phase, Remote
from procure.policy.rules import Band


class LotDrafted(Event, frozen=True, kw_only=True):
    """An officer drafted a lot under an outcome, anew or as a copy of an earlier one."""

    type: ClassVar[str] = "lot.drafted"
    object_type: ClassVar[str] = "lot"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER,)

    reference: Reference
    outcome_id: UUID
    title: Line
    copied_from_id: UUID | None


class LotRevised(Event, frozen=True, kw_only=True):
    """A draft of a lot was edited: which fields, not what they say."""

    type: ClassVar[str] = "lot.revised"
    object_type: ClassVar[str] = "lot"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER,)

    fields: FieldNames


class LotNoticeRecorded(Event, frozen=True, kw_only=True):
    """The official notice's references were recorded."""

    type: ClassVar[str] = "lot.notice_recorded"
    object_type: ClassVar[str] = "lot"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER,)

    notice_id: Name
    ocid: Name
    published_at: Instant


class LotPublished(Event, frozen=True, kw_only=True):
    """An approver opened the lot to everybody: all that a reader needs, as it was published."""

    type: ClassVar[str] = "lot.published"
    object_type: ClassVar[str] = "lot"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    reference: Reference
    outcome_id: UUID
    title: Line
    phase: Phase
    brief: Markdown
    band: Band
    deliverables: Everything[Deliverable]
    criteria: Everything[Criterion]
    cpv: Cpv | None
    cpv_additional: Everything[Cpv]
    place: Place
    skills: Everything[Name]
    remote: Remote
    ip: Ip
    starts_on: date
    duration_days: Count
    ceiling: Amount
    further_iterations: Count
    further_ceiling: Amount
    currency: Currency
    enquiries_close_at: Instant
    closes_at: Instant
    key_id: KeyId

    @classmethod
    def of(cls, lot: Lot) -> "LotPublished":
        assert lot.key_id is not None
        return cls(
            object_id=lot.id,
            object_version=lot.version,
            reference=lot.reference,
            outcome_id=lot.outcome_id,
            title=lot.title,
            phase=lot.phase,
            brief=lot.brief,
            band=lot.band,
            deliverables=lot.deliverables,
            criteria=lot.criteria,
            cpv=lot.cpv,
            cpv_additional=lot.cpv_additional,
            place=lot.place,
            skills=lot.skills,
            remote=lot.remote,
            ip=lot.ip,
            starts_on=lot.starts_on,
            duration_days=lot.duration_days,
            ceiling=f"{lot.ceiling:f}",
            further_iterations=lot.further_iterations,
            further_ceiling=f"{lot.further_ceiling:f}",
            currency=lot.currency,
            enquiries_close_at=lot.enquiries_close_at,
            closes_at=lot.closes_at,
            key_id=lot.key_id,
        )


class LotExtended(Event, frozen=True, kw_only=True):
    """An approver moved the closing later: `before` is when it would have been."""

    type: ClassVar[str] = "lot.extended"
    object_type: ClassVar[str] = "lot"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    before: Instant
    closes_at: Instant
    reason: Paragraph


class LotMoved(Event, frozen=True, kw_only=True):
    """A later step moved the lot on: to evaluation, award, contract, or an end without one."""

    type: ClassVar[str] = "lot.moved"
    object_type: ClassVar[str] = "lot"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    status: LotStatus
    reason: Grounds


class LotCancelled(Event, frozen=True, kw_only=True):
    """An approver ended the lot without a contract."""

    type: ClassVar[str] = "lot.cancelled"
    object_type: ClassVar[str] = "lot"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER, Told.EVERYBODY)

    reason_code: CancelReason
    reason: Grounds


class LotWithdrawn(Event, frozen=True, kw_only=True):
    """An officer took a draft back before anybody had approved it."""

    type: ClassVar[str] = "lot.withdrawn"
    object_type: ClassVar[str] = "lot"
    told: ClassVar[tuple[Told, ...]] = (Told.BUYER,)

    reason: Grounds | None

"""The table of lots. `move_to` is the only place where a status is assigned."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta
from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Numeric,
    Sequence,
    Text,
    UniqueConstraint,
    case,
    cast,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from procure.kit.clock import app_now
from procure.kit.db import Base, Structs, Versioned
from procure.kit.fields import ItemKey, Line, Name
from procure.lots.content import Offer
from procure.lots.defaults import Defaults
from procure.lots.rules import (
    NEXT,
    CancelReason,
    CriterionKind,
    Ip,
    LotStatus,
    Phase,
    Pricing,
    Region,
    Remote,
    Route,
)
from procure.organisations.rules import Nation
from procure.policy.rules import Band, Policy

reference_numbers = Sequence("lot_references", metadata=Base.metadata)


AcceptanceCriteria = Annotated[list[Line], Meta(min_length=1, max_length=20)]


class Deliverable(msgspec.Struct, frozen=True):
    """A piece of work, `id` unique in its lot (D1, D2 …), with what it will be accepted by."""

    id: ItemKey
    title: Line
    due_on: date
    acceptance_criteria: AcceptanceCriteria


class Criterion(msgspec.Struct, frozen=True):
    """What bids are judged by; weights sum to 100 over the lot. `minimum_score` is out of 5, or none."""

    id: ItemKey
    name: Name
    kind: CriterionKind
    weight: int
    minimum_score: int | None = None


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the work is wanted: the nation (ISO 3166-2), a region of it (ITL, level 1), and a town or address in words."""

    nation: Nation
    region: Region | None = None
    locality: Line | None = None


class LotDefaults(Base):
    """What drafts get where they say nothing: the platform's row (no organisation), or a buyer's own, from a day on. None is edited."""

    __tablename__ = "lot_defaults"
    __table_args__ = (
        Index("uq_lot_defaults", "organisation_id", "valid_from", unique=True, postgresql_nulls_not_distinct=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisations.id"))
    valid_from: Mapped[date]
    defaults: Mapped[Defaults] = mapped_column(Structs(Defaults))


class Lot(Versioned, Base):
    """One small competition. Deliverables and criteria are documents in the row: published, they never change."""

    __tablename__ = "lots"
    __table_args__ = (
        UniqueConstraint("outcome_id", "iteration"),
        Index("ix_lots_created_at", "created_at", "id"),
        Index("ix_lots_buyer_id", "buyer_id", "created_at", "id"),
        Index("ix_lots_due", "closes_at", postgresql_where="status = 'published'"),
        CheckConstraint("status = 'draft' OR status = 'cancelled' OR published_at IS NOT NULL", name="published"),
        CheckConstraint("status <> 'closed'", name="closed_is_derived"),
        CheckConstraint("enquiries_close_at <= closes_at", name="calendar"),
        CheckConstraint("ceiling > 0 AND further_ceiling >= 0 AND further_iterations >= 0", name="amounts"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    outcome_id: Mapped[UUID] = mapped_column(ForeignKey("outcomes.id"))
    buyer_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    buyer_name: Mapped[str]
    iteration: Mapped[int]
    follows_id: Mapped[UUID | None] = mapped_column(ForeignKey("lots.id"))
    copied_from_id: Mapped[UUID | None] = mapped_column(ForeignKey("lots.id"))
    status: Mapped[LotStatus] = mapped_column(default=LotStatus.DRAFT)
    title: Mapped[str]
    phase: Mapped[Phase]
    route: Mapped[Route]
    pricing: Mapped[Pricing]
    brief: Mapped[str]
    deliverables: Mapped[list[Deliverable]] = mapped_column(Structs(list[Deliverable]))
    criteria: Mapped[list[Criterion]] = mapped_column(Structs(list[Criterion]))
    measure_ids: Mapped[list[UUID]]
    cpv: Mapped[str | None]
    cpv_additional: Mapped[list[str]]
    place: Mapped[Place] = mapped_column(Structs(Place))
    skills: Mapped[list[str]]
    remote: Mapped[Remote]
    ip: Mapped[Ip]
    starts_on: Mapped[date]
    duration_days: Mapped[int]
    ceiling: Mapped[Decimal]
    currency: Mapped[str]
    further_iterations: Mapped[int]
    further_ceiling: Mapped[Decimal] = mapped_column(Numeric(14, 2))
    enquiries_close_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    validity_days: Mapped[int]
    #: As of the last edit while a draft; frozen by publication.
    band: Mapped[Band]
    policy: Mapped[Policy] = mapped_column(Structs(Policy))
    notice_id: Mapped[str | None]
    notice_ocid: Mapped[str | None]
    notice_at: Mapped[datetime | None]
    #: The lot's own key for bids (HPKE), made by the vault at publication and signed by the platform.
    key_id: Mapped[str | None]
    key_scheme: Mapped[str | None]
    public_key: Mapped[bytes | None]
    key_signature: Mapped[bytes | None]
    #: The fields that policy worked out since nobody gave them: they are worked out anew at each edit.
    derived: Mapped[list[str]]
    prepared_by: Mapped[list[UUID]]
    published_by: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    published_at: Mapped[datetime | None]
    #: SHA-256 of the `lot.published` entry's payload, as the journal holds it.
    publication_digest: Mapped[bytes | None]
    #: When `closes_at` was last moved later.
    extended_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    #: Of a lot that was cancelled.
    end_reason_code: Mapped[CancelReason | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.app_now())

    def move_to(self, status: LotStatus) -> None:
        assert status in NEXT[self.status], f"{self.status} -> {status}"
        self.status = status
        self.touch()

    @property
    def offer(self) -> Offer:
        """The content as the rules judge it."""
        return Offer(
            title=self.title,
            brief=self.brief,
            starts_on=self.starts_on,
            duration_days=self.duration_days,
            ceiling=self.ceiling,
            currency=self.currency,
            further_iterations=self.further_iterations,
            further_ceiling=self.further_ceiling,
            deliverables=[(one.title, one.due_on, one.acceptance_criteria) for one in self.deliverables],
            criteria=[(one.name, one.kind, one.weight) for one in self.criteria],
            enquiries_close_at=self.enquiries_close_at,
            closes_at=self.closes_at,
            validity_days=self.validity_days,
            cpv=self.cpv,
            cpv_additional=self.cpv_additional,
            nation=self.place.nation,
            region=self.place.region,
            skills=self.skills,
        )

    @property
    def estimate(self) -> Decimal:
        return self.offer.estimate


def status_now() -> ColumnElement[str]:
    """`rules.status_at` as an expression; a property test holds the two together."""
    # `rules.has_closed`
    is_closed = (Lot.status == LotStatus.PUBLISHED) & (Lot.closes_at <= app_now())
    return case((is_closed, LotStatus.CLOSED.value), else_=cast(Lot.status, Text))

"""Dated rows. A row holds from `valid_from` until a later one of the same kind; none is ever edited."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Numeric, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from procure.kit.db import Base, Structs
from procure.policy.rules import Band, Ceremony, Limits


class PolicyVersion(Base):
    """The platform's limits (no organisation), or a buyer's own inside them."""

    __tablename__ = "policy_versions"
    __table_args__ = (
        Index("uq_policy_versions", "organisation_id", "valid_from", unique=True, postgresql_nulls_not_distinct=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisations.id"))
    valid_from: Mapped[date]
    limits: Mapped[Limits] = mapped_column(Structs(Limits))


class BandVersion(Base):
    """One threshold and what it asks, from a day on. Thresholds include VAT."""

    __tablename__ = "policy_bands"
    __table_args__ = (UniqueConstraint("band", "valid_from"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    band: Mapped[Band]
    valid_from: Mapped[date]
    threshold: Mapped[Decimal]
    threshold_central: Mapped[Decimal]
    ceremony: Mapped[Ceremony] = mapped_column(Structs(Ceremony))


class VatRate(Base):
    """The standard rate of VAT, in percent, from a day on."""

    __tablename__ = "policy_vat_rates"

    valid_from: Mapped[date] = mapped_column(primary_key=True)
    rate: Mapped[Decimal] = mapped_column(Numeric(5, 2))


class Terms(Base):
    """A version of the short form of contract; publication freezes it into the document that both sides sign."""

    __tablename__ = "policy_terms"

    version: Mapped[str] = mapped_column(primary_key=True)
    valid_from: Mapped[date]
    text: Mapped[str]

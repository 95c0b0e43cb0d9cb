"""Dated rows. A row holds from `valid_from` until a later one of the same kind; none is ever edited or removed.

Of two rows of one kind for one day the one that was recorded later holds. That is how a row is taken back before its day has come.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Numeric, func
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from procure.kit.db import Base, Structs
from procure.policy.explanations import Value
from procure.policy.rules import Band, Ceremony, Jurisdiction


class Dated:
    """What every dated row says: whose law, from when, after which source, why, and since when it is on record."""

    id: Mapped[UUID] = mapped_column(primary_key=True)
    jurisdiction: Mapped[Jurisdiction]
    valid_from: Mapped[date]
    source: Mapped[str]
    source_url: Mapped[str | None]
    reason: Mapped[str]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.app_now())


class PolicyVersion(Dated, Base):
    """The platform's limits (no organisation), all of them, or those that a buyer has of its own."""

    __tablename__ = "policy_versions"
    __table_args__ = (
        Index("ix_policy_versions_valid_from", "organisation_id", "valid_from"),
        Index("ix_policy_versions_recorded_at", "recorded_at", "id"),
    )

    organisation_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisations.id"))
    limits: Mapped[dict[str, Value]] = mapped_column(Structs(dict[str, Value]))


class BandVersion(Dated, Base):
    """One threshold and what it asks, from a day on. Thresholds include VAT."""

    __tablename__ = "policy_bands"

    band: Mapped[Band]
    threshold: Mapped[Decimal]
    threshold_central: Mapped[Decimal]
    ceremony: Mapped[Ceremony] = mapped_column(Structs(Ceremony))


class VatRate(Dated, Base):
    """The standard rate of VAT, in percent, from a day on."""

    __tablename__ = "policy_vat_rates"

    rate: Mapped[Decimal] = mapped_column(Numeric(5, 2))


class Terms(Dated, Base):
    """A version of the short form of contract; publication freezes it into the document that both sides sign."""

    __tablename__ = "policy_terms"

    version: Mapped[str] = mapped_column(unique=True)
    text: Mapped[str]


def latest(rows: Any) -> tuple[Any, ...]:
    """By what rows of one kind are ordered, the one that holds first. `rows` is one of the tables above, or an alias."""
    valid_from: InstrumentedAttribute[date] = rows.valid_from
    return valid_from.desc(), rows.recorded_at.desc(), rows.id.desc()

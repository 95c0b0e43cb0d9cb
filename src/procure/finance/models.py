"""Orders, invoices and payments. What is payable has no row: it is an accepted deliverable, as selected."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from procure.finance.rules import NEXT, InvoiceStatus
from procure.kit.db import Base, Versioned


class Order(Base):
    """A purchase order for a contract, under the finance system's own id."""

    __tablename__ = "orders"
    __table_args__ = (UniqueConstraint("buyer_id", "external_id"), Index("ix_orders_contract_id", "contract_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    buyer_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    external_id: Mapped[str]
    contract_id: Mapped[UUID] = mapped_column(ForeignKey("contracts.id"))
    amount: Mapped[Decimal]
    currency: Mapped[str]
    ordered_on: Mapped[date]
    created_at: Mapped[datetime] = mapped_column(server_default=func.app_now())


class Invoice(Versioned, Base):
    """A supplier's invoice for one accepted deliverable: net equals the accepted price; due `payment_term_days` after receipt."""

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("deliverable_id"),
        UniqueConstraint("supplier_id", "number"),
        Index("ix_invoices_buyer_id", "buyer_id", "received_at", "id"),
        CheckConstraint("gross = net + vat", name="sum"),
        CheckConstraint("net > 0 AND vat >= 0", name="amounts"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    contract_id: Mapped[UUID] = mapped_column(ForeignKey("contracts.id"), index=True)
    deliverable_id: Mapped[UUID] = mapped_column(ForeignKey("contract_deliverables.id"))
    buyer_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    supplier_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    number: Mapped[str]
    status: Mapped[InvoiceStatus] = mapped_column(default=InvoiceStatus.RECEIVED)
    net: Mapped[Decimal]
    vat_rate: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    vat: Mapped[Decimal]
    gross: Mapped[Decimal]
    currency: Mapped[str]
    issued_on: Mapped[date]
    received_at: Mapped[datetime]
    due_on: Mapped[date]
    paid_on: Mapped[date | None]

    def move_to(self, status: InvoiceStatus) -> None:
        assert status in NEXT[self.status], f"{self.status} -> {status}"
        self.status = status
        self.touch()


class Payment(Base):
    """Money that left, under the finance system's own id; the sum per invoice never passes its gross. Insert-only."""

    __tablename__ = "payments"
    __table_args__ = (
        UniqueConstraint("buyer_id", "external_id"),
        Index("ix_payments_invoice_id", "invoice_id"),
        Index("ix_payments_buyer_id", "buyer_id", "created_at", "id"),
        CheckConstraint("amount > 0", name="amount"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    buyer_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    external_id: Mapped[str]
    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"))
    contract_id: Mapped[UUID] = mapped_column(ForeignKey("contracts.id"))
    amount: Mapped[Decimal]
    currency: Mapped[str]
    paid_on: Mapped[date]
    created_at: Mapped[datetime] = mapped_column(server_default=func.app_now())

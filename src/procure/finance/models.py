"""Orders, invoices and payments. What is payable has no row: it is an accepted deliverable, as selected."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from procure.finance.rules import NEXT, InvoiceStatus
from procure.kit.db import Base, Versioned


class Order(Base):
    """A purchase order for a contract, net, under the finance system's own id. Insert-only."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("buyer_id", "external_id"),
        Index("ix_orders_contract_id", "contract_id"),
        CheckConstraint("amount > 0", name="amount"),
    )

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
        Index("ix_payments_contract_id", "contract_id"),
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


_FACTS: dict[type[Base], tuple[str, ...]] = {
    Order: ("id", "buyer_id", "external_id", "contract_id", "amount", "currency", "ordered_on"),
    Invoice: (
        *("id", "contract_id", "deliverable_id", "buyer_id", "supplier_id", "number", "status", "net", "vat_rate"),
        *("vat", "gross", "currency", "issued_on", "received_at", "due_on", "paid_on", "version"),
    ),
    Payment: ("id", "buyer_id", "external_id", "invoice_id", "contract_id", "amount", "currency", "paid_on"),
}


def facts(row: Order | Invoice | Payment) -> dict[str, object]:
    """What an entry's digest vouches for."""
    values = {name: getattr(row, name) for name in _FACTS[type(row)]}
    return {name: f"{value:.2f}" if isinstance(value, Decimal) else value for name, value in values.items()}

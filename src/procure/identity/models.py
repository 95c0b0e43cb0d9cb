"""Persons, their memberships, and the API clients that act for an organisation."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from procure.identity.rules import CLIENT_NEXT, MEMBERSHIP_NEXT, ClientKind, ClientStatus, MembershipStatus
from procure.kit.db import Base, Versioned


class Person(Base):
    """A named human being, known across organisations by one id; four eyes counts these."""

    __tablename__ = "persons"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.app_now())


class Membership(Versioned, Base):
    """A person's roles in one organisation."""

    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("organisation_id", "person_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), index=True)
    roles: Mapped[list[str]]
    budget_holder: Mapped[bool] = mapped_column(default=False)
    status: Mapped[MembershipStatus] = mapped_column(default=MembershipStatus.ACTIVE)
    created_at: Mapped[datetime] = mapped_column(server_default=func.app_now())

    def move_to(self, status: MembershipStatus) -> None:
        assert status in MEMBERSHIP_NEXT[self.status], f"{self.status} -> {status}"
        self.status = status
        self.touch()


class Client(Versioned, Base):
    """An API client. `roles` are a service client's own; a personal one has those of its person's membership."""

    __tablename__ = "clients"
    __table_args__ = (
        CheckConstraint("(kind = 'personal') = (person_id IS NOT NULL)", name="personal_has_person"),
        Index("ix_clients_organisation_id", "organisation_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    kind: Mapped[ClientKind]
    name: Mapped[str]
    #: SHA-256 of a secret with 256 bits of its own entropy: a slow hash would add nothing but a way to load the service.
    secret_hash: Mapped[bytes]
    roles: Mapped[list[str]]
    status: Mapped[ClientStatus] = mapped_column(default=ClientStatus.ACTIVE)
    created_at: Mapped[datetime] = mapped_column(server_default=func.app_now())

    def move_to(self, status: ClientStatus) -> None:
        assert status in CLIENT_NEXT[self.status], f"{self.status} -> {status}"
        self.status = status
        self.touch()

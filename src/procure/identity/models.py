"""Persons, their memberships, the API clients that act for an organisation, and what these prove themselves with."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    UniqueConstraint,
    any_,
    func,
    or_,
)
from sqlalchemy.orm import Mapped, mapped_column

from procure.identity.rules import (
    CLIENT_NEXT,
    CREDENTIAL_NEXT,
    INVITATION_NEXT,
    MEMBERSHIP_NEXT,
    PERSON_NEXT,
    ClientKind,
    ClientStatus,
    CredentialKind,
    CredentialStatus,
    InvitationStatus,
    MembershipStatus,
    PersonStatus,
    PublicKey,
)
from procure.kit.db import Base, Structs, Versioned


class Person(Versioned, Base):
    """A named human being, known across organisations by one id; four eyes counts these."""

    __tablename__ = "persons"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    status: Mapped[PersonStatus] = mapped_column(default=PersonStatus.ACTIVE)
    created_at: Mapped[datetime] = mapped_column(server_default=func.app_now())

    def move_to(self, status: PersonStatus) -> None:
        assert status in PERSON_NEXT[self.status], f"{self.status} -> {status}"
        self.status = status
        self.touch()


class PersonIdentity(Base):
    """How a sign-on knows a person: the issuer's own, unchanging name of them (`sub`). One person may have several.

    `organisation_ids` are those in which it was accepted by invitation, and the only ones that it opens: no organisation can link a
    sign-on that acts for another. Null, which the operator's own links have, is every organisation of the person.
    """

    __tablename__ = "person_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), index=True)
    issuer: Mapped[str]
    subject: Mapped[str]
    organisation_ids: Mapped[list[UUID] | None]
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


class Invitation(Versioned, Base):
    """Into an organisation, for whoever brings its code, of which the hash is kept. `expires_at` is the machine's time.

    `person_id` is the member whose sign-on is to be linked; where it is null, `name`, `roles` and `budget_holder` are what somebody new is
    going to have.
    """

    __tablename__ = "invitations"
    __table_args__ = (
        UniqueConstraint("code_hash"),
        CheckConstraint("(status = 'accepted') = (accepted_by IS NOT NULL)", name="accepted_by_somebody"),
        CheckConstraint("(person_id IS NULL) = (name IS NOT NULL)", name="person_or_name"),
        Index("ix_invitations_organisation_id", "organisation_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    name: Mapped[str | None]
    roles: Mapped[list[str]]
    budget_holder: Mapped[bool] = mapped_column(default=False)
    code_hash: Mapped[bytes]
    status: Mapped[InvitationStatus] = mapped_column(default=InvitationStatus.OPEN)
    accepted_by: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.app_now())
    expires_at: Mapped[datetime]

    def move_to(self, status: InvitationStatus) -> None:
        assert status in INVITATION_NEXT[self.status], f"{self.status} -> {status}"
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
    roles: Mapped[list[str]]
    status: Mapped[ClientStatus] = mapped_column(default=ClientStatus.ACTIVE)
    created_at: Mapped[datetime] = mapped_column(server_default=func.app_now())

    def move_to(self, status: ClientStatus) -> None:
        assert status in CLIENT_NEXT[self.status], f"{self.status} -> {status}"
        self.status = status
        self.touch()


class Credential(Versioned, Base):
    """A client's secret, of which the hash is kept, or its public key. `expires_at` and `last_used_on` are the machine's time.

    The day of the last use and no more: an instant would tell who is about before a deadline.
    """

    __tablename__ = "client_credentials"
    __table_args__ = (
        CheckConstraint("(kind = 'secret') = (secret_hash IS NOT NULL)", name="secret_has_hash"),
        CheckConstraint("(kind = 'key') = (public_key IS NOT NULL)", name="key_has_key"),
        CheckConstraint("(kind = 'key') = (thumbprint IS NOT NULL)", name="key_has_thumbprint"),
        Index("ix_client_credentials_client_id", "client_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id"))
    kind: Mapped[CredentialKind]
    secret_hash: Mapped[bytes | None]
    public_key: Mapped[PublicKey | None] = mapped_column(Structs(PublicKey))
    #: RFC 7638: the same for the same key, whatever its owner calls it.
    thumbprint: Mapped[str | None]
    status: Mapped[CredentialStatus] = mapped_column(default=CredentialStatus.ACTIVE)
    created_at: Mapped[datetime] = mapped_column(server_default=func.app_now())
    expires_at: Mapped[datetime | None]
    last_used_on: Mapped[date | None]

    def move_to(self, status: CredentialStatus) -> None:
        assert status in CREDENTIAL_NEXT[self.status], f"{self.status} -> {status}"
        self.status = status
        self.touch()


def is_opened() -> ColumnElement[bool]:
    """Whether the sign-on opens the membership: it was linked by the operator, or accepted in that organisation."""
    accepted = Membership.organisation_id == any_(PersonIdentity.organisation_ids)
    return or_(PersonIdentity.organisation_ids.is_(None), accepted)


def is_live() -> ColumnElement[bool]:
    """Neither revoked nor expired, by the database's own time: a sandbox's clock ends no credential."""
    lasts = or_(Credential.expires_at.is_(None), Credential.expires_at > func.clock_timestamp())
    return (Credential.status == CredentialStatus.ACTIVE) & lasts


class UsedAssertion(Base):
    """An assertion that has brought what it was sent for, until it would be refused as expired.

    `id` is a hash: neither client nor assertion are named, so that the rows tell nobody who is about.
    """

    __tablename__ = "used_assertions"
    __table_args__ = (Index("ix_used_assertions_expires_at", "expires_at"),)

    id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class RevokedToken(Base):
    """An access token that its client has revoked (RFC 7009), until it would be refused as expired."""

    __tablename__ = "revoked_tokens"
    __table_args__ = (Index("ix_revoked_tokens_expires_at", "expires_at"),)

    #: The token's `jti`.
    id: Mapped[UUID] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

"""The table of organisations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped, mapped_column

from procure.kit.actor import OrganisationKind
from procure.kit.db import Base, Versioned
from procure.organisations.rules import NEXT, Nation, OrganisationStatus


class Organisation(Versioned, Base):
    """A party. `scheme` and `identifier` are org-id.guide's: GB-COH 01234567, GB-PPON PXXX-1234-ABCD, GB-LAE ...."""

    __tablename__ = "organisations"
    __table_args__ = (
        Index("uq_organisations_identifier", "scheme", "identifier", unique=True),
        Index("ix_organisations_created_at", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[OrganisationKind]
    name: Mapped[str]
    scheme: Mapped[str]
    identifier: Mapped[str]
    nation: Mapped[Nation]
    is_central_government: Mapped[bool]
    status: Mapped[OrganisationStatus] = mapped_column(default=OrganisationStatus.ACTIVE)
    created_at: Mapped[datetime] = mapped_column(server_default=func.app_now())

    def move_to(self, status: OrganisationStatus) -> None:
        assert status in NEXT[self.status], f"{self.status} -> {status}"
        self.status = status
        self.touch()

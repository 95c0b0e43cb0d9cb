"""What is sent and answered about invitations."""

from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import Meta

from procure.identity.models import Invitation, Person
from procure.identity.rules import INVITATION_DAYS, INVITATION_DAYS_MAX, InvitationStatus
from procure.identity.schemas import NewPerson, Roles, ShownSecret
from procure.kit.actor import Role
from procure.kit.etags import tag_of
from procure.kit.fields import Instant, Name

#: By the machine's time, as tokens are: a sandbox's clock ends no invitation.
_ENDS = (
    f"From when on it can't be accepted, by the machine's time: {INVITATION_DAYS_MAX} days ahead at most, "
    f"{INVITATION_DAYS} where it is left out."
)


class InvitationDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who is invited, and to which roles: somebody new as `person`; or a member (`person_id`), who links their sign-on and keeps
    the roles that they have.
    """

    EXAMPLE: ClassVar[object] = {"person": {"name": "Example Officer"}, "roles": ["officer"]}

    person: NewPerson | None = None
    person_id: UUID | None = None
    roles: Roles = []
    budget_holder: bool = False
    expires_at: Annotated[Instant, Meta(description=_ENDS)] | None = None


class InvitationView(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation, without its code. An open one is worth nothing from `expires_at` on, by the machine's time.

    `person_id` is the member whose sign-on it links, `accepted_by` the person who came.
    """

    id: UUID
    organisation_id: UUID
    name: Name
    person_id: UUID | None
    roles: Roles
    budget_holder: bool
    status: InvitationStatus
    accepted_by: UUID | None
    created_at: Instant
    expires_at: Instant
    version: int

    @classmethod
    def of(cls, row: Invitation, member: Person | None) -> "InvitationView":
        name = member.name if member is not None else row.name
        assert name is not None
        return cls(
            id=row.id,
            organisation_id=row.organisation_id,
            name=name,
            person_id=row.person_id,
            roles=[Role(role) for role in row.roles],
            budget_holder=row.budget_holder,
            status=row.status,
            accepted_by=row.accepted_by,
            created_at=row.created_at,
            expires_at=row.expires_at,
            version=row.version,
        )

    @property
    def etag(self) -> str:
        """Of the invitation; the code that is shown once is none of it."""
        return tag_of(InvitationView, self.id, self.version, self.name)


class NewInvitationView(InvitationView, frozen=True, kw_only=True):
    """An invitation just made. Give `code` to whoever is meant, by a way that nobody else reads: who has it can come."""

    code: ShownSecret

    @classmethod
    def with_code(cls, view: InvitationView, code: str) -> "NewInvitationView":
        return cls(**msgspec.structs.asdict(view), code=code)


class Acceptance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code of an invitation."""

    EXAMPLE: ClassVar[object] = {"code": "Zm9yIG9uZSBwZXJzb24sIGFuZCBmb3Igb25lIHRpbWU"}

    code: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$", min_length=43, max_length=43)]

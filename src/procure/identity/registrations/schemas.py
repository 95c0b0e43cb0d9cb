"""What is sent and answered about registrations."""

from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import Meta

from procure.identity.registrations.rules import CODE_LIFETIME
from procure.identity.schemas import ShownSecret
from procure.kit.fields import Instant, Line, Name
from procure.organisations.rules import CHECKED_SCHEMES, Nation
from procure.organisations.schemas import OrganisationIdentifier

_CHECKED = ", ".join(sorted(CHECKED_SCHEMES))
#: RFC 5321, section 4.5.3.1.3, less the brackets of a path.
Email = Annotated[
    str,
    Meta(min_length=3, max_length=254, description="A mailbox whose part before the @ is ASCII. A code is sent there."),
]


class Contact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whoever is going to be the organisation's first administrator and bidder."""

    name: Name
    email: Email


class RegistrationDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    __doc__ = f"""A supplier that registers itself, by an identifier that can be checked: {_CHECKED}."""

    EXAMPLE: ClassVar[object] = {
        "name": "Example Digital Ltd",
        "identifier": {"scheme": "GB-COH", "id": "07590783"},
        "nation": "GB-ENG",
        "contact": {"name": "Example Director", "email": "director@supplier.example"},
    }

    name: Line
    identifier: OrganisationIdentifier
    nation: Nation
    contact: Contact


class RegistrationView(msgspec.Struct, frozen=True):
    """What everybody is told who registers: the same whether the organisation is there already or not."""

    id: UUID
    expires_at: Annotated[
        Instant,
        Meta(description=f"Until when the mailed code is good: {CODE_LIFETIME.total_seconds() / 3600:.0f} hours."),
    ]


class Confirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code that was mailed."""

    EXAMPLE: ClassVar[object] = {"code": "dGhhdCB3YXMgbWFpbGVkIHRvIHRoZSBjb250YWN0IDE"}

    code: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$", min_length=43, max_length=43)]


class RegisteredView(msgspec.Struct, frozen=True, kw_only=True):
    """A supplier that has registered itself. `client_id` and `client_secret` bring its contact a token at `/oauth/token`."""

    organisation_id: UUID
    membership_id: UUID
    person_id: UUID
    client_id: UUID
    client_secret: ShownSecret

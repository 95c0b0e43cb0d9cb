"""What is sent and answered about organisations."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from procure.kit.actor import OrganisationKind
from procure.kit.etags import tag_of
from procure.kit.fields import Instant, Line, Paragraph
from procure.organisations.models import Organisation
from procure.organisations.rules import Nation, OrganisationStatus

#: A list's code on org-id.guide: a country or one of its parts, a hyphen, a list.
SCHEME_PATTERN = r"^[A-Z]{2}(_[A-Z]{2,3})?-[A-Z0-9_-]{2,24}$"
IdentifierScheme = Annotated[str, Meta(pattern=SCHEME_PATTERN, max_length=32)]
IdentifierText = Annotated[str, Meta(min_length=1, max_length=100)]


class Party(msgspec.Struct, frozen=True):
    """An organisation, named as it was when the document that names it was made."""

    id: UUID
    name: Line


class OrganisationIdentifier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An identifier of a list that org-id.guide names: GB-COH (company number), GB-PPON, GB-VAT, XI-LEI, GB-LAE …"""

    scheme: IdentifierScheme
    id: IdentifierText


class KnownIdentifier(msgspec.Struct, frozen=True):
    """An identifier as it is answered: of a list that org-id.guide names, or `PROCURE` for the platform's own organisation."""

    scheme: Annotated[str, Meta(pattern=rf"{SCHEME_PATTERN}|^PROCURE$", max_length=32)]
    id: IdentifierText


class OrganisationDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A party to be registered. `nation` decides bank holidays; `is_central_government` decides thresholds of a buyer."""

    EXAMPLE: ClassVar[object] = {
        "kind": "buyer",
        "name": "Example District Council",
        "identifier": {"scheme": "GB-LAE", "id": "EXA"},
        "nation": "GB-ENG",
        "is_central_government": False,
    }

    kind: Literal["buyer", "supplier"]
    name: Line
    identifier: OrganisationIdentifier
    nation: Nation
    is_central_government: bool = False


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why it is done; kept in the journal, where both sides read it."""

    EXAMPLE: ClassVar[object] = {"reason": "Its API secret was published by mistake."}

    reason: Paragraph


class OrganisationView(msgspec.Struct, frozen=True, kw_only=True):
    """A party. The identifier is answered in its canonical form (`7590785` as `07590785`)."""

    id: UUID
    kind: OrganisationKind
    name: Line
    identifier: KnownIdentifier
    nation: Nation
    is_central_government: bool
    status: OrganisationStatus
    created_at: Instant
    version: int

    @classmethod
    def of(cls, row: Organisation) -> "OrganisationView":
        return cls(
            id=row.id,
            kind=row.kind,
            name=row.name,
            identifier=KnownIdentifier(row.scheme, row.identifier),
            nation=row.nation,
            is_central_government=row.is_central_government,
            status=row.status,
            created_at=row.created_at,
            version=row.version,
        )

    @property
    def etag(self) -> str:
        return tag_of(OrganisationView, self.id, self.version)

"""What an organisation is, which identifiers it may have, and when it may act."""

import re
from enum import StrEnum

from stdnum import lei
from stdnum.exceptions import ValidationError
from stdnum.gb import vat

from procure.kit.actor import OrganisationKind
from procure.kit.errors import Faults
from procure.organisations.errors import (
    OrganisationInvalid,
    OrganisationNotActive,
    OrganisationNotSuspended,
    PlatformNeeded,
)


class OrganisationStatus(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"


class Nation(StrEnum):
    """Where an organisation is established; its bank holidays and thresholds follow from it (ISO 3166-2)."""

    ENGLAND = "GB-ENG"
    NORTHERN_IRELAND = "GB-NIR"
    SCOTLAND = "GB-SCT"
    WALES = "GB-WLS"


NEXT: dict[OrganisationStatus, frozenset[OrganisationStatus]] = {
    OrganisationStatus.ACTIVE: frozenset({OrganisationStatus.SUSPENDED}),
    OrganisationStatus.SUSPENDED: frozenset({OrganisationStatus.ACTIVE}),
}

#: The platform's own organisation: a scheme that no registration can name, since it has no hyphen.
PLATFORM_SCHEME, PLATFORM_IDENTIFIER = "PROCURE", "platform"

_COMPANY = re.compile(r"([0-9]{2}|[A-Z]{2}|R0)[0-9]{6}|(IP|SP|RS)[A-Z0-9]{6}|SL[0-9]{5}A")
_PROCUREMENT = re.compile(r"P[A-Z]{3}-[0-9]{4}-[A-Z]{4}")
_ANY = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_:()&-]{0,99}")


def check_identity(kind: OrganisationKind, scheme: str, identifier: str, *, is_central_government: bool) -> str:
    """The identifier in its one canonical form; raises OrganisationInvalid with every fault."""
    faults = Faults()
    found = canonical_identifier(scheme, identifier)
    faults.unless(
        found is not None, "/identifier/id", "identifier", f"This is not an identifier of {scheme}; see org-id.guide."
    )
    faults.unless(
        kind is OrganisationKind.BUYER or not is_central_government,
        "/is_central_government",
        "not-a-buyer",
        "Only a buyer can be a central government authority.",
    )
    faults.raise_any(OrganisationInvalid)
    assert found is not None
    return found


def canonical_identifier(scheme: str, identifier: str) -> str | None:
    """One spelling per organisation, so that none is registered twice; None if the scheme has no such identifier."""
    text = "".join(identifier.split())
    try:
        match scheme:
            case "GB-COH":
                return _whole(_COMPANY, _company_number(text))
            case "GB-PPON":
                return _whole(_PROCUREMENT, text.upper())
            case "GB-VAT":
                return vat.validate(text)
            case "XI-LEI":
                return lei.validate(text)
            case _:
                return _whole(_ANY, text)
    except ValidationError:
        return None


def _company_number(text: str) -> str:
    # Companies House writes eight digits; spreadsheets drop the zeros in front.
    return text.zfill(8) if text.isascii() and text.isdigit() else text.upper()


def _whole(pattern: re.Pattern[str], text: str) -> str | None:
    return text if pattern.fullmatch(text) else None


def check_suspendable(kind: OrganisationKind, status: OrganisationStatus) -> None:
    if kind is OrganisationKind.PLATFORM:
        raise PlatformNeeded("The platform's own organisation can't be suspended; nobody could reinstate it.")
    if OrganisationStatus.SUSPENDED not in NEXT[status]:
        raise OrganisationNotActive(f"The organisation is {status}; only an active one can be suspended.")


def check_reinstatable(status: OrganisationStatus) -> None:
    if OrganisationStatus.ACTIVE not in NEXT[status]:
        raise OrganisationNotSuspended(f"The organisation is {status}; only a suspended one can be reinstated.")

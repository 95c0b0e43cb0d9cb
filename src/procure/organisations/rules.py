"""What an organisation is, which identifiers it may have, and when it may act."""

import re
from collections.abc import Callable
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
        return _FORMS[scheme](text) if scheme in _FORMS else _whole(_ANY, text)
    except ValidationError:
        return None


def _company_number(text: str) -> str:
    # Companies House writes eight digits; spreadsheets drop the zeros in front.
    return text.zfill(8) if text.isascii() and text.isdigit() else text.upper()


def _charity_number(text: str) -> str:
    # The register of Northern Ireland writes the number alone; others put its initials before it.
    return text.upper().removeprefix("NIC")


def _whole(pattern: re.Pattern[str], text: str) -> str | None:
    return text if pattern.fullmatch(text) else None


def _form(pattern: str, spelled: Callable[[str], str] = str.upper) -> Callable[[str], str | None]:
    compiled = re.compile(pattern)
    return lambda text: _whole(compiled, spelled(text))


#: By scheme, what makes an identifier's one spelling of it, or says that it is none: Companies House, the registers of charities of England
#: and Wales (without a linked charity's suffix), Scotland and Northern Ireland, the central digital platform, HMRC's check digits, and
#: ISO 17442's. org-id.guide names the register behind each.
_FORMS: dict[str, Callable[[str], str | None]] = {
    "GB-CHC": _form(r"[1-9][0-9]{5,6}"),
    "GB-COH": _form(r"([0-9]{2}|[A-Z]{2}|R0)[0-9]{6}|(IP|SP|RS)[A-Z0-9]{6}|SL[0-9]{5}A", _company_number),
    "GB-NIC": _form(r"[1-9][0-9]{5}", _charity_number),
    "GB-PPON": _form(r"P[A-Z]{3}-[0-9]{4}-[A-Z]{4}"),
    "GB-SC": _form(r"SC[0-9]{6}"),
    "GB-VAT": vat.validate,
    "XI-LEI": lei.validate,
}
#: Schemes whose identifiers are checked by more than their characters.
CHECKED_SCHEMES = frozenset(_FORMS)


def check_suspendable(kind: OrganisationKind, status: OrganisationStatus) -> None:
    if kind is OrganisationKind.PLATFORM:
        raise PlatformNeeded("The platform's own organisation can't be suspended; nobody could reinstate it.")
    if OrganisationStatus.SUSPENDED not in NEXT[status]:
        raise OrganisationNotActive(f"The organisation is {status}; only an active one can be suspended.")


def check_reinstatable(status: OrganisationStatus) -> None:
    if OrganisationStatus.ACTIVE not in NEXT[status]:
        raise OrganisationNotSuspended(f"The organisation is {status}; only a suspended one can be reinstated.")

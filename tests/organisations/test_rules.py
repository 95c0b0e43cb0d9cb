"""Which identifiers organisations may have, and which statuses may follow which."""

import pytest

from procure.kit.actor import OrganisationKind
from procure.kit.errors import Fact
from procure.organisations import rules
from procure.organisations.errors import (
    OrganisationInvalid,
    OrganisationNotActive,
    OrganisationNotSuspended,
    PlatformNeeded,
)
from procure.organisations.models import Organisation
from procure.organisations.rules import NEXT, OrganisationStatus

BUYER, SUPPLIER, PLATFORM = OrganisationKind.BUYER, OrganisationKind.SUPPLIER, OrganisationKind.PLATFORM
ACTIVE, SUSPENDED = OrganisationStatus.ACTIVE, OrganisationStatus.SUSPENDED


@pytest.mark.parametrize(
    ("scheme", "written", "canonical"),
    [
        ("GB-COH", "01234567", "01234567"),
        ("GB-COH", "1234567", "01234567"),
        ("GB-COH", "454323", "00454323"),
        ("GB-COH", "sc268016", "SC268016"),
        ("GB-COH", "OC 300001", "OC300001"),
        ("GB-COH", "R0000123", "R0000123"),
        ("GB-COH", "IP00123R", "IP00123R"),
        ("GB-VAT", "GB 980 7806 84", "980780684"),
        ("GB-VAT", "980780684", "980780684"),
        ("GB-VAT", "GD001", "GD001"),
        ("XI-LEI", "213800kud8lajwsq9d15", "213800KUD8LAJWSQ9D15"),
        ("GB-PPON", "pabc-1234-defg", "PABC-1234-DEFG"),
        ("GB-LAE", "DUR", "DUR"),
        ("GB-GOR", "PB1093", "PB1093"),
        ("GB-SRS", "sid4gov.cabinetoffice.gov.uk/rFBk7FPE", "sid4gov.cabinetoffice.gov.uk/rFBk7FPE"),
    ],
)
def test_an_identifier_has_one_spelling(scheme: str, written: str, canonical: str) -> None:
    assert rules.canonical_identifier(scheme, written) == canonical
    assert rules.canonical_identifier(scheme, canonical) == canonical


@pytest.mark.parametrize(
    ("scheme", "written"),
    [
        ("GB-COH", "458577871"),
        ("GB-COH", "ABC12345"),
        ("GB-COH", "SC26801"),
        ("GB-COH", "٠١٢٣٤٥٦٧"),
        ("GB-COH", ""),
        ("GB-VAT", "802311781"),
        ("GB-VAT", "GB1"),
        ("XI-LEI", "213800KUD8LAJWSQ9D16"),
        ("GB-PPON", "PABC-123-DEFG"),
        ("GB-PPON", "XABC-1234-DEFG"),
        ("GB-LAE", ""),
        ("GB-LAE", "-DUR"),
        ("GB-LAE", "DÜR"),
        ("GB-LAE", "D\x00R"),
        ("GB-LAE", "D" * 101),
    ],
)
def test_what_is_not_an_identifier_of_its_scheme_is_refused(scheme: str, written: str) -> None:
    assert rules.canonical_identifier(scheme, written) is None
    with pytest.raises(OrganisationInvalid) as caught:
        rules.check_identity(SUPPLIER, scheme, written, is_central_government=False)
    assert [fault.pointer for fault in caught.value.faults] == ["/identifier/id"]


def test_only_a_buyer_is_a_central_government_authority() -> None:
    assert rules.check_identity(BUYER, "GB-LAE", "DUR", is_central_government=True) == "DUR"
    with pytest.raises(OrganisationInvalid) as caught:
        rules.check_identity(SUPPLIER, "GB-LAE", "DUR", is_central_government=True)
    assert [fault.pointer for fault in caught.value.faults] == ["/is_central_government"]


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(OrganisationInvalid) as caught:
        rules.check_identity(SUPPLIER, "GB-COH", "x", is_central_government=True)
    assert [fault.pointer for fault in caught.value.faults] == ["/identifier/id", "/is_central_government"]


def test_no_registration_can_name_the_platforms_own_scheme() -> None:
    assert "-" not in rules.PLATFORM_SCHEME


@pytest.mark.parametrize(
    ("kind", "status", "refusal"),
    [
        (BUYER, ACTIVE, None),
        (SUPPLIER, ACTIVE, None),
        (PLATFORM, ACTIVE, PlatformNeeded),
        (BUYER, SUSPENDED, OrganisationNotActive),
        (SUPPLIER, SUSPENDED, OrganisationNotActive),
        (PLATFORM, SUSPENDED, PlatformNeeded),
    ],
)
def test_who_can_be_suspended(kind: OrganisationKind, status: OrganisationStatus, refusal: type[Fact] | None) -> None:
    if refusal is None:
        rules.check_suspendable(kind, status)
    else:
        with pytest.raises(refusal):
            rules.check_suspendable(kind, status)


def test_who_can_be_reinstated() -> None:
    rules.check_reinstatable(SUSPENDED)
    with pytest.raises(OrganisationNotSuspended):
        rules.check_reinstatable(ACTIVE)


@pytest.mark.parametrize("status", OrganisationStatus)
@pytest.mark.parametrize("wanted", OrganisationStatus)
def test_a_status_is_followed_only_by_what_the_table_says(
    status: OrganisationStatus, wanted: OrganisationStatus
) -> None:
    row = Organisation(status=status, version=1)
    if wanted in NEXT[status]:
        row.move_to(wanted)
        assert (row.status, row.version) == (wanted, 2)
    else:
        with pytest.raises(AssertionError):
            row.move_to(wanted)

"""Which roles and clients an organisation can give, and who may act."""

import itertools
from uuid import UUID

import pytest

from procure.identity import rules
from procure.identity.errors import (
    ClientInvalid,
    ClientNotActive,
    IsSuspended,
    MembershipInvalid,
    MembershipKnown,
    MembershipNotActive,
    TokenRefused,
)
from procure.identity.models import Client, Membership
from procure.identity.rules import (
    CLIENT_NEXT,
    MEMBERSHIP_NEXT,
    ROLES_OF,
    ClientKind,
    ClientStatus,
    MembershipStatus,
    PersonStatus,
    Standing,
)
from procure.kit.actor import OrganisationKind, Role
from procure.kit.errors import Fact
from procure.kit.scopes import ROLE_SCOPES
from procure.organisations.errors import OrganisationIsSuspended
from procure.organisations.rules import OrganisationStatus

BUYER = OrganisationKind.BUYER
SOMEBODY = UUID("0199c0de-0000-7000-8000-000000000001")
ANY_ROLE = {kind: min(roles) for kind, roles in ROLES_OF.items()}


def pointers(fact: Fact) -> list[str]:
    return [fault.pointer for fault in fact.faults]


def member(
    kind: OrganisationKind,
    roles: list[Role],
    *,
    budget_holder: bool = False,
    person_named: bool = True,
    person_id: UUID | None = None,
) -> None:
    rules.check_member(kind, roles, budget_holder=budget_holder, person_named=person_named, person_id=person_id)


def test_every_role_belongs_to_some_kind_of_organisation_and_has_scopes() -> None:
    assert {role for roles in ROLES_OF.values() for role in roles} == set(Role)
    assert set(ROLE_SCOPES) == set(Role)
    assert set(ROLES_OF) == set(OrganisationKind)


@pytest.mark.parametrize("kind", OrganisationKind)
@pytest.mark.parametrize("role", Role)
def test_an_organisation_gives_only_the_roles_of_its_kind(kind: OrganisationKind, role: Role) -> None:
    if role in ROLES_OF[kind]:
        member(kind, [role])
        rules.check_client(kind, ClientKind.SERVICE, [role], person_id=None, is_member=False)
        return
    with pytest.raises(MembershipInvalid) as refused:
        member(kind, [ANY_ROLE[kind], role])
    assert pointers(refused.value) == ["/roles/1"]
    with pytest.raises(ClientInvalid) as also:
        rules.check_client(kind, ClientKind.SERVICE, [role], person_id=None, is_member=False)
    assert pointers(also.value) == ["/roles/0"]


@pytest.mark.parametrize(
    ("named", "person_id", "ok"),
    [
        (True, None, True),
        (False, SOMEBODY, True),
        (False, None, False),
        (True, SOMEBODY, False),
    ],
)
def test_a_person_is_named_in_one_way(named: bool, person_id: UUID | None, ok: bool) -> None:
    if ok:
        member(BUYER, [Role.OFFICER], person_named=named, person_id=person_id)
        return
    with pytest.raises(MembershipInvalid) as refused:
        member(BUYER, [Role.OFFICER], person_named=named, person_id=person_id)
    assert pointers(refused.value) == ["/person"]


@pytest.mark.parametrize("role", sorted(ROLES_OF[BUYER]))
def test_a_budget_holder_is_an_approver(role: Role) -> None:
    member(BUYER, [role, Role.APPROVER], budget_holder=True)
    if role is Role.APPROVER:
        return
    with pytest.raises(MembershipInvalid) as refused:
        member(BUYER, [role], budget_holder=True)
    assert pointers(refused.value) == ["/budget_holder"]


def test_all_faults_of_a_member_are_told_at_once() -> None:
    with pytest.raises(MembershipInvalid) as refused:
        member(BUYER, [Role.BIDDER, Role.OPERATOR], budget_holder=True, person_named=False)
    assert pointers(refused.value) == ["/person", "/roles/0", "/roles/1", "/budget_holder"]


@pytest.mark.parametrize("kind", ClientKind)
@pytest.mark.parametrize("person_id", [None, SOMEBODY])
@pytest.mark.parametrize("is_member", [False, True])
@pytest.mark.parametrize("roles", [[], [Role.OFFICER], [Role.BIDDER]])
def test_a_client_has_a_member_or_roles_of_its_own(
    kind: ClientKind, person_id: UUID | None, is_member: bool, roles: list[Role]
) -> None:
    if kind is ClientKind.PERSONAL:
        wrong = (["/roles"] if roles else []) + (["/person_id"] if person_id is None or not is_member else [])
    else:
        wrong = (["/person_id"] if person_id else []) + (
            ["/roles"] if not roles else ["/roles/0"] if roles == [Role.BIDDER] else []
        )
    if not wrong:
        rules.check_client(BUYER, kind, roles, person_id=person_id, is_member=is_member)
        return
    with pytest.raises(ClientInvalid) as refused:
        rules.check_client(BUYER, kind, roles, person_id=person_id, is_member=is_member)
    assert pointers(refused.value) == wrong


def standing(
    client: ClientStatus,
    organisation: OrganisationStatus,
    person: PersonStatus | None,
    membership: MembershipStatus | None,
) -> Standing:
    return Standing(
        client_id=SOMEBODY,
        client_status=client,
        organisation_id=SOMEBODY,
        organisation_kind=BUYER,
        organisation_status=organisation,
        person_id=SOMEBODY if person else None,
        person_status=person,
        membership_status=membership,
        roles=frozenset({Role.OFFICER}),
        budget_holder=False,
    )


@pytest.mark.parametrize("client", ClientStatus)
@pytest.mark.parametrize("organisation", OrganisationStatus)
@pytest.mark.parametrize(
    ("person", "membership"), [(None, None), *itertools.product(PersonStatus, [None, *MembershipStatus])]
)
def test_who_may_act(
    client: ClientStatus,
    organisation: OrganisationStatus,
    person: PersonStatus | None,
    membership: MembershipStatus | None,
) -> None:
    stands = standing(client, organisation, person, membership)
    is_over = client is ClientStatus.REVOKED or (person and membership in (None, MembershipStatus.ENDED))
    if is_over:
        with pytest.raises(TokenRefused):
            rules.check_standing(stands)
    elif "suspended" in (client, person, membership):
        with pytest.raises(IsSuspended):
            rules.check_standing(stands)
    elif organisation is not OrganisationStatus.ACTIVE:
        with pytest.raises(OrganisationIsSuspended):
            rules.check_standing(stands)
    else:
        rules.check_standing(stands)


def test_a_standing_does_not_show_the_secrets_hash() -> None:
    shown = repr(standing(ClientStatus.ACTIVE, OrganisationStatus.ACTIVE, None, None))
    assert "hash of a secret" not in shown


@pytest.mark.parametrize("status", MembershipStatus)
@pytest.mark.parametrize("wanted", MembershipStatus)
def test_a_membership_ends_and_may_be_taken_up_again(status: MembershipStatus, wanted: MembershipStatus) -> None:
    row = Membership(status=status, version=1)
    if wanted in MEMBERSHIP_NEXT[status]:
        row.move_to(wanted)
        assert (row.status, row.version) == (wanted, 2)
    else:
        with pytest.raises(AssertionError):
            row.move_to(wanted)


@pytest.mark.parametrize("status", ClientStatus)
@pytest.mark.parametrize("wanted", ClientStatus)
def test_a_revoked_client_stays_revoked(status: ClientStatus, wanted: ClientStatus) -> None:
    row = Client(status=status, version=1)
    if wanted in CLIENT_NEXT[status]:
        row.move_to(wanted)
        assert (row.status, row.version) == (wanted, 2)
    else:
        with pytest.raises(AssertionError):
            row.move_to(wanted)


@pytest.mark.parametrize("status", MembershipStatus)
def test_a_membership_is_joined_once_and_ended_once(status: MembershipStatus) -> None:
    if status is not MembershipStatus.ENDED:
        rules.check_endable(status)
        with pytest.raises(MembershipKnown):
            rules.check_joinable(status)
    else:
        rules.check_joinable(status)
        with pytest.raises(MembershipNotActive):
            rules.check_endable(status)


def test_a_client_is_revoked_once() -> None:
    rules.check_revocable(ClientStatus.ACTIVE)
    rules.check_revocable(ClientStatus.SUSPENDED)
    with pytest.raises(ClientNotActive):
        rules.check_revocable(ClientStatus.REVOKED)

"""The routes that suspend clients, memberships and persons, and reinstate them."""

from uuid import UUID

from litestar import Controller, get, post
from litestar.params import FromPath, JSONBody

from procure.identity.errors import (
    ClientNotActive,
    ClientNotFound,
    MembershipNotActive,
    MembershipNotFound,
    PersonNotActive,
    PersonNotFound,
    SuspensionNotFound,
)
from procure.identity.rules import ClientStatus, MembershipStatus, PersonStatus
from procure.identity.schemas import ClientView, KnownPersonView, MemberView
from procure.identity.suspensions import service
from procure.kit.http import AsSeen, Caller, Db, requires
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.organisations.errors import OrganisationNotFound
from procure.organisations.schemas import Reason


class SuspensionController(Controller):
    """What an organisation's own admin, or the operator, does about its clients and members."""

    path = "/v1/organisations/{organisation_id:uuid}"
    tags = ("Organisations",)

    @post(
        "/clients/{client_id:uuid}/suspend",
        operation_id="suspendClient",
        summary="Suspend a client",
        status_code=200,
        responses=problems(OrganisationNotFound, ClientNotFound, ClientNotActive),
        **requires(Scope.CLIENTS_MANAGE, seen="client"),
    )
    async def suspend_client(
        self,
        db: Db,
        actor: Caller,
        seen: AsSeen,
        organisation_id: FromPath[UUID],
        client_id: FromPath[UUID],
        data: JSONBody[Reason],
    ) -> ClientView:
        """Stop a client for a while, tokens already out included, from the next request on. Give it another secret meanwhile if need be."""
        wanted = ClientStatus.SUSPENDED
        row = await service.move_client(db, actor, organisation_id, client_id, wanted, data.reason, seen=seen)
        return ClientView.of(row)

    @post(
        "/clients/{client_id:uuid}/reinstate",
        operation_id="reinstateClient",
        summary="Reinstate a client",
        status_code=200,
        responses=problems(OrganisationNotFound, ClientNotFound, SuspensionNotFound),
        **requires(Scope.CLIENTS_MANAGE, seen="client"),
    )
    async def reinstate_client(
        self,
        db: Db,
        actor: Caller,
        seen: AsSeen,
        organisation_id: FromPath[UUID],
        client_id: FromPath[UUID],
        data: JSONBody[Reason],
    ) -> ClientView:
        """Let a suspended client act again, by the tokens too that are out still."""
        wanted = ClientStatus.ACTIVE
        row = await service.move_client(db, actor, organisation_id, client_id, wanted, data.reason, seen=seen)
        return ClientView.of(row)

    @post(
        "/members/{membership_id:uuid}/suspend",
        operation_id="suspendMembership",
        summary="Suspend a membership",
        status_code=200,
        responses=problems(OrganisationNotFound, MembershipNotFound, MembershipNotActive),
        **requires(Scope.MEMBERS_MANAGE, seen="membership"),
    )
    async def suspend_membership(
        self,
        db: Db,
        actor: Caller,
        seen: AsSeen,
        organisation_id: FromPath[UUID],
        membership_id: FromPath[UUID],
        data: JSONBody[Reason],
    ) -> MemberView:
        """Stop what a person does for the organisation, by whatever client or token, from the next request on. Their clients stay."""
        wanted = MembershipStatus.SUSPENDED
        moved = await service.move_membership(db, actor, organisation_id, membership_id, wanted, data.reason, seen=seen)
        return MemberView.of(*moved)

    @post(
        "/members/{membership_id:uuid}/reinstate",
        operation_id="reinstateMembership",
        summary="Reinstate a membership",
        status_code=200,
        responses=problems(OrganisationNotFound, MembershipNotFound, SuspensionNotFound),
        **requires(Scope.MEMBERS_MANAGE, seen="membership"),
    )
    async def reinstate_membership(
        self,
        db: Db,
        actor: Caller,
        seen: AsSeen,
        organisation_id: FromPath[UUID],
        membership_id: FromPath[UUID],
        data: JSONBody[Reason],
    ) -> MemberView:
        """Let a person act for the organisation again, in the roles that they had."""
        wanted = MembershipStatus.ACTIVE
        moved = await service.move_membership(db, actor, organisation_id, membership_id, wanted, data.reason, seen=seen)
        return MemberView.of(*moved)


class PersonController(Controller):
    """What the operator does about a person, of whatever organisations."""

    path = "/v1/persons/{person_id:uuid}"
    tags = ("Organisations",)

    @get(
        "/",
        operation_id="getPerson",
        summary="Read a person",
        responses=problems(PersonNotFound),
        **requires(Scope.PERSONS_MANAGE),
    )
    async def read(self, db: Db, actor: Caller, seen: AsSeen, person_id: FromPath[UUID]) -> KnownPersonView:
        """The operator's alone: who a person is and whether they may act."""
        found = KnownPersonView.of(await service.find_person(db, actor, person_id))
        seen.check(found.etag)
        return found

    @post(
        "/suspend",
        operation_id="suspendPerson",
        summary="Suspend a person",
        status_code=200,
        responses=problems(PersonNotFound, PersonNotActive),
        **requires(Scope.PERSONS_MANAGE, seen="person"),
    )
    async def suspend(
        self, db: Db, actor: Caller, seen: AsSeen, person_id: FromPath[UUID], data: JSONBody[Reason]
    ) -> KnownPersonView:
        """Stop whatever a person does, for whatever organisation and by whatever client or token, from the next request on.

        The organisations that they are a member of read it, with the reason, in the journal.
        """
        wanted = PersonStatus.SUSPENDED
        return KnownPersonView.of(await service.move_person(db, actor, person_id, wanted, data.reason, seen=seen))

    @post(
        "/reinstate",
        operation_id="reinstatePerson",
        summary="Reinstate a person",
        status_code=200,
        responses=problems(PersonNotFound, SuspensionNotFound),
        **requires(Scope.PERSONS_MANAGE, seen="person"),
    )
    async def reinstate(
        self, db: Db, actor: Caller, seen: AsSeen, person_id: FromPath[UUID], data: JSONBody[Reason]
    ) -> KnownPersonView:
        """Let a suspended person act again."""
        wanted = PersonStatus.ACTIVE
        return KnownPersonView.of(await service.move_person(db, actor, person_id, wanted, data.reason, seen=seen))

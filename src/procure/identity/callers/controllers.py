"""The route that tells a caller who it is."""

from litestar import Controller, get

from procure.identity.callers import service
from procure.identity.callers.schemas import MeView
from procure.identity.errors import NotAMember, OrganisationNotNamed
from procure.kit.http import Caller, Db, known
from procure.kit.problems import problems


class MeController(Controller):
    """For every caller with a token."""

    path = "/v1/me"
    tags = ("Organisations",)

    @get(
        "/",
        operation_id="getMe",
        summary="See who you are here",
        responses=problems(OrganisationNotNamed, NotAMember),
        **known(choosing=True),
    )
    async def read(self, db: Db, actor: Caller) -> MeView:
        """You as a person and a client, the organisation that you act for, your roles and scopes, and the memberships to choose from.

        A person of several organisations may leave out `Procure-Organisation` here, and chooses from `memberships`.
        """
        return await service.describe(db, actor)

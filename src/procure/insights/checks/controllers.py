"""The route of a draft's checks."""

from uuid import UUID

from litestar import Controller, get
from litestar.params import FromPath

from procure.insights.checks import service
from procure.insights.checks.schemas import ChecksView, CheckView
from procure.kit.http import Caller, Db, requires
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.lots.errors import LotNotFound
from procure.lots.rules import LotStatus


class CheckController(Controller):
    """What stands between a draft and its publication."""

    path = "/v1/lots"
    tags = ("Lots",)

    @get(
        "/{lot_id:uuid}/checks",
        operation_id="getLotChecks",
        summary="Check a draft",
        responses=problems(LotNotFound),
        **requires(Scope.LOTS_READ),
    )
    async def of_lot(self, db: Db, actor: Caller, lot_id: FromPath[UUID]) -> ChecksView:
        """What stands between your draft and its publication now, and what an experienced buyer would look at twice, in words.

        What `blocks` is what publishing asks, by the same rules. Once it is published or withdrawn there is nothing to be told.
        """
        lot, found = await service.of_lot(db, actor, lot_id)
        return ChecksView(
            items=[CheckView.of(one) for one in found], derived=lot.derived if lot.status is LotStatus.DRAFT else []
        )

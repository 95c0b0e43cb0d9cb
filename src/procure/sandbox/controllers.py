"""The routes of the clock."""

from litestar import Controller, get, post
from litestar.params import JSONBody

from procure.kit import clock
from procure.kit.http import Caller, Db, public, requires
from procure.kit.idempotency import Key
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.sandbox import service
from procure.sandbox.errors import ClockBackwards
from procure.sandbox.schemas import ClockMove, ClockView


class TimeController(Controller):
    """Procurement's time."""

    path = "/v1/time"
    tags = ("Time",)

    @get("/", operation_id="getTime", summary="Read the clock", responses=problems(), **public())
    async def read(self, db: Db) -> ClockView:
        """The clock that decides deadlines; compare yours with it before you submit."""
        return ClockView.of(await clock.now(db), await service.ahead(db))


class SandboxController(Controller):
    """Only with `PROCURE_SANDBOX=1`."""

    path = "/v1/sandbox"
    tags = ("Sandbox",)

    @post(
        "/clock",
        operation_id="moveSandboxClock",
        summary="Move the sandbox's clock",
        status_code=200,
        responses=problems(ClockBackwards),
        **requires(Scope.SANDBOX_CLOCK, key=Key.IGNORED),
    )
    async def move(self, db: Db, actor: Caller, data: JSONBody[ClockMove]) -> ClockView:
        """Move procurement's time forward, so that a whole procurement runs in seconds. Tokens keep wall time."""
        now = await service.move(db, actor, data.to)
        return ClockView.of(now, await service.ahead(db))

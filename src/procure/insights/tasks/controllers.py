"""The route of tasks."""

from litestar import Controller, get

from procure.insights.tasks import service
from procure.insights.tasks.schemas import TaskView
from procure.kit.http import Caller, Db, PageAsked, known
from procure.kit.paging import Page, Position, page_of
from procure.kit.problems import problems


class TaskController(Controller):
    """What waits for whom."""

    path = "/v1/tasks"
    tags = ("Actions",)

    @get("/", operation_id="listTasks", summary="List what waits for you", responses=problems(), **known())
    async def list_(self, db: Db, actor: Caller, page: PageAsked) -> Page[TaskView]:
        """Every act that waits for you in the organisation that you act for, by due time; what has no date comes last.

        Approvals that you prepared yourself are other people's and not among them.
        """
        rows = await service.list_tasks(db, actor, page)
        return page_of(rows, page, TaskView.of, lambda row: Position(row.sorted_at, row.id))

"""The routes of the public register: JSON lists, and one page for people."""

from uuid import UUID

from litestar import Controller, Response, get
from litestar.datastructures import CacheControlHeader
from litestar.params import FromQuery

from procure.awards.rules import AwardStatus
from procure.awards.schemas import AwardSummary
from procure.contracts.rules import ContractStatus
from procure.kit.actor import ANYONE
from procure.kit.http import ApiRequest, Db, PageAsked, encoded, public
from procure.kit.pages import html
from procure.kit.paging import Page, Position, page_of
from procure.kit.problems import problems
from procure.lots import projections
from procure.lots.rules import LotStatus, Phase
from procure.lots.schemas import LotSummary
from procure.outcomes.rules import OutcomeStatus
from procure.register import pages, service
from procure.register.schemas import ContractEntry, OutcomeEntry

#: The same for every reader, and at most a minute old.
FRESH = CacheControlHeader(public=True, max_age=60)


class RegisterController(Controller):
    """What the public sees."""

    path = "/v1/register"
    tags = ("Register",)
    cache_control = FRESH

    @get("/outcomes", operation_id="registerOutcomes", summary="Outcomes", responses=problems(), **public())
    async def outcomes(
        self,
        db: Db,
        page: PageAsked,
        buyer_id: FromQuery[UUID | None] = None,
        status: FromQuery[OutcomeStatus | None] = None,
    ) -> Page[OutcomeEntry]:
        """Every outcome that was activated: its measures' progress, what is committed, accepted and paid. Newest first."""
        rows = await service.list_outcomes(db, page, buyer_id=buyer_id, status=status)
        return page_of(rows, page, lambda entry: entry, lambda entry: Position(entry.created_at, entry.id))

    @get("/lots", operation_id="registerLots", summary="Lots", responses=problems(), **public())
    async def lots(
        self,
        request: ApiRequest,
        page: PageAsked,
        buyer_id: FromQuery[UUID | None] = None,
        outcome_id: FromQuery[UUID | None] = None,
        status: FromQuery[LotStatus | None] = None,
        phase: FromQuery[Phase | None] = None,
    ) -> Response[Page[LotSummary]]:
        """Every lot that was published, with its status as of now. Newest first."""
        return encoded(
            await projections.list_lots(
                request.app.state.driver,
                ANYONE,
                page,
                status=status,
                phase=phase,
                outcome_id=outcome_id,
                buyer_id=buyer_id,
            )
        )

    @get("/awards", operation_id="registerAwards", summary="Awards", responses=problems(), **public())
    async def awards(
        self,
        db: Db,
        page: PageAsked,
        buyer_id: FromQuery[UUID | None] = None,
        supplier_id: FromQuery[UUID | None] = None,
        status: FromQuery[AwardStatus | None] = None,
    ) -> Page[AwardSummary]:
        """Every award that was approved, those withdrawn before signature included. Newest first."""
        rows = await service.list_awards(db, page, buyer_id=buyer_id, supplier_id=supplier_id, status=status)
        return page_of(
            rows, page, lambda row: AwardSummary.of(*row), lambda row: Position(row[0].created_at, row[0].id)
        )

    @get("/contracts", operation_id="registerContracts", summary="Contracts", responses=problems(), **public())
    async def contracts(
        self,
        db: Db,
        page: PageAsked,
        buyer_id: FromQuery[UUID | None] = None,
        supplier_id: FromQuery[UUID | None] = None,
        outcome_id: FromQuery[UUID | None] = None,
        status: FromQuery[ContractStatus | None] = None,
    ) -> Page[ContractEntry]:
        """Every contract that both sides signed: value, deliverables' states, what was learned, the next step. Newest first."""
        rows = await service.list_contracts(
            db, page, buyer_id=buyer_id, supplier_id=supplier_id, outcome_id=outcome_id, status=status
        )
        return page_of(rows, page, lambda entry: entry, lambda entry: Position(entry.created_at, entry.id))


@get("/register", include_in_schema=False, cache_control=FRESH, **public())
async def register_page(db: Db) -> Response[str]:
    """The register as a page: no script, nothing from elsewhere."""
    return html(pages.front(await service.front_page(db)), pages.OWN_STYLE)

"""The routes of timelines, one under each resource that has one."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, get
from litestar.params import FromPath, QueryParameter

from procure.bids.errors import BidNotFound
from procure.contracts.errors import ContractNotFound
from procure.insights.timelines import service
from procure.journal.schemas import Changes
from procure.kit.http import Caller, Db, confidential, public, requires
from procure.kit.paging import LIMIT_DEFAULT, Limit
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.lots.errors import LotNotFound
from procure.outcomes.errors import OutcomeNotFound

After = Annotated[int, QueryParameter(ge=0, le=2**53 - 1, description="The last position that you have; 0 for all.")]


class TimelineController(Controller):
    """What has happened to one thing and to what belongs to it, in the order and words of the changes."""

    path = "/v1"
    tags = ("Changes",)

    @get(
        "/outcomes/{outcome_id:uuid}/timeline",
        operation_id="getOutcomeTimeline",
        summary="Read an outcome's timeline",
        responses=problems(OutcomeNotFound),
        **public(),
    )
    async def of_outcome(
        self, db: Db, actor: Caller, outcome_id: FromPath[UUID], after: After = 0, limit: Limit = LIMIT_DEFAULT
    ) -> Changes:
        """The outcome's changes and observations, its lots', awards' and contracts', as far as you may see them, oldest first."""
        return await service.of_outcome(db, actor, outcome_id, after, limit)

    @get(
        "/lots/{lot_id:uuid}/timeline",
        operation_id="getLotTimeline",
        summary="Read a lot's timeline",
        responses=problems(LotNotFound),
        **public(),
    )
    async def of_lot(
        self, db: Db, actor: Caller, lot_id: FromPath[UUID], after: After = 0, limit: Limit = LIMIT_DEFAULT
    ) -> Changes:
        """The lot's changes, its enquiries', bids', award's and contracts', as far as you may see them, oldest first."""
        return await service.of_lot(db, actor, lot_id, after, limit)

    @get(
        "/bids/{bid_id:uuid}/timeline",
        operation_id="getBidTimeline",
        summary="Read your bid's timeline",
        responses=problems(BidNotFound),
        **confidential(Scope.BIDS_READ),
    )
    async def of_bid(
        self, db: Db, actor: Caller, bid_id: FromPath[UUID], after: After = 0, limit: Limit = LIMIT_DEFAULT
    ) -> Changes:
        """Your own bid's changes and its award's, oldest first; nothing before the lot's seal, as with all changes of bids."""
        return await service.of_bid(db, actor, bid_id, after, limit)

    @get(
        "/contracts/{contract_id:uuid}/timeline",
        operation_id="getContractTimeline",
        summary="Read a contract's timeline",
        responses=problems(ContractNotFound),
        **requires(Scope.CONTRACTS_READ),
    )
    async def of_contract(
        self, db: Db, actor: Caller, contract_id: FromPath[UUID], after: After = 0, limit: Limit = LIMIT_DEFAULT
    ) -> Changes:
        """The contract's changes and its deliverables', orders', invoices' and payments', as far as you may see them, oldest first."""
        return await service.of_contract(db, actor, contract_id, after, limit)

"""The routes by which work goes on."""

from uuid import UUID

from litestar import Controller, post
from litestar.params import FromPath, JSONBody

from procure.awards.errors import AwardNotApproved
from procure.contracts import service as contracts
from procure.contracts.errors import ContractNotFound, ContractStateWrong, OtherSideNeeded
from procure.contracts.iterations import service
from procure.contracts.iterations.errors import (
    IterationInvalid,
    IterationLeft,
    IterationTaken,
    NextLotDrafted,
    NextStepOther,
    NoIterationLeft,
)
from procure.contracts.iterations.schemas import Iteration, NextStepChange
from procure.contracts.schemas import ContractView
from procure.kit import clock
from procure.kit.actor import PersonNeeded
from procure.kit.http import AsSeen, Caller, Db, requires
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.lots.errors import LotInvalid
from procure.lots.schemas import LotView
from procure.outcomes.errors import OutcomeNotActive
from procure.policy.errors import NoPolicyInForce


class IterationController(Controller):
    """Going on with the same team, or with the next lot, or not."""

    path = "/v1/contracts/{contract_id:uuid}"
    tags = ("Contracts",)

    @post(
        "/continue",
        operation_id="continueContract",
        summary="Take up a further iteration",
        responses=problems(
            ContractNotFound,
            OtherSideNeeded,
            ContractStateWrong,
            NextStepOther,
            NoIterationLeft,
            IterationTaken,
            OutcomeNotActive,
            AwardNotApproved,
            IterationInvalid,
        ),
        **requires(Scope.CONTRACTS_MANAGE, seen="contract"),
    )
    async def continue_(
        self, db: Db, actor: Caller, seen: AsSeen, contract_id: FromPath[UUID], data: JSONBody[Iteration]
    ) -> ContractView:
        """A new contract under the same award, without a new competition, inside what the lot announced; both sides sign it."""
        return await contracts.view(db, await service.continue_(db, actor, contract_id, data, seen=seen))

    @post(
        "/next-lot",
        operation_id="draftNextLot",
        summary="Draft the next lot",
        responses=problems(
            ContractNotFound,
            OtherSideNeeded,
            ContractStateWrong,
            NextStepOther,
            IterationLeft,
            NextLotDrafted,
            OutcomeNotActive,
            NoPolicyInForce,
            LotInvalid,
        ),
        **requires(Scope.CONTRACTS_MANAGE, seen="contract"),
    )
    async def next_lot(self, db: Db, actor: Caller, seen: AsSeen, contract_id: FromPath[UUID]) -> LotView:
        """A draft that follows the contract's lot, its calendar moved; edit it by what was learned, then have it published."""
        lot = await service.draft_next_lot(db, actor, contract_id, seen=seen)
        return LotView.of(lot, await clock.now(db))

    @post(
        "/next-step",
        operation_id="changeNextStep",
        summary="Give up going on",
        status_code=200,
        responses=problems(
            ContractNotFound,
            OtherSideNeeded,
            PersonNeeded,
            ContractStateWrong,
            NextStepOther,
            NextLotDrafted,
            IterationTaken,
        ),
        **requires(Scope.CONTRACTS_COMPLETE, seen="contract"),
    )
    async def change_next_step(
        self, db: Db, actor: Caller, seen: AsSeen, contract_id: FromPath[UUID], data: JSONBody[NextStepChange]
    ) -> ContractView:
        """Change a completed contract's `continue` to `pivot` or `stop`, or `pivot` to `stop`: what was kept for it is released.

        An unsigned contract for the next iteration is dropped. There is no way back to `continue`.
        """
        return await contracts.view(db, await service.change_next_step(db, actor, contract_id, data, seen=seen))

"""The routes by which contracts end."""

from uuid import UUID

from litestar import Controller, post
from litestar.params import FromPath, JSONBody

from procure.contracts import service as contracts
from procure.contracts.endings import service
from procure.contracts.endings.errors import CompletionInvalid, DeliverablesOpen, NotAtBoundary, RetrospectiveClosed
from procure.contracts.endings.schemas import Completion, Retrospective, Termination
from procure.contracts.errors import ContractNotFound, ContractStateWrong, OtherSideNeeded
from procure.contracts.schemas import ContractView
from procure.kit.actor import PersonNeeded, SamePerson
from procure.kit.http import AsSeen, Caller, Db, requires
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.outcomes.errors import OutcomeNotActive


class EndingController(Controller):
    """How a contract ends, and what was learned."""

    path = "/v1/contracts/{contract_id:uuid}"
    tags = ("Contracts",)

    @post(
        "/terminate",
        operation_id="terminateContract",
        summary="End a contract for convenience",
        status_code=200,
        responses=problems(
            ContractNotFound, OtherSideNeeded, PersonNeeded, SamePerson, ContractStateWrong, NotAtBoundary
        ),
        **requires(Scope.CONTRACTS_SIGN, seen="contract"),
    )
    async def terminate(
        self, db: Db, actor: Caller, seen: AsSeen, contract_id: FromPath[UUID], data: JSONBody[Termination]
    ) -> ContractView:
        """End the contract at a boundary: an approver of the buyer. What was accepted stays payable, the rest is cancelled."""
        return await contracts.view(db, await service.terminate(db, actor, contract_id, data.reason, seen=seen))

    @post(
        "/retrospective",
        operation_id="giveRetrospective",
        summary="Say what you learned",
        status_code=200,
        responses=problems(ContractNotFound, OtherSideNeeded, ContractStateWrong, RetrospectiveClosed),
        **requires(Scope.CONTRACTS_DELIVER, seen="contract"),
    )
    async def look_back(
        self, db: Db, actor: Caller, seen: AsSeen, contract_id: FromPath[UUID], data: JSONBody[Retrospective]
    ) -> ContractView:
        """The supplier's half of the retrospective; it can be told again while the contract runs."""
        return await contracts.view(db, await service.look_back(db, actor, contract_id, data.learned, seen=seen))

    @post(
        "/complete",
        operation_id="completeContract",
        summary="Complete a contract",
        status_code=200,
        responses=problems(
            ContractNotFound,
            OtherSideNeeded,
            PersonNeeded,
            ContractStateWrong,
            DeliverablesOpen,
            OutcomeNotActive,
            CompletionInvalid,
        ),
        **requires(Scope.CONTRACTS_COMPLETE, seen="contract"),
    )
    async def complete(
        self, db: Db, actor: Caller, seen: AsSeen, contract_id: FromPath[UUID], data: JSONBody[Completion]
    ) -> ContractView:
        """Once everything is delivered: what happened to the measures, what was learned, and what comes next.

        Under an outcome that has ended, only `stop` is left.
        """
        return await contracts.view(db, await service.complete(db, actor, contract_id, data, seen=seen))

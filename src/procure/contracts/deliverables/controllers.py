"""The routes of deliverables."""

from uuid import UUID

from litestar import Controller, post
from litestar.params import FromPath, JSONBody

from procure.contracts import service as contracts
from procure.contracts.deliverables import service
from procure.contracts.deliverables.errors import (
    DeliverableNotFound,
    DeliverableStateWrong,
    ReworkSpent,
    VerdictInvalid,
)
from procure.contracts.deliverables.schemas import Delivery, Verdict
from procure.contracts.errors import ContractNotFound, ContractStateWrong, OtherSideNeeded
from procure.contracts.schemas import ContractView
from procure.kit.actor import PersonNeeded, SamePerson
from procure.kit.http import Caller, Db, requires
from procure.kit.idempotency import Key
from procure.kit.problems import problems
from procure.kit.scopes import Scope


class DeliverableController(Controller):
    """What is handed in under a contract, and the verdict on it."""

    path = "/v1/contracts/{contract_id:uuid}/deliverables/{key:str}"
    tags = ("Contracts",)

    @post(
        "/submit",
        operation_id="submitDeliverable",
        summary="Hand a deliverable in",
        status_code=200,
        responses=problems(
            ContractNotFound,
            DeliverableNotFound,
            OtherSideNeeded,
            ContractStateWrong,
            DeliverableStateWrong,
            ReworkSpent,
        ),
        **requires(Scope.CONTRACTS_DELIVER),
    )
    async def submit(
        self, db: Db, actor: Caller, contract_id: FromPath[UUID], key: FromPath[str], data: JSONBody[Delivery]
    ) -> ContractView:
        """Hand in the deliverable `key` (D1, D2 …), or hand it in again after a rejection, as often as rework is allowed."""
        return await contracts.view(db, await service.submit(db, actor, contract_id, key, data))

    @post(
        "/decide",
        operation_id="decideDeliverable",
        summary="Accept or reject a deliverable",
        status_code=200,
        responses=problems(
            ContractNotFound,
            DeliverableNotFound,
            OtherSideNeeded,
            PersonNeeded,
            SamePerson,
            ContractStateWrong,
            DeliverableStateWrong,
            VerdictInvalid,
        ),
        **requires(Scope.CONTRACTS_ACCEPT, key=Key.REQUIRED),
    )
    async def decide(
        self, db: Db, actor: Caller, contract_id: FromPath[UUID], key: FromPath[str], data: JSONBody[Verdict]
    ) -> ContractView:
        """Answer each acceptance criterion once. If all are met it is accepted and its price payable, else rejected."""
        return await contracts.view(db, await service.decide(db, actor, contract_id, key, data))

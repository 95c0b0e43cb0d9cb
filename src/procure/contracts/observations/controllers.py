"""The route of observations under a contract."""

from uuid import UUID

from litestar import Controller, post
from litestar.params import FromPath, JSONBody

from procure.contracts.errors import ContractNotFound, ContractStateWrong, OtherSideNeeded
from procure.contracts.observations import service
from procure.contracts.observations.schemas import ContractObservation
from procure.kit.http import Caller, Db, requires
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.outcomes.errors import MeasureNotFound, ObservationInvalid
from procure.outcomes.schemas import ObservationView


class ContractObservationController(Controller):
    """What was seen of the outcome's measures, put down to a contract."""

    path = "/v1/contracts/{contract_id:uuid}/observations"
    tags = ("Contracts",)

    @post(
        "/",
        operation_id="observeUnderContract",
        summary="Record an observation under a contract",
        responses=problems(ContractNotFound, OtherSideNeeded, ContractStateWrong, MeasureNotFound, ObservationInvalid),
        **requires(Scope.OUTCOMES_OBSERVE),
    )
    async def observe(
        self, db: Db, actor: Caller, contract_id: FromPath[UUID], data: JSONBody[ContractObservation]
    ) -> ObservationView:
        """Record what a measure of the contract's outcome was seen to be, against the contract or one of its deliverables."""
        return ObservationView.of(await service.observe(db, actor, contract_id, data))

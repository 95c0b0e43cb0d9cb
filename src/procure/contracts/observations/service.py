"""Recording an observation against a contract: the contract and its deliverable are found here, the measure by `outcomes`."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.contracts import rules as contract_rules
from procure.contracts import service as contracts
from procure.contracts.models import ContractDeliverable
from procure.contracts.observations.schemas import ContractObservation
from procure.contracts.rules import Side
from procure.kit.actor import Actor
from procure.kit.errors import Faults
from procure.outcomes import service as outcomes
from procure.outcomes.errors import ObservationInvalid
from procure.outcomes.models import Observation


async def observe(db: AsyncSession, actor: Actor, contract_id: UUID, data: ContractObservation) -> Observation:
    """Add what a measure was seen to be to the contract's outcome, before and after the contract's end."""
    contract = await contracts.find_contract(db, actor, contract_id)
    contract_rules.check_side(contracts.side_of(actor, contract), Side.BUYER)
    contract_rules.check_was_signed(contract.signed_at)
    if data.deliverable is not None:
        faults = Faults()
        of_contract = ContractDeliverable.contract_id == contract.id, ContractDeliverable.key == data.deliverable
        known = await db.scalar(select(ContractDeliverable.id).where(*of_contract))
        said = f"{contract.reference} has no such deliverable."
        faults.unless(known is not None, "/deliverable", "unknown", said)
        faults.raise_any(ObservationInvalid)
    return await outcomes.observe(
        db,
        actor,
        contract.outcome_id,
        data.measure_id,
        data,
        contract_id=contract.id,
        deliverable=data.deliverable,
    )

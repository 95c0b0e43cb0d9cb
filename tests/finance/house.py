"""A signed contract with accepted deliverables, as rows: what finance starts from, without the weeks that lead there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import count
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, active_outcome, published_lot
from procure.awards.models import Award
from procure.awards.rules import AwardStatus
from procure.bids.models import Bid, BidContent, Price
from procure.bids.rules import BidStatus, SealingMode
from procure.contracts.models import Contract, ContractDeliverable
from procure.contracts.rules import ContractStatus, DeliverableStatus
from procure.kit import clock
from procure.kit.actor import Actor
from procure.kit.ids import new_id
from procure.kit.money import total
from procure.lots import service as lots
from procure.lots.models import Lot
from procure.outcomes.models import Outcome
from procure.policy.working_days import local_day
from procure.vault.keys import Vault


@dataclass(frozen=True)
class Signed:
    """A contract and what hangs on it."""

    outcome: Outcome
    lot: Lot
    contract: Contract
    deliverables: list[ContractDeliverable]
    supplier: Actor

    @property
    def invoices(self) -> str:
        return f"/v1/contracts/{self.contract.id}/invoices"


async def payable_contract(
    db: AsyncSession,
    buyer: Council,
    supplier: Actor,
    vault: Vault,
    *,
    accepted: Sequence[str] = ("5900.00", "4100.00"),
    planned: Sequence[str] = (),
    title: str = "A map of twenty changes",
) -> Signed:
    """Active, with one deliverable accepted now for each amount in `accepted` and one planned for each in `planned`."""
    outcome = await active_outcome(db, buyer)
    lot = await published_lot(db, buyer, vault, outcome)
    now = await clock.now(db)
    amounts = [Decimal(amount) for amount in (*accepted, *planned)]
    award = await _award(db, buyer, supplier, lot, amounts, now)
    contract = _contract(buyer, supplier, lot, award, now)
    db.add(contract)
    await db.flush()
    works = [
        _deliverable(contract, place, amount, title, now if place <= len(accepted) else None)
        for place, amount in enumerate(amounts, start=1)
    ]
    db.add_all(works)
    await db.flush()
    return Signed(outcome, lot, contract, works, supplier)


async def _award(
    db: AsyncSession, buyer: Council, supplier: Actor, lot: Lot, amounts: Sequence[Decimal], now: datetime
) -> Award:
    assert supplier.supplier_id
    await lots.mark_evaluating(db, buyer.officer, lot, "Opened.")
    bid = Bid(
        id=new_id(),
        lot_id=lot.id,
        supplier_id=supplier.supplier_id,
        status=BidStatus.AWARDED,
        lot_version=1,
        key_id=lot.key_id,
        sealing_mode=SealingMode.SERVER,
        sealed=b"sealed",
        digest=b"digest",
        received_at=now,
        supplier_name="A supplier",
        content=BidContent([Price(f"D{at}", amount) for at, amount in enumerate(amounts, start=1)], [], []),
        total=total(amounts),
        opened_at=now,
        version=1,
    )
    db.add(bid)
    await db.flush()
    award = Award(
        id=new_id(),
        reference=f"AWD-2026-{next(_numbers):06d}",
        lot_id=lot.id,
        bid_id=bid.id,
        buyer_id=lot.buyer_id,
        supplier_id=supplier.supplier_id,
        supplier_name="A supplier",
        value=total(amounts),
        currency="GBP",
        status=AwardStatus.APPROVED,
        reason="First in the ranking.",
        decided_at=now,
        standstill_ends_at=now,
        version=1,
    )
    db.add(award)
    await db.flush()
    await lots.mark_awarded(db, buyer.approver, lot, "Approved.")
    await lots.mark_contracted(db, buyer.approver, lot, "Signed.")
    return award


_numbers = count(1)


def _contract(buyer: Council, supplier: Actor, lot: Lot, award: Award, now: datetime) -> Contract:
    number = new_id()
    return Contract(
        id=number,
        reference=f"CON-2026-{next(_numbers):06d}",
        award_id=award.id,
        lot_id=lot.id,
        outcome_id=lot.outcome_id,
        buyer_id=lot.buyer_id,
        buyer_name=buyer.organisation.name,
        supplier_id=supplier.supplier_id,
        supplier_name="A supplier",
        number=1,
        status=ContractStatus.ACTIVE,
        value=award.value,
        currency="GBP",
        starts_on=lot.starts_on,
        ends_on=lot.starts_on + timedelta(days=lot.duration_days),
        document=b"{}",
        digest=b"digest",
        sign_from=now,
        sign_by=now + timedelta(days=14),
        signed_at=now,
        owed=[],
        prepared_by=[],
        version=1,
    )


def _deliverable(
    contract: Contract, place: int, amount: Decimal, title: str, accepted_at: datetime | None
) -> ContractDeliverable:
    return ContractDeliverable(
        id=new_id(),
        contract_id=contract.id,
        position=place,
        key=f"D{place}",
        title=title,
        due_on=contract.ends_on,
        acceptance_criteria=["Twenty changes are followed"],
        amount=amount,
        status=DeliverableStatus.ACCEPTED if accepted_at else DeliverableStatus.PLANNED,
        rounds=1 if accepted_at else 0,
        accepted_at=accepted_at,
        version=1,
    )


def money(amount: str | Decimal, currency: str = "GBP") -> dict[str, str]:
    return {"amount": f"{Decimal(amount):.2f}", "currency": currency}


def invoice_document(net: str, vat: str, *, key: str = "D1", number: str = "INV-1", on: date) -> dict[str, object]:
    """An invoice at 20 per cent, as a supplier would send it."""
    return {
        "number": number,
        "deliverable_key": key,
        "net": money(net),
        "vat_rate": "20.00",
        "vat": money(vat),
        "gross": money(Decimal(net) + Decimal(vat)),
        "issued_on": str(on),
    }


def order_document(contract_id: UUID, amount: str, on: date) -> dict[str, object]:
    return {"contract_id": str(contract_id), "amount": money(amount), "ordered_on": str(on)}


def payment_document(invoice_id: str | UUID, amount: str | Decimal, on: date) -> dict[str, object]:
    return {"invoice_id": str(invoice_id), "amount": money(amount), "paid_on": str(on)}


async def today(db: AsyncSession) -> date:
    return local_day(await clock.now(db))

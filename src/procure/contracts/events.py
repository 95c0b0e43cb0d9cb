"""What happens to contracts, as the journal tells it."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from procure.contracts.models import Contract
from procure.contracts.rules import Side
from procure.journal.events import Event, Told
from procure.kit.fields import Count, Digest, Instant, Line, Reference
from procure.kit.money import Money
from procure.kit.scopes import Scope


class ContractDrawn(Event, frozen=True, kw_only=True):
    """An officer drew up a contract: its document waits for two signatures."""

    type: ClassVar[str] = "contract.drawn"
    object_type: ClassVar[str] = "contract"
    told: ClassVar[tuple[Told, ...]] = (Told.PARTIES,)
    readers: ClassVar[Scope | None] = Scope.CONTRACTS_READ

    reference: Reference
    award_id: UUID
    lot_id: UUID
    number: Count
    value: Money
    document_digest: Digest
    sign_from: Instant
    sign_by: Instant

    @classmethod
    def of(cls, row: Contract) -> "ContractDrawn":
        return cls(
            object_id=row.id,
            object_version=row.version,
            reference=row.reference,
            award_id=row.award_id,
            lot_id=row.lot_id,
            number=row.number,
            value=Money.of(row.value, row.currency),
            document_digest=row.digest.hex(),
            sign_from=row.sign_from,
            sign_by=row.sign_by,
        )


class ContractSigned(Event, frozen=True, kw_only=True):
    """One side signed the document; `signature_digest` is that of the signature's row."""

    type: ClassVar[str] = "contract.signed"
    object_type: ClassVar[str] = "contract"
    told: ClassVar[tuple[Told, ...]] = (Told.PARTIES,)
    readers: ClassVar[Scope | None] = Scope.CONTRACTS_READ

    side: Side
    document_digest: Digest
    signature_digest: Digest


class ContractActivated(Event, frozen=True, kw_only=True):
    """Both sides have signed: from here on the contract is in the public register."""

    type: ClassVar[str] = "contract.activated"
    object_type: ClassVar[str] = "contract"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    reference: Reference
    award_id: UUID
    lot_id: UUID
    outcome_id: UUID
    number: Count
    buyer_id: UUID
    supplier_id: UUID
    supplier_name: Line
    value: Money
    starts_on: date
    ends_on: date
    document_digest: Digest
    signed_at: Instant

    @classmethod
    def of(cls, row: Contract) -> "ContractActivated":
        assert row.signed_at is not None
        return cls(
            object_id=row.id,
            object_version=row.version,
            reference=row.reference,
            award_id=row.award_id,
            lot_id=row.lot_id,
            outcome_id=row.outcome_id,
            number=row.number,
            buyer_id=row.buyer_id,
            supplier_id=row.supplier_id,
            supplier_name=row.supplier_name,
            value=Money.of(row.value, row.currency),
            starts_on=row.starts_on,
            ends_on=row.ends_on,
            document_digest=row.digest.hex(),
            signed_at=row.signed_at,
        )

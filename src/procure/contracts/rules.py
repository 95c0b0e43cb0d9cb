"""Statuses of contracts and their deliverables, what may follow what, and the predicates that decide."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from procure.contracts.errors import (
    AwardNoticeMissing,
    ContractLapsed,
    ContractStateWrong,
    DigestMismatch,
    DrawnUpAlready,
    OtherSideNeeded,
    SideSigned,
    StandstillRunning,
)
from procure.kit.money import total


class ContractStatus(StrEnum):
    PENDING = "pending"
    LAPSED = "lapsed"
    ACTIVE = "active"
    COMPLETED = "completed"
    TERMINATED = "terminated"


#: `lapsed` is derived, see `status_at`; it is stored nowhere. A pending contract is terminated when another takes its place.
NEXT: dict[ContractStatus, frozenset[ContractStatus]] = {
    ContractStatus.PENDING: frozenset({ContractStatus.ACTIVE, ContractStatus.TERMINATED}),
    ContractStatus.ACTIVE: frozenset({ContractStatus.COMPLETED, ContractStatus.TERMINATED}),
    ContractStatus.COMPLETED: frozenset(),
    ContractStatus.TERMINATED: frozenset(),
}


class DeliverableStatus(StrEnum):
    PLANNED = "planned"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


DELIVERABLE_NEXT: dict[DeliverableStatus, frozenset[DeliverableStatus]] = {
    DeliverableStatus.PLANNED: frozenset({DeliverableStatus.SUBMITTED, DeliverableStatus.CANCELLED}),
    DeliverableStatus.SUBMITTED: frozenset(
        {DeliverableStatus.ACCEPTED, DeliverableStatus.REJECTED, DeliverableStatus.CANCELLED}
    ),
    DeliverableStatus.REJECTED: frozenset({DeliverableStatus.SUBMITTED, DeliverableStatus.CANCELLED}),
    DeliverableStatus.ACCEPTED: frozenset(),
    DeliverableStatus.CANCELLED: frozenset(),
}


class Side(StrEnum):
    BUYER = "buyer"
    SUPPLIER = "supplier"


class NextStep(StrEnum):
    """What a contract's end decides."""

    CONTINUE = "continue"
    PIVOT = "pivot"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signed contract of a lot, as it counts in the lot's commitment. Amounts are net."""

    number: int
    status: ContractStatus
    value: Decimal
    accepted: Decimal
    next_step: NextStep | None


def status_at(status: ContractStatus, sign_by: datetime, now: datetime, *, stands: bool) -> ContractStatus:
    """The status as it is at `now`: unsigned past its date, or with its award gone, a contract has lapsed.

    `models.status_now` is the same in SQL.
    """
    lapsed = status is ContractStatus.PENDING and (now >= sign_by or not stands)
    return ContractStatus.LAPSED if lapsed else status


def check_status(status: ContractStatus, *needed: ContractStatus) -> None:
    if status not in needed:
        raise ContractStateWrong(f"The contract is {status}; this step needs it {' or '.join(needed)}.")


def is_overdue(status: DeliverableStatus, review_by: datetime | None, now: datetime) -> bool:
    """The review time is over without a verdict: silence is never acceptance."""
    return status is DeliverableStatus.SUBMITTED and review_by is not None and now >= review_by


def check_was_signed(signed_at: datetime | None) -> None:
    """What a contract has done can be seen from its second signature on, after its end as well."""
    if signed_at is None:
        raise ContractStateWrong("The contract was never signed by both sides; nothing can be put down to it.")


def check_side(side: Side, needed: Side) -> None:
    if side is not needed:
        raise OtherSideNeeded(f"The {needed} has to do this.")


def known_standstill(standstill_ends_at: datetime | None) -> datetime:
    if standstill_ends_at is None:
        raise AwardNoticeMissing("Record the award notice first: the standstill runs from it.")
    return standstill_ends_at


def delay_days(starts_on: date, earliest_signing_on: date) -> int:
    """By how much the published dates move, since work can't start before it is signed: the time-box keeps its length."""
    return max(0, (earliest_signing_on - starts_on).days)


def check_signable(status: ContractStatus, sign_by: datetime, now: datetime) -> None:
    check_status(status, ContractStatus.PENDING)
    if now >= sign_by:
        raise ContractLapsed(f"It could be signed until {sign_by.isoformat()}; it has lapsed.")


def barred_from_signing(side: Side, prepared_by: Sequence[UUID], signed: Sequence[tuple[Side, UUID]]) -> list[UUID]:
    """Who can't sign for `side`: for the buyer whoever drew the contract up, for either whoever signed for the other."""
    return [
        *(prepared_by if side is Side.BUYER else ()),
        *(person_id for other, person_id in signed if other is not side),
    ]


def check_first(reference: str | None) -> None:
    """`reference` is that of the award's contract, if there is one."""
    if reference is not None:
        raise DrawnUpAlready(f"{reference} is this award's contract; a winner that does not sign it has lapsed.")


def check_standstill(sign_from: datetime, standstill_ends_at: datetime | None, now: datetime) -> None:
    """The notice may have been corrected since the contract was drawn up: the later end holds."""
    ends_at = max(sign_from, standstill_ends_at or sign_from)
    if now < ends_at:
        raise StandstillRunning(f"Nobody signs before {ends_at.isoformat()}.")


def check_signature(side: Side, signed: Collection[Side], given: bytes, document_digest: bytes) -> None:
    """One signature per side, over what was read."""
    if side in signed:
        raise SideSigned(f"The {side} has signed already.")
    if given != document_digest:
        raise DigestMismatch("Read the document again: this digest (SHA-256) is not its.")


def is_rework_spent(status: DeliverableStatus, rounds: int, rework_rounds_max: int) -> bool:
    """Rejected, and every round of rework used; the first submission is no rework."""
    return status is DeliverableStatus.REJECTED and rounds > rework_rounds_max


def open_iterations(latest: Signed, further_iterations: int) -> int:
    """Announced iterations that may still be taken up: none once the latest contract ended without `continue`."""
    goes_on = latest.status is ContractStatus.ACTIVE or latest.next_step is NextStep.CONTINUE
    return further_iterations - (latest.number - 1) if goes_on else 0


def commitment(contracts: Sequence[Signed], further_iterations: int, further_ceiling: Decimal) -> Decimal:
    """What a lot with signed contracts commits: a running one's value, an ended one's accepted work, and what is still open."""
    latest = max(contracts, key=lambda one: one.number)
    signed = total(one.value if one.status is ContractStatus.ACTIVE else one.accepted for one in contracts)
    return signed + open_iterations(latest, further_iterations) * further_ceiling

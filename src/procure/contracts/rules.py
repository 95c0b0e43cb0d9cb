"""Statuses of contracts and their deliverables, and what may follow what."""

from enum import StrEnum


class ContractStatus(StrEnum):
    PENDING = "pending"
    LAPSED = "lapsed"
    ACTIVE = "active"
    COMPLETED = "completed"
    TERMINATED = "terminated"


#: `lapsed` is derived: a pending contract past `sign_by`. It is stored nowhere.
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

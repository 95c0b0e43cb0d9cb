"""A bid's statuses and what may follow what; predicates over plain values."""

from enum import StrEnum


class BidStatus(StrEnum):
    SUBMITTED = "submitted"
    WITHDRAWN = "withdrawn"
    OPENED = "opened"
    UNREADABLE = "unreadable"
    AWARDED = "awarded"
    DISQUALIFIED = "disqualified"
    UNSUCCESSFUL = "unsuccessful"


class SealingMode(StrEnum):
    """Who sealed: `server` in memory before anything was stored, or (to come) `client`, the portal itself."""

    SERVER = "server"


#: `unsuccessful` from `submitted`: a lot that was cancelled before its bids were opened.
NEXT: dict[BidStatus, frozenset[BidStatus]] = {
    BidStatus.SUBMITTED: frozenset(
        {BidStatus.WITHDRAWN, BidStatus.OPENED, BidStatus.UNREADABLE, BidStatus.UNSUCCESSFUL}
    ),
    BidStatus.WITHDRAWN: frozenset(),
    BidStatus.OPENED: frozenset({BidStatus.AWARDED, BidStatus.DISQUALIFIED, BidStatus.UNSUCCESSFUL}),
    BidStatus.UNREADABLE: frozenset(),
    BidStatus.AWARDED: frozenset({BidStatus.OPENED, BidStatus.UNSUCCESSFUL}),
    BidStatus.DISQUALIFIED: frozenset(),
    BidStatus.UNSUCCESSFUL: frozenset(),
}

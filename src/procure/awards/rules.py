"""An award's statuses, what may follow what, and the predicates that decide; all over plain values and `now`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from procure.awards.errors import (
    AwardInvalid,
    AwardNotApproved,
    AwardNotRecommended,
    AwardPending,
    BidLapsed,
    EvaluationOpen,
    NotNextInRank,
)
from procure.bids.rules import BidStatus
from procure.kit.errors import Faults
from procure.policy.rules import Policy


class AwardStatus(StrEnum):
    RECOMMENDED = "recommended"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


NEXT: dict[AwardStatus, frozenset[AwardStatus]] = {
    AwardStatus.RECOMMENDED: frozenset({AwardStatus.APPROVED, AwardStatus.REFUSED}),
    AwardStatus.APPROVED: frozenset({AwardStatus.WITHDRAWN}),
    AwardStatus.REFUSED: frozenset(),
    AwardStatus.WITHDRAWN: frozenset(),
}

#: What is public: whatever was approved once, withdrawn since or not.
PUBLIC = frozenset({AwardStatus.APPROVED, AwardStatus.WITHDRAWN})
_LIVE = frozenset({AwardStatus.RECOMMENDED, AwardStatus.APPROVED})


def check_none_live(statuses: Collection[AwardStatus]) -> None:
    """A new recommendation, or the end without one, waits until the last award was refused or withdrawn."""
    live = _LIVE.intersection(statuses)
    if live:
        raise AwardPending(f"The lot has an award that is {min(live)}; decide that one first.")


def check_concluded(*, is_concluded: bool) -> None:
    if not is_concluded:
        raise EvaluationOpen("The panel has not concluded its evaluation; there is no ranking yet.")


def check_next_in_rank(bid_id: UUID, ranking: Sequence[UUID], before: Sequence[tuple[UUID, AwardStatus]]) -> None:
    """`ranking` holds the bids in the running, best first; `before` the lot's earlier awards.

    A refused recommendation may be made again, in better words; a bid whose award was withdrawn has had its turn.
    """
    if bid_id not in ranking:
        faults = Faults()
        faults.add("/bid_id", "not-ranked", "The lot's ranking has no such bid in the running.")
        faults.raise_any(AwardInvalid)
    if (bid_id, AwardStatus.WITHDRAWN) in before:
        raise NotNextInRank("This bid's award was withdrawn; the next in rank follows it.")
    passed = {earlier for earlier, _ in before}
    better = [other for other in ranking[: ranking.index(bid_id)] if other not in passed]
    if better:
        raise NotNextInRank(f"{len(better)} better ranked bid(s) come first: recommend the best, or end without award.")


def check_valid(status: BidStatus) -> None:
    """`status` is the bid's as it is now."""
    if status is BidStatus.LAPSED:
        raise BidLapsed("The days for which bids of this lot stay valid are over; its supplier is free.")


def check_recommended(status: AwardStatus) -> None:
    if status is not AwardStatus.RECOMMENDED:
        raise AwardNotRecommended(f"The award is {status}; only a recommended one is decided.")


def check_approved(status: AwardStatus) -> None:
    if status is not AwardStatus.APPROVED:
        raise AwardNotApproved(f"The award is {status}; this needs one that is approved.")


def is_notice_needed(policy: Policy) -> bool:
    """Whether the standstill can't be known before the award notice is."""
    return policy.ceremony.notice_required or policy.ceremony.standstill_working_days > 0


def standstill_end(policy: Policy, decided_at: datetime, notice_at: datetime | None) -> datetime | None:
    """From when the contract may be signed; None while the band's award notice is missing."""
    if not is_notice_needed(policy):
        return decided_at
    return policy.standstill_end(notice_at) if notice_at else None


def check_notice(published_at: datetime, decided_at: datetime, now: datetime) -> None:
    """A notice tells of an award that was approved, and it has been published."""
    faults = Faults()
    faults.unless(published_at <= now, "/published_at", "in-future", "A notice that is recorded has been published.")
    # Official platforms tell whole seconds.
    faults.unless(
        published_at >= decided_at.replace(microsecond=0),
        "/published_at",
        "before-approval",
        "The notice of an award is published after its approval.",
    )
    faults.raise_any(AwardInvalid)

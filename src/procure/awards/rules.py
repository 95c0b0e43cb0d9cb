"""An award's statuses and what may follow what."""

from enum import StrEnum


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

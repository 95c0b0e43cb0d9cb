"""Facts that stop an award's verbs."""

from procure.kit.errors import Conflict, Invalid, NotFound


class AwardNotFound(NotFound):
    """There is no such award, or it is not the caller's to see."""

    slug, title = "award-not-found", "Award not found"


class AssessmentNotFound(NotFound):
    """The caller's organisation has no bid that was assessed for this award."""

    slug, title = "assessment-not-found", "Assessment not found"


class AwardInvalid(Invalid):
    """What was sent about the award does not fit it; every fault is listed."""

    slug, title = "award-invalid", "Award is not valid"


class AwardPending(Conflict):
    """One award at a time: a recommended one is decided first."""

    slug, title = "award-pending", "An award is waiting for its decision"


class EvaluationOpen(Conflict):
    """The panel has not concluded its evaluation: there is no ranking to recommend from."""

    slug, title = "evaluation-open", "Evaluation is not concluded"


class NotNextInRank(Conflict):
    """The bid ranked best is recommended; a lower one only when the award of each better one was refused or withdrawn."""

    slug, title = "not-next-in-rank", "Bid is not next in rank"


class BidLapsed(Conflict):
    """The days are over for which the bid stays valid: its supplier is not bound by it any more."""

    slug, title = "bid-lapsed", "Bid is no longer valid"


class AwardNotRecommended(Conflict):
    """Only a recommended award can be approved or refused, and only once."""

    slug, title = "award-not-recommended", "Award is not waiting for a decision"


class AwardNotApproved(Conflict):
    """This needs an award that has been approved and still stands."""

    slug, title = "award-not-approved", "Award is not approved"

"""Facts that stop a lot's verbs."""

from procure.kit.errors import Conflict, Invalid, NotFound


class LotNotFound(NotFound):
    """There is no such lot, or it is not the caller's to see."""

    slug, title = "lot-not-found", "Lot not found"


class LotInvalid(Invalid):
    """The lot is too long, too big or too vague for the policy, or contradicts itself; every fault is listed."""

    slug, title = "lot-invalid", "Lot is not valid"


class LotNotDraft(Conflict):
    """Only a draft can be edited or published."""

    slug, title = "lot-not-draft", "Lot is not a draft"


class LotNotOpen(Conflict):
    """The lot takes no bids or enquiries: not published yet, closed, or ended."""

    slug, title = "lot-not-open", "Lot is not open"


class LotNotClosed(Conflict):
    """This has to wait until the lot has closed."""

    slug, title = "lot-not-closed", "Lot is not closed"


class LotNotCancellable(Conflict):
    """A lot that is contracted or has ended can't be cancelled."""

    slug, title = "lot-not-cancellable", "Lot can't be cancelled"


class LotStateWrong(Conflict):
    """The lot is not in the state that this step needs."""

    slug, title = "lot-state-wrong", "Lot is in another state"


class NoticeMissing(Conflict):
    """The band asks for an official notice, and its references are not recorded yet."""

    slug, title = "notice-missing", "Official notice missing"


class WindowTooShort(Conflict):
    """The lot would close before the bidding window of its band is over."""

    slug, title = "window-too-short", "Bidding window too short"

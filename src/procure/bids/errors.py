"""Facts that stop a bid's verbs."""

from procure.kit.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable


class BidNotFound(NotFound):
    """There is no such bid, or it is not the caller's to see; until the opening it is its supplier's alone."""

    slug, title = "bid-not-found", "Bid not found"


class BidderNotSupplier(Forbidden):
    """Only a supplier bids."""

    slug, title = "bidder-not-supplier", "Only suppliers bid"


class BidInvalid(Invalid):
    """The bid does not give what the lot asks, exactly once each, within its ceiling; every fault is listed."""

    slug, title = "bid-invalid", "Bid is not valid"


class BidExists(Conflict):
    """The supplier has a bid for this lot already; it is replaced or withdrawn, not doubled."""

    slug, title = "bid-exists", "Bid exists already"


class BidStateWrong(Conflict):
    """The bid is not in the state that this step needs."""

    slug, title = "bid-state-wrong", "Bid is in another state"


class BidChanged(Conflict):
    """Somebody of the same supplier replaced or withdrew the bid, or the lot changed, while this request ran."""

    slug, title = "bid-changed", "Bid changed meanwhile"


class LotKeyRefused(Unavailable):
    """The lot's key does not bear the platform's signature, so nothing is sealed to it."""

    slug, title = "lot-key-refused", "Lot's key is not the platform's"


class ReceiptUnknown(Unavailable):
    """The database was cut off while it stored the bid: it may have been received. Send the same again with the same key."""

    slug, title = "receipt-unknown", "Bid may have been received"


class SealNotFound(NotFound):
    """The lot has no seal: its bids are not committed to before it has closed."""

    slug, title = "seal-not-found", "Lot has no seal"


class LotSealed(Conflict):
    """The lot's bids are committed to already; a lot is sealed once."""

    slug, title = "lot-sealed", "Lot is sealed already"


class BidsNotSealed(Conflict):
    """Bids are opened after their seal, never before."""

    slug, title = "bids-not-sealed", "Bids are not sealed yet"


class SealBroken(Conflict):
    """The stored bids are not those that the seal committed to: some were added, taken away or altered."""

    slug, title = "seal-broken", "Bids are not those of the seal"

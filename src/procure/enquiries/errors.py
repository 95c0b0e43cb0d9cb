"""Facts that stop an enquiry's verbs."""

from procure.kit.errors import Conflict, Forbidden, NotFound


class EnquiryNotFound(NotFound):
    """There is no such enquiry, or it is not yours to see or to answer: until it is published, its asker's and the lot's buyer's alone."""

    slug, title = "enquiry-not-found", "Enquiry not found"


class AskerNotSupplier(Forbidden):
    """Only a supplier asks; the buyer's own people ask each other."""

    slug, title = "asker-not-supplier", "Only suppliers ask"


class EnquiriesTooMany(Conflict):
    """One supplier has asked as often about this lot as anyone may."""

    slug, title = "enquiries-too-many", "Too many enquiries"


class EnquirySettled(Conflict):
    """The enquiry has its answer: what was published, or told to its asker, is not rewritten."""

    slug, title = "enquiry-settled", "Enquiry is settled"


class EnquiryNotDrafted(Conflict):
    """Nothing is published before it was written: there is no answer yet."""

    slug, title = "enquiry-not-drafted", "Enquiry has no answer yet"


class EnquiryNotMergeable(Conflict):
    """A question is merged into another, published one about the same lot, and into no other."""

    slug, title = "enquiry-not-mergeable", "Enquiry can't be merged into that one"


class ReplyInformsBidding(Conflict):
    """All suppliers are treated alike: what informs a bid is published, and never told to one of them alone."""

    slug, title = "reply-informs-bidding", "The answer is everybody's"

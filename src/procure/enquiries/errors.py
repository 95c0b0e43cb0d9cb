"""Facts that stop an enquiry's verbs."""

from procure.kit.errors import Conflict, Forbidden, NotFound


class EnquiryNotFound(NotFound):
    """There is no such enquiry, or it is about a lot that is not yours to answer for."""

    slug, title = "enquiry-not-found", "Enquiry not found"


class AskerNotSupplier(Forbidden):
    """Only a supplier asks; the buyer's own people ask each other."""

    slug, title = "asker-not-supplier", "Only suppliers ask"


class EnquiriesTooMany(Conflict):
    """One supplier has asked as often about this lot as anyone may."""

    slug, title = "enquiries-too-many", "Too many enquiries"


class EnquiryHasAnswer(Conflict):
    """The enquiry has its answer; what was published is not rewritten."""

    slug, title = "enquiry-answered", "Enquiry has been answered"

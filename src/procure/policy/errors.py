"""Facts of policy."""

from procure.kit.errors import Conflict, Invalid, NotFound


class NoPolicyInForce(Conflict):
    """No dated row covers this buyer on this day."""

    slug, title = "no-policy-in-force", "No policy in force"


class PolicyInvalid(Invalid):
    """The dated row is not one that can hold: it begins too early, lies outside what it has to be within, or contradicts itself."""

    slug, title = "policy-invalid", "Policy is not valid"


class PolicyNotFound(NotFound):
    """There was no policy on that day, or there is no such buyer."""

    slug, title = "policy-not-found", "Policy not found"


class TermsNotFound(NotFound):
    """There is no such version of the terms."""

    slug, title = "terms-not-found", "Terms not found"


class TermsVersionTaken(Conflict):
    """There are terms of this version already; what was once agreed to is never changed."""

    slug, title = "terms-version-taken", "Terms have this version already"

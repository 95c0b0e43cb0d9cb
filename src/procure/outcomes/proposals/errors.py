"""Facts that stop a proposal's verbs."""

from procure.kit.errors import Conflict, Invalid, NotFound


class ProposalNotFound(NotFound):
    """The outcome has no such proposal."""

    slug, title = "proposal-not-found", "Proposal not found"


class ProposalInvalid(Invalid):
    """The proposal breaks a rule of content; every fault is listed."""

    slug, title = "proposal-invalid", "Proposal is not valid"


class ProposalOpen(Conflict):
    """One proposal of an outcome waits at a time: it is approved or refused before the next one."""

    slug, title = "proposal-open", "A proposal is open"


class ProposalDecided(Conflict):
    """The proposal was approved or refused already."""

    slug, title = "proposal-decided", "Proposal is decided"

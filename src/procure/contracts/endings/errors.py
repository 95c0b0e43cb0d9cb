"""Facts that stop the end of a contract."""

from procure.kit.errors import Conflict, Invalid


class NotAtBoundary(Conflict):
    """A contract ends for convenience when a deliverable was accepted, rework is spent or a due date has passed."""

    slug, title = "not-at-boundary", "Contract is not at a boundary"


class DeliverablesOpen(Conflict):
    """A contract is completed once each of its deliverables is accepted or cancelled."""

    slug, title = "deliverables-open", "Deliverables are still open"


class CompletionInvalid(Invalid):
    """Each measure that the lot aimed at is observed, or its observation promised for a day; every fault is listed."""

    slug, title = "completion-invalid", "Completion is not valid"


class RetrospectiveClosed(Conflict):
    """After a contract has ended, what its supplier learned is told once."""

    slug, title = "retrospective-closed", "Retrospective is closed"

"""Facts that stop a deliverable's verbs."""

from procure.kit.errors import Conflict, Invalid, NotFound


class DeliverableNotFound(NotFound):
    """The contract has no such deliverable."""

    slug, title = "deliverable-not-found", "Deliverable not found"


class DeliverableStateWrong(Conflict):
    """The deliverable is not in the state that this step needs, or somebody decided it first."""

    slug, title = "deliverable-state-wrong", "Deliverable is in another state"


class ReworkSpent(Conflict):
    """Every round of rework that the policy allows is used."""

    slug, title = "rework-spent", "Rework is spent"


class VerdictInvalid(Invalid):
    """A verdict answers each acceptance criterion exactly once, with a reason where it is not met."""

    slug, title = "verdict-invalid", "Verdict is not valid"

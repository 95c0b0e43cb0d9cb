"""Facts that stop an outcome's verbs."""

from procure.kit.errors import Conflict, Forbidden, Invalid, NotFound


class OutcomeNotFound(NotFound):
    """There is no such outcome, or it is not the caller's to see."""

    slug, title = "outcome-not-found", "Outcome not found"


class MeasureNotFound(NotFound):
    """The outcome has no such measure."""

    slug, title = "measure-not-found", "Measure not found"


class OutcomeInvalid(Invalid):
    """The outcome breaks a rule of content; every fault is listed."""

    slug, title = "outcome-invalid", "Outcome is not valid"


class OutcomeNotDraft(Conflict):
    """Only a draft can be edited or activated."""

    slug, title = "outcome-not-draft", "Outcome is not a draft"


class OutcomeNotActive(Conflict):
    """Lots, contracts and an end need an active outcome; observations one that was active once."""

    slug, title = "outcome-not-active", "Outcome is not active"


class OutcomeStillCommitted(Conflict):
    """An outcome ends once nothing is promised any more: each lot's commitment is accepted work, or was given back."""

    slug, title = "outcome-still-committed", "Outcome is still committed"


class BudgetHolderNeeded(Forbidden):
    """Only an approver who holds the budget activates an outcome, or changes its envelope or estimate."""

    slug, title = "budget-holder-needed", "A budget holder is needed"


class EnvelopeExceeded(Conflict):
    """The commitments would be more than the envelope, whoever else is committing at the same time."""

    slug, title = "envelope-exceeded", "Envelope exceeded"


class EstimateExceeded(Conflict):
    """The commitments would be more than what was tested, by which the band was chosen: all of the need has to be tested first."""

    slug, title = "estimate-exceeded", "Tested estimate exceeded"


class ObservationInvalid(Invalid):
    """The observation does not fit its measure."""

    slug, title = "observation-invalid", "Observation is not valid"

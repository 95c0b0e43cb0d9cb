"""Facts that stop going on."""

from procure.kit.errors import Conflict, Invalid


class NextStepOther(Conflict):
    """The contract's end decided on something else, which this can't follow from."""

    slug, title = "next-step-other", "The end decided otherwise"


class NoIterationLeft(Conflict):
    """Every further iteration that the notice announced has been taken up; the next lot is drafted instead."""

    slug, title = "no-iteration-left", "No further iteration left"


class IterationLeft(Conflict):
    """An announced iteration is still open: it is taken up without a new competition."""

    slug, title = "iteration-left", "A further iteration is left"


class IterationTaken(Conflict):
    """The iteration that follows this contract is signed, or waits for a second signature."""

    slug, title = "iteration-taken", "Iteration is taken up"


class IterationInvalid(Invalid):
    """What was agreed goes beyond what the notice announced; every fault is listed."""

    slug, title = "iteration-invalid", "Iteration is not valid"


class NextLotDrafted(Conflict):
    """The lot that follows is there already, and has not been cancelled."""

    slug, title = "next-lot-drafted", "Next lot is there already"

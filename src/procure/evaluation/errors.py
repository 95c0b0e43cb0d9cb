"""Facts that stop the opening and the evaluation of bids."""

from procure.kit.errors import Conflict, Forbidden, Invalid, NotFound


class LotNotSealed(Conflict):
    """The lot has closed, and its seal is about to be published: read it, then approve its root."""

    slug, title = "lot-not-sealed", "Lot is not sealed yet"


class OpenedByWorker(Conflict):
    """A lot of this band is opened by the service at its seal; nobody opens it by hand."""

    slug, title = "opened-by-worker", "Opened by the service itself"


class RootMismatch(Conflict):
    """The root that was approved is not that of the lot's seal."""

    slug, title = "root-mismatch", "Not the seal's root"


class BidsNotOpened(Conflict):
    """The lot's bids are sealed: nobody reads one before the opening."""

    slug, title = "bids-not-opened", "Bids are not opened"


class PanelInvalid(Invalid):
    """The panel contradicts the policy or itself; every fault is listed."""

    slug, title = "panel-invalid", "Panel is not valid"


class PanelClosed(Conflict):
    """Every member has locked their scores, and the panel has seen each other's: it can't be changed any more."""

    slug, title = "panel-closed", "Panel is closed"


class PanelInsufficient(Conflict):
    """No panel is set, or without its recused members it has too few persons or disciplines, or no chair: an officer completes it."""

    slug, title = "panel-insufficient", "Panel is not sufficient"


class NotOnPanel(Forbidden):
    """Only the panel of the lot (to read bids: its officer and auditor too) may do this."""

    slug, title = "not-on-panel", "Not on the panel"


class NotChair(Forbidden):
    """The member whom the officer named chair has to do this."""

    slug, title = "not-chair", "Not the chair"


class InterestsNotDeclared(Conflict):
    """A member declares interests before seeing a bid."""

    slug, title = "interests-not-declared", "Interests not declared"


class MemberRecused(Conflict):
    """The member declared a conflict of interest, and takes no part in this evaluation."""

    slug, title = "member-recused", "Member is recused"


class DeclarationFinal(Conflict):
    """A declared conflict stands; and once a consensus is recorded, declarations are closed."""

    slug, title = "declaration-final", "Declaration is final"


class ScoresInvalid(Invalid):
    """A score names a bid or criterion that the lot has not, or one twice; every fault is listed."""

    slug, title = "scores-invalid", "Scores are not valid"


class AlreadyLocked(Conflict):
    """The member has locked their scores."""

    slug, title = "scores-locked", "Scores are locked"


class ScoresIncomplete(Conflict):
    """Each bid is scored on each criterion of quality and social value before scores are locked; what is missing is listed."""

    slug, title = "scores-incomplete", "Scores are not complete"


class ScoresNotLocked(Conflict):
    """The panel agrees once each member who takes part has locked their own scores."""

    slug, title = "scores-not-locked", "Not all scores are locked"


class ConsensusIncomplete(Conflict):
    """Each bid has an agreed score on each criterion before the evaluation is concluded; what is missing is listed."""

    slug, title = "consensus-incomplete", "Consensus is not complete"


class NothingToRank(Conflict):
    """No bid could be read; an approver ends the lot without an award."""

    slug, title = "nothing-to-rank", "No bid to rank"


class AlreadyConcluded(Conflict):
    """The bids have been ranked; panel, scores and consensus stand as they are."""

    slug, title = "evaluation-concluded", "Evaluation is concluded"


class RankingNotFound(NotFound):
    """The lot's evaluation has not been concluded."""

    slug, title = "ranking-not-found", "No ranking yet"

"""Facts that stop a contract's verbs."""

from procure.kit.errors import Conflict, Forbidden, NotFound


class ContractNotFound(NotFound):
    """There is no such contract, or the caller is not a party to it."""

    slug, title = "contract-not-found", "Contract not found"


class DrawnUpAlready(Conflict):
    """There is a contract for this already, and it waits for its signatures or has them."""

    slug, title = "contract-drawn-up", "Contract is drawn up already"


class AwardNoticeMissing(Conflict):
    """The end of the standstill is not known before the award notice is recorded."""

    slug, title = "award-notice-missing", "Award notice missing"


class StandstillRunning(Conflict):
    """Nobody signs before the standstill is over, and nobody can waive it."""

    slug, title = "standstill-running", "Standstill is running"


class ContractLapsed(Conflict):
    """The signing date has passed, or the award is gone: this contract can't be signed any more."""

    slug, title = "contract-lapsed", "Contract has lapsed"


class ContractStateWrong(Conflict):
    """The contract is not in the state that this step needs."""

    slug, title = "contract-state-wrong", "Contract is in another state"


class DigestMismatch(Conflict):
    """What was read is not what would be signed: the digest is not that of this contract's document."""

    slug, title = "digest-mismatch", "Not the document's digest"


class SideSigned(Conflict):
    """The caller's side has signed already."""

    slug, title = "side-signed", "Signed already"


class OtherSideNeeded(Forbidden):
    """The other party to the contract has to do this."""

    slug, title = "other-side-needed", "The other party has to do this"

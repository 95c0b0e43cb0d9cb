"""Facts of policy."""

from procure.kit.errors import Conflict


class NoPolicyInForce(Conflict):
    """No dated row covers this buyer on this day."""

    slug, title = "no-policy-in-force", "No policy in force"

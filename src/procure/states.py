"""Draws `docs/states.md` from the transition tables: `python -m procure.states` writes it, a test holds it to them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from procure.awards import rules as awards
from procure.bids import rules as bids
from procure.contracts import rules as contracts
from procure.enquiries import rules as enquiries
from procure.finance import rules as finance
from procure.identity import rules as identity
from procure.lots import rules as lots
from procure.organisations import rules as organisations
from procure.outcomes import rules as outcomes
from procure.webhooks import rules as webhooks

PAGE = Path("docs/states.md")

#: What is drawn: the noun, its table, and what time alone decides, which is stored nowhere.
NOUNS: list[tuple[str, Mapping[Any, frozenset[Any]], str]] = [
    ("Organisation", organisations.NEXT, ""),
    ("Client", identity.CLIENT_NEXT, ""),
    ("Credential", identity.CREDENTIAL_NEXT, "A secret or key proves nothing from its `expires_at` on."),
    ("Membership", identity.MEMBERSHIP_NEXT, ""),
    ("Person", identity.PERSON_NEXT, ""),
    ("Invitation", identity.INVITATION_NEXT, "An open invitation can't be accepted from its `expires_at` on."),
    ("Outcome", outcomes.NEXT, ""),
    ("Proposal", outcomes.PROPOSAL_NEXT, ""),
    ("Lot", lots.NEXT, "A published lot is `closed` from `closes_at` on (`lots.rules.status_at`)."),
    (
        "Bid",
        bids.NEXT,
        "A bid is `lapsed` when its lot ended or its validity is over (`bids.rules.status_at`).",
    ),
    ("Enquiry", enquiries.NEXT, "An unanswered enquiry blocks nothing when the lot closes."),
    ("Award", awards.NEXT, ""),
    ("Contract", contracts.NEXT, "A pending contract is `lapsed` once it can't be signed any more."),
    ("Deliverable", contracts.DELIVERABLE_NEXT, ""),
    ("Invoice", finance.NEXT, ""),
    ("Webhook", webhooks.NEXT, ""),
    ("Delivery", webhooks.DELIVERY_NEXT, ""),
]


def render() -> str:
    """The whole page: a Mermaid state diagram for each noun."""
    parts = ["# States\n\nDrawn from each package's `rules.py` by `make states`; don't edit it.\n"]
    for noun, table, derived in NOUNS:
        parts.append(f"## {noun}\n\n```mermaid\nstateDiagram-v2\n{_edges(table)}```\n")
        if derived:
            parts.append(f"{derived}\n")
    return "\n".join(parts)


def _edges(table: Mapping[Any, frozenset[Any]]) -> str:
    first = next(iter(table))
    lines = [f"  [*] --> {first.value}"]
    for status, following in table.items():
        lines += [f"  {status.value} --> {after.value}" for after in sorted(following)]
        lines += [f"  {status.value} --> [*]"] if not following else []
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")

"""What is sent to propose, and to refuse; `outcomes.schemas` has what is answered."""

from typing import ClassVar

import msgspec

from procure.kit.fields import Paragraph
from procure.kit.money import Money
from procure.outcomes.rules import ProposalKind
from procure.outcomes.schemas import BudgetLines


class ProposalDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another `envelope`, more or less than now, with the budget lines that come to it where the outcome has any; or an `estimate`.

    An estimate is what is tested of the envelope: it decides the band, and commitments never pass it. One of all the envelope ends
    an earlier one. All of it is public, the reason too.
    """

    EXAMPLE: ClassVar[object] = {
        "kind": "envelope",
        "amount": {"amount": "120000.00", "currency": "GBP"},
        "budget_lines": [
            {
                "code": "4120",
                "cost_centre": "HB-01",
                "financial_year": "2026/27",
                "amount": {"amount": "60000.00", "currency": "GBP"},
            },
            {
                "code": "4120",
                "cost_centre": "HB-01",
                "financial_year": "2027/28",
                "amount": {"amount": "60000.00", "currency": "GBP"},
            },
        ],
        "reason": "Changes of address wait for the same letter: the same team can take them on.",
    }

    kind: ProposalKind
    amount: Money
    reason: Paragraph
    budget_lines: BudgetLines = []


class ProposalRefusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why it is not taken; published."""

    EXAMPLE: ClassVar[object] = {"reason": "Let us see first what the first half has changed."}

    reason: Paragraph

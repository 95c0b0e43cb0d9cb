"""The one canonical document that both sides sign: everything agreed, in exact bytes.

It is stored as it is signed and never made again. The lot's publication and the winning bid stand in it by their digests, so that
whoever holds them can show that this contract came from them.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from procure.awards.models import Award
from procure.bids.models import Bid
from procure.kit.fields import Currency, Digest, Instant, ItemKey, Line, Name, Paragraph, Reference
from procure.lots import choices
from procure.lots.models import AcceptanceCriteria, Lot
from procure.organisations.models import Organisation
from procure.outcomes.models import Outcome

FORM = "procure/contract/v1"


class DocumentParty(msgspec.Struct, frozen=True):
    """A party, by its registered name and official identifier."""

    id: UUID
    name: Line
    scheme: Name
    identifier: Name

    @classmethod
    def of(cls, row: Organisation) -> "DocumentParty":
        return cls(row.id, row.name, row.scheme, row.identifier)


class DocumentOutcome(msgspec.Struct, frozen=True):
    """The change that the work serves."""

    id: UUID
    reference: Reference
    statement: Paragraph


class DocumentLot(msgspec.Struct, frozen=True):
    """The competition. `publication` is SHA-256 of the public `lot.published` entry's payload, byte for byte."""

    id: UUID
    reference: Reference
    title: Line
    publication: Digest

    @classmethod
    def of(cls, lot: Lot) -> "DocumentLot":
        assert lot.publication_digest is not None
        return cls(lot.id, lot.reference, lot.title, lot.publication_digest.hex())


class DocumentAward(msgspec.Struct, frozen=True):
    """The award, and the winning bid by the SHA-256 of its sealed bytes, as its receipt and the lot's seal name it."""

    id: UUID
    reference: Reference
    bid_id: UUID
    bid_version: int
    bid_digest: Digest

    @classmethod
    def of(cls, award: Award, bid: Bid) -> "DocumentAward":
        return cls(award.id, award.reference, bid.id, bid.version, bid.digest.hex())


class AgreedDeliverable(msgspec.Struct, frozen=True, kw_only=True):
    """A deliverable with its price, net."""

    key: ItemKey
    title: Line
    due_on: date
    acceptance_criteria: AcceptanceCriteria
    amount: Decimal


class DocumentTerms(msgspec.Struct, frozen=True):
    """The short form of contract, in the version that publication froze.

    `choices` are the lot's own, and go before what the text says of the same.
    """

    version: Name
    text: Annotated[str, Meta(max_length=200_000)]
    choices: Annotated[list[Line], Meta(max_length=10)]

    @classmethod
    def of(cls, lot: Lot, text: str) -> "DocumentTerms":
        return cls(lot.policy.terms_version, text, [choices.IP[lot.ip], choices.REMOTE[lot.remote]])


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """When work starts and ends, when it may and must be signed, and the periods that follow. Instants are UTC."""

    starts_on: date
    ends_on: date
    sign_from: Instant
    sign_by: Instant
    review_working_days: int
    review_days_max: int
    rework_rounds_max: int
    payment_term_days: int


class ContractDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The contract as signed. `value` is the sum of the deliverables' amounts, net; VAT is added at `vat_rate` percent."""

    form: Name = FORM
    reference: Reference
    number: int
    #: Digest of the contract that this one continues.
    follows: Digest | None
    buyer: DocumentParty
    supplier: DocumentParty
    outcome: DocumentOutcome
    lot: DocumentLot
    award: DocumentAward
    deliverables: Annotated[list[AgreedDeliverable], Meta(max_length=100)]
    value: Decimal
    currency: Currency
    vat_rate: Decimal
    further_iterations: int
    further_ceiling: Decimal
    calendar: Calendar
    terms: DocumentTerms


def outcome_of(row: Outcome) -> DocumentOutcome:
    return DocumentOutcome(row.id, row.reference, row.statement)


def calendar_of(lot: Lot, starts_on: date, days: int, sign_from: datetime, sign_by: datetime) -> Calendar:
    limits = lot.policy.limits
    return Calendar(
        starts_on=starts_on,
        ends_on=starts_on + timedelta(days=days),
        sign_from=sign_from,
        sign_by=sign_by,
        review_working_days=limits.review_working_days,
        review_days_max=limits.review_days_max,
        rework_rounds_max=limits.rework_rounds_max,
        payment_term_days=limits.payment_term_days,
    )


def of_bid(lot: Lot, bid: Bid, delay: timedelta) -> list[AgreedDeliverable]:
    """The lot's deliverables at the bid's prices, their dates later by `delay`."""
    assert bid.content is not None
    prices = {price.deliverable_id: price.amount for price in bid.content.prices}
    return [
        AgreedDeliverable(
            key=one.id,
            title=one.title,
            due_on=one.due_on + delay,
            acceptance_criteria=one.acceptance_criteria,
            amount=Decimal(f"{prices[one.id]:.2f}"),
        )
        for one in lot.deliverables
    ]

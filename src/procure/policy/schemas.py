"""What is sent and answered about policy."""

from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from procure.kit.body import given
from procure.kit.etags import TaggedByContent, tag_of
from procure.kit.fields import Amount, Instant, Line, Link, Markdown, Name, Paragraph
from procure.kit.money import Money
from procure.organisations.schemas import Party
from procure.policy import explanations
from procure.policy.explanations import Bound, Value
from procure.policy.models import BandVersion, Dated, PolicyVersion, Terms, VatRate
from procure.policy.rules import Band, Ceremony, Jurisdiction

Days = Annotated[int, Meta(ge=1, le=3650)]
Words = Annotated[int, Meta(ge=1, le=3000)]
Letters = Annotated[int, Meta(ge=1, le=300)]
Few = Annotated[int, Meta(ge=1, le=100)]
FewOrNone = Annotated[int, Meta(ge=0, le=100)]
Window = Annotated[int, Meta(ge=0, le=365)]
Openers = Annotated[int, Meta(ge=0, le=5, description="0: the service opens at the deadline.")]
#: Percent, with at most two places.
Rate = Annotated[str, Meta(pattern=r"^(100|[0-9]{1,2})(\.[0-9]{1,2})?$", max_length=6)]
#: What a version of terms is called, in addresses too.
TermsVersion = Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", min_length=1, max_length=60)]
LimitName = Annotated[str, Meta(pattern=r"^[a-z]+(_[a-z]+)*$", max_length=60)]
LimitText = Annotated[str, Meta(pattern=r"^[0-9]{1,12}(\.[0-9]{2})?$", max_length=15)]
Sentences = Annotated[list[Line], Meta(max_length=20)]


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The law, regulation, notice or decision behind a row, and where it can be read."""

    citation: Line
    url: Link | None = None


_SCOTLAND = {
    "citation": "Procurement Reform (Scotland) Act 2014, section 3: 50,000 without VAT",
    "url": "https://www.legislation.gov.uk/asp/2014/12/section/3",
}
_DECISION = {"citation": "Cabinet decision 2026/117"}


class CeremonyDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a band asks. The window is counted in days or in working days."""

    window_working_days: Window = 0
    window_days: Window = 0
    notice_required: bool = False
    openers: Openers = 0
    standstill_working_days: Window = 0


class BandDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From which value, with VAT, a band holds, and what it asks, from a day on."""

    EXAMPLE: ClassVar[object] = {
        "band": "notifiable",
        "jurisdiction": "GB-SCT",
        "valid_from": "2027-01-01",
        "threshold": {"amount": "60000.00", "currency": "GBP"},
        "threshold_central": {"amount": "60000.00", "currency": "GBP"},
        "ceremony": {"window_working_days": 5, "notice_required": True},
        "source": _SCOTLAND,
        "reason": "Contracts of Scottish buyers are regulated from another value on.",
    }

    band: Band
    valid_from: date
    threshold: Money
    threshold_central: Money
    ceremony: CeremonyDraft
    source: Source
    reason: Paragraph
    jurisdiction: Jurisdiction = Jurisdiction.UNITED_KINGDOM


class VatRateDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The standard rate of VAT, in percent, from a day on. It is the same in the whole country."""

    EXAMPLE: ClassVar[object] = {
        "valid_from": "2027-10-01",
        "rate": "21.00",
        "source": {"citation": "Value Added Tax Act 1994, section 2(1)"},
        "reason": "The standard rate changes.",
    }

    valid_from: date
    rate: Rate
    source: Source
    reason: Paragraph


class TermsDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A version of the short form of contract: lots published from its day on are contracted under it."""

    EXAMPLE: ClassVar[object] = {
        "version": "short-form-scotland-1",
        "jurisdiction": "GB-SCT",
        "valid_from": "2027-01-01",
        "text": "1. The work. The supplier delivers each deliverable by its date.\n2. Law. The law of Scotland governs this contract.",
        "source": {"citation": "The platform's own short form of contract"},
        "reason": "Scottish buyers contract under the law of Scotland.",
    }

    version: TermsVersion
    valid_from: date
    text: Markdown
    source: Source
    reason: Paragraph
    jurisdiction: Jurisdiction = Jurisdiction.UNITED_KINGDOM


class AllLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every limit of the platform. `GET /v1/policy` says what each means."""

    duration_days_max: Days
    ceiling_max: Amount
    title_letters_min: Letters
    brief_words_min: Words
    brief_words_max: Words
    criterion_words_min: Few
    deliverables_max: Few
    panel_persons_min: Few
    panel_disciplines_min: Few
    signing_working_days: Days
    rework_rounds_max: FewOrNone
    payment_term_days: Days
    review_working_days: Days
    review_days_max: Days
    further_iterations_max: FewOrNone
    variation_percent_max: FewOrNone
    tender_validity_days_min: Days


class OwnLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The limits that a buyer has of its own; of those that are left out the platform's hold. None at all takes earlier ones back."""

    duration_days_max: Days | UnsetType = UNSET
    ceiling_max: Amount | UnsetType = UNSET
    title_letters_min: Letters | UnsetType = UNSET
    brief_words_min: Words | UnsetType = UNSET
    brief_words_max: Words | UnsetType = UNSET
    criterion_words_min: Few | UnsetType = UNSET
    deliverables_max: Few | UnsetType = UNSET
    panel_persons_min: Few | UnsetType = UNSET
    panel_disciplines_min: Few | UnsetType = UNSET
    signing_working_days: Days | UnsetType = UNSET
    rework_rounds_max: FewOrNone | UnsetType = UNSET
    payment_term_days: Days | UnsetType = UNSET
    review_working_days: Days | UnsetType = UNSET
    review_days_max: Days | UnsetType = UNSET
    further_iterations_max: FewOrNone | UnsetType = UNSET
    variation_percent_max: FewOrNone | UnsetType = UNSET
    tender_validity_days_min: Days | UnsetType = UNSET


def values_of(limits: AllLimits | OwnLimits) -> dict[str, Value]:
    """Those that are given, as the row holds them."""
    return {name: _value(value) for name, value in given(limits).items()}


def _value(value: Any) -> Value:
    return Decimal(value).quantize(Decimal("0.01")) if isinstance(value, str) else int(value)


class PlatformLimitsDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The platform's limits from a day on, all of them."""

    EXAMPLE: ClassVar[object] = {
        "jurisdiction": "GB-SCT",
        "valid_from": "2027-01-01",
        "limits": {
            "duration_days_max": 84,
            "ceiling_max": "170000.00",
            "title_letters_min": 10,
            "brief_words_min": 20,
            "brief_words_max": 1200,
            "criterion_words_min": 3,
            "deliverables_max": 8,
            "panel_persons_min": 2,
            "panel_disciplines_min": 2,
            "signing_working_days": 10,
            "rework_rounds_max": 2,
            "payment_term_days": 30,
            "review_working_days": 10,
            "review_days_max": 30,
            "further_iterations_max": 3,
            "variation_percent_max": 10,
            "tender_validity_days_min": 60,
        },
        "source": {"citation": "Decision of the platform's board, 14 October 2026"},
        "reason": "Briefs of more than 1,200 words were read to their end by one bidder in five.",
    }

    valid_from: date
    limits: AllLimits
    source: Source
    reason: Paragraph
    jurisdiction: Jurisdiction = Jurisdiction.UNITED_KINGDOM


class PolicyVersionDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A buyer's own limits from a day on, inside the platform's."""

    EXAMPLE: ClassVar[object] = {
        "valid_from": "2027-10-01",
        "limits": {"duration_days_max": 42, "ceiling_max": "60000.00", "panel_persons_min": 3},
        "source": _DECISION,
        "reason": "Six weeks have taught us more than twelve did.",
    }

    valid_from: date
    limits: OwnLimits
    source: Source
    reason: Paragraph


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A dated row as it is on record. `superseded_by` was recorded later for the same day, and holds in its place."""

    id: UUID
    jurisdiction: Jurisdiction
    valid_from: date
    source: Source
    reason: Paragraph
    recorded_at: Instant
    superseded_by: UUID | None

    @property
    def etag(self) -> str:
        """A row is never edited; that another one holds for its day is all that can happen to it."""
        return tag_of(type(self), self.id, self.superseded_by)


def recorded(row: Dated, superseded_by: UUID | None) -> dict[str, Any]:
    """What every view of a row says."""
    return {
        "id": row.id,
        "jurisdiction": row.jurisdiction,
        "valid_from": row.valid_from,
        "source": Source(row.source, row.source_url),
        "reason": row.reason,
        "recorded_at": row.recorded_at,
        "superseded_by": superseded_by,
    }


class CeremonyView(msgspec.Struct, frozen=True, kw_only=True):
    """What a band asks, and the same in sentences."""

    window_working_days: Window
    window_days: Window
    notice_required: bool
    openers: Openers
    standstill_working_days: Window
    words: Sentences

    @classmethod
    def of(cls, ceremony: Ceremony) -> "CeremonyView":
        return cls(**asdict(ceremony), words=explanations.ceremony_in_words(**asdict(ceremony)))


class BandView(Recorded, frozen=True, kw_only=True):
    """From which value, with VAT, a band holds, and what it asks; `threshold_central` is central government's."""

    band: Band
    threshold: Money
    threshold_central: Money
    ceremony: CeremonyView

    @classmethod
    def of(cls, row: BandVersion, superseded_by: UUID | None = None) -> "BandView":
        return cls(
            **recorded(row, superseded_by),
            band=Band(row.band),
            threshold=Money.of(row.threshold, "GBP"),
            threshold_central=Money.of(row.threshold_central, "GBP"),
            ceremony=CeremonyView.of(row.ceremony),
        )


class VatRateView(Recorded, frozen=True, kw_only=True):
    """The standard rate of VAT, in percent."""

    rate: Rate

    @classmethod
    def of(cls, row: VatRate, superseded_by: UUID | None = None) -> "VatRateView":
        return cls(**recorded(row, superseded_by), rate=f"{row.rate:.2f}")


class TermsSummary(Recorded, frozen=True, kw_only=True):
    """A version of the short form of contract, without its text."""

    version: TermsVersion

    @classmethod
    def of(cls, row: Terms, superseded_by: UUID | None = None) -> "TermsSummary":
        return cls(**recorded(row, superseded_by), version=row.version)


class TermsView(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the short form of contract: what both sides sign beside the lot's own content."""

    id: UUID
    version: TermsVersion
    jurisdiction: Jurisdiction
    valid_from: date
    text: Markdown
    source: Source
    reason: Paragraph
    recorded_at: Instant

    @classmethod
    def of(cls, row: Terms) -> "TermsView":
        said = recorded(row, None)
        del said["superseded_by"]
        return cls(**said, version=row.version, text=row.text)

    @property
    def etag(self) -> str:
        """Terms are never edited."""
        return tag_of(TermsView, self.id)


class LimitValue(msgspec.Struct, frozen=True):
    """A limit by its name, and its value in its unit."""

    name: LimitName
    value: LimitText


LimitValues = Annotated[list[LimitValue], Meta(max_length=100)]


def limit_values(limits: dict[str, Value]) -> list[LimitValue]:
    """In the order of the table that explains them."""
    return [LimitValue(name, explanations.plain(limits[name])) for name in explanations.LIMITS if name in limits]


class PlatformLimitsView(Recorded, frozen=True, kw_only=True):
    """The platform's limits from a day on."""

    limits: LimitValues

    @classmethod
    def of(cls, row: PolicyVersion, superseded_by: UUID | None = None) -> "PlatformLimitsView":
        return cls(**recorded(row, superseded_by), limits=limit_values(row.limits))


class PolicyVersionView(Recorded, frozen=True, kw_only=True):
    """A buyer's own limits from a day on. Where the platform's are narrower on the day that is asked about, those hold."""

    buyer_id: UUID
    limits: LimitValues

    @classmethod
    def of(cls, row: PolicyVersion, superseded_by: UUID | None = None) -> "PolicyVersionView":
        assert row.organisation_id is not None
        limits = limit_values(row.limits)
        return cls(**recorded(row, superseded_by), buyer_id=row.organisation_id, limits=limits)


class LimitView(msgspec.Struct, frozen=True, kw_only=True):
    """A limit as it holds: at most or at least `value`, of which the platform says so much and the buyer, if anything, so much.

    `words` say what it means and why. `valid_from` and `source` are those of the row whose value holds.
    """

    name: LimitName
    bound: Bound
    value: LimitText
    unit: Name
    words: Line
    platform: LimitText
    own: LimitText | None
    valid_from: date
    source: Source


class PolicyView(TaggedByContent, frozen=True, kw_only=True):
    """What holds on a day: for a buyer, or for everybody of a jurisdiction. A published lot keeps what was in force for it."""

    on: date
    jurisdiction: Jurisdiction
    buyer: Party | None
    is_central_government: bool | None
    limits: Annotated[list[LimitView], Meta(max_length=100)]
    bands: Annotated[list[BandView], Meta(max_length=20)]
    vat: VatRateView
    terms: TermsSummary

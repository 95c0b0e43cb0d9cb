"""What happens to the rules, as the journal tells it: everybody is told, and before the day comes."""

from datetime import date
from typing import ClassVar
from uuid import UUID

from procure.journal.events import Event, Told
from procure.kit.fields import Amount, Paragraph
from procure.policy.rules import Band, Jurisdiction
from procure.policy.schemas import CeremonyDraft, LimitValues, Rate, Source, TermsVersion


class BandRecorded(Event, frozen=True, kw_only=True):
    """The operator recorded from which value a band holds, with VAT, and what it asks, from a day on."""

    type: ClassVar[str] = "policy.band_recorded"
    object_type: ClassVar[str] = "policy_band"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    jurisdiction: Jurisdiction
    valid_from: date
    band: Band
    threshold: Amount
    threshold_central: Amount
    ceremony: CeremonyDraft
    source: Source
    reason: Paragraph


class VatRateRecorded(Event, frozen=True, kw_only=True):
    """The operator recorded the standard rate of VAT from a day on, in percent."""

    type: ClassVar[str] = "policy.vat_rate_recorded"
    object_type: ClassVar[str] = "policy_vat_rate"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    jurisdiction: Jurisdiction
    valid_from: date
    rate: Rate
    source: Source
    reason: Paragraph


class TermsRecorded(Event, frozen=True, kw_only=True):
    """The operator recorded a version of the terms; its text is read by its version."""

    type: ClassVar[str] = "policy.terms_recorded"
    object_type: ClassVar[str] = "policy_terms"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    jurisdiction: Jurisdiction
    valid_from: date
    version: TermsVersion
    source: Source
    reason: Paragraph


class PlatformLimitsRecorded(Event, frozen=True, kw_only=True):
    """The operator recorded the platform's limits from a day on."""

    type: ClassVar[str] = "policy.limits_recorded"
    object_type: ClassVar[str] = "policy_limits"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    jurisdiction: Jurisdiction
    valid_from: date
    limits: LimitValues
    source: Source
    reason: Paragraph


class PolicyVersionRecorded(Event, frozen=True, kw_only=True):
    """A buyer's approver recorded limits of the buyer's own, from a day on, inside the platform's."""

    type: ClassVar[str] = "policy.version_recorded"
    object_type: ClassVar[str] = "policy_version"
    told: ClassVar[tuple[Told, ...]] = (Told.EVERYBODY,)

    buyer_id: UUID
    valid_from: date
    limits: LimitValues
    source: Source
    reason: Paragraph

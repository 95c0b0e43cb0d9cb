"""What is sent and answered about lots."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from procure.kit.etags import TaggedByContent, tag_of
from procure.kit.fields import Cpv, CpvGiven, Instant, KeyId, Line, Markdown, Name, Paragraph, Reference
from procure.kit.money import Money
from procure.lots import choices
from procure.lots.models import AcceptanceCriteria, Criterion, Deliverable, Lot, Place
from procure.lots.rules import (
    CancelReason,
    CriterionKind,
    Ip,
    LotStatus,
    Phase,
    Pricing,
    Remote,
    Route,
    status_at,
)
from procure.organisations.schemas import Party
from procure.outcomes.schemas import OutcomeDraft
from procure.policy.rules import Band, Policy

Days = Annotated[int, Meta(ge=1, le=3650)]
Weight = Annotated[int, Meta(ge=1, le=100)]
Score = Annotated[int, Meta(ge=1, le=5)]


class DeliverableDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of work and what it will be accepted by. It gets its id (D1, D2 …) from its place in the list.

    Without `due_on` it is due at the end of the time-box, and stays so when that moves.
    """

    title: Line
    acceptance_criteria: AcceptanceCriteria
    due_on: date | None = None


class CriterionDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What bids are judged by. Scores run from 0 to 5; below `minimum_score` a bid is not taken further."""

    name: Name
    kind: CriterionKind
    weight: Weight
    minimum_score: Score | None = None


class FurtherIterations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Announced further time-boxes with the winner: how many, and what each may cost at most (net)."""

    count: Annotated[int, Meta(ge=0, le=100)]
    ceiling: Money


Deliverables = Annotated[list[DeliverableDraft], Meta(min_length=1, max_length=100)]
Criteria = Annotated[list[CriterionDraft], Meta(min_length=1, max_length=20)]
MeasureIds = Annotated[list[UUID], Meta(min_length=1, max_length=20)]
Codes = Annotated[list[CpvGiven], Meta(max_length=5)]
Skills = Annotated[list[Name], Meta(max_length=10)]
Base64 = Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=100)]

_EXAMPLE = {
    "outcome_id": "0199c0de-0000-7000-8000-000000000010",
    "title": "Find out why changes wait",
    "phase": "discover",
    "brief": (
        "Follow twenty real changes from the resident's letter to the decision, with the officers who make them. "
        "Show where the days go, and what two small experiments could take out of them."
    ),
    "deliverables": [
        {
            "title": "A map of twenty changes",
            "due_on": "2026-12-29",
            "acceptance_criteria": ["Twenty changes are followed to their decision", "Waiting days are shown for each"],
        },
        {
            "title": "Two experiments to try next",
            "due_on": "2027-01-12",
            "acceptance_criteria": ["Each says what it would change", "Officers have chosen them"],
        },
    ],
    "measure_ids": ["0199c0de-0000-7000-8000-000000000011"],
    "starts_on": "2026-12-15",
    "duration_days": 28,
    "ceiling": {"amount": "12000.00", "currency": "GBP"},
    "further_iterations": {"count": 1, "ceiling": {"amount": "10000.00", "currency": "GBP"}},
    "criteria": [
        {"name": "How you would work", "kind": "quality", "weight": 60, "minimum_score": 2},
        {"name": "Price", "kind": "price", "weight": 30},
        {"name": "Local skills", "kind": "social_value", "weight": 10},
    ],
    "route": "open",
    "cpv": "72221000",
    "cpv_additional": ["79311000"],
    "place": {"nation": "GB-ENG", "region": "TLF", "locality": "Testshire County Hall"},
    "skills": ["User research", "Service design"],
    "remote": "hybrid",
    "ip": "buyer_publishes",
    "enquiries_close_at": "2026-12-04T12:00:00Z",
    "closes_at": "2026-12-08T12:00:00Z",
}


class LotDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A lot to be drafted: under an outcome that there is (`outcome_id`), or with the need itself (`outcome`), written down with it.

    `ceiling` is net. What is left out or null policy works out: all measures of the outcome, a calendar that can be kept from today on,
    the criteria of the template, the outcome's CPV code, the buyer's nation; `GET /v1/lots/{id}/checks` names these fields in `derived`.
    """

    EXAMPLE: ClassVar[object] = _EXAMPLE

    title: Line
    brief: Markdown
    deliverables: Deliverables
    ceiling: Money
    outcome_id: UUID | None = None
    outcome: OutcomeDraft | None = None
    phase: Phase | None = None
    measure_ids: MeasureIds | None = None
    starts_on: date | None = None
    duration_days: Days | None = None
    criteria: Criteria | None = None
    enquiries_close_at: Instant | None = None
    closes_at: Instant | None = None
    further_iterations: FurtherIterations | None = None
    validity_days: Days | None = None
    cpv: CpvGiven | None = None
    cpv_additional: Codes | None = None
    place: Place | None = None
    skills: Skills | None = None
    remote: Remote | None = None
    ip: Ip | None = None
    route: Route = Route.OPEN
    pricing: Pricing = Pricing.FIXED
    follows_id: UUID | None = None


class LotPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What changes in a draft; a field left out stays as it is, a list is replaced whole, and null has policy work the field out again.

    What policy has worked out is worked out anew with each edit, from what stands beside it then.
    """

    EXAMPLE: ClassVar[object] = {"title": "Find out where changes wait, and why", "validity_days": 90}

    title: Line | UnsetType = UNSET
    brief: Markdown | UnsetType = UNSET
    deliverables: Deliverables | UnsetType = UNSET
    ceiling: Money | UnsetType = UNSET
    phase: Phase | UnsetType | None = UNSET
    measure_ids: MeasureIds | UnsetType | None = UNSET
    starts_on: date | UnsetType | None = UNSET
    duration_days: Days | UnsetType | None = UNSET
    criteria: Criteria | UnsetType | None = UNSET
    enquiries_close_at: Instant | UnsetType | None = UNSET
    closes_at: Instant | UnsetType | None = UNSET
    further_iterations: FurtherIterations | UnsetType | None = UNSET
    validity_days: Days | UnsetType | None = UNSET
    cpv: CpvGiven | UnsetType | None = UNSET
    cpv_additional: Codes | UnsetType | None = UNSET
    place: Place | UnsetType | None = UNSET
    skills: Skills | UnsetType | None = UNSET
    remote: Remote | UnsetType | None = UNSET
    ip: Ip | UnsetType | None = UNSET


#: The fields of a draft's own content, which can be edited.
CONTENT = LotPatch.__struct_fields__


class LotCopy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the copy goes, and what it is called. Left out or null: the lot's own outcome, the lot's own title."""

    EXAMPLE: ClassVar[object] = {"title": "Find out why changes wait, in the second district"}

    outcome_id: UUID | None = None
    title: Line | None = None


class Notice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An official notice's references, as the national platform gave them."""

    EXAMPLE: ClassVar[object] = {
        "id": "2026/S 000-054321",
        "ocid": "ocds-h6vhtk-04f1aa",
        "published_at": "2026-11-24T09:00:00Z",
    }

    id: Name
    ocid: Annotated[str, Meta(pattern=r"^ocds-[a-z0-9]{6}-.+$", max_length=100)]
    published_at: Instant


class Cancellation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a lot is cancelled, as a choice and in words; both are published."""

    EXAMPLE: ClassVar[object] = {
        "reason_code": "need_changed",
        "reason": "The need has gone: the form was withdrawn.",
    }

    reason_code: CancelReason
    reason: Paragraph


class DraftWithdrawal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a draft is withdrawn, if there is anything to say."""

    EXAMPLE: ClassVar[object] = {"reason": "Drafted twice."}

    reason: Paragraph | None = None


class Extension(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a lot closes instead, later than it would, and why; published."""

    EXAMPLE: ClassVar[object] = {
        "closes_at": "2026-12-10T12:00:00Z",
        "reason": "Two questions were answered on the last day.",
    }

    closes_at: Instant
    reason: Paragraph


class LotKeyView(msgspec.Struct, frozen=True):
    """The key that bids are sealed to: base64 of the HPKE public key, signed by the platform (docs: sealing)."""

    id: KeyId
    scheme: Annotated[str, Meta(pattern=r"^[A-Za-z0-9:-]+$", max_length=100)]
    public_key: Base64
    signature: Base64


class LotView(msgspec.Struct, frozen=True, kw_only=True):
    """A lot. `status` is as of now: a published lot is `closed` from `closes_at` on. `policy` is what was in force for it."""

    id: UUID
    reference: Reference
    outcome_id: UUID
    buyer: Party
    iteration: int
    follows_id: UUID | None
    copied_from_id: UUID | None
    status: LotStatus
    title: Line
    phase: Phase
    route: Route
    pricing: Pricing
    brief: Markdown
    deliverables: Annotated[list[Deliverable], Meta(max_length=100)]
    criteria: Annotated[list[Criterion], Meta(max_length=20)]
    measure_ids: Annotated[list[UUID], Meta(max_length=20)]
    cpv: Cpv | None
    cpv_additional: Annotated[list[Cpv], Meta(max_length=5)]
    place: Place
    skills: Annotated[list[Name], Meta(max_length=10)]
    remote: Remote
    ip: Ip
    starts_on: date
    duration_days: int
    ceiling: Money
    further_iterations: FurtherIterations
    estimate: Money
    enquiries_close_at: Instant
    closes_at: Instant
    validity_days: int
    band: Band
    policy: Policy
    notice: Notice | None
    key: LotKeyView | None
    published_at: Instant | None
    ended_at: Instant | None
    end_reason: Paragraph | None
    end_reason_code: CancelReason | None
    created_at: Instant
    version: int

    @classmethod
    def of(cls, row: Lot, now: datetime) -> "LotView":
        def money(amount: Decimal) -> Money:
            return Money.of(amount, row.currency)

        return cls(
            id=row.id,
            reference=row.reference,
            outcome_id=row.outcome_id,
            buyer=Party(row.buyer_id, row.buyer_name),
            iteration=row.iteration,
            follows_id=row.follows_id,
            copied_from_id=row.copied_from_id,
            status=status_at(row.status, row.closes_at, now),
            title=row.title,
            phase=row.phase,
            route=row.route,
            pricing=row.pricing,
            brief=row.brief,
            deliverables=row.deliverables,
            criteria=row.criteria,
            measure_ids=row.measure_ids,
            cpv=row.cpv,
            cpv_additional=row.cpv_additional,
            place=row.place,
            skills=row.skills,
            remote=row.remote,
            ip=row.ip,
            starts_on=row.starts_on,
            duration_days=row.duration_days,
            ceiling=money(row.ceiling),
            further_iterations=FurtherIterations(row.further_iterations, money(row.further_ceiling)),
            estimate=money(row.estimate),
            enquiries_close_at=row.enquiries_close_at,
            closes_at=row.closes_at,
            validity_days=row.validity_days,
            band=row.band,
            policy=row.policy,
            notice=_notice(row),
            key=_key(row),
            published_at=row.published_at,
            ended_at=row.ended_at,
            end_reason=row.end_reason,
            end_reason_code=row.end_reason_code,
            created_at=row.created_at,
            version=row.version,
        )

    @classmethod
    def tag(cls, lot_id: UUID, version: int, status: LotStatus | str) -> str:
        """Of a lot as it is now; everybody who may see it is shown the same."""
        return tag_of(cls, lot_id, version, status)

    @classmethod
    def tag_at(cls, row: Lot, now: datetime) -> str:
        return cls.tag(row.id, row.version, status_at(row.status, row.closes_at, now))

    @property
    def etag(self) -> str:
        return self.tag(self.id, self.version, self.status)


def _notice(row: Lot) -> Notice | None:
    if row.notice_id is None or row.notice_ocid is None or row.notice_at is None:
        return None
    return Notice(row.notice_id, row.notice_ocid, row.notice_at)


def _key(row: Lot) -> LotKeyView | None:
    if row.key_id is None or row.key_scheme is None or row.public_key is None or row.key_signature is None:
        return None
    return LotKeyView(
        row.key_id, row.key_scheme, b64encode(row.public_key).decode(), b64encode(row.key_signature).decode()
    )


class LotSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A lot in a list."""

    id: UUID
    reference: Reference
    outcome_id: UUID
    buyer: Party
    iteration: int
    status: LotStatus
    title: Line
    phase: Phase
    band: Band
    ceiling: Money
    closes_at: Instant
    created_at: Instant

    @classmethod
    def of(cls, row: Lot, now: datetime) -> "LotSummary":
        return cls(
            id=row.id,
            reference=row.reference,
            outcome_id=row.outcome_id,
            buyer=Party(row.buyer_id, row.buyer_name),
            iteration=row.iteration,
            status=status_at(row.status, row.closes_at, now),
            title=row.title,
            phase=row.phase,
            band=row.band,
            ceiling=Money.of(row.ceiling, row.currency),
            closes_at=row.closes_at,
            created_at=row.created_at,
        )


class Choice(msgspec.Struct, frozen=True):
    """One of several values, and what it means."""

    value: Annotated[str, Meta(pattern=r"^[A-Za-z_]+$", max_length=40)]
    said: Line


class PhaseChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A phase, and what it expects. A lot that is otherwise is warned by its checks, not refused."""

    value: Phase
    said: Line
    days_usual_max: Days
    deliverables_usual_max: Annotated[int, Meta(ge=1, le=100)]
    measurable: bool


Choices = Annotated[list[Choice], Meta(max_length=50)]


class LotChoices(TaggedByContent, frozen=True, kw_only=True):
    """What a lot may choose in a word, and what each choice means. `regions` are those of the International Territorial Levels, level 1."""

    phases: Annotated[list[PhaseChoice], Meta(max_length=10)]
    remote: Choices
    ip: Choices
    regions: Choices
    cancel_reasons: Choices

    @classmethod
    def all(cls) -> "LotChoices":
        def of(table: Mapping[Any, str]) -> list[Choice]:
            return [Choice(value.value, said) for value, said in table.items()]

        return cls(
            phases=[PhaseChoice(value=phase, **asdict(said)) for phase, said in choices.PHASES.items()],
            remote=of(choices.REMOTE),
            ip=of(choices.IP),
            regions=of(choices.REGIONS),
            cancel_reasons=of(choices.CANCEL),
        )

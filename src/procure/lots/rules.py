"""A lot's statuses, what may follow what, and the predicates that decide; all over plain values and `now`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NoReturn

from procure.kit.errors import Faults
from procure.lots.errors import (
    LotInvalid,
    LotNotCancellable,
    LotNotClosed,
    LotNotDraft,
    LotNotOpen,
    LotStateWrong,
    NoticeMissing,
    WindowTooShort,
)
from procure.policy.rules import Limits, Policy
from procure.policy.working_days import ZONE, local_day


class LotStatus(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    CLOSED = "closed"
    EVALUATING = "evaluating"
    AWARDED = "awarded"
    CONTRACTED = "contracted"
    UNSUCCESSFUL = "unsuccessful"
    CANCELLED = "cancelled"


_ENDS = frozenset({LotStatus.UNSUCCESSFUL, LotStatus.CANCELLED})

#: What may follow what. `closed` is missing on purpose: it is a fact of time and is stored nowhere, see `status_at`.
NEXT: dict[LotStatus, frozenset[LotStatus]] = {
    LotStatus.DRAFT: frozenset({LotStatus.PUBLISHED, LotStatus.CANCELLED}),
    LotStatus.PUBLISHED: frozenset({LotStatus.EVALUATING, *_ENDS}),
    LotStatus.EVALUATING: frozenset({LotStatus.AWARDED, *_ENDS}),
    LotStatus.AWARDED: frozenset({LotStatus.CONTRACTED, LotStatus.EVALUATING, *_ENDS}),
    LotStatus.CONTRACTED: frozenset(),
    LotStatus.UNSUCCESSFUL: frozenset(),
    LotStatus.CANCELLED: frozenset(),
}


class Phase(StrEnum):
    """Where in the double diamond the work lies."""

    DISCOVER = "discover"
    DEFINE = "define"
    DEVELOP = "develop"
    DELIVER = "deliver"


class Route(StrEnum):
    """How suppliers come to the lot."""

    OPEN = "open"


class Pricing(StrEnum):
    """How a bid is priced: a fixed price for each deliverable."""

    FIXED = "fixed"


class CriterionKind(StrEnum):
    QUALITY = "quality"
    PRICE = "price"
    SOCIAL_VALUE = "social_value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What `check_content` judges: a lot's content as plain values. Amounts are net."""

    title: str
    brief: str
    starts_on: date
    duration_days: int
    ceiling: Decimal
    currency: str
    further_iterations: int
    further_ceiling: Decimal
    deliverables: Sequence[tuple[str, date, Sequence[str]]]
    criteria: Sequence[tuple[str, CriterionKind, int]]
    enquiries_close_at: datetime
    closes_at: datetime
    validity_days: int

    @property
    def estimate(self) -> Decimal:
        """The most this lot could come to: its ceiling and every announced further iteration."""
        return self.ceiling + self.further_iterations * self.further_ceiling

    @property
    def ends_on(self) -> date:
        return self.starts_on + timedelta(days=self.duration_days)


def has_closed(closes_at: datetime, now: datetime) -> bool:
    """The deadline (rules a, b and h): what happens at `closes_at` itself is late. Every comparison of the two is this one.

    In SQL it stands in `models.status_now`, `projections`, `bids.statements` and `evaluation.opening`; a test holds all to it.
    """
    return now >= closes_at


def status_at(status: LotStatus, closes_at: datetime, now: datetime) -> LotStatus:
    """The status as it is at `now`: a published lot is closed from `closes_at` on. `models.status_now` is the same in SQL."""
    return LotStatus.CLOSED if status is LotStatus.PUBLISHED and has_closed(closes_at, now) else status


def check_content(offer: Offer, limits: Limits) -> None:
    """Refuse what is long, big, vague or contradicts itself; raises LotInvalid with every fault."""
    faults = Faults()
    _check_size(faults, offer, limits)
    _check_words(faults, offer, limits)
    _check_calendar(faults, offer, limits)
    _check_deliverables(faults, offer, limits)
    _check_criteria(faults, offer.criteria)
    faults.raise_any(LotInvalid)


def _check_size(faults: Faults, offer: Offer, limits: Limits) -> None:
    days, ceiling = limits.duration_days_max, limits.ceiling_max
    faults.unless(
        offer.duration_days <= days,
        "/duration_days",
        "time-box-too-long",
        f"A time-box is at most {days} days; buy less.",
    )
    faults.unless(offer.ceiling > 0, "/ceiling/amount", "ceiling-zero", "The ceiling must be more than nothing.")
    faults.unless(
        offer.ceiling <= ceiling, "/ceiling/amount", "ceiling-too-high", f"A lot's ceiling is at most {ceiling:f} net."
    )
    faults.unless(offer.currency == "GBP", "/ceiling/currency", "currency", "The only currency here is GBP.")
    _check_further(faults, offer, limits)


def _check_further(faults: Faults, offer: Offer, limits: Limits) -> None:
    count, ceiling = limits.further_iterations_max, limits.ceiling_max
    at = "/further_iterations"
    faults.unless(
        offer.further_iterations <= count, f"{at}/count", "too-many-iterations", f"At most {count} further iterations."
    )
    faults.unless(
        offer.further_ceiling <= ceiling,
        f"{at}/ceiling/amount",
        "ceiling-too-high",
        f"Each is at most {ceiling:f} net.",
    )
    faults.unless(
        (offer.further_iterations > 0) == (offer.further_ceiling > 0),
        at,
        "iterations-and-ceiling",
        "Further iterations and what each may cost at most are announced together.",
    )


def _check_words(faults: Faults, offer: Offer, limits: Limits) -> None:
    words = len(offer.brief.split())
    least, most = limits.brief_words_min, limits.brief_words_max
    faults.unless(
        len(offer.title) >= limits.title_letters_min, "/title", "vague", "The title is too short to say what is bought."
    )
    faults.unless(words >= least, "/brief", "vague", f"A brief has at least {least} words; this one has {words}.")
    faults.unless(words <= most, "/brief", "brief-too-long", f"A brief has at most {most} words; this one has {words}.")


def _check_calendar(faults: Faults, offer: Offer, limits: Limits) -> None:
    faults.unless(
        offer.enquiries_close_at <= offer.closes_at,
        "/enquiries_close_at",
        "enquiries-after-close",
        "Enquiries close no later than the lot.",
    )
    faults.unless(
        local_day(offer.closes_at) < offer.starts_on,
        "/starts_on",
        "starts-before-close",
        "Work starts after the lot closes.",
    )
    least = limits.tender_validity_days_min
    faults.unless(
        offer.validity_days >= least,
        "/validity_days",
        "validity-too-short",
        f"Bids stay valid for at least {least} days.",
    )


def _check_deliverables(faults: Faults, offer: Offer, limits: Limits) -> None:
    most = limits.deliverables_max
    faults.unless(
        len(offer.deliverables) <= most,
        "/deliverables",
        "too-many-deliverables",
        f"At most {most} deliverables; buy less.",
    )
    for index, (_, due_on, criteria) in enumerate(offer.deliverables):
        at = f"/deliverables/{index}"
        faults.unless(
            offer.starts_on <= due_on <= offer.ends_on,
            f"{at}/due_on",
            "outside-time-box",
            "It is due within the time-box.",
        )
        for place, criterion in enumerate(criteria):
            faults.unless(
                len(criterion.split()) >= limits.criterion_words_min,
                f"{at}/acceptance_criteria/{place}",
                "vague",
                f"Say in at least {limits.criterion_words_min} words what will be accepted.",
            )


def _check_criteria(faults: Faults, criteria: Sequence[tuple[str, CriterionKind, int]]) -> None:
    weights = sum(weight for _, _, weight in criteria)
    kinds = [kind for _, kind, _ in criteria]
    names = [name for name, _, _ in criteria]
    faults.unless(weights == 100, "/criteria", "weights", f"Weights sum to 100; these sum to {weights}.")
    faults.unless(CriterionKind.QUALITY in kinds, "/criteria", "no-quality", "At least one criterion is quality.")
    faults.unless(kinds.count(CriterionKind.PRICE) <= 1, "/criteria", "prices", "Price is scored once.")
    faults.unless(len(set(names)) == len(names), "/criteria", "repeated", "Each criterion has a name of its own.")


def check_draft(status: LotStatus) -> None:
    if status is not LotStatus.DRAFT:
        raise LotNotDraft(f"The lot is {status}; only a draft can be edited or published.")


def check_publishable(
    policy: Policy, *, closes_at: datetime, enquiries_close_at: datetime, notice_at: datetime | None, now: datetime
) -> None:
    """The band's notice is recorded, and its whole window lies between now (or the notice, if later) and `closes_at`."""
    if policy.ceremony.notice_required and notice_at is None:
        raise NoticeMissing(f"A {policy.band} lot opens once the official notice's references are recorded.")
    earliest = policy.earliest_close(max(now, notice_at) if notice_at else now)
    if closes_at < earliest:
        said = earliest.astimezone(ZONE).isoformat(timespec="minutes")
        raise WindowTooShort(f"Published now, a {policy.band} lot may close at {said} at the earliest.")
    if enquiries_close_at <= now:
        raise WindowTooShort("Enquiries would be closed before anyone could ask.")


def check_open(status: LotStatus, closes_at: datetime, now: datetime) -> None:
    """Bids and changes of bids: strictly before `closes_at` (docs/rules.md, rules a and h)."""
    current = status_at(status, closes_at, now)
    if current is not LotStatus.PUBLISHED:
        raise LotNotOpen(f"The lot is {current}; it takes bids only while published and before {_instant(closes_at)}.")


def check_extension(before: datetime, closes_at: datetime, starts_on: date) -> None:
    """`closes_at` never moves backwards after publication, and work starts after the lot has closed."""
    faults = Faults()
    faults.unless(
        closes_at > before, "/closes_at", "not-later", f"The lot closes later than {_instant(before)}, or then."
    )
    faults.unless(
        local_day(closes_at) < starts_on,
        "/closes_at",
        "starts-before-close",
        f"Work starts on {starts_on}, after that.",
    )
    faults.raise_any(LotInvalid)


def check_enquiries_open(status: LotStatus, enquiries_close_at: datetime, now: datetime) -> None:
    if status is not LotStatus.PUBLISHED or now >= enquiries_close_at:
        raise LotNotOpen(f"Suppliers may ask while the lot is published and before {_instant(enquiries_close_at)}.")


def check_closed(status: LotStatus, closes_at: datetime, now: datetime) -> None:
    """Sealing and opening: only at or after `closes_at`, and only once (docs/rules.md, rules b and e)."""
    current = status_at(status, closes_at, now)
    if current is LotStatus.PUBLISHED:
        raise LotNotClosed(f"The lot closes at {_instant(closes_at)}; nobody opens a bid before.")
    if current is not LotStatus.CLOSED:
        raise LotStateWrong(f"The lot is {current}; it has been opened or has ended.")


def check_cancellable(status: LotStatus) -> None:
    if LotStatus.CANCELLED not in NEXT[status]:
        raise LotNotCancellable(f"The lot is {status}; it can't be cancelled any more.")


def check_notice(notice_at: datetime, now: datetime) -> None:
    if notice_at > now:
        faults = Faults()
        faults.add("/published_at", "in-future", "A notice that is recorded has been published already.")
        faults.raise_any(LotInvalid)


def refuse_move(status: LotStatus, wanted: LotStatus) -> NoReturn:
    raise LotStateWrong(f"The lot is {status}; it can't become {wanted}.")


def check_status(status: LotStatus, needed: LotStatus) -> None:
    if status is not needed:
        raise LotStateWrong(f"The lot is {status}; this step needs it {needed}.")


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")

"""A lot's statuses, what may follow what, and the predicates that decide; all over plain values and `now`."""

from collections.abc import Mapping
from datetime import date, datetime
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
from procure.organisations.rules import Nation
from procure.outcomes.errors import OutcomeNotActive
from procure.outcomes.rules import ENDED, OutcomeStatus
from procure.policy.rules import Policy
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


class Phase(StrEnum):
    """Where in the double diamond the work lies."""

    DISCOVER = "discover"
    DEFINE = "define"
    DEVELOP = "develop"
    DELIVER = "deliver"


class Remote(StrEnum):
    """Where the people who do the work are."""

    REMOTE = "remote"
    HYBRID = "hybrid"
    ON_SITE = "on_site"


class Ip(StrEnum):
    """Whose what is made for the lot will be."""

    BUYER_OWNS = "buyer_owns"
    BUYER_PUBLISHES = "buyer_publishes"
    SUPPLIER_OWNS_OPEN_LICENCE = "supplier_owns_open_licence"
    SUPPLIER_OWNS_LICENSED = "supplier_owns_licensed"


class CancelReason(StrEnum):
    """Why a lot ends without a contract, as a choice; the words stand beside it."""

    NEED_CHANGED = "need_changed"
    BUDGET_WITHDRAWN = "budget_withdrawn"
    NO_SUITABLE_BIDS = "no_suitable_bids"
    DOCUMENTS_WRONG = "documents_wrong"
    CHALLENGED = "challenged"
    OTHER = "other"


class Region(StrEnum):
    """A region of the United Kingdom, by its code of the International Territorial Levels, level 1 (Office for National Statistics)."""

    NORTH_EAST = "TLC"
    NORTH_WEST = "TLD"
    YORKSHIRE = "TLE"
    EAST_MIDLANDS = "TLF"
    WEST_MIDLANDS = "TLG"
    EAST = "TLH"
    LONDON = "TLI"
    SOUTH_EAST = "TLJ"
    SOUTH_WEST = "TLK"
    WALES = "TLL"
    SCOTLAND = "TLM"
    NORTHERN_IRELAND = "TLN"


_OWN_REGION = {
    Nation.WALES: Region.WALES,
    Nation.SCOTLAND: Region.SCOTLAND,
    Nation.NORTHERN_IRELAND: Region.NORTHERN_IRELAND,
}


def region_of(nation: Nation) -> Region | None:
    """The region that is the whole of a nation; England has nine."""
    return _OWN_REGION.get(nation)


def lies_in(region: Region, nation: Nation) -> bool:
    """Whether the region is one of the nation's."""
    own = _OWN_REGION.get(nation)
    return region is own if own else region not in _OWN_REGION.values()


def has_closed(closes_at: datetime, now: datetime) -> bool:
    """The deadline (rules a, b and h): what happens at `closes_at` itself is late. Every comparison of the two is this one.

    In SQL it stands in `models.status_now`, `projections`, `bids.statements` and `evaluation.opening`; a test holds all to it.
    """
    return now >= closes_at


def status_at(status: LotStatus, closes_at: datetime, now: datetime) -> LotStatus:
    """The status as it is at `now`: a published lot is closed from `closes_at` on. `models.status_now` is the same in SQL."""
    return LotStatus.CLOSED if status is LotStatus.PUBLISHED and has_closed(closes_at, now) else status


def check_draft(status: LotStatus) -> None:
    if status is not LotStatus.DRAFT:
        raise LotNotDraft(f"The lot is {status}; only a draft can be edited, withdrawn or published.")


def check_outcome_open(status: OutcomeStatus) -> None:
    """A lot is drafted under an outcome that may still be worked for; it opens once that is active."""
    if status in ENDED:
        raise OutcomeNotActive(
            f"The outcome has ended: {status}. A lot is drafted under one that is a draft or active."
        )


def check_publishable(
    policy: Policy, *, closes_at: datetime, enquiries_close_at: datetime, notice_at: datetime | None, now: datetime
) -> None:
    """The band's notice is recorded, and its whole window lies between now (or the notice, if later) and `closes_at`."""
    check_notice_recorded(policy, notice_at)
    check_window(policy, closes_at, notice_at, now)
    check_enquiry_window(enquiries_close_at, now)


def check_notice_recorded(policy: Policy, notice_at: datetime | None) -> None:
    if policy.ceremony.notice_required and notice_at is None:
        raise NoticeMissing(f"A {policy.band} lot opens once the official notice's references are recorded.")


def check_window(policy: Policy, closes_at: datetime, notice_at: datetime | None, now: datetime) -> None:
    earliest = policy.earliest_close(max(now, notice_at) if notice_at else now)
    if closes_at < earliest:
        said = earliest.astimezone(ZONE).isoformat(timespec="minutes")
        raise WindowTooShort(f"Published now, a {policy.band} lot may close at {said} at the earliest.")


def check_enquiry_window(enquiries_close_at: datetime, now: datetime) -> None:
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
        closes_at > before,
        "/closes_at",
        "not-later",
        f"The lot closes at {_instant(before)}; that may become later, never earlier.",
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


#: Which reasons there can be, by the status as it is now: of bids nobody has read none is unsuitable, and an award says that one is.
_BEFORE_BIDS = frozenset(CancelReason) - {CancelReason.NO_SUITABLE_BIDS}
CANCEL_REASONS: Mapping[LotStatus, frozenset[CancelReason]] = {
    LotStatus.DRAFT: _BEFORE_BIDS - {CancelReason.CHALLENGED},
    LotStatus.PUBLISHED: _BEFORE_BIDS,
    LotStatus.CLOSED: _BEFORE_BIDS,
    LotStatus.EVALUATING: frozenset(CancelReason),
    LotStatus.AWARDED: _BEFORE_BIDS,
}


def check_cancel_reason(status: LotStatus, reason: CancelReason) -> None:
    """`status` as of now, of a lot that can be cancelled."""
    taken = CANCEL_REASONS[status]
    faults = Faults()
    faults.unless(
        reason in taken,
        "/reason_code",
        "not-in-this-state",
        f"A lot that is {status} is cancelled for one of: {', '.join(one for one in CancelReason if one in taken)}.",
    )
    faults.raise_any(LotInvalid)


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

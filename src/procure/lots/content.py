"""What a lot says, and what of it is too long, too big, too vague or contradicts itself; all over plain values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from procure.kit import words
from procure.kit.errors import Faults
from procure.lots.errors import LotInvalid
from procure.lots.rules import CriterionKind, Region, lies_in
from procure.organisations.rules import Nation
from procure.policy.rules import Limits
from procure.policy.working_days import local_day


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
    cpv: str | None = None
    cpv_additional: Sequence[str] = ()
    nation: Nation | None = None
    region: Region | None = None
    skills: Sequence[str] = ()

    @property
    def estimate(self) -> Decimal:
        """The most this lot could come to: its ceiling and every announced further iteration."""
        return self.ceiling + self.further_iterations * self.further_ceiling

    @property
    def ends_on(self) -> date:
        return self.starts_on + timedelta(days=self.duration_days)


def check_content(offer: Offer, limits: Limits) -> None:
    """Refuse what is long, big, vague or contradicts itself; raises LotInvalid with every fault."""
    content_faults(offer, limits).raise_any(LotInvalid)


def content_faults(offer: Offer, limits: Limits) -> Faults:
    """Every fault of the content, for who has others to add."""
    faults = Faults()
    _check_size(faults, offer, limits)
    _check_words(faults, offer, limits)
    _check_calendar(faults, offer, limits)
    _check_deliverables(faults, offer, limits)
    _check_criteria(faults, offer.criteria)
    _check_codes(faults, offer)
    _check_place_and_skills(faults, offer)
    return faults


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
    number = words.count(offer.brief)
    least, most = limits.brief_words_min, limits.brief_words_max
    faults.unless(
        len(offer.title) >= limits.title_letters_min, "/title", "vague", "The title is too short to say what is bought."
    )
    faults.unless(number >= least, "/brief", "vague", f"A brief has at least {least} words; this one has {number}.")
    faults.unless(
        number <= most, "/brief", "brief-too-long", f"A brief has at most {most} words; this one has {number}."
    )


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
                words.count(criterion) >= limits.criterion_words_min,
                f"{at}/acceptance_criteria/{place}",
                "vague",
                f"Say in at least {limits.criterion_words_min} words what will be accepted.",
            )


def _check_criteria(faults: Faults, criteria: Sequence[tuple[str, CriterionKind, int]]) -> None:
    weights = sum(weight for _, _, weight in criteria)
    kinds = [kind for _, kind, _ in criteria]
    names = [name.casefold() for name, _, _ in criteria]
    faults.unless(weights == 100, "/criteria", "weights", f"Weights sum to 100; these sum to {weights}.")
    faults.unless(CriterionKind.QUALITY in kinds, "/criteria", "no-quality", "At least one criterion is quality.")
    faults.unless(kinds.count(CriterionKind.PRICE) <= 1, "/criteria", "prices", "Price is scored once.")
    faults.unless(len(set(names)) == len(names), "/criteria", "repeated", "Each criterion has a name of its own.")


def _check_codes(faults: Faults, offer: Offer) -> None:
    faults.unless(
        offer.cpv is not None or not offer.cpv_additional,
        "/cpv",
        "main-code-missing",
        "Further CPV codes stand beside a main one; say in `cpv` which it is.",
    )
    for index in repeated([offer.cpv or "", *offer.cpv_additional]):
        faults.add(f"/cpv_additional/{index - 1}", "repeated", "This CPV code is there already.")


def _check_place_and_skills(faults: Faults, offer: Offer) -> None:
    if offer.nation is not None and offer.region is not None:
        faults.unless(
            lies_in(offer.region, offer.nation),
            "/place/region",
            "outside-nation",
            f"{offer.region} is no region of {offer.nation}; `GET /v1/lots/choices` lists them.",
        )
    for index in repeated([skill.casefold() for skill in offer.skills]):
        faults.add(f"/skills/{index}", "repeated", "This skill is there already.")


def check_new_dates(
    faults: Faults, written: Iterable[str], *, closes_at: datetime, enquiries_close_at: datetime, now: datetime
) -> None:
    """Dates that are written now lie ahead; those of a draft that has waited are for its checks to tell, not for each edit to refuse."""
    moments = {"closes_at": closes_at, "enquiries_close_at": enquiries_close_at}
    for name in sorted(moments.keys() & set(written)):
        faults.unless(moments[name] > now, f"/{name}", "in-past", "This time has passed already.")


def repeated(names: Sequence[str]) -> list[int]:
    """Where what stands there has stood before."""
    return [index for index, name in enumerate(names) if name in names[:index]]

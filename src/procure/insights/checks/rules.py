"""The warnings, over plain values. None stops a publication: each says what it saw, with the evidence.

Whether somebody could test an acceptance criterion is judged by its words alone, which is rough and says so: one that leans on a word
of taste ("good", "as appropriate") is told that word; and one in English with neither a number or quantity nor a verb of something
that was or can be observed is told that. A criterion in another language is asked for words of taste alone.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from statistics import median
from uuid import UUID

from procure.kit import words
from procure.lots import defaults
from procure.lots.choices import PHASES
from procure.lots.content import Offer
from procure.lots.defaults import Defaults
from procure.lots.rules import Phase
from procure.policy.rules import Policy
from procure.policy.working_days import ZONE, is_working_day, local_day


class Level(StrEnum):
    """Whether it has to be mended first, or is for a person to judge."""

    BLOCKS = "blocks"
    WARNS = "warns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to be looked at; `evidence` is what was seen, by name."""

    level: Level = Level.WARNS
    code: str
    pointer: str | None
    said: str
    evidence: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastLot:
    """A lot that the buyer has published before."""

    ceiling: Decimal
    cpv: str | None
    phase: Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Won:
    """A lot of the buyer that was contracted."""

    lot: str
    outcome_id: UUID
    supplier_id: UUID
    supplier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A draft and all that it is compared with; `won` newest first."""

    offer: Offer
    phase: Phase
    outcome_id: UUID
    policy: Policy
    defaults: Defaults
    now: datetime
    past: Sequence[PastLot] = ()
    won: Sequence[Won] = ()


#: A brief is near its cap from this share on, in percent.
NEAR_PERCENT = 90
#: Fewer past lots say nothing; a ceiling is far from their median beyond this many times, or below as little.
PAST_MIN, FAR_TIMES = 3, 2
#: As often as this one after the other, a supplier is "every time".
STREAK = 3
#: When a lot had better close, by the clock of the buyer.
OPENS_HOUR, CLOSES_HOUR, LATE_HOUR = 9, 17, 16
#: As many days without work after the closing are a break.
BREAK_DAYS = 3
#: Working days to read a lot and to plan, beside one for each deliverable.
READING_WORKING_DAYS = 3


def warnings(draft: Draft) -> list[Finding]:
    """Everything to be looked at, in the order of a lot's fields."""
    found = (
        _brief,
        _criteria,
        _measurable,
        _deliverables,
        _duration,
        _ceiling,
        _closing,
        _window,
        _start,
        _code,
        _suppliers,
    )
    return [one for warn in found for one in warn(draft)]


def _brief(draft: Draft) -> Iterator[Finding]:
    number, most = words.count(draft.offer.brief), draft.policy.limits.brief_words_max
    if number * 100 >= most * NEAR_PERCENT and number <= most:
        said = f"The brief has {number} of at most {most} words. Small firms read short ones; what can be left out?"
        yield Finding(code="brief-near-cap", pointer="/brief", said=said, evidence={"words": str(number)})


def _criteria(draft: Draft) -> Iterator[Finding]:
    for index, (_, _, criteria) in enumerate(draft.offer.deliverables):
        for place, text in enumerate(criteria):
            at = f"/deliverables/{index}/acceptance_criteria/{place}"
            if taste := vague_words(text):
                said = "Two people may differ on whether this is met; say what is seen when it is."
                yield Finding(code="untestable", pointer=at, said=said, evidence={"words": ", ".join(taste)})
            elif not is_observable(text):
                said = "Nothing in this can be counted or seen to have happened; say what is there when it is met."
                yield Finding(code="untestable", pointer=at, said=said)


_TASTE = re.compile(
    r"\b(good|great|nice|excellent|better|user[- ]friendly|easy to use|easily|intuitive|attractive|modern|robust|seamless(?:ly)?|"
    r"appropriate(?:ly)?|adequate(?:ly)?|suitabl[ey]|reasonabl[ey]|sufficient(?:ly)?|satisfactor(?:y|ily)|acceptabl[ey]|proper(?:ly)?|"
    r"high[- ]quality|world[- ]class|best practices?|state[- ]of[- ]the[- ]art|fast|quick(?:ly)?|timely|efficient(?:ly)?|effective(?:ly)?|"
    r"as (?:needed|required|necessary)|(?:if|where|when) (?:possible|needed|necessary)|etc|and so on)\b",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"\d|\b(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|twenty|thirty|forty|fifty|hundred|thousand|half|"
    r"quarter|percent|each|every|all|none|no|only|any|both)\b",
    re.IGNORECASE,
)
_SEEN = re.compile(
    r"\b(\w{3,}ed|shown|seen|known|written|chosen|made|met|built|sent|read|held|kept|found|given|taken|done|put|set|run|runs|works?|"
    r"says?|names?|lists?|opens?|loads?|passes|contains?|shows?|answers?|explains?|can|have|has)\b",
    re.IGNORECASE,
)
_ENGLISH = re.compile(
    r"\b(the|an?|is|are|be|of|to|and|for|in|its?|with|that|by|on|from|this|these|will|must|should)\b", re.IGNORECASE
)


def vague_words(criterion: str) -> list[str]:
    """Words of taste that the criterion leans on."""
    return list(dict.fromkeys(found.group(0).lower() for found in _TASTE.finditer(criterion)))


def is_observable(criterion: str) -> bool:
    """Whether it names a quantity or something that is seen to have happened. Of what is not English only its words are not known."""
    return bool(_QUANTITY.search(criterion) or _SEEN.search(criterion) or not _ENGLISH.search(criterion))


def _measurable(draft: Draft) -> Iterator[Finding]:
    if not PHASES[draft.phase].measurable:
        return
    for index, (title, _, criteria) in enumerate(draft.offer.deliverables):
        if not any(_QUANTITY.search(one) for one in criteria):
            said = f"In {draft.phase} each deliverable is accepted by something that can be counted; none of its criteria has a number."
            yield Finding(
                code="not-measurable",
                pointer=f"/deliverables/{index}/acceptance_criteria",
                said=said,
                evidence={"deliverable": title},
            )


def _deliverables(draft: Draft) -> Iterator[Finding]:
    number, usual = len(draft.offer.deliverables), PHASES[draft.phase].deliverables_usual_max
    if number > usual:
        said = f"{number} deliverables are many for {draft.phase}: {PHASES[draft.phase].said}"
        yield Finding(code="many-deliverables", pointer="/deliverables", said=said, evidence={"usual_max": str(usual)})


def _duration(draft: Draft) -> Iterator[Finding]:
    days, usual = draft.offer.duration_days, PHASES[draft.phase].days_usual_max
    if days > usual:
        said = f"{days} days are long for {draft.phase}: {PHASES[draft.phase].said}"
        yield Finding(code="long-for-phase", pointer="/duration_days", said=said, evidence={"usual_max": str(usual)})


def _ceiling(draft: Draft) -> Iterator[Finding]:
    basis, like = _like(draft)
    if len(like) < PAST_MIN:
        return
    middle, ceiling = median(like), draft.offer.ceiling
    if middle / FAR_TIMES <= ceiling <= middle * FAR_TIMES:
        return
    way = "more than twice" if ceiling > middle else "less than half of"
    said = f"The ceiling is {way} the median of your {len(like)} lots before ({basis}), which is {middle:.2f}."
    evidence = {"median": f"{middle:.2f}", "lots": str(len(like)), "ceiling": f"{ceiling:.2f}", "compared_with": basis}
    yield Finding(code="ceiling-far", pointer="/ceiling/amount", said=said, evidence=evidence)


def _like(draft: Draft) -> tuple[str, list[Decimal]]:
    """The buyer's lots that are most alike: of the same CPV division and phase, or division, or phase, whichever are enough."""
    division = (draft.offer.cpv or "")[:2]
    of_division = [one for one in draft.past if division and (one.cpv or "")[:2] == division]
    choices = {
        f"CPV division {division}, {draft.phase}": [one.ceiling for one in of_division if one.phase is draft.phase],
        f"CPV division {division}": [one.ceiling for one in of_division],
        str(draft.phase): [one.ceiling for one in draft.past if one.phase is draft.phase],
    }
    return next((choice for choice in choices.items() if len(choice[1]) >= PAST_MIN), ("", []))


def _closing(draft: Draft) -> Iterator[Finding]:
    closes = draft.offer.closes_at.astimezone(ZONE)
    day, nation = closes.date(), draft.policy.nation
    evidence = {"closes_at": closes.isoformat(timespec="minutes"), "day": f"{day:%A}"}
    minutes = closes.hour * 60 + closes.minute
    if not is_working_day(day, nation):
        said = (
            f"The lot closes on a {day:%A} that is no working day in {nation}: nobody is there who could help a bidder."
        )
        yield Finding(code="closes-on-holiday", pointer="/closes_at", said=said, evidence=evidence)
    elif not OPENS_HOUR * 60 <= minutes <= CLOSES_HOUR * 60:
        said = f"The lot closes at {closes:%H:%M}, when nobody is at work: nobody is there who could help a bidder."
        yield Finding(code="closes-at-night", pointer="/closes_at", said=said, evidence=evidence)
    elif minutes >= LATE_HOUR * 60 and (free := _free_days_after(day, draft)) >= BREAK_DAYS:
        said = f"The lot closes in the last hour before {free} days without work: what goes wrong then is looked at after them."
        yield Finding(
            code="closes-before-break", pointer="/closes_at", said=said, evidence=evidence | {"days": str(free)}
        )


def _free_days_after(day: date, draft: Draft) -> int:
    days = 0
    while not is_working_day(day + timedelta(days=days + 1), draft.policy.nation):
        days += 1
    return days


def _window(draft: Draft) -> Iterator[Finding]:
    wanted = READING_WORKING_DAYS + len(draft.offer.deliverables)
    day, last = local_day(draft.now), local_day(draft.offer.closes_at)
    days = 0
    while day < last and days < wanted:
        day += timedelta(days=1)
        days += is_working_day(day, draft.policy.nation)
    if days < wanted:
        said = f"Bidders have {days} working days for {len(draft.offer.deliverables)} deliverables; {wanted} would let small firms bid."
        evidence = {"working_days": str(days), "advised": str(wanted)}
        yield Finding(code="window-short", pointer="/closes_at", said=said, evidence=evidence)


def _start(draft: Draft) -> Iterator[Finding]:
    expected = defaults.starts_on(draft.policy, draft.defaults, draft.offer.closes_at)
    if draft.offer.starts_on < expected:
        said = "Work starts before the contract can be expected to be signed: scoring, standstill and signatures come first."
        yield Finding(code="starts-early", pointer="/starts_on", said=said, evidence={"expected": str(expected)})


def _code(draft: Draft) -> Iterator[Finding]:
    if draft.offer.cpv is None:
        said = "Without a CPV code suppliers who search by it don't find the lot, and its official notice needs one."
        yield Finding(code="cpv-missing", pointer="/cpv", said=said)


def _suppliers(draft: Draft) -> Iterator[Finding]:
    of_outcome = [one for one in draft.won if one.outcome_id == draft.outcome_id]
    for whose, won in (("of this outcome", of_outcome), ("of yours", draft.won)):
        streak = list(_streak(won))
        if len(streak) >= STREAK:
            said = f"{streak[0].supplier} won the last {len(streak)} lots {whose}. Is the brief open to others?"
            lots = ", ".join(one.lot for one in streak)
            evidence = {"supplier": streak[0].supplier, "lots": lots[:300]}
            yield Finding(code="same-supplier", pointer=None, said=said, evidence=evidence)
            return


def _streak(won: Iterable[Won]) -> Iterator[Won]:
    """The newest, and those before it of the same supplier."""
    first = None
    for one in won:
        first = first or one
        if one.supplier_id != first.supplier_id:
            return
        yield one

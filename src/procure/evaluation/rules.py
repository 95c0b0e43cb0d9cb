"""Who opens, who may sit on a panel, and what has to be there before a panel scores, locks, agrees and concludes."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from procure.evaluation.errors import (
    AlreadyConcluded,
    AlreadyLocked,
    ConsensusIncomplete,
    DeclarationFinal,
    InterestsNotDeclared,
    LotNotSealed,
    MemberRecused,
    NotChair,
    NothingToRank,
    NotOnPanel,
    OpenedByWorker,
    PanelClosed,
    PanelInsufficient,
    PanelInvalid,
    RootMismatch,
    ScoresIncomplete,
    ScoresInvalid,
    ScoresNotLocked,
)
from procure.kit.errors import Fact, Faults
from procure.lots.errors import LotStateWrong
from procure.lots.rules import LotStatus
from procure.policy.rules import Limits

#: How long an approval to open waits for the other one.
APPROVAL_HOLDS = timedelta(minutes=15)

#: While a panel may be set or changed, and interests declared.
_BEFORE_AWARD = frozenset({LotStatus.DRAFT, LotStatus.PUBLISHED, LotStatus.EVALUATING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A member of a panel as the rules judge them."""

    person_id: UUID
    discipline: str
    is_chair: bool = False
    has_declared: bool = False
    has_conflict: bool = False
    has_locked: bool = False


#: What one score is about: a bid and a criterion of the lot.
Cell = tuple[UUID, str]


# Opening.


def check_opened_by_approvers(openers: int) -> None:
    if openers == 0:
        raise OpenedByWorker("The service opens a lot of this band by itself, at its seal.")


def check_root(root: bytes, sealed_root: bytes | None) -> None:
    """An approval names what it approves: the root of the published seal."""
    if sealed_root is None:
        raise LotNotSealed("The lot has closed and is sealed in a moment; read its seal, then approve its root.")
    if root != sealed_root:
        raise RootMismatch("This is not the root of the lot's seal; read the seal again before you approve it.")


def openers_at(approvals: Iterable[tuple[UUID, datetime]], now: datetime) -> list[UUID]:
    """The persons whose approvals hold at `now`, each once, whatever clients they used; earliest first."""
    holding = sorted((at, person_id) for person_id, at in approvals if now - at <= APPROVAL_HOLDS)
    return list(dict.fromkeys(person_id for _, person_id in holding))


# Panel.


def check_panel_changeable(status: LotStatus, seats: Sequence[Seat], limits: Limits, *, is_concluded: bool) -> None:
    """Until the panel has seen each other's scores."""
    _check_before_award(status, is_concluded=is_concluded)
    if is_complete(seats, limits):
        raise PanelClosed("Every member has locked their scores; the panel can't be changed any more.")


def check_panel(wanted: Sequence[Seat], before: Sequence[Seat], evaluators: Collection[UUID], limits: Limits) -> None:
    """Raises PanelInvalid with every fault. `evaluators` are the persons who hold that role with the buyer now."""
    faults = Faults()
    persons = [one.person_id for one in wanted]
    recused = {one.person_id for one in before if one.has_conflict}
    for index, person_id in enumerate(persons):
        at = f"/members/{index}/person_id"
        faults.unless(person_id in evaluators, at, "not-an-evaluator", "This person is no evaluator of the buyer.")
        faults.unless(person_id not in persons[:index], at, "repeated", "This person is named twice.")
        faults.unless(person_id not in recused, at, "recused", "This person has declared a conflict of interest.")
    for code, sentence in _missing(wanted, limits).items():
        faults.add("/members", code, sentence)
    _check_locked_stay(faults, wanted, before)
    faults.raise_any(PanelInvalid)


def _check_locked_stay(faults: Faults, wanted: Sequence[Seat], before: Sequence[Seat]) -> None:
    """Who has locked stays as they are: what they wrote counts, whatever an officer may think of it."""
    named = {(one.person_id, one.discipline.casefold()) for one in wanted}
    for one in before:
        if one.has_locked and not one.has_conflict:
            stays = (one.person_id, one.discipline.casefold()) in named
            said = f"{one.person_id} ({one.discipline}) has locked their scores and stays."
            faults.unless(stays, "/members", "locked-member", said)


def _missing(seats: Sequence[Seat], limits: Limits) -> dict[str, str]:
    """What a panel of these seats does not have, a sentence under each code."""
    persons = len({one.person_id for one in seats})
    disciplines = len({one.discipline.casefold() for one in seats})
    chairs = sum(one.is_chair for one in seats)
    least, kinds = limits.panel_persons_min, limits.panel_disciplines_min
    missing = {}
    if persons < least:
        missing["too-few-persons"] = f"A panel has at least {least} persons; this one has {persons}."
    if disciplines < kinds:
        missing["too-few-disciplines"] = f"A panel has at least {kinds} disciplines; this one has {disciplines}."
    if chairs != 1:
        missing["chair"] = f"Exactly one member is chair; here {chairs} are."
    return missing


def lacks(seats: Sequence[Seat], limits: Limits) -> list[str]:
    """What the policy misses in a panel of these seats, in sentences."""
    return list(_missing(seats, limits).values())


def taking_part(seats: Sequence[Seat]) -> list[Seat]:
    """Those who have not recused themselves."""
    return [one for one in seats if not one.has_conflict]


def check_sufficient(seats: Sequence[Seat], limits: Limits) -> None:
    """The panel without those who are recused still satisfies the policy; the fact says what is missing."""
    missing = lacks(taking_part(seats), limits)
    if missing:
        raise PanelInsufficient(f"The panel that takes part is not sufficient. {' '.join(missing)}")


def is_complete(seats: Sequence[Seat], limits: Limits) -> bool:
    """Whether everyone has locked: from then on members see each other's scores."""
    remaining = taking_part(seats)
    return not lacks(remaining, limits) and all(one.has_locked for one in remaining)


def find_seat(seats: Sequence[Seat], person_id: UUID | None) -> Seat:
    for one in seats:
        if one.person_id == person_id:
            return one
    raise NotOnPanel("You are not on the panel of this lot.")


def check_declarable(status: LotStatus, seat: Seat, *, has_conflict: bool, has_consensus: bool) -> None:
    """A conflict can be found late, even after scoring; it can't be taken back, and ends with the consensus."""
    _check_before_award(status, is_concluded=False)
    if has_consensus:
        raise DeclarationFinal("The panel is recording its consensus; declarations are closed.")
    if seat.has_conflict and not has_conflict:
        raise DeclarationFinal("You have declared a conflict of interest; it can't be taken back.")


# Reading and scoring.


def check_takes_part(seat: Seat) -> None:
    """The member has declared, and not a conflict."""
    if not seat.has_declared:
        raise InterestsNotDeclared("Declare your interests in this lot before you see its bids.")
    if seat.has_conflict:
        raise MemberRecused("You declared a conflict of interest and take no part in this evaluation.")


def check_evaluating(status: LotStatus, *, is_concluded: bool) -> None:
    if status is not LotStatus.EVALUATING:
        raise LotStateWrong(f"The lot is {status}; bids are scored between their opening and the award.")
    _check_not_concluded(is_concluded)


def check_may_score(seat: Seat, seats: Sequence[Seat], limits: Limits) -> None:
    check_takes_part(seat)
    if seat.has_locked:
        raise AlreadyLocked("You have locked your scores.")
    check_sufficient(seats, limits)


def check_may_agree(seat: Seat, seats: Sequence[Seat], limits: Limits) -> None:
    """Consensus and conclusion: the chair's, once every member who takes part has locked."""
    check_takes_part(seat)
    if not seat.is_chair:
        raise NotChair("The chair of the panel records what it agreed.")
    check_sufficient(seats, limits)
    waiting = sum(not one.has_locked for one in taking_part(seats))
    if waiting:
        raise ScoresNotLocked(f"{waiting} of the panel's members have not locked their scores yet.")


def check_something_to_rank(opened: int) -> None:
    if not opened:
        raise NothingToRank("None of the lot's bids could be read; an approver ends the lot without an award.")


def check_cells(cells: Sequence[Cell], bids: Collection[UUID], criteria: Collection[str]) -> None:
    """Scores that were sent name bids and scored criteria of the lot, each pair once; raises ScoresInvalid with every fault."""
    faults = Faults()
    seen: set[Cell] = set()
    for index, (bid_id, criterion_id) in enumerate(cells):
        at = f"/scores/{index}"
        faults.unless(bid_id in bids, f"{at}/bid_id", "unknown", "The lot has no such opened bid.")
        said = "The lot has no such criterion to score; price is worked out."
        faults.unless(criterion_id in criteria, f"{at}/criterion_id", "unknown", said)
        faults.unless((bid_id, criterion_id) not in seen, at, "repeated", "This bid and criterion are scored twice.")
        seen.add((bid_id, criterion_id))
    faults.raise_any(ScoresInvalid)


def check_scores_complete(scored: Collection[Cell], bids: Iterable[UUID], criteria: Sequence[str]) -> None:
    _check_complete(ScoresIncomplete, scored, bids, criteria)


def check_consensus_complete(agreed: Collection[Cell], bids: Iterable[UUID], criteria: Sequence[str]) -> None:
    _check_complete(ConsensusIncomplete, agreed, bids, criteria)


def _check_complete(fact: type[Fact], found: Collection[Cell], bids: Iterable[UUID], criteria: Sequence[str]) -> None:
    faults = Faults()
    for bid_id in bids:
        for criterion_id in criteria:
            has_score = (bid_id, criterion_id) in found
            faults.unless(has_score, f"/scores/{bid_id}/{criterion_id}", "missing", f"{criterion_id} is not scored.")
    faults.raise_any(fact, f"{len(faults.found)} scores are missing: see `errors`.")


def _check_before_award(status: LotStatus, *, is_concluded: bool) -> None:
    if status not in _BEFORE_AWARD:
        raise LotStateWrong(f"The lot is {status}; its panel is settled before an award.")
    _check_not_concluded(is_concluded)


def _check_not_concluded(is_concluded: bool) -> None:
    if is_concluded:
        raise AlreadyConcluded("The evaluation is concluded; panel, scores and consensus stand as they are.")

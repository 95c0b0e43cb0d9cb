"""The acts of each resource up to the award. `delivery` has those from the contract on.

Nothing is locked and nothing is changed: what is answered is true when it is read, as the reply of a moment later may show.
"""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.awards import rules as award_rules
from procure.awards import service as awards
from procure.awards.errors import AwardNotFound, NotNextInRank
from procure.awards.rules import AwardStatus
from procure.bids import rules as bid_rules
from procure.bids import service as bids
from procure.bids.errors import BidExists
from procure.bids.models import Bid
from procure.bids.rules import BidStatus
from procure.contracts import rules as contract_rules
from procure.contracts import service as contracts
from procure.enquiries import rules as enquiry_rules
from procure.enquiries import service as enquiries
from procure.enquiries.errors import EnquiryNotFound, EnquiryNotMergeable
from procure.enquiries.models import Enquiry
from procure.enquiries.rules import EnquiryStatus
from procure.evaluation import rules as evaluation_rules
from procure.evaluation import service as evaluation
from procure.evaluation.models import Consensus, Score
from procure.evaluation.service import Evaluation
from procure.insights.actions.rules import Act, Condition
from procure.kit import clock
from procure.kit.actor import Actor, require_another, require_person
from procure.kit.errors import Fact
from procure.lots import rules as lot_rules
from procure.lots import service as lots
from procure.lots.errors import LotNotFound
from procure.lots.models import Lot
from procure.lots.rules import LotStatus
from procure.outcomes import rules as outcome_rules
from procure.outcomes import service as outcomes
from procure.outcomes.errors import OutcomeNotFound
from procure.outcomes.models import Outcome, Proposal
from procure.outcomes.proposals import rules as proposal_rules
from procure.policy.service import policy_for

T = TypeVar("T")


def own(is_own: bool, fact: type[Fact]) -> list[Condition]:
    """The first stage: what is not the caller's to act on is not there."""
    return [partial(_check, is_own, fact)]


def _check(holds: bool, fact: type[Fact]) -> None:
    if not holds:
        raise fact


async def tried(work: Awaitable[T]) -> tuple[T | None, Condition]:
    """What an asynchronous predicate gives, and the condition that it is."""
    try:
        return await work, lambda: None
    except Fact as fact:
        return None, partial(_raise, fact)


def _raise(fact: Fact) -> None:
    raise fact


async def of_outcome(db: AsyncSession, actor: Actor, outcome_id: UUID) -> list[Act]:
    outcome = await outcomes.find_outcome(db, actor, outcome_id)
    mine = own(outcome.buyer_id == actor.buyer_id, OutcomeNotFound)
    draft = partial(outcome_rules.check_draft, outcome.status)
    not_ended = partial(lot_rules.check_outcome_open, outcome.status)
    was_active = partial(outcome_rules.check_observable, was_active=outcome.activated_at is not None)
    holds_budget = partial(outcome_rules.check_budget_holder, holds_budget=actor.budget_holder)
    another = partial(require_another, actor, outcome.prepared_by)
    unsettled = await outcomes.unsettled(db, outcome.id)
    endable = partial(outcome_rules.check_endable, outcome.status)
    settled = partial(outcome_rules.check_settled, unsettled)
    person = partial(require_person, actor)
    waiting = await outcomes.find_open_proposal(db, outcome.id)
    none_open = partial(proposal_rules.check_none_open, is_open=waiting is not None)
    return [
        Act("reviseOutcome", [mine, [draft]]),
        Act("activateOutcome", [mine, [person], [holds_budget, another, draft]]),
        Act("observeMeasure", [mine, [was_active]]),
        Act("makeProposal", [mine, [person, _active(outcome)], [none_open]]),
        *(await _deciding(db, actor, outcome, waiting) if waiting else ()),
        Act("endOutcome", [mine, [person, endable], [settled]]),
        Act("draftLot", [mine, [not_ended]]),
    ]


async def _deciding(db: AsyncSession, actor: Actor, outcome: Outcome, waiting: Proposal) -> list[Act]:
    """Of the proposal that waits."""
    mine = own(outcome.buyer_id == actor.buyer_id, OutcomeNotFound)
    another = partial(require_another, actor, [waiting.proposed_by])
    holds_budget = partial(outcome_rules.check_budget_holder, holds_budget=actor.budget_holder)
    person = partial(require_person, actor)
    room = await outcomes.room_of(db, outcome)
    fits = partial(room.check_holds, waiting.kind, waiting.amount)
    place = {"proposal_id": str(waiting.id)}
    return [
        Act("approveProposal", [mine, [person], [holds_budget, another, _active(outcome)], [fits]], path=place),
        Act("refuseProposal", [mine, [another]], path=place),
    ]


#: What only the buyer of a lot does with it. For others nothing of it is read, which most callers of a marketplace are.
BUYERS_ACTS = (
    "reviseLot",
    "recordLotNotice",
    "withdrawLot",
    "copyLot",
    "publishLot",
    "openLot",
    "setPanel",
    "declareInterests",
    "recordScores",
    "lockScores",
    "recordConsensus",
    "concludeEvaluation",
    "recommendAward",
    "endWithoutAward",
    "cancelLot",
    "extendLot",
)


async def of_lot(db: AsyncSession, actor: Actor, lot_id: UUID) -> list[Act]:
    lot = await lots.find_lot(db, actor, lot_id)
    now = await clock.now(db)
    bidding = await _bidding(db, actor, lot, now)
    if lot.buyer_id != actor.buyer_id:
        return [*bidding, *(Act(name, [_mine(actor, lot)]) for name in BUYERS_ACTS)]
    return [
        *bidding,
        *await _before_publication(db, actor, lot, now),
        *await _evaluating(db, actor, lot, now),
        *await _ending(db, actor, lot, now),
    ]


def _mine(actor: Actor, lot: Lot) -> list[Condition]:
    return own(lot.buyer_id == actor.buyer_id, LotNotFound)


async def _before_publication(db: AsyncSession, actor: Actor, lot: Lot, now: datetime) -> list[Act]:
    mine, draft = _mine(actor, lot), partial(lot_rules.check_draft, lot.status)
    outcome = await db.get_one(Outcome, lot.outcome_id)
    policy, has_policy = await tried(policy_for(db, outcome.buyer_id, outcome.tested, now))
    conditions = await lots.conditions(db, outcome, lot, policy, now) if policy else ()
    another = partial(require_another, actor, lot.prepared_by)
    return [
        Act("reviseLot", [mine, [draft], [has_policy]]),
        Act("recordLotNotice", [mine, [draft]]),
        Act("withdrawLot", [mine, [draft]]),
        Act("copyLot", [mine, [partial(lot_rules.check_outcome_open, outcome.status)], [has_policy]]),
        Act("publishLot", [mine, [another, draft], [has_policy], *([one.check] for one in conditions)]),
    ]


def _active(outcome: Outcome) -> Condition:
    return partial(outcome_rules.check_active, outcome.status)


async def _bidding(db: AsyncSession, actor: Actor, lot: Lot, now: datetime) -> list[Act]:
    """The supplier's. A bid is nobody's but its supplier's to know of."""
    supplier_id = actor.supplier_id
    seal = await bids.find_seal(db, lot.id)
    taking = partial(bid_rules.check_taking, lot.status, lot.closes_at, now, is_sealed=seal is not None)
    live = select(Bid.id).where(Bid.lot_id == lot.id, Bid.supplier_id == supplier_id, Bid.status != BidStatus.WITHDRAWN)
    no_other = partial(_check, await db.scalar(live) is None, BidExists)
    asked = await enquiries.count_of(db, lot.id, supplier_id) if supplier_id else 0
    is_open = partial(lot_rules.check_enquiries_open, lot.status, lot.enquiries_close_at, now)
    number = partial(enquiry_rules.check_number, asked)
    bidder, asker = partial(bid_rules.check_bidder, supplier_id), partial(enquiry_rules.check_asker, supplier_id)
    return [
        Act("askEnquiry", [[asker], [is_open, number]]),
        Act("submitBid", [[bidder], [taking], [no_other]]),
    ]


async def _evaluating(db: AsyncSession, actor: Actor, lot: Lot, now: datetime) -> list[Act]:
    """From the opening to the ranking."""
    mine, person = _mine(actor, lot), partial(require_person, actor)
    case = await evaluation.evaluation_of(db, lot)
    seal = await bids.find_seal(db, lot.id)
    root = seal.root if seal else None
    closed = partial(lot_rules.check_closed, lot.status, lot.closes_at, now)
    by_approvers = partial(evaluation_rules.check_opened_by_approvers, lot.policy.ceremony.openers)
    sealed = partial(evaluation_rules.check_root, root or b"", root)
    changeable = partial(
        evaluation_rules.check_panel_changeable, lot.status, case.seats, case.limits, is_concluded=case.is_concluded
    )
    return [
        Act("openLot", [mine, [person, closed, by_approvers], [sealed]]),
        Act("setPanel", [mine, [changeable]]),
        *await _judging(db, actor, case, mine),
    ]


async def _judging(db: AsyncSession, actor: Actor, case: Evaluation, mine: list[Condition]) -> list[Act]:
    """The acts of a member of the panel, for whom the caller is asked as the verbs ask."""
    on_panel = partial(case.member, actor)
    seat = next((one for one in case.seats if one.person_id == actor.person_id), None)
    lot = case.lot
    names = ("declareInterests", "recordScores", "lockScores", "recordConsensus", "concludeEvaluation")
    if seat is None:
        return [Act(name, [mine, [on_panel]]) for name in names]
    agreed = await evaluation.consensus_of(db, lot.id)
    opened = [bid.id for bid in await bids.opened_bids(db, lot.id)]
    scored = await evaluation.scores_of(db, lot.id, [seat.person_id])
    running = partial(evaluation_rules.check_evaluating, lot.status, is_concluded=case.is_concluded)
    may_score = partial(evaluation_rules.check_may_score, seat, case.seats, case.limits)
    may_agree = partial(evaluation_rules.check_may_agree, seat, case.seats, case.limits)
    declarable = partial(
        evaluation_rules.check_declarable, lot.status, seat, has_conflict=True, has_consensus=bool(agreed)
    )
    all_scored = partial(evaluation_rules.check_scores_complete, _cells(scored), opened, case.criteria)
    all_agreed = partial(evaluation_rules.check_consensus_complete, _cells(agreed), opened, case.criteria)
    something = partial(evaluation_rules.check_something_to_rank, len(opened))
    no_bidder = partial(require_another, actor, await bids.handed_in_by(db, lot.id))
    return [
        Act("declareInterests", [mine, [declarable]]),
        Act("recordScores", [mine, [no_bidder], [running, may_score]]),
        Act("lockScores", [mine, [no_bidder], [running, may_score], [all_scored]]),
        Act("recordConsensus", [mine, [no_bidder], [running, may_agree]]),
        Act("concludeEvaluation", [mine, [no_bidder], [running, may_agree], [something], [all_agreed]]),
    ]


def _cells(scores: Sequence[Score | Consensus]) -> set[tuple[UUID, str]]:
    return {(one.bid_id, one.criterion_id) for one in scores}


async def _ending(db: AsyncSession, actor: Actor, lot: Lot, now: datetime) -> list[Act]:
    """Recommending a winner, or ending without one."""
    mine, person = _mine(actor, lot), partial(require_person, actor)
    another = partial(require_another, actor, lot.prepared_by)
    no_bidder = partial(require_another, actor, await bids.handed_in_by(db, lot.id))
    evaluating = partial(lot_rules.check_status, lot.status, LotStatus.EVALUATING)
    before = await awards.awards_of(db, lot.id)
    none_live = partial(award_rules.check_none_live, [award.status for award in before])
    running, concluded = await tried(awards.running_of(db, lot.id))
    passed = [(one.bid_id, one.status) for one in before]
    next_in_rank = partial(_check_some_bid, running or {}, passed, lot, now)
    cancellable = partial(lot_rules.check_cancellable, lot.status)
    return [
        Act(
            "recommendAward",
            [mine, [person, no_bidder, evaluating, none_live], [concluded], [next_in_rank]],
        ),
        Act("endWithoutAward", [mine, [another, evaluating, none_live]]),
        Act("cancelLot", [mine, [another, cancellable]]),
        Act("extendLot", [mine, [another, partial(lot_rules.check_open, lot.status, lot.closes_at, now)]]),
    ]


def _check_some_bid(
    running: dict[UUID, Bid], passed: Sequence[tuple[UUID, AwardStatus]], lot: Lot, now: datetime
) -> None:
    """Whether there is a bid that may be recommended: of those next in rank none is valid for longer than the others."""
    for bid in running.values():
        try:
            award_rules.check_next_in_rank(bid.id, list(running), passed)
        except NotNextInRank:
            continue
        awards.check_valid(bid, lot, now)
        return
    raise NotNextInRank


async def of_enquiry(db: AsyncSession, actor: Actor, enquiry_id: UUID) -> list[Act]:
    enquiry, lot = await enquiries.find_enquiry(db, actor, enquiry_id)
    is_open = partial(lot_rules.check_open, lot.status, lot.closes_at, await clock.now(db))
    mine = own(lot.buyer_id == actor.buyer_id, EnquiryNotFound)
    drafted = partial(enquiry_rules.check_drafted, enquiry.answer)

    def may_become(status: EnquiryStatus) -> Condition:
        return partial(enquiry_rules.check_next, enquiry.status, status)

    published = select(Enquiry.id).where(
        Enquiry.lot_id == lot.id, Enquiry.id != enquiry.id, Enquiry.published_at.is_not(None)
    )
    has_other = partial(_check, await db.scalar(published.limit(1)) is not None, EnquiryNotMergeable)
    return [
        Act("answerEnquiry", [mine, [is_open], [partial(enquiry_rules.check_draftable, enquiry.status)]]),
        Act("publishEnquiry", [mine, [is_open], [may_become(EnquiryStatus.PUBLISHED)], [drafted]]),
        Act("mergeEnquiry", [mine, [is_open], [may_become(EnquiryStatus.MERGED)], [has_other]]),
        Act("replyToEnquiry", [mine, [is_open], [may_become(EnquiryStatus.REPLIED)]]),
    ]


async def of_bid(db: AsyncSession, actor: Actor, bid_id: UUID) -> list[Act]:
    bid = await bids.find_bid(db, actor, bid_id)
    lot = await lots.find_lot(db, actor, bid.lot_id)
    seal = await bids.find_seal(db, lot.id)
    taking = partial(bid_rules.check_taking, lot.status, lot.closes_at, await clock.now(db), is_sealed=seal is not None)
    submitted = partial(bid_rules.check_submitted, bid.status)
    stages = [[taking], [submitted]]
    return [Act("replaceBid", stages), Act("withdrawBid", stages)]


async def of_award(db: AsyncSession, actor: Actor, award_id: UUID) -> list[Act]:
    award = await awards.find_award(db, actor, award_id)
    lot = await db.get_one(Lot, award.lot_id)
    outcome = await db.get_one(Outcome, lot.outcome_id)
    now = await clock.now(db)
    mine = own(award.buyer_id == actor.buyer_id, AwardNotFound)
    another = partial(require_another, actor, [award.recommended_by, *await bids.handed_in_by(db, lot.id)])
    recommended = partial(award_rules.check_recommended, award.status)
    approved = partial(award_rules.check_approved, award.status)
    evaluating = partial(lot_rules.check_status, lot.status, LotStatus.EVALUATING)
    awarded = partial(lot_rules.check_status, lot.status, LotStatus.AWARDED)
    valid = partial(awards.check_valid, await bids.get_bid(db, award.bid_id), lot, now)
    standstill = partial(contract_rules.known_standstill, award.standstill_ends_at)
    first = partial(contract_rules.check_first, await contracts.drawn_up_for(db, award.id))
    return [
        Act("approveAward", [mine, [another, recommended, evaluating], [valid]]),
        Act("refuseAward", [mine, [another, recommended]]),
        Act("recordAwardNotice", [mine, [approved, awarded]]),
        Act("withdrawAward", [mine, [another, approved, awarded]]),
        Act("drawUpContract", [mine, [approved, awarded, _active(outcome)], [standstill, first]]),
    ]

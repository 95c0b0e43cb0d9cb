"""What waits, one select for each act: whose it is, by the states that the verbs ask for, and when it is due."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Select,
    SQLColumnExpression,
    Text,
    Uuid,
    and_,
    any_,
    cast,
    column,
    func,
    literal,
    null,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from procure.awards.models import Award
from procure.awards.rules import AwardStatus
from procure.bids.models import Bid, LotSeal
from procure.contracts.models import Contract, ContractDeliverable, Signature, Submission, status_now
from procure.contracts.rules import ContractStatus, DeliverableStatus, NextStep, Side
from procure.enquiries.models import Enquiry
from procure.enquiries.rules import EnquiryStatus
from procure.evaluation.models import OpeningApproval, PanelMember, RankedBid
from procure.evaluation.rules import APPROVAL_HOLDS
from procure.finance.models import Invoice, Order
from procure.finance.rules import InvoiceStatus
from procure.kit.actor import Actor
from procure.kit.clock import app_now
from procure.kit.scopes import Scope
from procure.lots.models import Lot
from procure.lots.models import status_now as lot_status_now
from procure.lots.rules import LotStatus
from procure.outcomes.models import Measure, Observation, Outcome, Proposal
from procure.outcomes.rules import OutcomeStatus, ProposalStatus
from procure.policy.working_days import ZONE

Selected = Select[*tuple[Any, ...]]


def waiting_for(actor: Actor) -> list[Selected]:
    """The select of each act that the caller's scopes allow."""
    return [statement for scope, find in _FINDERS if scope in actor.scopes and (statement := find(actor)) is not None]


def _task(
    operation: str,
    resource: str,
    id_: SQLColumnExpression[Any],
    reference: SQLColumnExpression[Any],
    title: SQLColumnExpression[Any],
    *,
    due_at: SQLColumnExpression[Any] | None = None,
    about: SQLColumnExpression[Any] | None = None,
) -> Selected:
    return select(
        literal(operation, Text).label("operation"),
        literal(resource, Text).label("resource"),
        id_.label("resource_id"),
        reference.label("reference"),
        title.label("title"),
        cast(null() if about is None else about, Text).label("about"),
        cast(null() if due_at is None else due_at, DateTime(timezone=True)).label("due_at"),
    )


def _end_of(day: SQLColumnExpression[Any]) -> SQLColumnExpression[Any]:
    """`policy.working_days.midnight_after`: when the day is over where the buyer is."""
    return func.timezone(str(ZONE), cast(cast(day, Date) + 1, DateTime))


def _valid_until() -> SQLColumnExpression[Any]:
    """When a lot's bids lapse, as `bids.rules.status_at` has it."""
    return _end_of(cast(func.timezone(str(ZONE), Lot.closes_at), Date) + Lot.validity_days)


def _policy(*path: str) -> ColumnElement[Any]:
    value: ColumnElement[Any] = type_coerce(Lot.policy, JSONB)[path].astext
    return value


def _lot(operation: str, due_at: SQLColumnExpression[Any] | None = None) -> Selected:
    return _task(operation, "lots", Lot.id, Lot.reference, Lot.title, due_at=due_at)


def _award(operation: str, due_at: SQLColumnExpression[Any] | None = None) -> Selected:
    found = _task(operation, "awards", Award.id, Award.reference, Lot.title, due_at=due_at)
    return found.join(Lot, Lot.id == Award.lot_id)


def _contract(operation: str, due_at: SQLColumnExpression[Any] | None = None) -> Selected:
    found = _task(operation, "contracts", Contract.id, Contract.reference, Lot.title, due_at=due_at)
    return found.join(Lot, Lot.id == Contract.lot_id)


def _deliverable(operation: str, due_at: SQLColumnExpression[Any] | None = None) -> Selected:
    title, about = ContractDeliverable.title, ContractDeliverable.key
    found = _task(operation, "contracts", Contract.id, Contract.reference, title, due_at=due_at, about=about)
    return found.join(ContractDeliverable, ContractDeliverable.contract_id == Contract.id)


def _not_among(actor: Actor, persons: SQLColumnExpression[Any]) -> SQLColumnExpression[bool]:
    """Four eyes: the caller took none of the earlier steps."""
    return ~(literal(actor.person_id, Uuid) == any_(persons))


# Outcomes and lots.


def _activate_outcome(actor: Actor) -> Selected | None:
    if actor.person_id is None or not actor.budget_holder:
        return None
    found = _task("activateOutcome", "outcomes", Outcome.id, Outcome.reference, Outcome.title)
    mine = Outcome.buyer_id == actor.buyer_id
    return found.where(mine, Outcome.status == OutcomeStatus.DRAFT, _not_among(actor, Outcome.prepared_by))


def _approve_proposal(actor: Actor) -> Selected | None:
    if actor.person_id is None or not actor.budget_holder:
        return None
    found = _task("approveProposal", "outcomes", Outcome.id, Outcome.reference, Outcome.title)
    return found.join(Proposal, Proposal.outcome_id == Outcome.id).where(
        Outcome.buyer_id == actor.buyer_id,
        Outcome.status == OutcomeStatus.ACTIVE,
        Proposal.status == ProposalStatus.OPEN,
        Proposal.proposed_by != actor.person_id,
    )


def _observe_measure(actor: Actor) -> Selected:
    """What was promised at the end of a contract, and each look at a measure whose day has come; the earliest of each measure."""
    due = union_all(_owed(), _reviewed()).subquery("due")
    on = func.min(due.c.on_)
    found = _task(
        "observeMeasure",
        "outcomes",
        Outcome.id,
        Outcome.reference,
        Outcome.title,
        due_at=_end_of(on),
        about=cast(due.c.measure_id, Text),
    )
    mine = found.join(due, due.c.outcome_id == Outcome.id).where(Outcome.buyer_id == actor.buyer_id)
    return mine.group_by(Outcome.id, due.c.measure_id)


def _owed() -> Selected:
    """What contracts owe the outcome, until it is observed."""
    owed = (
        func.jsonb_to_recordset(type_coerce(Contract.owed, JSONB))
        .table_valued(column("measure_id", Uuid), column("owed_on", Date), name="owed")
        .render_derived(with_types=True)
    )
    measure_id, owed_on = owed.c.measure_id, owed.c.owed_on
    seen = select(Observation.id).where(
        Observation.measure_id == measure_id, Observation.recorded_at > Contract.ended_at
    )
    found = select(Contract.outcome_id, measure_id, owed_on.label("on_")).join(owed, literal(True))
    return found.where(~seen.correlate(Contract, owed).exists())


def _reviewed() -> Selected:
    """The days set for a look at an active outcome's measures, the targets' among them, that have come with nothing seen since."""
    days = func.array_append(Measure.review_dates, Measure.target_on)
    review = func.unnest(days).table_valued(column("on_", Date), name="review").render_derived()
    corrected = Observation.__table__.alias("corrected")
    is_superseded = select(corrected.c.id).where(corrected.c.supersedes_id == Observation.id).exists()
    seen = select(Observation.id).where(
        Observation.measure_id == Measure.id, Observation.observed_on >= review.c.on_, ~is_superseded
    )
    found = select(Measure.outcome_id, Measure.id.label("measure_id"), review.c.on_).select_from(Measure)
    active = found.join(review, literal(True)).join(Outcome, Outcome.id == Measure.outcome_id)
    return active.where(
        Outcome.status == OutcomeStatus.ACTIVE,
        review.c.on_ <= cast(func.timezone(str(ZONE), app_now()), Date),
        ~seen.correlate(Measure, review).exists(),
    )


def _draft_of(actor: Actor, operation: str) -> Selected:
    return _lot(operation, Lot.closes_at).where(Lot.buyer_id == actor.buyer_id, Lot.status == LotStatus.DRAFT)


def _lacks_notice() -> SQLColumnExpression[bool]:
    return and_(cast(_policy("ceremony", "notice_required"), Boolean), Lot.notice_at.is_(None))


def _record_lot_notice(actor: Actor) -> Selected:
    return _draft_of(actor, "recordLotNotice").where(_lacks_notice())


def _publish_lot(actor: Actor) -> Selected | None:
    if actor.person_id is None:
        return None
    active = select(Outcome.id).where(Outcome.id == Lot.outcome_id, Outcome.status == OutcomeStatus.ACTIVE)
    drafts = _draft_of(actor, "publishLot").where(active.exists(), ~_lacks_notice())
    return drafts.where(_not_among(actor, Lot.prepared_by))


def _enquiry(actor: Actor, operation: str) -> Selected:
    """Due when enquiries close, and overdue from then until the lot does."""
    found = _task(operation, "enquiries", Enquiry.id, Lot.reference, Lot.title, due_at=Lot.enquiries_close_at)
    is_open = lot_status_now() == LotStatus.PUBLISHED.value
    return found.join(Lot, Lot.id == Enquiry.lot_id).where(Lot.buyer_id == actor.buyer_id, is_open)


def _answer_enquiry(actor: Actor) -> Selected:
    unanswered = Enquiry.status == EnquiryStatus.UNANSWERED
    return _enquiry(actor, "answerEnquiry").where(unanswered, Enquiry.answer.is_(None))


def _publish_enquiry(actor: Actor) -> Selected:
    left = Enquiry.status.in_((EnquiryStatus.UNANSWERED, EnquiryStatus.REPLIED))
    return _enquiry(actor, "publishEnquiry").where(left, Enquiry.answer.is_not(None))


# Opening and evaluation.


def _open_lot(actor: Actor) -> Selected | None:
    if actor.person_id is None:
        return None
    approved = select(OpeningApproval.id).where(
        OpeningApproval.lot_id == Lot.id,
        OpeningApproval.person_id == actor.person_id,
        OpeningApproval.approved_at >= app_now() - literal(APPROVAL_HOLDS),
    )
    return _lot("openLot", Lot.closes_at).where(
        Lot.buyer_id == actor.buyer_id,
        lot_status_now() == LotStatus.CLOSED.value,
        select(LotSeal.lot_id).where(LotSeal.lot_id == Lot.id).exists(),
        cast(_policy("ceremony", "openers"), Integer) > 0,
        ~approved.exists(),
    )


def _being_evaluated(actor: Actor, operation: str) -> Selected:
    ranked = select(RankedBid.bid_id).where(RankedBid.lot_id == Lot.id)
    found = _lot(operation, _valid_until())
    return found.where(Lot.buyer_id == actor.buyer_id, Lot.status == LotStatus.EVALUATING, ~ranked.exists())


def _taking_part() -> Selected:
    return select(PanelMember.person_id).where(PanelMember.lot_id == Lot.id, PanelMember.has_conflict.is_not(True))


def _lacks_persons() -> ColumnElement[bool]:
    persons = select(func.count()).select_from(_taking_part().correlate(Lot).subquery()).scalar_subquery()
    return persons < cast(_policy("limits", "panel_persons_min"), Integer)


def _set_panel(actor: Actor) -> Selected:
    return _being_evaluated(actor, "setPanel").where(_lacks_persons())


def _declare_interests(actor: Actor) -> Selected:
    seats = _lot("declareInterests", Lot.closes_at).join(PanelMember, PanelMember.lot_id == Lot.id)
    before_award = Lot.status.in_((LotStatus.DRAFT, LotStatus.PUBLISHED, LotStatus.EVALUATING))
    return seats.where(
        Lot.buyer_id == actor.buyer_id,
        before_award,
        PanelMember.person_id == actor.person_id,
        PanelMember.declared_at.is_(None),
    )


def _bid_oneself(actor: Actor) -> ColumnElement[bool]:
    """Whether the caller handed in one of the lot's bids, in another seat of theirs."""
    opened = Bid.lot_id == Lot.id, Bid.supplier_name.is_not(None)  # `bids.handed_in_by`
    return select(Bid.id).where(*opened, Bid.submitted_by == actor.person_id).correlate(Lot).exists()


def _own_seat(actor: Actor, operation: str) -> Selected:
    """Where the caller has declared and takes part, and nobody has to be named first."""
    seats = _being_evaluated(actor, operation).join(PanelMember, PanelMember.lot_id == Lot.id)
    own = PanelMember.person_id == actor.person_id, PanelMember.has_conflict.is_(False)
    return seats.where(*own, ~_lacks_persons(), ~_bid_oneself(actor))


def _lock_scores(actor: Actor) -> Selected:
    return _own_seat(actor, "lockScores").where(PanelMember.locked_at.is_(None))


def _conclude_evaluation(actor: Actor) -> Selected:
    other = PanelMember.__table__.alias("other")
    waiting = select(other.c.person_id).where(
        other.c.lot_id == Lot.id, other.c.has_conflict.is_not(True), other.c.locked_at.is_(None)
    )
    chair = _own_seat(actor, "concludeEvaluation").where(PanelMember.is_chair, PanelMember.locked_at.is_not(None))
    return chair.where(~waiting.correlate(Lot).exists())


# Awards.


def _recommend_award(actor: Actor) -> Selected | None:
    if actor.person_id is None:
        return None
    live = select(Award.id).where(
        Award.lot_id == Lot.id, Award.status.in_((AwardStatus.RECOMMENDED, AwardStatus.APPROVED))
    )
    had = select(Award.id).where(Award.bid_id == RankedBid.bid_id, Award.status == AwardStatus.WITHDRAWN)
    left = select(RankedBid.bid_id).where(RankedBid.lot_id == Lot.id, RankedBid.rank.is_not(None), ~had.exists())
    return _lot("recommendAward", _valid_until()).where(
        Lot.buyer_id == actor.buyer_id,
        Lot.status == LotStatus.EVALUATING,
        ~live.exists(),
        left.exists(),
        ~_bid_oneself(actor),
    )


def _approve_award(actor: Actor) -> Selected | None:
    if actor.person_id is None:
        return None
    return _award("approveAward", _valid_until()).where(
        Award.buyer_id == actor.buyer_id,
        Award.status == AwardStatus.RECOMMENDED,
        Award.recommended_by != actor.person_id,
        ~_bid_oneself(actor),
    )


def _approved(actor: Actor, operation: str) -> Selected:
    return _award(operation).where(
        Award.buyer_id == actor.buyer_id, Award.status == AwardStatus.APPROVED, Lot.status == LotStatus.AWARDED
    )


def _record_award_notice(actor: Actor) -> Selected:
    return _approved(actor, "recordAwardNotice").where(Award.standstill_ends_at.is_(None))


def _draw_up_contract(actor: Actor) -> Selected:
    drawn_up = select(Contract.id).where(Contract.award_id == Award.id)
    return _approved(actor, "drawUpContract").where(Award.standstill_ends_at.is_not(None), ~drawn_up.exists())


# Contracts.


def _party(actor: Actor) -> SQLColumnExpression[bool]:
    return or_(Contract.buyer_id == actor.buyer_id, Contract.supplier_id == actor.supplier_id)


def _sign_contract(actor: Actor) -> Selected | None:
    if actor.person_id is None:
        return None
    side = Side.BUYER if actor.buyer_id else Side.SUPPLIER
    signed = select(Signature.contract_id).where(
        Signature.contract_id == Contract.id, or_(Signature.side == side, Signature.person_id == actor.person_id)
    )
    pending = _contract("signContract", Contract.sign_by).where(
        _party(actor), status_now() == ContractStatus.PENDING.value, ~signed.exists()
    )
    return pending.where(_not_among(actor, Contract.prepared_by)) if side is Side.BUYER else pending


def _submit_deliverable(actor: Actor) -> Selected:
    to_do = ContractDeliverable.status.in_((DeliverableStatus.PLANNED, DeliverableStatus.REJECTED))
    spent = and_(
        ContractDeliverable.status == DeliverableStatus.REJECTED,
        ContractDeliverable.rounds > cast(_policy("limits", "rework_rounds_max"), Integer),
    )
    open_ = _deliverable("submitDeliverable", _end_of(ContractDeliverable.due_on)).join(Lot, Lot.id == Contract.lot_id)
    running = Contract.status == ContractStatus.ACTIVE
    return open_.where(Contract.supplier_id == actor.supplier_id, running, to_do, ~spent)


def _decide_deliverable(actor: Actor) -> Selected | None:
    if actor.person_id is None:
        return None
    own = select(Submission.id).where(
        Submission.deliverable_id == ContractDeliverable.id,
        Submission.round == ContractDeliverable.rounds,
        Submission.submitted_by == actor.person_id,
    )
    return _deliverable("decideDeliverable", ContractDeliverable.review_by).where(
        Contract.buyer_id == actor.buyer_id,
        Contract.status == ContractStatus.ACTIVE,
        ContractDeliverable.status == DeliverableStatus.SUBMITTED,
        ~own.exists(),
    )


def _send_invoice(actor: Actor) -> Selected:
    invoiced = select(Invoice.id).where(Invoice.deliverable_id == ContractDeliverable.id)
    return _deliverable("sendInvoice").where(
        Contract.supplier_id == actor.supplier_id,
        ContractDeliverable.status == DeliverableStatus.ACCEPTED,
        ~invoiced.exists(),
    )


def _complete_contract(actor: Actor) -> Selected | None:
    if actor.person_id is None:
        return None
    left = select(ContractDeliverable.id).where(
        ContractDeliverable.contract_id == Contract.id,
        ContractDeliverable.status.not_in((DeliverableStatus.ACCEPTED, DeliverableStatus.CANCELLED)),
    )
    return _contract("completeContract", _end_of(Contract.ends_on)).where(
        Contract.buyer_id == actor.buyer_id, Contract.status == ContractStatus.ACTIVE, ~left.exists()
    )


def _give_retrospective(actor: Actor) -> Selected:
    ended = Contract.signed_at.is_not(None) & Contract.ended_at.is_not(None)
    mine = Contract.supplier_id == actor.supplier_id
    return _contract("giveRetrospective").where(mine, ended, Contract.learned_by_supplier.is_(None))


def _goes_on(actor: Actor, operation: str) -> Selected:
    active = select(Outcome.id).where(Outcome.id == Contract.outcome_id, Outcome.status == OutcomeStatus.ACTIVE)
    completed = Contract.status == ContractStatus.COMPLETED
    return _contract(operation).where(Contract.buyer_id == actor.buyer_id, completed, active.exists())


def _continue_contract(actor: Actor) -> Selected:
    later = Contract.__table__.alias("later")
    following = select(later.c.id).where(
        later.c.award_id == Contract.award_id,
        later.c.number == Contract.number + 1,
        or_(later.c.signed_at.is_not(None), later.c.status == ContractStatus.PENDING.value),
    )
    left = and_(Contract.next_step == NextStep.CONTINUE, Contract.number - 1 < Lot.further_iterations)
    return _goes_on(actor, "continueContract").where(left, ~following.correlate(Contract).exists())


def _draft_next_lot(actor: Actor) -> Selected:
    later = Lot.__table__.alias("later")
    follower = select(later.c.id).where(later.c.follows_id == Lot.id, later.c.status != LotStatus.CANCELLED.value)
    none_left = and_(Contract.next_step == NextStep.CONTINUE, Contract.number - 1 >= Lot.further_iterations)
    wanted = or_(Contract.next_step == NextStep.PIVOT, none_left)
    return _goes_on(actor, "draftNextLot").where(wanted, ~follower.correlate(Lot).exists())


# Money.


def _place_order(actor: Actor) -> Selected:
    ordered = select(Order.id).where(Order.contract_id == Contract.id)
    bought = Contract.buyer_id == actor.buyer_id
    return _contract("placeOrder").where(bought, Contract.signed_at.is_not(None), ~ordered.exists())


def _record_payment(actor: Actor) -> Selected:
    found = _task(
        "recordPayment",
        "finance/invoices",
        Invoice.id,
        Contract.reference,
        Invoice.number,
        due_at=_end_of(Invoice.due_on),
    )
    unpaid = Invoice.status == InvoiceStatus.RECEIVED
    return found.join(Contract, Contract.id == Invoice.contract_id).where(Invoice.buyer_id == actor.buyer_id, unpaid)


_FINDERS: tuple[tuple[Scope, Callable[[Actor], Selected | None]], ...] = (
    (Scope.OUTCOMES_ACTIVATE, _activate_outcome),
    (Scope.OUTCOMES_ACTIVATE, _approve_proposal),
    (Scope.OUTCOMES_OBSERVE, _observe_measure),
    (Scope.LOTS_WRITE, _record_lot_notice),
    (Scope.LOTS_PUBLISH, _publish_lot),
    (Scope.ENQUIRIES_ANSWER, _answer_enquiry),
    (Scope.ENQUIRIES_ANSWER, _publish_enquiry),
    (Scope.BIDS_OPEN, _open_lot),
    (Scope.EVALUATIONS_MANAGE, _set_panel),
    (Scope.EVALUATIONS_SCORE, _declare_interests),
    (Scope.EVALUATIONS_SCORE, _lock_scores),
    (Scope.EVALUATIONS_SCORE, _conclude_evaluation),
    (Scope.AWARDS_RECOMMEND, _recommend_award),
    (Scope.AWARDS_APPROVE, _approve_award),
    (Scope.AWARDS_RECOMMEND, _record_award_notice),
    (Scope.CONTRACTS_MANAGE, _draw_up_contract),
    (Scope.CONTRACTS_SIGN, _sign_contract),
    (Scope.CONTRACTS_DELIVER, _submit_deliverable),
    (Scope.CONTRACTS_ACCEPT, _decide_deliverable),
    (Scope.INVOICES_SUBMIT, _send_invoice),
    (Scope.CONTRACTS_COMPLETE, _complete_contract),
    (Scope.CONTRACTS_DELIVER, _give_retrospective),
    (Scope.CONTRACTS_MANAGE, _continue_contract),
    (Scope.CONTRACTS_MANAGE, _draft_next_lot),
    (Scope.FINANCE_WRITE, _place_order),
    (Scope.FINANCE_WRITE, _record_payment),
)

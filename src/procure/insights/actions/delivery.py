"""The acts of a contract, its deliverables and its money, and those on organisations, their members and clients."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.awards import rules as award_rules
from procure.awards.models import Award
from procure.contracts import rules as contract_rules
from procure.contracts import service as contracts
from procure.contracts.deliverables import rules as deliverable_rules
from procure.contracts.endings import rules as ending_rules
from procure.contracts.endings.rules import Work
from procure.contracts.errors import ContractNotFound
from procure.contracts.iterations import rules as iteration_rules
from procure.contracts.iterations import service as iterations
from procure.contracts.models import Contract, ContractDeliverable, Submission
from procure.contracts.rules import ContractStatus, NextStep, Side
from procure.finance import rules as finance_rules
from procure.finance import service as finance
from procure.finance.errors import InvoiceNotFound
from procure.finance.models import Invoice
from procure.identity import credentials
from procure.identity import rules as identity_rules
from procure.identity import service as identity
from procure.identity.invitations import service as invitations
from procure.identity.rules import CredentialKind
from procure.identity.suspensions import service as suspensions
from procure.insights.actions.rules import Act, Condition
from procure.insights.actions.service import own, tried
from procure.kit import clock
from procure.kit.actor import Actor, require_another, require_person
from procure.lots import rules as lot_rules
from procure.lots.models import Lot
from procure.lots.rules import LotStatus
from procure.organisations import rules as organisation_rules
from procure.organisations import service as organisations
from procure.outcomes import rules as outcome_rules
from procure.outcomes.models import Outcome
from procure.policy.working_days import local_day

#: The least that can be ordered or paid.
PENNY = Decimal("0.01")


async def of_contract(db: AsyncSession, actor: Actor, contract_id: UUID) -> list[Act]:
    contract = await contracts.find_contract(db, actor, contract_id)
    lot = await db.get_one(Lot, contract.lot_id)
    works = await _deliverables(db, contract)
    return [
        await _signing(db, actor, contract, lot),
        *[act for one in works for act in await _of_deliverable(db, actor, contract, lot, one)],
        *await _ending(db, actor, contract, lot, works),
        *await _going_on(db, actor, contract, lot),
        await _ordering(db, actor, contract),
        _observing(actor, contract),
    ]


async def _deliverables(db: AsyncSession, contract: Contract) -> Sequence[ContractDeliverable]:
    statement = select(ContractDeliverable).where(ContractDeliverable.contract_id == contract.id)
    return (await db.scalars(statement.order_by(ContractDeliverable.position))).all()


def _side(actor: Actor, contract: Contract, needed: Side) -> Condition:
    return partial(contract_rules.check_side, contracts.side_of(actor, contract), needed)


def _is(contract: Contract, *needed: ContractStatus) -> Condition:
    return partial(contract_rules.check_status, contract.status, *needed)


async def _signing(db: AsyncSession, actor: Actor, contract: Contract, lot: Lot) -> Act:
    outcome, award = await db.get_one(Outcome, contract.outcome_id), await db.get_one(Award, contract.award_id)
    now, side = await clock.now(db), contracts.side_of(actor, contract)
    signed = [(one.side, one.person_id) for one in await contracts.signatures_of(db, contract.id)]
    barred = contract_rules.barred_from_signing(side, contract.prepared_by, signed)
    needed = LotStatus.AWARDED if contract.number == 1 else LotStatus.CONTRACTED
    standing: list[Condition] = [
        partial(award_rules.check_approved, award.status),
        partial(lot_rules.check_status, lot.status, needed),
        partial(outcome_rules.check_active, outcome.status),
    ]
    signing: list[Condition] = [
        partial(require_another, actor, barred),
        partial(contract_rules.check_signable, contract.status, contract.sign_by, now),
        partial(contract_rules.check_standstill, contract.sign_from, award.standstill_ends_at, now),
        partial(contract_rules.check_signature, side, [one for one, _ in signed], contract.digest, contract.digest),
    ]
    person = partial(require_person, actor)
    return Act("signContract", [[person], [_is(contract, ContractStatus.PENDING)], standing, signing])


async def _of_deliverable(
    db: AsyncSession, actor: Actor, contract: Contract, lot: Lot, one: ContractDeliverable
) -> list[Act]:
    active, key = _is(contract, ContractStatus.ACTIVE), one.key
    most = lot.policy.limits.rework_rounds_max
    submittable = partial(deliverable_rules.check_submittable, one.status, one.rounds, most)
    decidable = partial(deliverable_rules.check_decidable, one.status)
    latest = select(Submission.submitted_by).where(Submission.deliverable_id == one.id, Submission.round == one.rounds)
    another = partial(require_another, actor, [await db.scalar(latest)])
    invoiced = await db.scalar(select(Invoice.id).where(Invoice.deliverable_id == one.id))
    accepted = partial(finance_rules.check_accepted, one.status)
    not_invoiced = partial(finance_rules.check_not_invoiced, key, is_invoiced=invoiced is not None)
    supplier, buyer = _side(actor, contract, Side.SUPPLIER), _side(actor, contract, Side.BUYER)
    sold = own(contract.supplier_id == actor.supplier_id, ContractNotFound)
    person, path = partial(require_person, actor), {"key": key}
    return [
        Act("submitDeliverable", [[supplier], [active], [submittable]], key, path),
        Act("decideDeliverable", [[buyer], [active], [person, decidable], [another]], key, path),
        Act("sendInvoice", [sold, [accepted, not_invoiced]], key),
    ]


async def _ending(
    db: AsyncSession, actor: Actor, contract: Contract, lot: Lot, works: Sequence[ContractDeliverable]
) -> list[Act]:
    buyer, supplier = _side(actor, contract, Side.BUYER), _side(actor, contract, Side.SUPPLIER)
    active, today = _is(contract, ContractStatus.ACTIVE), local_day(await clock.now(db))
    works_ = [Work(status=one.status, rounds=one.rounds, due_on=one.due_on) for one in works]
    boundary = partial(ending_rules.check_boundary, works_, lot.policy.limits.rework_rounds_max, today)
    another, person = partial(require_another, actor, contract.prepared_by), partial(require_person, actor)
    settled = partial(ending_rules.check_settled, [one.status for one in works])
    signed = _is(contract, ContractStatus.ACTIVE, ContractStatus.COMPLETED, ContractStatus.TERMINATED)
    given = contract.learned_by_supplier is not None
    unsaid = partial(ending_rules.check_retrospective, contract.status, given=given)
    return [
        Act("terminateContract", [[buyer], [another, active], [boundary]]),
        Act("completeContract", [[buyer], [person, active], [settled]]),
        Act("giveRetrospective", [[supplier], [signed], [unsaid]]),
    ]


def _observing(actor: Actor, contract: Contract) -> Act:
    was_signed = partial(contract_rules.check_was_signed, contract.signed_at)
    return Act("observeUnderContract", [[_side(actor, contract, Side.BUYER)], [was_signed]])


async def _going_on(db: AsyncSession, actor: Actor, contract: Contract, lot: Lot) -> list[Act]:
    buyer, completed = _side(actor, contract, Side.BUYER), _is(contract, ContractStatus.COMPLETED)
    outcome, award = await db.get_one(Outcome, contract.outcome_id), await db.get_one(Award, contract.award_id)
    step, number, announced = contract.next_step, contract.number, lot.further_iterations
    active = partial(outcome_rules.check_active, outcome.status)
    approved = partial(award_rules.check_approved, award.status)
    continuable = partial(iteration_rules.check_continuable, step, number, announced)
    next_lot = partial(iteration_rules.check_next_lot, step, number, announced)
    none_follows = partial(iteration_rules.check_none_follows, await iterations.follower_of(db, lot.id))
    free = await _not_taken(db, contract)
    # The least that can be given up: of iterations left open, going on otherwise; else going on at all.
    least = NextStep.PIVOT if step is NextStep.CONTINUE else NextStep.STOP
    lets_go = partial(iteration_rules.check_lets_go, step, least)
    let_go: list[Condition] = [free] if least is NextStep.PIVOT else [none_follows, free]
    person = partial(require_person, actor)
    return [
        Act(
            "continueContract",
            [[buyer], [completed], [continuable], [active, approved], [free]],
        ),
        Act("draftNextLot", [[buyer], [completed], [next_lot], [none_follows, active]]),
        Act("changeNextStep", [[buyer], [person, completed], [lets_go], let_go]),
    ]


async def _not_taken(db: AsyncSession, contract: Contract) -> Condition:
    other = await db.scalar(iterations.following(contract))
    if other is None:
        return lambda: None
    _, free = await tried(iterations.check_not_taken(db, other, await clock.now(db)))
    return free


async def _ordering(db: AsyncSession, actor: Actor, contract: Contract) -> Act:
    bought = own(contract.buyer_id == actor.buyer_id, ContractNotFound)
    status = await contracts.current_status(db, contract)
    orderable = partial(finance_rules.check_orderable, status, was_signed=contract.signed_at is not None)
    ordered = await finance.ordered_so_far(db, contract.id)
    fits = partial(finance_rules.check_order_fits, ordered, PENNY, contract.value)
    return Act("placeOrder", [bought, [orderable], [fits]])


async def of_invoice(db: AsyncSession, actor: Actor, invoice_id: UUID) -> list[Act]:
    line = await finance.view_invoice(db, actor, invoice_id)
    invoice = await db.get_one(Invoice, line.id)
    paid, _ = await finance.paid_so_far(db, invoice)
    bought = own(invoice.buyer_id == actor.buyer_id, InvoiceNotFound)
    fits = partial(finance_rules.check_payment_fits, paid, PENNY, invoice.gross)
    return [Act("recordPayment", [bought, [fits]])]


async def of_organisation(db: AsyncSession, actor: Actor, organisation_id: UUID) -> list[Act]:
    organisation = await organisations.find_organisation(db, actor, organisation_id)
    mine: list[Condition] = [partial(identity.check_own, actor, organisation.id)]
    room = partial(identity_rules.check_invitation_room, await invitations.open_count(db, organisation.id))
    suspendable = partial(organisation_rules.check_suspendable, organisation.kind, organisation.status)
    reinstatable = partial(organisation_rules.check_reinstatable, organisation.status)
    return [
        Act("addMember", [mine]),
        Act("addClient", [mine]),
        Act("addInvitation", [mine, [partial(require_person, actor)], [room]]),
        Act("suspendOrganisation", [[suspendable]]),
        Act("reinstateOrganisation", [[reinstatable]]),
    ]


async def of_member(db: AsyncSession, actor: Actor, organisation_id: UUID, membership_id: UUID) -> list[Act]:
    membership = await identity.find_membership(db, actor, organisation_id, membership_id)
    return [
        Act("suspendMembership", [[partial(identity_rules.check_suspendable, membership.status)]]),
        Act("reinstateMembership", [[partial(identity_rules.check_reinstatable, membership.status)]]),
        Act("endMembership", [[partial(identity_rules.check_endable, membership.status)]]),
    ]


async def of_invitation(db: AsyncSession, actor: Actor, organisation_id: UUID, invitation_id: UUID) -> list[Act]:
    invitation = await invitations.find_invitation(db, actor, organisation_id, invitation_id)
    return [Act("revokeInvitation", [[partial(identity_rules.check_open, invitation.status)]])]


async def of_person(db: AsyncSession, actor: Actor, person_id: UUID) -> list[Act]:
    person = await suspensions.find_person(db, actor, person_id)
    return [
        Act("suspendPerson", [[partial(identity_rules.check_suspendable, person.status)]]),
        Act("reinstatePerson", [[partial(identity_rules.check_reinstatable, person.status)]]),
    ]


async def of_client(db: AsyncSession, actor: Actor, organisation_id: UUID, client_id: UUID) -> list[Act]:
    client = await identity.find_client(db, actor, organisation_id, client_id)
    usable = partial(identity_rules.check_not_revoked, client.status)
    speaks = partial(identity.check_may_speak_for, actor, client.person_id)
    acts = [
        Act("suspendClient", [[partial(identity_rules.check_suspendable, client.status)]]),
        Act("reinstateClient", [[partial(identity_rules.check_reinstatable, client.status)]]),
        Act("revokeClient", [[partial(identity_rules.check_revocable, client.status)]]),
    ]
    for kind, noun in ((CredentialKind.SECRET, "Secret"), (CredentialKind.KEY, "Key")):
        room = partial(identity_rules.check_room, kind, await credentials.live_count(db, client.id, kind))
        some = partial(identity_rules.check_some_active, await credentials.statuses_of(db, client.id, kind))
        acts += [Act(f"addClient{noun}", [[speaks], [usable], [room]]), Act(f"revokeClient{noun}", [[some]])]
    return acts

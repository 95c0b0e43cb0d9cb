"""Drawing contracts up and signing them, and what their deliverables, endings and iterations (packages beside this) stand on."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from procure.awards import service as awards
from procure.awards.models import Award
from procure.bids import service as bids
from procure.contracts import documents, rules
from procure.contracts.documents import AgreedDeliverable, ContractDocument
from procure.contracts.errors import ContractNotFound, StandstillRunning
from procure.contracts.events import ContractActivated, ContractDrawn, ContractSigned
from procure.contracts.models import (
    Contract,
    ContractDeliverable,
    Signature,
    Submission,
    facts,
    reference_numbers,
    status_now,
)
from procure.contracts.rules import ContractStatus, DeliverableStatus, Side
from procure.contracts.schemas import ContractView, Read
from procure.journal import service as journal
from procure.journal.events import PUBLIC, Audience, Event, auditors, within
from procure.kit import clock
from procure.kit.actor import Actor, require_person
from procure.kit.canonical import canonical, digest
from procure.kit.errors import Fact
from procure.kit.etags import UNCONDITIONAL, Seen, tag_of
from procure.kit.ids import new_id
from procure.kit.money import total
from procure.kit.paging import Paging, after
from procure.lots import rules as lot_rules
from procure.lots import service as lots
from procure.lots.models import Lot
from procure.lots.rules import LotStatus
from procure.organisations.models import Organisation
from procure.outcomes import rules as outcome_rules
from procure.outcomes import service as outcomes
from procure.outcomes.models import Outcome
from procure.policy.service import terms_text
from procure.policy.working_days import local_day


def visible_contracts(actor: Actor) -> Select[Contract]:
    """What this caller may see: the contracts of which its organisation is a party."""
    return select(Contract).where(or_(Contract.buyer_id == actor.buyer_id, Contract.supplier_id == actor.supplier_id))


def public_contracts() -> Select[Contract]:
    """What the register shows: whatever both sides have signed."""
    return select(Contract).where(Contract.signed_at.is_not(None))


async def find_contract(db: AsyncSession, actor: Actor, contract_id: UUID) -> Contract:
    return _found(await db.scalar(visible_contracts(actor).where(Contract.id == contract_id)))


async def list_contracts(
    db: AsyncSession,
    actor: Actor,
    paging: Paging,
    *,
    status: ContractStatus | None = None,
    lot_id: UUID | None = None,
    outcome_id: UUID | None = None,
) -> Sequence[tuple[Contract, ContractStatus]]:
    """Newest first, each with its status as of now."""
    statement = visible_contracts(actor).add_columns(status_now())
    if status:
        statement = statement.where(status_now() == status.value)
    if lot_id:
        statement = statement.where(Contract.lot_id == lot_id)
    if outcome_id:
        statement = statement.where(Contract.outcome_id == outcome_id)
    rows = await db.execute(after(statement, Contract.created_at, Contract.id, paging))
    return [(contract, ContractStatus(current)) for contract, current in rows]


async def document_of(db: AsyncSession, actor: Actor, contract_id: UUID) -> bytes:
    """The exact bytes that are signed."""
    statement = visible_contracts(actor).where(Contract.id == contract_id).with_only_columns(Contract.document)
    document = await db.scalar(statement)
    if document is None:
        raise _not_found()
    return document


def document_etag(contract: Contract) -> str:
    """The tag of the document, which never changes."""
    return tag_of(ContractDocument, contract.digest.hex())


async def check_seen(db: AsyncSession, seen: Seen, contract: Contract) -> None:
    """What is signed or decided is what was seen: the contract, found for a read or as its lock has found it.

    Raises ChangedSinceRead, and of a read NotModified.
    """
    if not seen:
        return
    status, now = (await db.execute(select(status_now(), clock.app_now()).where(Contract.id == contract.id))).one()
    columns = (ContractDeliverable.key, ContractDeliverable.status, ContractDeliverable.review_by)
    of_contract = select(*columns).where(ContractDeliverable.contract_id == contract.id)
    rows = await db.execute(of_contract.order_by(ContractDeliverable.position))
    overdue = [row.key for row in rows if rules.is_overdue(row.status, row.review_by, now)]
    seen.check(ContractView.tag(contract.id, contract.version, status, overdue))


async def current_status(db: AsyncSession, contract: Contract) -> ContractStatus:
    """As of now: an unsigned contract lapses with time and with its award."""
    return ContractStatus((await db.scalars(select(status_now()).where(Contract.id == contract.id))).one())


async def view(db: AsyncSession, contract: Contract) -> ContractView:
    """The whole contract: signatures, deliverables and what was submitted for each."""
    await db.flush()
    current = select(status_now(), clock.app_now()).where(Contract.id == contract.id)
    status, now = (await db.execute(current)).one()
    signatures = select(Signature).where(Signature.contract_id == contract.id).order_by(Signature.signed_at)
    deliverables = select(ContractDeliverable).where(ContractDeliverable.contract_id == contract.id)
    read = Read(
        contract=contract,
        status=ContractStatus(status),
        signatures=(await db.scalars(signatures)).all(),
        deliverables=(await db.scalars(deliverables.order_by(ContractDeliverable.position))).all(),
        submissions=await _submissions(db, contract.id),
        now=now,
    )
    return ContractView.of(read)


async def _submissions(db: AsyncSession, contract_id: UUID) -> dict[UUID, list[Submission]]:
    """By deliverable, in the order of their rounds."""
    of_contract = select(ContractDeliverable.id).where(ContractDeliverable.contract_id == contract_id)
    statement = select(Submission).where(Submission.deliverable_id.in_(of_contract)).order_by(Submission.round)
    found: dict[UUID, list[Submission]] = defaultdict(list)
    for row in await db.scalars(statement):
        found[row.deliverable_id].append(row)
    return found


def _found(contract: Contract | None) -> Contract:
    if contract is None:
        raise _not_found()
    return contract


def _not_found() -> ContractNotFound:
    return ContractNotFound("There is no such contract, or you are not a party to it.")


async def lock_contract(db: AsyncSession, contract_id: UUID) -> Contract:
    """With its deliverables, which change only under this lock. Outcome and lot, where needed, are locked before."""
    statement = select(Contract).where(Contract.id == contract_id).options(selectinload(Contract.deliverables))
    locking = statement.with_for_update(key_share=True).execution_options(populate_existing=True)
    return _found(await db.scalar(locking))


async def lock_with_lot(db: AsyncSession, actor: Actor, contract_id: UUID) -> tuple[Outcome, Lot, Contract]:
    """A contract that the caller is a party to, with outcome and lot, locked in the order of the house."""
    contract = await find_contract(db, actor, contract_id)
    outcome, lot = await lots.lock_for_step(db, contract.lot_id)
    return outcome, lot, await lock_contract(db, contract.id)


def side_of(actor: Actor, contract: Contract) -> Side:
    return Side.BUYER if actor.buyer_id == contract.buyer_id else Side.SUPPLIER


def parties(contract: Contract) -> Audience:
    return within(contract.buyer_id, contract.supplier_id)


async def record(db: AsyncSession, actor: Actor, event: Event, audience: Audience, contract: Contract) -> None:
    await journal.record(db, actor, event, audience, digest=digest(facts(contract)))


async def draw_up(db: AsyncSession, actor: Actor, award_id: UUID, *, seen: Seen = UNCONDITIONAL) -> Contract:
    """Draw up the contract of an approved award, once the end of its standstill is known, from lot, terms and winning bid."""
    found = await awards.find_own_award(db, actor, award_id)
    outcome, lot = await lots.lock_for_step(db, found.lot_id)
    award = await awards.get_approved(db, award_id)
    await awards.check_seen(db, actor, seen, award)
    lot_rules.check_status(lot.status, LotStatus.AWARDED)
    outcome_rules.check_active(outcome.status)
    standstill_ends_at = rules.known_standstill(award.standstill_ends_at)
    rules.check_first(await drawn_up_for(db, award_id))
    now = await clock.now(db)
    earliest = max(now, standstill_ends_at)
    delay = timedelta(days=rules.delay_days(lot.starts_on, local_day(earliest)))
    bid = await bids.get_bid(db, award.bid_id)
    work = documents.of_bid(lot, bid, delay)
    assert total(one.amount for one in work) == award.value, "the deliverables' prices are the award's value"
    return await new_contract(
        db,
        actor,
        (outcome, lot, award),
        work,
        starts_on=lot.starts_on + delay,
        days=lot.duration_days,
        sign_from=standstill_ends_at,
        sign_by=lot.policy.sign_by(earliest),
        now=now,
    )


async def drawn_up_for(db: AsyncSession, award_id: UUID) -> str | None:
    """The reference of the award's contract, if there is one."""
    return await db.scalar(select(Contract.reference).where(Contract.award_id == award_id).limit(1))


async def new_contract(
    db: AsyncSession,
    actor: Actor,
    under: tuple[Outcome, Lot, Award],
    work: list[AgreedDeliverable],
    *,
    starts_on: date,
    days: int,
    sign_from: datetime,
    sign_by: datetime,
    now: datetime,
    follows: Contract | None = None,
) -> Contract:
    """A pending contract with its document, for the award's first contract and for each further iteration."""
    outcome, lot, award = under
    calendar = documents.calendar_of(lot, starts_on, days, sign_from.astimezone(UTC), sign_by.astimezone(UTC))
    document = await _document(db, under, work, calendar, now, follows)
    contract = Contract(
        id=new_id(),
        reference=document.reference,
        award_id=award.id,
        lot_id=lot.id,
        outcome_id=outcome.id,
        buyer_id=document.buyer.id,
        buyer_name=document.buyer.name,
        supplier_id=document.supplier.id,
        supplier_name=document.supplier.name,
        number=document.number,
        status=ContractStatus.PENDING,
        value=document.value,
        currency=document.currency,
        starts_on=calendar.starts_on,
        ends_on=calendar.ends_on,
        document=canonical(document),
        digest=sha256(canonical(document)).digest(),
        sign_from=calendar.sign_from,
        sign_by=calendar.sign_by,
        owed=[],
        prepared_by=[actor.person_id] if actor.person_id else [],
        created_at=now,
        version=1,
    )
    contract.deliverables = _deliverables(contract.id, work)
    db.add(contract)
    await record(db, actor, ContractDrawn.of(contract), parties(contract), contract)
    return contract


async def _document(
    db: AsyncSession,
    under: tuple[Outcome, Lot, Award],
    work: list[AgreedDeliverable],
    calendar: documents.Calendar,
    now: datetime,
    follows: Contract | None,
) -> ContractDocument:
    outcome, lot, award = under
    reference_number = await db.scalar(reference_numbers)
    return ContractDocument(
        reference=f"CON-{now.year}-{reference_number:06d}",
        number=follows.number + 1 if follows else 1,
        follows=follows.digest.hex() if follows else None,
        buyer=documents.DocumentParty.of(await db.get_one(Organisation, lot.buyer_id)),
        supplier=documents.DocumentParty.of(await db.get_one(Organisation, award.supplier_id)),
        outcome=documents.outcome_of(outcome),
        lot=documents.DocumentLot.of(lot),
        award=documents.DocumentAward.of(award, await bids.get_bid(db, award.bid_id)),
        deliverables=work,
        value=total(one.amount for one in work),
        currency=award.currency,
        vat_rate=lot.policy.vat_rate,
        further_iterations=lot.further_iterations,
        further_ceiling=lot.further_ceiling,
        calendar=calendar,
        terms=documents.DocumentTerms.of(lot, await terms_text(db, lot.policy.terms_version)),
    )


def _deliverables(contract_id: UUID, work: Sequence[AgreedDeliverable]) -> list[ContractDeliverable]:
    return [
        ContractDeliverable(
            id=new_id(),
            contract_id=contract_id,
            position=position,
            key=one.key,
            title=one.title,
            due_on=one.due_on,
            acceptance_criteria=one.acceptance_criteria,
            amount=one.amount,
            status=DeliverableStatus.PLANNED,
            rounds=0,
            version=1,
        )
        for position, one in enumerate(work, start=1)
    ]


async def sign(
    db: AsyncSession, actor: Actor, contract_id: UUID, given: bytes, *, seen: Seen = UNCONDITIONAL
) -> Contract:
    """One side signs over the digest of what it has read; with the second signature the contract is active."""
    person_id = require_person(actor)
    outcome, lot, contract = await lock_with_lot(db, actor, contract_id)
    await check_seen(db, seen, contract)
    side = side_of(actor, contract)
    rules.check_status(contract.status, ContractStatus.PENDING)
    award = await awards.get_approved(db, contract.award_id)
    lot_rules.check_status(lot.status, LotStatus.AWARDED if contract.number == 1 else LotStatus.CONTRACTED)
    outcome_rules.check_active(outcome.status)
    signatures = await signatures_of(db, contract.id)
    _check_signer(actor, contract, side, signatures)
    now = await clock.now(db)
    rules.check_signable(contract.status, contract.sign_by, now)
    _check_standstill(actor, contract, award, now)
    rules.check_signature(side, [one.side for one in signatures], given, contract.digest)
    signature = Signature(contract_id=contract.id, side=side, person_id=person_id, digest=given, signed_at=now)
    db.add(signature)
    contract.touch()
    await record(db, actor, _signed(contract, signature), parties(contract), contract)
    if signatures:
        await _activate(db, actor, (outcome, lot, award), contract, now)
    return contract


async def signatures_of(db: AsyncSession, contract_id: UUID) -> Sequence[Signature]:
    """At most one for each side."""
    return (await db.scalars(select(Signature).where(Signature.contract_id == contract_id))).all()


def _check_signer(actor: Actor, contract: Contract, side: Side, signatures: Sequence[Signature]) -> None:
    """Who drew the contract up does not sign it for the buyer, and nobody signs for both sides."""
    barred = rules.barred_from_signing(side, contract.prepared_by, [(one.side, one.person_id) for one in signatures])
    said = "Whoever drew the contract up, or signed it for the other side, can't sign it."
    by_another(actor, barred, said, "contract.sign", contract)


def _check_standstill(actor: Actor, contract: Contract, award: Award, now: datetime) -> None:
    try:
        rules.check_standstill(contract.sign_from, award.standstill_ends_at, now)
    except StandstillRunning as fact:
        raise refused(fact, actor, "contract.sign", contract) from None


def by_another(actor: Actor, earlier: Collection[UUID | None], said: str, act: str, contract: Contract) -> None:
    audience = auditors(contract.buyer_id)
    journal.by_another(actor, earlier, said, act=act, about=contract.id, audience=audience)


def refused(fact: Fact, actor: Actor, act: str, contract: Contract) -> Fact:
    return journal.refused(fact, actor, act, contract.id, audience=auditors(contract.buyer_id))


def _signed(contract: Contract, signature: Signature) -> ContractSigned:
    return ContractSigned(
        object_id=contract.id,
        object_version=contract.version,
        side=signature.side,
        document_digest=signature.digest.hex(),
        signature_digest=digest(facts(signature)).hex(),
    )


async def _activate(
    db: AsyncSession, actor: Actor, under: tuple[Outcome, Lot, Award], contract: Contract, now: datetime
) -> None:
    """Both have signed: the competition is over for the others, and the envelope holds what is agreed and still open."""
    outcome, lot, award = under
    contract.move_to(ContractStatus.ACTIVE)
    contract.signed_at = now
    await record(db, actor, ContractActivated.of(contract), PUBLIC, contract)
    if contract.number == 1:
        await lots.mark_contracted(db, actor, lot, f"{contract.reference} signed by both sides")
        await bids.mark_unsuccessful(db, actor, lot.id, except_bid_id=award.bid_id)
    await commit(db, outcome, lot, "contract.signed")


async def commit(db: AsyncSession, outcome: Outcome, lot: Lot, reason: str) -> None:
    """Set what the lot commits of its locked outcome's envelope, from its signed contracts as they are now."""
    await db.flush()
    statement = public_contracts().where(Contract.lot_id == lot.id).options(selectinload(Contract.deliverables))
    signed = [_counted(contract) for contract in await db.scalars(statement)]
    amount = rules.commitment(signed, lot.further_iterations, lot.further_ceiling)
    await outcomes.commit_to(db, outcome, lot.id, amount, reason)


def _counted(contract: Contract) -> rules.Signed:
    return rules.Signed(
        number=contract.number,
        status=contract.status,
        value=contract.value,
        accepted=accepted(contract),
        next_step=contract.next_step,
    )


def accepted(contract: Contract) -> Decimal:
    """The net price of what was accepted under a contract whose deliverables are loaded."""
    return total(one.amount for one in contract.deliverables if one.status is DeliverableStatus.ACCEPTED)

"""What a contract's verbs leave in the database, from drawing it up to the lot that follows."""

import hashlib
import json
from collections.abc import Awaitable
from datetime import timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from build import (
    Council,
    active_contract,
    active_outcome,
    approved_award,
    awarded_lot,
    bidder,
    completed_contract,
    completion_document,
    council,
    decided_deliverable,
    evaluated_covered_lot,
    iteration_document,
    move_clock,
    pending_contract,
    published_lot,
    recommended_award,
    seat,
    signed_contract,
    supplier,
)
from procure.awards import service as awards
from procure.awards.errors import AwardNotApproved, AwardNotFound
from procure.bids.models import Bid
from procure.bids.rules import BidStatus
from procure.contracts import documents, rules
from procure.contracts import service as contracts
from procure.contracts.deliverables import service as deliverables
from procure.contracts.deliverables.errors import DeliverableNotFound, DeliverableStateWrong, ReworkSpent
from procure.contracts.deliverables.schemas import CriterionVerdictDraft, Delivery, Verdict
from procure.contracts.endings import service as endings
from procure.contracts.endings.errors import DeliverablesOpen, NotAtBoundary, RetrospectiveClosed
from procure.contracts.endings.schemas import Completion
from procure.contracts.errors import (
    AwardNoticeMissing,
    ContractLapsed,
    ContractNotFound,
    ContractStateWrong,
    DigestMismatch,
    DrawnUpAlready,
    OtherSideNeeded,
    SideSigned,
    StandstillRunning,
)
from procure.contracts.iterations import service as iterations
from procure.contracts.iterations.errors import (
    IterationInvalid,
    IterationLeft,
    IterationTaken,
    NextLotDrafted,
    NextStepOther,
    NoIterationLeft,
)
from procure.contracts.iterations.schemas import Iteration, NextStepChange
from procure.contracts.models import Contract, Submission, facts, stands, status_now
from procure.contracts.rules import ContractStatus, DeliverableStatus, NextStep, Side
from procure.journal.models import JournalEntry
from procure.kit import clock
from procure.kit.actor import ANYONE, Actor, PersonNeeded, Role, SamePerson
from procure.kit.body import convert
from procure.kit.canonical import digest
from procure.kit.errors import Fact
from procure.kit.paging import Paging
from procure.lots import choices, drafting
from procure.lots import service as lots
from procure.lots.errors import LotStateWrong
from procure.lots.events import LotPublished
from procure.lots.models import Lot
from procure.lots.rules import Ip, LotStatus, Remote
from procure.lots.schemas import Notice
from procure.organisations.models import Organisation
from procure.outcomes import service as outcomes
from procure.outcomes.errors import OutcomeNotActive, OutcomeStillCommitted
from procure.outcomes.models import Observation, Outcome
from procure.outcomes.rules import OutcomeStatus
from procure.outcomes.schemas import EndDecision, LedgerView
from procure.policy.service import terms_text
from procure.policy.working_days import local_day
from procure.vault.keyring import FileKeyring

ALL = Paging(limit=50, after=None, path="/", query=())


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


@pytest.fixture
async def contract(db: AsyncSession, buyer: Council, vault: FileKeyring) -> Contract:
    """Active, 11,050.00: D1 10,950.00 and D2 100.00; one further iteration of at most 10,000.00 was announced."""
    return await active_contract(db, buyer, vault)


async def ledger(db: AsyncSession, contract: Contract) -> LedgerView:
    return await outcomes.ledger(db, await db.get_one(Outcome, contract.outcome_id))


async def committed(db: AsyncSession, contract: Contract) -> str:
    return (await ledger(db, contract)).committed.amount


async def entries(db: AsyncSession, object_id: UUID) -> list[str]:
    statement = select(JournalEntry.type).where(JournalEntry.object_id == object_id).order_by(JournalEntry.id)
    return list(await db.scalars(statement))


async def refused(act: Awaitable[object], fact: type[Fact]) -> Fact:
    with pytest.raises(fact) as caught:
        await act
    return caught.value


def recorded(fact: Fact) -> bool:
    return fact.refusal is not None


# Drawing up.


async def test_the_document_says_everything_that_was_agreed_in_exact_bytes(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot, award = await awarded_lot(db, buyer, vault, ip="supplier_owns_licensed", remote="on_site")
    contract = await contracts.draw_up(db, buyer.officer, award.id)
    body = await contracts.document_of(db, buyer.auditor, contract.id)
    assert hashlib.sha256(body).digest() == contract.digest
    said = json.loads(body)
    assert body == json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    bid = await db.get_one(Bid, award.bid_id)
    organisations = [await db.get_one(Organisation, one) for one in (lot.buyer_id, award.supplier_id)]
    assert [(said[side]["name"], said[side]["identifier"]) for side in ("buyer", "supplier")] == [
        (one.name, one.identifier) for one in organisations
    ]
    assert said["award"] == {
        "bid_digest": bid.digest.hex(),
        "bid_id": str(bid.id),
        "bid_version": 1,
        "id": str(award.id),
        "reference": award.reference,
    }
    assert said["lot"]["publication"] == documents.DocumentLot.of(lot).publication
    assert [(one["key"], one["amount"]) for one in said["deliverables"]] == [("D1", "10950.00"), ("D2", "100.00")]
    assert [one["acceptance_criteria"] for one in said["deliverables"]] == [
        one.acceptance_criteria for one in lot.deliverables
    ]
    assert (said["value"], said["currency"], said["vat_rate"], said["number"]) == ("11050.00", "GBP", "20.00", 1)
    assert said["terms"]["text"] == await terms_text(db, lot.policy.terms_version)
    assert said["terms"]["choices"] == [choices.IP[Ip.SUPPLIER_OWNS_LICENSED], choices.REMOTE[Remote.ON_SITE]]
    assert said["follows"] is None


async def test_the_publications_digest_is_that_of_the_public_entry(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot = await published_lot(db, buyer, vault)
    entry = (await db.scalars(select(JournalEntry).where(JournalEntry.type == "lot.published"))).one()
    stored = await db.scalar(text("SELECT payload::text FROM journal_entries WHERE type = 'lot.published'"))
    assert stored == entry.payload
    assert lot.publication_digest == hashlib.sha256(entry.payload.encode()).digest()
    assert documents.DocumentLot.of(lot).publication == lot.publication_digest.hex()


async def test_a_later_shape_of_the_event_changes_no_publications_digest(
    db: AsyncSession, buyer: Council, vault: FileKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    lot = await published_lot(db, buyer, vault)
    before = documents.DocumentLot.of(lot)
    monkeypatch.setattr(LotPublished, "of", lambda _: None)
    lot.title = "Another title"
    assert documents.DocumentLot.of(lot).publication == before.publication


async def test_a_contract_is_drawn_up_once_by_the_buyer_from_an_approved_award(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot, award = await awarded_lot(db, buyer, vault)
    stranger = await council(db, name="Elsewhere Council")
    await refused(contracts.draw_up(db, stranger.officer, award.id), AwardNotFound)
    await refused(contracts.draw_up(db, await bidder(db, award.supplier_id), award.id), AwardNotFound)
    contract = await contracts.draw_up(db, buyer.officer, award.id)
    assert (contract.status, contract.number, contract.value) == (ContractStatus.PENDING, 1, award.value)
    assert contract.sign_from == award.standstill_ends_at
    assert contract.sign_by == lot.policy.sign_by(contract.created_at)
    await refused(contracts.draw_up(db, buyer.officer, award.id), DrawnUpAlready)
    assert await entries(db, contract.id) == ["contract.drawn"]


async def test_no_contract_before_the_award_stands_and_its_standstill_is_known(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot = await evaluated_covered_lot(db, buyer, vault)
    award = await recommended_award(db, buyer, lot)
    await refused(contracts.draw_up(db, buyer.officer, award.id), AwardNotApproved)
    await awards.approve(db, buyer.approver, award.id)
    await refused(contracts.draw_up(db, buyer.officer, award.id), AwardNoticeMissing)
    notice = Notice("2026/S 1", "ocds-h6vhtk-1", await clock.now(db))
    await awards.record_notice(db, buyer.officer, award.id, notice)
    contract = await contracts.draw_up(db, buyer.officer, award.id)
    assert contract.sign_from == award.standstill_ends_at
    assert contract.sign_by == lot.policy.sign_by(contract.sign_from)


async def test_dates_move_whole_when_work_can_not_start_as_published(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot, award = await awarded_lot(db, buyer, vault)
    late = lot.starts_on + timedelta(days=5)
    await move_clock(db, (await clock.now(db)) + (late - local_day(await clock.now(db))))
    contract = await contracts.draw_up(db, buyer.officer, award.id)
    assert (contract.starts_on, contract.ends_on) == (late, late + timedelta(days=lot.duration_days))
    assert [one.due_on for one in contract.deliverables] == [one.due_on + timedelta(days=5) for one in lot.deliverables]


async def test_dates_stay_as_published_when_work_can_start_then(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot, award = await awarded_lot(db, buyer, vault)
    contract = await contracts.draw_up(db, buyer.officer, award.id)
    assert contract.starts_on == lot.starts_on
    assert [one.due_on for one in contract.deliverables] == [one.due_on for one in lot.deliverables]


# Signing.


async def test_both_sides_sign_and_the_competition_is_over_for_the_others(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    contract = await pending_contract(db, buyer, vault)
    winner = await bidder(db, contract.supplier_id)
    lot = await db.get_one(Lot, contract.lot_id)
    assert await committed(db, contract) == "22000.00"
    await contracts.sign(db, winner, contract.id, contract.digest)
    assert (contract.status, lot.status) == (ContractStatus.PENDING, LotStatus.AWARDED)
    await contracts.sign(db, buyer.approver, contract.id, contract.digest)
    assert (contract.status, lot.status) == (ContractStatus.ACTIVE, LotStatus.CONTRACTED)
    assert contract.signed_at is not None
    view = await contracts.view(db, contract)
    assert [(one.side, one.person_id) for one in view.signatures] == [
        (Side.SUPPLIER, winner.person_id),
        (Side.BUYER, buyer.approver.person_id),
    ]
    found = {one.supplier_id == contract.supplier_id: one.status for one in await _bids(db, lot)}
    assert found == {True: BidStatus.AWARDED, False: BidStatus.UNSUCCESSFUL}
    assert await committed(db, contract) == "21050.00"  # the contract and one open iteration
    assert await entries(db, contract.id) == [
        "contract.drawn",
        "contract.signed",
        "contract.signed",
        "contract.activated",
    ]


async def _bids(db: AsyncSession, lot: Lot) -> list[Bid]:
    return list(await db.scalars(select(Bid).where(Bid.lot_id == lot.id)))


async def test_four_eyes_sign_and_never_the_same_person_for_both_sides(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    _, award = await awarded_lot(db, buyer, vault)
    both = await seat(db, buyer.organisation, Role.OFFICER, Role.APPROVER)
    contract = await contracts.draw_up(db, both, award.id)
    assert recorded(await refused(contracts.sign(db, both, contract.id, contract.digest), SamePerson))
    await contracts.sign(db, buyer.approver, contract.id, contract.digest)
    winner = await db.get_one(Organisation, contract.supplier_id)
    double = Actor(organisation_id=winner.id, kind=winner.kind, person_id=buyer.approver.person_id)
    assert recorded(await refused(contracts.sign(db, double, contract.id, contract.digest), SamePerson))
    service = Actor(organisation_id=winner.id, kind=winner.kind, client_id=uuid4())
    await refused(contracts.sign(db, service, contract.id, contract.digest), PersonNeeded)
    await contracts.sign(db, await bidder(db, winner.id), contract.id, contract.digest)
    assert contract.status is ContractStatus.ACTIVE


async def test_what_is_signed_is_what_was_read_and_each_side_signs_once(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    contract = await pending_contract(db, buyer, vault)
    await refused(contracts.sign(db, buyer.approver, contract.id, bytes(32)), DigestMismatch)
    await contracts.sign(db, buyer.approver, contract.id, contract.digest)
    await refused(contracts.sign(db, buyer.second_approver, contract.id, contract.digest), SideSigned)
    assert contract.status is ContractStatus.PENDING
    await contracts.sign(db, await bidder(db, contract.supplier_id), contract.id, contract.digest)
    late = contracts.sign(db, await bidder(db, contract.supplier_id), contract.id, contract.digest)
    await refused(late, ContractStateWrong)


async def test_nobody_signs_in_the_standstill_and_the_attempt_is_recorded(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot = await evaluated_covered_lot(db, buyer, vault)
    award = await approved_award(db, buyer, lot)
    contract = await contracts.draw_up(db, buyer.officer, award.id)
    for signer in (buyer.approver, await bidder(db, contract.supplier_id)):
        assert recorded(await refused(contracts.sign(db, signer, contract.id, contract.digest), StandstillRunning))
    # A corrected notice lengthens the standstill, and never shortens what the document says.
    await move_clock(db, contract.sign_from - timedelta(hours=1))
    await awards.record_notice(db, buyer.officer, award.id, Notice("2", "ocds-h6vhtk-2", await clock.now(db)))
    await move_clock(db, contract.sign_from)
    await refused(contracts.sign(db, buyer.approver, contract.id, contract.digest), StandstillRunning)
    assert award.standstill_ends_at is not None
    await move_clock(db, award.standstill_ends_at)
    await contracts.sign(db, buyer.approver, contract.id, contract.digest)


async def test_a_contract_that_is_not_signed_in_time_has_lapsed(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    contract = await pending_contract(db, buyer, vault)
    await contracts.sign(db, buyer.approver, contract.id, contract.digest)
    await move_clock(db, contract.sign_by)
    assert (await contracts.view(db, contract)).status is ContractStatus.LAPSED
    late = contracts.sign(db, await bidder(db, contract.supplier_id), contract.id, contract.digest)
    await refused(late, ContractLapsed)
    # The award is withdrawn, and the next in rank has its turn with a contract of its own.
    await awards.withdraw(db, buyer.approver, contract.award_id, "It did not sign in time.")
    lot = await db.get_one(Lot, contract.lot_id)
    award = await approved_award(db, buyer, lot)
    second = await signed_contract(db, buyer, await contracts.draw_up(db, buyer.officer, award.id))
    assert (second.number, second.status, lot.status) == (1, ContractStatus.ACTIVE, LotStatus.CONTRACTED)
    assert second.supplier_id != contract.supplier_id


async def test_a_contract_whose_award_or_lot_is_gone_can_not_be_signed(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    contract = await pending_contract(db, buyer, vault)
    await awards.withdraw(db, buyer.approver, contract.award_id, "A mistake.")
    await refused(contracts.sign(db, buyer.approver, contract.id, contract.digest), AwardNotApproved)
    assert (await contracts.view(db, contract)).status is ContractStatus.LAPSED
    other = await pending_contract(db, buyer, vault)
    await lots.cancel(db, buyer.approver, other.lot_id, "The need has gone.")
    await refused(contracts.sign(db, buyer.approver, other.id, other.digest), LotStateWrong)
    assert (await contracts.view(db, other)).status is ContractStatus.LAPSED


async def test_nothing_is_signed_for_an_outcome_that_has_ended(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    contract = await pending_contract(db, buyer, vault)
    end = EndDecision(OutcomeStatus.ABANDONED, "No need.")
    await refused(outcomes.end(db, buyer.approver, contract.outcome_id, end), OutcomeStillCommitted)
    await ended_all_the_same(db, contract.outcome_id)
    await refused(contracts.sign(db, buyer.approver, contract.id, contract.digest), OutcomeNotActive)


async def test_no_contract_is_drawn_up_for_an_outcome_that_has_ended(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot, award = await awarded_lot(db, buyer, vault)
    await ended_all_the_same(db, lot.outcome_id)
    await refused(contracts.draw_up(db, buyer.officer, award.id), OutcomeNotActive)


async def ended_all_the_same(db: AsyncSession, outcome_id: UUID) -> None:
    """No verb leaves it so: what is not settled keeps its outcome from ending. The later steps look for themselves."""
    (await db.get_one(Outcome, outcome_id)).move_to(OutcomeStatus.ABANDONED)
    await db.flush()


async def test_the_status_in_sql_is_the_status_in_python(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    contract = await pending_contract(db, buyer, vault)
    statement = select(status_now(), clock.app_now(), stands()).where(Contract.id == contract.id)
    seen = []
    for moment in (None, contract.sign_by - timedelta(minutes=1), contract.sign_by):
        if moment:
            await move_clock(db, moment)
        in_sql, now, is_standing = (await db.execute(statement)).one()
        assert in_sql == rules.status_at(contract.status, contract.sign_by, now, stands=is_standing).value
        seen.append(in_sql)
    assert seen == ["pending", "pending", "lapsed"]


# Who sees what.


async def test_only_its_parties_see_a_contract(db: AsyncSession, buyer: Council, contract: Contract) -> None:
    for party in (buyer.auditor, await bidder(db, contract.supplier_id)):
        assert (await contracts.find_contract(db, party, contract.id)).id == contract.id
        assert await contracts.list_contracts(db, party, ALL) == [(contract, ContractStatus.ACTIVE)]
    for stranger in (ANYONE, await supplier(db), (await council(db, name="Elsewhere Council")).officer):
        await refused(contracts.find_contract(db, stranger, contract.id), ContractNotFound)
        await refused(contracts.document_of(db, stranger, contract.id), ContractNotFound)
        await refused(contracts.sign(db, buyer_person(stranger), contract.id, contract.digest), ContractNotFound)
        assert await contracts.list_contracts(db, stranger, ALL) == []


def buyer_person(actor: Actor) -> Actor:
    """The same caller as a person, so that nothing but visibility is in question."""
    return Actor(organisation_id=actor.organisation_id, kind=actor.kind, person_id=actor.person_id or uuid4())


async def test_contracts_are_listed_by_their_status_now(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    contract = await pending_contract(db, buyer, vault)
    for status, found in ((ContractStatus.PENDING, 1), (ContractStatus.LAPSED, 0)):
        assert len(await contracts.list_contracts(db, buyer.officer, ALL, status=status)) == found
    await move_clock(db, contract.sign_by)
    for status, found in ((ContractStatus.PENDING, 0), (ContractStatus.LAPSED, 1)):
        assert len(await contracts.list_contracts(db, buyer.officer, ALL, status=status)) == found
    for lot_id, found in ((contract.lot_id, 1), (uuid4(), 0)):
        assert len(await contracts.list_contracts(db, buyer.officer, ALL, lot_id=lot_id)) == found
    assert await contracts.list_contracts(db, buyer.officer, ALL, outcome_id=uuid4()) == []


async def test_the_register_shows_what_both_sides_have_signed(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    contract = await pending_contract(db, buyer, vault)
    public = contracts.public_contracts().where(Contract.id == contract.id)
    assert await db.scalar(public) is None
    await signed_contract(db, buyer, contract)
    assert await db.scalar(public) is contract


# Deliverables.


async def test_an_accepted_deliverable_is_payable_and_a_rejected_one_is_handed_in_again(
    db: AsyncSession, buyer: Council, contract: Contract
) -> None:
    first = await decided_deliverable(db, buyer, contract, "D1", unmet=(1,))
    assert (first.status, first.rounds, first.accepted_at) == (DeliverableStatus.REJECTED, 1, None)
    assert (await ledger(db, contract)).accepted.amount == "0.00"
    await decided_deliverable(db, buyer, contract, "D1")
    assert (first.status, first.rounds) == (DeliverableStatus.ACCEPTED, 2)
    assert first.accepted_at is not None
    assert (await ledger(db, contract)).accepted.amount == "10950.00"
    assert await committed(db, contract) == "21050.00"
    view = (await contracts.view(db, contract)).deliverables[0]
    assert [(one.round, one.accepted) for one in view.submissions] == [(1, False), (2, True)]
    verdicts = view.submissions[0].verdicts or []
    assert [(one.criterion, one.met, one.reason) for one in verdicts] == [
        (0, True, None),
        (1, False, "It is not there."),
    ]
    types = await entries(db, contract.id)
    assert types[4:] == [
        "deliverable.submitted",
        "deliverable.rejected",
        "deliverable.submitted",
        "deliverable.accepted",
    ]


async def test_rework_ends_after_the_rounds_that_the_policy_allows(
    db: AsyncSession, buyer: Council, contract: Contract
) -> None:
    for _ in range(3):
        await decided_deliverable(db, buyer, contract, "D1", unmet=(0,))
    winner = await bidder(db, contract.supplier_id)
    again = deliverables.submit(db, winner, contract.id, "D1", Delivery("Once more."))
    await refused(again, ReworkSpent)
    # Rework that is spent is a boundary: the buyer may end here.
    await endings.terminate(db, buyer.approver, contract.id, "It did not get there.")
    assert contract.status is ContractStatus.TERMINATED


async def test_silence_is_overdue_and_never_acceptance(db: AsyncSession, buyer: Council, contract: Contract) -> None:
    winner = await bidder(db, contract.supplier_id)
    await deliverables.submit(db, winner, contract.id, "D1", Delivery("Done."))
    work = contract.deliverables[0]
    lot = await db.get_one(Lot, contract.lot_id)
    assert work.submitted_at is not None
    assert work.review_by == lot.policy.review_by(work.submitted_at)
    assert not (await contracts.view(db, contract)).deliverables[0].is_overdue
    await move_clock(db, work.review_by)
    view = (await contracts.view(db, contract)).deliverables[0]
    assert (view.is_overdue, view.status, view.accepted_at) == (True, DeliverableStatus.SUBMITTED, None)
    assert (await ledger(db, contract)).accepted.amount == "0.00"


async def test_a_deliverable_is_decided_once_by_a_person_of_the_buyer_who_did_not_hand_it_in(
    db: AsyncSession, buyer: Council, contract: Contract
) -> None:
    met = Verdict([CriterionVerdictDraft(0, met=True), CriterionVerdictDraft(1, met=True)])
    winner = await bidder(db, contract.supplier_id)
    await refused(deliverables.decide(db, buyer.service_owner, contract.id, "D1", met), DeliverableStateWrong)
    await refused(deliverables.submit(db, winner, contract.id, "D9", Delivery("Done.")), DeliverableNotFound)
    await refused(deliverables.submit(db, buyer.officer, contract.id, "D1", Delivery("Done.")), OtherSideNeeded)
    await deliverables.submit(db, winner, contract.id, "D1", Delivery("Done."))
    await refused(deliverables.submit(db, winner, contract.id, "D1", Delivery("Done.")), DeliverableStateWrong)
    await refused(deliverables.decide(db, winner, contract.id, "D1", met), OtherSideNeeded)
    service = Actor(organisation_id=buyer.organisation.id, kind=buyer.organisation.kind, client_id=uuid4())
    await refused(deliverables.decide(db, service, contract.id, "D1", met), PersonNeeded)
    same = Actor(organisation_id=buyer.organisation.id, kind=buyer.organisation.kind, person_id=winner.person_id)
    assert recorded(await refused(deliverables.decide(db, same, contract.id, "D1", met), SamePerson))
    await deliverables.decide(db, buyer.service_owner, contract.id, "D1", met)
    await refused(deliverables.decide(db, buyer.service_owner, contract.id, "D1", met), DeliverableStateWrong)


async def test_nothing_is_delivered_before_both_have_signed(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    contract = await pending_contract(db, buyer, vault)
    winner = await bidder(db, contract.supplier_id)
    await refused(deliverables.submit(db, winner, contract.id, "D1", Delivery("Early.")), ContractStateWrong)


async def test_every_entry_carries_the_digest_of_the_contract_as_it_is_in_the_database(
    db: AsyncSession, buyer: Council, contract: Contract
) -> None:
    async def check() -> None:
        loaded = select(Contract).where(Contract.id == contract.id).options(selectinload(Contract.deliverables))
        fresh = (await db.scalars(loaded.execution_options(populate_existing=True))).one()
        newest = select(JournalEntry).where(JournalEntry.object_id == contract.id).order_by(JournalEntry.id.desc())
        entry = (await db.scalars(newest)).first()
        assert entry is not None
        assert (entry.digest, entry.object_version) == (digest(facts(fresh)), fresh.version)

    await check()
    await decided_deliverable(db, buyer, contract, "D1", unmet=(0,))
    await check()
    submission = (await db.scalars(select(Submission).execution_options(populate_existing=True))).one()
    rejected = await db.scalar(select(JournalEntry.payload).where(JournalEntry.type == "deliverable.rejected"))
    assert digest(facts(submission)).hex() in str(rejected)
    await endings.look_back(db, await bidder(db, contract.supplier_id), contract.id, "Ask sooner.")
    await check()
    await decided_deliverable(db, buyer, contract, "D1")
    await endings.terminate(db, buyer.approver, contract.id, "Enough.")
    await check()
    of_contract = JournalEntry.object_id == contract.id
    versions = list(await db.scalars(select(JournalEntry.object_version).where(of_contract).order_by(JournalEntry.id)))
    assert versions == list(range(1, contract.version + 1))


# Ends.


async def test_termination_keeps_what_was_accepted_and_returns_the_rest(
    db: AsyncSession, buyer: Council, contract: Contract
) -> None:
    await refused(endings.terminate(db, buyer.approver, contract.id, "Enough."), NotAtBoundary)
    await decided_deliverable(db, buyer, contract, "D2")
    winner = await bidder(db, contract.supplier_id)
    await refused(endings.terminate(db, winner, contract.id, "Enough."), OtherSideNeeded)
    assert recorded(await refused(endings.terminate(db, buyer.officer, contract.id, "Enough."), SamePerson))
    await endings.terminate(db, buyer.approver, contract.id, "Enough.")
    assert [one.status for one in contract.deliverables] == [DeliverableStatus.CANCELLED, DeliverableStatus.ACCEPTED]
    assert (contract.status, contract.end_reason) == (ContractStatus.TERMINATED, "Enough.")
    assert (await committed(db, contract), (await ledger(db, contract)).accepted.amount) == ("100.00", "100.00")
    await refused(endings.terminate(db, buyer.approver, contract.id, "Again."), ContractStateWrong)
    await refused(deliverables.submit(db, winner, contract.id, "D1", Delivery("Late.")), ContractStateWrong)


async def test_a_passed_due_date_is_a_boundary(db: AsyncSession, buyer: Council, contract: Contract) -> None:
    due_on = contract.deliverables[0].due_on
    now = await clock.now(db)
    await move_clock(db, now + (due_on - local_day(now)))
    await refused(endings.terminate(db, buyer.approver, contract.id, "Enough."), NotAtBoundary)
    await move_clock(db, await clock.now(db) + timedelta(days=1))
    await endings.terminate(db, buyer.approver, contract.id, "Enough.")
    assert await committed(db, contract) == "0.00"


@pytest.mark.parametrize(
    ("next_step", "left"), [(NextStep.CONTINUE, "21050.00"), (NextStep.PIVOT, "11050.00"), (NextStep.STOP, "11050.00")]
)
async def test_completion_observes_the_measures_and_keeps_open_only_what_continues(
    db: AsyncSession, buyer: Council, contract: Contract, next_step: NextStep, left: str
) -> None:
    document = await completion_document(db, contract, next_step=next_step.value)
    early = endings.complete(db, buyer.officer, contract.id, convert(document, Completion))
    await refused(early, DeliverablesOpen)
    await completed_contract(db, buyer, contract, next_step)
    assert (contract.status, contract.next_step) == (ContractStatus.COMPLETED, next_step)
    assert contract.learned_by_buyer == "Most of it was one letter."
    assert await committed(db, contract) == left
    assert (await ledger(db, contract)).accepted.amount == "11050.00"
    observed = (await db.scalars(select(Observation).where(Observation.contract_id == contract.id))).one()
    assert (observed.value, observed.recorded_by) == (Decimal(11), buyer.officer.person_id)
    again = endings.complete(db, buyer.officer, contract.id, convert(document, Completion))
    await refused(again, ContractStateWrong)


async def test_an_observation_that_is_still_owed_is_promised_for_a_day(
    db: AsyncSession, buyer: Council, contract: Contract
) -> None:
    for key in ("D1", "D2"):
        await decided_deliverable(db, buyer, contract, key)
    lot = await db.get_one(Lot, contract.lot_id)
    owed_on = (await clock.now(db)).date() + timedelta(days=60)
    measures = [{"measure_id": str(lot.measure_ids[0]), "owed_on": str(owed_on)}]
    document = await completion_document(db, contract, measures=measures)
    await endings.complete(db, buyer.service_owner, contract.id, convert(document, Completion))
    view = await contracts.view(db, contract)
    assert [(one.measure_id, one.owed_on) for one in view.owed] == [(lot.measure_ids[0], owed_on)]
    assert (await db.scalars(select(Observation))).all() == []


async def test_the_supplier_looks_back_while_it_works_and_once_after_the_end(
    db: AsyncSession, buyer: Council, contract: Contract
) -> None:
    winner = await bidder(db, contract.supplier_id)
    await refused(endings.look_back(db, buyer.officer, contract.id, "Not mine."), OtherSideNeeded)
    for learned in ("Ask sooner.", "Sit beside them."):
        await endings.look_back(db, winner, contract.id, learned)
    await completed_contract(db, buyer, contract, NextStep.STOP)
    await refused(endings.look_back(db, winner, contract.id, "Again."), RetrospectiveClosed)
    assert contract.learned_by_supplier == "Sit beside them."


# Going on.


async def iteration(db: AsyncSession, price: str = "9500.00", **changes: object) -> Iteration:
    return convert(iteration_document(local_day(await clock.now(db)), price, **changes), Iteration)


async def test_an_announced_iteration_is_taken_up_without_a_competition_and_then_the_next_lot_is_drafted(
    db: AsyncSession, buyer: Council, contract: Contract
) -> None:
    await refused(iterations.continue_(db, buyer.officer, contract.id, await iteration(db)), ContractStateWrong)
    await completed_contract(db, buyer, contract)
    await refused(iterations.draft_next_lot(db, buyer.officer, contract.id), IterationLeft)
    second = await iterations.continue_(db, buyer.officer, contract.id, await iteration(db))
    assert (second.number, second.award_id, second.value) == (2, contract.award_id, Decimal("9500.00"))
    assert [one.key for one in second.deliverables] == ["D1"]
    said = json.loads(await contracts.document_of(db, buyer.officer, second.id))
    assert (said["follows"], said["number"], said["value"]) == (contract.digest.hex(), 2, "9500.00")
    assert await committed(db, contract) == "21050.00"
    await signed_contract(db, buyer, second)
    assert (second.status, await committed(db, contract)) == (ContractStatus.ACTIVE, "20550.00")
    await completed_contract(db, buyer, second)
    assert await committed(db, contract) == "20550.00"
    await refused(iterations.continue_(db, buyer.officer, second.id, await iteration(db)), NoIterationLeft)
    lot = await db.get_one(Lot, contract.lot_id)
    following = await iterations.draft_next_lot(db, buyer.officer, second.id)
    assert (following.status, following.follows_id, following.outcome_id) == (LotStatus.DRAFT, lot.id, lot.outcome_id)
    assert following.iteration == lot.iteration + 1
    assert following.offer.ends_on - following.starts_on == lot.offer.ends_on - lot.starts_on
    assert following.closes_at > await clock.now(db)
    await refused(iterations.draft_next_lot(db, buyer.officer, second.id), NextLotDrafted)


async def test_the_next_lot_can_be_published_as_it_stands(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    # The envelope has room for a second lot of the same size.
    outcome = await active_outcome(db, buyer, envelope={"amount": "60000.00", "currency": "GBP"})
    contract = await active_contract(db, buyer, vault, outcome)
    await completed_contract(db, buyer, contract, NextStep.PIVOT)
    following = await iterations.draft_next_lot(db, buyer.officer, contract.id)
    await move_clock(db, await clock.now(db) + timedelta(days=6))
    if following.policy.ceremony.notice_required:
        await lots.record_notice(db, buyer.officer, following.id, Notice("3", "ocds-h6vhtk-3", await clock.now(db)))
    assert (await lots.publish(db, buyer.approver, vault, following.id)).status is LotStatus.PUBLISHED


async def test_every_field_of_a_lot_is_taken_over_by_the_next_one(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    """Not moved by a day, the draft is the lot's own content, but for what it follows: also of a field that is added later."""
    lot = await published_lot(db, buyer, vault, validity_days=61)
    draft = iterations._next_draft(lot, 0)
    assert draft.follows_id == lot.id
    sent = msgspec.structs.asdict(msgspec.structs.replace(draft, follows_id=lot.follows_id))
    assert sent.pop("outcome") is None
    columns = drafting.columns(sent)
    assert columns == {name: getattr(lot, name) for name in columns}
    assert len(columns) == len(sent) + 2  # the currency and the further ceiling are columns of their own


async def test_stopping_is_the_end(db: AsyncSession, buyer: Council, contract: Contract) -> None:
    await completed_contract(db, buyer, contract, NextStep.STOP)
    await refused(iterations.continue_(db, buyer.officer, contract.id, await iteration(db)), NextStepOther)
    await refused(iterations.draft_next_lot(db, buyer.officer, contract.id), NextStepOther)


async def test_an_iteration_stays_inside_what_was_announced(
    db: AsyncSession, buyer: Council, contract: Contract
) -> None:
    await completed_contract(db, buyer, contract)
    await refused(
        iterations.continue_(db, buyer.officer, contract.id, await iteration(db, "10000.01")), IterationInvalid
    )
    too_long = await iteration(db, duration_days=85)
    await refused(iterations.continue_(db, buyer.officer, contract.id, too_long), IterationInvalid)
    stranger = await council(db, name="Elsewhere Council")
    await refused(iterations.continue_(db, stranger.officer, contract.id, await iteration(db)), ContractNotFound)
    winner = await bidder(db, contract.supplier_id)
    await refused(iterations.continue_(db, winner, contract.id, await iteration(db)), OtherSideNeeded)
    assert (await iterations.continue_(db, buyer.officer, contract.id, await iteration(db, "10000.00"))).number == 2


async def test_a_mistake_or_a_missed_date_does_not_cost_the_iteration(
    db: AsyncSession, buyer: Council, contract: Contract
) -> None:
    await completed_contract(db, buyer, contract)
    mistaken = await iterations.continue_(db, buyer.officer, contract.id, await iteration(db, "950.00"))
    mended = await iterations.continue_(db, buyer.officer, contract.id, await iteration(db))
    assert (mistaken.status, mended.status) == (ContractStatus.TERMINATED, ContractStatus.PENDING)
    assert await entries(db, mistaken.id) == ["contract.drawn", "contract.dropped"]
    await contracts.sign(db, buyer.approver, mended.id, mended.digest)
    await refused(iterations.continue_(db, buyer.officer, contract.id, await iteration(db)), IterationTaken)
    await move_clock(db, mended.sign_by)
    third = await iterations.continue_(db, buyer.officer, contract.id, await iteration(db))
    assert (mended.status, third.number) == (ContractStatus.TERMINATED, 2)
    await signed_contract(db, buyer, third)
    await refused(iterations.continue_(db, buyer.officer, contract.id, await iteration(db)), IterationTaken)
    await refused(contracts.sign(db, buyer.approver, mended.id, mended.digest), ContractStateWrong)
    assert await committed(db, contract) == "20550.00"


async def test_who_drew_a_further_contract_up_does_not_sign_it(
    db: AsyncSession, buyer: Council, contract: Contract
) -> None:
    await completed_contract(db, buyer, contract)
    both = await seat(db, buyer.organisation, Role.OFFICER, Role.APPROVER)
    second = await iterations.continue_(db, both, contract.id, await iteration(db))
    assert recorded(await refused(contracts.sign(db, both, second.id, second.digest), SamePerson))


async def test_what_was_signed_for_an_iteration_has_used_it_up_however_it_ended(
    db: AsyncSession, buyer: Council, contract: Contract
) -> None:
    await completed_contract(db, buyer, contract)
    second = await iterations.continue_(db, buyer.officer, contract.id, await iteration(db))
    await signed_contract(db, buyer, second)
    await move_clock(db, await clock.now(db) + timedelta(days=60))
    await endings.terminate(db, buyer.approver, second.id, "Enough.")
    assert await committed(db, contract) == "11050.00"
    await refused(iterations.continue_(db, buyer.officer, contract.id, await iteration(db)), IterationTaken)
    await refused(change(db, buyer, contract), IterationTaken)
    await refused(change(db, buyer, second), ContractStateWrong)


async def test_going_on_takes_an_outcome_that_goes_on(db: AsyncSession, buyer: Council, contract: Contract) -> None:
    await completed_contract(db, buyer, contract)
    await ended_all_the_same(db, contract.outcome_id)
    await refused(iterations.continue_(db, buyer.officer, contract.id, await iteration(db)), OutcomeNotActive)
    await change(db, buyer, contract, "pivot")
    await refused(iterations.draft_next_lot(db, buyer.officer, contract.id), OutcomeNotActive)


# Letting go.


async def change(db: AsyncSession, buyer: Council, contract: Contract, to: Literal["pivot", "stop"] = "stop") -> None:
    await iterations.change_next_step(db, buyer.officer, contract.id, NextStepChange(to, "The need has gone."))


@pytest.mark.parametrize("to", ["pivot", "stop"])
async def test_an_iteration_that_is_given_up_returns_to_the_envelope(
    db: AsyncSession, buyer: Council, contract: Contract, to: Literal["pivot", "stop"]
) -> None:
    await refused(change(db, buyer, contract, to), ContractStateWrong)
    await completed_contract(db, buyer, contract)
    assert await committed(db, contract) == "21050.00"
    version = contract.version
    await change(db, buyer, contract, to)
    assert (contract.next_step, contract.status, contract.version) == (
        NextStep(to),
        ContractStatus.COMPLETED,
        version + 1,
    )
    assert await committed(db, contract) == "11050.00"
    await refused(iterations.continue_(db, buyer.officer, contract.id, await iteration(db)), NextStepOther)
    entry = (await db.scalars(select(JournalEntry).where(JournalEntry.type == "contract.next_step_changed"))).one()
    assert (entry.is_public, entry.digest, entry.object_version) == (True, digest(facts(contract)), contract.version)
    told = json.loads(entry.payload)
    assert (told["previous_step"], told["next_step"], told["reason"]) == ("continue", to, "The need has gone.")


async def test_a_pivot_may_still_become_a_stop_and_a_stop_stays(
    db: AsyncSession, buyer: Council, contract: Contract
) -> None:
    await completed_contract(db, buyer, contract, NextStep.PIVOT)
    await refused(change(db, buyer, contract, "pivot"), NextStepOther)
    following = await iterations.draft_next_lot(db, buyer.officer, contract.id)
    await refused(change(db, buyer, contract), NextLotDrafted)
    await lots.cancel(db, buyer.approver, following.id, "The need has gone.")
    await change(db, buyer, contract)
    for step in ("pivot", "stop"):
        await refused(change(db, buyer, contract, step), NextStepOther)
    await refused(iterations.draft_next_lot(db, buyer.officer, contract.id), NextStepOther)


async def test_a_further_contract_is_dropped_with_its_iteration_unless_somebody_relies_on_it(
    db: AsyncSession, buyer: Council, contract: Contract
) -> None:
    await completed_contract(db, buyer, contract)
    second = await iterations.continue_(db, buyer.officer, contract.id, await iteration(db))
    winner = await bidder(db, contract.supplier_id)
    await contracts.sign(db, winner, second.id, second.digest)
    await refused(change(db, buyer, contract), IterationTaken)
    assert (contract.next_step, await committed(db, contract)) == (NextStep.CONTINUE, "21050.00")
    await move_clock(db, second.sign_by)
    await change(db, buyer, contract)
    assert (second.status, second.end_reason) == (ContractStatus.TERMINATED, "The iteration was given up.")
    assert await entries(db, second.id) == ["contract.drawn", "contract.signed", "contract.dropped"]
    await refused(contracts.sign(db, buyer.approver, second.id, second.digest), ContractStateWrong)
    assert await committed(db, contract) == "11050.00"


async def test_only_a_person_of_the_buyer_lets_go(db: AsyncSession, buyer: Council, contract: Contract) -> None:
    await completed_contract(db, buyer, contract)
    given_up = NextStepChange("stop", "The need has gone.")
    stranger = await council(db, name="Elsewhere Council")
    service = Actor(organisation_id=buyer.organisation.id, kind=buyer.organisation.kind, client_id=uuid4())
    winner = await bidder(db, contract.supplier_id)
    for actor, fact in ((stranger.officer, ContractNotFound), (winner, OtherSideNeeded), (service, PersonNeeded)):
        await refused(iterations.change_next_step(db, actor, contract.id, given_up), fact)
    await iterations.change_next_step(db, buyer.service_owner, contract.id, given_up)

"""What an award's verbs leave in the database: effect and journal entry together, or nothing."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from build import (
    Council,
    active_outcome,
    approved_award,
    awarded_lot,
    bidder,
    council,
    evaluated_covered_lot,
    evaluated_lot,
    move_clock,
    opened_lot,
    recommended_award,
    seated_panel,
    supplier,
)
from procure.awards import service as awards
from procure.awards.errors import (
    AssessmentNotFound,
    AwardInvalid,
    AwardNotApproved,
    AwardNotFound,
    AwardNotRecommended,
    AwardPending,
    BidLapsed,
    EvaluationOpen,
    NotNextInRank,
)
from procure.awards.models import Award, facts
from procure.awards.rules import AwardStatus
from procure.awards.schemas import Recommendation
from procure.bids import service as bids
from procure.bids.models import Bid
from procure.bids.rules import BidStatus
from procure.evaluation import service as evaluation
from procure.journal.models import JournalEntry
from procure.kit import clock
from procure.kit.actor import ANYONE, Actor, PersonNeeded, SamePerson
from procure.kit.canonical import digest
from procure.lots import service as lots
from procure.lots.errors import LotNotFound, LotStateWrong
from procure.lots.models import Lot
from procure.lots.rules import LotStatus
from procure.lots.schemas import Notice
from procure.organisations.rules import Nation
from procure.outcomes import service as outcomes
from procure.outcomes.models import Outcome
from procure.policy.rules import Band
from procure.policy.working_days import standstill_end
from procure.vault.keyring import FileKeyring


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


@pytest.fixture
async def lot(db: AsyncSession, buyer: Council, vault: FileKeyring) -> Lot:
    """Evaluated: the bid of 11,050.00 before that of 9,000.00."""
    return await evaluated_lot(db, buyer, vault)


async def ranked(db: AsyncSession, lot: Lot) -> list[Bid]:
    return [await bids.get_bid(db, one.bid_id) for one in await evaluation.ranking_of(db, lot.id)]


async def entries(db: AsyncSession, award: Award) -> list[str]:
    statement = select(JournalEntry.type).where(JournalEntry.object_id == award.id).order_by(JournalEntry.id)
    return list(await db.scalars(statement))


def recommendation(bid: Bid) -> Recommendation:
    return Recommendation(bid.id, "First in the ranking.")


async def test_one_person_recommends_the_best_bid_and_another_approves_it(
    db: AsyncSession, buyer: Council, lot: Lot
) -> None:
    best, other = await ranked(db, lot)
    award = await awards.recommend(db, buyer.officer, lot.id, recommendation(best))
    assert (award.status, award.bid_id, f"{award.value:f}") == (AwardStatus.RECOMMENDED, best.id, "11050.00")
    assert (lot.status, award.standstill_ends_at) == (LotStatus.EVALUATING, None)
    await awards.approve(db, buyer.approver, award.id)
    assert (award.status, award.decided_by) == (AwardStatus.APPROVED, buyer.approver.person_id)
    # A small lot has no standstill: the contract may be signed at once.
    assert award.standstill_ends_at == award.decided_at
    assert (lot.status, best.status, other.status) == (LotStatus.AWARDED, BidStatus.AWARDED, BidStatus.OPENED)
    assert await entries(db, award) == ["award.recommended", "award.approved"]


async def test_a_recommendation_is_the_buyers_own_and_an_approved_award_everybodys(
    db: AsyncSession, buyer: Council, lot: Lot
) -> None:
    award = await recommended_award(db, buyer, lot)
    strangers = [ANYONE, await supplier(db), (await council(db, name="Elsewhere Council")).officer]
    for stranger in strangers:
        with pytest.raises(AwardNotFound):
            await awards.find_award(db, stranger, award.id)
    await awards.approve(db, buyer.approver, award.id)
    for stranger in strangers:
        seen = await awards.view(db, stranger, await awards.find_award(db, stranger, award.id))
        assert seen.internal is None
    own = await awards.view(db, buyer.auditor, await awards.find_award(db, buyer.auditor, award.id))
    assert own.internal is not None
    assert own.internal.reason == "First in the ranking."


async def test_only_the_buyer_acts_on_its_awards(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    award = await recommended_award(db, buyer, lot)
    other = await council(db, name="Elsewhere Council")
    with pytest.raises(LotNotFound):
        await awards.recommend(db, other.officer, lot.id, recommendation((await ranked(db, lot))[0]))
    for act in (awards.approve(db, other.approver, award.id), awards.refuse(db, other.approver, award.id, "No.")):
        with pytest.raises(AwardNotFound):
            await act
    await awards.approve(db, buyer.approver, award.id)
    with pytest.raises(AwardNotFound):
        await awards.withdraw(db, other.approver, award.id, "No.")


async def test_who_recommended_does_not_decide_and_the_attempt_is_recorded(
    db: AsyncSession, buyer: Council, lot: Lot
) -> None:
    best = (await ranked(db, lot))[0]
    award = await awards.recommend(db, buyer.approver, lot.id, recommendation(best))
    for act in (awards.approve(db, buyer.approver, award.id), awards.refuse(db, buyer.approver, award.id, "No.")):
        with pytest.raises(SamePerson) as caught:
            await act
        assert caught.value.refusal is not None
    await awards.approve(db, buyer.second_approver, award.id)
    with pytest.raises(SamePerson):
        await awards.withdraw(db, buyer.approver, award.id, "No.")


async def test_a_service_client_neither_recommends_nor_decides(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    service = Actor(organisation_id=buyer.organisation.id, kind=buyer.organisation.kind, client_id=uuid4())
    with pytest.raises(PersonNeeded):
        await awards.recommend(db, service, lot.id, recommendation((await ranked(db, lot))[0]))
    award = await recommended_award(db, buyer, lot)
    for act in (
        awards.approve(db, service, award.id),
        awards.refuse(db, service, award.id, "No."),
        awards.no_award(db, service, lot.id, "No."),
    ):
        with pytest.raises(PersonNeeded):
            await act


async def test_nothing_is_recommended_before_the_panel_has_concluded(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot = await opened_lot(db, buyer, vault)
    await seated_panel(db, buyer, lot)
    bid = (await bids.opened_bids(db, lot.id))[0]
    with pytest.raises(EvaluationOpen):
        await awards.recommend(db, buyer.officer, lot.id, recommendation(bid))


async def test_a_bid_that_missed_a_minimum_or_is_another_lots_can_not_win(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot = await evaluated_lot(db, buyer, vault, quality=(4, 1))  # the lot asks for 2
    below = (await ranked(db, lot))[1]
    for bid_id in (below.id, uuid4()):
        with pytest.raises(AwardInvalid) as caught:
            await awards.recommend(db, buyer.officer, lot.id, Recommendation(bid_id, "Cheaper."))
        assert [fault.pointer for fault in caught.value.faults] == ["/bid_id"]


async def test_a_refused_recommendation_is_made_again_or_gives_way_to_the_next_in_rank(
    db: AsyncSession, buyer: Council, lot: Lot
) -> None:
    best, other = await ranked(db, lot)
    with pytest.raises(NotNextInRank):
        await awards.recommend(db, buyer.officer, lot.id, recommendation(other))
    award = await awards.recommend(db, buyer.officer, lot.id, recommendation(best))
    for bid in (best, other):
        with pytest.raises(AwardPending):
            await awards.recommend(db, buyer.officer, lot.id, recommendation(bid))
    await awards.refuse(db, buyer.approver, award.id, "Say how the price was checked.")
    assert (award.status, award.decision_reason) == (AwardStatus.REFUSED, "Say how the price was checked.")
    assert lot.status is LotStatus.EVALUATING
    with pytest.raises(AwardNotRecommended):
        await awards.approve(db, buyer.second_approver, award.id)
    again = await awards.recommend(db, buyer.officer, lot.id, recommendation(best))
    await awards.refuse(db, buyer.approver, again.id, "Not convincing.")
    third = await awards.recommend(db, buyer.officer, lot.id, recommendation(other))
    assert third.status is AwardStatus.RECOMMENDED


async def test_a_withdrawn_award_gives_the_next_in_rank_its_turn(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    best, other = await ranked(db, lot)
    award = await approved_award(db, buyer, lot)
    await awards.withdraw(db, buyer.second_approver, award.id, "The winner did not sign.")
    assert (award.status, lot.status, best.status) == (AwardStatus.WITHDRAWN, LotStatus.EVALUATING, BidStatus.OPENED)
    assert await entries(db, award) == ["award.recommended", "award.approved", "award.withdrawn"]
    with pytest.raises(AwardNotApproved):
        await awards.withdraw(db, buyer.second_approver, award.id, "Again.")
    with pytest.raises(NotNextInRank):
        await awards.recommend(db, buyer.officer, lot.id, recommendation(best))
    second = await awards.recommend(db, buyer.officer, lot.id, recommendation(other))
    await awards.approve(db, buyer.approver, second.id)
    assert (lot.status, other.status) == (LotStatus.AWARDED, BidStatus.AWARDED)


async def test_an_evaluated_lot_can_end_without_an_award(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    best, other = await ranked(db, lot)
    award = await recommended_award(db, buyer, lot)
    with pytest.raises(AwardPending):
        await awards.no_award(db, buyer.approver, lot.id, "None convinced.")
    await awards.refuse(db, buyer.approver, award.id, "None convinces.")
    with pytest.raises(SamePerson) as caught:
        await awards.no_award(db, buyer.officer, lot.id, "None convinced.")  # the officer prepared the lot
    assert caught.value.refusal is not None
    await awards.no_award(db, buyer.approver, lot.id, "None convinced.")
    assert (lot.status, lot.end_reason) == (LotStatus.UNSUCCESSFUL, "None convinced.")
    assert (best.status, other.status) == (BidStatus.UNSUCCESSFUL, BidStatus.UNSUCCESSFUL)
    outcome = await db.get_one(Outcome, lot.outcome_id)
    assert (await outcomes.ledger(db, outcome)).committed.amount == "0.00"
    with pytest.raises(LotStateWrong):
        await awards.recommend(db, buyer.officer, lot.id, recommendation(best))


async def test_an_awarded_lot_does_not_end_without_its_award_being_withdrawn(
    db: AsyncSession, buyer: Council, lot: Lot
) -> None:
    await approved_award(db, buyer, lot)
    with pytest.raises(LotStateWrong):
        await awards.no_award(db, buyer.approver, lot.id, "None convinced.")


async def test_a_cancelled_lot_is_not_awarded(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    award = await recommended_award(db, buyer, lot)
    await lots.cancel(db, buyer.approver, lot.id, "The need has gone.")
    with pytest.raises(LotStateWrong):
        await awards.approve(db, buyer.second_approver, award.id)
    assert award.status is AwardStatus.RECOMMENDED


async def test_bids_whose_validity_is_over_bind_nobody(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    award = await recommended_award(db, buyer, lot)
    await move_clock(db, lot.closes_at + timedelta(days=lot.validity_days + 1))
    with pytest.raises(BidLapsed):
        await awards.approve(db, buyer.approver, award.id)
    await awards.refuse(db, buyer.approver, award.id, "Too late.")
    with pytest.raises(BidLapsed):
        await awards.recommend(db, buyer.officer, lot.id, recommendation((await ranked(db, lot))[0]))


async def test_a_notifiable_award_may_be_signed_once_its_notice_is_recorded(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    outcome = await active_outcome(db, buyer, envelope={"amount": "30000.00", "currency": "GBP"})
    lot = await evaluated_lot(db, buyer, vault, outcome)
    assert lot.band is Band.NOTIFIABLE
    award = await recommended_award(db, buyer, lot)
    await awards.approve(db, buyer.approver, award.id)
    assert award.standstill_ends_at is None
    published_at = await clock.now(db)
    await awards.record_notice(db, buyer.officer, award.id, Notice("2026/S 1", "ocds-h6vhtk-1", published_at))
    assert award.standstill_ends_at == published_at
    assert await entries(db, award) == ["award.recommended", "award.approved", "award.notice_recorded"]


async def test_the_standstill_of_a_covered_award_runs_in_working_days_from_its_notice(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot = await evaluated_covered_lot(db, buyer, vault)
    award = await recommended_award(db, buyer, lot)
    await awards.approve(db, buyer.approver, award.id)
    assert award.standstill_ends_at is None
    published_at = await clock.now(db)
    await awards.record_notice(db, buyer.officer, award.id, Notice("2026/S 1", "ocds-h6vhtk-1", published_at))
    assert (
        award.standstill_ends_at == standstill_end(published_at, 8, Nation.ENGLAND) > published_at + timedelta(days=7)
    )
    # A correction is recorded, and the standstill runs from it.
    later = published_at + timedelta(days=3)
    await move_clock(db, later)
    await awards.record_notice(db, buyer.officer, award.id, Notice("2026/S 2", "ocds-h6vhtk-2", later))
    assert award.standstill_ends_at == standstill_end(later, 8, Nation.ENGLAND)


async def test_a_notice_that_nobody_asks_for_moves_no_standstill(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    award = await approved_award(db, buyer, lot)
    ends_at = award.standstill_ends_at
    await awards.record_notice(db, buyer.officer, award.id, Notice("2026/S 1", "ocds-h6vhtk-1", await clock.now(db)))
    assert (award.notice_id, award.standstill_ends_at) == ("2026/S 1", ends_at)


async def test_a_notice_is_neither_of_the_future_nor_older_than_the_approval(
    db: AsyncSession, buyer: Council, lot: Lot
) -> None:
    award = await recommended_award(db, buyer, lot)
    with pytest.raises(AwardNotApproved):
        await awards.record_notice(
            db, buyer.officer, award.id, Notice("2026/S 1", "ocds-h6vhtk-1", await clock.now(db))
        )
    await awards.approve(db, buyer.approver, award.id)
    now = await clock.now(db)
    for at, code in ((now + timedelta(minutes=1), "in-future"), (now - timedelta(days=1), "before-approval")):
        with pytest.raises(AwardInvalid) as caught:
            await awards.record_notice(db, buyer.officer, award.id, Notice("2026/S 1", "ocds-h6vhtk-1", at))
        assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/published_at", code)]


async def test_every_entry_carries_the_digest_of_the_award_as_it_is_in_the_database(
    db: AsyncSession, buyer: Council, lot: Lot
) -> None:
    award = await approved_award(db, buyer, lot)
    await db.refresh(award)
    statement = select(JournalEntry).where(JournalEntry.object_id == award.id).order_by(JournalEntry.id.desc())
    last = (await db.scalars(statement)).first()
    assert last is not None
    assert (last.digest, last.object_version, last.is_public) == (digest(facts(award)), award.version, True)


async def test_each_bidder_reads_its_own_assessment_and_the_winners_totals(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot, award = await awarded_lot(db, buyer, vault, totals=("11050.00", "9000.00", "8000.00"), quality=(5, 3, 1))
    seen = [await awards.assessment(db, await bidder(db, bid.supplier_id), award.id) for bid in await ranked(db, lot)]
    assert [one.is_winner for one in seen] == [True, False, False]
    for own in seen:
        assert (own.winner.supplier.name, own.winner.value.amount) == ("Bidder of 11050.00", "11050.00")
        assert sum(Decimal(one.points) for one in own.criteria) == Decimal(own.total_points)
    # A middle bidder learns nothing of the one below it.
    assert "Bidder of 8000.00" not in str(seen[1])
    last = seen[-1]
    quality = last.criteria[0]
    assert (last.is_below_minimum, quality.score, quality.points) == (True, 1, "12.0000")
    assert quality.rationale == "As 1 of 5 reads."


async def test_nobody_else_reads_an_assessment(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    award = await recommended_award(db, buyer, lot)
    best = (await ranked(db, lot))[0]
    with pytest.raises(AwardNotFound):
        await awards.assessment(db, await bidder(db, best.supplier_id), award.id)  # before approval
    await awards.approve(db, buyer.approver, award.id)
    for stranger in (await supplier(db), buyer.officer):
        with pytest.raises(AssessmentNotFound):
            await awards.assessment(db, stranger, award.id)

"""Panel, scores alone and together, ranking: what the verbs leave in the database, who sees what when, and what is refused."""

import hashlib
import json
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from build import (
    Council,
    active_outcome,
    council,
    evaluated_lot,
    opened_lot,
    panel_document,
    published_lot,
    score_document,
    scored_lot,
    seat,
    seated_panel,
    supplier,
)
from procure.bids import service as bids
from procure.evaluation import service as evaluation
from procure.evaluation.errors import (
    AlreadyConcluded,
    AlreadyLocked,
    ConsensusIncomplete,
    DeclarationFinal,
    InterestsNotDeclared,
    MemberRecused,
    NotChair,
    NothingToRank,
    NotOnPanel,
    PanelClosed,
    PanelInsufficient,
    PanelInvalid,
    RankingNotFound,
    ScoresIncomplete,
    ScoresInvalid,
    ScoresNotLocked,
)
from procure.evaluation.models import RankedBid, Score
from procure.evaluation.schemas import Declaration, PanelDraft, ScoreSheet
from procure.identity.models import Membership
from procure.identity.rules import MembershipStatus
from procure.journal.models import JournalEntry, JournalPersonal
from procure.kit.actor import Actor, PersonNeeded, Role, require_person
from procure.kit.body import convert
from procure.lots import service as lots
from procure.lots.errors import LotNotFound, LotStateWrong
from procure.lots.models import Lot
from procure.lots.rules import LotStatus
from procure.vault.keyring import FileKeyring

FREE, CONFLICT = Declaration(False, "None."), Declaration(True, "My sister works for one of them.")
TOTALS = ("11050.00", "9000.00")


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


@pytest.fixture
async def lot(db: AsyncSession, buyer: Council, vault: FileKeyring) -> Lot:
    """Opened, two bids, nobody on its panel."""
    return await opened_lot(db, buyer, vault, totals=TOTALS)


async def sheet(db: AsyncSession, lot: Lot, quality: tuple[int, ...] = (4, 3)) -> ScoreSheet:
    by_total = {f"{bid.total:f}": bid for bid in await bids.opened_bids(db, lot.id)}
    return convert(score_document(lot, [by_total[total] for total in TOTALS], quality), ScoreSheet)


def panel(*members: tuple[Actor, str]) -> PanelDraft:
    """The first of these is chair."""
    document = [
        {"person_id": str(one.person_id), "discipline": discipline, "is_chair": index == 0}
        for index, (one, discipline) in enumerate(members)
    ]
    return convert({"members": document}, PanelDraft)


async def last(db: AsyncSession, type_: str) -> JournalEntry:
    statement = select(JournalEntry).where(JournalEntry.type == type_).order_by(JournalEntry.id.desc()).limit(1)
    return (await db.scalars(statement)).one()


# --- panel ----------------------------------------------------------------------------------------------------------


async def test_an_officer_sets_the_panel_before_the_deadline_or_after_the_opening(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot = await published_lot(db, buyer, vault)
    version = lot.version
    view = await evaluation.set_panel(db, buyer.officer, lot.id, convert(panel_document(buyer), PanelDraft))
    assert [(one.person_id, one.is_chair) for one in view.members] == sorted(
        [(buyer.designer.person_id, True), (buyer.engineer.person_id, False)]
    )
    assert (view.lacks, view.is_complete) == ([], False)
    assert lot.version == version, "bids confirm the lot's version, which a panel does not change"
    entry = await last(db, "panel.set")
    assert (entry.person_id, entry.is_public) == (buyer.officer.person_id, False)


async def test_members_are_persons_who_are_evaluators_of_the_buyer_now(
    db: AsyncSession, buyer: Council, lot: Lot
) -> None:
    elsewhere = await council(db, name="Elsewhere Council")
    gone = await seat(db, buyer.organisation, Role.EVALUATOR)
    membership = (await db.scalars(select(Membership).where(Membership.person_id == gone.person_id))).one()
    membership.move_to(MembershipStatus.ENDED)
    await db.flush()
    strangers = [elsewhere.designer, buyer.officer, await supplier(db), gone]
    with pytest.raises(PanelInvalid) as caught:
        await evaluation.set_panel(
            db, buyer.officer, lot.id, panel((buyer.designer, "design"), *((one, "law") for one in strangers))
        )
    assert [fault.pointer for fault in caught.value.faults] == [f"/members/{n}/person_id" for n in (1, 2, 3, 4)]


async def test_another_buyers_officer_knows_no_such_lot_to_evaluate(db: AsyncSession, lot: Lot) -> None:
    elsewhere = await council(db, name="Elsewhere Council")
    with pytest.raises(LotNotFound):
        await evaluation.set_panel(db, elsewhere.officer, lot.id, panel((elsewhere.designer, "design")))
    for read in (evaluation.find_panel, evaluation.find_scores, evaluation.find_ranking):
        with pytest.raises(LotNotFound):
            await read(db, elsewhere.officer, lot.id)


async def test_a_member_is_replaced_on_the_record_even_after_others_have_locked(
    db: AsyncSession, buyer: Council, lot: Lot
) -> None:
    await seated_panel(db, buyer, lot)
    await evaluation.score(db, buyer.designer, lot.id, await sheet(db, lot))
    await evaluation.lock_scores(db, buyer.designer, lot.id)
    stand_in = await seat(db, buyer.organisation, Role.EVALUATOR)
    view = await evaluation.set_panel(
        db, buyer.officer, lot.id, panel((buyer.designer, "service design"), (stand_in, "engineering"))
    )
    assert {one.person_id for one in view.members} == {buyer.designer.person_id, stand_in.person_id}
    assert json.loads((await last(db, "panel.set")).payload)["removed"] == [str(buyer.engineer.person_id)]
    with pytest.raises(NotOnPanel):
        await evaluation.score(db, buyer.engineer, lot.id, await sheet(db, lot))
    with pytest.raises(InterestsNotDeclared):
        await evaluation.score(db, stand_in, lot.id, await sheet(db, lot))
    with pytest.raises(PanelInvalid):  # who has locked stays
        await evaluation.set_panel(
            db, buyer.officer, lot.id, panel((buyer.engineer, "engineering"), (stand_in, "service design"))
        )


async def test_once_all_have_locked_the_panel_is_closed(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    await seated_panel(db, buyer, lot)
    await scored_lot(db, buyer, lot, TOTALS, (4, 3))
    with pytest.raises(PanelClosed):
        await evaluation.set_panel(db, buyer.officer, lot.id, convert(panel_document(buyer), PanelDraft))


async def test_a_lot_that_has_ended_has_no_panel_set(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    await lots.cancel(db, buyer.approver, lot.id, "The need has gone.")
    with pytest.raises(LotStateWrong):
        await evaluation.set_panel(db, buyer.officer, lot.id, convert(panel_document(buyer), PanelDraft))


# --- declarations ---------------------------------------------------------------------------------------------------


async def test_a_declarations_words_are_kept_apart_and_read_by_few(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    await seated_panel(db, buyer, lot)
    await evaluation.declare(db, buyer.engineer, lot.id, CONFLICT)
    entry = await last(db, "interests.declared")
    assert "sister" not in entry.payload
    assert (
        b"sister" in (await db.scalars(select(JournalPersonal.data).where(JournalPersonal.entry_id == entry.id))).one()
    )
    for reader, told in ((buyer.officer, True), (buyer.auditor, True), (buyer.engineer, True), (buyer.designer, False)):
        seen = {one.person_id: one for one in (await evaluation.find_panel(db, reader, lot.id)).members}
        assert seen[require_person(buyer.engineer)].has_conflict
        assert (seen[require_person(buyer.engineer)].declaration is not None) == told


async def test_a_conflict_recuses_for_good_and_the_officer_completes_the_panel(
    db: AsyncSession, buyer: Council, lot: Lot
) -> None:
    await seated_panel(db, buyer, lot)
    await evaluation.score(db, buyer.designer, lot.id, await sheet(db, lot))
    view = await evaluation.declare(db, buyer.engineer, lot.id, CONFLICT)
    assert len(view.lacks) == 2
    with pytest.raises(DeclarationFinal):
        await evaluation.declare(db, buyer.engineer, lot.id, FREE)
    with pytest.raises(MemberRecused):
        await evaluation.score(db, buyer.engineer, lot.id, await sheet(db, lot))
    with pytest.raises(PanelInsufficient):
        await evaluation.score(db, buyer.designer, lot.id, await sheet(db, lot))
    with pytest.raises(PanelInvalid):
        await evaluation.set_panel(db, buyer.officer, lot.id, convert(panel_document(buyer), PanelDraft))
    stand_in = await seat(db, buyer.organisation, Role.EVALUATOR)
    mended = await evaluation.set_panel(
        db, buyer.officer, lot.id, panel((buyer.designer, "service design"), (stand_in, "engineering"))
    )
    assert mended.lacks == []
    assert {one.person_id: one.has_conflict for one in mended.members}[require_person(buyer.engineer)] is True
    await evaluation.lock_scores(db, buyer.designer, lot.id)


async def test_a_recused_chair_hands_the_chair_on(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    await seated_panel(db, buyer, lot)
    await evaluation.declare(db, buyer.designer, lot.id, CONFLICT)
    stand_in = await seat(db, buyer.organisation, Role.EVALUATOR)
    view = await evaluation.set_panel(
        db, buyer.officer, lot.id, panel((buyer.engineer, "engineering"), (stand_in, "service design"))
    )
    assert [one.person_id for one in view.members if one.is_chair] == [buyer.engineer.person_id]


async def test_only_a_person_on_the_panel_declares(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    await evaluation.set_panel(db, buyer.officer, lot.id, convert(panel_document(buyer), PanelDraft))
    with pytest.raises(NotOnPanel):
        await evaluation.declare(db, await seat(db, buyer.organisation, Role.EVALUATOR), lot.id, FREE)
    with pytest.raises(PersonNeeded):
        await evaluation.declare(db, Actor(buyer.organisation.id, buyer.organisation.kind, uuid4()), lot.id, FREE)


# --- scores, alone --------------------------------------------------------------------------------------------------


async def test_scores_of_others_are_hidden_until_all_have_locked(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    await seated_panel(db, buyer, lot)
    for member, quality in ((buyer.designer, (4, 3)), (buyer.engineer, (2, 5))):
        own = await evaluation.score(db, member, lot.id, await sheet(db, lot, quality))
        assert {one.person_id for one in own.scores} == {member.person_id}
    await evaluation.lock_scores(db, buyer.designer, lot.id)
    for reader, seen in ((buyer.designer, 4), (buyer.engineer, 4), (buyer.officer, 0), (buyer.auditor, 0)):
        view = await evaluation.find_scores(db, reader, lot.id)
        assert (view.is_revealed, len(view.scores)) == (False, seen)
    await evaluation.lock_scores(db, buyer.engineer, lot.id)
    for reader in (buyer.designer, buyer.engineer, buyer.officer, buyer.auditor):
        view = await evaluation.find_scores(db, reader, lot.id)
        assert (view.is_revealed, len(view.scores)) == (True, 8)
    for outsider in (buyer.approver, await seat(db, buyer.organisation, Role.EVALUATOR)):
        with pytest.raises(NotOnPanel):
            await evaluation.find_scores(db, outsider, lot.id)


async def test_a_recused_members_scores_are_never_shown_nor_counted(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    third = await seat(db, buyer.organisation, Role.EVALUATOR)
    members = ((buyer.designer, "service design"), (buyer.engineer, "engineering"), (third, "law"))
    await evaluation.set_panel(db, buyer.officer, lot.id, panel(*members))
    for member, _ in members:
        await evaluation.declare(db, member, lot.id, FREE)
        await evaluation.score(db, member, lot.id, await sheet(db, lot))
    await evaluation.lock_scores(db, third, lot.id)
    await evaluation.declare(db, third, lot.id, CONFLICT)  # found late, after locking
    for member in (buyer.designer, buyer.engineer):
        await evaluation.lock_scores(db, member, lot.id)
    view = await evaluation.find_scores(db, buyer.officer, lot.id)
    assert view.is_revealed
    assert {one.person_id for one in view.scores} == {buyer.designer.person_id, buyer.engineer.person_id}
    with pytest.raises(MemberRecused):
        await evaluation.find_scores(db, third, lot.id)


async def test_a_score_is_replaced_by_the_next_one_and_the_same_twice_is_the_same(
    db: AsyncSession, buyer: Council, lot: Lot
) -> None:
    await seated_panel(db, buyer, lot)
    whole = await sheet(db, lot)
    first = await evaluation.score(db, buyer.designer, lot.id, whole)
    again = await evaluation.score(db, buyer.designer, lot.id, whole)
    assert [(one.bid_id, one.criterion_id, one.score) for one in first.scores] == [
        (one.bid_id, one.criterion_id, one.score) for one in again.scores
    ]
    one = ScoreSheet(
        [convert({**score_of(whole), "score": 0, "rationale": "On second thoughts."}, type(whole.scores[0]))]
    )
    changed = await evaluation.score(db, buyer.designer, lot.id, one)
    assert len(changed.scores) == len(first.scores)
    assert [each.rationale for each in changed.scores if each.score == 0] == ["On second thoughts."]


def score_of(whole: ScoreSheet) -> dict[str, object]:
    entry = whole.scores[0]
    return {"bid_id": str(entry.bid_id), "criterion_id": entry.criterion_id}


async def test_what_is_scored_is_the_lots_and_all_faults_are_told(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    await seated_panel(db, buyer, lot)
    opened = await bids.opened_bids(db, lot.id)
    entry = {"score": 3, "rationale": "Because."}
    wrong = [
        {"bid_id": str(uuid4()), "criterion_id": "C1", **entry},
        {"bid_id": str(opened[0].id), "criterion_id": "C2", **entry},  # price is worked out
        {"bid_id": str(opened[0].id), "criterion_id": "C1", **entry},
        {"bid_id": str(opened[0].id), "criterion_id": "C1", **entry},
    ]
    with pytest.raises(ScoresInvalid) as caught:
        await evaluation.score(db, buyer.designer, lot.id, convert({"scores": wrong}, ScoreSheet))
    assert [fault.pointer for fault in caught.value.faults] == [
        "/scores/0/bid_id",
        "/scores/1/criterion_id",
        "/scores/3",
    ]
    assert (await db.scalars(select(Score))).all() == []


async def test_scores_are_locked_once_they_are_complete_and_change_no_more(
    db: AsyncSession, buyer: Council, lot: Lot
) -> None:
    await seated_panel(db, buyer, lot)
    whole = await sheet(db, lot)
    await evaluation.score(db, buyer.designer, lot.id, ScoreSheet(whole.scores[:1]))
    with pytest.raises(ScoresIncomplete) as caught:
        await evaluation.lock_scores(db, buyer.designer, lot.id)
    assert {fault.pointer for fault in caught.value.faults} == {
        f"/scores/{one.bid_id}/{one.criterion_id}" for one in whole.scores[1:]
    }
    await evaluation.score(db, buyer.designer, lot.id, whole)
    await evaluation.lock_scores(db, buyer.designer, lot.id)
    for again in (
        evaluation.score(db, buyer.designer, lot.id, whole),
        evaluation.lock_scores(db, buyer.designer, lot.id),
    ):
        with pytest.raises(AlreadyLocked):
            await again
    entry = await last(db, "scores.locked")
    assert entry.digest is not None


async def test_the_journal_tells_nobody_else_what_or_how_far_a_member_has_scored(
    db: AsyncSession, buyer: Council, lot: Lot
) -> None:
    await seated_panel(db, buyer, lot)
    await evaluation.score(db, buyer.designer, lot.id, await sheet(db, lot))
    entry = await last(db, "scores.recorded")
    assert (entry.audience_organisations, entry.audience_persons) == ([], [buyer.designer.person_id])
    assert "rationale" not in entry.payload
    assert 'score"' not in entry.payload


async def test_nobody_scores_without_a_panel_or_before_the_opening(
    db: AsyncSession, buyer: Council, lot: Lot, vault: FileKeyring
) -> None:
    with pytest.raises(NotOnPanel):
        await evaluation.score(db, buyer.designer, lot.id, await sheet(db, lot))
    await seated_panel(db, buyer, lot)
    portal = Actor(buyer.organisation.id, buyer.organisation.kind, uuid4(), roles=frozenset({Role.EVALUATOR}))
    with pytest.raises(PersonNeeded):
        await evaluation.score(db, portal, lot.id, await sheet(db, lot))
    money = {"amount": "1000.00", "currency": "GBP"}
    other = await active_outcome(db, buyer)
    unopened = await published_lot(db, buyer, vault, other, further_iterations={"count": 1, "ceiling": money})
    await seated_panel(db, buyer, unopened)
    with pytest.raises(LotStateWrong):
        await evaluation.score(db, buyer.designer, unopened.id, await sheet(db, lot))


# --- scores, together -----------------------------------------------------------------------------------------------


async def test_the_chair_alone_records_the_consensus_once_all_have_locked(
    db: AsyncSession, buyer: Council, lot: Lot
) -> None:
    await seated_panel(db, buyer, lot)
    whole = await sheet(db, lot)
    for member in (buyer.designer, buyer.engineer):
        await evaluation.score(db, member, lot.id, whole)
    await evaluation.lock_scores(db, buyer.designer, lot.id)
    with pytest.raises(ScoresNotLocked):
        await evaluation.record_consensus(db, buyer.designer, lot.id, whole)
    await evaluation.lock_scores(db, buyer.engineer, lot.id)
    with pytest.raises(NotChair):
        await evaluation.record_consensus(db, buyer.engineer, lot.id, whole)
    view = await evaluation.record_consensus(db, buyer.designer, lot.id, whole)
    assert {(one.bid_id, one.criterion_id, one.score) for one in view.consensus} == {
        (one.bid_id, one.criterion_id, one.score) for one in whole.scores
    }
    with pytest.raises(DeclarationFinal):
        await evaluation.declare(db, buyer.engineer, lot.id, CONFLICT)


async def test_the_evaluation_is_concluded_once_its_consensus_is_complete(
    db: AsyncSession, buyer: Council, lot: Lot
) -> None:
    await seated_panel(db, buyer, lot)
    whole = await sheet(db, lot)
    for member in (buyer.designer, buyer.engineer):
        await evaluation.score(db, member, lot.id, whole)
        await evaluation.lock_scores(db, member, lot.id)
    await evaluation.record_consensus(db, buyer.designer, lot.id, ScoreSheet(whole.scores[1:]))
    with pytest.raises(ConsensusIncomplete) as caught:
        await evaluation.conclude(db, buyer.designer, lot.id)
    missing = whole.scores[0]
    assert [fault.pointer for fault in caught.value.faults] == [f"/scores/{missing.bid_id}/{missing.criterion_id}"]
    await evaluation.record_consensus(db, buyer.designer, lot.id, whole)
    with pytest.raises(NotChair):
        await evaluation.conclude(db, buyer.engineer, lot.id)
    await evaluation.conclude(db, buyer.designer, lot.id)
    assert lot.status is LotStatus.EVALUATING


# --- ranking --------------------------------------------------------------------------------------------------------


async def test_the_ranking_is_stored_told_to_the_buyer_and_recorded_with_every_point(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot = await evaluated_lot(db, buyer, vault, totals=TOTALS, quality=(4, 3))
    ranking = await evaluation.find_ranking(db, buyer.approver, lot.id)
    told = [(one.supplier.name, one.rank, one.quality, one.social_value, one.price, one.total) for one in ranking.bids]
    assert told == [
        # 30 * 9000 / 11050 = 24.43438...
        ("Bidder of 11050.00", 1, "48.0000", "8.0000", "24.4344", "80.4344"),
        ("Bidder of 9000.00", 2, "36.0000", "6.0000", "30.0000", "72.0000"),
    ]
    stored = await evaluation.ranking_of(db, lot.id)
    assert [(one.rank, one.total, one.social_value) for one in stored] == [
        (1, Decimal("80.4344"), Decimal(8)),
        (2, Decimal("72.0000"), Decimal(6)),
    ]
    entry = await last(db, "evaluation.concluded")
    said = json.loads(entry.payload)
    assert [one["total"] for one in said["ranking"]] == ["80.4344", "72.0000"]
    assert (said["root"], len(said["consensus"])) == (ranking.root, 4)
    assert (entry.is_public, entry.audience_organisations, entry.digest is not None) == (False, [lot.buyer_id], True)


async def test_a_concluded_evaluation_stands_as_it_is(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    lot = await evaluated_lot(db, buyer, vault, totals=TOTALS)
    whole = await sheet(db, lot)
    for act in (
        evaluation.conclude(db, buyer.designer, lot.id),
        evaluation.record_consensus(db, buyer.designer, lot.id, whole),
        evaluation.score(db, buyer.designer, lot.id, whole),
        evaluation.lock_scores(db, buyer.designer, lot.id),
        evaluation.set_panel(db, buyer.officer, lot.id, convert(panel_document(buyer), PanelDraft)),
    ):
        with pytest.raises(AlreadyConcluded):
            await act
    assert len((await db.scalars(select(RankedBid).where(RankedBid.lot_id == lot.id))).all()) == 2


async def test_equal_bids_are_drawn_by_the_published_root(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    lot = await opened_lot(db, buyer, vault, totals=("9000.00", "9000.00", "9000.00"))
    await seated_panel(db, buyer, lot)
    opened = await bids.opened_bids(db, lot.id)
    whole = convert(score_document(lot, opened, (3, 3, 3)), ScoreSheet)
    for member in (buyer.designer, buyer.engineer):
        await evaluation.score(db, member, lot.id, whole)
        await evaluation.lock_scores(db, member, lot.id)
    await evaluation.record_consensus(db, buyer.designer, lot.id, whole)
    ranking = await evaluation.conclude(db, buyer.designer, lot.id)
    root = bytes.fromhex(ranking.root)
    drawn = sorted((bid.id for bid in opened), key=lambda one: hashlib.sha256(root + one.bytes).digest())
    assert [one.bid_id for one in ranking.bids] == drawn
    assert [one.rank for one in ranking.bids] == [1, 2, 3]


async def test_below_the_minimum_score_a_bid_is_ranked_nowhere(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot = await evaluated_lot(db, buyer, vault, totals=TOTALS, quality=(3, 1))  # the lot asks for 2 on C1
    stored = await evaluation.ranking_of(db, lot.id)
    assert [one.rank for one in stored] == [1, None]
    assert [one.price for one in stored] == [Decimal(30), Decimal(0)]


async def test_before_the_conclusion_there_is_no_ranking(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    assert await evaluation.ranking_of(db, lot.id) == []
    with pytest.raises(RankingNotFound):
        await evaluation.find_ranking(db, buyer.approver, lot.id)


async def test_without_a_readable_bid_there_is_nothing_to_rank(db: AsyncSession, buyer: Council, lot: Lot) -> None:
    await seated_panel(db, buyer, lot)
    await bids.mark_unsuccessful(db, buyer.approver, lot.id)
    for member in (buyer.designer, buyer.engineer):
        await evaluation.lock_scores(db, member, lot.id)
    with pytest.raises(NothingToRank):
        await evaluation.conclude(db, buyer.designer, lot.id)

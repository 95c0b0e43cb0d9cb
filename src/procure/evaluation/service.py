"""The panel, its scores alone and together, and the ranking.

Every verb takes its lot alone before it looks at panel and scores, so that a panel is never changed, revealed or concluded beside
a score that is being written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import any_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from procure.bids import service as bids
from procure.bids.models import Bid
from procure.evaluation import rules, scoring
from procure.evaluation.errors import NotOnPanel, RankingNotFound
from procure.evaluation.events import (
    Agreed,
    ConsensusRecorded,
    EvaluationConcluded,
    InterestsDeclared,
    PanelSet,
    Ranked,
    ScoresLocked,
    ScoresRecorded,
    Seated,
)
from procure.evaluation.models import Consensus, PanelMember, RankedBid, Score
from procure.evaluation.rules import Seat
from procure.evaluation.schemas import (
    ConsensusView,
    Declaration,
    PanelDraft,
    PanelMemberView,
    PanelView,
    RankedBidView,
    RankingView,
    ScoreSheet,
    ScoresView,
    ScoreView,
)
from procure.identity.models import Membership
from procure.identity.rules import MembershipStatus
from procure.journal import service as journal
from procure.journal.events import Audience, auditors, within
from procure.kit import clock
from procure.kit.actor import Actor, Role, require_person
from procure.kit.canonical import digest
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.lots import service as lots
from procure.lots.models import Lot
from procure.policy.rules import Limits


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A lot with its panel, and whether its bids have been ranked."""

    lot: Lot
    members: Sequence[PanelMember]
    is_concluded: bool

    @property
    def seats(self) -> list[Seat]:
        return [member.seat for member in self.members]

    @property
    def limits(self) -> Limits:
        return self.lot.policy.limits

    @property
    def criteria(self) -> list[str]:
        """Those that the panel scores."""
        return [one.id for one in self.lot.criteria if scoring.is_scored(one.kind)]

    @property
    def is_revealed(self) -> bool:
        return rules.is_complete(self.seats, self.limits)

    def member(self, actor: Actor) -> PanelMember:
        person_id = rules.find_seat(self.seats, require_person(actor)).person_id
        return next(one for one in self.members if one.person_id == person_id)


async def _find(db: AsyncSession, actor: Actor, lot_id: UUID) -> Evaluation:
    return await evaluation_of(db, await lots.find_own_lot(db, actor, lot_id))


async def _lock(db: AsyncSession, actor: Actor, lot_id: UUID) -> Evaluation:
    lot = await lots.find_own_lot(db, actor, lot_id)
    return await evaluation_of(db, await lots.lock_lot(db, lot.id))


async def evaluation_of(db: AsyncSession, lot: Lot) -> Evaluation:
    """The evaluation of a lot that the caller may see or has locked."""
    ranked = await db.scalar(select(RankedBid.bid_id).where(RankedBid.lot_id == lot.id).limit(1))
    return Evaluation(lot, await panel_of(db, lot.id), ranked is not None)


async def panel_of(db: AsyncSession, lot_id: UUID) -> Sequence[PanelMember]:
    """The panel as it is in the database now, in a stable order."""
    statement = select(PanelMember).where(PanelMember.lot_id == lot_id).order_by(PanelMember.person_id)
    return (await db.scalars(statement.execution_options(populate_existing=True))).all()


# The panel.


async def set_panel(
    db: AsyncSession, actor: Actor, lot_id: UUID, data: PanelDraft, *, seen: Seen = UNCONDITIONAL
) -> PanelView:
    """Name the panel, or change it: any time before its members have seen each other's scores.

    Who is left out goes, with two exceptions: a member who has locked stays, and one who is recused stays so, lest a conflict be
    forgotten by naming the same person anew.
    """
    case = await _lock(db, actor, lot_id)
    seen.check(_panel_view(actor, case).etag)
    seats = case.seats
    rules.check_panel_changeable(case.lot.status, seats, case.limits, is_concluded=case.is_concluded)
    wanted = [Seat(person_id=one.person_id, discipline=one.discipline, is_chair=one.is_chair) for one in data.members]
    rules.check_panel(wanted, seats, await _evaluators(db, case.lot.buyer_id, wanted), case.limits)
    removed = await _seat(db, case, wanted)
    members = [Seated(one.person_id, one.discipline, one.is_chair) for one in wanted]
    event = PanelSet(object_id=case.lot.id, object_version=case.lot.version, members=members, removed=removed)
    await journal.record(db, actor, event, within(case.lot.buyer_id))
    return _panel_view(actor, await evaluation_of(db, case.lot))


async def _evaluators(db: AsyncSession, buyer_id: UUID, seats: Sequence[Seat]) -> set[UUID]:
    """Those of the named persons who hold the role with the buyer now."""
    statement = select(Membership.person_id).where(
        Membership.organisation_id == buyer_id,
        Membership.status == MembershipStatus.ACTIVE,
        any_(Membership.roles) == Role.EVALUATOR.value,
        Membership.person_id.in_([one.person_id for one in seats]),
    )
    return set(await db.scalars(statement))


async def _seat(db: AsyncSession, case: Evaluation, wanted: Sequence[Seat]) -> list[UUID]:
    """Let the rows be the panel that is wanted; the persons who are not on it any more."""
    before = {member.person_id: member for member in case.members}
    for one in wanted:
        if member := before.pop(one.person_id, None):
            _reseat(member, one.discipline, is_chair=one.is_chair)
        else:
            db.add(_new_member(case.lot.id, one))
    removed = [person_id for person_id, member in before.items() if not member.has_conflict]
    for person_id, member in before.items():
        if person_id in removed:
            await db.delete(member)
        else:
            _reseat(member, member.discipline, is_chair=False)
    return removed


def _reseat(member: PanelMember, discipline: str, *, is_chair: bool) -> None:
    if (member.discipline, member.is_chair) != (discipline, is_chair):
        member.discipline, member.is_chair = discipline, is_chair
        member.touch()


def _new_member(lot_id: UUID, seat: Seat) -> PanelMember:
    return PanelMember(
        lot_id=lot_id, person_id=seat.person_id, discipline=seat.discipline, is_chair=seat.is_chair, version=1
    )


async def find_panel(db: AsyncSession, actor: Actor, lot_id: UUID) -> PanelView:
    return _panel_view(actor, await _find(db, actor, lot_id))


def _panel_view(actor: Actor, case: Evaluation) -> PanelView:
    reads_all = _oversees(actor)
    return PanelView(
        lot_id=case.lot.id,
        members=[
            PanelMemberView.of(one, tells_all=reads_all or one.person_id == actor.person_id) for one in case.members
        ],
        lacks=rules.lacks(rules.taking_part(case.seats), case.limits),
        is_complete=case.is_revealed,
    )


def _oversees(actor: Actor) -> bool:
    return actor.has(Role.OFFICER) or actor.has(Role.AUDITOR)


async def declare(
    db: AsyncSession, actor: Actor, lot_id: UUID, data: Declaration, *, seen: Seen = UNCONDITIONAL
) -> PanelView:
    """Declare one's own interests. A conflict recuses at once, also one that is found late."""
    case = await _lock(db, actor, lot_id)
    seen.check(_panel_view(actor, case).etag)
    member = case.member(actor)
    agreed = await db.scalar(select(Consensus.bid_id).where(Consensus.lot_id == case.lot.id).limit(1))
    rules.check_declarable(
        case.lot.status, member.seat, has_conflict=data.has_conflict, has_consensus=agreed is not None
    )
    member.declared_at, member.has_conflict = await clock.now(db), data.has_conflict
    member.declaration = data.declaration
    member.touch()
    event = InterestsDeclared(
        object_id=case.lot.id,
        object_version=case.lot.version,
        person_id=member.person_id,
        has_conflict=data.has_conflict,
    )
    personal = {"declaration": data.declaration}
    await journal.record(db, actor, event, within(case.lot.buyer_id), personal=personal)
    return _panel_view(actor, await evaluation_of(db, case.lot))


async def _judge(db: AsyncSession, actor: Actor, case: Evaluation) -> PanelMember:
    """The caller's seat. One person may have a seat on both sides, and still judges no bid beside their own."""
    member = case.member(actor)
    journal.by_another(
        actor,
        await bids.handed_in_by(db, case.lot.id),
        "Whoever handed in a bid of the lot can't judge its bids.",
        act="bids.judge",
        about=case.lot.id,
        audience=auditors(case.lot.buyer_id),
    )
    return member


# Scores, alone.


async def score(
    db: AsyncSession, actor: Actor, lot_id: UUID, data: ScoreSheet, *, seen: Seen = UNCONDITIONAL
) -> ScoresView:
    """Write down one's own scores, as many as are ready; each replaces the one before for its bid and criterion."""
    case = await _lock(db, actor, lot_id)
    member = await _judge(db, actor, case)
    await _check_scores_seen(db, actor, seen, case)
    rules.check_evaluating(case.lot.status, is_concluded=case.is_concluded)
    rules.check_may_score(member.seat, case.seats, case.limits)
    await _check_sheet(db, case, data)
    now = await clock.now(db)
    rows = [_scored(case.lot.id, one) | {"person_id": member.person_id, "scored_at": now} for one in data.scores]
    await _write(db, Score, rows)
    event = ScoresRecorded(
        object_id=case.lot.id, object_version=case.lot.version, person_id=member.person_id, count=len(rows)
    )
    await journal.record(db, actor, event, _own(member), digest=digest(data))
    return await _scores_view(db, actor, case)


def _own(member: PanelMember) -> Audience:
    """Until everybody has locked, nobody else is to learn that and how far a member has scored."""
    return Audience(persons=(member.person_id,))


async def _check_sheet(db: AsyncSession, case: Evaluation, data: ScoreSheet) -> None:
    cells = [(one.bid_id, one.criterion_id) for one in data.scores]
    rules.check_cells(cells, {bid.id for bid in await bids.opened_bids(db, case.lot.id)}, case.criteria)


def _scored(lot_id: UUID, entry: Any) -> dict[str, Any]:
    return {
        "lot_id": lot_id,
        "bid_id": entry.bid_id,
        "criterion_id": entry.criterion_id,
        "score": entry.score,
        "rationale": entry.rationale,
    }


async def _write(db: AsyncSession, table: type[Score | Consensus], rows: list[dict[str, Any]]) -> None:
    """Insert, or replace what stands under the same key."""
    key = [column.name for column in table.__table__.primary_key]
    statement = insert(table).values(rows)
    replaced = {name: statement.excluded[name] for name in rows[0] if name not in key}
    await db.execute(statement.on_conflict_do_update(index_elements=key, set_=replaced))


async def lock_scores(db: AsyncSession, actor: Actor, lot_id: UUID, *, seen: Seen = UNCONDITIONAL) -> PanelView:
    """Finish scoring: every bid has its score on every criterion, and none changes any more."""
    case = await _lock(db, actor, lot_id)
    member = await _judge(db, actor, case)
    await _check_scores_seen(db, actor, seen, case)
    rules.check_evaluating(case.lot.status, is_concluded=case.is_concluded)
    rules.check_may_score(member.seat, case.seats, case.limits)
    own = await scores_of(db, case.lot.id, [member.person_id])
    opened = [bid.id for bid in await bids.opened_bids(db, case.lot.id)]
    rules.check_scores_complete({(one.bid_id, one.criterion_id) for one in own}, opened, case.criteria)
    member.locked_at = await clock.now(db)
    member.touch()
    event = ScoresLocked(
        object_id=case.lot.id, object_version=case.lot.version, person_id=member.person_id, count=len(own)
    )
    covered = digest([ScoreView.of(one) for one in own])
    await journal.record(db, actor, event, within(case.lot.buyer_id), digest=covered)
    return _panel_view(actor, await evaluation_of(db, case.lot))


async def scores_of(db: AsyncSession, lot_id: UUID, persons: Sequence[UUID]) -> Sequence[Score]:
    statement = (
        select(Score)
        .where(Score.lot_id == lot_id, Score.person_id.in_(persons))
        .order_by(Score.bid_id, Score.criterion_id, Score.person_id)
    )
    return (await db.scalars(statement.execution_options(populate_existing=True))).all()


async def find_scores(db: AsyncSession, actor: Actor, lot_id: UUID) -> ScoresView:
    """A member's own, and everybody's once all have locked; for officer and auditor only then."""
    case = await _find(db, actor, lot_id)
    on_panel = [one for one in case.seats if one.person_id == actor.person_id]
    for seat in on_panel:
        rules.check_takes_part(seat)
    if not on_panel and not _oversees(actor):
        raise NotOnPanel("Only the panel of the lot, its officer and auditor read its scores.")
    return await _scores_view(db, actor, case)


async def _check_scores_seen(db: AsyncSession, actor: Actor, seen: Seen, case: Evaluation) -> None:
    """What is written down or concluded is on top of what was seen; raises ChangedSinceRead."""
    if seen:
        seen.check((await _scores_view(db, actor, case)).etag)


async def _scores_view(db: AsyncSession, actor: Actor, case: Evaluation) -> ScoresView:
    persons = [one.person_id for one in rules.taking_part(case.seats)]
    shown = persons if case.is_revealed else [one for one in persons if one == actor.person_id]
    agreed = await consensus_of(db, case.lot.id) if case.is_revealed else []
    return ScoresView(
        lot_id=case.lot.id,
        is_revealed=case.is_revealed,
        scores=[ScoreView.of(one) for one in await scores_of(db, case.lot.id, shown)],
        consensus=[ConsensusView.of(one) for one in agreed],
    )


# Scores, together.


async def record_consensus(
    db: AsyncSession, actor: Actor, lot_id: UUID, data: ScoreSheet, *, seen: Seen = UNCONDITIONAL
) -> ScoresView:
    """Write down what the panel agreed: the chair, once everybody has locked."""
    case = await _lock(db, actor, lot_id)
    member = await _judge(db, actor, case)
    await _check_scores_seen(db, actor, seen, case)
    rules.check_evaluating(case.lot.status, is_concluded=case.is_concluded)
    rules.check_may_agree(member.seat, case.seats, case.limits)
    await _check_sheet(db, case, data)
    now = await clock.now(db)
    rows = [_scored(case.lot.id, one) | {"recorded_by": member.person_id, "recorded_at": now} for one in data.scores]
    await _write(db, Consensus, rows)
    event = ConsensusRecorded(object_id=case.lot.id, object_version=case.lot.version, count=len(rows))
    await journal.record(db, actor, event, within(case.lot.buyer_id), digest=digest(data))
    return await _scores_view(db, actor, case)


async def consensus_of(db: AsyncSession, lot_id: UUID) -> Sequence[Consensus]:
    statement = select(Consensus).where(Consensus.lot_id == lot_id).order_by(Consensus.bid_id, Consensus.criterion_id)
    return (await db.scalars(statement.execution_options(populate_existing=True))).all()


async def conclude(db: AsyncSession, actor: Actor, lot_id: UUID, *, seen: Seen = UNCONDITIONAL) -> RankingView:
    """Work out points and ranking from what the panel agreed, once and for all; the award is for others to recommend."""
    case = await _lock(db, actor, lot_id)
    member = await _judge(db, actor, case)
    await _check_scores_seen(db, actor, seen, case)
    rules.check_evaluating(case.lot.status, is_concluded=case.is_concluded)
    rules.check_may_agree(member.seat, case.seats, case.limits)
    opened = await bids.opened_bids(db, case.lot.id)
    rules.check_something_to_rank(len(opened))
    agreed = await consensus_of(db, case.lot.id)
    scored = {(one.bid_id, one.criterion_id) for one in agreed}
    rules.check_consensus_complete(scored, [bid.id for bid in opened], case.criteria)
    root = await _root(db, case.lot.id)
    places = _ranked(case.lot, opened, agreed, root)
    db.add_all(_rows(case.lot.id, places, await clock.now(db)))
    event = EvaluationConcluded(
        object_id=case.lot.id,
        object_version=case.lot.version,
        root=root.hex(),
        consensus=[Agreed(one.bid_id, one.criterion_id, one.score) for one in agreed],
        ranking=[Ranked.of(place) for place in places],
    )
    await journal.record(db, actor, event, within(case.lot.buyer_id), digest=digest(event.ranking))
    return await _ranking_view(db, case.lot.id)


def _ranked(lot: Lot, opened: Sequence[Bid], agreed: Sequence[Consensus], root: bytes) -> list[scoring.Place]:
    criteria = [scoring.Weighting(one.id, one.kind, one.weight, one.minimum_score) for one in lot.criteria]
    contenders = []
    for bid in opened:
        assert bid.total is not None
        scores = {one.criterion_id: one.score for one in agreed if one.bid_id == bid.id}
        contenders.append(scoring.Contender(bid.id, bid.total, scores))
    return scoring.rank(criteria, contenders, root)


def _rows(lot_id: UUID, places: Sequence[scoring.Place], now: datetime) -> list[RankedBid]:
    return [
        RankedBid(
            bid_id=one.bid_id,
            lot_id=lot_id,
            rank=one.rank,
            quality=one.quality,
            price=one.price,
            total=one.total,
            ranked_at=now,
        )
        for one in places
    ]


async def _root(db: AsyncSession, lot_id: UUID) -> bytes:
    seal = await bids.find_seal(db, lot_id)
    assert seal is not None, "bids are opened after the seal"
    return seal.root


async def ranking_of(db: AsyncSession, lot_id: UUID) -> list[RankedBid]:
    """The ranked bids, best first, those below a minimum score last; empty until the evaluation is concluded."""
    statement = (
        select(RankedBid)
        .where(RankedBid.lot_id == lot_id)
        .order_by(RankedBid.rank.asc().nulls_last(), RankedBid.total.desc(), RankedBid.bid_id)
    )
    return list(await db.scalars(statement))


async def find_ranking(db: AsyncSession, actor: Actor, lot_id: UUID) -> RankingView:
    lot = await lots.find_own_lot(db, actor, lot_id)
    return await _ranking_view(db, lot.id)


async def _ranking_view(db: AsyncSession, lot_id: UUID) -> RankingView:
    ranked = await ranking_of(db, lot_id)
    if not ranked:
        raise RankingNotFound("The lot's evaluation has not been concluded.")
    found = {bid.id: bid for bid in await db.scalars(select(Bid).where(Bid.id.in_([one.bid_id for one in ranked])))}
    root = await _root(db, lot_id)
    return RankingView(
        lot_id=lot_id,
        root=root.hex(),
        ranked_at=ranked[0].ranked_at,
        bids=[RankedBidView.of(one, found[one.bid_id]) for one in ranked],
    )

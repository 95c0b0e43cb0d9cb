"""The routes of openings and evaluations."""

from uuid import UUID

from litestar import Controller, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation

from procure.bids.errors import SealBroken
from procure.evaluation import opening, service
from procure.evaluation.errors import (
    AlreadyConcluded,
    AlreadyLocked,
    BidsNotOpened,
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
    RankingNotFound,
    RootMismatch,
    ScoresIncomplete,
    ScoresInvalid,
    ScoresNotLocked,
)
from procure.evaluation.schemas import (
    Declaration,
    OpenedBidView,
    OpeningConsent,
    OpeningView,
    PanelDraft,
    PanelView,
    RankingView,
    ScoreSheet,
    ScoresView,
)
from procure.kit.actor import PersonNeeded, SamePerson
from procure.kit.errors import Fact
from procure.kit.http import AsSeen, Caller, Db, PageAsked, requires
from procure.kit.paging import Page, Position, page_of
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.lots.errors import LotNotClosed, LotNotFound, LotStateWrong
from procure.vault.errors import KeyNotDue
from procure.vault.keys import Opener

_MEMBERS: tuple[type[Fact], ...] = (LotNotFound, PersonNeeded, NotOnPanel)
_TAKING_PART: tuple[type[Fact], ...] = (
    *_MEMBERS,
    SamePerson,
    InterestsNotDeclared,
    MemberRecused,
    LotStateWrong,
    AlreadyConcluded,
    PanelInsufficient,
)


class OpeningController(Controller):
    """Opening the bids of a closed lot."""

    path = "/v1/lots/{lot_id:uuid}"
    tags = ("Evaluation",)

    @post(
        "/open",
        operation_id="openLot",
        summary="Approve the opening",
        status_code=200,
        responses=problems(
            LotNotFound,
            PersonNeeded,
            LotNotClosed,
            LotStateWrong,
            OpenedByWorker,
            LotNotSealed,
            RootMismatch,
            KeyNotDue,
            SealBroken,
        ),
        **requires(Scope.BIDS_OPEN, must_have_seen="lot"),
    )
    async def open_(
        self,
        db: Db,
        actor: Caller,
        vault: NamedDependency[SkipValidation[Opener]],
        seen: AsSeen,
        lot_id: FromPath[UUID],
        data: JSONBody[OpeningConsent],
    ) -> OpeningView:
        """Consent to open the bids that the seal's root commits to.

        A covered lot opens with the second approver's consent within 15 minutes of the first's; lots of other bands are opened by
        the service at their seal. Every refusal is recorded.
        """
        return await opening.approve_opening(db, actor, vault, lot_id, bytes.fromhex(data.root), seen=seen)


# A function, not a controller's method: submitting a bid is the same path in `bids`, and of two controllers on one path each brings
# an OPTIONS of its own, which the framework refuses.
@get(
    "/v1/lots/{lot_id:uuid}/bids",
    operation_id="listOpenedBids",
    summary="Read the opened bids",
    tags=("Evaluation",),
    responses=problems(LotNotFound, NotOnPanel, InterestsNotDeclared, MemberRecused, BidsNotOpened),
    **requires(Scope.BIDS_READ),
)
async def list_opened_bids(db: Db, actor: Caller, page: PageAsked, lot_id: FromPath[UUID]) -> Page[OpenedBidView]:
    """The bids of a lot once it is opened: for its panel's members without a conflict, its officer and auditor.

    They come in the order of their ids, which tells nothing. Every refused attempt is recorded.
    """
    lot, rows = await opening.list_bids(db, actor, lot_id, page)
    return page_of(
        rows,
        page,
        lambda row: OpenedBidView.of(row, lot.currency),
        lambda row: Position(lot.closes_at, row.id),
    )


class EvaluationController(Controller):
    """The panel, its scores and the ranking."""

    path = "/v1/lots/{lot_id:uuid}"
    tags = ("Evaluation",)

    @put(
        "/panel",
        operation_id="setPanel",
        summary="Set the panel",
        responses=problems(LotNotFound, LotStateWrong, PanelClosed, AlreadyConcluded, PanelInvalid),
        **requires(Scope.EVALUATIONS_MANAGE, seen="panel"),
    )
    async def set_panel(
        self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID], data: JSONBody[PanelDraft]
    ) -> PanelView:
        """Name the members, their disciplines and the chair, or replace some, until all have locked their scores.

        Who has locked stays; who is recused stays recused.
        """
        return await service.set_panel(db, actor, lot_id, data, seen=seen)

    @get(
        "/panel",
        operation_id="getPanel",
        summary="Read the panel",
        responses=problems(LotNotFound),
        **requires(Scope.EVALUATIONS_READ),
    )
    async def read_panel(self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID]) -> PanelView:
        """Who sits on the panel, who has declared, who is recused, who has locked, and what is missing."""
        found = await service.find_panel(db, actor, lot_id)
        seen.check(found.etag)
        return found

    @post(
        "/declarations",
        operation_id="declareInterests",
        summary="Declare interests",
        status_code=200,
        responses=problems(*_MEMBERS, LotStateWrong, DeclarationFinal),
        **requires(Scope.EVALUATIONS_SCORE, seen="panel"),
    )
    async def declare(
        self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID], data: JSONBody[Declaration]
    ) -> PanelView:
        """A member's own declaration, needed before seeing a bid. A conflict recuses, can be declared late, and stands."""
        return await service.declare(db, actor, lot_id, data, seen=seen)

    @put(
        "/scores",
        operation_id="recordScores",
        summary="Score bids",
        responses=problems(*_TAKING_PART, AlreadyLocked, ScoresInvalid),
        **requires(Scope.EVALUATIONS_SCORE, seen="scores"),
    )
    async def score(
        self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID], data: JSONBody[ScoreSheet]
    ) -> ScoresView:
        """Write down your own scores, all at once or bid by bid; each replaces the one before. Nobody else sees them yet."""
        return await service.score(db, actor, lot_id, data, seen=seen)

    @get(
        "/scores",
        operation_id="getScores",
        summary="Read the scores",
        responses=problems(LotNotFound, NotOnPanel, InterestsNotDeclared, MemberRecused),
        **requires(Scope.EVALUATIONS_READ),
    )
    async def read_scores(self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID]) -> ScoresView:
        """Your own scores; everybody's, and the consensus, once all members have locked."""
        found = await service.find_scores(db, actor, lot_id)
        seen.check(found.etag)
        return found

    @post(
        "/scores/lock",
        operation_id="lockScores",
        summary="Lock your scores",
        status_code=200,
        responses=problems(*_TAKING_PART, AlreadyLocked, ScoresIncomplete),
        **requires(Scope.EVALUATIONS_SCORE, seen="scores"),
    )
    async def lock_scores(self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID]) -> PanelView:
        """Finish scoring: every bid on every criterion of quality and social value, or all that is missing is listed."""
        return await service.lock_scores(db, actor, lot_id, seen=seen)

    @put(
        "/consensus",
        operation_id="recordConsensus",
        summary="Record the consensus",
        responses=problems(*_TAKING_PART, NotChair, ScoresNotLocked, ScoresInvalid),
        **requires(Scope.EVALUATIONS_SCORE, seen="scores"),
    )
    async def record_consensus(
        self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID], data: JSONBody[ScoreSheet]
    ) -> ScoresView:
        """The chair writes down what the panel agreed, once everybody has locked; it can be corrected until the conclusion."""
        return await service.record_consensus(db, actor, lot_id, data, seen=seen)

    @post(
        "/conclude",
        operation_id="concludeEvaluation",
        summary="Conclude the evaluation",
        status_code=200,
        responses=problems(*_TAKING_PART, NotChair, ScoresNotLocked, ConsensusIncomplete, NothingToRank),
        **requires(Scope.EVALUATIONS_SCORE, seen="scores"),
    )
    async def conclude(self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID]) -> RankingView:
        """The chair has points and ranking worked out from the consensus, once and for all. Price: weight * lowest / price."""
        return await service.conclude(db, actor, lot_id, seen=seen)

    @get(
        "/ranking",
        operation_id="getRanking",
        summary="Read the ranking",
        responses=problems(LotNotFound, RankingNotFound),
        **requires(Scope.EVALUATIONS_READ),
    )
    async def read_ranking(self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID]) -> RankingView:
        """The bids of your organisation's lot in order, with the points that put them there."""
        found = await service.find_ranking(db, actor, lot_id)
        seen.check(found.etag)
        return found

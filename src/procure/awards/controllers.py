"""The routes of awards."""

from uuid import UUID

from litestar import Controller, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from procure.awards import service
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
from procure.awards.rules import AwardStatus
from procure.awards.schemas import AssessmentView, AwardSummary, AwardView, Recommendation, Refusal, Withdrawal
from procure.kit import clock
from procure.kit.actor import PersonNeeded, SamePerson
from procure.kit.http import AsSeen, Caller, Db, PageAsked, public, requires
from procure.kit.idempotency import Key
from procure.kit.paging import Page, Position, page_of
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.lots.errors import LotNotFound, LotStateWrong
from procure.lots.schemas import LotView, Notice


class AwardController(Controller):
    """A bid chosen by one person and approved by another."""

    path = "/v1"
    tags = ("Awards",)

    @get("/awards", operation_id="listAwards", summary="List awards", responses=problems(), **public())
    async def list_(
        self,
        db: Db,
        actor: Caller,
        page: PageAsked,
        status: FromQuery[AwardStatus | None] = None,
        lot_id: FromQuery[UUID | None] = None,
        buyer_id: FromQuery[UUID | None] = None,
        supplier_id: FromQuery[UUID | None] = None,
    ) -> Page[AwardSummary]:
        """Approved awards, newest first, and your own organisation's recommendations."""
        rows = await service.list_awards(
            db, actor, page, status=status, lot_id=lot_id, buyer_id=buyer_id, supplier_id=supplier_id
        )
        return page_of(
            rows, page, lambda row: AwardSummary.of(*row), lambda row: Position(row[0].created_at, row[0].id)
        )

    @get(
        "/awards/{award_id:uuid}",
        operation_id="getAward",
        summary="Read an award",
        responses=problems(AwardNotFound),
        **public(),
    )
    async def read(self, db: Db, actor: Caller, seen: AsSeen, award_id: FromPath[UUID]) -> AwardView:
        """An award, public once it was approved. The buyer also sees who recommended and decided, and why."""
        award = await service.find_award(db, actor, award_id)
        await service.check_seen(db, actor, seen, award)
        return await service.view(db, actor, award)

    @get(
        "/awards/{award_id:uuid}/assessment",
        operation_id="getAssessment",
        summary="Read your assessment summary",
        responses=problems(AwardNotFound, AssessmentNotFound, AwardNotApproved),
        **requires(Scope.AWARDS_READ),
    )
    async def assessment(self, db: Db, actor: Caller, seen: AsSeen, award_id: FromPath[UUID]) -> AssessmentView:
        """For each bidder, winner or not: its own points with the panel's rationale, and the winner's totals."""
        found = await service.assessment(db, actor, award_id)
        seen.check(found.etag)
        return found

    @post(
        "/lots/{lot_id:uuid}/awards",
        operation_id="recommendAward",
        summary="Recommend an award",
        responses=problems(
            LotNotFound,
            PersonNeeded,
            SamePerson,
            LotStateWrong,
            EvaluationOpen,
            AwardPending,
            AwardInvalid,
            NotNextInRank,
            BidLapsed,
        ),
        **requires(Scope.AWARDS_RECOMMEND, key=Key.REQUIRED, seen="lot"),
    )
    async def recommend(
        self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID], data: JSONBody[Recommendation]
    ) -> AwardView:
        """Recommend the bid ranked best; a lower one once each better award was refused or withdrawn."""
        return await service.view(db, actor, await service.recommend(db, actor, lot_id, data, seen=seen))

    @post(
        "/awards/{award_id:uuid}/approve",
        operation_id="approveAward",
        summary="Approve an award",
        status_code=200,
        responses=problems(AwardNotFound, PersonNeeded, SamePerson, AwardNotRecommended, LotStateWrong, BidLapsed),
        **requires(Scope.AWARDS_APPROVE, key=Key.REQUIRED, must_have_seen="award"),
    )
    async def approve(self, db: Db, actor: Caller, seen: AsSeen, award_id: FromPath[UUID]) -> AwardView:
        """Approve what another person recommended. The award is public from here on."""
        return await service.view(db, actor, await service.approve(db, actor, award_id, seen=seen))

    @post(
        "/awards/{award_id:uuid}/refuse",
        operation_id="refuseAward",
        summary="Refuse a recommendation",
        status_code=200,
        responses=problems(AwardNotFound, PersonNeeded, SamePerson, AwardNotRecommended),
        **requires(Scope.AWARDS_APPROVE, key=Key.REQUIRED, seen="award"),
    )
    async def refuse(
        self, db: Db, actor: Caller, seen: AsSeen, award_id: FromPath[UUID], data: JSONBody[Refusal]
    ) -> AwardView:
        """Refuse what another person recommended, with a reason; the officer recommends again."""
        return await service.view(db, actor, await service.refuse(db, actor, award_id, data.reason, seen=seen))

    @put(
        "/awards/{award_id:uuid}/notice",
        operation_id="recordAwardNotice",
        summary="Record the award notice",
        responses=problems(AwardNotFound, AwardNotApproved, LotStateWrong, AwardInvalid),
        **requires(Scope.AWARDS_RECOMMEND, seen="award"),
    )
    async def record_notice(
        self, db: Db, actor: Caller, seen: AsSeen, award_id: FromPath[UUID], data: JSONBody[Notice]
    ) -> AwardView:
        """Record the notice's id, ocid and time after approval. Where the band asks for it, the standstill runs from it."""
        return await service.view(db, actor, await service.record_notice(db, actor, award_id, data, seen=seen))

    @post(
        "/awards/{award_id:uuid}/withdraw",
        operation_id="withdrawAward",
        summary="Withdraw an award",
        status_code=200,
        responses=problems(AwardNotFound, PersonNeeded, SamePerson, AwardNotApproved, LotStateWrong),
        **requires(Scope.AWARDS_APPROVE, key=Key.REQUIRED, seen="award"),
    )
    async def withdraw(
        self, db: Db, actor: Caller, seen: AsSeen, award_id: FromPath[UUID], data: JSONBody[Withdrawal]
    ) -> AwardView:
        """Take an approved award back before the contract is signed; then the next in rank can be recommended."""
        return await service.view(db, actor, await service.withdraw(db, actor, award_id, data.reason, seen=seen))

    @post(
        "/lots/{lot_id:uuid}/no-award",
        operation_id="endWithoutAward",
        summary="End a lot without an award",
        status_code=200,
        responses=problems(LotNotFound, PersonNeeded, SamePerson, LotStateWrong, AwardPending),
        **requires(Scope.AWARDS_APPROVE, key=Key.REQUIRED, seen="lot"),
    )
    async def no_award(
        self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID], data: JSONBody[Withdrawal]
    ) -> LotView:
        """End an evaluated lot when no bid is valid or none is awarded; the reason is public."""
        lot = await service.no_award(db, actor, lot_id, data.reason, seen=seen)
        return LotView.of(lot, await clock.now(db))

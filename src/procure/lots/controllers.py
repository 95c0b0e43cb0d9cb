"""The routes of lots."""

from uuid import UUID

from litestar import Controller, Response, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, SkipValidation

from procure.kit import clock
from procure.kit.actor import PersonNeeded, SamePerson
from procure.kit.http import ApiRequest, AsSeen, Caller, Db, encoded, paging_of, public, requires, seen_by
from procure.kit.paging import LIMIT_DEFAULT, Cursor, Limit, Page
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.lots import extending, projections, service
from procure.lots.errors import (
    LotInvalid,
    LotNotCancellable,
    LotNotDraft,
    LotNotFound,
    LotNotOpen,
    NoticeMissing,
    WindowTooShort,
)
from procure.lots.rules import LotStatus, Phase
from procure.lots.schemas import (
    Cancellation,
    DraftWithdrawal,
    Extension,
    LotChoices,
    LotCopy,
    LotDraft,
    LotPatch,
    LotSummary,
    LotView,
    Notice,
)
from procure.outcomes.errors import EnvelopeExceeded, EstimateExceeded, OutcomeNotActive, OutcomeNotFound
from procure.policy.errors import NoPolicyInForce
from procure.vault.keys import Opener


class LotController(Controller):
    """Short competitions under an outcome.

    The two hot reads ask the request itself for the caller and the driver: several dependencies would be resolved in a task
    group, which costs more than their query.
    """

    path = "/v1/lots"
    tags = ("Lots",)

    @get(
        "/",
        operation_id="listLots",
        summary="List lots",
        responses=problems(),
        **public(),
    )
    async def list_(
        self,
        request: ApiRequest,
        limit: Limit = LIMIT_DEFAULT,
        cursor: Cursor = None,
        status: FromQuery[LotStatus | None] = None,
        phase: FromQuery[Phase | None] = None,
        outcome_id: FromQuery[UUID | None] = None,
        buyer_id: FromQuery[UUID | None] = None,
    ) -> Response[Page[LotSummary]]:
        """Published lots, newest first, and your own organisation's drafts. `status` is as of now."""
        return encoded(
            await projections.list_lots(
                request.app.state.driver,
                request.user,
                paging_of(request, limit, cursor),
                status=status,
                phase=phase,
                outcome_id=outcome_id,
                buyer_id=buyer_id,
            )
        )

    @get(
        "/{lot_id:uuid}",
        operation_id="getLot",
        summary="Read a lot",
        responses=problems(LotNotFound),
        **public(),
    )
    async def read(self, request: ApiRequest, lot_id: FromPath[UUID]) -> Response[LotView]:
        """A lot with its deliverables, criteria, calendar and the key that bids are sealed to."""
        return encoded(*await projections.read_lot(request.app.state.driver, request.user, lot_id, seen_by(request)))

    @post(
        "/",
        operation_id="draftLot",
        summary="Draft a lot",
        responses=problems(OutcomeNotFound, OutcomeNotActive, NoPolicyInForce, LotInvalid),
        **requires(Scope.LOTS_WRITE),
    )
    async def draft(self, db: Db, actor: Caller, data: JSONBody[LotDraft]) -> LotView:
        """Draft the next lot of an outcome, or the outcome and its first lot at once.

        Four fields say what is bought; the rest is worked out from policy where it is left out. What is too long, too big or too vague is
        refused, all faults at once.
        """
        lot = await service.draft(db, actor, data)
        return LotView.of(lot, await clock.now(db))

    @post(
        "/{lot_id:uuid}/copy",
        operation_id="copyLot",
        summary="Draft a lot like an earlier one",
        responses=problems(LotNotFound, OutcomeNotFound, OutcomeNotActive, NoPolicyInForce, LotInvalid),
        **requires(Scope.LOTS_WRITE, seen="lot"),
    )
    async def copy(
        self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID], data: JSONBody[LotCopy]
    ) -> LotView:
        """A new draft with the content of any lot of your own, whatever became of it, under its outcome or another one of yours.

        Its calendar is worked out from today on, what is due keeps its distance from the start.
        """
        lot = await service.copy(db, actor, lot_id, data, seen=seen)
        return LotView.of(lot, await clock.now(db))

    @get(
        "/choices",
        operation_id="getLotChoices",
        summary="Read what a lot may choose",
        responses=problems(),
        **public(),
    )
    async def choices(self, seen: AsSeen) -> LotChoices:
        """Phases and what each expects, where the work is done, whose the results are, regions, reasons to cancel: each in a sentence."""
        found = LotChoices.all()
        seen.check(found.etag)
        return found

    @patch(
        "/{lot_id:uuid}",
        operation_id="reviseLot",
        summary="Edit a draft",
        responses=problems(LotNotFound, LotNotDraft, LotInvalid),
        **requires(Scope.LOTS_WRITE, must_have_seen="lot"),
    )
    async def revise(
        self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID], data: JSONBody[LotPatch]
    ) -> LotView:
        """Change fields of a draft; null has policy work a field out again. Whoever edits a lot has prepared it and can't publish it."""
        lot = await service.revise(db, actor, lot_id, data, seen=seen)
        return LotView.of(lot, await clock.now(db))

    @put(
        "/{lot_id:uuid}/notice",
        operation_id="recordLotNotice",
        summary="Record the official notice",
        responses=problems(LotNotFound, LotNotDraft, LotInvalid),
        **requires(Scope.LOTS_WRITE, seen="lot"),
    )
    async def record_notice(
        self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID], data: JSONBody[Notice]
    ) -> LotView:
        """Record the notice's id, ocid and time. Notifiable and covered lots open only after this; another person then publishes."""
        lot = await service.record_notice(db, actor, lot_id, data, seen=seen)
        return LotView.of(lot, await clock.now(db))

    @post(
        "/{lot_id:uuid}/publish",
        operation_id="publishLot",
        summary="Publish a lot",
        status_code=200,
        responses=problems(
            LotNotFound,
            PersonNeeded,
            SamePerson,
            LotNotDraft,
            OutcomeNotActive,
            NoticeMissing,
            WindowTooShort,
            EnvelopeExceeded,
            EstimateExceeded,
            LotInvalid,
        ),
        **requires(Scope.LOTS_PUBLISH, must_have_seen="lot"),
    )
    async def publish(
        self,
        db: Db,
        actor: Caller,
        vault: NamedDependency[SkipValidation[Opener]],
        seen: AsSeen,
        lot_id: FromPath[UUID],
    ) -> LotView:
        """Open the lot to everybody. An approver who did not prepare it; commits the lot's estimate of the envelope."""
        lot = await service.publish(db, actor, vault, lot_id, seen=seen)
        return LotView.of(lot, await clock.now(db))

    @post(
        "/{lot_id:uuid}/withdraw",
        operation_id="withdrawLot",
        summary="Withdraw a draft",
        status_code=200,
        responses=problems(LotNotFound, LotNotDraft),
        **requires(Scope.LOTS_WRITE, seen="lot"),
    )
    async def withdraw(
        self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID], data: JSONBody[DraftWithdrawal]
    ) -> LotView:
        """Take a draft back. Nobody has seen it yet, so no second person is needed; it ends `cancelled`."""
        lot = await service.withdraw(db, actor, lot_id, data.reason, seen=seen)
        return LotView.of(lot, await clock.now(db))

    @post(
        "/{lot_id:uuid}/extend",
        operation_id="extendLot",
        summary="Move a lot's closing later",
        status_code=200,
        responses=problems(LotNotFound, PersonNeeded, SamePerson, LotNotOpen, LotInvalid),
        **requires(Scope.LOTS_PUBLISH, must_have_seen="lot"),
    )
    async def extend(
        self,
        db: Db,
        actor: Caller,
        vault: NamedDependency[SkipValidation[Opener]],
        seen: AsSeen,
        lot_id: FromPath[UUID],
        data: JSONBody[Extension],
    ) -> LotView:
        """Before it closes, and never earlier: an approver who did not prepare it. Bids stay; enquiries close when they would have."""
        lot = await extending.extend(db, actor, vault, lot_id, data, seen=seen)
        return LotView.of(lot, await clock.now(db))

    @post(
        "/{lot_id:uuid}/cancel",
        operation_id="cancelLot",
        summary="Cancel a lot",
        status_code=200,
        responses=problems(LotNotFound, PersonNeeded, SamePerson, LotNotCancellable, LotInvalid),
        **requires(Scope.LOTS_CANCEL, seen="lot"),
    )
    async def cancel(
        self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID], data: JSONBody[Cancellation]
    ) -> LotView:
        """End a lot without a contract, any time before signature; the reason is public.

        Not every reason fits every state: of bids that nobody has read none is unsuitable.
        """
        lot = await service.cancel(db, actor, lot_id, data.reason, data.reason_code, seen=seen)
        return LotView.of(lot, await clock.now(db))

"""The routes of outcomes."""

from uuid import UUID

from litestar import Controller, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody

from procure.kit.actor import PersonNeeded, SamePerson
from procure.kit.http import AsSeen, Caller, Db, PageAsked, public, requires
from procure.kit.paging import Page, Position, page_of
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.outcomes import service
from procure.outcomes.errors import (
    BudgetHolderNeeded,
    MeasureNotFound,
    ObservationInvalid,
    OutcomeInvalid,
    OutcomeNotActive,
    OutcomeNotDraft,
    OutcomeNotFound,
    OutcomeStillCommitted,
)
from procure.outcomes.rules import OutcomeStatus
from procure.outcomes.schemas import (
    EndDecision,
    ObservationDraft,
    ObservationView,
    OutcomeDraft,
    OutcomePatch,
    OutcomeSummary,
    OutcomeView,
    SiblingView,
)


class OutcomeController(Controller):
    """The change a buyer wants, and how it is measured."""

    path = "/v1/outcomes"
    tags = ("Outcomes",)

    @get("/", operation_id="listOutcomes", summary="List outcomes", responses=problems(), **public())
    async def list_(
        self,
        db: Db,
        actor: Caller,
        page: PageAsked,
        buyer_id: FromQuery[UUID | None] = None,
        status: FromQuery[OutcomeStatus | None] = None,
    ) -> Page[OutcomeSummary]:
        """Outcomes that were activated, newest first, and your own organisation's drafts."""
        rows = await service.list_outcomes(db, actor, page, buyer_id=buyer_id, status=status)
        return page_of(rows, page, OutcomeSummary.of, lambda row: Position(row.created_at, row.id))

    @get(
        "/{outcome_id:uuid}",
        operation_id="getOutcome",
        summary="Read an outcome",
        responses=problems(OutcomeNotFound),
        **public(),
    )
    async def read(self, db: Db, actor: Caller, seen: AsSeen, outcome_id: FromPath[UUID]) -> OutcomeView:
        """An outcome with its measures' progress, the sums committed, accepted and paid, and the estimate that decides its band.

        Who is in the team is the buyer's to see.
        """
        outcome = await service.find_outcome(db, actor, outcome_id)
        await service.check_seen(db, actor, seen, outcome)
        return await service.view(db, actor, outcome)

    @get(
        "/{outcome_id:uuid}/siblings",
        operation_id="listSiblings",
        summary="List outcomes that may be the same need",
        responses=problems(OutcomeNotFound),
        **public(),
    )
    async def siblings(self, db: Db, actor: Caller, page: PageAsked, outcome_id: FromPath[UUID]) -> Page[SiblingView]:
        """Other outcomes of the buyer of the same CPV group (the code's first three digits) at the same time, with the evidence.

        Bought one beside the other they would each stay below what they reach together.
        """
        rows = await service.list_siblings(db, actor, outcome_id, page)
        return page_of(rows, page, lambda row: row[0], lambda row: Position(row[1], row[0].id))

    @post(
        "/",
        operation_id="draftOutcome",
        summary="Write an outcome down",
        responses=problems(OutcomeInvalid),
        **requires(Scope.OUTCOMES_WRITE),
    )
    async def draft(self, db: Db, actor: Caller, data: JSONBody[OutcomeDraft]) -> OutcomeView:
        """Write down the change that is wanted, its measures and its envelope (net)."""
        return await service.view(db, actor, await service.draft(db, actor, data))

    @patch(
        "/{outcome_id:uuid}",
        operation_id="reviseOutcome",
        summary="Edit a draft outcome",
        responses=problems(OutcomeNotFound, OutcomeNotDraft, OutcomeInvalid),
        **requires(Scope.OUTCOMES_WRITE, must_have_seen="outcome"),
    )
    async def revise(
        self, db: Db, actor: Caller, seen: AsSeen, outcome_id: FromPath[UUID], data: JSONBody[OutcomePatch]
    ) -> OutcomeView:
        """Change fields of a draft; whoever edits it can't activate it."""
        return await service.view(db, actor, await service.revise(db, actor, outcome_id, data, seen=seen))

    @post(
        "/{outcome_id:uuid}/activate",
        operation_id="activateOutcome",
        summary="Activate an outcome",
        status_code=200,
        responses=problems(OutcomeNotFound, PersonNeeded, SamePerson, BudgetHolderNeeded, OutcomeNotDraft),
        **requires(Scope.OUTCOMES_ACTIVATE, must_have_seen="outcome"),
    )
    async def activate(self, db: Db, actor: Caller, seen: AsSeen, outcome_id: FromPath[UUID]) -> OutcomeView:
        """Put the envelope into force: a budget-holding approver who did not write the outcome."""
        return await service.view(db, actor, await service.activate(db, actor, outcome_id, seen=seen))

    @post(
        "/{outcome_id:uuid}/end",
        operation_id="endOutcome",
        summary="End an outcome",
        status_code=200,
        responses=problems(OutcomeNotFound, PersonNeeded, OutcomeNotActive, OutcomeStillCommitted, OutcomeInvalid),
        **requires(Scope.OUTCOMES_ACTIVATE, seen="outcome"),
    )
    async def end(
        self, db: Db, actor: Caller, seen: AsSeen, outcome_id: FromPath[UUID], data: JSONBody[EndDecision]
    ) -> OutcomeView:
        """Say how it ended: achieved, not_achieved or abandoned, and why. Not while a lot commits more than was accepted.

        A contract whose every deliverable is accepted need not be completed first: it is paid and completed afterwards as
        before, with `stop` as its next step.
        """
        return await service.view(db, actor, await service.end(db, actor, outcome_id, data, seen=seen))

    @post(
        "/{outcome_id:uuid}/measures/{measure_id:uuid}/observations",
        operation_id="observeMeasure",
        summary="Record an observation",
        responses=problems(OutcomeNotFound, MeasureNotFound, OutcomeNotActive, ObservationInvalid),
        **requires(Scope.OUTCOMES_OBSERVE),
    )
    async def observe(
        self,
        db: Db,
        actor: Caller,
        outcome_id: FromPath[UUID],
        measure_id: FromPath[UUID],
        data: JSONBody[ObservationDraft],
    ) -> ObservationView:
        """Record what a measure was seen to be, after the outcome's end as well. A wrong observation is superseded by a new one."""
        return ObservationView.of(await service.observe(db, actor, outcome_id, measure_id, data))

    @get(
        "/{outcome_id:uuid}/observations",
        operation_id="listObservations",
        summary="List observations",
        responses=problems(OutcomeNotFound),
        **public(),
    )
    async def observations(
        self, db: Db, actor: Caller, page: PageAsked, outcome_id: FromPath[UUID]
    ) -> Page[ObservationView]:
        """All that was observed, superseded ones included, newest first."""
        rows = await service.list_observations(db, actor, outcome_id, page)
        return page_of(rows, page, ObservationView.of, lambda row: Position(row.recorded_at, row.id))

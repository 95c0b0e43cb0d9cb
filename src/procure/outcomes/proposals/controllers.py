"""The routes of proposals."""

from uuid import UUID

from litestar import Controller, get, post
from litestar.params import FromPath, JSONBody

from procure.kit.actor import PersonNeeded, SamePerson
from procure.kit.http import AsSeen, Caller, Db, PageAsked, public, requires
from procure.kit.paging import Page, Position, page_of
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.outcomes.errors import (
    BudgetHolderNeeded,
    EnvelopeExceeded,
    EstimateExceeded,
    OutcomeNotActive,
    OutcomeNotFound,
)
from procure.outcomes.proposals import service
from procure.outcomes.proposals.errors import ProposalDecided, ProposalInvalid, ProposalNotFound, ProposalOpen
from procure.outcomes.proposals.schemas import ProposalDraft, ProposalRefusal
from procure.outcomes.schemas import ProposalView


class ProposalController(Controller):
    """Another envelope, or an estimate that is less than it."""

    path = "/v1/outcomes/{outcome_id:uuid}/proposals"
    tags = ("Outcomes",)

    @get(
        "/",
        operation_id="listProposals",
        summary="List proposals",
        responses=problems(OutcomeNotFound),
        **public(),
    )
    async def list_(self, db: Db, actor: Caller, page: PageAsked, outcome_id: FromPath[UUID]) -> Page[ProposalView]:
        """Every proposal of another envelope or estimate, its reason and what became of it, newest first."""
        rows = await service.list_proposals(db, actor, outcome_id, page)
        return page_of(rows, page, ProposalView.of, lambda row: Position(row.proposed_at, row.id))

    @get(
        "/{proposal_id:uuid}",
        operation_id="getProposal",
        summary="Read a proposal",
        responses=problems(OutcomeNotFound, ProposalNotFound),
        **public(),
    )
    async def read(
        self, db: Db, actor: Caller, seen: AsSeen, outcome_id: FromPath[UUID], proposal_id: FromPath[UUID]
    ) -> ProposalView:
        """What would change, why, and what became of it."""
        row = await service.find_proposal(db, actor, outcome_id, proposal_id)
        service.check_seen(seen, row)
        return ProposalView.of(row)

    @post(
        "/",
        operation_id="makeProposal",
        summary="Propose another envelope or estimate",
        responses=problems(OutcomeNotFound, PersonNeeded, OutcomeNotActive, ProposalOpen, ProposalInvalid),
        **requires(Scope.OUTCOMES_WRITE, seen="outcome"),
    )
    async def propose(
        self, db: Db, actor: Caller, seen: AsSeen, outcome_id: FromPath[UUID], data: JSONBody[ProposalDraft]
    ) -> ProposalView:
        """Propose to raise or lower the envelope, or to test less than all of it (the `estimate`, which decides the band), and why.

        It changes nothing until a budget-holding approver approves it; one waits at a time.
        """
        return ProposalView.of(await service.propose(db, actor, outcome_id, data, seen=seen))

    @post(
        "/{proposal_id:uuid}/approve",
        operation_id="approveProposal",
        summary="Approve a proposal",
        status_code=200,
        responses=problems(
            OutcomeNotFound,
            ProposalNotFound,
            PersonNeeded,
            SamePerson,
            BudgetHolderNeeded,
            ProposalDecided,
            OutcomeNotActive,
            EnvelopeExceeded,
            EstimateExceeded,
        ),
        **requires(Scope.OUTCOMES_ACTIVATE, must_have_seen="proposal"),
    )
    async def approve(
        self, db: Db, actor: Caller, seen: AsSeen, outcome_id: FromPath[UUID], proposal_id: FromPath[UUID]
    ) -> ProposalView:
        """Put it into force: a budget-holding approver who did not propose it.

        Never below what is committed. Published lots keep the rules that they were published under; drafts are judged by the new band.
        """
        return ProposalView.of(await service.approve(db, actor, outcome_id, proposal_id, seen=seen))

    @post(
        "/{proposal_id:uuid}/refuse",
        operation_id="refuseProposal",
        summary="Refuse a proposal",
        status_code=200,
        responses=problems(OutcomeNotFound, ProposalNotFound, PersonNeeded, SamePerson, ProposalDecided),
        **requires(Scope.OUTCOMES_ACTIVATE, seen="proposal"),
    )
    async def refuse(
        self,
        db: Db,
        actor: Caller,
        seen: AsSeen,
        outcome_id: FromPath[UUID],
        proposal_id: FromPath[UUID],
        data: JSONBody[ProposalRefusal],
    ) -> ProposalView:
        """Leave everything as it is, and say why: an approver who did not propose it."""
        return ProposalView.of(await service.refuse(db, actor, outcome_id, proposal_id, data.reason, seen=seen))

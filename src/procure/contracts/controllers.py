"""The routes of contracts."""

from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from procure.awards.errors import AwardNotApproved, AwardNotFound
from procure.contracts import service
from procure.contracts.documents import ContractDocument
from procure.contracts.errors import (
    AwardNoticeMissing,
    ContractLapsed,
    ContractNotFound,
    ContractStateWrong,
    DigestMismatch,
    DrawnUpAlready,
    SideSigned,
    StandstillRunning,
)
from procure.contracts.rules import ContractStatus
from procure.contracts.schemas import ContractSummary, ContractView, Signing
from procure.kit.actor import PersonNeeded, SamePerson
from procure.kit.http import Caller, Db, PageAsked, encoded, requires
from procure.kit.idempotency import Key
from procure.kit.paging import Page, Position, page_of
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.lots.errors import LotStateWrong
from procure.outcomes.errors import OutcomeNotActive


class ContractController(Controller):
    """What both sides sign, for its parties."""

    path = "/v1"
    tags = ("Contracts",)

    @get(
        "/contracts",
        operation_id="listContracts",
        summary="List contracts",
        responses=problems(),
        **requires(Scope.CONTRACTS_READ),
    )
    async def list_(
        self,
        db: Db,
        actor: Caller,
        page: PageAsked,
        status: FromQuery[ContractStatus | None] = None,
        lot_id: FromQuery[UUID | None] = None,
        outcome_id: FromQuery[UUID | None] = None,
    ) -> Page[ContractSummary]:
        """The contracts of which your organisation is a party, newest first. `status` is as of now."""
        rows = await service.list_contracts(db, actor, page, status=status, lot_id=lot_id, outcome_id=outcome_id)
        return page_of(
            rows, page, lambda row: ContractSummary.of(*row), lambda row: Position(row[0].created_at, row[0].id)
        )

    @get(
        "/contracts/{contract_id:uuid}",
        operation_id="getContract",
        summary="Read a contract",
        responses=problems(ContractNotFound),
        **requires(Scope.CONTRACTS_READ),
    )
    async def read(self, db: Db, actor: Caller, contract_id: FromPath[UUID]) -> ContractView:
        """A contract with its signatures, deliverables, what was handed in and each verdict."""
        return await service.view(db, await service.find_contract(db, actor, contract_id))

    @get(
        "/contracts/{contract_id:uuid}/document",
        operation_id="getContractDocument",
        summary="Read a contract's document",
        responses=problems(ContractNotFound),
        **requires(Scope.CONTRACTS_READ),
    )
    async def document(self, db: Db, actor: Caller, contract_id: FromPath[UUID]) -> Response[ContractDocument]:
        """The exact bytes that both sides sign: canonical JSON, whose SHA-256 is the contract's `digest`."""
        return encoded(await service.document_of(db, actor, contract_id))

    @post(
        "/awards/{award_id:uuid}/contract",
        operation_id="drawUpContract",
        summary="Draw up the contract",
        responses=problems(
            AwardNotFound, AwardNotApproved, LotStateWrong, OutcomeNotActive, AwardNoticeMissing, DrawnUpAlready
        ),
        **requires(Scope.CONTRACTS_MANAGE),
    )
    async def draw_up(self, db: Db, actor: Caller, award_id: FromPath[UUID]) -> ContractView:
        """Draw up an approved award's contract from lot, terms and winning bid. Where work can't start as published, its dates move."""
        return await service.view(db, await service.draw_up(db, actor, award_id))

    @post(
        "/contracts/{contract_id:uuid}/sign",
        operation_id="signContract",
        summary="Sign a contract",
        status_code=200,
        responses=problems(
            ContractNotFound,
            PersonNeeded,
            SamePerson,
            ContractStateWrong,
            AwardNotApproved,
            LotStateWrong,
            OutcomeNotActive,
            StandstillRunning,
            ContractLapsed,
            SideSigned,
            DigestMismatch,
        ),
        **requires(Scope.CONTRACTS_SIGN, key=Key.REQUIRED),
    )
    async def sign(self, db: Db, actor: Caller, contract_id: FromPath[UUID], data: JSONBody[Signing]) -> ContractView:
        """Sign for your side, by the digest of what you read: an approver of the buyer, a bidder of the supplier."""
        return await service.view(db, await service.sign(db, actor, contract_id, bytes.fromhex(data.digest)))

"""The routes of enquiries."""

from uuid import UUID

from litestar import Controller, get, post
from litestar.params import FromPath, JSONBody

from procure.enquiries import service
from procure.enquiries.errors import AskerNotSupplier, EnquiriesTooMany, EnquiryHasAnswer, EnquiryNotFound
from procure.enquiries.schemas import EnquiryAnswer, EnquiryDraft, EnquiryView
from procure.kit.http import AsSeen, Caller, Db, PageAsked, public, requires
from procure.kit.paging import Page, Position, page_of
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.lots.errors import LotNotFound, LotNotOpen


class EnquiryController(Controller):
    """Questions before a lot closes, answered for everybody."""

    path = "/v1"
    tags = ("Enquiries",)

    @get(
        "/lots/{lot_id:uuid}/enquiries",
        operation_id="listEnquiries",
        summary="List a lot's enquiries",
        responses=problems(LotNotFound),
        **public(),
    )
    async def list_(self, db: Db, actor: Caller, page: PageAsked, lot_id: FromPath[UUID]) -> Page[EnquiryView]:
        """Questions and answers, newest first, the unanswered among them. Who asked is told to nobody, buyer included."""
        rows = await service.list_enquiries(db, actor, lot_id, page)
        return page_of(rows, page, EnquiryView.of, lambda row: Position(row.asked_at, row.id))

    @post(
        "/lots/{lot_id:uuid}/enquiries",
        operation_id="askEnquiry",
        summary="Ask about a lot",
        responses=problems(LotNotFound, AskerNotSupplier, LotNotOpen, EnquiriesTooMany),
        **requires(Scope.ENQUIRIES_ASK),
    )
    async def ask(self, db: Db, actor: Caller, lot_id: FromPath[UUID], data: JSONBody[EnquiryDraft]) -> EnquiryView:
        """Ask before `enquiries_close_at`. The question is published as you wrote it, without your name."""
        return EnquiryView.of(await service.ask(db, actor, lot_id, data))

    @post(
        "/enquiries/{enquiry_id:uuid}/answer",
        operation_id="answerEnquiry",
        summary="Answer an enquiry",
        status_code=200,
        responses=problems(EnquiryNotFound, LotNotOpen, EnquiryHasAnswer),
        **requires(Scope.ENQUIRIES_ANSWER, seen="enquiry"),
    )
    async def answer(
        self, db: Db, actor: Caller, seen: AsSeen, enquiry_id: FromPath[UUID], data: JSONBody[EnquiryAnswer]
    ) -> EnquiryView:
        """Publish the answer, once, until the lot closes. The question stays as it was asked."""
        return EnquiryView.of(await service.answer(db, actor, enquiry_id, data, seen=seen))

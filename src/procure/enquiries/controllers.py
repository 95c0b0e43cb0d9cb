"""The routes of enquiries."""

from uuid import UUID

from litestar import Controller, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from procure.enquiries import service
from procure.enquiries.errors import (
    AskerNotSupplier,
    EnquiriesTooMany,
    EnquiryNotDrafted,
    EnquiryNotFound,
    EnquiryNotMergeable,
    EnquirySettled,
    ReplyInformsBidding,
)
from procure.enquiries.rules import EnquiryStatus
from procure.enquiries.schemas import EnquiryAnswer, EnquiryDraft, EnquiryMerge, EnquiryReply, EnquiryView, OfferView
from procure.kit.http import AsSeen, Caller, Db, PageAsked, public, requires
from procure.kit.paging import Page, Position, page_of
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.lots.errors import LotNotFound, LotNotOpen


class EnquiryController(Controller):
    """Questions before a lot closes: private until an officer publishes them with their answers."""

    path = "/v1"
    tags = ("Enquiries",)

    @get(
        "/lots/{lot_id:uuid}/enquiries",
        operation_id="listEnquiries",
        summary="List a lot's enquiries",
        responses=problems(LotNotFound),
        **public(),
    )
    async def list_(
        self,
        db: Db,
        actor: Caller,
        page: PageAsked,
        lot_id: FromPath[UUID],
        status: FromQuery[EnquiryStatus | None] = None,
    ) -> Page[EnquiryView]:
        """Published questions and answers, newest first; with `enquiries:read` yours too, and the buyer's all. Nobody is told who asked."""
        lot, rows = await service.list_enquiries(db, actor, lot_id, page, status=status)
        return page_of(
            rows, page, lambda row: service.view(actor, row, lot.buyer_id), lambda row: Position(row.asked_at, row.id)
        )

    @get(
        "/lots/{lot_id:uuid}/enquiries/offer",
        operation_id="getExtensionOffer",
        summary="See whether late answers are reason to extend",
        responses=problems(LotNotFound),
        **requires(Scope.ENQUIRIES_READ),
    )
    async def offer(self, db: Db, actor: Caller, lot_id: FromPath[UUID]) -> OfferView:
        """The buyer's: later by as many working days as answers were late after `enquiries_close_at`; once, and nothing moves by itself."""
        return await service.offer(db, actor, lot_id)

    @get(
        "/enquiries/{enquiry_id:uuid}",
        operation_id="getEnquiry",
        summary="Read an enquiry",
        responses=problems(EnquiryNotFound),
        **public(),
    )
    async def read(self, db: Db, actor: Caller, seen: AsSeen, enquiry_id: FromPath[UUID]) -> EnquiryView:
        """A published one, or with `enquiries:read` one that you asked or that your own lot was asked."""
        return await service.read(db, actor, enquiry_id, seen=seen)

    @post(
        "/lots/{lot_id:uuid}/enquiries",
        operation_id="askEnquiry",
        summary="Ask about a lot",
        responses=problems(LotNotFound, AskerNotSupplier, LotNotOpen, EnquiriesTooMany),
        **requires(Scope.ENQUIRIES_ASK),
    )
    async def ask(self, db: Db, actor: Caller, lot_id: FromPath[UUID], data: JSONBody[EnquiryDraft]) -> EnquiryView:
        """Ask before `enquiries_close_at`. Until it is published, you and the buyer see it, who is not told that it is yours."""
        return EnquiryView.of(await service.ask(db, actor, lot_id, data), is_asker=True)

    @put(
        "/enquiries/{enquiry_id:uuid}/answer",
        operation_id="answerEnquiry",
        summary="Draft an enquiry's answer",
        responses=problems(EnquiryNotFound, LotNotOpen, EnquirySettled),
        **requires(Scope.ENQUIRIES_ANSWER, seen="enquiry"),
    )
    async def answer(
        self, db: Db, actor: Caller, seen: AsSeen, enquiry_id: FromPath[UUID], data: JSONBody[EnquiryAnswer]
    ) -> EnquiryView:
        """Write or edit what is to be published: the answer, and the question without what tells who asked. The buyer alone sees it."""
        return await service.answer(db, actor, enquiry_id, data, seen=seen)

    @post(
        "/enquiries/{enquiry_id:uuid}/publish",
        operation_id="publishEnquiry",
        summary="Publish an enquiry's answer",
        status_code=200,
        responses=problems(EnquiryNotFound, LotNotOpen, EnquirySettled, EnquiryNotDrafted),
        **requires(Scope.ENQUIRIES_ANSWER, must_have_seen="enquiry"),
    )
    async def publish(self, db: Db, actor: Caller, seen: AsSeen, enquiry_id: FromPath[UUID]) -> EnquiryView:
        """Show question and answer to everybody as drafted, until the lot closes, after a private reply too. They stay as they are."""
        return await service.publish(db, actor, enquiry_id, seen=seen)

    @post(
        "/enquiries/{enquiry_id:uuid}/merge",
        operation_id="mergeEnquiry",
        summary="Answer an enquiry with another's answer",
        status_code=200,
        responses=problems(EnquiryNotFound, LotNotOpen, EnquirySettled, EnquiryNotMergeable),
        **requires(Scope.ENQUIRIES_ANSWER, seen="enquiry"),
    )
    async def merge(
        self, db: Db, actor: Caller, seen: AsSeen, enquiry_id: FromPath[UUID], data: JSONBody[EnquiryMerge]
    ) -> EnquiryView:
        """Point its asker to a published enquiry about the same lot. In public that one stands for both."""
        return await service.merge(db, actor, enquiry_id, data, seen=seen)

    @post(
        "/enquiries/{enquiry_id:uuid}/reply",
        operation_id="replyToEnquiry",
        summary="Answer the asker alone",
        status_code=200,
        responses=problems(EnquiryNotFound, LotNotOpen, EnquirySettled, ReplyInformsBidding),
        **requires(Scope.ENQUIRIES_ANSWER, seen="enquiry"),
    )
    async def reply(
        self, db: Db, actor: Caller, seen: AsSeen, enquiry_id: FromPath[UUID], data: JSONBody[EnquiryReply]
    ) -> EnquiryView:
        """Only about the asker itself or what is commercially confidential, and nothing that informs a bid: that is published."""
        return await service.reply(db, actor, enquiry_id, data, seen=seen)

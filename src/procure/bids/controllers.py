"""The routes of bids and of the seal."""

from dataclasses import replace
from uuid import UUID

from litestar import Controller, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from procure.bids import service
from procure.bids.errors import (
    BidChanged,
    BidderNotSupplier,
    BidExists,
    BidInvalid,
    BidNotFound,
    BidStateWrong,
    LotKeyRefused,
    ReceiptUnknown,
    SealNotFound,
)
from procure.bids.schemas import BidDraft, BidReceipt, BidView, SealView
from procure.kit.http import ApiRequest, AsSeen, Caller, Db, PageAsked, bidding, confidential, once_of, public, seen_by
from procure.kit.paging import Page, Position, page_of
from procure.kit.problems import problems
from procure.kit.scopes import Scope
from procure.lots.errors import LotNotFound, LotNotOpen


def desk_of(request: ApiRequest) -> service.Desk:
    """The desk, as it serves this request and its key."""
    desk: service.Desk = request.app.state.desk
    return replace(desk, once=once_of(request))


class BidController(Controller):
    """Sealed bids: one live bid per supplier and lot, read by nobody until the lot is opened.

    Submitting and replacing go to the desk, which opens a session only when something is wrong: they are the hot path.
    """

    path = "/v1"
    tags = ("Bids",)

    @post(
        "/lots/{lot_id:uuid}/bids",
        operation_id="submitBid",
        summary="Submit a bid",
        responses=problems(
            LotNotFound,
            BidderNotSupplier,
            LotNotOpen,
            BidExists,
            BidChanged,
            BidInvalid,
            LotKeyRefused,
            ReceiptUnknown,
        ),
        **bidding(),
    )
    async def submit(self, request: ApiRequest, lot_id: FromPath[UUID], data: JSONBody[BidDraft]) -> BidReceipt:
        """Seal and store your bid, strictly before `closes_at` by the service's clock (`GET /v1/time`).

        It is encrypted to the lot's own key before anything is stored: nobody can read it back until the opening, you
        included. Keep your copy, and the receipt.
        """
        return await service.submit(desk_of(request), request.user, lot_id, data)

    @put(
        "/bids/{bid_id:uuid}",
        operation_id="replaceBid",
        summary="Replace your bid",
        responses=problems(
            BidNotFound, LotNotOpen, BidStateWrong, BidChanged, BidInvalid, LotKeyRefused, ReceiptUnknown
        ),
        **bidding(seen="bid"),
    )
    async def replace(self, request: ApiRequest, bid_id: FromPath[UUID], data: JSONBody[BidDraft]) -> BidReceipt:
        """Put a whole new version in the place of the one before, until `closes_at`; the time of receipt is the new one's."""
        return await service.replace(desk_of(request), request.user, bid_id, data, seen=seen_by(request))

    @post(
        "/bids/{bid_id:uuid}/withdraw",
        operation_id="withdrawBid",
        summary="Withdraw your bid",
        status_code=200,
        responses=problems(BidNotFound, LotNotOpen, BidStateWrong),
        **bidding(seen="bid"),
    )
    async def withdraw(self, db: Db, actor: Caller, seen: AsSeen, bid_id: FromPath[UUID]) -> BidReceipt:
        """Take your bid back, until `closes_at`. It is never opened; you may submit another."""
        bid = await service.withdraw(db, actor, bid_id, seen=seen)
        return BidReceipt.of(bid, bid.status, bid.received_at)

    @get(
        "/bids",
        operation_id="listBids",
        summary="List your bids",
        responses=problems(),
        **confidential(Scope.BIDS_READ),
    )
    async def list_(
        self, db: Db, actor: Caller, page: PageAsked, lot_id: FromQuery[UUID | None] = None
    ) -> Page[BidView]:
        """Your own organisation's bids, newest first; what is in them only once they have been opened."""
        rows = await service.list_bids(db, actor, page, lot_id=lot_id)
        views = {view.id: view for view in await service.views(db, rows)}
        return page_of(rows, page, lambda row: views[row.id], lambda row: Position(row.created_at, row.id))

    @get(
        "/bids/{bid_id:uuid}",
        operation_id="getBid",
        summary="Read your bid",
        responses=problems(BidNotFound),
        **confidential(Scope.BIDS_READ),
    )
    async def read(self, db: Db, actor: Caller, seen: AsSeen, bid_id: FromPath[UUID]) -> BidView:
        """Your own bid: until the opening what its receipt said, afterwards its content too. Reaching for another's is recorded."""
        view = (await service.views(db, [await service.find_bid(db, actor, bid_id)]))[0]
        seen.check(view.etag)
        return view

    @get(
        "/lots/{lot_id:uuid}/seal",
        operation_id="getSeal",
        summary="Read a lot's seal",
        responses=problems(LotNotFound, SealNotFound),
        **public(),
    )
    async def seal(self, db: Db, actor: Caller, seen: AsSeen, lot_id: FromPath[UUID]) -> SealView:
        """The commitment to all bids at the deadline: their count and Merkle root. Before it, nothing about bids is told."""
        view = SealView.of(await service.find_visible_seal(db, actor, lot_id))
        seen.check(view.etag)
        return view

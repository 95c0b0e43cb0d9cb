"""The routes of finance: lists and files that finance systems pull, and what they and suppliers record."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Response, get, post, put
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody, PathParameter, QueryParameter
from litestar.response import Stream

from procure.contracts.errors import ContractNotFound
from procure.contracts.rules import ContractStatus
from procure.finance import exports, service
from procure.finance.errors import (
    AcceptanceInvoiced,
    ContractNotOrderable,
    DeliverableNotAccepted,
    InvoiceInvalid,
    InvoiceNotFound,
    InvoiceNumberUsed,
    OrderExceedsContract,
    OrderInvalid,
    OrderKnown,
    PaymentExceedsInvoice,
    PaymentInvalid,
    PaymentKnown,
)
from procure.finance.lists import ContractsAsked, InvoicesAsked, PayablesAsked, PaymentsAsked
from procure.finance.rules import InvoiceStatus, PayableState
from procure.finance.schemas import (
    ContractLine,
    ControlTotalsView,
    InvoiceDraft,
    InvoiceLine,
    OrderDraft,
    OrderView,
    PayableLine,
    PaymentDraft,
    PaymentLine,
    PaymentView,
)
from procure.kit.errors import Fault
from procure.kit.http import ApiResponse, Caller, Db, PageAsked, requires
from procure.kit.idempotency import Key
from procure.kit.paging import Page, Position, page_of
from procure.kit.problems import ParametersInvalid, problems
from procure.kit.scopes import Scope

#: An id of the finance system's own. `$` also matches before a final line feed, which the look-ahead refuses.
ExternalId = Annotated[
    str,
    PathParameter(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$(?!\n)",
        max_length=100,
        description="The finance system's own id: letters, digits, `.`, `_`, `:` and `-`.",
    ),
]
InstantAsked = Annotated[
    datetime | None,
    QueryParameter(description="RFC 3339 with offset, such as 2026-12-01T00:00:00Z; `+` is written `%2B`."),
]
#: Litestar keeps the argument name `state` for itself.
StateAsked = Annotated[PayableState | None, QueryParameter(name="state")]

_CSV = ResponseSpec(
    str,
    media_type="text/csv",
    generate_examples=False,
    description="RFC 4180, UTF-8, a header and a row per item: the fields of the list's items in order, an amount as its decimal. "
    "Text that a spreadsheet would take for a formula has an apostrophe before it.",
)


def _file(name: str, spool: exports.Spool) -> Stream:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.csv"',
        "Content-Length": str(spool.tell()),
        "Cache-Control": "no-store",
    }
    return Stream(exports.chunks(spool), media_type="text/csv", headers=headers)


def _check_instants(**instants: datetime | None) -> None:
    """With an offset, and of this century: Litestar takes an instant without one, and a number as seconds since 1970."""
    faults = [
        Fault(
            f"/{name}", "parameter", "This is an instant after RFC 3339, with its offset, from the year 2000 to 2199."
        )
        for name, instant in instants.items()
        if instant is not None and (instant.tzinfo is None or not 2000 <= instant.year <= 2199)
    ]
    if faults:
        raise ParametersInvalid(faults[0].message, faults=faults)


def _recorded(view: Any, *, is_new: bool) -> Response[Any]:
    """201 for what is new, 200 for what the finance system had recorded already (RFC 9110, section 9.3.4)."""
    return ApiResponse(view, status_code=201 if is_new else 200)


class FinanceController(Controller):
    """What finance systems pull of their own side's contracts, and write back under their own ids."""

    path = "/v1/finance"
    tags = ("Finance",)

    @get(
        "/contracts",
        operation_id="listFinanceContracts",
        summary="List contracts with their money",
        responses=problems(),
        **requires(Scope.FINANCE_READ),
    )
    async def contracts(
        self,
        db: Db,
        actor: Caller,
        page: PageAsked,
        status: FromQuery[ContractStatus | None] = None,
        supplier_id: FromQuery[UUID | None] = None,
        outcome_id: FromQuery[UUID | None] = None,
    ) -> Page[ContractLine]:
        """Your side's contracts: value, ordered, accepted and invoiced net; invoiced and paid gross. The latest first."""
        asked = ContractsAsked(status=status, supplier_id=supplier_id, outcome_id=outcome_id)
        rows = await service.list_contracts(db, actor, page, asked)
        return page_of(rows, page, ContractLine.of, lambda row: Position(row.created_at, row.id))

    @get(
        "/contracts.csv",
        operation_id="exportFinanceContracts",
        summary="Contracts with their money as CSV",
        responses={200: _CSV, **problems()},
        **requires(Scope.FINANCE_READ),
    )
    async def contracts_csv(
        self,
        db: Db,
        actor: Caller,
        status: FromQuery[ContractStatus | None] = None,
        supplier_id: FromQuery[UUID | None] = None,
        outcome_id: FromQuery[UUID | None] = None,
    ) -> Stream:
        """All of `listFinanceContracts` in one file, of one moment."""
        asked = ContractsAsked(status=status, supplier_id=supplier_id, outcome_id=outcome_id)
        return _file("contracts", await service.export_contracts(db, actor, asked))

    @get(
        "/payables",
        operation_id="listPayables",
        summary="List payables",
        responses=problems(),
        **requires(Scope.FINANCE_READ),
    )
    async def payables(
        self,
        db: Db,
        actor: Caller,
        page: PageAsked,
        payable_state: StateAsked = None,
        supplier_id: FromQuery[UUID | None] = None,
        contract_id: FromQuery[UUID | None] = None,
        accepted_after: InstantAsked = None,
        accepted_before: InstantAsked = None,
    ) -> Page[PayableLine]:
        """Accepted deliverables of your side's contracts, the latest accepted first: to invoice, invoiced or paid."""
        _check_instants(accepted_after=accepted_after, accepted_before=accepted_before)
        asked = PayablesAsked(
            state=payable_state,
            supplier_id=supplier_id,
            contract_id=contract_id,
            accepted_after=accepted_after,
            accepted_before=accepted_before,
        )
        rows = await service.list_payables(db, actor, page, asked)
        return page_of(rows, page, PayableLine.of, lambda row: Position(row.accepted_at, row.id))

    @get(
        "/payables.csv",
        operation_id="exportPayables",
        summary="Payables as CSV",
        responses={200: _CSV, **problems()},
        **requires(Scope.FINANCE_READ),
    )
    async def payables_csv(
        self,
        db: Db,
        actor: Caller,
        payable_state: StateAsked = None,
        supplier_id: FromQuery[UUID | None] = None,
        contract_id: FromQuery[UUID | None] = None,
        accepted_after: InstantAsked = None,
        accepted_before: InstantAsked = None,
    ) -> Stream:
        """All of `listPayables` in one file, of one moment."""
        _check_instants(accepted_after=accepted_after, accepted_before=accepted_before)
        asked = PayablesAsked(
            state=payable_state,
            supplier_id=supplier_id,
            contract_id=contract_id,
            accepted_after=accepted_after,
            accepted_before=accepted_before,
        )
        return _file("payables", await service.export_payables(db, actor, asked))

    @get(
        "/invoices",
        operation_id="listInvoices",
        summary="List invoices",
        responses=problems(),
        **requires(Scope.FINANCE_READ),
    )
    async def invoices(
        self,
        db: Db,
        actor: Caller,
        page: PageAsked,
        status: FromQuery[InvoiceStatus | None] = None,
        supplier_id: FromQuery[UUID | None] = None,
        contract_id: FromQuery[UUID | None] = None,
        due_before: FromQuery[date | None] = None,
    ) -> Page[InvoiceLine]:
        """Invoices of your side's contracts and what is paid of each, the latest received first."""
        asked = InvoicesAsked(status=status, supplier_id=supplier_id, contract_id=contract_id, due_before=due_before)
        rows = await service.list_invoices(db, actor, page, asked)
        return page_of(rows, page, InvoiceLine.of, lambda row: Position(row.received_at, row.id))

    @get(
        "/invoices.csv",
        operation_id="exportInvoices",
        summary="Invoices as CSV",
        responses={200: _CSV, **problems()},
        **requires(Scope.FINANCE_READ),
    )
    async def invoices_csv(
        self,
        db: Db,
        actor: Caller,
        status: FromQuery[InvoiceStatus | None] = None,
        supplier_id: FromQuery[UUID | None] = None,
        contract_id: FromQuery[UUID | None] = None,
        due_before: FromQuery[date | None] = None,
    ) -> Stream:
        """All of `listInvoices` in one file, of one moment."""
        asked = InvoicesAsked(status=status, supplier_id=supplier_id, contract_id=contract_id, due_before=due_before)
        return _file("invoices", await service.export_invoices(db, actor, asked))

    @get(
        "/payments",
        operation_id="listPayments",
        summary="List payments",
        responses=problems(),
        **requires(Scope.FINANCE_READ),
    )
    async def payments(
        self,
        db: Db,
        actor: Caller,
        page: PageAsked,
        supplier_id: FromQuery[UUID | None] = None,
        contract_id: FromQuery[UUID | None] = None,
        invoice_id: FromQuery[UUID | None] = None,
    ) -> Page[PaymentLine]:
        """Payments for your side's contracts, each a part of an invoice's gross, the latest recorded first."""
        asked = PaymentsAsked(supplier_id=supplier_id, contract_id=contract_id, invoice_id=invoice_id)
        rows = await service.list_payments(db, actor, page, asked)
        return page_of(rows, page, PaymentLine.of, lambda row: Position(row.recorded_at, row.id))

    @get(
        "/payments.csv",
        operation_id="exportPayments",
        summary="Payments as CSV",
        responses={200: _CSV, **problems()},
        **requires(Scope.FINANCE_READ),
    )
    async def payments_csv(
        self,
        db: Db,
        actor: Caller,
        supplier_id: FromQuery[UUID | None] = None,
        contract_id: FromQuery[UUID | None] = None,
        invoice_id: FromQuery[UUID | None] = None,
    ) -> Stream:
        """All of `listPayments` in one file, of one moment."""
        asked = PaymentsAsked(supplier_id=supplier_id, contract_id=contract_id, invoice_id=invoice_id)
        return _file("payments", await service.export_payments(db, actor, asked))

    @get(
        "/control-totals",
        operation_id="getControlTotals",
        summary="Read control totals",
        responses=problems(),
        **requires(Scope.FINANCE_READ),
    )
    async def control_totals(self, db: Db, actor: Caller) -> ControlTotalsView:
        """Count and sums of each list by state and currency, of one moment: what a copy has to come to."""
        return await service.control_totals(db, actor)

    @put(
        "/orders/{external_id:str}",
        operation_id="placeOrder",
        summary="Record a purchase order",
        status_code=201,
        responses={
            200: ResponseSpec(OrderView, generate_examples=False, description="Recorded already, with this content."),
            **problems(ContractNotFound, OrderInvalid, OrderKnown, ContractNotOrderable, OrderExceedsContract),
        },
        **requires(Scope.FINANCE_WRITE),
    )
    async def place_order(
        self, db: Db, actor: Caller, external_id: ExternalId, data: JSONBody[OrderDraft]
    ) -> Response[OrderView]:
        """Record an order under your own number, net. The same content again changes nothing; other content is refused."""
        order, is_new = await service.place_order(db, actor, external_id, data)
        return _recorded(OrderView.of(order), is_new=is_new)

    @put(
        "/payments/{external_id:str}",
        operation_id="recordPayment",
        summary="Record a payment",
        status_code=201,
        responses={
            200: ResponseSpec(PaymentView, generate_examples=False, description="Recorded already, with this content."),
            **problems(InvoiceNotFound, PaymentInvalid, PaymentKnown, PaymentExceedsInvoice),
        },
        **requires(Scope.FINANCE_WRITE, key=Key.REQUIRED),
    )
    async def record_payment(
        self, db: Db, actor: Caller, external_id: ExternalId, data: JSONBody[PaymentDraft]
    ) -> Response[PaymentView]:
        """Record under your own number that a part of an invoice's gross, or all of it, was paid. Never more than the gross."""
        payment, is_new = await service.record_payment(db, actor, external_id, data)
        return _recorded(PaymentView.of(payment), is_new=is_new)


class InvoiceController(Controller):
    """Invoices, sent by the supplier."""

    path = "/v1/contracts/{contract_id:uuid}/invoices"
    tags = ("Finance",)

    @post(
        "/",
        operation_id="sendInvoice",
        summary="Send an invoice",
        responses=problems(
            ContractNotFound, InvoiceInvalid, DeliverableNotAccepted, AcceptanceInvoiced, InvoiceNumberUsed
        ),
        **requires(Scope.INVOICES_SUBMIT, key=Key.REQUIRED),
    )
    async def receive(
        self, db: Db, actor: Caller, contract_id: FromPath[UUID], data: JSONBody[InvoiceDraft]
    ) -> InvoiceLine:
        """Invoice one accepted deliverable, once, for exactly what was accepted. It is due the policy's days after receipt."""
        return await service.receive_invoice(db, actor, contract_id, data)

